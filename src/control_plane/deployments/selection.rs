//! Which deployments a list, or an agent, is about.

use serde::{Deserialize, Serialize};

use crate::domain::{Scope, Target};

/// The names that `ListDeployments` and `GetDeployment` take; without any, all deployments are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Selection {
    pub(crate) environment: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) instance: Option<String>,
    pub(crate) component: Option<String>,
}

impl Selection {
    /// Whether a deployment of this target in this environment is meant: an environment's are its own and those of all that lies in it, a service's those
    /// of its instances and its pipeline.
    pub(crate) fn holds(&self, target: &Target, environment: &str) -> bool {
        let (service, instance, component) = match target {
            Target::Environment { .. } => (None, None, None),
            Target::ServiceInstance { service, name } => (Some(service), Some(name), None),
            Target::ServicePipeline { service } => (Some(service), None, None),
            Target::Component { name } => (None, None, Some(name)),
        };
        let fits = |wanted: &Option<String>, has: Option<&String>| wanted.is_none() || wanted.as_ref() == has;
        self.environment.as_ref().is_none_or(|wanted| wanted == environment)
            && fits(&self.service, service)
            && fits(&self.instance, instance)
            && fits(&self.component, component)
    }

    /// The index term that finds the fewest deployments besides those that are meant.
    pub(crate) fn term(&self, scope: &Scope) -> (&'static str, String) {
        if let Some(name) = &self.component {
            return ("target", Target::Component { name: name.clone() }.arn(scope));
        }
        match (&self.service, &self.instance, &self.environment) {
            (Some(service), Some(name), _) => {
                ("target", Target::ServiceInstance { service: service.clone(), name: name.clone() }.arn(scope))
            }
            (Some(service), None, _) => ("service", service.clone()),
            (None, _, Some(environment)) => ("environment", environment.clone()),
            (None, _, None) => (crate::control_plane::store::ALL, String::new()),
        }
    }
}
