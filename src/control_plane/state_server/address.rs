//! Addresses: which target's state, and under which URL its claim's password holds.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::domain::{Scope, Target};

const STATE: &str = "/_hadron/state/";
const SEALED: &str = "/_hadron/sealed/";
const BLOCKS: &str = "/_hadron/blocks/";

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One target's state.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) scope: Scope,
    pub(super) target: Target,
    pub(super) arn: String,
    pub(super) url: String,
}

impl Address {
    /// Reads a path. However it is written, the URL is the one that the claim was told.
    pub(super) fn of(path: &str, base_url: &str) -> Option<Self> {
        Self::below(STATE, path, base_url)
    }

    /// Reads the path of a target's blocks; the URL is that of its state, for which the password holds.
    pub(super) fn of_blocks(path: &str, base_url: &str) -> Option<Self> {
        Self::below(BLOCKS, path, base_url)
    }

    fn below(place: &str, path: &str, base_url: &str) -> Option<Self> {
        let mut parts = path.strip_prefix(place)?.splitn(3, '/');
        let scope = Scope::new(decoded(parts.next()?)?, decoded(parts.next()?)?);
        let (_, target) = Target::parse(&scope.arn(decoded(parts.next()?)?)).ok()?;
        let (arn, url) = (target.arn(&scope), state_url(base_url, &scope, &target));
        Some(Self { scope, target, arn, url })
    }
}

/// The deployment whose sealed inputs a path asks for.
pub(super) fn sealed(path: &str) -> Option<&str> {
    path.strip_prefix(SEALED)
}

/// Where a target's state lies: what a claim's answer carries in `x-hadron-state`.
pub fn state_url(base_url: &str, scope: &Scope, target: &Target) -> String {
    let (account, region, resource) = (encoded(&scope.account), encoded(&scope.region), encoded(&target.resource()));
    format!("{base_url}{STATE}{account}/{region}/{resource}")
}

/// Where a deployment's sealed inputs lie: what a claim's answer carries in `x-hadron-sealed`.
pub fn sealed_url(base_url: &str, deployment: &str) -> String {
    format!("{base_url}{SEALED}{deployment}")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_found_by_its_url_however_it_is_written() {
        let scope = Scope::new("123456789012", "us-east-1");
        let target = Target::ServiceInstance { service: "pay".into(), name: "api".into() };
        let url = state_url("http://h:1", &scope, &target);
        assert_eq!(url, "http://h:1/_hadron/state/123456789012/us-east-1/service%2Fpay%2Fservice-instance%2Fapi");
        for path in [
            url.strip_prefix("http://h:1").unwrap(),
            "/_hadron/state/123456789012/us-east-1/service/pay/service-instance/api",
        ] {
            let address = Address::of(path, "http://h:1").unwrap();
            assert_eq!((address.target, address.url, address.scope), (target.clone(), url.clone(), scope.clone()));
        }
    }

    #[test]
    fn other_paths_are_no_place() {
        for path in [
            "/",
            "/_hadron/state/1/r",
            "/_hadron/state/1/r/",
            "/_hadron/state/1/r/bucket%2Fx",
            "/_hadron/state/1/r/%FF",
        ] {
            assert!(Address::of(path, "").is_none(), "{path}");
        }
    }
}
