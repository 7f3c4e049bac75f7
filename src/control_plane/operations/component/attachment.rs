//! Which instance a component is attached to: one at most on either side.

use hadron_model::ServiceTemplateSupportedComponentSourceType as Source;

use crate::control_plane::deployments::{Deployments, TargetRecord};
use crate::control_plane::operations::service::refuse_leaving;
use crate::control_plane::records::{ServiceInstance, TemplateKind, TemplateVersion};
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Target;

/// A service and its instance.
pub(super) type Place = (String, String);

/// What a request wants with the component's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// Leave it as it is.
    Keep,
    /// Both names are empty.
    Detach,
    /// Both names are given.
    Attach(Place),
}

impl Wish {
    /// Reads `serviceName` and `serviceInstanceName`, which come together or not at all.
    ///
    /// <https://docs.aws.amazon.com/proton/latest/APIReference/API_UpdateComponent.html>
    ///
    /// # Errors
    /// `ValidationException` for one without the other.
    pub(super) fn of(service: Option<&str>, instance: Option<&str>) -> Result<Self, ProtonError> {
        match (service, instance) {
            (None, None) => Ok(Self::Keep),
            (Some(""), Some("")) => Ok(Self::Detach),
            (Some(service), Some(instance)) if !service.is_empty() && !instance.is_empty() => {
                Ok(Self::Attach((service.to_owned(), instance.to_owned())))
            }
            _ => Err(ProtonError::validation("serviceName and serviceInstanceName must be given together")),
        }
    }
}

/// The instance at a place, for a component that is, or is to be, attached there.
///
/// # Errors
/// `ResourceNotFoundException`; `ConflictException` while the instance is being deployed, or if another component has
/// the place; `ValidationException` if the instance's template takes no components.
pub(super) fn instance_for(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    component: &str,
    place: &Place,
) -> Result<Stored<ServiceInstance>, ProtonError> {
    let (service, name) = place;
    let target = Target::ServiceInstance { service: service.clone(), name: name.clone() };
    let found = tx.get::<ServiceInstance>(&engine.scope, &ServiceInstance::key_of(service, name))?;
    let instance = found.ok_or_else(|| ProtonError::not_found(format!("{target} doesn't exist")))?;
    engine.must_be_idle(tx, &TargetRecord::Instance(instance.clone()), &target)?;
    // What its service is about to remove is no place for a component any more.
    refuse_leaving(tx, engine, &instance)?;
    if let Some(other) = instance.component.as_deref().filter(|other| *other != component) {
        return Err(ProtonError::conflict(format!("{target} has a component already: {other}")));
    }
    if !version_of(tx, engine, &instance)?.component_sources.contains(&Source::DirectlyDefined) {
        let template = &instance.template;
        return Err(ProtonError::validation(format!(
            "{target} takes no components: version {} of its template {} doesn't list DIRECTLY_DEFINED among its \
             supported component sources",
            template.version, template.template
        )));
    }
    Ok(instance)
}

/// The template version that an instance shows.
pub(super) fn version_of(
    tx: &mut dyn Transaction,
    engine: &Deployments,
    instance: &ServiceInstance,
) -> Result<TemplateVersion, ProtonError> {
    let used = &instance.template;
    let key = TemplateVersion::key_of(TemplateKind::Service, &used.template, used.version);
    let found = tx.get::<TemplateVersion>(&engine.scope, &key)?;
    let missing = || ProtonError::conflict(format!("version {} of template {} is gone", used.version, used.template));
    found.map(|found| found.value).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_come_together_or_not_at_all() {
        let place = |service: &str, instance: &str| Wish::Attach((service.into(), instance.into()));
        for (service, instance, wish) in [
            (None, None, Some(Wish::Keep)),
            (Some(""), Some(""), Some(Wish::Detach)),
            (Some("pay"), Some("api"), Some(place("pay", "api"))),
            (Some("pay"), None, None),
            (None, Some("api"), None),
            (Some("pay"), Some(""), None),
            (Some(""), Some("api"), None),
            (None, Some(""), None),
        ] {
            assert_eq!(Wish::of(service, instance).ok(), wish, "{service:?} {instance:?}");
        }
    }
}
