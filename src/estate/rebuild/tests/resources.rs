//! Environments, services and components, and what others tell of them.

use serde_json::json;

use super::estates::{CODE, component, environment, estate, instance, messages, pipeline, place, rebuilt, scope};
use crate::estate::{Dump, EnvConfig, Place, Resource, SiteEntry, rebuild};

#[test]
fn outputs_and_accounts_are_what_most_were_told() {
    let told = |name: &str, vpc: &str| instance(name, "1.0", json!({}), json!({"vpc": vpc, "zone": "a"}), CODE);
    let (rebuilt, troubles) = rebuilt(vec![
        environment("dev", "1.0", json!({}), CODE),
        environment("prod", "1.0", json!({}), CODE),
        told("a", "vpc-old"),
        told("b", "vpc-new"),
        told("c", "vpc-new"),
    ]);
    let [dev, prod] = &rebuilt.environments[..] else { panic!("two environments") };
    assert_eq!(serde_json::Value::from(dev.outputs.clone().unwrap()), json!({"vpc": "vpc-new", "zone": "a"}));
    assert_eq!(dev.account_id.as_deref(), Some("210987654321"));
    assert_eq!((&prod.outputs, &prod.account_id), (&None, &None));
    let messages = messages(&troubles);
    assert_eq!(messages.len(), 1);
    assert!(
        messages[0]
            .starts_with("dev/pay-a: the outputs of environment dev are other here (vpc) than most say (2 of 3)")
    );
    assert!(!messages[0].contains("vpc-old"), "{messages:?}");
}

#[test]
fn pipelines_tell_of_instances_and_instances_of_components() {
    let mut api = instance("api", "1.0", json!({"port": 80}), json!({}), CODE);
    api.values["service_instance"]["components"] = json!({"default": {"name": "queue", "outputs": {"arn": "q"}}});
    let instances = json!([{"name": "api", "inputs": {}, "outputs": {"url": "u"}, "environment": {"name": "dev",
        "account_id": "210987654321", "outputs": {}}}]);
    let (rebuilt, troubles) = rebuilt(vec![
        environment("dev", "1.0", json!({}), CODE),
        api,
        component("queue", "api", json!({"port": 80})),
        pipeline("1.0", json!({"repo": "r"}), instances, CODE),
    ]);
    assert!(troubles.is_empty(), "{troubles:?}");
    let service = &rebuilt.services[0];
    assert_eq!(service.instances[0].outputs.as_ref().unwrap()["url"], "u");
    assert_eq!(service.branch_name, "main");
    assert_eq!(rebuilt.components[0].outputs.as_ref().unwrap()["arn"], "q");
    assert_eq!(rebuilt.components[0].attached, Some(("pay".into(), "api".into())));
    insta::assert_snapshot!(service.spec, @r#"
    proton: ServiceSpec
    pipeline:
      repo: "r"
    instances:
      - name: "api"
        environment: "dev"
        spec:
          port: 80
    "#);
    assert_eq!(service.instances[0].spec, service.spec);
    assert_eq!(service.pipeline.as_ref().unwrap().spec, service.spec);
    let told = &rebuilt.told[&scope().arn("service-template/web:1.0")];
    assert!(told.compatible_environments.contains(&("net".into(), 1)));
    assert!(told.supported_component_sources.contains("DIRECTLY_DEFINED"));
}

#[test]
fn what_has_no_environment_is_left_out_and_said() {
    let (rebuilt, troubles) = rebuilt(vec![
        instance("api", "1.0", json!({}), json!({}), CODE),
        component("queue", "api", json!({})),
        environment("other", "1.0", json!({}), CODE),
    ]);
    assert!(rebuilt.services.is_empty() && rebuilt.components.is_empty());
    let messages = messages(&troubles).join("\n");
    assert!(messages.contains("service instance pay/api is left out: its environment dev isn't there"), "{messages}");
    assert!(messages.contains("component queue is left out: its environment dev isn't there"), "{messages}");
}

#[test]
fn a_component_of_a_missing_instance_is_detached() {
    let (rebuilt, troubles) =
        rebuilt(vec![environment("dev", "1.0", json!({}), CODE), component("queue", "gone", json!({}))]);
    assert_eq!(rebuilt.components[0].attached, None);
    assert_eq!(rebuilt.components[0].service_spec, None);
    assert!(messages(&troubles)[0].contains("taken as detached from pay/gone: there is no such instance"));
}

fn site(bucket: &str) -> SiteEntry {
    SiteEntry { role: Some("r".into()), region: Some("us-east-1".into()), state_bucket: Some(bucket.into()) }
}

#[test]
fn state_lies_where_the_workflow_put_it() {
    let mut estate = estate(vec![
        environment("dev", "1.0", json!({}), CODE),
        instance("api", "1.0", json!({}), json!({}), CODE),
        component("queue", "api", json!({})),
        pipeline("1.0", json!({}), json!([]), CODE),
    ]);
    let entries = [("dev", "own"), ("*", "rest"), ("pipeline", "built")].map(|(key, it)| (key.to_owned(), site(it)));
    estate.configs = vec![EnvConfig { repository: "infra".into(), entries: entries.into() }];
    let (rebuilt, troubles) = rebuild(&estate, &[], &Dump::default());
    assert!(troubles.is_empty(), "{troubles:?}");
    let service = &rebuilt[0].services[0];
    let pipeline = service.pipeline.as_ref().unwrap();
    let states = [
        &rebuilt[0].environments[0].state,
        &service.instances[0].state,
        &rebuilt[0].components[0].state,
        &pipeline.state,
    ];
    let uris = states.map(|state| state.as_ref().map(|it| format!("{}/{}", it.bucket, it.key)).unwrap());
    assert_eq!(
        uris,
        [
            "own/dev/terraform.tfstate",
            "own/dev/pay-api/terraform.tfstate",
            "own/dev/components/queue/terraform.tfstate",
            "built/pay/pipelineterraform.tfstate"
        ]
    );
}

#[test]
fn two_arns_at_one_key_both_get_no_state() {
    let other = environment("dev", "1.0", json!({}), CODE);
    let other = Resource {
        place: Place { repository: "second".into(), path: "dev".into() },
        arn: other.arn.replace("123456789012", "111111111111"),
        scope: crate::domain::Scope::new("111111111111", "us-east-1"),
        ..other
    };
    let mut estate =
        estate(vec![environment("dev", "1.0", json!({}), CODE), other, environment("prod", "1.0", json!({}), CODE)]);
    let config =
        |repository: &str| EnvConfig { repository: repository.into(), entries: [("*".to_owned(), site("one"))].into() };
    estate.configs = vec![config("infra"), config("second")];
    let (rebuilt, troubles) = rebuild(&estate, &[], &Dump::default());
    let states: Vec<bool> = rebuilt.iter().flat_map(|it| &it.environments).map(|it| it.state.is_some()).collect();
    assert_eq!(states, [false, false, true]);
    assert_eq!(troubles.len(), 2);
    assert!(
        troubles.iter().all(|it| it.message.contains("s3://one/dev/terraform.tfstate would belong to")),
        "{troubles:?}"
    );
}

#[test]
fn of_two_directories_with_one_arn_the_first_is_taken_and_both_are_named() {
    let dev = environment("dev", "1.0", json!({"a": 1}), CODE);
    let copy = Resource { place: place("old/dev"), ..environment("dev", "1.0", json!({"a": 2}), CODE) };
    let (rebuilt, troubles) = rebuilt(vec![copy, dev]);
    assert_eq!(rebuilt.environments.len(), 1);
    assert_eq!(rebuilt.environments[0].spec, "proton: EnvironmentSpec\nspec:\n  a: 1\n");
    assert!(messages(&troubles)[0].starts_with("old/dev: "), "{troubles:?}");
    assert!(troubles[0].message.contains("is claimed by infra/dev, too, with other content"));
}

#[test]
fn an_id_that_two_deployments_claim_stays_with_the_first() {
    let mut two = environment("two", "1.0", json!({}), "");
    two.deployment_id = environment("one", "1.0", json!({}), "").deployment_id;
    let (rebuilt, troubles) =
        rebuild(&estate(vec![environment("one", "1.0", json!({}), ""), two]), &[], &Dump::default());
    let ids: Vec<bool> = rebuilt[0].environments.iter().map(|it| it.deployment_id.is_some()).collect();
    assert_eq!(ids, [true, false]);
    assert!(
        troubles.iter().any(|it| it.place.path == "two" && it.message.contains("an id of its own")),
        "{troubles:?}"
    );
}
