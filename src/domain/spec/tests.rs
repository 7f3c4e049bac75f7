use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::BundleKind;

fn schema() -> Schema {
    let text = r#"
schema:
  format: { openapi: "3.0.0" }
  service_input_type: Svc
  pipeline_input_type: Pipe
  types:
    Svc:
      type: object
      required: [port]
      properties:
        port: { type: integer, minimum: 1 }
        image: { type: string, default: "nginx" }
        tags: { type: array, items: { type: string } }
    Pipe:
      type: object
      properties:
        branch: { type: string, default: main }
"#;
    Schema::parse(text, BundleKind::Service, true, false).unwrap()
}

fn environment_schema() -> Schema {
    let text = "schema: {format: {openapi: 3.0.0}, environment_input_type: In, types: {In: {type: object, required: [vpc_cidr], properties: {vpc_cidr: {type: string, default: 10.0.0.0/16}, nat: {type: integer}}}}}";
    Schema::parse(text, BundleKind::Environment, false, false).unwrap()
}

const SERVICE: &str = r#"proton: ServiceSpec
pipeline:
  branch: dev
instances:
  - name: api   # the public one
    environment: dev
    spec:
      port: 80
      tags: [a, "b"]
  - name: admin
    environment: prod
    spec: { port: 81, image: "a\tb: ü" }
"#;

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("an object is meant") };
    map
}

#[test]
fn an_environments_spec_may_be_yaml_flow_or_json() {
    let schema = environment_schema();
    for text in [
        "proton: EnvironmentSpec\nspec:\n  nat: 2\n",
        "{proton: EnvironmentSpec, spec: {nat: 2}}",
        "{\n\"proton\": \"EnvironmentSpec\",\n\"spec\": {\n\"nat\": 2\n}\n}",
    ] {
        let spec = EnvironmentSpec::parse(text, &schema).unwrap();
        assert_eq!(Value::Object(spec.inputs), json!({"vpc_cidr": "10.0.0.0/16", "nat": 2}), "{text}");
    }
    assert!(EnvironmentSpec::parse("proton: EnvironmentSpec", &schema).is_ok());
    assert!(EnvironmentSpec::parse("proton: EnvironmentSpec\nspec:\n", &schema).is_ok());
}

#[test]
fn three_mistakes_are_told_at_once_with_their_lines() {
    let text = "proton: EnvironmentSpec\nspecs: 1\nspec:\n  vpc_cdir: x\n  nat: \"2\"\n  vpc_cidr: 10\n";
    let problems = EnvironmentSpec::parse(text, &environment_schema()).unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    spec:2:1: unknown key `specs` in the spec (did you mean `spec`?)
    spec:4:3: `vpc_cdir` is no property of the schema (did you mean `vpc_cidr`?)
    spec:5:8: `nat` must be an integer, not a string (write 2 without quotes)
    spec:6:13: `vpc_cidr` must be a string, not an integer (put it in quotes)
    "#);
}

#[test]
fn a_spec_of_another_kind_is_refused_with_what_to_write() {
    let refusal = |text: &str| ServiceSpec::parse(text).unwrap_err().to_string();
    let article = r#"{"proton": "ServiceInstanceSpec", "spec": {"task_cpu": 512}}"#;
    assert_eq!(
        refusal(article),
        "spec:1:12: `proton` is \"ServiceInstanceSpec\", and ServiceSpec is expected here \
         (an instance is written as proton: ServiceSpec with instances: [{name, environment, spec}])"
    );
    assert!(refusal("proton: EnvironmentSpec\nspec: {}").contains("this is the spec of an environment"));
    assert!(refusal("instances: []").contains("`proton` is missing"));
    assert!(refusal("just text").contains("a spec must be a map, not a string"));
    assert!(refusal("").contains("not nothing"));
    assert!(EnvironmentSpec::parse(SERVICE, &environment_schema()).unwrap_err().to_string().contains("of a service"));
}

#[test]
fn a_services_spec_gives_its_instances_in_order() {
    let spec = ServiceSpec::parse(SERVICE).unwrap();
    let names: Vec<_> = spec.instances.iter().map(|i| (i.name.as_str(), i.environment.as_str())).collect();
    assert_eq!(names, [("api", "dev"), ("admin", "prod")]);
    assert_eq!(spec.pipeline, Some(map(json!({"branch": "dev"}))));
    let inputs = spec.instance_inputs("admin", &schema(), None).unwrap();
    assert_eq!(Value::Object(inputs), json!({"port": 81, "image": "a\tb: ü"}));
    assert_eq!(Value::Object(spec.pipeline_inputs(&schema(), None).unwrap()), json!({"branch": "dev"}));
    assert!(spec.instance_inputs("apj", &schema(), None).unwrap_err().to_string().contains("the spec has api, admin"));
}

#[test]
fn a_service_may_have_no_instances_and_no_pipeline() {
    let spec = ServiceSpec::parse("proton: ServiceSpec\ninstances: []\n").unwrap();
    assert!(spec.instances.is_empty() && spec.pipeline.is_none());
    assert_eq!(Value::Object(spec.pipeline_inputs(&schema(), None).unwrap()), json!({"branch": "main"}));
    assert!(ServiceSpec::parse("proton: ServiceSpec\npipeline: {a: 1}\n").unwrap().instances.is_empty());
}

#[test]
fn mistakes_in_instances_are_all_told() {
    let text = "proton: ServiceSpec\ninstances:\n  - {name: a, environment: dev}\n  - {name: a, environmnt: dev}\n  - {name: -x, environment: 7, spec: [1]}\n  - text\n";
    insta::assert_snapshot!(ServiceSpec::parse(text).unwrap_err(), @"
    spec:4:5: the instance has no `environment` (add environment: …)
    spec:4:12: there are two instances `a` (rename or remove one)
    spec:4:15: unknown key `environmnt` in the instance (did you mean `environment`?)
    spec:5:12: `-x` can't be a name here (use 1 to 100 letters, digits, _ and -, the first one a letter or digit)
    spec:5:29: `environment` must be a string, not an integer (put it in quotes)
    spec:5:38: `spec` must be a map, not a list (write one `name: value` per line, indented)
    spec:6:5: an instance must be a map, not a string (write instances: [{name, environment, spec}])
    ");
}

#[test]
fn a_missing_input_is_told_at_its_instance() {
    let spec = ServiceSpec::parse("proton: ServiceSpec\ninstances:\n  - name: a\n    environment: dev\n").unwrap();
    let text = spec.instance_inputs("a", &schema(), None).unwrap_err().to_string();
    assert_eq!(text, "spec:3:5: `port` is missing (add it, it must be an integer)");
}

#[test]
fn current_val_keeps_the_old_value_of_the_same_instance() {
    let text = "proton: ServiceSpec # changed\npipeline:\n  branch: \"${Proton::CURRENT_VAL}\"\ninstances:\n- name: admin\n  environment: prod\n  spec:\n    port: '${Proton::CURRENT_VAL}'  # stays\n    image: ${Proton::CURRENT_VAL}\n- {name: api, environment: dev, spec: {tags: \"${Proton::CURRENT_VAL}\", port: 8080}}\n";
    let concrete = ServiceSpec::without_current_val(text, SERVICE).unwrap();
    insta::assert_snapshot!(concrete, @r#"
    proton: ServiceSpec # changed
    pipeline:
      branch: "dev"
    instances:
    - name: admin
      environment: prod
      spec:
        port: 81  # stays
        image: "a\tb: ü"
    - {name: api, environment: dev, spec: {tags: ["a","b"], port: 8080}}
    "#);
    let (new, old) = (ServiceSpec::parse(&concrete).unwrap(), ServiceSpec::parse(SERVICE).unwrap());
    assert_eq!(new.instance("admin").unwrap().spec, old.instance("admin").unwrap().spec);
    let direct = ServiceSpec::parse(text).unwrap();
    let current = &old.instance("admin").unwrap().spec;
    assert_eq!(
        direct.instance_inputs("admin", &schema(), Some(current)).unwrap(),
        new.instance_inputs("admin", &schema(), None).unwrap()
    );
}

#[test]
fn current_val_without_a_current_value_is_refused() {
    let text = "proton: ServiceSpec\ninstances:\n  - name: api\n    environment: dev\n    spec: {image: \"${Proton::CURRENT_VAL}\"}\n  - name: new\n    environment: dev\n    spec: {port: \"${Proton::CURRENT_VAL}\"}\n";
    let problems = ServiceSpec::without_current_val(text, SERVICE).unwrap_err();
    insta::assert_snapshot!(problems, @"
    spec:5:19: `instances[0].spec.image` is to keep its current value, and it has none (write the value, or remove the line to get the default)
    spec:8:18: `instances[1].spec.port` is to keep its current value, and it has none (write the value, or remove the line to get the default)
    ");
    let spec = ServiceSpec::parse(text).unwrap();
    assert!(spec.instance_inputs("new", &schema(), None).unwrap_err().to_string().contains("`port` is to keep"));
}

#[test]
fn an_environment_cant_keep_values() {
    let text = "proton: EnvironmentSpec\nspec:\n  vpc_cidr: \"${Proton::CURRENT_VAL}\"\n";
    let problems = EnvironmentSpec::parse(text, &environment_schema()).unwrap_err().to_string();
    assert!(problems.starts_with("spec:3:13: `vpc_cidr` is to keep its current value"), "{problems}");
}

#[test]
fn a_text_without_current_val_stays_byte_for_byte() {
    assert_eq!(ServiceSpec::without_current_val(SERVICE, "not: [even yaml").unwrap(), SERVICE);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        drop(ServiceSpec::parse(&text));
        drop(ServiceSpec::parse(&format!("proton: ServiceSpec\n{text}")));
        drop(ServiceSpec::without_current_val(&format!("{text}\na: \"${{Proton::CURRENT_VAL}}\""), "a: 1"));
    }

    #[test]
    fn any_text_survives_json_and_current_val(image in any::<String>(), port in 1..i64::MAX) {
        let old = json!({"proton": "ServiceSpec", "instances": [
            {"name": "a", "environment": "dev", "spec": {"image": image, "port": port}}
        ]}).to_string();
        // What awscli sends, and what people write.
        prop_assume!(image != "${Proton::CURRENT_VAL}");
        let spec = ServiceSpec::parse(&old).unwrap();
        prop_assert_eq!(&spec.instances[0].spec["image"], &json!(image));
        let keep = "\u{feff}proton: ServiceSpec\ninstances:\n- name: a\n  environment: dev\n  spec:\n    image: \"${Proton::CURRENT_VAL}\"\n    port: 1\n";
        let new = ServiceSpec::parse(&ServiceSpec::without_current_val(keep, &old).unwrap()).unwrap();
        prop_assert_eq!(&new.instances[0].spec["image"], &json!(image));
    }
}
