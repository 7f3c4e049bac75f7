//! What is refused before any operation sees it, in AWS's order, names and words.

use super::bench::{ADMIN, Bench, NOW, Raw, Signer, Time};

/// A request and the error that it must get: type behind the prefix, a piece of the message.
type Case = (&'static str, Raw, &'static str, &'static str);

fn cases(bench: &Bench) -> Vec<Case> {
    let plain = || Raw::proton(bench, "GetAccountSettings", "{}");
    let good = || plain().signed(ADMIN);
    let authorization = |from: &str, to: &str| {
        let raw = good();
        let changed = raw.get("authorization").replacen(from, to, 1);
        assert_ne!(changed, raw.get("authorization"), "{from}");
        raw.set("authorization", &changed)
    };
    let signed_by = |signer: Signer<'_>| plain().signed(signer);
    let mut not_post = good();
    not_post.method = "PUT".into();
    let mut other_body = good();
    other_body.body = b"{ }".to_vec();
    vec![
        ("not POST", not_post, "UnknownOperationException", ""),
        ("content type", good().set("content-type", "text/plain"), "UnknownOperationException", ""),
        ("no JSON", Raw::proton(bench, "GetAccountSettings", "{").signed(ADMIN), "SerializationException", ""),
        ("no JSON goes before no target", Raw::proton(bench, "Nope", "{"), "SerializationException", ""),
        ("unknown operation", Raw::proton(bench, "Nope", "{}").signed(ADMIN), "UnknownOperationException", ""),
        ("no target", plain().without("x-amz-target"), "UnknownOperationException", ""),
        ("foreign target", good().set("x-amz-target", "DynamoDB_20120810.ListTables"), "UnknownOperationException", ""),
        ("unsigned", plain(), "MissingAuthenticationTokenException", "Request is missing Authentication Token"),
        ("Basic", plain().set("authorization", "Basic YTpi"), "MissingAuthenticationTokenException", ""),
        (
            "no Credential",
            authorization("Credential=", "X="),
            "IncompleteSignatureException",
            "requires 'Credential' parameter. ",
        ),
        (
            "no Signature",
            authorization("Signature=", "X="),
            "IncompleteSignatureException",
            "requires 'Signature' parameter. ",
        ),
        (
            "no date",
            good().without("x-amz-date"),
            "IncompleteSignatureException",
            "either a 'X-Amz-Date' or a 'Date' header. ",
        ),
        (
            "odd date",
            good().set("x-amz-date", "yesterday"),
            "IncompleteSignatureException",
            "'basic format'. Got 'yesterday'",
        ),
        (
            "expired",
            signed_by(Signer { at: NOW - 301_000, ..ADMIN }),
            "InvalidSignatureException",
            "Signature expired: ",
        ),
        (
            "early",
            signed_by(Signer { at: NOW + 301_000, ..ADMIN }),
            "InvalidSignatureException",
            "Signature not yet current: ",
        ),
        ("host unsigned", authorization("host;", ""), "InvalidSignatureException", "'Host' or ':authority' must be"),
        ("target unsigned", authorization(";x-amz-target", ""), "InvalidSignatureException", "'X-Amz-Target' must be"),
        (
            "algorithm",
            authorization("HMAC-SHA256", "HMAC-SHA1"),
            "IncompleteSignatureException",
            "Unsupported AWS 'algorithm'",
        ),
        (
            "credential",
            authorization("/us-east-1/", "/"),
            "IncompleteSignatureException",
            "exactly 5 slash-delimited elements",
        ),
        (
            "service",
            signed_by(Signer { service: "dynamodb", ..ADMIN }),
            "InvalidSignatureException",
            "correct service: 'proton'. ",
        ),
        (
            "region",
            authorization("/us-east-1/", "/us_east/"),
            "InvalidSignatureException",
            "valid region, not 'us_east'. ",
        ),
        (
            "terminator",
            authorization("aws4_request", "aws3_request"),
            "InvalidSignatureException",
            "'aws4_request', not 'aws3_request'. ",
        ),
        ("day", authorization("/20261118/", "/20261117/"), "InvalidSignatureException", "'20261117' != '20261118'"),
        (
            "scope goes before key",
            signed_by(Signer { key: "AKIANOBODY", service: "x", ..ADMIN }),
            "InvalidSignatureException",
            "correct service",
        ),
        (
            "unknown key",
            signed_by(Signer { key: "AKIANOBODY", ..ADMIN }),
            "UnrecognizedClientException",
            "security token included",
        ),
        (
            "wrong secret",
            signed_by(Signer { secret: "guess", ..ADMIN }),
            "InvalidSignatureException",
            "The Canonical String for",
        ),
        ("other body", other_body, "InvalidSignatureException", "does not match"),
        (
            "wrong type",
            Raw::proton(bench, "GetEnvironment", r#"{"name":7}"#).signed(ADMIN),
            "SerializationException",
            "'name' must be a string",
        ),
        (
            "constraint",
            Raw::proton(bench, "GetEnvironment", "{}").signed(ADMIN),
            "ValidationException",
            "Value null at 'name'",
        ),
    ]
}

#[tokio::test]
async fn every_wrong_request_gets_awss_own_error() {
    let bench = Bench::start(Time::Still).await;
    for (name, raw, expected, piece) in cases(&bench) {
        let answer = raw.send(&bench).await;
        let body = answer.json();
        let given = body["__type"].as_str().unwrap().rsplit('#').next().unwrap();
        assert_eq!((answer.status, given), (400, expected), "{name}: {body}");
        let message = body["message"].as_str().unwrap_or_default();
        assert!(message.contains(piece), "{name}: {message}");
        assert_eq!(answer.header("content-type"), Some("application/x-amz-json-1.0"), "{name}");
        assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36), "{name}");
        assert!(answer.header("date").is_some(), "{name}: clients set their clock by it");
    }
}

#[tokio::test]
async fn a_signed_request_passes_with_its_id_and_no_secret_in_a_refusal() {
    let bench = Bench::start(Time::Still).await;
    let good = Raw::proton(&bench, "GetAccountSettings", "{}").signed(ADMIN).send(&bench).await;
    assert_eq!((good.status, good.body.as_str()), (200, r#"{"accountSettings":{}}"#));
    assert_eq!(good.header("x-amzn-requestid").map(str::len), Some(36));
    bench.add_key("AKIAOTHER", "h1dden-s3cret", "210987654321").await;
    let wrong = Signer { key: "AKIAOTHER", secret: "guess", ..ADMIN };
    let refused = Raw::proton(&bench, "GetAccountSettings", "{}").signed(wrong).send(&bench).await;
    assert!(!refused.body.contains("h1dden-s3cret"));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let bench = Bench::start(Time::Still).await;
    let mut raw = Raw::proton(&bench, "GetAccountSettings", "{}").signed(ADMIN);
    raw.body = vec![b' '; (4 << 20) + 1];
    let answer = raw.send(&bench).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("RequestEntityTooLargeException"));
}

#[tokio::test]
async fn a_whole_state_is_read_from_a_known_key_only() {
    let bench = Bench::start(Time::Still).await;
    let mut raw = Raw::proton(&bench, "", "").set("x-amz-target", "Hadron20261122.PushState");
    raw.body = format!(r#"{{"targetArn":"arn:aws:s3:::x","body":"{}"}}"#, "x".repeat(4 << 20)).into();
    let known = Signer { service: "hadron", ..ADMIN };
    let answer = raw.clone().signed(known).send(&bench).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["__type"].as_str().unwrap().ends_with("ValidationException"), "{answer:?}");
    let unknown = Signer { key: "AKIANOBODY", ..known };
    assert_eq!(raw.signed(unknown).send(&bench).await.status, 413);
}

#[tokio::test]
async fn the_port_answers_health_page_and_unknown_places() {
    let bench = Bench::start(Time::Still).await;
    let mut get = Raw { method: "GET".into(), headers: vec![("host".into(), bench.host.clone())], body: Vec::new() };
    assert_eq!(get.send_to(&bench, "/healthz").await.body, "ok\n");
    assert_eq!(get.send_to(&bench, "/readyz").await.body, "ready\n");
    let page = get.send(&bench).await;
    assert!(page.header("content-type").unwrap().starts_with("text/html") && page.body.contains("Hadron"));
    assert_eq!(get.send_to(&bench, "/_hadron/state/x").await.status, 404);
    get.method = "LOCK".into();
    assert_eq!(get.send_to(&bench, "/_hadron/state/x").await.status, 404);
}
