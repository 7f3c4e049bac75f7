//! A control plane behind a road, an emulated AWS behind another, a user and the real command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::client::{Client, environment_bundle};
use crate::host::{clock_env, pid, step_clock};
use crate::plan::Setting;
use crate::road::{Call, Road, Traffic};
use crate::support::plane::{Plane, Start, binary, free_port};
use crate::support::postgres::{Fsync, PostgresServer};
use crate::support::process::{command, search_path};
use crate::support::tools::Tools;
use crate::templates::{DATA, QUEUES};

/// Seconds. Long enough for a busy machine, short enough for a test.
pub(crate) const LEASE: u64 = 3;

/// Longer than any recovery takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

/// One lane's world. A round at a time happens in it.
pub(crate) struct World {
    pub(crate) tools: &'static Tools,
    pub(crate) setting: Setting,
    pub(crate) plane: Plane,
    /// From agents and Terraform to the control plane.
    pub(crate) road: Road,
    /// From the AWS provider to the emulated AWS.
    pub(crate) aws: Road,
    pub(crate) key: (String, String),
    /// Of agents whose plans people approve.
    pub(crate) robot: (String, String),
    /// The user, who takes the direct way.
    pub(crate) user: Client,
    /// Where the control plane is, for the command line.
    pub(crate) direct: String,
    clock: tempfile::TempDir,
    postgres: Option<PostgresServer>,
    http: aws_http::Http,
}

/// The bucket of Terraform's state, in the emulated AWS.
const STATES: &str = "states";

impl World {
    pub(crate) async fn new(moto: &str, setting: Setting) -> Self {
        let tools = Tools::get();
        let port = free_port();
        let road = Road::to(format!("127.0.0.1:{port}"), false).await;
        let emulated = moto.trim_start_matches("http://").to_owned();
        let aws = Road::to(emulated.clone(), true).await;
        let clock = tempfile::tempdir().unwrap();
        step_clock(clock.path(), 0);
        let mut env = clock_env(&clock.path().join("clock"));
        env.insert("LD_PRELOAD".into(), clock_library(tools).display().to_string());
        let mut settings = format!("lease_seconds = {LEASE}\nbase_url = {:?}\n", road.url());
        let postgres = (setting == Setting::Postgres).then(|| PostgresServer::start(Fsync::Off));
        let objects = || clock.path().join("objects").display().to_string();
        let database = |it: &PostgresServer| ["--database".into(), it.database(), "--objects".into(), objects()];
        let flags = postgres.iter().flat_map(database).collect();
        if setting == Setting::Bucket {
            settings.push_str("[state]\nbackend = \"s3\"\n");
        }
        let plane = Plane::serve(Start { settings, flags, env, port, ..Start::default() });
        let exported = plane.exported();
        let key = (exported["AWS_ACCESS_KEY_ID"].clone(), exported["AWS_SECRET_ACCESS_KEY"].clone());
        let direct = format!("http://127.0.0.1:{port}");
        let user = Client::at(&direct, &key, (&direct, &key)).await;
        user.environment_template("data", environment_bundle(&["folder", "word"], DATA)).await;
        let inputs = ["prefix", "endpoint", "more", "generation"];
        user.environment_template("queues", environment_bundle(&inputs, QUEUES)).await;
        let http = aws_http::Http::new(emulated);
        if setting == Setting::Bucket {
            http.make_bucket(STATES).await;
        }
        let robot = (String::new(), String::new());
        let mut world = Self { tools, setting, plane, road, aws, key, robot, user, direct, clock, postgres, http };
        world.robot = world.key_for_agents();
        world
    }

    /// Who works isn't who decides.
    fn key_for_agents(&self) -> (String, String) {
        let made = self.hadron(self.clock.path(), &["key", "create", "robot", "--role", "agent", "--output", "json"]);
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{}", made.stderr)).to_owned();
        let key = made.json();
        (text(&key["key"]["id"]), text(&key["secret"]))
    }

    /// Where calls of a kind pass.
    pub(crate) fn traffic(&self, call: Call) -> &Arc<Traffic> {
        let in_bucket = self.setting == Setting::Bucket && call.is_of_the_state();
        if in_bucket || matches!(call, Call::Create | Call::Delete) { &self.aws.traffic } else { &self.road.traffic }
    }

    /// What agents are told of where the state lies, and the key that opens it.
    pub(crate) fn state_settings(&self) -> (String, BTreeMap<String, String>) {
        if self.setting != Setting::Bucket {
            return (String::new(), BTreeMap::new());
        }
        let place = self.aws.url();
        let settings = format!("[state]\nbackend = \"s3\"\nbucket = \"{STATES}\"\nendpoint = {place:?}\n");
        (settings, MOTOS_KEY.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    /// An environment's state, and its lock if there is one: as the server tells them, or as they lie in the bucket.
    pub(crate) async fn state(&self, folder: &Path, environment: &str) -> (Value, Option<String>) {
        if self.setting == Setting::Bucket {
            let state = self.http.object(&format!("/{STATES}/{environment}/terraform.tfstate")).await;
            let lock = self.http.object(&format!("/{STATES}/{environment}/terraform.tfstate.tflock")).await;
            return (serde_json::from_str(&state.unwrap_or_default()).unwrap_or_default(), lock);
        }
        let target = format!("environment/{environment}");
        let shown = self.hadron(folder, &["state", "show", &target, "--output", "json"]).json();
        let lock = Some(&shown["lock"]).filter(|lock| !lock.is_null()).map(ToString::to_string);
        (self.hadron(folder, &["state", "pull", &target]).json(), lock)
    }

    /// `PostgreSQL` crashes and comes back after a while; false where there is none.
    pub(crate) async fn crash_postgres(&self, away: Duration) -> bool {
        let Some(postgres) = &self.postgres else { return false };
        tokio::task::block_in_place(|| postgres.stop());
        tokio::time::sleep(away).await;
        tokio::task::block_in_place(|| postgres.start_again());
        true
    }

    /// Somebody who approves every plan, until it is dropped.
    pub(crate) fn approver(&self, folder: &Path) -> Approver {
        Approver::start(self.command_line(folder), folder.to_owned())
    }

    /// The real command line, with the key of people.
    pub(crate) fn hadron(&self, folder: &Path, arguments: &[&str]) -> Answer {
        answer(command(binary(), &self.command_line(folder)).current_dir(folder).args(arguments))
    }

    /// A line as it was printed, typed into a shell.
    pub(crate) fn shell(&self, folder: &Path, line: &str) -> Answer {
        let mut env = self.command_line(folder);
        let path = [binary().parent().unwrap().as_os_str(), &search_path()].map(|it| it.to_string_lossy().into_owned());
        env.insert("PATH".into(), path.join(":"));
        answer(command(Path::new("sh"), &env).current_dir(folder).args(["-c", line]))
    }

    fn command_line(&self, folder: &Path) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("HADRON_ENDPOINT".to_owned(), self.direct.clone()),
            ("HADRON_ACCESS_KEY_ID".to_owned(), self.key.0.clone()),
            ("HADRON_SECRET_ACCESS_KEY".to_owned(), self.key.1.clone()),
            ("HOME".to_owned(), folder.display().to_string()),
        ])
        .into_iter()
        .chain(self.state_settings().1)
        .collect()
    }

    /// What the emulated AWS holds whose name begins so: queues by their URL, log groups by their name.
    pub(crate) async fn objects(&self, prefix: &str) -> Vec<String> {
        self.http.objects(prefix).await
    }

    /// Steps the control plane's clock.
    pub(crate) fn step_clock(&self, seconds: i64) {
        step_clock(self.clock.path(), seconds);
    }

    /// No file of the control plane may be longer than this.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        crate::host::limit_files(pid(self.plane.process_id()), bytes);
    }
}

/// What opens the emulated AWS, which checks nothing.
const MOTOS_KEY: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_EC2_METADATA_DISABLED", "true")];

/// A person at a command line, who looks twice a second whether a plan awaits approval.
pub(crate) struct Approver {
    over: Arc<AtomicBool>,
    person: Option<JoinHandle<()>>,
}

impl Approver {
    fn start(env: BTreeMap<String, String>, folder: PathBuf) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let leaves = Arc::clone(&over);
        let run = move |arguments: &[&str]| answer(command(binary(), &env).current_dir(&folder).args(arguments));
        let person = thread::spawn(move || {
            while !leaves.load(Ordering::Relaxed) {
                let found = run(&["runs", "--status", "AWAITING_APPROVAL", "--output", "json"]).json();
                for it in found.as_array().into_iter().flatten() {
                    let [id, plan] = ["deploymentId", "planDigest"].map(|name| it[name].as_str().unwrap_or_default());
                    // What is refused is asked for again, if it is still to be decided on.
                    run(&["approve", id, "--plan", plan]);
                }
                thread::sleep(Duration::from_millis(500));
            }
        });
        Self { over, person: Some(person) }
    }
}

impl Drop for Approver {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        drop(self.person.take().map(JoinHandle::join));
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) succeeded: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_default()
    }
}

fn answer(command: &mut std::process::Command) -> Answer {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Answer { succeeded: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// The library that steps a process's clock.
pub(crate) fn clock_library(tools: &Tools) -> PathBuf {
    let lib = tools.bin().with_file_name("lib");
    let site = std::fs::read_dir(lib).unwrap().flatten().map(|entry| entry.path().join("site-packages"));
    let file = "libfaketime/vendor/libfaketime/src/libfaketime.so.1";
    site.map(|site| site.join(file)).find(|file| file.exists()).expect("libfaketime is installed")
}

mod aws_http {
    //! Reads from the emulated AWS without a trap in between. It checks no signatures.

    use bytes::Bytes;
    use http::Request;
    use http_body_util::{BodyExt, Full};
    use hyper_util::client::legacy::Client;
    use hyper_util::client::legacy::connect::HttpConnector;
    use hyper_util::rt::TokioExecutor;
    use regex::Regex;

    pub(super) struct Http {
        place: String,
        client: Client<HttpConnector, Full<Bytes>>,
    }

    impl Http {
        pub(super) fn new(place: String) -> Self {
            Self { place, client: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http() }
        }

        pub(super) async fn objects(&self, prefix: &str) -> Vec<String> {
            let form = format!("Action=ListQueues&Version=2012-11-05&QueueNamePrefix={prefix}");
            let queues = self.ask("sqs", "application/x-www-form-urlencoded", None, form).await;
            let urls = Regex::new("<QueueUrl>([^<]+)</QueueUrl>").unwrap();
            let mut found: Vec<String> = urls.captures_iter(&queues).map(|it| it[1].to_owned()).collect();
            let target = Some("Logs_20140328.DescribeLogGroups");
            let body = format!("{{\"logGroupNamePrefix\":\"{prefix}\"}}");
            let groups = self.ask("logs", "application/x-amz-json-1.1", target, body).await;
            let groups: serde_json::Value = serde_json::from_str(&groups).unwrap();
            let names = groups["logGroups"].as_array().into_iter().flatten();
            found.extend(names.map(|group| group["logGroupName"].as_str().unwrap().to_owned()));
            found.sort();
            found
        }

        pub(super) async fn make_bucket(&self, name: &str) {
            self.s3(http::Method::PUT, &format!("/{name}")).await;
        }

        /// An object's text, if it is there.
        pub(super) async fn object(&self, path: &str) -> Option<String> {
            let (status, text) = self.s3(http::Method::GET, path).await;
            status.is_success().then_some(text)
        }

        async fn s3(&self, method: http::Method, path: &str) -> (http::StatusCode, String) {
            let credential = "Credential=test/20260101/us-east-1/s3/aws4_request";
            let request = Request::builder()
                .method(method)
                .uri(format!("http://{}{path}", self.place))
                .header("authorization", format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"));
            let answer = self.client.request(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
            let status = answer.status();
            let bytes = answer.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8_lossy(&bytes).into_owned())
        }

        async fn ask(&self, service: &str, kind: &str, target: Option<&str>, body: String) -> String {
            let credential = format!("Credential=test/20260101/us-east-1/{service}/aws4_request");
            let signature = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0");
            let mut request = Request::post(format!("http://{}/", self.place))
                .header("authorization", signature)
                .header("content-type", kind);
            if let Some(target) = target {
                request = request.header("x-amz-target", target);
            }
            let answer = self.client.request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
            let bytes = answer.into_body().collect().await.unwrap().to_bytes();
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }
}
