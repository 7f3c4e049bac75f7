//! Who may do what: Cedar policies, with AWS's actions, resources and condition keys.
//!
//! A request passes here after the model's checks and before anything tells whether its resource exists, as at AWS. So
//! a caller without the right learns the same of a resource that is there and of one that isn't.
//!
//! <https://docs.cedarpolicy.com/>

mod facts;
mod objects;
mod resources;
mod rules;
mod schema;
mod site;
#[cfg(test)]
mod tests;

use std::sync::{Arc, RwLock};
use std::time::Duration;

use hadron_model::{Action, Operation};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::facts::{Look, Resource};
use self::resources::{arn_suffix, on, requested_tags, tag_keys, text};
use self::rules::{Asked, Beforehand, Principal, Refusal, Rules, Surroundings, What};
use super::object_server;
use super::plane::Plane;
use super::store::{StoreError, Transaction};
use super::wire::{Call, ProtonError};

pub use self::objects::{ObjectAction, ObjectCaller, ObjectResource};
pub use self::schema::TEXT as SCHEMA_TEXT;
pub use self::site::{PolicyError, PolicySource, SHIPPED};

/// How often a site's policies are looked at.
const LOOK: Duration = Duration::from_secs(3);

/// Decides whether a caller may do what it asks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Authority {
    source: PolicySource,
    rules: Arc<RwLock<Arc<Rules>>>,
}

impl Default for Authority {
    /// The shipped policies alone.
    fn default() -> Self {
        Self::open(PolicySource::default()).expect("a test reads the shipped policies")
    }
}

impl Authority {
    /// Reads and checks policies.
    ///
    /// # Errors
    /// A file that can't be read, or has a mistake, with its line.
    pub fn open(source: PolicySource) -> Result<Self, PolicyError> {
        let rules = source.compile(&source.read()?)?;
        Ok(Self { source, rules: Arc::new(RwLock::new(Arc::new(rules))) })
    }

    /// Whether the caller may perform an operation of either API on what its input names.
    ///
    /// # Errors
    /// `AccessDeniedException` that names principal, action and resource.
    pub async fn permit(&self, plane: &Plane, call: &Call, action: Action, input: &Value) -> Result<(), ProtonError> {
        self.permit_operation(plane, call, action, input).await?;
        match source(action, input).filter(|_| plane.settings.serves_objects) {
            Some((bucket, key)) => self.permit_source(plane, call, bucket, key).await,
            None => Ok(()),
        }
    }

    /// The server reads a template's archive with a key of its own, so that it must first be known whether the caller
    /// may read it.
    async fn permit_source(&self, plane: &Plane, call: &Call, bucket: String, key: String) -> Result<(), ProtonError> {
        let (caller, wish) = (object_caller(call), (ObjectAction::GetObject, bucket, Some(key)));
        let (account, id) = (caller.account.clone(), caller.access_key.clone());
        let look = move |tx: &mut dyn Transaction| object_server::object(tx, (&account, &id), &wish, "");
        let object = plane.store.read::<_, StoreError, _>(look).await?;
        self.permit_object(&caller, ObjectAction::GetObject, &object).map_err(ProtonError::AccessDenied)
    }

    async fn permit_operation(
        &self,
        plane: &Plane,
        call: &Call,
        action: Action,
        input: &Value,
    ) -> Result<(), ProtonError> {
        let (rules, asked) = (self.rules(), Asked::Operation(action));
        if let Beforehand::Decided(decision) = rules.beforehand(call.caller.role, asked) {
            let resource = || named(call, action, input);
            return decision.clone().map_err(|refusal| denied(&call.caller.principal, asked, &resource(), &refusal));
        }
        let wide = rules.has_site || !call.caller.environments.is_empty();
        let (scope, wanted) = (call.scope.clone(), input.clone());
        let look = move |tx: &mut dyn Transaction| Look { tx, scope: &scope, input: &wanted, wide }.at(action);
        let found = plane.store.read(look).await.map_err(ProtonError::from)?;
        let principal = principal(call);
        for resource in &found {
            let around = surroundings(call, action, input, resource);
            let decision = rules.decide(&principal, asked, &What::Resource(resource), &around);
            decision.map_err(|refusal| denied(principal.arn, asked, &resource.arn, &refusal))?;
        }
        Ok(())
    }

    /// Whether a key may do something with an object.
    ///
    /// # Errors
    /// The words of the refusal.
    pub fn permit_object(
        &self,
        caller: &ObjectCaller,
        action: ObjectAction,
        object: &ObjectResource,
    ) -> Result<(), String> {
        let (rules, asked) = (self.rules(), Asked::Object(action));
        let decision = match rules.beforehand(caller.role, asked) {
            Beforehand::Decided(decision) => decision.clone(),
            Beforehand::DependsOnResource => {
                let principal = Principal {
                    id: &caller.access_key,
                    arn: &caller.principal,
                    account: &caller.account,
                    role: caller.role,
                    groups: &caller.groups,
                    environments: &caller.environments,
                };
                rules.decide(&principal, asked, &What::Object(object), &Surroundings::default())
            }
        };
        decision.map_err(|refusal| words(&caller.principal, asked, &object.arn(), &refusal))
    }

    /// Reads a site's policies again whenever they have changed, until `stop`. A mistake is logged once and changes
    /// nothing: what held before goes on to hold.
    pub async fn watch(self, stop: CancellationToken) {
        if self.source.site.is_none() {
            return;
        }
        let mut seen = self.source.read().map_err(|error| error.to_string());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            self.look_again(&mut seen);
        }
    }

    /// Takes over what has changed since it was `seen`.
    fn look_again(&self, seen: &mut Result<site::Texts, String>) {
        let read = self.source.read();
        let now = read.as_ref().map(Clone::clone).map_err(ToString::to_string);
        if now == *seen {
            return;
        }
        *seen = now;
        match read.and_then(|texts| self.source.compile(&texts)) {
            Ok(rules) => {
                *self.rules.write().expect("no one panics while holding the policies") = Arc::new(rules);
                tracing::info!("the policies have changed and hold from now on");
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                tracing::error!("the policies have changed and have a mistake, so the old ones stay: {error}{cause}");
            }
        }
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().expect("no one panics while holding the policies"))
    }
}

fn principal(call: &Call) -> Principal<'_> {
    let caller = &call.caller;
    Principal {
        id: &caller.access_key,
        arn: &caller.principal,
        account: &call.scope.account,
        role: caller.role,
        groups: &caller.groups,
        environments: &caller.environments,
    }
}

fn object_caller(call: &Call) -> ObjectCaller {
    let caller = call.caller.clone();
    ObjectCaller {
        access_key: caller.access_key,
        principal: caller.principal,
        account: call.scope.account.clone(),
        role: caller.role,
        groups: caller.groups,
        environments: caller.environments,
    }
}

/// The archive that a new template version is to be made of.
fn source(action: Action, input: &Value) -> Option<(String, String)> {
    use Operation as O;
    let Action::Proton(O::CreateEnvironmentTemplateVersion | O::CreateServiceTemplateVersion) = action else {
        return None;
    };
    let source = input.get("source")?.get("s3")?;
    Some((text(source, "bucket")?.to_owned(), text(source, "key")?.to_owned()))
}

/// AWS gives the templates' condition keys to these operations, and to no others.
///
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsproton.html>
fn surroundings(call: &Call, action: Action, input: &Value, resource: &Resource) -> Surroundings {
    use Operation as O;
    let template = || resource.template.clone();
    let (environment_template, service_template) = match action {
        Action::Proton(
            O::CreateEnvironment | O::UpdateEnvironment | O::DeleteEnvironment | O::CancelEnvironmentDeployment,
        ) => (template(), None),
        Action::Proton(
            O::CreateService
            | O::UpdateService
            | O::DeleteService
            | O::CreateServiceInstance
            | O::UpdateServiceInstance
            | O::UpdateServicePipeline
            | O::CancelServiceInstanceDeployment
            | O::CancelServicePipelineDeployment,
        ) => (None, template()),
        _ => (None, None),
    };
    Surroundings {
        region: call.scope.region.clone(),
        source_ip: call.peer,
        tags: requested_tags(input),
        tag_keys: tag_keys(input),
        environment_template,
        service_template,
        role: text(input, "role").map(str::to_owned),
    }
}

/// The ARN of what a request is about, without a look at the record.
fn named(call: &Call, action: Action, input: &Value) -> String {
    let on = on(action);
    match on {
        resources::On::Target(member) | resources::On::Arn(member) => text(input, member).unwrap_or("*").to_owned(),
        _ => arn_suffix(on, input).map_or_else(|| "*".to_owned(), |suffix| call.scope.arn(suffix)),
    }
}

fn denied(principal: &str, asked: Asked, resource: &str, refusal: &Refusal) -> ProtonError {
    ProtonError::AccessDenied(words(principal, asked, resource, refusal))
}

/// AWS's own words.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn words(principal: &str, asked: Asked, resource: &str, refusal: &Refusal) -> String {
    let because = match refusal {
        Refusal::Unpermitted => "because no policy allows it".to_owned(),
        Refusal::Forbidden(id) => format!("with an explicit deny in a policy: {id}"),
    };
    format!("User: {principal} is not authorized to perform: {} on resource: {resource} {because}", asked.iam())
}
