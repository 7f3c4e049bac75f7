//! DeleteEnvironmentTemplateVersion and DeleteServiceTemplateVersion.

use super::super::resolve::highest;
use super::super::{existing, version_called};
use super::{Named, Shown, detail, major_of};
use crate::control_plane::operations::{history, tags};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{
    Deployment, Environment, Pipeline, ServiceInstance, Template, TemplateKind, TemplateVersion,
};
use crate::control_plane::store::{Document, Select, StoreError, Stored, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::{Scope, Target};

/// Removes a version that nothing is deployed with and that isn't recommended while others remain.
pub(crate) async fn delete(plane: &Plane, call: &Call, named: Named) -> Result<Shown, ProtonError> {
    let (scope, now) = (call.scope.clone(), call.now);
    plane
        .store
        .write(move |tx| {
            let version = named.existing(tx, &scope)?;
            let template = existing(tx, &scope, named.kind, &named.template)?;
            refuse_deployed(tx, &scope, &version)?;
            refuse_recommended(tx, &scope, &template, &version)?;
            let shown = Shown::new(tx, &scope, version.value.clone())?;
            let arn = scope.arn(version.key());
            tx.delete(&scope, &version)?;
            tags::remove_tags(tx, &scope, &arn)?;
            let before = Some(version.status.as_str());
            history::append(tx, &scope, &arn, before, history::DELETED, &detail(&version), now)?;
            recommend_again(tx, &scope, template)?;
            Ok(shown)
        })
        .await
}

fn refuse_deployed(tx: &mut dyn Transaction, scope: &Scope, version: &TemplateVersion) -> Result<(), ProtonError> {
    let Some(user) = user_of(tx, scope, version)? else { return Ok(()) };
    let what = version_called(version.kind, &version.template, version.version);
    Err(ProtonError::conflict(format!("{what} can't be deleted: {user} is deployed with it")))
}

/// Something that is deployed, or is being deployed, with a version.
fn user_of(tx: &mut dyn Transaction, scope: &Scope, version: &TemplateVersion) -> Result<Option<String>, StoreError> {
    let key = version.key();
    let one = Select { term: "template_version", value: &key, after: None, descending: false, limit: 1 };
    let user = match version.kind {
        TemplateKind::Environment => {
            tx.page::<Environment>(scope, &one)?.pop().map(|found| format!("environment {}", found.name))
        }
        TemplateKind::Service => {
            let instance = tx.page::<ServiceInstance>(scope, &one)?.pop();
            let instance = instance.map(|found| format!("service instance {}/{}", found.service, found.name));
            let pipeline = tx.page::<Pipeline>(scope, &one)?.pop();
            instance.or_else(|| pipeline.map(|found| format!("the pipeline of service {}", found.service)))
        }
    };
    if user.is_some() {
        return Ok(user);
    }
    let reference = version.reference();
    let under_way = tx.by_term::<Deployment>(scope, "in_flight", "")?.into_iter().find(|deployment| {
        kind_of(&deployment.target) == Some(version.kind)
            && deployment.target_state.template.as_ref() == Some(&reference)
    });
    Ok(under_way.map(|deployment| deployment.target.to_string()))
}

fn kind_of(target: &Target) -> Option<TemplateKind> {
    match target {
        Target::Environment { .. } => Some(TemplateKind::Environment),
        Target::ServiceInstance { .. } | Target::ServicePipeline { .. } => Some(TemplateKind::Service),
        Target::Component { .. } => None,
    }
}

/// The recommended minor goes only as the last of its major, the recommended major only as the last of its template.
fn refuse_recommended(
    tx: &mut dyn Transaction,
    scope: &Scope,
    template: &Template,
    version: &TemplateVersion,
) -> Result<(), ProtonError> {
    let major = major_of(version);
    let only_minor = lone(tx, scope, "major", &major)?;
    let recommended = highest(tx, scope, "published_major", &major)?.is_some_and(|v| v.version == version.version);
    let what = version_called(version.kind, &version.template, version.version);
    if recommended && !only_minor {
        return Err(ProtonError::conflict(format!(
            "{what} is the recommended minor version and can be deleted only as the last of its major version"
        )));
    }
    let recommended_major = template.recommended.is_some_and(|recommended| recommended.major == version.version.major);
    if recommended_major && only_minor && !lone(tx, scope, "template", &template.key())? {
        return Err(ProtonError::conflict(format!(
            "{what} is the recommended major version and can be deleted only as the last of its template"
        )));
    }
    Ok(())
}

/// Whether at most one version carries a term.
fn lone(tx: &mut dyn Transaction, scope: &Scope, term: &str, value: &str) -> Result<bool, StoreError> {
    let select = Select { term, value, after: None, descending: false, limit: 2 };
    Ok(tx.select(scope, TemplateVersion::KIND, &select)?.len() < 2)
}

fn recommend_again(tx: &mut dyn Transaction, scope: &Scope, mut template: Stored<Template>) -> Result<(), StoreError> {
    let recommended = highest(tx, scope, "published", &template.key())?.map(|version| version.version);
    if template.recommended == recommended {
        return Ok(());
    }
    template.recommended = recommended;
    tx.save(scope, &mut template)
}
