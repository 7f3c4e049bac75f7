//! Proton's client against an endpoint that understands our headers, and one that doesn't.

use std::time::Duration;

use hadron::domain::{Output, Target};
use hadron::proton::{Action, Lease, Poll, Proton, ProtonError, Report};
use hadron::support::{AwsAccess, Secret};
use hadron_model::DeploymentStatus;
use tokio::io::AsyncReadExt;

use crate::far_end::proton::{Deployment, Proton as FarProton, Running, SCOPE, start, start_with};

async fn client(far: &Running) -> Proton {
    Proton::new(&AwsAccess {
        endpoint: Some(far.url.clone()),
        region: Some("us-east-1".into()),
        credentials: Some(("AKIDHADRON".into(), Secret::new("secret"))),
        trust: None,
    })
    .await
}

async fn claim(proton: &Proton, agent: &str) -> Result<(Lease, DeploymentStatus), ProtonError> {
    proton.claim(agent, "d1", &format!("{SCOPE}:environment/dev")).await
}

#[tokio::test]
async fn a_poll_is_offered_what_this_agent_may_claim() {
    let far = start().await;
    far.add("d1", Deployment::of_environment("dev"));
    far.add("d2", Deployment { holder: Some("other".into()), ..Deployment::of_environment("prod") });
    let Poll::Offered { pending: offered, .. } =
        client(&far).await.poll("me", Duration::from_secs(7), 3).await.unwrap()
    else {
        panic!("the endpoint understands our headers")
    };
    assert_eq!(offered.len(), 1);
    assert_eq!(offered[0].target, Target::Environment { name: "dev".into() });
    assert_eq!(offered[0].created_at, 1_795_000_000_500);
    let asked = &far.seen("ListDeployments")[0];
    assert_eq!((asked.header("x-hadron-agent"), asked.header("x-hadron-wait")), (Some("me"), Some("7")));
    let signed = asked.header("authorization").unwrap();
    assert!(signed.contains("x-amz-target") && !signed.contains("x-hadron-"), "a proxy may drop our headers: {signed}");
}

#[tokio::test]
async fn a_stock_endpoint_shows_everything_in_progress() {
    let far = start_with(FarProton { stock: true, ..FarProton::default() }).await;
    far.add("d1", Deployment::of_environment("dev"));
    far.add("d2", Deployment { status: "SUCCEEDED".into(), ..Deployment::of_environment("old") });
    let poll = client(&far).await.poll("me", Duration::from_secs(1), 1).await.unwrap();
    assert!(matches!(&poll, Poll::Everything(all) if all.len() == 1 && all[0].id == "d1"), "{poll:?}");
}

#[tokio::test]
async fn a_claim_reads_the_lease_and_a_second_agent_learns_who_holds_it() {
    let far = start().await;
    far.add("d1", Deployment::of_environment("dev"));
    far.far.claim_headers.lock().unwrap().push(("x-hadron-state", "http://state/dev".into()));
    let proton = client(&far).await;
    let (lease, status) = claim(&proton, "me").await.unwrap();
    assert_eq!((lease.epoch, lease.seconds, lease.attempt), (Some(1), Some(30), 1));
    assert_eq!((lease.state.as_deref(), status), (Some("http://state/dev"), DeploymentStatus::InProgress));
    assert_eq!(claim(&proton, "me").await.unwrap().0, lease, "a lost answer is harmless");
    let error = claim(&proton, "other").await.unwrap_err();
    assert!(matches!(&error, ProtonError::Conflict { message } if message == "held by me"), "{error:?}");
}

#[tokio::test]
async fn a_heartbeat_learns_of_a_cancel_and_of_a_lost_lease() {
    let far = start().await;
    far.add("d1", Deployment::of_environment("dev"));
    let proton = client(&far).await;
    let (lease, _) = claim(&proton, "me").await.unwrap();
    far.change("d1", |d| d.status = "CANCELLING".into());
    assert_eq!(proton.heartbeat(&lease, None).await.unwrap(), DeploymentStatus::Cancelling);
    far.change("d1", |d| d.epoch += 1);
    assert!(matches!(proton.heartbeat(&lease, None).await, Err(ProtonError::Conflict { .. })));
}

#[tokio::test]
async fn a_stock_endpoint_is_asked_where_the_deployment_stands() {
    let far = start_with(FarProton { stock: true, ..FarProton::default() }).await;
    far.add("d1", Deployment::of_environment("dev"));
    let proton = client(&far).await;
    let (lease, status) = claim(&proton, "me").await.unwrap();
    assert_eq!((lease.is_fenced(), status), (false, DeploymentStatus::InProgress));
    far.change("d1", |d| d.status = "CANCELLING".into());
    assert_eq!(proton.heartbeat(&lease, None).await.unwrap(), DeploymentStatus::Cancelling);
}

#[tokio::test]
async fn a_success_carries_outputs_and_says_which_are_sensitive() {
    let far = start().await;
    far.add("d1", Deployment::of_environment("dev"));
    let proton = client(&far).await;
    let (lease, _) = claim(&proton, "me").await.unwrap();
    let output = |key: &str, sensitive| Output { key: key.into(), text: "v".into(), sensitive };
    let outputs = vec![output("vpc", false), output("password", true)];
    proton.report(&lease, &Report::Succeeded { outputs, message: None }).await.unwrap();
    let done = far.deployment("d1");
    assert_eq!((done.status.as_str(), done.sensitive.as_deref()), ("SUCCEEDED", Some("1")));
    assert_eq!(done.outputs, [("vpc".into(), "v".into()), ("password".into(), "v".into())]);
}

#[tokio::test]
async fn a_deployment_tells_its_template_and_its_work() {
    let far = start().await;
    let deployment = Deployment::of_environment("dev")
        .tagged("hadron:bundle", "s3://b/bundles/sha256/1")
        .tagged("hadron:inputs", "s3://b/inputs/sha256/2")
        .tagged("hadron:action", "update")
        .tagged("team", "x");
    far.add("d1", deployment);
    let proton = client(&far).await;
    let told = proton.deployment("d1").await.unwrap();
    let template = told.rendered_state(false).unwrap().template.clone().unwrap();
    assert_eq!(template, ("net".into(), "1".into(), "0".into()));
    let work = proton.work(&told.arn).await.unwrap();
    assert_eq!((work.bundle.as_deref(), work.action), (Some("s3://b/bundles/sha256/1"), Some(Action::Update)));
}

#[tokio::test]
async fn a_refusal_keeps_code_and_message() {
    let far = start().await;
    let error = client(&far).await.deployment("none").await.unwrap_err();
    assert_eq!(error.to_string(), "Proton doesn't know it: none");
    let away =
        AwsAccess { endpoint: Some("http://127.0.0.1:9".into()), region: Some("r".into()), ..AwsAccess::default() };
    let away = AwsAccess { credentials: Some(("A".into(), Secret::new("s"))), ..away };
    let error = Proton::new(&away).await.deployment("d1").await.unwrap_err();
    assert!(matches!(error, ProtonError::Unreachable { .. }), "{error:?}");
}

/// What a server does that is killed between a request and its answer.
#[tokio::test]
async fn an_endpoint_that_hangs_up_without_a_word_is_away_and_asked_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Some(format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move {
        loop {
            let (mut asked, _) = listener.accept().await.unwrap();
            assert!(asked.read(&mut [0; 4096]).await.unwrap() > 0);
        }
    });
    let credentials = Some(("A".into(), Secret::new("s")));
    let access = AwsAccess { endpoint, region: Some("r".into()), credentials, ..AwsAccess::default() };
    let error = Proton::new(&access).await.deployment("d1").await.unwrap_err();
    assert!(error.is_passing(), "{error:?}");
}
