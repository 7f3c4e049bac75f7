//! The parts of an `Authorization` header.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::request::Parts;

use super::moment::Moment;
use super::{ALGORITHM, SignatureError};

/// A credential scope: `KEY/20261122/us-east-1/proton/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) access_key: String,
    pub(super) day: String,
    pub(super) region: String,
    pub(super) service: String,
    terminator: String,
}

/// What the header says.
#[derive(Debug, Clone)]
pub(super) struct Authorization {
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    credential: String,
    algorithm: String,
}

impl Authorization {
    /// Takes the header apart; all missing parts are told at once.
    pub(super) fn read(parts: &Parts) -> Result<Self, SignatureError> {
        let text = header_text(parts).filter(|text| text.starts_with("AWS4-")).ok_or(SignatureError::Missing)?;
        let (algorithm, fields) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
        let field = |name| field(fields, name).unwrap_or_default();
        let mut missing = String::new();
        for name in ["Credential", "Signature", "SignedHeaders"] {
            if field(name).is_empty() {
                missing = missing + "Authorization header requires '" + name + "' parameter. ";
            }
        }
        if !parts.headers.contains_key("x-amz-date") && !parts.headers.contains_key("date") {
            missing += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
        }
        if !missing.is_empty() {
            return Err(SignatureError::Incomplete(format!("{missing}Authorization={text}")));
        }
        Ok(Self {
            signed_headers: field("SignedHeaders").split(';').map(str::to_owned).collect(),
            signature: field("Signature").to_owned(),
            credential: field("Credential").to_owned(),
            algorithm: algorithm.to_owned(),
        })
    }

    /// The host and the operation must be under the signature.
    pub(super) fn check_signed_headers(&self, parts: &Parts) -> Result<(), SignatureError> {
        let signed = |name: &str| self.signed_headers.iter().any(|header| header == name);
        if !signed("host") {
            let text = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
            return Err(SignatureError::Invalid(text.into()));
        }
        if parts.headers.contains_key("x-amz-target") && !signed("x-amz-target") {
            let text = "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.";
            return Err(SignatureError::Invalid(text.into()));
        }
        Ok(())
    }

    /// The algorithm, and the scope with every part of it checked; all wrong parts are told at once.
    pub(super) fn scope(&self, service: &str, moment: &Moment) -> Result<Scope, SignatureError> {
        if self.algorithm != ALGORITHM {
            let text = format!("Unsupported AWS 'algorithm': '{}' (only {ALGORITHM} for now).", self.algorithm);
            return Err(SignatureError::Incomplete(text));
        }
        let scope = read_scope(&self.credential).ok_or_else(|| {
            SignatureError::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'",
                self.credential
            ))
        })?;
        let wrong = scope.wrong_parts(service, moment);
        if wrong.is_empty() { Ok(scope) } else { Err(SignatureError::Invalid(wrong)) }
    }
}

impl Scope {
    /// The scope without the key, as it is signed.
    pub(super) fn signed(&self) -> String {
        format!("{}/{}/{}/{}", self.day, self.region, self.service, self.terminator)
    }

    fn wrong_parts(&self, service: &str, moment: &Moment) -> String {
        let Self { day, region, service: given, terminator, .. } = self;
        let (today, at) = (moment.day(), &moment.text);
        let wrong = [
            (!is_region(region)).then(|| format!("Credential should be scoped to a valid region, not '{region}'. ")),
            (given != service).then(|| format!("Credential should be scoped to correct service: '{service}'. ")),
            (terminator != "aws4_request").then(|| {
                format!("Credential should be scoped with a valid terminator: 'aws4_request', not '{terminator}'. ")
            }),
            (day != today).then(|| {
                format!(
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                     '{day}' != '{today}', from '{at}'. "
                )
            }),
        ];
        wrong.into_iter().flatten().collect()
    }
}

/// The service that a request is signed for, in the header or a presigned URL, however wrong the rest may be.
pub fn scope_service(parts: &Parts) -> Option<String> {
    let header = header_text(parts);
    let credential = match header.as_deref().and_then(|text| field(text, "Credential")) {
        Some(credential) => Cow::Borrowed(credential),
        None => form_urlencoded::parse(parts.uri.query()?.as_bytes()).find(|(name, _)| name == "X-Amz-Credential")?.1,
    };
    read_scope(&credential).map(|scope| scope.service)
}

fn header_text(parts: &Parts) -> Option<Cow<'_, str>> {
    let value = parts.headers.get(AUTHORIZATION)?;
    Some(String::from_utf8_lossy(value.as_bytes()))
}

/// The value of `name=value` among fields that commas and blanks part.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split([',', ' ']).find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

fn read_scope(credential: &str) -> Option<Scope> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [access_key, day, region, service, terminator] = parts[..] else { return None };
    Some(Scope {
        access_key: access_key.into(),
        day: day.into(),
        region: region.into(),
        service: service.into(),
        terminator: terminator.into(),
    })
}

/// A region's name becomes part of every ARN, so it holds nothing that an ARN can't.
fn is_region(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
