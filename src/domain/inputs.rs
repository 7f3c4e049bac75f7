//! The document behind `proton.auto.tfvars.json`: what a template gets to see, in the key order that Proton wrote.
//!
//! Inputs keep their JSON types; outputs are text. The `"//"` key is a comment to Terraform and names the resource.
//! <https://docs.aws.amazon.com/proton/latest/userguide/parameters.html>

use serde_json::{Map, Value, json};

use super::{Scope, Target};

/// Outputs of a deployment in their order: key and text.
pub type OutputTexts = Vec<(String, String)>;

/// What a service may know of its environment: never its inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentFacts {
    /// The environment's name.
    pub name: String,
    /// The account that it is provisioned in.
    pub account_id: String,
    /// Its outputs.
    pub outputs: OutputTexts,
}

/// What an instance and a pipeline may know of their service; `""` for each fact that isn't there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceFacts {
    /// The service's name.
    pub name: String,
    /// The connection's ARN as it was given.
    pub repository_connection_arn: String,
    /// `owner/repository`, or whatever was given.
    pub repository_id: String,
    /// The branch that the pipeline builds.
    pub branch_name: String,
}

/// One instance as its pipeline sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PipelineInstance {
    /// The instance's name.
    pub name: String,
    /// Its resolved inputs.
    pub inputs: Map<String, Value>,
    /// Its outputs.
    pub outputs: OutputTexts,
    /// The environment that it runs in.
    pub environment: EnvironmentFacts,
}

/// The instance that a component is attached to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attachment {
    /// The service's name.
    pub service: String,
    /// The instance's name.
    pub instance: String,
    /// The inputs of the component's own service spec.
    pub inputs: Map<String, Value>,
}

/// The document of an environment.
pub fn environment_inputs(scope: &Scope, name: &str, template_arn: &str, inputs: Map<String, Value>) -> Value {
    let arn = environment_arn(scope, name);
    json!({
        "environment": { "name": name, "inputs": Value::Object(inputs) },
        "proton_tags": {
            "proton:account": scope.account,
            "proton:template": template_arn,
            "proton:environment": arn,
        },
        "//": arn,
    })
}

/// The document of a service instance; `component` is the name and outputs of the one attached to it.
pub fn instance_inputs(
    scope: &Scope,
    environment: &EnvironmentFacts,
    service: &ServiceFacts,
    instance_name: &str,
    inputs: Map<String, Value>,
    component: Option<(String, OutputTexts)>,
    template_arn: &str,
) -> Value {
    let target = Target::ServiceInstance { service: service.name.clone(), name: instance_name.to_owned() };
    let components = match component {
        Some((name, outputs)) => json!({ "default": { "name": name, "outputs": texts(&outputs) } }),
        None => json!({}),
    };
    let arn = target.arn(scope);
    json!({
        "environment": environment_value(environment),
        "service": service_value(service),
        "service_instance": { "name": instance_name, "inputs": Value::Object(inputs), "components": components },
        "proton_tags": {
            "proton:account": scope.account,
            "proton:template": template_arn,
            "proton:service": service_arn(scope, &service.name),
            "proton:environment": environment_arn(scope, &environment.name),
            "proton:service-instance": arn,
        },
        "//": arn,
    })
}

/// The document of a service's pipeline.
pub fn pipeline_inputs(
    scope: &Scope,
    service: &ServiceFacts,
    inputs: Map<String, Value>,
    instances: Vec<PipelineInstance>,
    template_arn: &str,
) -> Value {
    let instances: Vec<Value> = instances
        .into_iter()
        .map(|instance| {
            json!({
                "name": instance.name,
                "inputs": instance.inputs,
                "outputs": texts(&instance.outputs),
                "environment": environment_value(&instance.environment),
            })
        })
        .collect();
    json!({
        "pipeline": { "inputs": Value::Object(inputs) },
        "service": service_value(service),
        "service_instances": instances,
        "proton_tags": {
            "proton:account": scope.account,
            "proton:template": template_arn,
            "proton:service": service_arn(scope, &service.name),
        },
        "//": Target::ServicePipeline { service: service.name.clone() }.arn(scope),
    })
}

/// The document of a component; a detached one sees its environment only.
///
/// Proton gave components no `proton_tags` at first; they came later, with the component's own ARN.
pub fn component_inputs(
    scope: &Scope,
    name: &str,
    environment: &EnvironmentFacts,
    attached: Option<Attachment>,
) -> Value {
    let arn = Target::Component { name: name.to_owned() }.arn(scope);
    let mut document = Map::new();
    let mut tags = Map::new();
    document.insert("component".into(), json!({ "name": name }));
    document.insert("environment".into(), environment_value(environment));
    tags.insert("proton:account".into(), json!(scope.account));
    if let Some(Attachment { service, instance, inputs }) = attached {
        document.insert("service".into(), json!({ "name": service }));
        document.insert("service_instance".into(), json!({ "name": instance, "inputs": inputs }));
        tags.insert("proton:service".into(), json!(service_arn(scope, &service)));
        let target = Target::ServiceInstance { service, name: instance };
        tags.insert("proton:service-instance".into(), json!(target.arn(scope)));
    }
    tags.insert("proton:environment".into(), json!(environment_arn(scope, &environment.name)));
    tags.insert("proton:component".into(), json!(arn));
    document.insert("proton_tags".into(), Value::Object(tags));
    document.insert("//".into(), json!(arn));
    Value::Object(document)
}

/// The key of a target's state in the bucket: the one that AWS's sample workflow used, so that existing state is found.
///
/// `environment` is the name of the environment that the target lies in; a pipeline lies in none. The missing slash of
/// pipelines is the workflow's own. Different targets can share a key (`pay` + `api-dev` and `pay-api` + `dev`): whoever
/// stores by it must claim it first.
///
/// <https://github.com/aws-samples/aws-proton-terraform-github-actions-sample>
pub fn state_key(target: &Target, environment: &str) -> String {
    match target {
        Target::Environment { name } => format!("{name}/terraform.tfstate"),
        Target::ServiceInstance { service, name } => format!("{environment}/{service}-{name}/terraform.tfstate"),
        Target::Component { name } => format!("{environment}/components/{name}/terraform.tfstate"),
        Target::ServicePipeline { service } => format!("{service}/pipelineterraform.tfstate"),
    }
}

fn environment_arn(scope: &Scope, name: &str) -> String {
    Target::Environment { name: name.to_owned() }.arn(scope)
}

fn service_arn(scope: &Scope, name: &str) -> String {
    scope.arn(format_args!("service/{name}"))
}

fn environment_value(facts: &EnvironmentFacts) -> Value {
    json!({ "account_id": facts.account_id, "name": facts.name, "outputs": texts(&facts.outputs) })
}

fn service_value(facts: &ServiceFacts) -> Value {
    json!({
        "name": facts.name,
        "repository_connection_arn": facts.repository_connection_arn,
        "repository_id": facts.repository_id,
        "branch_name": facts.branch_name,
    })
}

fn texts(outputs: &[(String, String)]) -> Map<String, Value> {
    outputs.iter().map(|(key, text)| (key.clone(), Value::from(text.as_str()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope::new("123456789012", "us-east-1")
    }

    fn dev() -> EnvironmentFacts {
        EnvironmentFacts {
            name: "dev".into(),
            account_id: "123456789012".into(),
            outputs: vec![("VpcId".into(), "vpc-1".into())],
        }
    }

    fn pay() -> ServiceFacts {
        ServiceFacts { name: "pay".into(), ..ServiceFacts::default() }
    }

    fn inputs(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("an object is meant") };
        map
    }

    #[test]
    fn an_environment_is_written_in_protons_order() {
        let template = "arn:aws:proton:us-east-1:123456789012:environment-template/t";
        let given = inputs(json!({"vpc_cidr": "10.0.0.0/16", "nat": 2, "on": true}));
        let text = environment_inputs(&scope(), "dev", template, given).to_string();
        insta::assert_snapshot!(text, @r#"{"environment":{"name":"dev","inputs":{"vpc_cidr":"10.0.0.0/16","nat":2,"on":true}},"proton_tags":{"proton:account":"123456789012","proton:template":"arn:aws:proton:us-east-1:123456789012:environment-template/t","proton:environment":"arn:aws:proton:us-east-1:123456789012:environment/dev"},"//":"arn:aws:proton:us-east-1:123456789012:environment/dev"}"#);
    }

    #[test]
    fn an_instance_without_a_component_has_empty_components_and_empty_repository_facts() {
        let text = instance_inputs(&scope(), &dev(), &pay(), "api", inputs(json!({"port": 80})), None, "T").to_string();
        insta::assert_snapshot!(text, @r#"{"environment":{"account_id":"123456789012","name":"dev","outputs":{"VpcId":"vpc-1"}},"service":{"name":"pay","repository_connection_arn":"","repository_id":"","branch_name":""},"service_instance":{"name":"api","inputs":{"port":80},"components":{}},"proton_tags":{"proton:account":"123456789012","proton:template":"T","proton:service":"arn:aws:proton:us-east-1:123456789012:service/pay","proton:environment":"arn:aws:proton:us-east-1:123456789012:environment/dev","proton:service-instance":"arn:aws:proton:us-east-1:123456789012:service/pay/service-instance/api"},"//":"arn:aws:proton:us-east-1:123456789012:service/pay/service-instance/api"}"#);
    }

    #[test]
    fn an_attached_component_is_the_instances_default_one() {
        let component = Some(("queue".to_owned(), vec![("url".to_owned(), "https://q".to_owned())]));
        let document = instance_inputs(&scope(), &dev(), &pay(), "api", Map::new(), component, "T");
        let components = &document["service_instance"]["components"];
        assert_eq!(components, &json!({"default": {"name": "queue", "outputs": {"url": "https://q"}}}));
    }

    #[test]
    fn a_pipeline_lists_its_instances_with_their_environments() {
        let instance = PipelineInstance {
            name: "api".into(),
            inputs: inputs(json!({"port": 80})),
            outputs: vec![("url".into(), "u".into())],
            environment: dev(),
        };
        let text = pipeline_inputs(&scope(), &pay(), inputs(json!({"repo": "r"})), vec![instance], "T").to_string();
        insta::assert_snapshot!(text, @r#"{"pipeline":{"inputs":{"repo":"r"}},"service":{"name":"pay","repository_connection_arn":"","repository_id":"","branch_name":""},"service_instances":[{"name":"api","inputs":{"port":80},"outputs":{"url":"u"},"environment":{"account_id":"123456789012","name":"dev","outputs":{"VpcId":"vpc-1"}}}],"proton_tags":{"proton:account":"123456789012","proton:template":"T","proton:service":"arn:aws:proton:us-east-1:123456789012:service/pay"},"//":"arn:aws:proton:us-east-1:123456789012:service/pay/pipeline"}"#);
    }

    #[test]
    fn a_component_sees_its_service_only_while_attached() {
        let detached = component_inputs(&scope(), "queue", &dev(), None);
        let keys = |document: &Value| document.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&detached), ["component", "environment", "proton_tags", "//"]);
        let attachment = Attachment { service: "pay".into(), instance: "api".into(), inputs: Map::new() };
        let attached = component_inputs(&scope(), "queue", &dev(), Some(attachment));
        assert_eq!(keys(&attached), ["component", "environment", "service", "service_instance", "proton_tags", "//"]);
        assert_eq!(attached["proton_tags"]["proton:component"], attached["//"]);
    }

    #[test]
    fn state_keys_are_those_of_the_sample_workflow() {
        let instance = Target::ServiceInstance { service: "svc".into(), name: "inst".into() };
        assert_eq!(state_key(&Target::Environment { name: "env".into() }, "env"), "env/terraform.tfstate");
        assert_eq!(state_key(&instance, "env"), "env/svc-inst/terraform.tfstate");
        let component = Target::Component { name: "c".into() };
        assert_eq!(state_key(&component, "env"), "env/components/c/terraform.tfstate");
        let pipeline = Target::ServicePipeline { service: "svc".into() };
        assert_eq!(state_key(&pipeline, ""), "svc/pipelineterraform.tfstate");
    }
}
