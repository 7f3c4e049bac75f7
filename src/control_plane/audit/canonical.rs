//! The text of an entry that its hash covers, and the hash.
//!
//! The text is the entry as the API shows it, without `hash` and `previousHash`: JSON with sorted keys and no spaces
//! (RFC 8785), times as `2026-11-22T00:00:00.000Z`. The hash is SHA-256 over the hash before, in hexadecimal, and that
//! text. So anyone can check a chain with `jq -cS` and `sha256sum`.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::control_plane::records::{AuditEntry, AuditHead};

/// What the first entry has before it.
pub(crate) fn beginning() -> AuditHead {
    AuditHead { sequence: 0, hash: "0".repeat(64) }
}

/// The hash of an entry as number `sequence` behind `previous`, in hexadecimal.
pub(crate) fn hash(entry: &AuditEntry, sequence: i64, previous: &str) -> Result<String, serde_json::Error> {
    let mut digest = Sha256::new();
    digest.update(previous.as_bytes());
    digest.update(text(entry, sequence)?.as_bytes());
    Ok(hex::encode(digest.finalize()))
}

/// The text that is hashed.
pub(crate) fn text(entry: &AuditEntry, sequence: i64) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(entry)?;
    if let Value::Object(members) = &mut value {
        members.remove("link");
        members.insert("at".into(), time(entry.at).into());
        members.insert("sequence".into(), sequence.into());
    }
    let mut text = String::with_capacity(512);
    write(&value, &mut text);
    Ok(text)
}

/// A moment in milliseconds since the epoch, as people and the hash read it.
pub(crate) fn time(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |time| format!("{time:.3}"))
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| name.as_str());
            text.push('{');
            for (position, (name, member)) in sorted.into_iter().enumerate() {
                separate(position, text);
                write(&Value::String(name.clone()), text);
                text.push(':');
                write(member, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                separate(position, text);
                write(item, text);
            }
            text.push(']');
        }
        plain => write!(text, "{plain}").expect("text takes text"),
    }
}

fn separate(position: usize, text: &mut String) {
    if position > 0 {
        text.push(',');
    }
}

#[cfg(test)]
mod tests {
    use hadron_model::hadron::AuditOutcome;

    use super::*;
    use crate::control_plane::records::{Link, Touched};

    #[test]
    fn the_text_is_sorted_and_holds_everything_but_the_link() {
        let link = Link { sequence: 9, previous: "p".into(), hash: "h".into() };
        let entry = AuditEntry {
            id: "i".into(),
            at: 1_795_305_600_000,
            principal: "a \"b\"\n".into(),
            access_key: None,
            account: "123456789012".into(),
            region: "r".into(),
            api: "proton".into(),
            action: "CreateService".into(),
            resource: None,
            request_id: "q".into(),
            source_ip: None,
            user_agent: None,
            outcome: AuditOutcome::Changed,
            reason: None,
            touched: vec![Touched { kind: "k".into(), key: "ü".into(), before: None, after: Some(1) }],
            link: Some(link),
        };
        let expected = r#"{"account":"123456789012","action":"CreateService","api":"proton","at":"2026-11-22T00:00:00.000Z","id":"i","outcome":"CHANGED","principal":"a \"b\"\n","region":"r","requestId":"q","sequence":9,"touched":[{"after":1,"key":"ü","kind":"k"}]}"#;
        assert_eq!(text(&entry, 9).unwrap(), expected);
        let begun = beginning();
        let by_hand = hex::encode(Sha256::digest(format!("{}{expected}", begun.hash)));
        assert_eq!(hash(&entry, 9, &begun.hash).unwrap(), by_hand);
    }
}
