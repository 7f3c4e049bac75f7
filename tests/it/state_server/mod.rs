//! The state server: its rules by single requests, and a real Terraform that keeps its state in it.

mod bench;
mod blocked;
mod blocks;
mod claims;
mod locks;
mod terraform;
mod versions;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A state as Terraform writes it, as far as a backend looks into it.
fn state(lineage: &str, serial: i64, content: &str) -> String {
    format!(r#"{{"version":4,"serial":{serial},"lineage":"{lineage}","outputs":{{}},"content":"{content}"}}"#)
}

fn lock_info(id: &str) -> String {
    format!(r#"{{"ID":"{id}","Operation":"OperationTypeApply","Who":"me@here","Version":"1.11.4"}}"#)
}

fn md5(body: &str) -> String {
    use md5::Digest;
    STANDARD.encode(md5::Md5::digest(body))
}
