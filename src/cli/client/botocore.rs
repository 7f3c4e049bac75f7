//! The models of both APIs in botocore's form: service, paginators and waiters.
//!
//! <https://botocore.amazonaws.com/v1/documentation/api/latest/reference/loaders.html>

use serde_json::{Map, Value, json};

/// An API that clients are given the model of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Api {
    /// The command's name, and the name in a profile's `services` section.
    pub(super) name: &'static str,
    /// The folder that botocore expects below the name.
    pub(super) version: &'static str,
    id: &'static str,
    full_name: &'static str,
    model: &'static str,
}

/// Proton, and our own.
pub(super) const APIS: [Api; 2] = [
    Api { name: "proton", version: "2020-07-20", id: "Proton", full_name: "AWS Proton", model: hadron_model::MODEL },
    Api {
        name: "hadron",
        version: "2026-11-22",
        id: "Hadron",
        full_name: "Hadron",
        model: hadron_model::hadron::MODEL,
    },
];

impl Api {
    /// File names and their texts; an API without waiters has no file of them.
    ///
    /// # Errors
    /// The model isn't JSON, which a test rules out.
    pub(super) fn files(self) -> Result<Vec<(&'static str, String)>, serde_json::Error> {
        let model: Value = serde_json::from_str(self.model)?;
        let mut files = vec![("service-2.json", service(self, &model)), ("paginators-1.json", paginators(&model))];
        if entries(&model["waiters"]).next().is_some() {
            files.push(("waiters-2.json", json!({"version": 2, "waiters": model["waiters"]})));
        }
        files.into_iter().map(|(name, value)| Ok((name, serde_json::to_string(&value)?))).collect()
    }
}

fn service(api: Api, model: &Value) -> Value {
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
            "jsonVersion": about["jsonVersion"], "protocols": ["json"], "serviceFullName": api.full_name,
            "serviceId": api.id, "signatureVersion": "v4", "signingName": about["signingName"],
            "targetPrefix": about["targetPrefix"], "uid": format!("{}-{}", api.name, api.version), "auth": ["aws.auth#sigv4"],
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
    use serde_json::Value;

    use super::{APIS, Api};

    #[test]
    fn every_operation_paginator_and_waiter_of_proton_is_there() {
        let [proton, _] = APIS;
        let service = file(proton, "service-2.json").unwrap();
        assert_eq!(service["operations"].as_object().unwrap().len(), 87);
        assert_eq!(file(proton, "paginators-1.json").unwrap()["pagination"].as_object().unwrap().len(), 21);
        assert_eq!(file(proton, "waiters-2.json").unwrap()["waiters"].as_object().unwrap().len(), 10);
        assert_eq!(service["shapes"]["CreateComponentInput"]["members"]["clientToken"]["idempotencyToken"], true);
    }

    #[test]
    fn every_operation_of_our_own_is_there_and_no_waiter() {
        let [_, hadron] = APIS;
        let service = file(hadron, "service-2.json").unwrap();
        let operations = service["operations"].as_object().unwrap();
        assert_eq!(operations.len(), hadron_model::hadron::Operation::ALL.len());
        assert_eq!(service["metadata"]["targetPrefix"], hadron_model::hadron::TARGET_PREFIX);
        let pages = file(hadron, "paginators-1.json").unwrap();
        assert_eq!(pages["pagination"]["ListKeys"]["result_key"], "keys");
        assert!(file(hadron, "waiters-2.json").is_none());
    }

    #[test]
    fn every_shape_that_is_named_is_there() {
        for api in APIS {
            let service = file(api, "service-2.json").unwrap();
            for (name, operation) in service["operations"].as_object().unwrap() {
                let sides = [&operation["input"], &operation["output"]];
                let errors = operation["errors"].as_array().unwrap();
                for named in sides.into_iter().chain(errors) {
                    assert!(service["shapes"].get(named["shape"].as_str().unwrap()).is_some(), "{name}: {named}");
                }
            }
        }
    }

    fn file(api: Api, name: &str) -> Option<Value> {
        let files = api.files().unwrap();
        files.iter().find(|(n, _)| *n == name).map(|(_, text)| serde_json::from_str(text).unwrap())
    }
}
