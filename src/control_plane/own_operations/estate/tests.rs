//! An estate of every kind of target, registered, held back and adopted through the operations.

use hadron_model::hadron::{
    AdoptTargetInput, AdoptionGroup, Hadron, ImportEstateInput, ImportOutcome, ImportResult, ImportedComponent,
    ImportedEnvironment, ImportedInstance, ImportedOutput, ImportedPipeline, ImportedService, ListQuarantinedInput,
    PushStateInput, RecordAdoptionPlanInput, StateAt, VersionOf,
};
use hadron_model::{
    ComponentDeploymentUpdateType, DeleteComponentInput, DeleteServiceInput, DeploymentStatus, DeploymentUpdateType,
    GetDeploymentInput, Proton, ResourceDeploymentStatus, UpdateComponentInput, UpdateEnvironmentInput,
};

use crate::control_plane::records::{
    CompatibleTemplate, Component, Deployment, Environment, Imported, Pipeline, Service, ServiceInstance, TemplateKind,
};
use crate::control_plane::store::Typed;
use crate::control_plane::test_plane::{TestPlane, environment, report};
use crate::control_plane::wire::ProtonError;

const NET: &str = "schema:\n  format: {openapi: \"3.0.0\"}\n  environment_input_type: In\n  types:\n    In:\n      \
                   type: object\n      properties: {cidr: {type: string}}\n";
const WEB: &str = "schema:\n  format: {openapi: \"3.0.0\"}\n  service_input_type: In\n  pipeline_input_type: In\n  \
                   types:\n    In:\n      type: object\n      properties: {port: {type: integer}}\n";
const DEV: &str = "proton: EnvironmentSpec\nspec: {cidr: 10.0.0.0/16}\n";
const PAY: &str = "proton: ServiceSpec\npipeline: {port: 1}\ninstances:\n  - name: api\n    environment: dev\n    spec: \
                   {port: 80}\n";
const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: q.tf\n      rendering_engine: hcl\n      template_language: terraform\n";

const ENVIRONMENT: &str = "a149878a-4688-4369-84ba-e7569404acab";
const INSTANCE: &str = "b249878a-4688-4369-84ba-e7569404acab";

/// A plane with the versions that the estate uses, gaps among them.
async fn plane() -> TestPlane {
    let test = TestPlane::new().await;
    test.version(TemplateKind::Environment, "net", (1, 3), NET).await;
    test.version_with(TemplateKind::Service, "web", (2, 1), WEB, |_, version| {
        version.has_pipeline = true;
        version.compatible = vec![CompatibleTemplate { template: "net".into(), major: 1 }];
    })
    .await;
    test
}

fn version(template: &str, (major, minor): (i64, i64)) -> VersionOf {
    VersionOf { template_name: template.into(), major, minor }
}

fn outputs(pairs: &[(&str, &str)]) -> Option<Vec<ImportedOutput>> {
    let output = |(key, value): &(&str, &str)| ImportedOutput { key: (*key).into(), value: (*value).into() };
    Some(pairs.iter().map(output).collect())
}

fn at(key: &str) -> Option<StateAt> {
    let (region, role) = (Some("eu-west-1".into()), Some("arn:aws:iam::123456789012:role/state".into()));
    Some(StateAt { bucket: "states".into(), key: key.into(), region, role })
}

/// An environment, a service with an instance and a pipeline, and a component at that instance.
fn estate(test: &TestPlane) -> ImportEstateInput {
    let arn = |resource: &str| test.scope.arn(resource);
    let instance = ImportedInstance {
        arn: arn("service/pay/service-instance/api"),
        environment_name: "dev".into(),
        version: version("web", (2, 1)),
        deployment_id: Some(INSTANCE.into()),
        spec: PAY.into(),
        outputs: outputs(&[("url", "https://api")]),
        state: at("dev/pay-api/terraform.tfstate"),
    };
    let pipeline = ImportedPipeline {
        arn: arn("service/pay/pipeline"),
        version: version("web", (2, 1)),
        deployment_id: None,
        spec: PAY.into(),
        outputs: None,
        state: at("pay/pipelineterraform.tfstate"),
    };
    let service = ImportedService {
        arn: arn("service/pay"),
        template_name: "web".into(),
        spec: PAY.into(),
        description: None,
        branch_name: Some("main".into()),
        repository_connection_arn: None,
        repository_id: Some("o/r".into()),
        instances: vec![instance],
        pipeline: Some(pipeline),
    };
    let component = ImportedComponent {
        arn: arn("component/queue"),
        environment_name: "dev".into(),
        service_name: Some("pay".into()),
        service_instance_name: Some("api".into()),
        manifest: MANIFEST.into(),
        template_file: "resource \"terraform_data\" \"q\" {}\n".into(),
        service_spec: None,
        description: None,
        deployment_id: None,
        outputs: outputs(&[("queue", "q-1")]),
        state: None,
    };
    let environment = ImportedEnvironment {
        arn: arn("environment/dev"),
        version: version("net", (1, 3)),
        deployment_id: Some(ENVIRONMENT.into()),
        spec: DEV.into(),
        description: None,
        account_id: None,
        outputs: outputs(&[("vpc", "vpc-1")]),
        state: at("dev/terraform.tfstate"),
    };
    ImportEstateInput {
        template_versions: None,
        environments: Some(vec![environment]),
        services: Some(vec![service]),
        components: Some(vec![component]),
    }
}

async fn import(test: &TestPlane, input: ImportEstateInput) -> Result<Vec<ImportResult>, ProtonError> {
    Ok(test.plane.import_estate(&mut test.call(), input).await?.results)
}

async fn imported() -> TestPlane {
    let test = plane().await;
    let results = import(&test, estate(&test)).await.unwrap();
    assert!(results.iter().all(|it| it.outcome == ImportOutcome::Imported), "{results:?}");
    assert_eq!(results.len(), 5);
    test.publish().await;
    test
}

fn outcomes(results: &[ImportResult]) -> Vec<ImportOutcome> {
    results.iter().map(|it| it.outcome).collect()
}

fn update(kind: DeploymentUpdateType) -> UpdateEnvironmentInput {
    UpdateEnvironmentInput {
        codebuild_role_arn: None,
        component_role_arn: None,
        deployment_type: kind,
        description: None,
        environment_account_connection_id: None,
        name: "dev".into(),
        proton_service_role_arn: None,
        provisioning_repository: None,
        spec: None,
        template_major_version: None,
        template_minor_version: None,
    }
}

/// Records a plan of a target, and gives its digest.
async fn plan(test: &TestPlane, arn: &str, group: AdoptionGroup, state: Option<&str>) -> String {
    let deployment_id = test.get::<Imported>(arn).await.unwrap().deployment.clone().unwrap();
    let input = RecordAdoptionPlanInput {
        target_arn: arn.into(),
        deployment_id,
        state_digest: state.map(str::to_owned),
        group,
        summary: "0 to add, 0 to change, 0 to destroy".into(),
        message: None,
    };
    test.plane.record_adoption_plan(&mut test.call(), input).await.unwrap().plan.digest
}

async fn adopt(
    test: &TestPlane,
    arn: &str,
    plan: &str,
    state: Option<&str>,
    replaces: bool,
) -> Result<(), ProtonError> {
    let input = AdoptTargetInput {
        target_arn: arn.into(),
        plan_digest: plan.into(),
        state_digest: state.map(str::to_owned),
        replaces: Some(replaces),
    };
    test.plane.adopt_target(&mut test.call(), input).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estate_stands_as_it_stood_and_nothing_of_it_is_deployed() {
    let test = imported().await;
    let dev = test.get::<Environment>("dev").await.unwrap();
    assert_eq!(dev.progress.status, DeploymentStatus::Succeeded);
    assert_eq!(dev.progress.last_succeeded_deployment_id.as_deref(), Some(ENVIRONMENT));
    assert_eq!((dev.spec.as_str(), dev.template.version.to_string()), (DEV, "1.3".to_owned()));
    let service = test.get::<Service>("pay").await.unwrap();
    assert_eq!((service.spec.as_str(), service.branch_name.as_deref()), (PAY, Some("main")));
    let api = test.get::<ServiceInstance>("pay/api").await.unwrap();
    assert_eq!(api.progress.last_succeeded_deployment_id.as_deref(), Some(INSTANCE));
    assert_eq!(api.component.as_deref(), Some("queue"));
    assert_eq!(test.get::<Pipeline>("pay").await.unwrap().progress.status, DeploymentStatus::Succeeded);
    let of_instance = test.deployment(INSTANCE).await;
    assert_eq!(of_instance.target_state.environment_deployment_id.as_deref(), Some(ENVIRONMENT));
    assert_eq!(of_instance.state_key, "dev/pay-api/terraform.tfstate");
    let input = GetDeploymentInput {
        id: INSTANCE.into(),
        component_name: None,
        environment_name: None,
        service_instance_name: None,
        service_name: None,
    };
    let shown = test.plane.get_deployment(&mut test.call(), input).await.unwrap().deployment.unwrap();
    assert_eq!(shown.deployment_status, DeploymentStatus::Succeeded);
    assert!(test.agent("one").poll(10).await.is_empty());
    // Sinks hear of nothing.
    let (scope, arn) = (test.scope.clone(), environment("dev").arn(&test.scope));
    assert!(test.plane.store.read(move |tx| tx.changes(&scope, &arn, 0, 10)).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deployed_was_given_what_the_others_had_put_out() {
    let test = plane().await;
    import(&test, estate(&test)).await.unwrap();
    let inputs = async |id: &str| {
        let deployment = test.deployment(id).await;
        let (scope, address) = (test.scope.clone(), deployment.inputs_uri.clone());
        let bytes = test.plane.store.read(move |tx| tx.blob(&scope, "unpublished", &address)).await.unwrap().unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    };
    let api = inputs(INSTANCE).await;
    assert_eq!(api["environment"]["outputs"]["vpc"], "vpc-1");
    assert_eq!(api["service_instance"]["components"]["default"]["outputs"]["queue"], "q-1");
    let pipeline = test.get::<Pipeline>("pay").await.unwrap().progress.last_succeeded_deployment_id.clone().unwrap();
    assert_eq!(inputs(&pipeline).await["service_instances"][0]["outputs"]["url"], "https://api");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_import_changes_nothing_and_names_what_differs() {
    let test = imported().await;
    let again = import(&test, estate(&test)).await.unwrap();
    assert!(again.iter().all(|it| it.outcome == ImportOutcome::Unchanged), "{again:?}");
    let mut other = estate(&test);
    let environment = &mut other.environments.as_mut().unwrap()[0];
    environment.outputs = outputs(&[("vpc", "vpc-2")]);
    // Where the state lies may have changed since: it is compared by whoever copies it.
    environment.state = None;
    let results = import(&test, other).await.unwrap();
    assert_eq!(outcomes(&results)[0], ImportOutcome::Conflict);
    let told = results[0].message.clone().unwrap();
    assert!(told.contains("with other outputs;"), "{told}");
    let dev = test.get::<Environment>("dev").await.unwrap();
    assert_eq!(dev.progress.outputs.len(), 1);
    assert_eq!(crate::control_plane::deployments::sealed::shown(&dev.progress.outputs)[0].1, "vpc-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_imported_is_left_alone_and_nothing_is_hung_on_it() {
    let test = plane().await;
    let own = test.settled_environment("dev", &[("vpc", "own")]).await;
    let results = import(&test, estate(&test)).await.unwrap();
    let told = results[0].message.clone().unwrap();
    assert!(told.contains("environment dev is here already and wasn't imported"), "{told}");
    let refused: Vec<&str> = results
        .iter()
        .filter(|it| it.outcome == ImportOutcome::Conflict)
        .map(|it| it.arn.rsplit(':').next().unwrap())
        .collect();
    assert_eq!(refused, ["environment/dev", "service/pay/service-instance/api", "component/queue"]);
    assert!(test.get::<Component>("queue").await.is_none());
    let dev = test.get::<Environment>("dev").await.unwrap();
    assert_eq!(dev.progress.last_succeeded_deployment_id, Some(own.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_targets_share_a_state_and_no_arn_changes_its_account() {
    let test = plane().await;
    let mut shared = estate(&test);
    shared.services.as_mut().unwrap()[0].pipeline.as_mut().unwrap().state = at("dev/terraform.tfstate");
    let refused = import(&test, shared).await.unwrap_err();
    assert!(matches!(&refused, ProtonError::Conflict(why) if why.contains("s3://states/dev/terraform.tfstate")));
    assert!(test.get::<Environment>("dev").await.is_none(), "a refused request leaves nothing behind");
    let mut foreign = estate(&test);
    foreign.environments.as_mut().unwrap()[0].arn = "arn:aws:proton:us-east-1:210987654321:environment/dev".into();
    let refused = import(&test, foreign).await.unwrap_err();
    assert!(matches!(&refused, ProtonError::Validation(why) if why.contains("key of its account")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_target_is_neither_deployed_nor_deleted_until_it_is_adopted() {
    let test = imported().await;
    let refused = async |done: Result<(), ProtonError>| match done {
        Err(ProtonError::Conflict(why)) => assert!(why.contains("hadron adopt"), "{why}"),
        other => panic!("{other:?}"),
    };
    let dev = || update(DeploymentUpdateType::CurrentVersion);
    refused(test.plane.update_environment(&mut test.call(), dev()).await.map(drop)).await;
    let delete = DeleteComponentInput { name: "queue".into() };
    let attached = test.plane.delete_component(&mut test.call(), delete).await;
    assert!(matches!(attached, Err(ProtonError::Conflict(_))));
    let detach = UpdateComponentInput {
        client_token: None,
        deployment_type: ComponentDeploymentUpdateType::CurrentVersion,
        description: None,
        name: "queue".into(),
        service_instance_name: Some(String::new()),
        service_name: Some(String::new()),
        service_spec: None,
        template_file: None,
    };
    refused(test.plane.update_component(&mut test.call(), detach).await.map(drop)).await;
    // What deploys nothing goes through.
    test.plane.update_environment(&mut test.call(), update(DeploymentUpdateType::None)).await.unwrap();

    let arn = environment("dev").arn(&test.scope);
    let state = "5".repeat(64);
    refused(adopt(&test, &arn, &"0".repeat(64), Some(&state), false).await).await;
    let stale = plan(&test, &arn, AdoptionGroup::Unchanged, Some(&state)).await;
    // Another state than the one that was planned.
    refused(adopt(&test, &arn, &stale, Some(&"6".repeat(64)), false).await).await;
    let worst = plan(&test, &arn, AdoptionGroup::ReplaceOrDestroy, Some(&state)).await;
    refused(adopt(&test, &arn, &worst, Some(&state), false).await).await;
    adopt(&test, &arn, &worst, Some(&state), true).await.unwrap();
    // An answer that was lost is asked for again.
    adopt(&test, &arn, &worst, Some(&state), true).await.unwrap();

    let listed = test.plane.list_quarantined(&mut test.call(), ListQuarantinedInput::default()).await.unwrap();
    assert_eq!(listed.targets.len(), 3);
    test.plane.update_environment(&mut test.call(), dev()).await.unwrap();
    test.publish().await;
    assert_eq!(test.agent("one").poll(10).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_service_is_refused_before_it_begins_if_a_later_step_would_be() {
    let test = imported().await;
    let arn = test.scope.arn("service/pay/pipeline");
    let planned = plan(&test, &arn, AdoptionGroup::Unchanged, None).await;
    adopt(&test, &arn, &planned, None, false).await.unwrap();
    // The component isn't in the way any more; the instance, which would be destroyed after the pipeline, is.
    let (scope, key) = (test.scope.clone(), ServiceInstance::key_of("pay", "api"));
    test.write(move |tx| {
        let mut api = tx.get::<ServiceInstance>(&scope, &key)?.unwrap();
        api.component = None;
        Ok(tx.save(&scope, &mut api)?)
    })
    .await
    .unwrap();
    let refused = test.plane.delete_service(&mut test.call(), DeleteServiceInput { name: "pay".into() }).await;
    assert!(matches!(&refused, Err(ProtonError::Conflict(why)) if why.contains("hadron adopt")), "{refused:?}");
    assert_eq!(test.get::<Pipeline>("pay").await.unwrap().progress.status, DeploymentStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cant_be_planned_cant_be_adopted() {
    let test = imported().await;
    let arn = environment("dev").arn(&test.scope);
    let failed = plan(&test, &arn, AdoptionGroup::Error, None).await;
    assert!(matches!(adopt(&test, &arn, &failed, None, true).await, Err(ProtonError::Conflict(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_told_where_the_state_lies_and_one_that_would_look_elsewhere_gets_nothing() {
    let test = imported().await;
    let arn = environment("dev").arn(&test.scope);
    let planned = plan(&test, &arn, AdoptionGroup::Unchanged, None).await;
    adopt(&test, &arn, &planned, None, false).await.unwrap();
    let dev = update(DeploymentUpdateType::CurrentVersion);
    test.plane.update_environment(&mut test.call(), dev).await.unwrap();
    test.publish().await;
    let next = test.get::<Environment>("dev").await.unwrap().progress.last_attempted_deployment_id.clone().unwrap();
    let next = test.deployment(&next).await;
    let refused = test.agent("old").claim(&next).await.unwrap_err();
    assert!(matches!(&refused, ProtonError::Conflict(why) if why.contains("s3://states/dev/terraform.tfstate")));
    let claim = report(&arn, Some(&next.id), Some(ResourceDeploymentStatus::InProgress), &[]);
    let headers = [("x-hadron-agent", "new"), ("x-hadron-knows", "state-at")];
    let (claimed, answer) = test.notify("AKIANEW", &headers, claim).await;
    claimed.unwrap();
    let told: serde_json::Value = serde_json::from_str(answer.get("x-hadron-state-at").unwrap()).unwrap();
    assert_eq!(told["bucket"], "states");
    assert_eq!(told["role"], "arn:aws:iam::123456789012:role/state");
    assert_eq!(answer.get("x-hadron-state"), None);
    assert_eq!(answer.get("x-hadron-state-key"), Some("dev/terraform.tfstate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_workflow_that_runs_again_is_heard_and_changes_nothing() {
    let test = imported().await;
    let before = test.get::<Deployment>(INSTANCE).await.unwrap();
    for status in [ResourceDeploymentStatus::Succeeded, ResourceDeploymentStatus::Failed] {
        test.stock(&before, Some(status), &[("url", "another")]).await.unwrap();
    }
    let after = test.get::<Deployment>(INSTANCE).await.unwrap();
    assert_eq!(after.version, before.version);
    assert_eq!(test.get::<ServiceInstance>("pay/api").await.unwrap().progress.outputs.len(), 1);
    assert!(test.agent("one").claim(&before).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_kept_here_only_for_whoever_says_so_and_keeps_its_bytes() {
    let test = imported().await;
    let arn = environment("dev").arn(&test.scope);
    let body = "{ \"version\": 4, \"lineage\": \"l\", \"serial\": 7,   \"resources\": [] }\n";
    let push = async |body: &str, moves| {
        let input = PushStateInput {
            target_arn: arn.clone(),
            body: Some(body.into()),
            force: None,
            parked: None,
            none: None,
            moves: Some(moves),
        };
        test.plane.push_state(&mut test.call(), input).await
    };
    let refused = push(body, false).await.unwrap_err();
    assert!(matches!(&refused, ProtonError::Conflict(why) if why.contains("--copy-state")), "{refused}");
    let state = push(body, true).await.unwrap().state;
    assert_eq!((state.lineage.as_str(), state.serial, state.size), ("l", 7, Some(i64::try_from(body.len()).unwrap())));
    push(body, true).await.unwrap();
    let imported = test.get::<Imported>(&arn).await.unwrap();
    assert_eq!(imported.state, None);
    assert_eq!(imported.moved_from.as_ref().unwrap().bucket, "states");
    let other = body.replace("\"l\"", "\"m\"");
    assert!(matches!(push(&other, true).await, Err(ProtonError::Conflict(_))));
}
