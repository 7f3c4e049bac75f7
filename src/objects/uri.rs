//! `s3://bucket/key`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where an object lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectUri {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, without a leading slash; empty when the whole bucket is meant.
    pub key: String,
}

/// Text that names no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an object's address; write s3://bucket/key")]
pub struct NotAnObjectUri(pub String);

impl ObjectUri {
    /// The address of `key` in `bucket`.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into() }
    }
}

impl FromStr for ObjectUri {
    type Err = NotAnObjectUri;

    fn from_str(text: &str) -> Result<Self, NotAnObjectUri> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| NotAnObjectUri(text.to_owned()))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(NotAnObjectUri(text.to_owned()));
        }
        Ok(Self::new(bucket, key))
    }
}

impl fmt::Display for ObjectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl TryFrom<String> for ObjectUri {
    type Error = NotAnObjectUri;

    fn try_from(text: String) -> Result<Self, NotAnObjectUri> {
        text.parse()
    }
}

impl From<ObjectUri> for String {
    fn from(uri: ObjectUri) -> Self {
        uri.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_its_text() {
        for text in ["s3://b/k", "s3://b/a/b/c.tar.gz", "s3://b/"] {
            assert_eq!(text.parse::<ObjectUri>().unwrap().to_string(), text);
        }
        assert_eq!("s3://b".parse::<ObjectUri>().unwrap(), ObjectUri::new("b", ""));
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "b/k", "https://b/k", "s3:///k"] {
            assert!(text.parse::<ObjectUri>().is_err(), "{text}");
        }
    }
}
