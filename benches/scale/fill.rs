//! A record as years of use would leave it, written in large transactions.
//!
//! For each of so many times: a service template with its version, a service of ten instances, an environment, and a
//! hundred deployments of every instance. Every second instance lies in `prod`. The first service alone has what is
//! looked for: its instances in `prod` failed, and the others wait for an agent.
//!
//! All of it is sealed, as the server would have done that.

use hadron::control_plane::records::{
    Action, BundleRef, Deployment, Environment, Executor, Keyring, Progress, Service, ServiceInstance, TargetState,
    Template, TemplateKind, TemplateVersion, Version, VersionRef,
};
use hadron::control_plane::seal::{MasterKey, keyring};
use hadron::control_plane::store::{Sealed, Store, StoreError, Transaction, Typed};
use hadron::domain::{Scope, Target};
use hadron_model::{DeploymentStatus, ServiceStatus, TemplateVersionStatus};

/// Deployments of the smallest record.
pub(crate) const BASE: usize = INSTANCES * DEPLOYMENTS;

/// Instances of a service.
const INSTANCES: usize = 10;

/// Deployments of an instance.
const DEPLOYMENTS: usize = 100;

/// Templates at most: a record of a thousand services stays below Proton's quota of a thousand templates, since it takes
/// a new one in the bench. The last services share one.
const TEMPLATES: usize = 990;

/// Services that one transaction writes, with all that belongs to them.
const AT_ONCE: usize = 10;

const VERSION: Version = Version { major: 1, minor: 0 };

/// When the first deployment was made, in milliseconds since the epoch; the next ones follow a second apart.
pub(crate) const BEGAN: i64 = 1_700_000_000_000;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// So many times the smallest record.
    pub(crate) times: usize,
}

impl Size {
    pub(crate) fn deployments(self) -> usize {
        self.times * BASE
    }
}

/// The id of the deployment with this number.
pub(crate) fn deployment_id(number: usize) -> String {
    format!("{number:08x}-5ca1-4e00-8000-{number:012x}")
}

/// Makes the record's keyring and sees the record through it. The server that opens the record later finds nothing that
/// it would have to seal.
pub(crate) async fn seal(store: &Store, master: [u8; 32]) -> Store {
    let sealer = keyring::open(store, MasterKey::local(master), None, BEGAN).await.unwrap();
    let settled = store.write::<_, StoreError, _>(|tx| {
        let mut keyring = tx.get::<Keyring>(&Keyring::scope(), Keyring::KEY)?.unwrap();
        keyring.resealed = Some(keyring.current.clone());
        tx.save(&Keyring::scope(), &mut keyring)
    });
    settled.await.unwrap();
    store.through(Sealed(sealer))
}

/// Fills an empty record.
pub(crate) async fn fill(store: &Store, size: Size) {
    let first = store.write::<_, StoreError, _>(|tx| {
        tx.add(&scope(), &template(TemplateKind::Environment, "base"))?;
        tx.add(&scope(), &version(TemplateKind::Environment, "base"))?;
        tx.add(&scope(), &environment("prod"))
    });
    first.await.unwrap();
    let services: Vec<usize> = (0..size.times).collect();
    for some in services.chunks(AT_ONCE) {
        let some = some.to_vec();
        let written = store
            .write::<_, StoreError, _>(move |tx| some.iter().try_for_each(|number| add_service(tx, &scope(), *number)));
        written.await.unwrap();
    }
}

pub(crate) fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

fn add_service(tx: &mut dyn Transaction, scope: &Scope, number: usize) -> Result<(), StoreError> {
    let (name, own) = (format!("service-{number}"), format!("env-{number}"));
    let used = VersionRef { template: format!("web-{}", number.min(TEMPLATES - 1)), version: VERSION };
    if number < TEMPLATES {
        tx.add(scope, &template(TemplateKind::Service, &used.template))?;
        tx.add(scope, &version(TemplateKind::Service, &used.template))?;
    }
    tx.add(scope, &environment(&own))?;
    tx.add(scope, &service(&name, &used))?;
    for place in 0..INSTANCES {
        let in_prod = place % 2 == 0;
        let last = match (number, in_prod) {
            (0, true) => DeploymentStatus::Failed,
            (0, false) => DeploymentStatus::InProgress,
            _ => DeploymentStatus::Succeeded,
        };
        let environment = if in_prod { "prod" } else { &own };
        let instance = Instance { name: format!("instance-{place}"), service: &name, environment, used: &used, last };
        instance.add(tx, scope, (number * INSTANCES + place) * DEPLOYMENTS)?;
    }
    Ok(())
}

struct Instance<'a> {
    name: String,
    service: &'a str,
    environment: &'a str,
    used: &'a VersionRef,
    last: DeploymentStatus,
}

impl Instance<'_> {
    /// Adds it with its deployments, whose numbers begin with `first`.
    fn add(&self, tx: &mut dyn Transaction, scope: &Scope, first: usize) -> Result<(), StoreError> {
        let (last, before) = (first + DEPLOYMENTS - 1, first + DEPLOYMENTS - 2);
        let progress = Progress {
            status: self.last,
            last_attempted_deployment_id: Some(deployment_id(last)),
            last_succeeded_deployment_id: Some(deployment_id(before)),
            ..Progress::starting(at(last))
        };
        let instance = ServiceInstance {
            name: self.name.clone(),
            service: self.service.to_owned(),
            environment: self.environment.to_owned(),
            created_at: at(first),
            template: self.used.clone(),
            spec: self.spec(),
            progress,
            last_client_request_token: None,
            component: None,
        };
        tx.add(scope, &instance)?;
        (first..=last).try_for_each(|number| {
            let status = if number == last { self.last } else { DeploymentStatus::Succeeded };
            tx.add(scope, &self.deployment(scope, (first, number), status))
        })
    }

    fn deployment(&self, scope: &Scope, (first, number): (usize, usize), status: DeploymentStatus) -> Deployment {
        let target = Target::ServiceInstance { service: self.service.to_owned(), name: self.name.clone() };
        let state =
            TargetState { template: Some(self.used.clone()), spec: Some(self.spec()), ..TargetState::default() };
        let previous = (number > first).then(|| deployment_id(number - 1));
        let action = if number == first { Action::Create } else { Action::Update };
        Deployment {
            id: deployment_id(number),
            action,
            target_arn: target.arn(scope),
            state_key: format!("{}/{}", self.environment, target.resource()),
            target,
            target_created_at: at(first),
            environment: self.environment.to_owned(),
            status,
            message: None,
            created_at: at(number),
            last_modified_at: at(number),
            completed_at: (status != DeploymentStatus::InProgress).then(|| at(number) + 1),
            initial_state: previous.is_some().then(|| state.clone()),
            target_state: state,
            bundle: bundle(),
            inputs_uri: format!("s3://hadron/inputs/sha256/{}.json", "0".repeat(64)),
            sealed_inputs: Vec::new(),
            outputs: Vec::new(),
            epoch: i64::from(status != DeploymentStatus::InProgress),
            lease: None,
            offer: None,
            ever_claimed: status != DeploymentStatus::InProgress,
            last_attempted_deployment_id: previous.clone(),
            last_succeeded_deployment_id: previous,
            executor: Executor::Agent,
            unpublished: Vec::new(),
            approval: None,
            last_claimed_by: None,
            claimers: Vec::new(),
            imported: false,
        }
    }

    fn spec(&self) -> String {
        let (name, environment) = (&self.name, self.environment);
        format!(
            "proton: ServiceSpec\ninstances:\n  - name: {name}\n    environment: {environment}\n    spec:\n      \
             desired_count: 2\n      port: 8080\n      image: registry.example.com/shop/checkout:1.42.0\n"
        )
    }
}

fn at(number: usize) -> i64 {
    BEGAN + i64::try_from(number).unwrap() * 1000
}

fn bundle() -> BundleRef {
    let digest = "0".repeat(64);
    BundleRef { uri: format!("s3://hadron/bundles/sha256/{digest}"), digest }
}

fn template(kind: TemplateKind, name: &str) -> Template {
    Template {
        kind,
        name: name.to_owned(),
        created_at: BEGAN,
        last_modified_at: BEGAN,
        description: None,
        display_name: None,
        encryption_key: None,
        customer_managed: false,
        recommended: Some(VERSION),
    }
}

fn version(kind: TemplateKind, template: &str) -> TemplateVersion {
    TemplateVersion {
        kind,
        template: template.to_owned(),
        version: VERSION,
        status: TemplateVersionStatus::Published,
        status_message: String::new(),
        created_at: BEGAN,
        last_modified_at: BEGAN,
        published_at: Some(BEGAN),
        description: None,
        source_bucket: "templates".into(),
        source_key: template.to_owned(),
        schema: None,
        bundle: Some(bundle()),
        has_pipeline: false,
        compatible: Vec::new(),
        component_sources: Vec::new(),
    }
}

fn environment(name: &str) -> Environment {
    let progress = Progress { status: DeploymentStatus::Succeeded, ..Progress::starting(BEGAN) };
    Environment {
        name: name.to_owned(),
        created_at: BEGAN,
        description: None,
        template: VersionRef { template: "base".into(), version: VERSION },
        spec: "proton: EnvironmentSpec\nspec:\n  vpc_cidr: 10.0.0.0/16\n".into(),
        progress,
        proton_service_role_arn: None,
        codebuild_role_arn: None,
        component_role_arn: None,
        environment_account_connection_id: None,
        environment_account_id: None,
        provisioning_repository: None,
        executor: Executor::Agent,
        requests: None,
    }
}

fn service(name: &str, used: &VersionRef) -> Service {
    Service {
        name: name.to_owned(),
        created_at: BEGAN,
        last_modified_at: BEGAN,
        description: None,
        template: used.template.clone(),
        template_version: used.clone(),
        spec: "proton: ServiceSpec\ninstances: []\n".into(),
        status: ServiceStatus::Active,
        status_message: None,
        branch_name: None,
        repository_id: None,
        repository_connection_arn: None,
        pending_spec: None,
        pending_added: Vec::new(),
        pending_removed: Vec::new(),
        pipeline_due: false,
        pipeline_before: None,
        removals_begun: Vec::new(),
    }
}
