//! What `aws-sigv4` signs must be accepted, and nothing that differs from it in a bit.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::Request;
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_795_000_000_000;
const KEY: &str = "AKIDEXAMPLE";

/// A request that AWS's own signer has signed; the headers named in `unsigned` are added behind its back.
fn signed(secret: &str, headers: &[(&str, &str)], body: &[u8], at: i64) -> Parts {
    let mut request = Request::post("/").header("host", "127.0.0.1:9100");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(()).unwrap();
    let identity = Credentials::new(KEY, secret, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name("proton")
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at).unwrap()))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let signable = SignableRequest::new("POST", "http://127.0.0.1:9100/", headers, SignableBody::Bytes(body)).unwrap();
    sign(signable, &params).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
    request.into_parts().0
}

fn accept(parts: &Parts, body: &[u8], secret: &str) -> Result<Claim, SignatureError> {
    let claim = Claim::read(parts, "proton", NOW)?;
    claim.verify(parts, body, &Secret::new(secret))?;
    Ok(claim)
}

/// The value of a header with one bit of one letter flipped, if it is still a header value.
fn flipped(parts: &Parts, name: &'static str, at: prop::sample::Index, bit: u8) -> Option<Parts> {
    let mut parts = parts.clone();
    let mut bytes = parts.headers.get(name)?.as_bytes().to_vec();
    let at = at.index(bytes.len());
    bytes[at] ^= 1 << bit;
    let value = http::HeaderValue::from_bytes(&bytes).ok()?;
    parts.headers.insert(name, value);
    Some(parts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_aws_signs_is_accepted_and_no_flipped_bit_is(
        secret in "[A-Za-z0-9/+]{1,60}",
        agent in "[!-~]{1,20}( [!-~]{1,20}){0,2}",
        body in prop::collection::vec(any::<u8>(), 1..300),
        skew in -299_999i64..299_999,
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
        name in prop::sample::select(vec!["host", "x-amz-date", "x-amz-target", "x-amz-user-agent", "authorization"]),
    ) {
        let headers = [("x-amz-target", "AwsProton20200720.GetService"), ("x-amz-user-agent", &agent)];
        let parts = signed(&secret, &headers, &body, NOW + skew);
        let claim = accept(&parts, &body, &secret).unwrap();
        prop_assert_eq!((claim.access_key(), claim.region()), (KEY, "eu-west-1"));

        let mut other = body.clone();
        let place = at.index(other.len());
        other[place] ^= 1 << bit;
        prop_assert!(accept(&parts, &other, &secret).is_err());
        let longer = secret.clone() + "x";
        prop_assert!(accept(&parts, &body, &longer).is_err());
        if let Some(changed) = flipped(&parts, name, at, bit) {
            // The access key's id isn't signed: another id is somebody else's secret. Blanks between fields mean nothing.
            let same = accept(&changed, &body, &secret).is_ok_and(|claim| claim.access_key() == KEY);
            let texts = (changed.headers.get(name).unwrap(), parts.headers.get(name).unwrap());
            prop_assert!(!same || blanks_only(texts.0.as_bytes(), texts.1.as_bytes()), "{:?}", changed.headers);
        }
    }
}

/// Whether two texts differ only in what parts the fields of a header.
fn blanks_only(one: &[u8], other: &[u8]) -> bool {
    let parting = |b: &u8| b", \t".contains(b);
    one.iter().zip(other).all(|(a, b)| a == b || (parting(a) && parting(b)))
}

#[test]
fn a_clock_is_off_by_five_minutes_at_most() {
    let at = |at| accept(&signed("s", &[], b"{}", at), b"{}", "s").map(drop);
    assert_eq!(at(NOW - 300_000), Ok(()));
    assert_eq!(at(NOW + 300_000), Ok(()));
    let refused = |skew| match at(NOW + skew) {
        Err(SignatureError::Invalid(text)) => text,
        other => panic!("{other:?}"),
    };
    insta::assert_snapshot!(refused(-301_000), @"Signature expired: 20261118T110139Z is now earlier than 20261118T110140Z (20261118T110640Z - 5 min.)");
    insta::assert_snapshot!(refused(301_000), @"Signature not yet current: 20261118T111141Z is still later than 20261118T111140Z (20261118T110640Z + 5 min.)");
}

#[test]
fn a_removed_or_doubled_signed_header_breaks_the_signature() {
    let parts = signed("s", &[("x-amz-user-agent", "a")], b"", NOW);
    let mut removed = parts.clone();
    removed.headers.remove("x-amz-user-agent");
    assert!(matches!(accept(&removed, b"", "s"), Err(SignatureError::Invalid(_))));
    let mut doubled = parts;
    doubled.headers.append("x-amz-user-agent", http::HeaderValue::from_static("a"));
    assert!(matches!(accept(&doubled, b"", "s"), Err(SignatureError::Invalid(_))));
}

#[test]
fn an_operation_outside_the_signature_is_refused() {
    let mut parts = signed("s", &[], b"{}", NOW);
    parts.headers.insert("x-amz-target", http::HeaderValue::from_static("AwsProton20200720.DeleteService"));
    assert!(matches!(accept(&parts, b"{}", "s"), Err(SignatureError::Invalid(text)) if text.contains("X-Amz-Target")));
}
