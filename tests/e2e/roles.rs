//! Keys of every role, in the hands of the real AWS CLI and of a real agent.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::time::Duration;

use hadron::control_plane::records::AccessKey;
use hadron::control_plane::store::{Sqlite, Store, StoreError, Transaction, Typed};
use hadron::support::Secret;
use hadron_model::hadron::Role;

use crate::client::{Client, environment_bundle, eventually};
use crate::support::plane::{Plane, Start, agent, free_port};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

const MAIN: &str = "output \"Name\" {\n  value = var.environment.name\n}\n";

/// The keys of this test: id, role, groups, environments. Each one's secret is its id.
const KEYS: &[(&str, Role, &[&str], &[&str])] = &[
    ("AKIADEVELOPERPAYMENT", Role::Developer, &["payments"], &[]),
    ("AKIAAGENTOFDEVALONE0", Role::Agent, &[], &["dev"]),
    ("AKIAREADONLYREADONLY", Role::ReadOnly, &[], &[]),
    ("AKIAREVOKEDREVOKED00", Role::Admin, &[], &[]),
];

fn add_keys(tx: &mut dyn Transaction) -> Result<(), StoreError> {
    for (id, role, groups, environments) in KEYS {
        let mut key = AccessKey::new(id, Secret::new(*id), "123456789012", role.as_str(), *role, 0);
        key.groups = groups.iter().map(ToString::to_string).collect();
        key.environments = environments.iter().map(ToString::to_string).collect();
        key.revoked_at = id.contains("REVOKED").then_some(1);
        tx.add(&AccessKey::scope(), &key)?;
    }
    Ok(())
}

/// A plane whose record has these keys.
async fn plane() -> Plane {
    let mut plane = Plane::serve(Start { port: free_port(), ..Start::default() });
    plane.process().terminate(Duration::from_secs(30));
    let store = loop {
        match Sqlite::open(&plane.data().join("hadron.db")) {
            Ok(sqlite) => break Store::new(sqlite),
            Err(StoreError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    };
    store.write(add_keys).await.unwrap();
    drop(store);
    plane.restart();
    plane
}

/// A shell with a key of [`KEYS`].
fn shell(plane: &Plane, n: usize) -> Shell {
    let mut env = plane.exported().clone();
    env.insert("AWS_ACCESS_KEY_ID".into(), KEYS[n].0.into());
    env.insert("AWS_SECRET_ACCESS_KEY".into(), KEYS[n].0.into());
    Shell::new(Tools::get(), &env)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_role_does_its_work_and_no_more() {
    let plane = plane().await;
    let admin = Client::of(&plane).await;
    admin.environment_template("net", environment_bundle(&["note"], MAIN)).await;
    admin.create_environment("dev", "net", "note: a").await;
    admin.create_environment("prod", "net", "note: a").await;

    a_developer(&shell(&plane, 0));
    a_reader(&shell(&plane, 2));
    let revoked = shell(&plane, 3);
    revoked.run("aws proton list-services").failed(255, &["UnrecognizedClientException"]);
    revoked.run("aws s3 ls").failed(255, &["InvalidAccessKeyId"]);

    an_agent(&plane, &admin).await;
}

fn a_developer(shell: &Shell) {
    shell.ok("aws proton list-environments");
    let create = "aws proton create-service --name pay --template-name web --template-major-version 1 --spec '{}'";
    shell.run(create).failed(
        255,
        &[
            "(AccessDeniedException)",
            "User: arn:aws:iam::123456789012:user/developer is not authorized to perform: proton:CreateService on \
             resource: arn:aws:proton:us-east-1:123456789012:service/pay with an explicit deny in a policy: \
             developer-owner",
        ],
    );
    // Permitted, it fails for another reason.
    let owned = format!("{create} --tags key=owner,value=payments");
    shell.run(&owned).failed(255, &["(ResourceNotFoundException)"]);
    let other = format!("{create} --tags key=owner,value=sales");
    shell.run(&other).failed(255, &["(AccessDeniedException)"]);
    let denied = ["(AccessDeniedException)", "because no policy allows it"];
    shell.run("aws proton delete-environment --name dev").failed(255, &denied);
    shell.run("aws proton delete-environment --name away").failed(255, &denied);
    shell.ok("aws s3 mb s3://archives && echo text > a && aws s3 cp a s3://archives/a && aws s3 ls s3://archives");
    shell.run("aws s3 cp a s3://hadron/bundles/a").failed(1, &["AccessDenied", "s3:PutObject"]);
}

fn a_reader(shell: &Shell) {
    shell.ok("aws proton get-environment --name dev && aws proton get-resources-summary && aws s3 ls");
    shell.run("aws proton update-account-settings").failed(255, &["AccessDeniedException"]);
    shell.run("aws s3 cp s3://archives/a -").failed(1, &["403"]);
    shell.run("aws s3 ls s3://hadron").failed(255, &["AccessDenied", "s3:ListBucket"]);
}

async fn an_agent(plane: &Plane, admin: &Client) {
    let id = KEYS[1].0.to_owned();
    let env = BTreeMap::from([
        ("HADRON_ACCESS_KEY_ID".to_owned(), id.clone()),
        ("HADRON_SECRET_ACCESS_KEY".to_owned(), id.clone()),
    ]);
    let mut bound = agent(plane, "bound", &Start { env, ..Start::default() });
    admin.deployed("dev").await;
    assert_eq!(admin.outputs("dev").await["Name"], "dev");
    let runs = || async { admin.s3.list_objects_v2().bucket("hadron").prefix("runs/").send().await.unwrap() };
    eventually(async || runs().await.contents().iter().any(|it| it.key().unwrap().ends_with("/summary.json"))).await;
    // It has gone on to look for work meanwhile, and prod is none for it.
    assert_eq!(admin.environment("prod").await.0, aws_sdk_proton::types::DeploymentStatus::InProgress);
    bound.terminate(Duration::from_secs(30));
    assert!(!bound.stderr().contains("AccessDenied"), "{}", bound.stderr());

    let shell = shell(plane, 1);
    shell.run("aws proton list-services").failed(255, &["AccessDeniedException"]);
    let prod = admin.proton.list_deployments().environment_name("prod").send().await.unwrap().deployments;
    let notify = format!(
        "aws proton notify-resource-deployment-status-change --status SUCCEEDED --deployment-id {} --resource-arn {}",
        prod[0].id, prod[0].target_arn
    );
    shell.run(&notify).failed(255, &["environment/prod with an explicit deny in a policy: agent-environments"]);
    let elsewhere = format!("echo text > a && aws s3 cp a s3://hadron/runs/{}/1/log/0", prod[0].id);
    shell.run(&elsewhere).failed(1, &["AccessDenied", "s3:PutObject"]);
    shell.run("aws s3 ls s3://hadron/").failed(255, &["AccessDenied"]);
}
