//! What a deployment deploys: an environment, a service instance, a service's pipeline or a component.

use std::fmt;

use hadron_model::DeploymentTargetResourceType;
use serde::{Deserialize, Serialize};

use super::Scope;

/// One thing that Terraform has a state for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "Proton's own names")]
pub enum Target {
    Environment { name: String },
    ServiceInstance { service: String, name: String },
    ServicePipeline { service: String },
    Component { name: String },
}

/// An ARN that names nothing which can be deployed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not the ARN of an environment, service instance, pipeline or component")]
pub struct UnknownTarget(pub String);

impl Target {
    /// The part of the ARN behind the account.
    ///
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsproton.html>
    pub fn resource(&self) -> String {
        match self {
            Self::Environment { name } => format!("environment/{name}"),
            Self::ServiceInstance { service, name } => format!("service/{service}/service-instance/{name}"),
            Self::ServicePipeline { service } => format!("service/{service}/pipeline"),
            Self::Component { name } => format!("component/{name}"),
        }
    }

    /// The target's ARN.
    pub fn arn(&self, scope: &Scope) -> String {
        scope.arn(self.resource())
    }

    /// Reads a target and its scope from an ARN.
    ///
    /// # Errors
    /// [`UnknownTarget`] for anything that isn't one of the four kinds.
    pub fn parse(arn: &str) -> Result<(Scope, Self), UnknownTarget> {
        let unknown = || UnknownTarget(arn.to_owned());
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, "proton", region, account, resource] = parts[..] else { return Err(unknown()) };
        let target = match resource.split('/').collect::<Vec<_>>()[..] {
            ["environment", name] => Self::Environment { name: name.into() },
            ["service", service, "service-instance", name] => {
                Self::ServiceInstance { service: service.into(), name: name.into() }
            }
            // An old form of the documentation carries an id behind the pipeline.
            ["service", service, "pipeline"] | ["service", service, "pipeline", _] => {
                Self::ServicePipeline { service: service.into() }
            }
            ["component", name] => Self::Component { name: name.into() },
            _ => return Err(unknown()),
        };
        Ok((Scope::new(account, region), target))
    }

    /// The kind in a word, as labels and spans have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Environment { .. } => "environment",
            Self::ServiceInstance { .. } => "service_instance",
            Self::ServicePipeline { .. } => "service_pipeline",
            Self::Component { .. } => "component",
        }
    }

    /// The kind in Proton's own enum.
    pub fn resource_type(&self) -> DeploymentTargetResourceType {
        match self {
            Self::Environment { .. } => DeploymentTargetResourceType::Environment,
            Self::ServiceInstance { .. } => DeploymentTargetResourceType::ServiceInstance,
            Self::ServicePipeline { .. } => DeploymentTargetResourceType::ServicePipeline,
            Self::Component { .. } => DeploymentTargetResourceType::Component,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment { name } => write!(f, "environment {name}"),
            Self::ServiceInstance { service, name } => write!(f, "service instance {service}/{name}"),
            Self::ServicePipeline { service } => write!(f, "pipeline of service {service}"),
            Self::Component { name } => write!(f, "component {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_arn() {
        let scope = Scope::new("123456789012", "cn-north-1");
        for target in [
            Target::Environment { name: "dev".into() },
            Target::ServiceInstance { service: "pay".into(), name: "api".into() },
            Target::ServicePipeline { service: "pay".into() },
            Target::Component { name: "queue".into() },
        ] {
            let arn = target.arn(&scope);
            assert!(arn.starts_with("arn:aws-cn:proton:cn-north-1:123456789012:"), "{arn}");
            assert_eq!(Target::parse(&arn).unwrap(), (scope.clone(), target));
        }
    }

    #[test]
    fn other_arns_are_refused() {
        for arn in ["", "arn:aws:proton:r:1:service/x", "arn:aws:s3:::bucket", "arn:aws:proton:r:1:environment/a/b"] {
            assert!(Target::parse(arn).is_err(), "{arn}");
        }
    }
}
