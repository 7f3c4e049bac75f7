//! Keys that are bound to groups or environments.

use hadron_model::hadron::Role;
use serde_json::json;

use super::{asked, key, owned, owner_tag};
use crate::control_plane::records::{Component, Progress};
use crate::control_plane::test_plane::{TestPlane, service_spec};

/// Services `pay` of the group `payments` and `shop` of `sales`, each with an instance in `dev` and, of `shop`, in
/// `prod`.
async fn scene() -> TestPlane {
    let test = TestPlane::new().await;
    for environment in ["dev", "prod"] {
        test.settled_environment(environment, &[]).await;
    }
    test.settled_instance("pay", "api", "dev").await;
    test.settled_instance("shop", "web", "dev").await;
    test.settled_instance("shop", "live", "prod").await;
    owned(&test, "service/pay", "payments").await;
    owned(&test, "service/shop", "sales").await;
    test
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_changes_only_what_a_group_of_theirs_owns() {
    let test = scene().await;
    let call = key(&test, Role::Developer, &["payments", "platform"], &[]);
    let mut table = String::new();
    for (operation, input) in [
        ("UpdateService", json!({"name": "pay"})),
        ("UpdateService", json!({"name": "shop"})),
        ("UpdateService", json!({"name": "nobody"})),
        ("DeleteService", json!({"name": "shop"})),
        ("UpdateServiceInstance", json!({"serviceName": "pay", "name": "api"})),
        ("UpdateServiceInstance", json!({"serviceName": "shop", "name": "web"})),
        ("CancelServiceInstanceDeployment", json!({"serviceName": "shop", "serviceInstanceName": "web"})),
        ("CreateServiceInstance", json!({"serviceName": "pay", "name": "new"})),
        ("CreateServiceInstance", json!({"serviceName": "shop", "name": "new", "tags": owner_tag("payments")})),
        ("UpdateServicePipeline", json!({"serviceName": "pay"})),
        ("CancelServicePipelineDeployment", json!({"serviceName": "shop"})),
        ("CreateService", json!({"name": "new"})),
        ("CreateService", json!({"name": "new", "tags": owner_tag("payments")})),
        ("CreateService", json!({"name": "new", "tags": owner_tag("sales")})),
        ("CreateService", json!({"name": "shop", "tags": owner_tag("payments")})),
        ("GetService", json!({"name": "shop"})),
        ("UpdateEnvironment", json!({"name": "dev"})),
    ] {
        let answer = if asked(&test, &call, operation, input.clone()).await.is_none() { "yes" } else { "-" };
        table += &format!("{answer:<4}{operation} {input}\n");
    }
    insta::assert_snapshot!(table);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_no_way_around_the_owner() {
    let test = scene().await;
    let call = key(&test, Role::Developer, &["payments", "platform"], &[]);
    let (mine, theirs) = (test.scope.arn("service/pay"), test.scope.arn("service/shop"));
    let instance = test.scope.arn("service/shop/service-instance/web");
    let tag = |arn: &str, owner: &str| json!({"resourceArn": arn, "tags": owner_tag(owner)});
    let ask = |operation, input| asked(&test, &call, operation, input);
    // Among their own groups, and any other tag.
    assert_eq!(ask("TagResource", tag(&mine, "platform")).await, None);
    assert_eq!(ask("TagResource", json!({"resourceArn": mine, "tags": [{"key": "a", "value": "b"}]})).await, None);
    assert_eq!(ask("UntagResource", json!({"resourceArn": mine, "tagKeys": ["a"]})).await, None);
    // Taking, giving away, leaving behind.
    for input in [tag(&theirs, "payments"), tag(&instance, "payments"), tag(&mine, "sales")] {
        assert!(ask("TagResource", input.clone()).await.unwrap().contains("explicit deny"), "{input}");
    }
    assert!(ask("UntagResource", json!({"resourceArn": mine, "tagKeys": ["owner"]})).await.is_some());
    // What isn't a service's at all.
    let environment = test.scope.arn("environment/dev");
    assert!(ask("TagResource", tag(&environment, "payments")).await.is_some());
    assert!(ask("TagResource", tag("arn:aws:proton:us-east-1:210987654321:service/pay", "payments")).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_its_services_or_its_own_tags() {
    let test = scene().await;
    let call = key(&test, Role::Developer, &["payments"], &[]);
    let now = test.plane.clock.now();
    let component = |name: &str, service: Option<&str>| Component {
        name: name.into(),
        environment: "dev".into(),
        attached_to: service.map(|service| (service.into(), "web".into())),
        created_at: now,
        last_modified_at: now,
        description: None,
        manifest: String::new(),
        template_file: String::new(),
        service_spec: None,
        progress: Progress::starting(now),
        last_client_request_token: None,
    };
    test.add(component("attached", Some("shop"))).await;
    owned(&test, "component/attached", "payments").await;
    test.add(component("free", None)).await;
    owned(&test, "component/free", "payments").await;
    let ask = |operation, input| asked(&test, &call, operation, input);
    assert!(ask("UpdateComponent", json!({"name": "attached"})).await.is_some(), "its service is another group's");
    assert_eq!(ask("UpdateComponent", json!({"name": "free"})).await, None);
    assert_eq!(ask("UpdateComponent", json!({"name": "free", "serviceName": "pay"})).await, None);
    let refused = ask("UpdateComponent", json!({"name": "free", "serviceName": "shop"})).await.unwrap();
    assert!(refused.contains(":service/shop with"), "{refused}");
    let at = |service: &str| json!({"name": "new", "serviceName": service, "serviceInstanceName": "api"});
    assert_eq!(ask("CreateComponent", at("pay")).await, None);
    assert!(ask("CreateComponent", at("shop")).await.is_some());
    assert!(ask("CreateComponent", json!({"name": "new", "environmentName": "dev"})).await.is_some());
    let tagged = json!({"name": "new", "environmentName": "dev", "tags": owner_tag("payments")});
    assert_eq!(ask("CreateComponent", tagged).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_bound_to_environments_changes_nothing_elsewhere() {
    let test = scene().await;
    let call = key(&test, Role::Developer, &[], &["dev"]);
    let ask = |operation, input| asked(&test, &call, operation, input);
    assert_eq!(ask("UpdateServiceInstance", json!({"serviceName": "shop", "name": "web"})).await, None);
    assert!(ask("UpdateServiceInstance", json!({"serviceName": "shop", "name": "live"})).await.is_some());
    assert!(ask("DeleteService", json!({"name": "shop"})).await.is_some(), "one of its instances is in prod");
    let create = |environment: &str| json!({"name": "new", "spec": service_spec("one", environment)});
    assert_eq!(ask("CreateService", create("dev")).await, None);
    assert!(ask("CreateService", create("prod")).await.is_some());
    assert_eq!(ask("UpdateService", json!({"name": "pay", "spec": service_spec("api", "dev")})).await, None);
    assert!(ask("UpdateService", json!({"name": "pay", "spec": service_spec("api", "prod")})).await.is_some());
    let component = |environment: &str| json!({"name": "new", "environmentName": environment});
    assert_eq!(ask("CreateComponent", component("dev")).await, None);
    assert!(ask("CreateComponent", component("prod")).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unbound_developer_works_on_every_service() {
    let test = scene().await;
    let call = key(&test, Role::Developer, &[], &[]);
    assert_eq!(asked(&test, &call, "UpdateService", json!({"name": "shop"})).await, None);
    assert_eq!(asked(&test, &call, "CreateService", json!({"name": "new"})).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_agent_works_on_its_environments_alone() {
    let test = scene().await;
    let call = key(&test, Role::Agent, &[], &["dev"]);
    let ask = |operation, input| asked(&test, &call, operation, input);
    let notify = |resource: &str| json!({"resourceArn": test.scope.arn(resource), "status": "IN_PROGRESS"});
    let operation = "NotifyResourceDeploymentStatusChange";
    assert_eq!(ask(operation, notify("environment/dev")).await, None);
    assert_eq!(ask(operation, notify("service/pay/service-instance/api")).await, None);
    assert_eq!(ask(operation, notify("service/pay/pipeline")).await, None);
    assert!(ask(operation, notify("service/shop/pipeline")).await.is_some(), "an instance of shop is in prod");
    assert!(ask(operation, notify("service/gone/pipeline")).await.is_some());
    insta::assert_snapshot!(ask(operation, notify("environment/prod")).await.unwrap(), @"User: arn:aws:iam::123456789012:user/test is not authorized to perform: proton:NotifyResourceDeploymentStatusChange on resource: arn:aws:proton:us-east-1:123456789012:environment/prod with an explicit deny in a policy: agent-environments");
    assert_eq!(ask("GetService", json!({"name": "shop"})).await, None);
    assert!(ask("GetServiceInstance", json!({"serviceName": "shop", "name": "live"})).await.is_some());
    insta::assert_snapshot!(ask("CreateService", json!({"name": "new"})).await.unwrap(), @"User: arn:aws:iam::123456789012:user/test is not authorized to perform: proton:CreateService on resource: arn:aws:proton:us-east-1:123456789012:service/new because no policy allows it");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_claimed_a_deployment_may_bring_it_to_its_end() {
    let test = scene().await;
    let begun = test.instance("pay", "live", "prod").await;
    let claimer = test.agent("elsewhere");
    claimer.claim(&begun).await.unwrap();
    let mut call = key(&test, Role::Agent, &[], &["dev"]);
    let input = json!({"resourceArn": begun.target_arn, "deploymentId": begun.id, "status": "SUCCEEDED"});
    let operation = "NotifyResourceDeploymentStatusChange";
    assert!(asked(&test, &call, operation, input.clone()).await.is_some());
    call.caller.access_key = claimer.access_key.clone();
    assert_eq!(asked(&test, &call, operation, input).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_whoever_deploys_a_bundle_may_record_its_provider_lock_and_only_meanwhile() {
    use crate::control_plane::authority::ObjectAction;
    use crate::control_plane::object_server::object;
    use crate::control_plane::store::{StoreError, Transaction};
    let test = scene().await;
    let begun = test.instance("pay", "live", "prod").await;
    let claimer = test.agent("elsewhere");
    let may = async |key: &str, digest: &str| {
        let wish = (ObjectAction::PutObject, "hadron".to_owned(), Some(format!("locks/sha256/{digest}/instance.hcl")));
        let (account, key) = ("123456789012".to_owned(), key.to_owned());
        let look = move |tx: &mut dyn Transaction| object(tx, (&account, &key), &wish, "999999999999");
        let found = test.plane.store.read::<_, StoreError, _>(look).await.unwrap();
        // An agent of another account than the installation's may, too.
        assert_eq!(found.claimed, found.account == "123456789012");
        found.claimed
    };
    let digest = begun.bundle.digest.clone();
    assert!(!may(&claimer.access_key, &digest).await, "nobody has claimed it");
    let epoch = claimer.claim(&begun).await.unwrap();
    assert!(may(&claimer.access_key, &digest).await);
    assert!(!may("AKIDOTHER", &digest).await);
    assert!(!may(&claimer.access_key, "another").await);
    claimer.succeed(&begun, epoch, &[]).await.unwrap();
    assert!(!may(&claimer.access_key, &digest).await, "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_agent_is_offered_only_what_it_may_claim() {
    use hadron_model::{ListDeploymentsInput, Proton};
    let test = TestPlane::new().await;
    test.settled_environment("dev", &[]).await;
    test.settled_environment("prod", &[]).await;
    test.instance("pay", "api", "dev").await;
    test.instance("pay", "live", "prod").await;
    let offered = async |environments: &[&str], header: bool| {
        let mut call = key(&test, Role::Agent, &[], environments);
        if header {
            let name = format!("agent-of-{}", environments.join("-"));
            call.headers.insert("x-hadron-agent", name.parse().unwrap());
        }
        let found = test.plane.list_deployments(&mut call, ListDeploymentsInput::default()).await.unwrap();
        test.advance(6_000);
        let mut seen: Vec<String> = found.deployments.into_iter().filter_map(|it| it.service_instance_name).collect();
        seen.sort();
        seen
    };
    assert_eq!(offered(&["dev"], true).await, ["api"]);
    assert_eq!(offered(&["prod"], true).await, ["live"]);
    assert_eq!(offered(&["staging"], true).await, Vec::<String>::new());
    assert_eq!(offered(&[], true).await, ["api", "live"]);
    assert_eq!(offered(&["dev"], false).await, ["api"], "nor does its history show others");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_resource_is_refused_as_one_that_is_there() {
    let test = scene().await;
    let call = key(&test, Role::ReadOnly, &[], &[]);
    let there = asked(&test, &call, "DeleteEnvironment", json!({"name": "dev"})).await.unwrap();
    let missing = asked(&test, &call, "DeleteEnvironment", json!({"name": "away"})).await.unwrap();
    assert_eq!(there.replace("dev", "away"), missing);
}
