//! PostgreSQL away: at the start, for good, and for some seconds in the middle.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::client::{Client, access, environment_bundle, spec};
use crate::support::plane::{Plane, Start, free_port, hadron};
use crate::support::postgres::{Fsync, PostgresServer, psql};
use crate::support::process::Running;

fn start(database: &str, objects: &TempDir) -> Start {
    let flags = ["--database", database, "--objects", objects.path().to_str().unwrap()].map(str::to_owned).to_vec();
    Start { flags, port: free_port(), ..Start::default() }
}

/// Runs a command to its end: its exit code, stdout and stderr.
fn run(verb: &str, flags: &[&str], folder: &TempDir) -> (Option<i32>, String, String) {
    let start = Start { flags: flags.iter().map(|flag| (*flag).to_owned()).collect(), ..Start::default() };
    let done = hadron(verb, &start, folder.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

#[test]
fn a_server_waits_for_a_database_that_starts_later() {
    let (server, objects) = (PostgresServer::start(Fsync::Off), TempDir::new().unwrap());
    let database = server.database();
    server.stop();
    std::thread::scope(|scope| {
        let later = scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(3));
            server.start_again();
        });
        let mut plane = Plane::serve(start(&database, &objects));
        let log = plane.process().stderr();
        assert!(log.contains("can't be reached") && log.contains("trying for 30s"), "{log}");
        later.join().unwrap();
    });
}

#[test]
fn a_database_that_never_comes_ends_the_start_with_a_remedy_and_without_the_password() {
    let (folder, objects) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let began = Instant::now();
    let start = start("postgres://me:geheim@127.0.0.1:1/record", &objects);
    let mut command = hadron("serve", &start, folder.path());
    command.args(["--listen", "127.0.0.1:0"]);
    let mut serve = Running::start(command, &folder.path().join("log"));
    let ended = serve.wait(Duration::from_mins(1)).expect("it gives up");
    let log = serve.stderr();
    assert_eq!(ended.code(), Some(3), "{log}");
    assert!(log.contains("hint: check that PostgreSQL runs") && log.contains("postgres://me:***@127.0.0.1:1/record"));
    assert!(!log.contains("geheim"), "{log}");
    assert!(began.elapsed() > Duration::from_secs(20), "it tried for a while");
}

#[test]
fn migrate_tells_and_brings_the_schema_up_to_date() {
    let (server, folder) = (PostgresServer::start(Fsync::Off), TempDir::new().unwrap());
    let postgres = server.database();
    let sqlite = format!("sqlite:{}", folder.path().join("some.db").display());
    for database in [postgres.as_str(), sqlite.as_str()] {
        let migrate = |flags: &[&str]| run("migrate", &[&["--database", database], flags].concat(), &folder);
        let (code, out, _) = migrate(&["--check"]);
        assert_eq!(code, Some(3), "{out}");
        assert!(out.contains("has schema 0, this hadron needs 1"), "{out}");
        let (code, out, err) = migrate(&[]);
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains("is migrated from schema 0 to 1"), "{out}");
        assert!(migrate(&[]).1.contains("has schema 1 and needs nothing"));
        let (code, out, _) = migrate(&["--check", "--output", "json"]);
        assert_eq!(code, Some(0));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap()["current"], true, "{out}");
    }
}

#[test]
fn a_shared_record_with_objects_of_its_own_folder_is_refused() {
    let folder = TempDir::new().unwrap();
    let flags = ["--database", "postgres://me:geheim@127.0.0.1:1/record", "--listen", "127.0.0.1:0"];
    let (code, _, err) = run("serve", &flags, &folder);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("--bucket s3://NAME") && err.contains("--objects DIR"), "{err}");
    let env = [("HADRON_DATABASE".to_owned(), flags[1].to_owned())].into();
    let told = hadron("settings", &Start { env, ..Start::default() }, folder.path()).output().unwrap();
    let out = String::from_utf8(told.stdout).unwrap();
    assert!(out.contains("postgres://me:***@127.0.0.1:1/record") && !out.contains("geheim"), "{out}");
}

async fn ready(plane: &Plane) -> u16 {
    let http = Http::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let address = format!("{}/readyz", plane.endpoint());
    http.get(address.parse().unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn while_the_database_is_away_requests_fail_so_that_clients_repeat_and_then_all_goes_on() {
    let server = block_in_place(|| PostgresServer::start(Fsync::On));
    let (database, objects) = (server.database(), TempDir::new().unwrap());
    let plane = block_in_place(|| Plane::serve(start(&database, &objects)));
    let user = Client::of(&plane).await;
    user.environment_template("held", environment_bundle(&["word"], "")).await;
    let exported = plane.exported();
    let key = (exported["AWS_ACCESS_KEY_ID"].clone(), exported["AWS_SECRET_ACCESS_KEY"].clone());
    let config = access(plane.endpoint(), &key).sdk_config().await;
    let with = |retries: RetryConfig| {
        aws_sdk_proton::Client::from_conf(aws_sdk_proton::config::Builder::from(&config).retry_config(retries).build())
    };
    let (once, patient) = (with(RetryConfig::disabled()), with(RetryConfig::standard().with_max_attempts(6)));
    // Many at a time, so that the stop meets some in the middle.
    let create = |name: String| {
        let create = once.create_environment().name(name).template_name("held").template_major_version("1");
        create.spec(spec("word: a")).send()
    };
    let under_way: Vec<_> = (0..40).map(|n| tokio::spawn(create(format!("e-{n}")))).collect();
    tokio::time::sleep(Duration::from_millis(60)).await;
    block_in_place(|| server.stop());

    assert_eq!(ready(&plane).await, 503);
    let began = Instant::now();
    let error = once.list_environments().send().await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 500);
    assert_eq!(error.code(), Some("InternalServerException"));
    assert!(error.message().unwrap().contains("The record is away for a moment; try again (request id "), "{error:?}");
    let repeated = tokio::spawn(patient.create_environment_template().name("patient").send());
    block_in_place(|| server.start_again());
    repeated.await.unwrap().expect("a client that repeats succeeds");

    let mut acknowledged = 0;
    for (n, answer) in under_way.into_iter().enumerate() {
        let (answered, name) = (answer.await.unwrap().is_ok(), format!("e-{n}"));
        let found = patient.get_environment().name(&name).send().await.ok().and_then(|got| got.environment);
        assert!(found.is_some() || !answered, "{name} is lost");
        acknowledged += usize::from(answered);
        if let Some(found) = found {
            let deployment = found.last_attempted_deployment_id.expect("an environment comes with its deployment");
            patient.get_deployment().id(deployment).send().await.expect("its deployment is there too");
        }
    }
    assert_eq!(ready(&plane).await, 200);
    assert!(acknowledged < 40, "the stop met nobody");
    let halves = "SELECT count(*) FROM records AS r WHERE NOT EXISTS (SELECT FROM terms AS t WHERE t.kind = r.kind
                  AND t.account = r.account AND t.region = r.region AND t.key = r.key)";
    assert_eq!(psql(&database, halves), "0");
    create("after".into()).await.expect("the same process goes on");
}
