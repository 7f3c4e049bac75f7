//! What is known beside what Proton rendered: compatible environment templates, and what a dump says.

use std::collections::{BTreeMap, BTreeSet};

use super::gather::{Group, VersionKey};
use super::version::Built;
use super::{inconsistent, note};
use crate::domain::{Scope, Target};
use crate::estate::{Dump, RebuiltComponent, RebuiltEnvironment, RebuiltService, Resource, Told, Trouble};

/// By ARN.
pub(super) fn all(
    scope: &Scope,
    versions: &BTreeMap<VersionKey, Built>,
    environments: &[RebuiltEnvironment],
    services: &[RebuiltService],
    components: &[RebuiltComponent],
    dump: &Dump,
) -> BTreeMap<String, Told> {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for (key, built) in versions {
        let version = told.entry(key.arn(scope)).or_default();
        *version = of_version(&key.arn(scope), dump);
        if let Some(registration) = &built.registration {
            version.compatible_environments.extend(registration.compatible_environments.iter().cloned());
            version.supported_component_sources.extend(registration.component_sources.iter().cloned());
        }
        told.entry(key.template_arn(scope)).or_insert_with(|| of_template(key, scope, dump));
    }
    let resources = environments.iter().map(|it| &it.arn).chain(components.iter().map(|it| &it.arn));
    let instances = services.iter().flat_map(|it| &it.instances);
    for arn in resources.chain(services.iter().map(|it| &it.arn)).chain(instances.map(|it| &it.arn)) {
        if let Some(description) = dump.text(arn, "description") {
            told.entry(arn.clone()).or_default().description = Some(description.to_owned());
        }
    }
    compatible(scope, environments, services, components, &mut told);
    told.retain(|_, told| *told != Told::default());
    told
}

/// What runs together was compatible.
fn compatible(
    scope: &Scope,
    environments: &[RebuiltEnvironment],
    services: &[RebuiltService],
    components: &[RebuiltComponent],
    told: &mut BTreeMap<String, Told>,
) {
    let by_name: BTreeMap<&str, &RebuiltEnvironment> = environments.iter().map(|it| (it.name.as_str(), it)).collect();
    let attached: BTreeSet<&(String, String)> = components.iter().filter_map(|it| it.attached.as_ref()).collect();
    for service in services {
        for instance in &service.instances {
            let target = Target::ServiceInstance { service: service.name.clone(), name: instance.name.clone() };
            let Some(key) = VersionKey::of(&target, &instance.version) else { continue };
            let version = told.entry(key.arn(scope)).or_default();
            if let Some(environment) = by_name.get(instance.environment.as_str())
                && let Ok(major) = environment.version.major.parse()
            {
                version.compatible_environments.insert((environment.version.template.clone(), major));
            }
            if attached.contains(&(service.name.clone(), instance.name.clone())) {
                version.supported_component_sources.insert("DIRECTLY_DEFINED".into());
            }
        }
    }
}

fn of_version(arn: &str, dump: &Dump) -> Told {
    let text = |member: &str| dump.text(arn, member).map(str::to_owned);
    let environments = dump.list(arn, "compatibleEnvironmentTemplates").iter().filter_map(|it| {
        let major = it["majorVersion"].as_str()?.parse().ok()?;
        Some((it["templateName"].as_str()?.to_owned(), major))
    });
    let sources = dump.list(arn, "supportedComponentSources").iter().filter_map(|it| Some(it.as_str()?.to_owned()));
    Told {
        description: text("description"),
        status: text("status").filter(|status| matches!(status.as_str(), "DRAFT" | "PUBLISHED")),
        compatible_environments: environments.collect(),
        supported_component_sources: sources.collect(),
        ..Told::default()
    }
}

fn of_template(key: &VersionKey, scope: &Scope, dump: &Dump) -> Told {
    let arn = key.template_arn(scope);
    let text = |member: &str| dump.text(&arn, member).map(str::to_owned);
    let recommended = text("recommendedVersion").and_then(|version| {
        let (major, minor) = version.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    // The list of versions has a row for each major version, with the minor one that it recommends.
    let majors = dump.arns().filter_map(|(other, _)| {
        let version = other.strip_prefix(&arn)?.strip_prefix(':')?;
        let major = version.split('.').next()?.parse().ok()?;
        Some((major, dump.text(other, "recommendedMinorVersion")?.parse().ok()?))
    });
    Told {
        display_name: text("displayName"),
        description: text("description"),
        recommended_version: recommended,
        recommended_minors: majors.collect(),
        ..Told::default()
    }
}

/// Says where the dump and the repositories disagree about what there is.
pub(super) fn compare_with_dump(group: &Group<'_>, dump: &Dump, troubles: &mut Vec<Trouble>) {
    let by_arn: BTreeMap<&str, &Resource> = group.resources.iter().map(|it| (it.arn.as_str(), *it)).collect();
    for (arn, place) in dump.arns() {
        let Ok((scope, target)) = Target::parse(arn) else { continue };
        if scope != group.scope {
            continue;
        }
        match by_arn.get(arn) {
            None => troubles.push(note(place, format!("{target} is in the dump and in no repository: left out"))),
            Some(resource) if resource.deleted => {
                let message = format!("the dump still knows {target}, which is deleted in the repository");
                troubles.push(note(&resource.place, message));
            }
            Some(resource) => compare_versions(resource, dump, troubles),
        }
    }
}

fn compare_versions(resource: &Resource, dump: &Dump, troubles: &mut Vec<Trouble>) {
    let Some(own) = &resource.version else { return };
    let text = |member: &str| dump.text(&resource.arn, member);
    let dumped = (text("templateName"), text("templateMajorVersion"), text("templateMinorVersion"));
    let (Some(name), Some(major), Some(minor)) = dumped else { return };
    if (name, major, minor) != (own.template.as_str(), own.major.as_str(), own.minor.as_str()) {
        let message = format!(
            "the dump has {} at {name} {major}.{minor}, the repository at {} {}.{}, which was taken",
            resource.target, own.template, own.major, own.minor
        );
        troubles.push(inconsistent(&resource.place, message));
    }
}
