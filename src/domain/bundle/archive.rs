//! ZIP and gzipped tar, read in a stream within the quotas.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use flate2::read::GzDecoder;
use tar::EntryType;
use zip::ZipArchive;
use zip::result::ZipError;

use super::intake::{BUNDLE, Intake, LARGEST_ARCHIVE, LARGEST_FILE, Limited, MOST_BYTES};
use super::{Files, layout};
use crate::domain::{Problem, Problems};

const NO_LINKS: &str = "put a copy of the file there";

/// Unpacks a ZIP or gzipped tar, told apart by their first bytes, from the shallowest folder that holds `schema/`.
///
/// # Errors
/// Everything that keeps it from being a bundle: no archive, quotas exceeded, paths that lead out of it, links.
pub fn unpack(archive: &[u8]) -> Result<Files, Problems> {
    unpack_within(archive, MOST_BYTES)
}

/// [`unpack`] to at most `most_bytes`.
pub(super) fn unpack_within(archive: &[u8], most_bytes: u64) -> Result<Files, Problems> {
    if archive.len() > LARGEST_ARCHIVE {
        let message = format!("the archive is larger than {} MiB", LARGEST_ARCHIVE >> 20);
        return Err(Problem::of(BUNDLE, message, "leave out what the templates don't need").into());
    }
    let mut intake = Intake::new(most_bytes);
    match archive {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => from_zip(archive, &mut intake),
        [0x1f, 0x8b, ..] => from_tar(archive, &mut intake),
        _ => return Err(Problem::of(BUNDLE, what_it_is(archive), "pack it with zip -r or tar -czf").into()),
    }
    let files = intake.problems.unless_any(|| intake.files)?;
    layout::from_root(files)
}

fn what_it_is(archive: &[u8]) -> String {
    let form = match archive {
        [] => return "is empty".into(),
        [b'B', b'Z', b'h', ..] => "a bzip2 file",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "an xz file",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a zstd file",
        [b'7', b'z', 0xbc, 0xaf, ..] => "a 7z archive",
        _ if archive.get(257..262) == Some(b"ustar") => "a tar that isn't compressed",
        _ => return "is no archive: neither ZIP nor gzipped tar".into(),
    };
    format!("is {form}, and only ZIP and gzipped tar are read")
}

fn from_zip(archive: &[u8], intake: &mut Intake) {
    let mut archive = match ZipArchive::new(Cursor::new(archive)) {
        Ok(archive) => archive,
        Err(error) => return broken_zip(error, BUNDLE, intake),
    };
    for index in 0..archive.len() {
        if intake.full {
            return;
        }
        let label = archive.name_for_index(index).and_then(Result::ok).map_or(BUNDLE.into(), Cow::into_owned);
        let file = match archive.by_index(index) {
            Ok(file) => file,
            Err(error) => {
                broken_zip(error, &label, intake);
                continue;
            }
        };
        let Ok(name) = file.name() else {
            intake.refuse(BUNDLE, "a file's name can't be read", "use plain letters in file names");
            continue;
        };
        // Old Windows tools separate by backslashes.
        let name = name.replace('\\', "/");
        if name.ends_with('/') || file.is_dir() {
            continue;
        }
        let Some(path) = intake.path(&name) else { continue };
        let kind = file.unix_mode().unwrap_or_default() & 0o170_000;
        if file.is_symlink() || !matches!(kind, 0 | 0o100_000) {
            intake.refuse(path, "is a link or a device, and a bundle has only files", NO_LINKS);
        } else if file.size() > LARGEST_FILE {
            intake.too_large(&path);
        } else {
            intake.file(path, file);
        }
    }
}

fn broken_zip(error: ZipError, name: &str, intake: &mut Intake) {
    let message = match error {
        ZipError::CompressionMethodNotSupported(_) => "is compressed in a way that isn't supported".to_owned(),
        ZipError::UnsupportedArchive(why) => format!("can't be unpacked: {}", why.to_lowercase()),
        error => format!("is a damaged ZIP: {error}"),
    };
    intake.refuse(name, message, "pack it with zip -r, without encryption, or as .tar.gz");
}

fn from_tar(archive: &[u8], intake: &mut Intake) {
    let mut limited = Limited { inner: GzDecoder::new(archive), left: intake.most_bytes };
    let mut first = Vec::new();
    if let Err(error) = limited.by_ref().take(BLOCK).read_to_end(&mut first) {
        return intake.unreadable(&error);
    }
    if !begins_a_tar(&first) {
        let remedy = "pack the bundle's folder with tar -czf, or with zip -r";
        return intake.refuse(BUNDLE, "is a gzip file without a tar in it", remedy);
    }
    let mut archive = tar::Archive::new(Cursor::new(first).chain(limited));
    let entries = match archive.entries() {
        Ok(entries) => entries,
        Err(error) => return intake.unreadable(&error),
    };
    for entry in entries {
        match entry {
            Ok(entry) => take_entry(entry, intake),
            Err(error) => intake.unreadable(&error),
        }
        if intake.full {
            return;
        }
    }
}

/// The length of a tar's header.
const BLOCK: u64 = 512;

/// Whether a header's checksum is right, in which each of its own eight bytes counts as a space. A block of zeros ends a
/// tar, and nothing at all is one without files.
fn begins_a_tar(block: &[u8]) -> bool {
    if block.iter().all(|&byte| byte == 0) {
        return true;
    }
    let Ok(bytes) = <&[u8; 512]>::try_from(block) else { return false };
    let counted = |(at, &byte): (usize, &u8)| u32::from(if (148..156).contains(&at) { b' ' } else { byte });
    let sum: u32 = bytes.iter().enumerate().map(counted).sum();
    tar::Header::from_byte_slice(bytes).cksum().is_ok_and(|noted| noted == sum)
}

fn take_entry(entry: tar::Entry<'_, impl Read>, intake: &mut Intake) {
    let kind = entry.header().entry_type();
    if matches!(kind, EntryType::Directory | EntryType::XGlobalHeader) {
        return;
    }
    let name = String::from_utf8(entry.path_bytes().into_owned());
    let Ok(name) = name else {
        return intake.refuse(BUNDLE, "a file's name isn't UTF-8", "use plain letters in file names");
    };
    let Some(path) = intake.path(&name) else { return };
    match kind {
        EntryType::Regular | EntryType::Continuous if entry.size() > LARGEST_FILE => intake.too_large(&path),
        EntryType::Regular | EntryType::Continuous => intake.file(path, entry),
        EntryType::Symlink | EntryType::Link => {
            intake.refuse(path, "is a link, and a bundle has only files", NO_LINKS);
        }
        _ => intake.refuse(path, "is a device or of another special kind, and a bundle has only files", "leave it out"),
    }
}
