//! Values that were given, laid over those that were made.

use serde_json::{Map, Value};

/// Tags are one value: a run that had none had none.
const TAGS: &str = "proton_tags";

/// `given` over `made`: of the namespaces member by member, and each member as it is.
///
/// Where `given` has everything, its own order stays; else the order is that of a deployment.
pub(super) fn over(made: &Value, given: &Value) -> Value {
    let (Value::Object(made), Value::Object(given)) = (made, given) else { return given.clone() };
    let merged = made.iter().map(|(name, made)| {
        let value = match given.get(name) {
            Some(Value::Object(given)) if made.is_object() && name != TAGS => members(made, given),
            Some(given) => given.clone(),
            None => made.clone(),
        };
        (name.clone(), value)
    });
    let merged: Map<String, Value> = merged.chain(others(made, given)).collect();
    Value::Object(ordered(merged, made, given))
}

fn members(made: &Value, given: &Map<String, Value>) -> Value {
    let empty = Map::new();
    let made = made.as_object().unwrap_or(&empty);
    let merged = made.iter().map(|(name, value)| (name.clone(), given.get(name).unwrap_or(value).clone()));
    let merged: Map<String, Value> = merged.chain(others(made, given)).collect();
    Value::Object(ordered(merged, made, given))
}

fn others<'a>(
    made: &'a Map<String, Value>,
    given: &'a Map<String, Value>,
) -> impl Iterator<Item = (String, Value)> + 'a {
    given.iter().filter(|(name, _)| !made.contains_key(*name)).map(|(name, value)| (name.clone(), value.clone()))
}

fn ordered(
    mut merged: Map<String, Value>,
    made: &Map<String, Value>,
    given: &Map<String, Value>,
) -> Map<String, Value> {
    if !made.keys().all(|name| given.contains_key(name)) {
        return merged;
    }
    given.keys().filter_map(|name| Some((name.clone(), merged.remove(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::over;

    #[test]
    fn what_is_given_is_used_as_it_is_and_the_rest_stays() {
        let made = json!({"environment": {"name": "m", "inputs": {"a": 1, "b": 2}}, "tags": {"x": "1"}, "//": "m"});
        let given = json!({"environment": {"inputs": {"c": 3}}, "other": [1]});
        let text = over(&made, &given).to_string();
        assert_eq!(text, r#"{"environment":{"name":"m","inputs":{"c":3}},"tags":{"x":"1"},"//":"m","other":[1]}"#);
    }

    #[test]
    fn a_whole_document_keeps_its_order() {
        let made = json!({"a": {"x": 1, "y": 2}, "b": 1});
        let given = json!({"b": 2, "a": {"y": 3, "z": 0, "x": 4}});
        assert_eq!(over(&made, &given).to_string(), given.to_string());
    }
}
