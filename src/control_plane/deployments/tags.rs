//! The managed tags of a deployment: what an agent needs to know besides the stock API.

use std::collections::BTreeMap;

use super::Deployments;
use crate::control_plane::operations::tags::create_tags;
use crate::control_plane::records::{Deployment, TemplateKind};
use crate::control_plane::store::Transaction;
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

impl Deployments {
    /// Tags a new deployment with its bundle, its inputs, its action, and whose it is.
    pub(super) fn tag(&self, tx: &mut dyn Transaction, deployment: &Deployment) -> Result<(), ProtonError> {
        let mut managed = self.kinship(deployment);
        managed.insert("hadron:bundle".into(), deployment.bundle.uri.clone());
        managed.insert("hadron:inputs".into(), deployment.inputs_uri.clone());
        managed.insert("hadron:action".into(), deployment.action.name().into());
        let managed: Vec<(&str, &str)> = managed.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        create_tags(tx, &self.scope, &self.arn_of(&deployment.id), None, &managed)
    }

    /// Proton's own managed tags: the account, and the ARNs of what the deployment belongs to.
    ///
    /// <https://docs.aws.amazon.com/proton/latest/userguide/resources.html>
    fn kinship(&self, deployment: &Deployment) -> BTreeMap<String, String> {
        let mut managed = BTreeMap::from([("aws:proton:account".to_owned(), self.scope.account.clone())]);
        let mut belongs_to = |kind: &str, resource: String| {
            managed.insert(format!("aws:proton:{kind}"), self.scope.arn(resource));
        };
        if let Some(version) = &deployment.target_state.template {
            let kind = match deployment.target {
                Target::Environment { .. } => TemplateKind::Environment,
                _ => TemplateKind::Service,
            };
            belongs_to("template", format!("{}/{}", kind.resource(), version.template));
        }
        if !deployment.environment.is_empty() {
            belongs_to("environment", format!("environment/{}", deployment.environment));
        }
        match &deployment.target {
            Target::Environment { .. } => {}
            Target::ServiceInstance { service, .. } => {
                belongs_to("service", format!("service/{service}"));
                belongs_to("service-instance", deployment.target.resource());
            }
            Target::ServicePipeline { service } => belongs_to("service", format!("service/{service}")),
            Target::Component { .. } => belongs_to("component", deployment.target.resource()),
        }
        managed
    }
}
