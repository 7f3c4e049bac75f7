//! Sensitive outputs in a deployment's inputs: the record keeps them sealed, so they are looked up where they come from.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::Target;

/// What stands in the place of a sealed value.
const MASK: &str = "***";

/// A sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// Where in the inputs, as a JSON pointer.
    pub pointer: String,
    /// Whose output it is.
    pub producer: Target,
    /// The output's name.
    pub output: String,
}

/// The sealed values in a tfvars document.
pub fn masked(inputs: &Value) -> Vec<Masked> {
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    let environment = |value: &Value| Target::Environment { name: name(value) };
    note(inputs, "/environment", &environment(&inputs["environment"]), &mut found);
    let component = &inputs["service_instance"]["components"]["default"];
    note(inputs, "/service_instance/components/default", &Target::Component { name: name(component) }, &mut found);
    let instances = inputs["service_instances"].as_array().map_or(&[][..], Vec::as_slice);
    for (at, instance) in instances.iter().enumerate() {
        let producer = Target::ServiceInstance { service: name(&inputs["service"]), name: name(instance) };
        note(inputs, &format!("/service_instances/{at}"), &producer, &mut found);
        let place = format!("/service_instances/{at}/environment");
        note(inputs, &place, &environment(&instance["environment"]), &mut found);
    }
    found
}

/// Divides a tfvars document into the variables that hold no secret, and those that do: a variable has its value in one
/// file. `None` where nothing is secret.
pub fn divided(inputs: Value, masked: &[Masked]) -> (Value, Option<Value>) {
    let variable = |it: &Masked| it.pointer.split('/').nth(1).map(str::to_owned);
    let secret: BTreeSet<String> = masked.iter().filter_map(variable).collect();
    let Value::Object(all) = inputs else { return (inputs, None) };
    let (hidden, open): (Map<_, _>, Map<_, _>) = all.into_iter().partition(|(name, _)| secret.contains(name));
    (Value::Object(open), (!hidden.is_empty()).then_some(Value::Object(hidden)))
}

fn note(inputs: &Value, place: &str, producer: &Target, found: &mut Vec<Masked>) {
    let outputs = inputs.pointer(place).and_then(|place| place["outputs"].as_object());
    for (output, _) in outputs.into_iter().flatten().filter(|(_, value)| *value == MASK) {
        let pointer = format!("{place}/outputs/{}", output.replace('~', "~0").replace('/', "~1"));
        found.push(Masked { pointer, producer: producer.clone(), output: output.clone() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_place_of_an_output_is_known_with_whose_it_is() {
        let instance = json!({
            "environment": { "name": "dev", "outputs": { "a": "***", "b": "b" }, "inputs": { "stars": "***" } },
            "service_instance": { "components": { "default": { "name": "c", "outputs": { "x/y": "***" } } } },
        });
        let found: Vec<_> = masked(&instance).into_iter().map(|it| (it.pointer, it.producer.resource())).collect();
        let expected = [
            ("/environment/outputs/a", "environment/dev"),
            ("/service_instance/components/default/outputs/x~1y", "component/c"),
        ];
        assert_eq!(found, expected.map(|(pointer, of)| (pointer.to_owned(), of.to_owned())));
        assert_eq!(instance.pointer(&found[1].0), Some(&json!("***")));

        let document = json!({ "environment": { "outputs": { "a": "***" } }, "service": { "name": "s" } });
        let masks = masked(&document);
        let (open, secret) = divided(document, &masks);
        assert_eq!(open, json!({ "service": { "name": "s" } }));
        assert_eq!(secret, Some(json!({ "environment": { "outputs": { "a": "***" } } })));
        assert_eq!(divided(open.clone(), &[]), (open, None));

        let pipeline = json!({
            "service": { "name": "pay" },
            "service_instances": [
                { "name": "one", "outputs": {}, "environment": { "name": "dev", "outputs": {} } },
                { "name": "two", "outputs": { "u": "***" }, "environment": { "name": "prod", "outputs": { "v": "***" } } },
            ],
        });
        let found: Vec<_> = masked(&pipeline).into_iter().map(|it| (it.pointer, it.producer.resource())).collect();
        let expected = [
            ("/service_instances/1/outputs/u", "service/pay/service-instance/two"),
            ("/service_instances/1/environment/outputs/v", "environment/prod"),
        ];
        assert_eq!(found, expected.map(|(pointer, of)| (pointer.to_owned(), of.to_owned())));
    }
}
