//! One deployment through Hadron, side by side with the same Terraform work done bare and with the steps of AWS's sample
//! workflow. Prints ratios; `cargo bench --bench deploy [-- ROUNDS]`.
//!
//! - *hadron*: from `create-environment` until GetEnvironment says SUCCEEDED, by `hadron up`.
//! - *floor*: `terraform init`, `plan -out`, `apply` of the very files that Hadron rendered, with an http state server
//!   that keeps the state in memory: the cheapest remote state there can be.
//! - *workflow*: init, fmt, plan, apply, then as its second job init and output, and the AWS CLI's notify (`proton_run.yml`
//!   of aws-proton-terraform-github-actions-sample; checkout, set-up and jq are left out).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the floor is Terraform started bare")]
#![expect(deprecated, reason = "AWS marks the whole service as closed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_proton::types::{DeploymentStatus, S3ObjectSource, TemplateVersionSourceInput, TemplateVersionStatus};
use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use hadron::objects::{ObjectUri, Objects, ObjectsConfig};
use hadron::support::{AwsAccess, Secret};

#[expect(dead_code, reason = "a benchmark uses its own part")]
#[path = "../tests/support/mod.rs"]
mod support;

use support::plane::{Plane, Start};

fn main() {
    let rounds = std::env::args().filter_map(|argument| argument.parse().ok()).next_back().unwrap_or(7);
    tokio::runtime::Runtime::new().unwrap().block_on(bench(rounds));
}

async fn bench(rounds: usize) {
    let began = Instant::now();
    let plane = Plane::up(quiet());
    let first_answer = began.elapsed();
    let idle = resident(plane.process_id());
    println!("`up`: first answer {} ms after start, {idle:.1} MB resident idle\n", first_answer.as_millis());

    let hadron = Client::of(&plane).await;
    let serve = Plane::serve(quiet());
    let workflow = Client::of(&serve).await;
    let files = support::bundle::files(&support::examples().join("offline/environment"));
    for client in [&hadron, &workflow] {
        client.template("landing-zone", &support::bundle::tar_gz(&files)).await;
        client.template("nothing-sensitive", &support::bundle::tar_gz(&plain(files.clone()))).await;
        client.template("hundred", &support::bundle::tar_gz(&hundred(plain(files.clone())))).await;
    }
    let state = state_server().await;
    for template in ["landing-zone", "nothing-sensitive", "hundred"] {
        let mut times = [const { Vec::new() }; 3];
        for round in 0..=rounds {
            let name = format!("{template}-{round}");
            let ours = hadron.deploy(template, &name).await;
            let work = rendered(&plane, &name);
            let floor = bare(&work, &format!("{state}/{name}-floor"));
            let theirs = workflow.sample_workflow(&work, template, &name, &format!("{state}/{name}-workflow")).await;
            // The first round warms the disk's cache and isn't counted.
            if round > 0 {
                for (times, time) in times.iter_mut().zip([ours, floor, theirs]) {
                    times.push(time);
                }
            }
        }
        report(template, &times);
    }
}

fn report(template: &str, [ours, floor, workflow]: &[Vec<Duration>; 3]) {
    let pairs = |other: &[Duration], of: fn(f64, f64) -> f64| {
        median(ours.iter().zip(other).map(|(a, b)| of(a.as_secs_f64(), b.as_secs_f64())).collect())
    };
    let millis = |times: &[Duration]| median(times.iter().map(|time| time.as_secs_f64() * 1000.0).collect());
    println!("{template}, {} rounds, medians", ours.len());
    println!("  hadron   {:6.0} ms", millis(ours));
    println!("  floor    {:6.0} ms   hadron is {:.2} × floor", millis(floor), pairs(floor, |a, b| a / b));
    println!("  workflow {:6.0} ms   hadron is {:.2} × workflow", millis(workflow), pairs(workflow, |a, b| a / b));
    println!("  hadron minus floor, pair by pair: {:+.0} ms\n", pairs(floor, |a, b| (a - b) * 1000.0));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn quiet() -> Start {
    let env = BTreeMap::from([("HADRON_LOG".to_owned(), "warn".to_owned())]);
    Start { env, ..Start::default() }
}

/// The example without its sensitive output, whose value Terraform tells only through one process more.
fn plain(mut files: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    for (_, bytes) in files.iter_mut().filter(|(path, _)| path == "infrastructure/outputs.tf") {
        *bytes = String::from_utf8_lossy(bytes)
            .replace("  sensitive = true\n", "")
            .replace("value     =", "value =")
            .into_bytes();
    }
    files
}

/// The example with a hundred resources more.
fn hundred(mut files: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let resources = "resource \"terraform_data\" \"many\" {\n  count = 100\n  input = count.index\n}\n";
    files.push(("infrastructure/many.tf".into(), resources.into()));
    files
}

/// A user of one control plane.
struct Client {
    proton: aws_sdk_proton::Client,
    objects: Objects,
    env: BTreeMap<String, String>,
}

impl Client {
    async fn of(plane: &Plane) -> Self {
        let env = plane.exported().clone();
        let credentials = Some((env["AWS_ACCESS_KEY_ID"].clone(), Secret::new(&env["AWS_SECRET_ACCESS_KEY"])));
        let (endpoint, region) = (Some(plane.endpoint().to_owned()), env["AWS_REGION"].clone());
        let access = AwsAccess {
            endpoint: endpoint.clone(),
            region: Some(region.clone()),
            credentials: credentials.clone(),
            trust: None,
        };
        let proton = aws_sdk_proton::Client::new(&access.sdk_config().await);
        let objects =
            Objects::new(ObjectsConfig { endpoint, region, credentials, path_style: true, trust: None }).await;
        Self { proton, objects, env }
    }

    async fn template(&self, name: &str, bundle: &[u8]) {
        self.objects.create_bucket("templates").await.unwrap();
        let uri = ObjectUri::new("templates", name);
        self.objects.put(&uri, Bytes::copy_from_slice(bundle), "application/gzip").await.unwrap();
        self.proton.create_environment_template().name(name).send().await.unwrap();
        let object = S3ObjectSource::builder().bucket("templates").key(name).build().unwrap();
        let create = self.proton.create_environment_template_version().template_name(name);
        create.source(TemplateVersionSourceInput::S3(object)).send().await.unwrap();
        loop {
            let publish = self.proton.update_environment_template_version().template_name(name).major_version("1");
            if publish.minor_version("0").status(TemplateVersionStatus::Published).send().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn create(&self, template: &str, name: &str) -> String {
        let spec = fs::read_to_string(support::examples().join("offline/environment/spec.yaml")).unwrap();
        let create = self.proton.create_environment().name(name).template_name(template).template_major_version("1");
        let created = create.spec(spec).send().await.unwrap().environment.unwrap();
        created.last_attempted_deployment_id.unwrap()
    }

    async fn deploy(&self, template: &str, name: &str) -> Duration {
        let began = Instant::now();
        self.create(template, name).await;
        loop {
            let environment = self.proton.get_environment().name(name).send().await.unwrap().environment.unwrap();
            match environment.deployment_status {
                DeploymentStatus::Succeeded => return began.elapsed(),
                DeploymentStatus::InProgress => tokio::time::sleep(Duration::from_millis(3)).await,
                other => panic!("{other}: {:?}", environment.deployment_status_message),
            }
        }
    }

    /// Creating the environment is the user's; the workflow's time begins when its job does.
    async fn sample_workflow(&self, work: &Path, template: &str, name: &str, state: &str) -> Duration {
        let deployment = self.create(template, name).await;
        let arn = format!("arn:aws:proton:us-east-1:123456789012:environment/{name}");
        let folder = copy(work);
        let began = Instant::now();
        terraform(&folder, state, &["init", "-input=false"]);
        terraform(&folder, state, &["fmt", "-diff", "-check"]);
        terraform(&folder, state, &["plan", "-input=false"]);
        terraform(&folder, state, &["apply", "-auto-approve", "-input=false"]);
        terraform(&folder, state, &["init", "-input=false"]);
        terraform(&folder, state, &["output", "-json"]);
        let mut notify = Command::new(support::tools::Tools::get().bin().join("aws"));
        notify.args(["proton", "notify-resource-deployment-status-change", "--status", "SUCCEEDED"]);
        notify.args(["--resource-arn", &arn, "--deployment-id", &deployment]).envs(&self.env);
        let notified = notify.output().unwrap();
        assert!(notified.status.success(), "{}", String::from_utf8_lossy(&notified.stderr));
        began.elapsed()
    }
}

/// init, plan -out, apply: what any tool must do that lets a plan be looked at.
fn bare(work: &Path, state: &str) -> Duration {
    let folder = copy(work);
    let began = Instant::now();
    terraform(&folder, state, &["init", "-input=false"]);
    terraform(&folder, state, &["plan", "-out=plan", "-input=false"]);
    terraform(&folder, state, &["apply", "-input=false", "plan"]);
    began.elapsed()
}

fn terraform(folder: &Path, state: &str, arguments: &[&str]) {
    let mut command = Command::new("terraform");
    command.args(arguments).current_dir(folder).env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1");
    command.env("TF_CLI_CONFIG_FILE", "/dev/null");
    for variable in ["TF_HTTP_ADDRESS", "TF_HTTP_LOCK_ADDRESS", "TF_HTTP_UNLOCK_ADDRESS"] {
        command.env(variable, state);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "terraform {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The files that Hadron rendered for an environment.
fn rendered(plane: &Plane, environment: &str) -> PathBuf {
    let arn = format!("environment/{environment}\"");
    let is_its = |work: &PathBuf| {
        let metadata = fs::read_to_string(work.join(".proton/deployment-metadata.json"));
        metadata.is_ok_and(|text| text.contains(&arn))
    };
    let runs = fs::read_dir(plane.data().join("runs")).unwrap();
    runs.map(|run| run.unwrap().path().join("1/work")).find(is_its).unwrap()
}

/// The same files in a folder where nothing ran yet.
fn copy(work: &Path) -> PathBuf {
    let folder = tempfile::tempdir().unwrap().keep();
    for entry in fs::read_dir(work).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    // The same http backend, without our address in it.
    let backend = r#"{"terraform": {"backend": {"http": {}}}}"#;
    fs::write(folder.join("zzzz_hadron_backend_override.tf.json"), backend).unwrap();
    folder
}

/// Keeps every state in memory; answers at once.
async fn state_server() -> String {
    let states: Arc<Mutex<BTreeMap<String, Bytes>>> = Arc::default();
    let answer = move |method: Method, uri: axum::http::Uri, body: Bytes| {
        let states = Arc::clone(&states);
        async move {
            let mut states = states.lock().unwrap();
            match (method.as_str(), states.get(uri.path()).cloned()) {
                ("GET", Some(state)) => state.into_response(),
                ("GET", None) => StatusCode::NOT_FOUND.into_response(),
                ("POST", _) => {
                    states.insert(uri.path().into(), body);
                    StatusCode::OK.into_response()
                }
                _ => StatusCode::OK.into_response(),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    address
}

/// Resident memory in MB, once the process has come to rest.
fn resident(id: u32) -> f64 {
    std::thread::sleep(Duration::from_secs(2));
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
