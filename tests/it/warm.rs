//! `terraform init` is skipped where nothing that it reads has changed, and only there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hadron::support::Secret;
use hadron::terraform::{Backend, Event, Mode, Session, Step, TerraformError, Warm, child_env, find};
use tokio_util::sync::CancellationToken;

use crate::state::StateServer;

/// Several targets on one machine.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    fn warm(&self) -> PathBuf {
        self.0.path().join("warm")
    }

    fn run(&self, name: &str, state: &StateServer, files: &[(&str, &str)]) -> Session {
        self.run_with(name, state, files, &BTreeMap::new())
    }

    /// One run of one target, its files laid out.
    fn run_with(
        &self,
        name: &str,
        state: &StateServer,
        files: &[(&str, &str)],
        site: &BTreeMap<String, String>,
    ) -> Session {
        let run_dir = self.0.path().join(name);
        for (path, text) in files {
            let path = run_dir.join("work").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let backend = Backend::Http {
            address: state.address.clone(),
            username: "deployment.1".into(),
            password: Secret::new("hush-password"),
        };
        Session {
            terraform: find(None, &std::env::var_os("PATH").unwrap()).unwrap(),
            supervisor: env!("CARGO_BIN_EXE_hadron").into(),
            env: child_env(site, &backend, &run_dir.join("home"), None).unwrap(),
            work_dir: run_dir.join("work"),
            run_dir,
            backend,
            lock_timeout: Duration::from_secs(5),
            state_reader: None,
            providers: None,
            warm: Some(Warm { folder: self.warm(), comments: vec![format!("\n/*\nfor {name}\n*/\n")] }),
        }
    }
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

fn initialised(session: &Session) -> bool {
    session.run_dir.join(Step::Init.folder()).exists()
}

async fn apply(session: &Session) -> Result<hadron::terraform::Applied, TerraformError> {
    session.apply(Mode::Apply, &never(), &mut |_: &Event| {}).await
}

const MAIN: &str = "variable \"size\" {}\nmodule \"m\" {\n  source = \"./modules/m\"\n}\n\
                    output \"size\" {\n  value = var.size\n}\n";
const MODULE: &str = "resource \"terraform_data\" \"inner\" {}\n";

#[tokio::test]
async fn another_target_with_the_same_files_needs_no_init_whatever_its_values_and_its_name() {
    let machine = Machine::new();
    let mut states = Vec::new();
    for (name, size) in [("a", 1), ("b", 2)] {
        let state = StateServer::start().await;
        let main = format!("{MAIN}\n/*\nfor {name}\n*/\n");
        let values = format!("{{\"size\": {size}}}");
        let files = [("main.tf", &main as &str), ("modules/m/main.tf", MODULE), ("x.auto.tfvars.json", &values)];
        let session = machine.run(name, &state, &files);
        session.init(&never()).await.unwrap();
        assert_eq!(initialised(&session), name == "a");
        assert_eq!(apply(&session).await.unwrap().outputs["size"].value, size);
        assert_eq!(state.resources(), ["terraform_data.inner"]);
        states.push(state);
    }
    assert!(states.iter().all(|state| state.kept(|kept| kept.locks) == 1), "each in its own state");
}

#[tokio::test]
async fn another_module_or_another_configuration_of_terraform_is_initialised_anew() {
    let machine = Machine::new();
    let state = StateServer::start().await;
    let files = [("main.tf", MAIN), ("modules/m/main.tf", MODULE)];
    machine.run("a", &state, &files).init(&never()).await.unwrap();
    let changed = [("main.tf", MAIN), ("modules/m/main.tf", "")];
    let session = machine.run("b", &state, &changed);
    session.init(&never()).await.unwrap();
    assert!(initialised(&session));
    let rc = machine.0.path().join("rc");
    for (name, text) in [("c", "disable_checkpoint = true\n"), ("d", "disable_checkpoint = false\n")] {
        fs::write(&rc, text).unwrap();
        let site = BTreeMap::from([("TF_CLI_CONFIG_FILE".to_owned(), rc.display().to_string())]);
        let session = machine.run_with(name, &state, &files, &site);
        session.init(&never()).await.unwrap();
        assert!(initialised(&session), "{name}");
    }
}

#[tokio::test]
async fn a_bundle_that_moves_the_state_is_never_kept_and_always_refused() {
    let machine = Machine::new();
    let state = StateServer::start().await;
    let local = "terraform {\n  backend \"local\" { path = \"mine.tfstate\" }\n}\n";
    for name in ["c", "d"] {
        let session = machine.run(name, &state, &[("zzzzz_override.tf", local), ("main.tf", MODULE)]);
        let error = session.init(&never()).await.unwrap_err();
        assert!(matches!(error, TerraformError::BackendNotOurs { .. }), "{error:?}");
        assert!(initialised(&session));
    }
}

#[tokio::test]
async fn an_http_backend_of_the_bundle_that_says_where_is_refused() {
    let machine = Machine::new();
    let (state, other) = (StateServer::start().await, StateServer::start().await);
    let main = format!("terraform {{\n  backend \"http\" {{ address = \"{}\" }}\n}}\n", other.address);
    let session = machine.run("a", &state, &[("zzzzz_override.tf", &main), ("main.tf", MODULE)]);
    let error = session.init(&never()).await.unwrap_err();
    assert!(error.to_string().contains(&other.address), "{error}");
    // In a file that ours overrides it does no harm.
    let session = machine.run("b", &state, &[("main.tf", &main), ("more.tf", MODULE)]);
    session.init(&never()).await.unwrap();
    apply(&session).await.unwrap();
    assert_eq!(other.kept(|kept| kept.locks), 0);
    assert_eq!(state.resources(), ["terraform_data.inner"]);
}

/// Terraform's configuration with a mirror that holds the AWS provider.
fn mirrored() -> BTreeMap<String, String> {
    let rc = crate::tools::Tools::get().terraform_rc();
    let set = |name: &str, value: String| (name.to_owned(), value);
    let no_metadata = set("AWS_EC2_METADATA_DISABLED", "true".into());
    let (region, retries) = (set("AWS_REGION", "us-east-1".into()), set("AWS_MAX_ATTEMPTS", "1".into()));
    BTreeMap::from([set("TF_CLI_CONFIG_FILE", rc.display().to_string()), no_metadata, region, retries])
}

/// A state that was made with a provider which the files don't name any more.
const WITH_AWS: &str = r#"{"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "l", "outputs": {},
  "resources": [{"mode": "managed", "type": "aws_kms_key", "name": "gone",
    "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
    "instances": [{"schema_version": 0, "attributes": {"id": "x"}, "index_key": "a"}]}]}"#;

#[tokio::test]
async fn a_state_that_names_another_provider_is_initialised_after_all_and_applied() {
    let machine = Machine::new();
    let fresh = StateServer::start().await;
    let site = mirrored();
    let plain = [("main.tf", "resource \"terraform_data\" \"one\" {}\n")];
    let first = machine.run_with("a", &fresh, &plain, &site);
    first.init(&never()).await.unwrap();
    apply(&first).await.unwrap();

    let old = StateServer::start().await;
    old.kept(|kept| kept.state = Some(WITH_AWS.into()));
    let session = machine.run_with("b", &old, &plain, &site);
    session.init(&never()).await.unwrap();
    assert!(!initialised(&session) && session.began_warm());
    let error = apply(&session).await.unwrap_err();
    assert!(session.doubts_its_copy(Step::Apply, &error), "{error}");
    assert!(session.init_after_all(Step::Apply, &never()).await.unwrap(), "it came to something else");
    // Now it is the provider that has its say, about credentials that it lacks.
    let error = apply(&session).await.unwrap_err();
    assert!(!error.to_string().contains("init"), "{error}");
    assert!(!session.doubts_its_copy(Step::Apply, &error));
}

#[tokio::test]
async fn a_failure_that_an_init_would_not_mend_stays_as_it_is() {
    let machine = Machine::new();
    let state = StateServer::start().await;
    let files = [("main.tf", "variable \"size\" {\n  type = number\n}\n"), ("x.auto.tfvars.json", "{\"size\": 1}")];
    let first = machine.run("a", &state, &files);
    first.init(&never()).await.unwrap();
    let wrong = [files[0], ("x.auto.tfvars.json", "{\"size\": \"many\"}")];
    let session = machine.run("b", &state, &wrong);
    session.init(&never()).await.unwrap();
    let error = apply(&session).await.unwrap_err();
    assert!(session.doubts_its_copy(Step::Apply, &error), "{error}");
    assert!(!session.init_after_all(Step::Apply, &never()).await.unwrap());
    assert!(session.run_dir.join("2-apply").exists(), "what failed is still to be read");
}

#[tokio::test]
async fn a_copy_whose_provider_is_gone_is_made_anew() {
    let machine = Machine::new();
    let state = StateServer::start().await;
    let mirror = machine.0.path().join("mirror");
    let source = crate::tools::Tools::get().terraform_rc().with_file_name("providers");
    let name = "registry.terraform.io/hashicorp/aws/3.39.0/linux_amd64";
    link_all(&source.join(name), &mirror.join(name));
    let rc = machine.0.path().join("rc");
    fs::write(&rc, format!("provider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n"))
        .unwrap();
    let site = BTreeMap::from([("TF_CLI_CONFIG_FILE".to_owned(), rc.display().to_string())]);
    let files =
        [("main.tf", "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n")];
    for (run, again) in [("a", true), ("b", false)] {
        let session = machine.run_with(run, &state, &files, &site);
        session.init(&never()).await.unwrap();
        assert_eq!(initialised(&session), again, "{run}");
        assert!(session.work_dir.join(".terraform.lock.hcl").exists());
    }
    fs::rename(&mirror, machine.0.path().join("elsewhere")).unwrap();
    let session = machine.run_with("c", &state, &files, &site);
    assert!(session.init(&never()).await.is_err(), "a link that leads nowhere is not laid out");
    assert!(initialised(&session));
}

/// Second names for the files of a folder.
fn link_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::hard_link(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn of_many_that_begin_at_once_one_initialises() {
    let machine = Machine::new();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let state = StateServer::start().await;
        let session = machine.run(&number.to_string(), &state, &[("main.tf", MODULE)]);
        tasks.spawn(async move {
            session.init(&never()).await.unwrap();
            (initialised(&session), state)
        });
    }
    let ended = tasks.join_all().await;
    assert_eq!(ended.iter().filter(|(initialised, _)| *initialised).count(), 1);
}
