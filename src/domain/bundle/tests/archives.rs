//! What comes out of an archive, and what must not.

use zip::CompressionMethod;

use super::super::archive::unpack_within;
use super::super::intake::{LARGEST_ARCHIVE, LARGEST_FILE};
use super::*;

#[test]
fn zip_and_tar_give_the_same_files_wherever_the_bundle_lies() {
    let nested: Vec<(String, &str)> = ENVIRONMENT.iter().map(|(path, text)| (format!("./v1/{path}"), *text)).collect();
    let nested: Vec<(&str, &str)> = nested.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let plain = unpack(&tar_gz(&ENVIRONMENT)).unwrap();
    assert_eq!(
        plain.keys().collect::<Vec<_>>(),
        ["infrastructure/main.tf", "infrastructure/manifest.yaml", "schema/schema.yaml"]
    );
    for archive in [zip(&ENVIRONMENT), tar_gz(&nested), zip(&nested)] {
        assert_eq!(unpack(&archive).unwrap(), plain);
    }
    let windows = zip(&[
        ("schema\\schema.yaml", SCHEMA),
        ("infrastructure\\manifest.yaml", HCL),
        ("infrastructure\\main.tf", MAIN),
    ]);
    assert_eq!(unpack(&windows).unwrap(), plain);
}

#[test]
fn what_is_no_archive_is_named() {
    for (bytes, message) in [
        (&b""[..], "is empty"),
        (b"hello", "is no archive: neither ZIP nor gzipped tar"),
        (b"BZh91AY", "a bzip2 file"),
        (b"PK\x03\x04nonsense", "is a damaged ZIP"),
        (b"\x1f\x8bnonsense", "can't be unpacked"),
    ] {
        assert!(refusal(unpack(bytes)).contains(message), "{}", refusal(unpack(bytes)));
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&[b'x'; 5000]).unwrap();
    let said = refusal(unpack(&gzip.finish().unwrap()));
    assert_eq!(
        said,
        "bundle: is a gzip file without a tar in it (pack the bundle's folder with tar -czf, or with zip -r)"
    );
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"locals {}\n").unwrap();
    assert_eq!(refusal(unpack(&gzip.finish().unwrap())), said);
    let mut plain = Builder::new(Vec::new());
    let mut header = Header::new_ustar();
    header.set_size(0);
    plain.append_data(&mut header, "schema/schema.yaml", &b""[..]).unwrap();
    assert!(refusal(unpack(&plain.into_inner().unwrap())).contains("a tar that isn't compressed"));
    let whole = tar_gz(&ENVIRONMENT);
    assert!(refusal(unpack(&whole[..whole.len() / 2])).contains("can't be unpacked"));
    assert!(refusal(unpack(&vec![0; LARGEST_ARCHIVE + 1])).contains("larger than 10 MiB"));
}

#[test]
fn every_escape_link_and_device_is_refused_by_name() {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, kind) in [
        ("/etc/passwd", EntryType::Regular),
        ("schema/../../x", EntryType::Regular),
        ("schema/link", EntryType::Symlink),
        ("schema/hard", EntryType::Link),
        ("schema/null", EntryType::Char),
        ("schema/pipe", EntryType::Fifo),
    ] {
        append(&mut archive, path, kind, b"");
    }
    let text = refusal(unpack(&archive.into_inner().unwrap().finish().unwrap()));
    insta::assert_snapshot!(text, @"
    /etc/passwd: is an absolute path (pack the bundle with paths below its own folder)
    schema/../../x: leads out of the bundle (pack the bundle with paths below its own folder)
    schema/link: is a link, and a bundle has only files (put a copy of the file there)
    schema/hard: is a link, and a bundle has only files (put a copy of the file there)
    schema/null: is a device or of another special kind, and a bundle has only files (leave it out)
    schema/pipe: is a device or of another special kind, and a bundle has only files (leave it out)
    ");
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.add_symlink("schema/link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    archive.start_file("../x", SimpleFileOptions::default()).unwrap();
    let text = refusal(unpack(&archive.finish().unwrap().into_inner()));
    assert!(text.contains("schema/link: is a link") && text.contains("../x: leads out"), "{text}");
}

#[test]
fn a_bomb_is_refused_before_it_unfolds() {
    // 10 GiB are declared; the reader gives up within the few MiB that are there.
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = Header::new_gnu();
    header.set_path("schema/bomb").unwrap();
    header.set_size(10 << 30);
    header.set_cksum();
    let zeros = std::io::Read::take(std::io::repeat(0), 5 << 20);
    archive.append(&header, zeros).unwrap();
    let text = refusal(unpack_within(&archive.into_inner().unwrap().finish().unwrap(), 4 << 20));
    assert!(
        text.contains("schema/bomb: is larger than 2 MiB") && text.contains("unpacks to more than 4 MiB"),
        "{text}"
    );

    // A ZIP of many files that each keep below the limit.
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let zeros = vec![0; usize::try_from(LARGEST_FILE).unwrap()];
    for n in 0..3 {
        archive.start_file(format!("schema/{n}"), options).unwrap();
        archive.write_all(&zeros).unwrap();
    }
    let bomb = archive.finish().unwrap().into_inner();
    assert!(bomb.len() < 1 << 20);
    let text = refusal(unpack_within(&bomb, 4 << 20));
    assert!(text.contains("unpacks to more than 4 MiB"), "{text}");
}

#[test]
fn a_file_above_2_mib_and_the_501st_file_are_refused() {
    let large = "x".repeat(usize::try_from(LARGEST_FILE).unwrap() + 1);
    for archive in [tar_gz(&[("schema/a", &large)]), zip(&[("schema/a", &large)])] {
        assert_eq!(
            refusal(unpack(&archive)).lines().next().unwrap(),
            "schema/a: is larger than 2 MiB (keep large files in a bucket and refer to them)"
        );
    }
    assert!(unpack(&tar_gz(&[("schema/a", &large[1..])])).is_ok());
    let names: Vec<String> = (0..501).map(|n| format!("schema/{n}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert!(unpack(&zip(&files[..500])).is_ok());
    assert!(refusal(unpack(&zip(&files))).contains("more than 500 files"));
    assert!(refusal(unpack(&tar_gz(&[("schema/a", ""), ("./schema/a", "x")]))).contains("in the archive twice"));
}
