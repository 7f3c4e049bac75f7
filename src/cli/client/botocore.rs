//! Proton's model in botocore's form: service, paginators and waiters.
//!
//! <https://botocore.amazonaws.com/v1/documentation/api/latest/reference/loaders.html>

use serde_json::{Map, Value, json};

/// The folder name that botocore expects.
pub(super) const API_VERSION: &str = "2020-07-20";

/// File names and their texts.
///
/// # Errors
/// The model isn't JSON, which a test rules out.
pub(super) fn files() -> Result<Vec<(&'static str, String)>, serde_json::Error> {
    let model: Value = serde_json::from_str(hadron_model::MODEL)?;
    let files = [
        ("service-2.json", service(&model)),
        ("paginators-1.json", paginators(&model)),
        ("waiters-2.json", json!({"version": 2, "waiters": model["waiters"]})),
    ];
    files.into_iter().map(|(name, value)| Ok((name, serde_json::to_string(&value)?))).collect()
}

fn service(model: &Value) -> Value {
    let about = &model["service"];
    let mut shapes: Map<String, Value> = entries(&model["shapes"]).map(|(name, s)| (name.clone(), shape(s))).collect();
    for (name, error) in entries(&model["errors"]) {
        let fault = error["fault"] == "server";
        shapes.insert(
            name.clone(),
            json!({"type": "structure", "required": ["message"], "members": {"message": {"shape": "ErrorMessage"}},
                   "exception": true, "fault": fault}),
        );
    }
    let operations: Map<String, Value> = entries(&model["operations"])
        .map(|(name, op)| (name.clone(), operation(name, op, &model["commonErrors"])))
        .collect();
    json!({
        "version": "2.0",
        "metadata": {
            "apiVersion": about["apiVersion"], "endpointPrefix": about["endpointPrefix"], "protocol": "json",
            "jsonVersion": about["jsonVersion"], "protocols": ["json"], "serviceFullName": "AWS Proton",
            "serviceId": "Proton", "signatureVersion": "v4", "signingName": about["signingName"],
            "targetPrefix": about["targetPrefix"], "uid": "proton-2020-07-20", "auth": ["aws.auth#sigv4"],
        },
        "operations": operations,
        "shapes": shapes,
    })
}

fn operation(name: &str, operation: &Value, common: &Value) -> Value {
    let errors: Vec<Value> =
        items(common).chain(items(&operation["errors"])).map(|error| json!({"shape": error})).collect();
    let mut out = json!({
        "name": name, "http": {"method": "POST", "requestUri": "/"},
        "input": {"shape": operation["in"]}, "output": {"shape": operation["out"]}, "errors": errors,
    });
    if operation["idempotent"] == true {
        out["idempotent"] = json!(true);
    }
    out
}

fn shape(shape: &Value) -> Value {
    let mut out = Map::new();
    out.insert("type".into(), shape["type"].clone());
    for key in ["min", "max", "pattern", "enum", "sensitive", "union"] {
        if let Some(value) = shape.get(key) {
            out.insert(key.into(), value.clone());
        }
    }
    if let Some(of) = shape.get("of") {
        out.insert("member".into(), json!({"shape": of}));
    }
    if shape["type"] == "structure" {
        let mut required = Vec::new();
        let mut members = Map::new();
        for (name, reference) in entries(&shape["members"]) {
            let reference = reference.as_str().unwrap_or_default();
            if reference.ends_with('!') {
                required.push(name.clone());
            }
            let mut member = json!({"shape": reference.trim_end_matches(['!', '~'])});
            if reference.ends_with('~') {
                member["idempotencyToken"] = json!(true);
            }
            members.insert(name.clone(), member);
        }
        if !required.is_empty() {
            out.insert("required".into(), json!(required));
        }
        out.insert("members".into(), Value::Object(members));
    }
    Value::Object(out)
}

fn paginators(model: &Value) -> Value {
    let pagination: Map<String, Value> = entries(&model["operations"])
        .filter_map(|(name, operation)| {
            let mut page =
                json!({"input_token": "nextToken", "output_token": "nextToken", "result_key": operation.get("page")?});
            if operation["pageLimit"] != false {
                page["limit_key"] = json!("maxResults");
            }
            Some((name.clone(), page))
        })
        .collect();
    json!({"pagination": pagination})
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::files;
    use serde_json::Value;

    #[test]
    fn every_operation_paginator_and_waiter_is_there() {
        let files = files().unwrap();
        let file =
            |name: &str| -> Value { serde_json::from_str(&files.iter().find(|(n, _)| *n == name).unwrap().1).unwrap() };
        let service = file("service-2.json");
        assert_eq!(service["operations"].as_object().unwrap().len(), 87);
        assert_eq!(file("paginators-1.json")["pagination"].as_object().unwrap().len(), 21);
        assert_eq!(file("waiters-2.json")["waiters"].as_object().unwrap().len(), 10);
        for (name, operation) in service["operations"].as_object().unwrap() {
            let input = operation["input"]["shape"].as_str().unwrap();
            assert!(service["shapes"].get(input).is_some(), "{name}");
        }
        assert_eq!(service["shapes"]["CreateComponentInput"]["members"]["clientToken"]["idempotencyToken"], true);
    }
}
