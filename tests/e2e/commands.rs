//! Every command as a user meets it: what it prints where, how it ends, and what it leaves behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use hadron::proton::sdk::types::DeploymentStatus;
use serde_json::Value;
use tempfile::TempDir;

use crate::site::{PATIENCE, Site};
use crate::support::plane::{Plane, Start, binary, free_port, hadron};
use crate::support::process::{Running, command};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

/// How a command ended.
struct Told {
    code: i32,
    out: String,
    err: String,
}

fn told(mut command: Command) -> Told {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

fn start(flags: &[&str]) -> Start {
    Start { flags: flags.iter().map(|flag| (*flag).to_owned()).collect(), ..Start::default() }
}

/// A command beside a running plane: same settings and data, pointed at its address.
fn beside(plane: &Plane, verb: &str, flags: &[&str]) -> Command {
    let mut command = hadron(verb, &start(flags), plane.data().parent().unwrap());
    command.env("HADRON_ENDPOINT", plane.endpoint());
    command
}

/// Fails with the exit code of settings, says `words` on stderr and nothing on stdout.
fn refused(command: Command, words: &[&str]) {
    let told = told(command);
    assert_eq!((told.code, told.out.as_str()), (3, ""), "{}", told.err);
    assert!(told.err.contains("error: "), "{}", told.err);
    for word in words {
        assert!(told.err.contains(word), "no `{word}` in: {}", told.err);
    }
}

#[test]
fn up_prints_its_lines_in_one_write_and_serves_every_service_on_one_port() {
    let folder = TempDir::new().unwrap();
    // Without a Terraform: --no-agent needs none.
    let mut up = hadron("up", &start(&["--no-agent", "--listen", "127.0.0.1:0"]), folder.path());
    up.env("PATH", "/nonexistent").stdout(Stdio::piped());
    up.stderr(fs::File::create(folder.path().join("log")).unwrap());
    let mut up = up.spawn().unwrap();
    let mut buffer = [0; 4096];
    let count = up.stdout.as_mut().unwrap().read(&mut buffer).unwrap();
    let printed = String::from_utf8_lossy(&buffer[..count]).into_owned();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(printed.ends_with('\n') && lines.len() == 2, "one read brings both lines: {printed}");
    assert!(lines.iter().all(|line| line.starts_with("export AWS_")), "{printed}");

    let shell = Shell::new(Tools::get(), &BTreeMap::new());
    shell.file("export", &printed);
    let did = shell.ok("set -e
        . ./export
        aws s3 mb s3://my-proton-templates
        aws s3 cp --quiet export s3://my-proton-templates/v1.0/a
        aws s3 ls s3://my-proton-templates/v1.0/
        aws proton list-environments --query environments
        aws sts get-caller-identity --query Account");
    for words in ["make_bucket: my-proton-templates", " a\n", "[]", "\"123456789012\""] {
        assert!(did.contains(words), "no `{words}` in: {did}");
    }
    let status = shell.run(". ./export; aws s3 mb s3://healthz; aws s3 rb s3://hadron");
    assert!(status.stderr.contains("no bucket can have this name"), "{status:?}");
    assert!(status.stderr.contains("can't be deleted"), "{status:?}");

    rustix::process::kill_process(rustix::process::Pid::from_child(&up), rustix::process::Signal::TERM).unwrap();
    assert_eq!(up.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    up.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains("answered"), "requests that ended well are nobody's concern:\n{log}");
}

/// A template whose apply notes its beginning and its end in `notes` and does this between them, in a shell.
fn slow(notes: &Path, meanwhile: &str) -> String {
    let notes = notes.display();
    format!(
        r#"variable "owner" {{
  type    = string
  default = "nobody"
}}

resource "terraform_data" "slow" {{
  provisioner "local-exec" {{
    command = "echo began >> {notes}; echo halfway there; {meanwhile}; echo ended >> {notes}"
  }}
}}

output "Owner" {{
  value = "${{var.owner}} of ${{var.environment.name}}"
}}
"#
    )
}

/// Waits for a file, so that nothing ends before a busy machine has looked at it.
fn until_there(file: &Path) -> String {
    format!("until [ -e {} ]; do sleep 0.1; done", file.display())
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "{what} doesn't come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn lines(notes: &Path) -> Vec<String> {
    fs::read_to_string(notes).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// A plane with an environment whose apply is under way.
async fn under_way(notes: &Path, meanwhile: &str) -> (Plane, Site) {
    let settings = "[environments.dev.variables]\nowner = \"team \\\"a\\\"\"\nunheard_of = \"x\"\n";
    let plane = Plane::up(Start { settings: settings.into(), port: free_port(), ..Start::default() });
    let site = Site::of(&plane).await;
    site.environment_template("slow", &slow(notes, meanwhile)).await;
    site.begin_environment("dev", "slow", false).await;
    wait_until("the apply", || !lines(notes).is_empty());
    (plane, site)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signal_lets_terraform_finish_and_report() {
    let folder = TempDir::new().unwrap();
    let notes = folder.path().join("notes");
    let (mut plane, _) = under_way(&notes, "sleep 3").await;
    let ended = plane.process().terminate(PATIENCE);
    assert_eq!(ended.code(), Some(0));
    assert_eq!(lines(&notes), ["began", "ended"]);
    assert!(plane.process().stderr().contains("waiting for Terraform to finish"), "{}", plane.process().stderr());
    // Reported before the end: the next start finds it done.
    plane.restart();
    let status = told(beside(&plane, "status", &["--output", "json"]));
    let rows: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(rows[0]["status"], "SUCCEEDED", "{}", status.err);
    assert_eq!(lines(&notes), ["began", "ended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_signal_ends_at_once_and_the_next_start_takes_the_run_over() {
    let folder = TempDir::new().unwrap();
    let notes = folder.path().join("notes");
    let (mut plane, _) = under_way(&notes, "sleep 5").await;
    let pid = plane.process().id();
    let signal = || {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    };
    signal();
    assert_eq!(plane.process().wait(Duration::from_millis(800)), None, "it waits for Terraform");
    signal();
    assert_eq!(plane.process().wait(Duration::from_secs(3)).and_then(|status| status.code()), Some(130));
    assert_eq!(lines(&notes), ["began"], "Terraform goes on under its supervisor");
    plane.restart();
    let site = Site::of(&plane).await;
    let (status, message) = site.environment_settled("dev").await.unwrap();
    assert_eq!(status, DeploymentStatus::Succeeded, "{message}");
    assert_eq!(lines(&notes), ["began", "ended"], "it ran once");
}

/// How a command ended whose output was read to its first line, and what it said about that.
fn read_no_further(mut command: Command) -> (Option<i32>, String) {
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty());
    let ended = running.wait_with_output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_logs_follow_a_running_deployment_to_its_end() {
    let folder = TempDir::new().unwrap();
    let notes = folder.path().join("notes");
    let enough = folder.path().join("enough");
    let (plane, site) = under_way(&notes, &until_there(&enough)).await;
    let rows = told(beside(&plane, "status", &["--output", "json"])).out;
    let rows: Value = serde_json::from_str(&rows).unwrap();
    assert_eq!((&rows[0]["kind"], &rows[0]["status"]), (&"environment".into(), &"IN_PROGRESS".into()));
    let id = rows[0]["deployment"].as_str().unwrap().to_owned();

    let following = beside(&plane, "logs", &[&id, "--follow"]);
    let mut following = Running::start(following, &folder.path().join("logs"));
    let mut seen = Vec::new();
    while !seen.iter().any(|line: &String| line.ends_with("(local-exec): halfway there")) {
        seen.push(following.line(PATIENCE));
    }
    assert_eq!(lines(&notes), ["began"], "the line is shown while the deployment runs");
    assert_eq!(read_no_further(beside(&plane, "logs", &[&id, "--follow"])), (Some(0), String::new()));
    fs::write(&enough, "").unwrap();
    assert_eq!(following.wait(PATIENCE).and_then(|status| status.code()), Some(0), "it ends with the deployment");
    let rest = told(beside(&plane, "logs", &[&id]));
    assert!(rest.out.contains("Apply complete! Resources: 1 added"), "{}", rest.out);
    assert_eq!(rest.out.lines().filter(|line| line.ends_with("(local-exec): halfway there")).count(), 1);
    let none = told(beside(&plane, "logs", &[&id, "--attempt", "2"]));
    assert_eq!((none.code, none.out.as_str()), (2, ""));
    assert!(none.err.contains("no attempt 2") && none.err.contains("attempts are 1 to 1"), "{}", none.err);
    let events = told(beside(&plane, "logs", &[&id, "--events"])).out;
    let parsed = events.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>();
    assert!(!parsed.unwrap().is_empty(), "{events}");

    // The site's variable reached Terraform; the one that no template declares didn't hurt.
    assert_eq!(site.outputs("dev").await, [("Owner".to_owned(), "team \"a\" of dev".to_owned())]);
    let table = told(beside(&plane, "status", &[])).out;
    assert_eq!(table, format!("environment  dev  SUCCEEDED  slow 1.0  {id}\n"));
    let unknown = told(beside(&plane, "logs", &["00000000-0000-4000-8000-000000000000"]));
    assert_eq!((unknown.code, unknown.out.as_str()), (1, ""));
    assert!(unknown.err.contains("doesn't exist") && unknown.err.contains("hadron status"), "{}", unknown.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_shown_while_it_goes_on_and_its_log_is_read_on_where_it_was_left() {
    let folder = TempDir::new().unwrap();
    let enough = folder.path().join("enough");
    let (plane, site) = under_way(&folder.path().join("notes"), &until_there(&enough)).await;
    let rows: Value = serde_json::from_str(&told(beside(&plane, "status", &["--output", "json"])).out).unwrap();
    let id = rows[0]["deployment"].as_str().unwrap().to_owned();

    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut following = beside(&plane, "logs", &[&id, "--follow"]);
    following.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
    let mut following = following.spawn().unwrap();
    let began = Instant::now();
    while !fs::read_to_string(&out).unwrap().contains("Creating...") {
        assert!(began.elapsed() < PATIENCE, "{}", fs::read_to_string(&err).unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let now: Value =
        serde_json::from_str(&told(beside(&plane, "runs", &["show", &id, "--output", "json"])).out).unwrap();
    assert_eq!((&now["running"], &now["timeline"][0]["outcome"]), (&true.into(), &"running".into()), "{now}");
    let pid = rustix::process::Pid::from_raw(i32::try_from(following.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(following.wait().unwrap().code(), Some(130));
    fs::write(&enough, "").unwrap();
    let said = fs::read_to_string(&err).unwrap();
    let command = said.trim().strip_prefix("to go on: hadron logs ").unwrap_or_else(|| panic!("{said}"));
    let first = fs::read_to_string(&out).unwrap();

    let flags: Vec<&str> = command.split(' ').collect();
    let second = told(beside(&plane, "logs", &flags));
    assert_eq!(second.code, 0, "{}", second.err);
    let whole = told(beside(&plane, "logs", &[&id])).out;
    assert!(second.out.contains("Apply complete!") && !first.contains("Apply complete!"));
    assert_eq!(first + &second.out, whole, "nothing is lost and nothing repeated");

    site.environment_settled("dev").await.unwrap();
    let shown = told(beside(&plane, "runs", &["show", &id])).out;
    for words in ["status       succeeded", "changes      1 added", "done", "outputs\nOwner = "] {
        assert!(shown.contains(words), "no `{words}` in:\n{shown}");
    }
    let one = told(beside(&plane, "runs", &[&id])).out;
    assert!(one.contains(&format!("deployment   {id}")) || one.contains(&id), "the id alone still describes it: {one}");
}

#[test]
fn nobody_home_is_said_in_one_plain_line() {
    let folder = TempDir::new().unwrap();
    let mut status = hadron("status", &Start::default(), folder.path());
    status.env("HADRON_ENDPOINT", "http://127.0.0.1:9");
    refused(status, &["there is no access key", "hint: start `hadron up`"]);
    let mut status = hadron("status", &Start::default(), folder.path());
    status.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_ACCESS_KEY_ID", "a");
    status.env("AWS_SECRET_ACCESS_KEY", "b");
    let status = told(status);
    assert_eq!((status.code, status.out.as_str()), (1, ""));
    assert!(status.err.contains("Connection refused") && status.err.contains("hint: is `hadron up` running"));
    assert!(status.err.lines().count() == 2 && !status.err.contains('{'), "{}", status.err);
}

#[test]
fn the_demo_tells_its_story_twice_and_can_tear_it_down() {
    let folder = TempDir::new().unwrap();
    let first = told(hadron("demo", &Start::default(), folder.path()));
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.out.contains("environment dev\n  BaseUrl            https://dev.acme.example\n"), "{}", first.out);
    assert!(first.err.contains("service instance shop/api") && first.err.contains("done in"), "{}", first.err);
    assert!(!first.err.contains('\u{1b}') && !first.err.contains('\r'), "no terminal, no movement: {:?}", first.err);

    let second = told(hadron("demo", &start(&["--destroy", "--output", "json"]), folder.path()));
    assert_eq!(second.code, 0, "{}", second.err);
    let outputs: Value = serde_json::from_str(&second.out).unwrap();
    assert_eq!(outputs["component jobs"]["Receivers"], "1");
    assert_eq!(outputs.as_object().unwrap().len(), 5, "{outputs:#}");
    assert!(second.err.contains("tearing everything down"), "{}", second.err);
    assert_eq!(left_in(&folder.path().join("data/demo")), "nothing is deployed yet\n");
}

/// What `hadron status` says of a data folder.
fn left_in(data: &Path) -> String {
    let mut serve = command(binary(), &BTreeMap::new());
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    let mut serve = Running::start(serve, &data.join("log"));
    let exported = serve.line(PATIENCE);
    let endpoint = exported.split(['=', ' ']).nth(2).unwrap();
    let mut status = command(binary(), &BTreeMap::from([("HADRON_ENDPOINT".to_owned(), endpoint.to_owned())]));
    status.args(["status", "--data"]).arg(data);
    told(status).out
}

#[test]
fn the_demo_empties_no_folder_that_it_did_not_make() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("data/demo")).unwrap();
    fs::write(folder.path().join("data/demo/precious"), "mine").unwrap();
    refused(hadron("demo", &Start::default(), folder.path()), &["no demo made it", "hint: "]);
    assert!(folder.path().join("data/demo/precious").exists());
}

/// Makes botocore believe that AWS has removed Proton from it.
const WITHOUT_PROTON: &str = r#"
import os, botocore.loaders
folder = os.path.join(os.environ["HOME"], "data")
if not os.path.isdir(folder):
    os.mkdir(folder)
    real = botocore.loaders.Loader.BUILTIN_DATA_PATH
    for name in os.listdir(real):
        if name != "proton":
            os.symlink(os.path.join(real, name), os.path.join(folder, name))
botocore.loaders.Loader.BUILTIN_DATA_PATH = folder
"#;

#[test]
fn an_installed_client_needs_no_environment_and_no_model_of_aws() {
    let plane = Plane::up(Start { flags: vec!["--no-agent".into()], ..Start::default() });
    let shell = Shell::new(Tools::get(), &BTreeMap::new());
    let aws = shell.folder().join(".aws");
    fs::create_dir(&aws).unwrap();
    let mine = "[default]\nregion = eu-west-1\n";
    fs::write(aws.join("config"), mine).unwrap();
    fs::create_dir(shell.folder().join("old")).unwrap();
    shell.file("old/sitecustomize.py", WITHOUT_PROTON);
    shell.run("PYTHONPATH=old aws proton list-environments").failed(2, &["Invalid choice"]);

    let install = || told(beside(&plane, "client", &["install", "--aws-dir", aws.to_str().unwrap()]));
    let first = install();
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.out.contains("try: aws --profile hadron proton list-environments"), "{}", first.out);
    let config = fs::read_to_string(aws.join("config")).unwrap();
    assert!(config.starts_with(mine), "{config}");
    assert_eq!(aws.join("credentials").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(install().code, 0);
    assert_eq!(fs::read_to_string(aws.join("config")).unwrap(), config, "a second run changes nothing");

    let did = shell.ok("set -e
        aws --profile hadron proton create-environment-template --name zone --query environmentTemplate.name
        aws --profile hadron s3 mb s3://templates
        PYTHONPATH=old aws --profile hadron proton list-environment-templates --query 'templates[].name' --output text
        AWS_CONFIG_FILE=.aws/config AWS_SHARED_CREDENTIALS_FILE=.aws/credentials AWS_PROFILE=hadron \\
          python -c 'import boto3; print(len(boto3.client(\"proton\").list_environment_templates()[\"templates\"]))'");
    assert_eq!(did, "\"zone\"\nmake_bucket: templates\nzone\n1");
}

/// A program that answers as an old Terraform does.
fn old_terraform(folder: &Path) -> String {
    let program = folder.join("old-terraform");
    fs::write(&program, "#!/bin/sh\necho '{\"terraform_version\": \"1.4.0\"}'\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program.display().to_string()
}

/// What each verb needs so that only Terraform is missing.
fn asking(verb: &str, folder: &Path) -> Command {
    let mut command = hadron(verb, &Start::default(), folder);
    command.env("HADRON_ENDPOINT", "http://127.0.0.1:9").env("HADRON_LISTEN", "127.0.0.1:0");
    command.env("HADRON_ACCESS_KEY_ID", "a").env("HADRON_SECRET_ACCESS_KEY", "b");
    command
}

#[test]
fn a_terraform_that_is_absent_or_too_old_is_told_with_the_remedy() {
    let folder = TempDir::new().unwrap();
    let old = old_terraform(folder.path());
    for verb in ["up", "agent", "demo"] {
        let mut absent = asking(verb, folder.path());
        absent.env("PATH", "/nonexistent");
        refused(absent, &["terraform was not found", "install Terraform 1.5", "HADRON_TERRAFORM="]);
        let mut too_old = asking(verb, folder.path());
        too_old.env("HADRON_TERRAFORM", &old);
        refused(too_old, &["is version 1.4.0, older than 1.5.0", "install Terraform 1.5"]);
    }
    assert!(!folder.path().join("data/hadron.db").exists(), "nothing was begun");
    let mut doctor = asking("doctor", folder.path());
    doctor.env("HADRON_TERRAFORM", &old);
    let doctor = told(doctor);
    assert_eq!(doctor.code, 3);
    assert!(doctor.out.contains("problem  terraform ") && doctor.out.contains("1.4.0"), "{}", doctor.out);
    assert!(doctor.out.contains("ok       data folder"), "the rest is looked at all the same: {}", doctor.out);
    assert!(!folder.path().join("data/hadron.db").exists());
    let mut json = asking("doctor", folder.path());
    json.env("HADRON_TERRAFORM", &old).args(["--output", "json"]);
    let json: Value = serde_json::from_str(&told(json).out).unwrap();
    assert_eq!((&json[0]["ok"], &json[1]["ok"]), (&false.into(), &true.into()));
    assert_eq!(told(asking("doctor", folder.path())).code, 0, "nothing is missing");
    let untouched = TempDir::new().unwrap();
    assert_eq!(told(asking("doctor", untouched.path())).code, 0);
    assert!(!untouched.path().join("data").exists(), "who only asks leaves no folder behind");
}

#[test]
fn a_data_folder_that_cannot_be_written_is_named_with_its_source() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("data"), "a file in its place").unwrap();
    for verb in ["up", "serve", "agent", "demo"] {
        let place = folder.path().join("data").display().to_string();
        refused(
            asking(verb, folder.path()),
            &[&place, "(command line) can't be written", "hint: name another with --data"],
        );
    }
    assert_eq!(told(asking("doctor", folder.path())).code, 3);
    assert_eq!(fs::read_to_string(folder.path().join("data")).unwrap(), "a file in its place");
}

#[test]
fn a_taken_port_is_named_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for verb in ["up", "serve", "demo"] {
        let mut command = asking(verb, folder.path());
        command.env("HADRON_LISTEN", &address);
        refused(command, &[&address, "HADRON_LISTEN", "in use", "hint: another process has this port"]);
    }
    assert!(!folder.path().join("data/hadron.db").exists());
}

#[test]
fn two_processes_never_share_a_data_folder() {
    let plane = Plane::serve(Start::default());
    let mut second = beside(&plane, "serve", &["--listen", "127.0.0.1:0"]);
    second.env_remove("HADRON_ENDPOINT");
    refused(second, &["hadron.db", "another"]);
}

#[test]
fn commands_find_a_server_by_its_folder_and_by_the_profile_that_it_gave() {
    let mut plane = Plane::serve(Start::default());
    let home = TempDir::new().unwrap();
    // Neither an address nor a key is said: the server listens where nobody would look for it.
    let here = |verb: &str| hadron(verb, &Start::default(), plane.data().parent().unwrap());
    let mut install = here("client");
    install.arg("install").env("HOME", home.path());
    assert_eq!(told(install).code, 0);
    let mut doctor = here("doctor");
    doctor.env("HADRON_LISTEN", plane.endpoint().trim_start_matches("http://"));
    let doctor = told(doctor);
    assert!(doctor.out.contains("is taken by the server of this data folder"), "{}", doctor.out);
    let elsewhere = |profile: &str| {
        let mut status = hadron("status", &Start::default(), home.path());
        status.env("HOME", home.path()).env("AWS_PROFILE", profile);
        told(status)
    };
    for status in [told(here("status")), elsewhere("hadron")] {
        assert_eq!((status.code, status.out.as_str()), (0, "nothing is deployed yet\n"), "{}", status.err);
    }
    let nobodys = elsewhere("production");
    assert!(nobodys.code == 3 && nobodys.err.contains("there is no access key"), "{}", nobodys.err);
    assert!(plane.data().join("address").exists());
    assert!(plane.process().terminate(Duration::from_secs(20)).success());
    assert!(!plane.data().join("address").exists(), "the note goes with the server");
}

#[test]
fn settings_are_shown_with_their_sources_and_secrets_masked() {
    let folder = TempDir::new().unwrap();
    let start = Start { settings: "lease_seconds = 30\n[agent]\nconcurrency = 2\n".into(), ..Start::default() };
    let settings = |flags: &[&str]| {
        let mut command = hadron("settings", &start, folder.path());
        command.env("HADRON_SECRET_ACCESS_KEY", "hush-hush").env("HADRON_ACCOUNT", "210987654321").args(flags);
        let told = told(command);
        assert_eq!((told.code, told.err.as_str()), (0, ""));
        assert!(!told.out.contains("hush-hush"), "{}", told.out);
        told.out
    };
    let text = settings(&[]);
    let row = |name: &str| {
        let row = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        row.split_whitespace().skip(1).take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("account"), "210987654321 HADRON_ACCOUNT");
    assert_eq!(row("secret_access_key"), "*** HADRON_SECRET_ACCESS_KEY");
    assert_eq!(row("lease_seconds"), format!("30 {}", folder.path().join("hadron.toml").display()));
    let json: Value = serde_json::from_str(&settings(&["--output", "json"])).unwrap();
    assert!(json.as_array().unwrap().iter().any(|row| row["name"] == "agent.concurrency" && row["value"] == "2"));
}

#[test]
fn mistakes_in_the_settings_file_exit_3_and_mistakes_of_the_command_line_2() {
    let folder = TempDir::new().unwrap();
    let with = |settings: &str| hadron("up", &Start { settings: settings.into(), ..Start::default() }, folder.path());
    refused(with("lissten = \"x\"\n"), &["hadron.toml: line 1: there is no setting `lissten`; did you mean `listen`?"]);
    refused(with("[agent]\nconcurency = 2\n"), &["did you mean `agent.concurrency`?"]);
    refused(with("[environments.dev]\noverlays = \"x\"\n"), &["hadron.toml", "overlays", "overlay"]);
    refused(with("a = = 2\n"), &["hadron.toml", "line 1, column 5"]);
    refused(with("[log]\nlevel = \"loud\"\n"), &["`log.level`", "loud"]);
    refused(with("base_url = \"proton.example.com\"\n"), &["`base_url`", "proton.example.com", "https://"]);
    refused(with("lease_seconds = \"0\"\nlisten = \"127.0.0.1:0\"\n"), &["`lease_seconds`", "is `0`"]);
    refused(with("account = \"12\"\nlisten = \"127.0.0.1:0\"\n"), &["`account` is 12", "twelve digits"]);
    let mut absent = hadron("settings", &Start::default(), folder.path());
    absent.args(["--config", "absent.toml"]);
    // Given twice, it is a mistake of the command line.
    assert_eq!(told(absent).code, 2);
    for wrong in [&["up", "--nope"][..], &["nope"], &[], &["logs"], &["demo", "--keep", "--destroy"]] {
        let mut mistaken = command(binary(), &BTreeMap::new());
        mistaken.args(wrong).current_dir(folder.path());
        let told = told(mistaken);
        assert_eq!((told.code, told.out.as_str()), (2, ""), "{wrong:?}: {}", told.err);
        assert!(told.err.contains("Usage: hadron"), "{}", told.err);
    }
}
