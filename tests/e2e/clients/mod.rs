//! The clients that people already have, unmodified: the AWS CLI, boto3, AWS's JavaScript SDK, the Backstage plugin.
//!
//! What one writes another reads, after a restart of the server; every answer on the way is held against the model.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hadron_model::Operation;
use rusqlite::Connection;
use tempfile::TempDir;

use self::witness::Witness;
use crate::client::{Client, ask, environment_bundle, service_bundle};
use crate::proxy::Proxy;
use crate::support::npm;
use crate::support::plane::{Plane, Start, binary, free_port};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

/// The scripts that run in the clients' own languages.
const SCRIPTS: [(&str, &str); 4] = [
    ("playbook.py", include_str!("playbook.py")),
    ("boto.py", include_str!("boto.py")),
    ("sdk.mjs", include_str!("sdk.mjs")),
    ("backstage.cjs", include_str!("backstage.cjs")),
];

/// A deployment that takes as many seconds as its input says.
fn slow(input: &str) -> String {
    format!(
        "resource \"terraform_data\" \"wait\" {{\n  triggers_replace = [{input}]\n  provisioner \"local-exec\" {{\n    \
         command = \"sleep ${{{input} == \"\" ? 0 : {input}}}\"\n  }}\n}}\n\noutput \"Said\" {{\n  value = \"yes\"\n}}\n"
    )
}

/// A server with the archives of two templates in its bucket, and a shell whose clients talk to it through a witness.
struct Bench {
    plane: Plane,
    witness: Arc<Witness>,
    _proxy: Proxy,
    shell: Shell,
}

impl Bench {
    async fn begin(env: BTreeMap<String, String>) -> Self {
        let plane = Plane::up(Start { port: free_port(), ..Start::default() });
        let witness = Arc::new(Witness::default());
        let upstream = plane.endpoint().strip_prefix("http://").unwrap().to_owned();
        let proxy = Proxy::start(upstream, &witness).await;
        let client = Client::of(&plane).await;
        client.upload("network.tar.gz", environment_bundle(&["pause"], &slow("var.environment.inputs.pause"))).await;
        let instance = slow("var.service_instance.inputs.word");
        client.upload("app.tar.gz", service_bundle(&instance, &slow("var.pipeline.inputs.word"))).await;
        let mut env: BTreeMap<_, _> = plane.exported().clone().into_iter().chain(env).collect();
        env.insert("AWS_ENDPOINT_URL".into(), proxy.url());
        let shell = Shell::new(Tools::get(), &env);
        for (name, text) in SCRIPTS {
            shell.file(name, text);
        }
        Self { plane, witness, _proxy: proxy, shell }
    }

    /// Fails the test unless every one of Proton's operations was answered, and each answer as the model says.
    fn has_seen_everything(&self) {
        self.witness.is_content();
        let answered = self.witness.answered();
        let missing = Operation::ALL.iter().map(|one| one.name()).filter(|name| !answered.contains(name));
        assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "nobody has asked for these");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_client_writes_the_others_read_after_a_restart() {
    let packages = npm::folder().join("node_modules").display().to_string();
    let mut bench = Bench::begin([("NODE_PATH".to_owned(), packages)].into()).await;
    let python = Tools::get().python().display().to_string();
    bench.shell.ok(&format!("{python} playbook.py build seen.json"));
    bench.plane.crash_and_restart();
    let read = bench.shell.json(&format!("{python} boto.py seen.json"));
    assert_eq!((&read["paginators"], &read["waiters"]), (&21.into(), &10.into()));
    let read = bench.shell.json("node sdk.mjs seen.json");
    assert_eq!((&read["paginators"], &read["waiters"]), (&21.into(), &10.into()));
    rust_reads(&bench).await;
    let service = bench.shell.ok("aws proton get-service --name shop --query service.arn --output text");
    bench.shell.ok(&format!("AWS_ENDPOINT_URL_PROTON=$AWS_ENDPOINT_URL node backstage.cjs {service}"));
    bench.shell.ok("aws proton wait service-created --name from-backstage");
    bench
        .shell
        .ok("aws proton delete-service --name from-backstage && aws proton wait service-deleted --name from-backstage");
    bench.shell.ok(&format!("{python} playbook.py rest"));
    bench.has_seen_everything();
}

/// AWS's Rust SDK: typed answers, a paginator.
async fn rust_reads(bench: &Bench) {
    let client = Client::of(&bench.plane).await;
    let service = ask!(client.proton.get_service().name("shop")).service.unwrap();
    assert_eq!(service.pipeline.unwrap().template_name, "app");
    let pages = client.proton.list_service_instances().max_results(1).into_paginator().items().send();
    let names: Vec<_> = pages.try_collect().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_have_forgotten_proton_work_again_with_the_installed_models() {
    let forgetful = Forgetful::install();
    let bench = Bench::begin(BTreeMap::new()).await;
    let python = forgetful.python();
    let lost = format!("{python} -c 'from awscli.clidriver import main; exit(main())' proton list-environments");
    bench.shell.run(&lost).failed(2, &["Invalid choice"]);
    bench.shell.ok(&format!(
        "HADRON_ENDPOINT=$AWS_ENDPOINT_URL HADRON_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID \
         HADRON_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY {} client install",
        binary().display()
    ));
    // From here on the profile says where and who.
    let run = |script: &str| {
        let unset = "unset AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; export AWS_PROFILE=hadron";
        bench.shell.ok(&format!("{unset}; {python} {script}"))
    };
    run("playbook.py build seen.json");
    run("boto.py seen.json");
    run("playbook.py rest");
    bench.has_seen_everything();
}

/// The AWS CLI and boto3 as they will be once AWS has removed Proton from them.
struct Forgetful(TempDir);

impl Forgetful {
    /// A copy of the tools' Python environment, by links, without what it knows of Proton.
    fn install() -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let venv = Tools::get().bin().parent().unwrap().to_owned();
        let shell = Shell::new(Tools::get(), &BTreeMap::new());
        let copy = folder.path().join("venv");
        shell.ok(&format!("cp -al {} {}", venv.display(), copy.display()));
        // The AWS CLI brings a botocore of its own.
        for botocore in ["botocore", "awscli/botocore"] {
            shell.ok(&format!("rm -r {}/lib/python3*/site-packages/{botocore}/data/proton", copy.display()));
        }
        Self(folder)
    }

    fn python(&self) -> String {
        self.0.path().join("venv/bin/python").display().to_string()
    }
}

/// Answers come out of the record and from nowhere else: what is swapped there is swapped here.
#[tokio::test(flavor = "multi_thread")]
async fn two_swapped_rows_swap_their_answers() {
    let mut plane = Plane::serve(Start { port: free_port(), ..Start::default() });
    let client = Client::of(&plane).await;
    for (name, words) in [("one", "the first"), ("two", "the second")] {
        ask!(client.proton.create_environment_template().name(name).description(words));
    }
    assert!(plane.process().terminate(Duration::from_secs(20)).success());
    swap_templates(&plane);
    plane.restart();
    let description = async |name: &str| {
        let found = ask!(client.proton.get_environment_template().name(name)).environment_template.unwrap();
        (found.name, found.description.unwrap())
    };
    assert_eq!(description("one").await, ("two".to_owned(), "the second".to_owned()));
    assert_eq!(description("two").await, ("one".to_owned(), "the first".to_owned()));
}

/// Exchanges the bodies of the record's two templates.
fn swap_templates(plane: &Plane) {
    let record = Connection::open(plane.data().join("hadron.db")).unwrap();
    let mut templates = record.prepare("SELECT id, body FROM records WHERE kind = 'template'").unwrap();
    let rows = templates.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap();
    let rows: Vec<_> = rows.collect::<Result<_, _>>().unwrap();
    let [one, two] = &rows[..] else { panic!("{rows:?}") };
    for (id, body) in [(one.0, &two.1), (two.0, &one.1)] {
        record.execute("UPDATE records SET body = ?2 WHERE id = ?1", (id, body)).unwrap();
    }
}
