//! Files as an archive.

use std::io;

use flate2::{Compression, GzBuilder};
use tar::{Builder, Header};

use super::Files;

/// Packs files as a gzipped tar. The same names and contents give the same bytes, whenever and by whomever they are
/// packed: in the order of their paths, without a time and an owner, all with the same mode.
///
/// # Errors
/// A path that no tar can hold.
pub fn pack(files: &Files) -> io::Result<Vec<u8>> {
    let gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::default());
    let mut archive = Builder::new(gzip);
    for (path, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        header.set_mode(0o644);
        archive.append_data(&mut header, path, bytes.as_slice())?;
    }
    archive.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::unpack;

    #[test]
    fn what_is_packed_is_unpacked_and_its_bytes_are_known() {
        let long = format!("schema/{}.tf", "long-".repeat(40));
        let files: Files = [("schema/schema.yaml", &b"schema:\n"[..]), (&long, b"x"), ("schema/empty", b"")]
            .into_iter()
            .map(|(path, bytes)| (path.to_owned(), bytes.to_vec()))
            .collect();
        let packed = pack(&files).unwrap();
        assert_eq!(unpack(&packed).unwrap(), files);
        assert_eq!(packed, pack(&files).unwrap());
        // No time in gzip's header, and no host.
        assert_eq!((&packed[4..8], packed[9]), (&[0; 4][..], 255));
    }
}
