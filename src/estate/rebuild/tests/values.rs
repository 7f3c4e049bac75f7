//! Whatever inputs were deployed: the bundle passes, and the spec gives them back.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::estates::{CODE, component, environment, find, instance, pipeline, rebuilt};
use crate::domain::{BundleKind, EnvironmentSpec, Schema, ServiceSpec, check_bundle};
use crate::estate::{Rebuilt, RebuiltVersion};

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e15..1e15).prop_map(Value::from),
        prop_oneof![Just(0.0), Just(-0.0), Just(80.0), Just(1e300), Just(5e-324)].prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof![
            Just("80"),
            Just("yes"),
            Just("1e3"),
            Just(""),
            Just("null"),
            Just("~"),
            Just("a\nb\n"),
            Just(" x "),
            Just("- a"),
            Just("{a: b}"),
            Just("#"),
            Just("!!int 1"),
            Just("*x"),
            Just("0x10"),
            Just("12:30"),
            Just("2024-01-01"),
            Just("é\u{85}\u{2028}\u{feff}😀"),
            Just("${x}")
        ]
        .prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(name(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Few names, so that values meet under the same ones.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[abc]", 1 => Just("on".to_owned()), 1 => any::<String>(), 1 => Just("n".repeat(101))]
}

fn given() -> impl Strategy<Value = Value> {
    btree_map(name(), value(), 0..5).prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn schema(version: &RebuiltVersion, kind: BundleKind, customer_managed: bool) -> Schema {
    let checked = check_bundle(kind, version.files.clone(), customer_managed);
    checked.unwrap_or_else(|problems| panic!("{problems}")).schema.unwrap()
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn an_environments_spec_gives_the_inputs_that_were_deployed(all in vec((0..3_u8, given()), 1..5)) {
        let resources = all.iter().enumerate();
        let resources = resources.map(|(n, (minor, given))| environment(&format!("e{n}"), &format!("1.{minor}"), given.clone(), CODE));
        let (rebuilt, troubles) = rebuilt(resources.collect());
        prop_assert!(troubles.is_empty(), "{:?}", troubles);
        prop_assert_eq!(rebuilt.environments.len(), all.len());
        for (environment, (minor, given)) in rebuilt.environments.iter().zip(&all) {
            let version = find(&rebuilt, "net", &format!("1.{minor}"));
            let spec = EnvironmentSpec::parse(&environment.spec, &schema(version, BundleKind::Environment, false));
            prop_assert_eq!(spec.unwrap().inputs, map(given));
        }
    }

    #[test]
    fn a_services_spec_gives_every_part_its_inputs(all in vec(given(), 1..4), built in given(), seen in given()) {
        let resources = all.iter().enumerate();
        let resources = resources.map(|(n, given)| instance(&format!("i{n}"), "1.0", given.clone(), json!({}), CODE));
        let more = [environment("dev", "1.0", json!({}), CODE), pipeline("1.0", built.clone(), json!([]), CODE), component("c", "i0", seen.clone())];
        let (rebuilt, troubles) = rebuilt(resources.chain(more).collect());
        prop_assert!(troubles.is_empty(), "{:?}", troubles);
        let schema = schema(find(&rebuilt, "web", "1.0"), BundleKind::Service, false);
        let spec = ServiceSpec::parse(&rebuilt.services[0].spec).unwrap();
        for (n, given) in all.iter().enumerate() {
            prop_assert_eq!(spec.instance_inputs(&format!("i{n}"), &schema, None).unwrap(), map(given));
        }
        prop_assert_eq!(spec.pipeline_inputs(&schema, None).unwrap(), map(&built));
        let spec = ServiceSpec::parse(rebuilt.components[0].service_spec.as_ref().unwrap()).unwrap();
        prop_assert_eq!(spec.instance_inputs("i0", &schema, None).unwrap(), map(&seen));
    }
}

fn later_minor_takes(rebuilt: &Rebuilt) {
    let [older, newer] =
        ["1.0", "1.1"].map(|number| schema(find(rebuilt, "net", number), BundleKind::Environment, false));
    let problems = newer.incompatible_with(&older);
    assert!(problems.is_empty(), "{problems}");
}

#[test]
fn a_later_minor_version_takes_the_specs_of_the_earlier() {
    for (older, newer) in [
        (json!({"a": 1, "b": "x"}), json!({"a": 1.5})),
        (json!({"a": 1}), json!({"a": 1, "b": true})),
        (json!({"a": []}), json!({"a": ["x"]})),
        (json!({"a": null}), json!({"a": 3})),
        (json!({"a": {"x": 1}}), json!({"a": {"x": 1, "y": 2}})),
        (json!({}), json!({"read": 80})),
    ] {
        let code = "output \"o\" { value = try(var.environment.inputs.read, null) }\n";
        let (rebuilt, _) = rebuilt(vec![environment("a", "1.0", older, code), environment("b", "1.1", newer, CODE)]);
        later_minor_takes(&rebuilt);
    }
}
