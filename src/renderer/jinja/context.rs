//! What a template sees: the namespaces of the tfvars document.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde};

/// The top-level names of a template.
///
/// Tags and the comment key are Terraform's and not seen. Templates from before Proton's general availability name their
/// environment `service_instance.environment`, and some of AWS's own samples still do.
pub(super) fn namespaces(document: &serde_json::Value) -> Value {
    let namespaces = document.as_object().into_iter().flatten();
    let namespaces = namespaces.filter(|(name, _)| !matches!(name.as_str(), "proton_tags" | "//"));
    Value::from_pairs(namespaces.map(|(name, value)| {
        let value = match (name.as_str(), document.get("environment")) {
            ("service_instance", Some(environment)) => service_instance(value, environment),
            _ => Value::from(Serde(value)),
        };
        (name.as_str(), value)
    }))
}

fn service_instance(instance: &serde_json::Value, environment: &serde_json::Value) -> Value {
    let members = instance.as_object().into_iter().flatten().map(|(name, value)| {
        let detached = name == "components" && value.get("default").is_none();
        let value =
            if detached { Value::from_pairs([("default", nothing_attached())]) } else { Value::from(Serde(value)) };
        (name.as_str(), value)
    });
    let older_name = instance.get("environment").is_none().then(|| ("environment", Value::from(Serde(environment))));
    Value::from_pairs(members.chain(older_name))
}

fn nothing_attached() -> Value {
    Value::from_object(NothingAttached)
}

/// `components.default` of an instance without a component: empty and false, and so are its outputs.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-components.html>
#[derive(Debug)]
struct NothingAttached;

impl Object for NothingAttached {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("outputs")).then(|| Value::from_pairs(std::iter::empty::<(&str, Value)>()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::renderer::jinja::render;

    #[test]
    fn components_of_an_instance_without_one_are_empty_but_their_leaves_are_missing() {
        let document = json!({"environment": {"name": "dev", "outputs": {"Vpc": "v"}},
            "service_instance": {"name": "api", "inputs": {}, "components": {}}});
        let text = |template| render("t", template, &document).map_err(|problem| problem.message);
        assert_eq!(text("{{ service_instance.components.default }}").unwrap(), "{}");
        assert_eq!(text("{{ service_instance.components.default.outputs }}").unwrap(), "{}");
        assert_eq!(text("{% if service_instance.components.default %}x{% endif %}").unwrap(), "");
        assert_eq!(text("{{ service_instance.components.default.outputs.q | default('-') }}").unwrap(), "-");
        text("{{ service_instance.components.default.outputs.q }}").unwrap_err();
        assert_eq!(text("{{ service_instance.environment.outputs.Vpc }}").unwrap(), "v");
    }

    #[test]
    fn tags_and_the_comment_are_not_seen() {
        let document = json!({"environment": {"name": "dev"}, "proton_tags": {"a": "b"}, "//": "arn"});
        assert_eq!(render("t", "{{ proton_tags is defined }}", &document).unwrap(), "False");
    }
}
