//! `hadron bundle pack` and `push` with the real binary against a control plane of its own.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::plane::{Plane, Start, binary};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

/// A shell with a copy of the offline examples, `$HADRON`, and the lines set that a plane printed.
pub(crate) fn author(plane: Option<&Plane>) -> Shell {
    let mut env: BTreeMap<String, String> = plane.map(|plane| plane.exported().clone()).unwrap_or_default();
    env.insert("HADRON".into(), binary().display().to_string());
    let shell = Shell::new(Tools::get(), &env);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/offline");
    shell.ok(&format!("cp -r {} examples && mv examples/environment landing-zone", examples.display()));
    shell.ok("mv examples/service web-service");
    shell
}

#[test]
fn the_same_files_give_the_same_bytes_whoever_packs_them() {
    let shell = author(None);
    let first = shell.json("$HADRON --output json bundle pack landing-zone --out a.tar.gz");
    assert_eq!((&first["kind"], &first["files"]), (&"environment".into(), &4.into()), "{first}");
    // Another folder, other times, other modes, notes and tests, and what Terraform left.
    shell.ok("cp -r landing-zone copy && chmod -R go-r copy && touch -d 2001-01-01 copy/schema/schema.yaml");
    shell.ok(
        "mkdir -p copy/tests copy/infrastructure/.terraform && echo secret > copy/infrastructure/terraform.tfstate",
    );
    shell.ok("echo spec: x > copy/tests/dev.yaml && echo x > copy/infrastructure/.terraform/x");
    let answer = shell.run("$HADRON bundle pack copy --out b.tar.gz").succeeded();
    assert_eq!(answer.stderr, "left out: infrastructure/terraform.tfstate, spec.yaml, tests/");
    shell.ok("cmp a.tar.gz b.tar.gz");
    let listed = shell.ok("tar -tzf a.tar.gz");
    assert!(listed.lines().all(|path| path.starts_with("schema/") || path.starts_with("infrastructure/")), "{listed}");
    shell.ok("echo '# changed' >> copy/infrastructure/main.tf");
    let changed = shell.json("$HADRON --output json bundle pack copy --out c.tar.gz 2>/dev/null");
    assert_ne!(changed["sha256"], first["sha256"]);

    shell.ok("echo 'output \"x\" { value = var.environment.inputs.nope }' > copy/infrastructure/more.tf");
    let warned = shell.run("$HADRON bundle pack copy --out d.tar.gz").succeeded();
    let warning = "warning: copy/infrastructure/more.tf:1:22: `nope` is no input of the schema";
    assert!(warned.stderr.contains(warning), "what registration doesn't see is told: {warned:?}");
    shell.ok("rm d.tar.gz");

    shell.ok("echo 'resource {' > copy/infrastructure/main.tf");
    let refused = shell.run("$HADRON bundle pack copy --out d.tar.gz");
    refused.failed(4, &["the bundle has 1 problem", "infrastructure/main.tf:", "is no valid HCL"]);
    shell.ok("test ! -e d.tar.gz");
    shell.run("$HADRON bundle pack nowhere").failed(2, &["there is no nowhere"]);
}

#[test]
fn a_folder_becomes_a_published_version_in_one_command() {
    let plane = Plane::serve(Start::default());
    let shell = author(Some(&plane));
    let missing = shell.run("$HADRON bundle push landing-zone");
    missing.failed(1, &["--create makes it"]);
    let create = "$HADRON bundle push landing-zone --create --display-name 'Landing zone' --publish";
    shell.run(create).succeeded().printed("landing-zone 1.0 PUBLISHED");
    let template = shell.json("aws proton get-environment-template --name landing-zone");
    assert_eq!(template["environmentTemplate"]["displayName"], "Landing zone");
    assert_eq!(template["environmentTemplate"]["recommendedVersion"], "1.0");

    // The same bytes again: nothing to register.
    let again = shell.run("$HADRON bundle push landing-zone --publish").succeeded();
    assert_eq!(again.stdout, "landing-zone 1.0 PUBLISHED");
    assert!(again.stderr.contains("landing-zone 1.0 is registered with these bytes already"), "{again:?}");

    shell.ok("echo '# more' >> landing-zone/infrastructure/main.tf && aws s3 mb s3://mine");
    let minor =
        shell.json("$HADRON --output json bundle push landing-zone --s3 mine/bundles --description 'a comment'");
    assert_eq!((&minor["version"], &minor["status"]), (&"1.1".into(), &"DRAFT".into()), "{minor}");
    let digest = minor["sha256"].as_str().unwrap();
    assert_eq!(minor["source"], format!("s3://mine/bundles/landing-zone/{digest}.tar.gz"));
    shell.ok(&format!("aws s3 cp --quiet {} got.tar.gz", minor["source"].as_str().unwrap()));
    assert!(shell.ok("sha256sum got.tar.gz").starts_with(digest));
    shell.run("$HADRON bundle push landing-zone --new-major --force").succeeded().printed("landing-zone 2.0 DRAFT");
    shell.run("$HADRON bundle push landing-zone --major 1 --force").succeeded().printed("landing-zone 1.2 DRAFT");
    shell.run("$HADRON bundle push landing-zone --major 7").failed(1, &["the next new major version is 3"]);
}

#[test]
fn a_service_goes_with_the_environments_of_the_version_before() {
    let plane = Plane::serve(Start::default());
    let shell = author(Some(&plane));
    shell.ok("$HADRON bundle push landing-zone --create --publish");
    shell.run("$HADRON bundle push web-service --create").failed(2, &["--compatible TEMPLATE:MAJOR"]);
    shell.run("aws proton get-service-template --name web-service").failed(255, &["ResourceNotFoundException"]);
    shell
        .run("$HADRON bundle push web-service --create --compatible landing-zone:1 --components --publish")
        .succeeded()
        .printed("web-service 1.0 PUBLISHED");
    shell.ok("echo '# more' >> web-service/instance_infrastructure/main.tf");
    shell.run("$HADRON bundle push web-service").succeeded().printed("web-service 1.1 DRAFT");
    let get = "aws proton get-service-template-version --template-name web-service --major-version 1 --minor-version 1";
    let version = shell.json(get);
    let version = &version["serviceTemplateVersion"];
    assert_eq!(version["compatibleEnvironmentTemplates"][0]["templateName"], "landing-zone");
    assert_eq!(version["supportedComponentSources"], Value::from(vec!["DIRECTLY_DEFINED"]));
    shell.run("$HADRON bundle push examples/component").failed(4, &["only a whole bundle can be packed"]);
}

#[test]
fn a_refused_bundle_is_told_in_the_same_words_before_and_after_the_upload() {
    let plane = Plane::serve(Start::default());
    let shell = author(Some(&plane));
    shell.ok("$HADRON bundle push landing-zone --create --publish");
    // What specs of 1.0 could trip over.
    shell.ok("cp -r landing-zone narrow && sed -i 's/enum: .*/enum: [30]/' narrow/schema/schema.yaml");
    let narrow = shell.run("$HADRON bundle push narrow --template landing-zone");
    assert!(narrow.code == 4 && narrow.stderr.contains("--new-major"), "{narrow:?}");
    let said = problems(&narrow.stderr);
    let registered = shell.run("$HADRON bundle push narrow --template landing-zone --force");
    assert!(
        registered.code == 4 && registered.stderr.contains("the registration of landing-zone 1.1 failed"),
        "{registered:?}"
    );
    assert_eq!(problems(&registered.stderr), said);

    shell.ok("cp -r landing-zone broken && echo 'variable \"environment\" {}' > broken/infrastructure/variables.tf");
    shell.ok("sed -i 's/type: integer/type: int/' broken/schema/schema.yaml");
    let broken = shell.run("$HADRON bundle push broken --template landing-zone");
    assert_eq!(broken.code, 4, "{broken:?}");
    let said = problems(&broken.stderr);
    assert!(said.len() >= 2 && said.iter().any(|line| line.contains("variables.tf:1:1")), "{said:?}");
    let registered = shell.run("$HADRON bundle push broken --template landing-zone --force");
    assert_eq!((registered.code, problems(&registered.stderr)), (4, said));
}

/// The problems in what was said: lines that begin with a file of the bundle.
fn problems(said: &str) -> Vec<String> {
    let of_a_file = |line: &&str| line.starts_with("schema/") || line.starts_with("infrastructure/");
    said.lines().filter(of_a_file).map(str::to_owned).collect()
}
