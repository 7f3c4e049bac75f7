//! The addresses of the resources in a state.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct State {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    module: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    #[serde(default)]
    index_key: Option<Value>,
}

/// The addresses of a state's managed resources, as Terraform writes them; none of what is no state.
pub(super) fn addresses(state: &[u8]) -> BTreeSet<String> {
    let Ok(state) = serde_json::from_slice::<State>(state) else { return BTreeSet::new() };
    let managed = state.resources.iter().filter(|resource| resource.mode == "managed");
    managed.flat_map(|resource| resource.instances.iter().map(|instance| address(resource, instance))).collect()
}

fn address(resource: &Resource, instance: &Instance) -> String {
    let module = resource.module.as_ref().map_or_else(String::new, |module| format!("{module}."));
    // A number stands as it is, a text in quotes: `count` and `for_each`.
    let index = instance.index_key.as_ref().map_or_else(String::new, |key| format!("[{key}]"));
    format!("{module}{}.{}{index}", resource.kind, resource.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_that_terraform_prints() {
        let state = r#"{"version":4,"serial":1,"lineage":"l","resources":[
            {"module":"module.a[\"x\"]","mode":"managed","type":"t","name":"one","instances":[{"index_key":"k"},{}]},
            {"mode":"managed","type":"t","name":"two","instances":[{"index_key":0}]},
            {"mode":"data","type":"t","name":"three","instances":[{}]}]}"#;
        let found: Vec<_> = addresses(state.as_bytes()).into_iter().collect();
        assert_eq!(found, [r#"module.a["x"].t.one"#, r#"module.a["x"].t.one["k"]"#, "t.two[0]"]);
        assert!(addresses(b"{").is_empty());
    }
}
