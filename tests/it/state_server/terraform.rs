//! A real Terraform whose state lies in the state server.

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use hadron::control_plane::{Plane, state_server};

use super::bench::{Bench, Run};

const CONFIG: &str = r#"
terraform {
  backend "http" {}
}
resource "terraform_data" "one" {
  input = "geheim"
}
output "it" {
  value = terraform_data.one.output
}
"#;

async fn serve() -> Bench {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bench = Bench::at(&format!("http://{}", listener.local_addr().unwrap())).await;
    let answer =
        |State(plane): State<Plane>, request: Request<Body>| async move { state_server::handle(&plane, request).await };
    let router = Router::new().fallback(answer).with_state(bench.plane.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    bench
}

/// Runs terraform and returns whether it succeeded, and all it said.
async fn terraform(folder: &Path, run: &Run, arguments: &[&str]) -> (bool, String) {
    let variables = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", folder.to_str().unwrap()),
        ("TF_CLI_CONFIG_FILE", "/dev/null"),
        ("CHECKPOINT_DISABLE", "1"),
        ("TF_IN_AUTOMATION", "1"),
        ("TF_INPUT", "0"),
        ("TF_HTTP_ADDRESS", &run.url),
        ("TF_HTTP_LOCK_ADDRESS", &run.url),
        ("TF_HTTP_UNLOCK_ADDRESS", &run.url),
        ("TF_HTTP_USERNAME", &run.username),
        ("TF_HTTP_PASSWORD", &run.password),
    ];
    let command = duct::cmd("terraform", arguments).dir(folder).full_env(variables);
    let command = command.stdin_null().stderr_to_stdout().stdout_capture().unchecked();
    let output = tokio::task::spawn_blocking(move || command.run()).await.unwrap().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_applies_is_kept_out_by_a_lock_breaks_its_own_and_destroys() {
    let bench = serve().await;
    let run = bench.first();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.tf"), CONFIG).unwrap();
    let terraform = async |arguments: &[&str]| terraform(folder.path(), &run, arguments).await;

    let (done, said) = terraform(&["init", "-no-color"]).await;
    assert!(done, "{said}");
    let (done, said) = terraform(&["apply", "-auto-approve", "-no-color"]).await;
    assert!(done, "{said}");
    assert!(said.contains("it = \"geheim\""), "{said}");
    let state = run.get().await;
    assert!(state.0 == 200 && state.1.contains("geheim"), "{state:?}");

    assert_eq!(run.lock("held-by-the-test").await.0, 200);
    let (done, said) = terraform(&["apply", "-auto-approve", "-no-color"]).await;
    assert!(!done && said.contains("already locked: ID=held-by-the-test"), "{said}");
    let (done, said) = terraform(&["force-unlock", "-force", "held-by-the-test"]).await;
    assert!(done, "{said}");

    let (done, said) = terraform(&["destroy", "-auto-approve", "-no-color"]).await;
    assert!(done, "{said}");
    bench.lose_lease();
    let (done, said) = terraform(&["apply", "-auto-approve", "-no-color"]).await;
    assert!(!done && said.contains("the lease has run out"), "{said}");
}
