//! What a team copies to run Hadron: units of systemd, manifests of Kubernetes. `.ci/image` has systemd judge the units and
//! runs what the Dockerfile builds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hadron::settings::TABLE;
use serde_json::{Value, json};

use crate::support::examples;
use crate::support::plane::binary;
use crate::support::process::command;
use crate::support::tools::Tools;

/// A package that carries the API's schemas, of which `strict` refuses what the API doesn't know.
const SCHEMAS: &str = "kubernetes-validate==1.37.0 \
    --hash=sha256:85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9\n";

/// The oldest and the newest release that the manifests are for.
const RELEASES: [&str; 2] = ["v1.25.0", "v1.37.0"];

/// Prints the documents of a YAML file.
const DOCUMENTS: &str = "
import json, sys, yaml
print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))
";

/// Prints what documents break of their kind's schema, read from the package as it is, since unpacked it has thousands of files.
const VALIDATE: &str = "
import json, re, sys, zipfile, jsonschema
from referencing import Registry, Resource
archive, release, documents = zipfile.ZipFile(sys.argv[1]), sys.argv[2], json.load(open(sys.argv[3]))
def read(name):
    return json.loads(archive.read(f'kubernetes_validate/kubernetes-json-schema/{release}-local-strict/{name}.json'))
definitions = Resource.from_contents(read('_definitions'))
problems = []
for document in documents:
    version = re.sub(r'^([^./]*)(?:\\.[^/]*)?/', r'\\1-', document['apiVersion'])
    schema = read(document['kind'].lower() + '-' + version)
    registry = definitions @ (Resource.from_contents(schema) @ Registry())
    judge = jsonschema.validators.Draft202012Validator(schema, registry=registry)
    problems += [document['kind'] + ' ' + error.json_path + ': ' + error.message[:200] for error in judge.iter_errors(document)]
print(json.dumps(problems))
";

fn python(script: &str, arguments: &[&Path]) -> Value {
    let done = command(&Tools::get().python(), &BTreeMap::new()).args(["-c", script]).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// The package, fetched once.
fn schemas() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("kubernetes");
        let archive = folder.join("kubernetes_validate-1.37.0-py3-none-any.whl");
        if !archive.exists() {
            fs::create_dir_all(&folder).unwrap();
            let new = tempfile::tempdir_in(&folder).unwrap();
            let pinned = new.path().join("requirements.txt");
            fs::write(&pinned, SCHEMAS).unwrap();
            #[expect(clippy::disallowed_methods, reason = "pip's own configuration may stand in the environment")]
            let mut pip = std::process::Command::new(Tools::get().python());
            pip.args(["-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--require-hashes", "--dest"]);
            let done = pip.arg(new.path()).arg("--requirement").arg(&pinned).output().unwrap();
            assert!(done.status.success(), "pip: {}", String::from_utf8_lossy(&done.stderr));
            fs::rename(new.path().join(archive.file_name().unwrap()), &archive).unwrap();
        }
        archive
    })
}

fn manifests(name: &str) -> Vec<Value> {
    let documents = python(DOCUMENTS, &[&examples().join("kubernetes").join(name)]);
    documents.as_array().unwrap().clone()
}

/// What the documents break, by a release's schemas.
fn broken(release: &str, documents: &[Value]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("documents.json");
    fs::write(&path, Value::from(documents.to_vec()).to_string()).unwrap();
    python(VALIDATE, &[schemas(), Path::new(release), &path])
}

fn pod<'a>(documents: &'a [Value], name: &str) -> &'a Value {
    let found = documents.iter().filter(|it| it["metadata"]["name"] == name);
    let mut pods = found.filter_map(|it| match it["kind"].as_str()? {
        "StatefulSet" => Some(&it["spec"]["template"]["spec"]),
        "Pod" => Some(&it["spec"]),
        _ => None,
    });
    pods.next().unwrap()
}

/// The variables of a container that are given as they are.
fn variables(pod: &Value) -> BTreeMap<&str, Option<&str>> {
    let env = pod["containers"][0]["env"].as_array().unwrap();
    env.iter().map(|one| (one["name"].as_str().unwrap(), one["value"].as_str())).collect()
}

/// Every variable that a setting is read from.
fn known_variables() -> BTreeSet<&'static str> {
    TABLE.iter().flat_map(|setting| setting.variables).copied().collect()
}

#[test]
fn the_manifests_are_what_old_and_new_kubernetes_take() {
    for name in ["server.yaml", "agent.yaml", "restore.yaml"] {
        for release in RELEASES {
            assert_eq!(broken(release, &manifests(name)), json!([]), "{name}, {release}");
        }
    }
    let mut misspelt = manifests("agent.yaml");
    misspelt[1]["spec"]["template"]["spec"]["terminationGracePeriod"] = json!(900);
    let said = broken(RELEASES[1], &misspelt).to_string();
    assert!(said.contains("terminationGracePeriod"), "the schemas refuse what the API doesn't know: {said}");
}

#[test]
fn the_pods_are_locked_down_and_every_setting_in_them_is_one() {
    for (file, name) in [("server.yaml", "hadron"), ("agent.yaml", "hadron-agent"), ("restore.yaml", "restore")] {
        let documents = manifests(file);
        let pod = pod(&documents, name);
        let container = &pod["containers"][0]["securityContext"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(container["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(container["allowPrivilegeEscalation"], false, "{name}");
        assert_eq!(container["capabilities"], json!({ "drop": ["ALL"] }), "{name}");
        let variables = variables(pod);
        let unknown: Vec<_> =
            variables.keys().filter(|it| it.starts_with("HADRON_") && !known_variables().contains(*it)).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
        let secrets = TABLE.iter().filter(|setting| setting.secret).flat_map(|setting| setting.variables);
        for secret in secrets {
            assert!(variables.get(secret).is_none_or(Option::is_none), "{name}: {secret} stands in the manifest");
        }
        let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap().iter();
        let written: BTreeSet<_> =
            mounts.filter(|it| it["readOnly"] != true).map(|it| it["mountPath"].as_str().unwrap()).collect();
        assert_eq!(written, BTreeSet::from(["/tmp", "/var/lib/hadron"]), "{name}");
    }
}

#[test]
fn kubernetes_waits_as_long_as_the_agent_believes_and_never_kills_a_run_for_its_health() {
    let documents = manifests("agent.yaml");
    let pod = pod(&documents, "hadron-agent");
    let variables = variables(pod);
    let seconds = |name: &str| variables[name].unwrap().parse::<u64>().unwrap();
    assert_eq!(pod["terminationGracePeriodSeconds"], seconds("HADRON_GRACE"));
    assert!(seconds("HADRON_RESERVE") < seconds("HADRON_GRACE"));
    assert_eq!(variables["HADRON_SHUTDOWN"], Some("drain"));
    assert!(pod["containers"][0]["livenessProbe"].is_null());
}

/// A unit's lines, by section and name.
fn unit(name: &str) -> BTreeMap<(String, String), Vec<String>> {
    let text = fs::read_to_string(examples().join("systemd").join(name)).unwrap();
    let (mut section, mut lines) = (String::new(), BTreeMap::<_, Vec<String>>::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[') {
            header.trim_end_matches(']').clone_into(&mut section);
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{name}: {line}"));
        lines.entry((section.clone(), key.to_owned())).or_default().push(value.to_owned());
    }
    lines
}

#[test]
fn the_agents_unit_lets_a_run_outlive_the_agent() {
    let unit = unit("hadron-agent.service");
    let service = |key: &str| unit.get(&("Service".to_owned(), key.to_owned())).map(|values| values.join(" "));
    assert_eq!(service("KillMode").as_deref(), Some("process"));
    assert!(service("Environment").unwrap().contains("HADRON_SHUTDOWN=detach"));
    // The kernel's killing of one Terraform must not end the agent and all others.
    assert_eq!(service("OOMPolicy").as_deref(), Some("continue"));
    // systemd empties a private /tmp and gives a dynamic user's number away when the agent stops, under a run that goes on.
    for key in ["PrivateTmp", "DynamicUser", "RuntimeDirectory", "RemoveIPC"] {
        assert_eq!(service(key), None, "{key}");
    }
    // What templates start may write code into its memory.
    assert_eq!(service("MemoryDenyWriteExecute"), None);
}

#[test]
fn the_units_start_the_agent_and_the_server_with_settings_that_are_taken() {
    for (name, settings) in [("hadron.service", "server.toml"), ("hadron-agent.service", "agent.toml")] {
        let unit = unit(name);
        let service = |key: &str| unit[&("Service".to_owned(), key.to_owned())].join(" ");
        assert_eq!(service("LoadCredential"), format!("{settings}:/etc/hadron/{settings}"), "{name}");
        assert!(service("ExecStart").contains(&format!("--config %d/{settings} ")), "{name}");
        for one in service("Environment").split_whitespace() {
            let variable = one.split_once('=').unwrap().0;
            assert!(known_variables().contains(variable), "{name}: {variable}");
        }
        let path = examples().join("systemd").join(settings);
        let mut shown = command(binary(), &BTreeMap::new());
        let shown = shown.arg("settings").arg("--config").arg(&path).output().unwrap();
        assert!(shown.status.success(), "{settings}: {}", String::from_utf8_lossy(&shown.stderr));
    }
    // `serve` prints a key to stdout, which must not reach the journal; what goes wrong must.
    let unit = unit("hadron.service");
    let service = |key: &str| unit[&("Service".to_owned(), key.to_owned())].join(" ");
    assert_eq!([service("StandardOutput"), service("StandardError")], ["null", "journal"]);
}
