//! STS GetCallerIdentity on the same port.

use super::bench::{ACCOUNT, ADMIN, Bench, Raw, Signer, Time};

const STS: Signer<'static> = Signer { service: "sts", ..ADMIN };

fn query(bench: &Bench, form: &str) -> Raw {
    let headers = vec![
        ("host".to_owned(), bench.host.clone()),
        ("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned()),
    ];
    Raw { method: "POST".into(), headers, body: form.as_bytes().to_vec() }
}

#[tokio::test]
async fn the_caller_learns_who_it_is() {
    let bench = Bench::start(Time::Still).await;
    let answer = query(&bench, "Action=GetCallerIdentity&Version=2011-06-15").signed(STS).send(&bench).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/xml")));
    assert!(answer.body.contains(&format!("<Account>{ACCOUNT}</Account>")), "{}", answer.body);
    assert!(answer.body.contains(&format!("<Arn>arn:aws:iam::{ACCOUNT}:user/admin</Arn>")), "{}", answer.body);
}

#[tokio::test]
async fn sts_has_its_own_names_for_a_signature_that_fails() {
    let bench = Bench::start(Time::Still).await;
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    for (raw, status, code) in [
        (query(&bench, form).signed(Signer { secret: "guess", ..STS }), 403, "SignatureDoesNotMatch"),
        (query(&bench, form).signed(Signer { key: "AKIANOBODY", ..STS }), 403, "InvalidClientTokenId"),
        (query(&bench, form), 403, "MissingAuthenticationToken"),
        (query(&bench, "Action=AssumeRole&Version=2011-06-15").signed(STS), 400, "InvalidAction"),
    ] {
        let answer = raw.send(&bench).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains(&format!("<Code>{code}</Code>")), "{}", answer.body);
    }
}
