//! Newer providers for a template, with the real AWS provider from a mirror that grows: what was locked at the first
//! deployment stays, until somebody makes and deploys a version that brings another lock.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use aws_sdk_proton::types::{DeploymentUpdateType, TemplateVersionStatus};
use serde_json::{Value, json};
use tempfile::TempDir;

use hadron::support::Clock;

use crate::client::{Client, ask, environment_bundle, service_bundle, spec};
use crate::support::plane::{Plane, Start, hadron};
use crate::support::tools::Tools;

/// Any version from 2.70 on; no resource of it, so that it is chosen and never started.
const ZONE: &str = r#"
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 2.70"
    }
  }
}

resource "terraform_data" "zone" {}
"#;

const AWS: &str = "registry.terraform.io/hashicorp/aws";

/// A mirror of some versions of the AWS provider.
struct Mirror(TempDir);

impl Mirror {
    fn of(versions: &[&str]) -> Self {
        let mirror = Self(tempfile::tempdir().unwrap());
        for version in versions {
            mirror.add(version);
        }
        let rc =
            format!("provider_installation {{\n  filesystem_mirror {{\n    path = {:?}\n  }}\n}}\n", mirror.place());
        fs::write(mirror.rc(), rc).unwrap();
        mirror
    }

    fn place(&self) -> String {
        self.0.path().join("mirror").display().to_string()
    }

    fn rc(&self) -> PathBuf {
        self.0.path().join("site.tfrc")
    }

    fn package(&self, version: &str, platform: &str) -> PathBuf {
        Path::new(&self.place()).join(AWS).join(version).join(platform)
    }

    fn add(&self, version: &str) {
        let packages = Tools::get().terraform_rc().with_file_name("providers");
        let package = self.package(version, "linux_amd64");
        fs::create_dir_all(package.parent().unwrap()).unwrap();
        symlink(packages.join(AWS).join(version).join("linux_amd64"), package).unwrap();
    }

    /// A package of another platform, which nobody runs here.
    fn add_for_mac(&self, version: &str) {
        let package = self.package(version, "darwin_arm64");
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join(format!("terraform-provider-aws_v{version}_x4")), "a program").unwrap();
    }

    fn remove(&self, version: &str) {
        fs::remove_dir_all(self.package(version, "linux_amd64").parent().unwrap()).unwrap();
    }

    fn settings(&self) -> String {
        format!("[terraform]\ncli_config = {:?}\n", self.rc().display().to_string())
    }
}

struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Told {
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap()
    }
}

fn told(mut command: Command) -> Told {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// `hadron providers …` on the machine of the plane.
fn providers(plane: &Plane, mirror: &Mirror, arguments: &[&str]) -> Told {
    let flags = arguments.iter().map(|it| (*it).to_owned()).collect();
    let start = Start { settings: mirror.settings(), flags, ..Start::default() };
    let mut command = hadron("providers", &start, plane.data().parent().unwrap());
    command.env("HADRON_ENDPOINT", plane.endpoint());
    told(command)
}

/// The provider versions that the runs of a plane's agent have used, in no order.
fn locked_in_runs(plane: &Plane) -> Vec<String> {
    let runs = fs::read_dir(plane.data().join("runs")).unwrap().flatten();
    let locks = runs.map(|run| fs::read_to_string(run.path().join("1/work/.terraform.lock.hcl")).unwrap_or_default());
    let version = |lock: String| lock.lines().find_map(|line| line.trim().strip_prefix("version").map(str::to_owned));
    let mut found: Vec<String> =
        locks.filter_map(version).map(|text| text.trim_matches([' ', '=', '"']).to_owned()).collect();
    found.sort();
    found
}

/// Deploys `dev` again, perhaps on another minor.
async fn update(user: &Client, minor: Option<&str>) {
    let update = user.proton.update_environment().name("dev").spec(spec("word: b"));
    match minor {
        None => ask!(update.deployment_type(DeploymentUpdateType::CurrentVersion)),
        Some(minor) => {
            let update = update.deployment_type(DeploymentUpdateType::MinorVersion);
            ask!(update.template_major_version("1").template_minor_version(minor))
        }
    };
    user.deployed("dev").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_gets_newer_providers_by_a_new_minor_and_only_what_is_moved_there_uses_them() {
    let mirror = Mirror::of(&["2.70.0"]);
    let plane = Plane::up(Start { settings: mirror.settings(), ..Start::default() });
    let user = Client::of(&plane).await;
    user.environment_template("zone", environment_bundle(&["word"], ZONE)).await;
    let unused = providers(&plane, &mirror, &["upgrade", "zone", "--output", "json"]).json();
    assert_eq!((&unused["outcome"], &unused["to"]), (&json!("never-deployed"), &Value::Null), "{unused}");
    user.create_environment("dev", "zone", "word: a").await;
    user.deployed("dev").await;
    let same = providers(&plane, &mirror, &["upgrade", "zone"]);
    assert!(same.code == 0 && same.out.contains("nothing newer") && same.out.contains("2.70.0"), "{}", same.out);

    mirror.add("3.39.0");
    mirror.add_for_mac("3.39.0");
    let mac = ["upgrade", "zone@1", "--platform", "darwin_arm64", "--platform", "linux_amd64", "--output", "json"];
    let newer = providers(&plane, &mirror, &mac).json();
    let change = json!([{"part": "environment", "provider": AWS, "before": "2.70.0", "after": "3.39.0"}]);
    assert_eq!(newer["providers"], change);
    assert_eq!([&newer["outcome"], &newer["from"], &newer["to"]], [&json!("created"), &json!("1.0"), &json!("1.1")]);
    let version = || user.proton.get_environment_template_version().template_name("zone").major_version("1");
    let made = ask!(version().minor_version("1")).environment_template_version.unwrap();
    assert_eq!(made.status, TemplateVersionStatus::Draft);
    assert_eq!(made.description.unwrap(), "Providers of 1.0 upgraded: hashicorp/aws 2.70.0 to 3.39.0");
    // Again, as after an answer that was lost: no second draft.
    let again = [&mac[..], &["--publish"]].concat();
    let again = providers(&plane, &mirror, &again).json();
    assert_eq!([&again["outcome"], &again["to"]], [&json!("already-there"), &json!("1.1")], "{again}");
    let minors = ask!(user.proton.list_environment_template_versions().template_name("zone").major_version("1"));
    assert_eq!(minors.template_versions.len(), 2);

    update(&user, None).await;
    assert_eq!(locked_in_runs(&plane), ["2.70.0", "2.70.0"], "the version that there was keeps its lock");
    update(&user, Some("1")).await;
    assert_eq!(locked_in_runs(&plane), ["2.70.0", "2.70.0", "3.39.0"]);
    let own = providers(&plane, &mirror, &["upgrade", "environment-template/zone"]);
    assert!(
        own.code == 0 && own.out.contains("environment-template/zone 1.1: nothing newer"),
        "{}{}",
        own.out,
        own.err
    );
    mirror.remove("3.39.0");
    let older = providers(&plane, &mirror, &["upgrade", "zone"]);
    assert!(
        older.code == 10 && older.err.contains("2.70.0, and environment-template/zone 1.1 uses 3.39.0"),
        "{}",
        older.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_parts_of_a_service_template_get_newer_providers_and_its_name_must_be_clear() {
    let mirror = Mirror::of(&["2.70.0"]);
    let plane = Plane::up(Start { settings: mirror.settings(), ..Start::default() });
    let user = Client::of(&plane).await;
    user.environment_template("web", environment_bundle(&["word"], "resource \"terraform_data\" \"zone\" {}\n")).await;
    user.create_environment("dev", "web", "word: a").await;
    user.deployed("dev").await;
    user.service_template("web", "web", service_bundle(ZONE, ZONE)).await;
    let service = "proton: ServiceSpec\npipeline:\n  word: p\ninstances:\n  - name: api\n    environment: dev\n    spec:\n      \
                word: a\n";
    let create =
        user.proton.create_service().name("shop").template_name("web").template_major_version("1").spec(service);
    let create = create.branch_name("main").repository_id("acme/shop");
    ask!(create.repository_connection_arn("arn:aws:codestar-connections:us-east-1:123456789012:connection/0"));
    user.service_active("shop").await;
    mirror.add("3.39.0");
    let unclear = providers(&plane, &mirror, &["upgrade", "web"]);
    assert_eq!(unclear.code, 2);
    assert!(
        unclear.err.contains("hint: say which: environment-template/web or service-template/web"),
        "{}",
        unclear.err
    );
    let unknown = providers(&plane, &mirror, &["upgrade", "wep"]);
    assert!(unknown.code == 2 && unknown.err.contains("there is no template `wep`"), "{}", unknown.err);
    let none = providers(&plane, &mirror, &["upgrade", "service-template/web@2"]);
    assert!(none.code == 2 && none.err.contains("no version of major 2"), "{}", none.err);
    let without = providers(&plane, &mirror, &["upgrade", "environment-template/web"]);
    assert!(without.code == 0 && without.out == "environment-template/web 1.0: nothing newer\n", "{}", without.out);

    let made = providers(&plane, &mirror, &["upgrade", "service-template/web", "--publish"]);
    let lines: Vec<Vec<&str>> = made.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["instance", AWS, "2.70.0", "3.39.0"], "{}{}", made.out, made.err);
    assert_eq!(lines[2], ["pipeline", AWS, "2.70.0", "3.39.0"]);
    assert!(made.out.ends_with("service-template/web 1.1 is published\n"), "{}", made.out);
    let get = user.proton.get_service_template_version().template_name("web").major_version("1");
    let [old, new] = [
        ask!(get.clone().minor_version("0")).service_template_version.unwrap(),
        ask!(get.minor_version("1")).service_template_version.unwrap(),
    ];
    assert_eq!(new.compatible_environment_templates, old.compatible_environment_templates);
    assert_eq!(new.supported_component_sources, old.supported_component_sources);
    let update = user.proton.update_service_instance().service_name("shop").name("api");
    let update = update.deployment_type(DeploymentUpdateType::MinorVersion);
    ask!(update.template_major_version("1").template_minor_version("1"));
    user.service_active("shop").await;
    crate::client::eventually(async || locked_in_runs(&plane).contains(&"3.39.0".to_owned())).await;
}

/// A package that was last used so many days ago.
fn keep(data: &Path, version: &str, days: u64) {
    let package = data.join("providers/mirror/example.com/acme/thing").join(version).join("linux_amd64");
    fs::create_dir_all(&package).unwrap();
    fs::write(package.join("terraform-provider-thing"), vec![0; 1_500_000]).unwrap();
    let known = data.join("providers/known/example.com/acme/thing").join(format!("{version}.json"));
    fs::create_dir_all(known.parent().unwrap()).unwrap();
    fs::write(&known, "{\"h1\": {}, \"zh\": []}").unwrap();
    let now = Duration::from_millis(u64::try_from(Clock::system().now()).unwrap());
    let used = SystemTime::UNIX_EPOCH + now - Duration::from_hours(24) * u32::try_from(days).unwrap();
    fs::File::options().write(true).open(known).unwrap().set_modified(used).unwrap();
}

#[test]
fn the_store_is_listed_and_only_what_nobody_used_for_so_long_is_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (version, days) in [("1.0.0", 40), ("1.1.0", 20), ("2.0.0", 1)] {
        keep(&data, version, days);
    }
    let run = |arguments: &[&str]| {
        let flags = arguments.iter().map(|it| (*it).to_owned()).collect();
        told(hadron("providers", &Start { flags, ..Start::default() }, folder.path()))
    };
    let versions = |told: &Told| -> Vec<String> {
        told.json().as_array().unwrap().iter().map(|it| it["version"].as_str().unwrap().to_owned()).collect()
    };
    let listed = run(&["list"]);
    let words: Vec<&str> = listed.out.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words[..4], ["example.com/acme/thing", "1.0.0", "linux_amd64", "1.5"], "{}", listed.out);
    assert_eq!(versions(&run(&["list", "--output", "json"])), ["1.0.0", "1.1.0", "2.0.0"]);

    assert_eq!(versions(&run(&["prune", "--output", "json"])), ["1.0.0"], "thirty days unless one says otherwise");
    assert_eq!(versions(&run(&["prune", "--unused-for", "10", "--output", "json"])), ["1.1.0"]);
    assert_eq!(versions(&run(&["list", "--output", "json"])), ["2.0.0"]);
    assert!(!data.join("providers/mirror/example.com/acme/thing/1.1.0").exists());

    let off = Start {
        flags: vec!["list".into()],
        settings: "[terraform]\nprovider_store = \"off\"\n".into(),
        ..Start::default()
    };
    let off = told(hadron("providers", &off, folder.path()));
    assert!(off.code == 3 && off.err.contains("no providers are kept"), "{}", off.err);
}
