//! The kept numbers against counting one by one.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{current, fold, full_count};
use crate::control_plane::records::{
    Component, Environment, Pipeline, Progress, Service, ServiceInstance, Template, TemplateKind, Version, VersionRef,
};
use crate::control_plane::store::{Document, StoreError, Stored, Transaction, Typed};
use crate::control_plane::test_plane::{TestPlane, service_of};
use crate::domain::Scope;
use hadron_model::{DeploymentStatus, ServiceStatus};

/// One change of the record. Names are few, so that changes meet.
#[derive(Debug, Clone)]
enum Change {
    Recommend(TemplateKind, usize, Option<Version>),
    Environment(usize, Option<(usize, Version, DeploymentStatus)>),
    Instance(usize, usize, Option<(usize, Version, DeploymentStatus)>),
    Pipeline(usize, Option<(usize, Version, DeploymentStatus)>),
    Service(usize, Option<ServiceStatus>),
    Fold,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn versions() -> impl Strategy<Value = Version> {
    (1_u64..3, 0_u64..3).prop_map(|(major, minor)| Version { major, minor })
}

fn made_of() -> impl Strategy<Value = Option<(usize, Version, DeploymentStatus)>> {
    use DeploymentStatus as S;
    let status = prop_oneof![Just(S::Succeeded), Just(S::Failed), Just(S::InProgress), Just(S::DeleteFailed)];
    prop::option::weighted(0.8, (0..NAMES.len(), versions(), status))
}

fn changes() -> impl Strategy<Value = Change> {
    let kind = prop_oneof![Just(TemplateKind::Environment), Just(TemplateKind::Service)];
    let service = prop_oneof![Just(ServiceStatus::Active), Just(ServiceStatus::UpdateFailed)];
    let name = 0..NAMES.len();
    prop_oneof![
        (kind, name.clone(), prop::option::of(versions()))
            .prop_map(|(kind, name, at)| Change::Recommend(kind, name, at)),
        (name.clone(), made_of()).prop_map(|(name, of)| Change::Environment(name, of)),
        (name.clone(), name.clone(), made_of()).prop_map(|(of, name, it)| Change::Instance(of, name, it)),
        (name.clone(), made_of()).prop_map(|(name, of)| Change::Pipeline(name, of)),
        (name, prop::option::of(service)).prop_map(|(name, status)| Change::Service(name, status)),
        Just(Change::Fold),
    ]
}

/// Makes a document what it is to be, whether it is there already or not.
fn put<T: Document>(tx: &mut dyn Transaction, scope: &Scope, key: &str, value: Option<T>) -> Result<(), StoreError> {
    let known: Option<Stored<T>> = tx.get(scope, key)?;
    match (known, value) {
        (None, None) => Ok(()),
        (None, Some(value)) => tx.add(scope, &value),
        (Some(known), None) => tx.delete(scope, &known),
        (Some(mut known), Some(value)) => {
            known.value = value;
            tx.save(scope, &mut known)
        }
    }
}

fn progress(status: DeploymentStatus) -> Progress {
    Progress { status, ..Progress::starting(0) }
}

fn reference(template: usize, version: Version) -> VersionRef {
    VersionRef { template: NAMES[template].into(), version }
}

fn make(tx: &mut dyn Transaction, scope: &Scope, change: &Change) -> Result<(), StoreError> {
    match change.clone() {
        Change::Recommend(kind, name, recommended) => {
            let name = NAMES[name].to_owned();
            let key = Template::key_of(kind, &name);
            let template = Template {
                kind,
                name,
                created_at: 0,
                last_modified_at: 0,
                description: None,
                display_name: None,
                encryption_key: None,
                customer_managed: false,
                recommended,
            };
            put(tx, scope, &key, Some(template))
        }
        Change::Environment(name, of) => {
            let name = NAMES[name];
            let made = of.map(|(template, version, status)| Environment {
                name: name.into(),
                created_at: 0,
                description: None,
                template: reference(template, version),
                spec: String::new(),
                progress: progress(status),
                proton_service_role_arn: None,
                codebuild_role_arn: None,
                component_role_arn: None,
                environment_account_connection_id: None,
                environment_account_id: None,
                provisioning_repository: None,
                executor: crate::control_plane::records::Executor::Agent,
                requests: None,
            });
            put(tx, scope, name, made)
        }
        Change::Instance(service, name, of) => {
            let (service, name) = (NAMES[service], NAMES[name]);
            let made = of.map(|(template, version, status)| ServiceInstance {
                name: name.into(),
                service: service.into(),
                environment: "dev".into(),
                created_at: 0,
                template: reference(template, version),
                spec: String::new(),
                progress: progress(status),
                last_client_request_token: None,
                component: None,
            });
            put(tx, scope, &ServiceInstance::key_of(service, name), made)
        }
        Change::Pipeline(service, of) => {
            let service = NAMES[service];
            let made = of.map(|(template, version, status)| Pipeline {
                service: service.into(),
                created_at: 0,
                template: reference(template, version),
                spec: String::new(),
                progress: progress(status),
            });
            put(tx, scope, service, made)
        }
        Change::Service(name, status) => {
            let template = reference(0, Version { major: 1, minor: 0 });
            let made = status.map(|status| Service { status, ..service_of(NAMES[name], &template, "", 0) });
            put(tx, scope, NAMES[name], made)
        }
        Change::Fold => Ok(()),
    }
}

#[test]
fn whatever_changes_the_kept_numbers_are_the_counted_ones() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(prop::collection::vec(changes(), 1..4), 1..16), |transactions| {
            runtime.block_on(hold(transactions))
        })
        .unwrap();
}

/// Makes the changes, some of them in one transaction, and compares after each.
async fn hold(transactions: Vec<Vec<Change>>) -> Result<(), TestCaseError> {
    let test = TestPlane::new().await;
    for changes in transactions {
        if changes.iter().any(|change| matches!(change, Change::Fold)) {
            fold(&test.plane.store).await.unwrap();
        }
        let (scope, told) = (test.scope.clone(), format!("{changes:?}"));
        test.write(move |tx| Ok(changes.iter().try_for_each(|change| make(tx, &scope, change))?)).await.unwrap();
        let scope = test.scope.clone();
        let compared =
            test.plane.store.read::<_, StoreError, _>(move |tx| Ok((current(tx, &scope)?, full_count(tx, &scope)?)));
        let (kept, counted) = compared.await.unwrap();
        prop_assert_eq!(kept, counted, "after {}", told);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_is_rolled_back_counts_for_nothing() {
    let test = TestPlane::new().await;
    let scope = test.scope.clone();
    let refused: Result<(), _> = test
        .write(move |tx| {
            make(tx, &scope, &Change::Service(0, Some(ServiceStatus::Active)))?;
            Err(crate::control_plane::wire::ProtonError::validation("no"))
        })
        .await;
    refused.unwrap_err();
    let scope = test.scope.clone();
    let kept = test.plane.store.read::<_, StoreError, _>(move |tx| current(tx, &scope)).await.unwrap();
    assert_eq!(kept, super::Counts::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn components_and_templates_are_counted() {
    let test = TestPlane::new().await;
    let component = Component {
        name: "queue".into(),
        environment: "dev".into(),
        attached_to: None,
        created_at: 0,
        last_modified_at: 0,
        description: None,
        manifest: String::new(),
        template_file: String::new(),
        service_spec: None,
        progress: progress(DeploymentStatus::Failed),
        last_client_request_token: None,
    };
    test.add(component).await;
    let scope = test.scope.clone();
    let kept = test.plane.store.read::<_, StoreError, _>(move |tx| current(tx, &scope)).await.unwrap();
    assert_eq!((kept.components.total, kept.components.failed), (1, 1));
}
