//! When a request was signed.

use http::request::Parts;

use super::SignatureError;

/// The time that a request's signature carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// ISO 8601 in its basic form, as it is signed: `20261122T215500Z`.
    pub(super) text: String,
    /// The same since the epoch.
    pub(super) milliseconds: i64,
}

const BASIC: &str = "%Y%m%dT%H%M%SZ";

impl Moment {
    /// Takes `X-Amz-Date`, else `Date`, which may also have HTTP's own form.
    pub(super) fn read(parts: &Parts) -> Result<Self, SignatureError> {
        let header = |name: &str| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let given = header("x-amz-date").or_else(|| header("date")).unwrap_or_default();
        let http_date = || jiff::fmt::rfc2822::parse(&given).ok().map(|zoned| zoned.timestamp().as_millisecond());
        let milliseconds = read_basic(&given).or_else(http_date).ok_or_else(|| {
            SignatureError::Incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{given}'. See http://en.wikipedia.org/wiki/ISO_8601"
            ))
        })?;
        Ok(Self { text: basic(milliseconds), milliseconds })
    }

    /// The day, as credential scopes begin.
    pub(super) fn day(&self) -> &str {
        &self.text[..8]
    }
}

/// A time in milliseconds since the epoch as ISO 8601 in its basic form.
pub(super) fn basic(milliseconds: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    moment.strftime(BASIC).to_string()
}

fn read_basic(text: &str) -> Option<i64> {
    let civil = jiff::civil::DateTime::strptime(BASIC, text).ok()?;
    let milliseconds = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    // strptime is lenient about digits and blanks; what is signed is the text, so only the exact form will do.
    (basic(milliseconds) == text).then_some(milliseconds)
}
