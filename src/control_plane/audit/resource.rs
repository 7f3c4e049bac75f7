//! What a request is about, as far as its input names it.

use serde_json::Value;

use crate::domain::Scope;

/// The nouns in operations' names, the longer ones first, with their place in ARNs.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsproton.html#awsproton-resources-for-iam-policies>
const NOUNS: &[(&str, &str, &[&str])] = &[
    ("EnvironmentTemplate", "environment-template/", &["templateName", "name"]),
    ("ServiceTemplate", "service-template/", &["templateName", "name"]),
    ("EnvironmentAccountConnection", "environment-account-connection/", &["id"]),
    ("Deployment", "deployment/", &["id", "deploymentId"]),
    ("Run", "deployment/", &["deploymentId"]),
    ("Component", "component/", &["name", "componentName"]),
    ("Repository", "repository/", &["provider", "name"]),
    ("Environment", "environment/", &["name", "environmentName"]),
    ("Executor", "environment/", &["environmentName"]),
    ("Service", "service/", &["name", "serviceName"]),
    ("Key", "key/", &["id", "name"]),
];

/// The ARN of what an operation is about, or none if its input doesn't name one thing.
pub(super) fn named(action: &str, scope: &Scope, input: &Value) -> Option<String> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    if let Some(arn) = ["resourceArn", "targetArn"].into_iter().find_map(text) {
        return Some(arn.to_owned());
    }
    let resource = part_of_service(action, text).or_else(|| whole(action, text))?;
    Some(scope.arn(resource))
}

fn part_of_service<'i>(action: &str, text: impl Fn(&str) -> Option<&'i str>) -> Option<String> {
    let service = || text("serviceName");
    if action.contains("ServiceInstance") {
        let name = text("name").or_else(|| text("serviceInstanceName"))?;
        return Some(format!("service/{}/service-instance/{name}", service()?));
    }
    action.contains("ServicePipeline").then(service).flatten().map(|service| format!("service/{service}/pipeline"))
}

fn whole<'i>(action: &str, text: impl Fn(&str) -> Option<&'i str>) -> Option<String> {
    // What a cancellation ends is a deployment, but what it names is the target.
    let action = if action.starts_with("Cancel") { action.trim_end_matches("Deployment") } else { action };
    let (_, place, members) = NOUNS.iter().find(|(noun, ..)| action.contains(noun))?;
    let name = members.iter().find_map(|member| text(member))?;
    let version = match (text("majorVersion"), text("minorVersion")) {
        (Some(major), Some(minor)) => format!(":{major}.{minor}"),
        (Some(major), None) => format!(":{major}"),
        _ => String::new(),
    };
    Some(format!("{place}{name}{version}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_input_names_what_it_is_about() {
        let scope = Scope::new("123456789012", "us-east-1");
        for (action, input, expected) in [
            ("CreateEnvironment", json!({ "name": "dev", "templateName": "net" }), "environment/dev"),
            ("CancelEnvironmentDeployment", json!({ "environmentName": "dev" }), "environment/dev"),
            (
                "UpdateServiceInstance",
                json!({ "name": "live", "serviceName": "pay" }),
                "service/pay/service-instance/live",
            ),
            ("CancelServicePipelineDeployment", json!({ "serviceName": "pay" }), "service/pay/pipeline"),
            (
                "UpdateServiceTemplateVersion",
                json!({ "templateName": "web", "majorVersion": "1", "minorVersion": "2" }),
                "service-template/web:1.2",
            ),
            ("DeleteDeployment", json!({ "id": "d-1" }), "deployment/d-1"),
            ("ApproveRun", json!({ "deploymentId": "d-1" }), "deployment/d-1"),
        ] {
            let expected = format!("arn:aws:proton:us-east-1:123456789012:{expected}");
            assert_eq!(named(action, &scope, &input), Some(expected), "{action}");
        }
        let tagged = json!({ "resourceArn": "arn:aws:proton:us-east-1:123456789012:service/pay" });
        assert_eq!(named("TagResource", &scope, &tagged).as_deref(), tagged["resourceArn"].as_str());
        assert_eq!(named("UpdateAccountSettings", &scope, &json!({})), None);
    }
}
