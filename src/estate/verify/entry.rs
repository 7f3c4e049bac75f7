//! What was rebuilt, by what the directories name.

use std::collections::BTreeMap;

use super::{Bundles, Difference};
use crate::domain::{Bundle, BundleKind, Scope, Target, check_bundle, open_bundle, pack_component};
use crate::estate::{
    Rebuilt, RebuiltComponent, RebuiltEnvironment, RebuiltInstance, RebuiltPipeline, RebuiltService, RebuiltTemplate,
    Resource, VersionRef,
};

/// A resource as it was rebuilt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry<'a> {
    Environment(&'a RebuiltEnvironment),
    Instance(&'a RebuiltService, &'a RebuiltInstance),
    Pipeline(&'a RebuiltService, &'a RebuiltPipeline),
    Component(&'a RebuiltComponent),
}

/// A version: account and region, whether of services, template, major and minor.
pub(super) type VersionAt<'a> = (&'a Scope, bool, &'a str, u32, u32);

/// Everything that was rebuilt.
pub(super) struct Known<'a> {
    entries: BTreeMap<(&'a Scope, Target), Entry<'a>>,
    templates: BTreeMap<(&'a Scope, bool, &'a str), (&'a Scope, &'a RebuiltTemplate)>,
}

impl<'a> Known<'a> {
    pub(super) fn of(rebuilt: &'a [Rebuilt]) -> Self {
        let mut known = Self { entries: BTreeMap::new(), templates: BTreeMap::new() };
        for one in rebuilt {
            for template in &one.templates {
                let of_services = template.kind == BundleKind::Service;
                known.templates.insert((&one.scope, of_services, &template.name), (&one.scope, template));
            }
            let mut add = |target, entry| {
                known.entries.insert((&one.scope, target), entry);
            };
            for it in &one.environments {
                add(Target::Environment { name: it.name.clone() }, Entry::Environment(it));
            }
            for service in &one.services {
                for it in &service.instances {
                    let target = Target::ServiceInstance { service: service.name.clone(), name: it.name.clone() };
                    add(target, Entry::Instance(service, it));
                }
                if let Some(it) = &service.pipeline {
                    let target = Target::ServicePipeline { service: service.name.clone() };
                    add(target, Entry::Pipeline(service, it));
                }
            }
            for it in &one.components {
                add(Target::Component { name: it.name.clone() }, Entry::Component(it));
            }
        }
        known
    }

    pub(super) fn entry(&self, resource: &Resource) -> Option<Entry<'a>> {
        self.target(&resource.scope, &resource.target)
    }

    pub(super) fn target(&self, scope: &Scope, target: &Target) -> Option<Entry<'a>> {
        self.entries.get(&(scope, target.clone())).copied()
    }

    fn version(&self, scope: &Scope, of_services: bool, version: &VersionRef) -> Option<VersionAt<'a>> {
        let &(scope, template) = self.templates.get(&(scope, of_services, version.template.as_str()))?;
        Some((scope, of_services, &template.name, version.major.parse().ok()?, version.minor.parse().ok()?))
    }

    fn opened(&self, at: VersionAt<'a>) -> Result<Bundle, String> {
        let (scope, of_services, name, major, minor) = at;
        let (_, template) = self.templates[&(scope, of_services, name)];
        let version = template.versions.iter().find(|version| (version.major, version.minor) == (major, minor));
        let version =
            version.ok_or_else(|| format!("template {name} {major}.{minor} is not part of what is imported"))?;
        check_bundle(template.kind, version.files.clone(), template.customer_managed_pipeline())
            .map_err(|problems| format!("template {name} {major}.{minor} would be refused: {problems}"))
    }
}

impl Entry<'_> {
    pub(super) fn version(&self) -> Option<&VersionRef> {
        match self {
            Self::Environment(it) => Some(&it.version),
            Self::Instance(_, it) => Some(&it.version),
            Self::Pipeline(_, it) => Some(&it.version),
            Self::Component(_) => None,
        }
    }

    pub(super) fn deployment_id(&self) -> Option<&str> {
        match self {
            Self::Environment(it) => it.deployment_id.as_deref(),
            Self::Instance(_, it) => it.deployment_id.as_deref(),
            Self::Pipeline(_, it) => it.deployment_id.as_deref(),
            Self::Component(it) => it.deployment_id.as_deref(),
        }
    }
}

/// The bundle that a resource is rendered from.
pub(super) fn bundle<'a>(
    entry: &Entry<'a>,
    known: &Known<'a>,
    resource: &Resource,
    bundles: &mut Bundles<'a>,
) -> Result<Bundle, Difference> {
    if let Entry::Component(it) = entry {
        let refused = |problems| Difference::whole(format!("the component would be refused: {problems}"));
        let archive = pack_component(&it.manifest, &it.template_file).map_err(refused)?;
        return open_bundle(BundleKind::Component, &archive, false).map_err(refused);
    }
    let version = entry.version().ok_or_else(|| Difference::whole("has no version"))?;
    let of_services = !matches!(entry, Entry::Environment(_));
    let at = known.version(&resource.scope, of_services, version).ok_or_else(|| {
        Difference::whole(format!("its template {} is not part of what is imported", version.template))
    })?;
    bundles.entry(at).or_insert_with(|| known.opened(at)).clone().map_err(Difference::whole)
}
