//! What policies may know of a resource, out of the record.

use std::collections::{BTreeMap, BTreeSet};

use hadron_model::{Action, Operation};
use serde_json::Value;

use super::resources::{Kind, On, folder, on, requested_tags, text};
use crate::control_plane::deployments::environments_of_service;
use crate::control_plane::records::{Component, Deployment, Environment, Service, ServiceInstance, TagSet};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::{Scope, ServiceSpec, Target};

/// The tag that says whose a service is.
pub(super) const OWNER: &str = "owner";

/// A resource as policies see it, whether it is there or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) kind: Option<Kind>,
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) owner: Option<String>,
    pub(super) environments: BTreeSet<String>,
    pub(super) service: Option<String>,
    pub(super) template: Option<String>,
    pub(super) claimed_by: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
}

impl Resource {
    /// What has no resource of its own.
    pub(super) fn account() -> Self {
        Self { kind: Some(Kind::Account), arn: "*".into(), name: "*".into(), ..Self::default() }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind.unwrap_or(Kind::Account)
    }
}

/// A look at what an operation is about.
pub(super) struct Look<'l> {
    pub(super) tx: &'l mut dyn Transaction,
    pub(super) scope: &'l Scope,
    pub(super) input: &'l Value,
    /// Whether anybody may ask for the environments of a service, which takes a look at all its instances.
    pub(super) wide: bool,
}

impl Look<'_> {
    /// The resources of an operation: each must be permitted.
    pub(super) fn at(&mut self, action: Action) -> Result<Vec<Resource>, StoreError> {
        let (on, input) = (on(action), self.input);
        let mut found = vec![match on {
            On::Account => Resource::account(),
            On::Named(kind, member) => self.named(kind, member_of(input, member))?,
            On::Instance(service, name) => self.instance(member_of(input, service), member_of(input, name))?,
            On::Component(member) => self.component(member_of(input, member))?,
            On::Repository => {
                let name = format!("{}:{}", member_of(input, "provider").to_lowercase(), member_of(input, "name"));
                self.plain(Kind::Repository, &name)?
            }
            On::Target(member) => self.target(member_of(input, member))?,
            On::Arn(member) => self.arn(member_of(input, member))?,
        }];
        if action.name().starts_with("Create") {
            self.as_requested(action, &mut found[0])?;
        }
        self.where_it_leads(action, &mut found[0])?;
        if action == Action::Proton(Operation::UpdateComponent)
            && let Some(service) = text(self.input, "serviceName")
        {
            found.push(self.service(service)?);
        }
        Ok(found)
    }

    fn tags(&mut self, arn: &str) -> Result<Option<BTreeMap<String, String>>, StoreError> {
        Ok(self.tx.get::<TagSet>(self.scope, arn)?.map(|set| set.value.tags))
    }

    /// A resource of which only its tags are of interest.
    fn plain(&mut self, kind: Kind, name: &str) -> Result<Resource, StoreError> {
        let arn = self.scope.arn(format!("{}/{name}", folder(kind)));
        let tags = self.tags(&arn)?.unwrap_or_default();
        let owner = tags.get(OWNER).cloned();
        Ok(Resource { kind: Some(kind), arn, name: name.to_owned(), owner, tags, ..Resource::default() })
    }

    fn named(&mut self, kind: Kind, name: &str) -> Result<Resource, StoreError> {
        match kind {
            Kind::Environment => self.environment(name),
            Kind::Service => self.service(name),
            Kind::Deployment => self.deployment(name),
            _ => self.plain(kind, name),
        }
    }

    fn environment(&mut self, name: &str) -> Result<Resource, StoreError> {
        let mut found = self.plain(Kind::Environment, name)?;
        found.environments = BTreeSet::from([name.to_owned()]);
        let template = self.tx.get::<Environment>(self.scope, name)?.map(|it| it.value.template.template);
        found.template = template.map(|name| self.scope.arn(format!("environment-template/{name}")));
        Ok(found)
    }

    fn service(&mut self, name: &str) -> Result<Resource, StoreError> {
        let mut found = self.plain(Kind::Service, name)?;
        found.service = Some(name.to_owned());
        let template = self.tx.get::<Service>(self.scope, name)?.map(|it| it.value.template);
        found.template = template.map(|name| self.scope.arn(format!("service-template/{name}")));
        if self.wide {
            found.environments = environments_of_service(self.tx, self.scope, name)?;
        }
        Ok(found)
    }

    /// Makes something its service's: whose that is, is the owner of it.
    fn of_service(&mut self, found: &mut Resource, service: &str) -> Result<(), StoreError> {
        let tags = self.tags(&self.scope.arn(format!("service/{service}")))?;
        found.owner = tags.and_then(|mut tags| tags.remove(OWNER));
        found.service = Some(service.to_owned());
        Ok(())
    }

    fn instance(&mut self, service: &str, name: &str) -> Result<Resource, StoreError> {
        let mut found = self.plain(Kind::Service, &format!("{service}/service-instance/{name}"))?;
        (found.kind, found.name) = (Some(Kind::ServiceInstance), name.to_owned());
        self.of_service(&mut found, service)?;
        if let Some(instance) = self.tx.get::<ServiceInstance>(self.scope, &ServiceInstance::key_of(service, name))? {
            found.environments = BTreeSet::from([instance.environment.clone()]);
        }
        let template = self.tx.get::<Service>(self.scope, service)?.map(|it| it.value.template);
        found.template = template.map(|name| self.scope.arn(format!("service-template/{name}")));
        Ok(found)
    }

    /// A component is its service's as long as it is attached, else whose its own tag says.
    fn component(&mut self, name: &str) -> Result<Resource, StoreError> {
        let mut found = self.plain(Kind::Component, name)?;
        if let Some(component) = self.tx.get::<Component>(self.scope, name)? {
            found.environments = BTreeSet::from([component.environment.clone()]);
            if let Some((service, _)) = &component.attached_to {
                self.of_service(&mut found, service)?;
            }
        }
        Ok(found)
    }

    fn deployment(&mut self, id: &str) -> Result<Resource, StoreError> {
        let mut found = self.plain(Kind::Deployment, id)?;
        let Some(deployment) = self.tx.get::<Deployment>(self.scope, id)? else { return Ok(found) };
        let target = self.of_target(&deployment.target)?;
        (found.owner, found.service, found.template) = (target.owner, target.service, target.template);
        found.environments = environments(&deployment, target.environments);
        found.claimed_by = deployment.claimed_by().map(str::to_owned);
        Ok(found)
    }

    fn of_target(&mut self, target: &Target) -> Result<Resource, StoreError> {
        match target {
            Target::Environment { name } => self.environment(name),
            Target::ServiceInstance { service, name } => self.instance(service, name),
            Target::Component { name } => self.component(name),
            Target::ServicePipeline { service } => {
                let mut found = self.service(service)?;
                found.arn = target.arn(self.scope);
                Ok(found)
            }
        }
    }

    /// What is deployed; the deployment that is named besides tells more, and also of a target that is gone.
    fn target(&mut self, arn: &str) -> Result<Resource, StoreError> {
        let parsed = Target::parse(arn).ok().filter(|(scope, _)| scope == self.scope);
        let Some((_, target)) = parsed else { return Ok(unknown(arn)) };
        let mut found = self.of_target(&target)?;
        let Some(id) = text(self.input, "deploymentId") else { return Ok(found) };
        let deployment = self.tx.get::<Deployment>(self.scope, id)?.filter(|deployment| deployment.target == target);
        if let Some(deployment) = deployment {
            found.environments = environments(&deployment, found.environments);
            found.claimed_by = deployment.claimed_by().map(str::to_owned);
        }
        Ok(found)
    }

    /// A resource of any kind by its ARN; a template's version is its template's.
    fn arn(&mut self, arn: &str) -> Result<Resource, StoreError> {
        let Some(resource) = arn.strip_prefix(&self.scope.arn("")) else { return Ok(unknown(arn)) };
        let mut found = match resource.split('/').collect::<Vec<_>>()[..] {
            ["environment-template", name] => self.plain(Kind::EnvironmentTemplate, name)?,
            ["service-template", name] => self.plain(Kind::ServiceTemplate, name)?,
            ["environment-account-connection", id] => self.plain(Kind::EnvironmentAccountConnection, id)?,
            ["repository", ..] => self.plain(Kind::Repository, resource.split_once('/').unwrap_or_default().1)?,
            ["deployment", id] => self.deployment(id)?,
            ["service", name] => self.service(name)?,
            _ => match Target::parse(arn) {
                Ok((_, target)) => self.of_target(&target)?,
                Err(_) => return Ok(unknown(arn)),
            },
        };
        arn.clone_into(&mut found.arn);
        Ok(found)
    }

    /// What isn't there yet is whose the request says; an instance and an attached component are their service's.
    fn as_requested(&mut self, action: Action, found: &mut Resource) -> Result<(), StoreError> {
        let tags = requested_tags(self.input);
        let attached = matches!(action, Action::Proton(Operation::CreateServiceInstance | Operation::CreateComponent))
            .then(|| text(self.input, "serviceName").map(str::to_owned))
            .flatten();
        if let Some(service) = attached {
            self.of_service(found, &service)?;
        } else if found.tags.is_empty() && found.owner.is_none() && found.template.is_none() {
            found.owner = tags.get(OWNER).cloned();
        }
        if found.template.is_none() {
            let kind = if found.kind() == Kind::Environment { "environment-template" } else { "service-template" };
            let name = text(self.input, "templateName");
            found.template = name.map(|name| self.scope.arn(format!("{kind}/{name}")));
        }
        Ok(())
    }

    /// Adds the environments in which a request would bring something about.
    fn where_it_leads(&mut self, action: Action, found: &mut Resource) -> Result<(), StoreError> {
        use Operation as O;
        let Action::Proton(operation) = action else { return Ok(()) };
        match operation {
            O::CreateService | O::UpdateService | O::CreateServiceInstance => {
                let Some(Ok(spec)) = text(self.input, "spec").map(ServiceSpec::parse) else { return Ok(()) };
                let only = (operation == O::CreateServiceInstance).then(|| found.name.clone());
                let meant = spec.instances.into_iter().filter(|it| only.as_ref().is_none_or(|name| *name == it.name));
                found.environments.extend(meant.map(|it| it.environment));
            }
            O::CreateComponent => {
                found.environments.extend(text(self.input, "environmentName").map(str::to_owned));
                let named = text(self.input, "serviceName").zip(text(self.input, "serviceInstanceName"));
                if let Some((service, name)) = named {
                    found.environments.extend(self.instance(service, name)?.environments);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Where a deployment lies: where its record says, even when its target is gone; a pipeline where its service does.
fn environments(deployment: &Deployment, target: BTreeSet<String>) -> BTreeSet<String> {
    if deployment.environment.is_empty() { target } else { BTreeSet::from([deployment.environment.clone()]) }
}

fn member_of<'i>(input: &'i Value, name: &str) -> &'i str {
    text(input, name).unwrap_or_default()
}

fn unknown(arn: &str) -> Resource {
    Resource { arn: arn.to_owned(), ..Resource::account() }
}
