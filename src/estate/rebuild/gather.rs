//! What belongs together: one account and region, each ARN once, each version with what uses it.

use std::collections::BTreeMap;

use super::{inconsistent, note};
use crate::domain::{BundleKind, InputType, Scope, Target};
use crate::estate::{Estate, Resource, Trouble, VersionRef};

/// One account and region.
pub(super) struct Group<'a> {
    pub(super) scope: Scope,
    /// Every ARN once, in the order of place.
    pub(super) resources: Vec<&'a Resource>,
    /// What claims an ARN that another directory was given, for the check of state keys.
    pub(super) doubles: Vec<&'a Resource>,
}

/// A version as everything names it: what its template is for, the template's name, major and minor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VersionKey {
    /// Service templates come second, as they are registered.
    pub(super) of_services: bool,
    pub(super) template: String,
    pub(super) major: u32,
    pub(super) minor: u32,
}

/// What uses a version.
#[derive(Debug, Default)]
pub(in crate::estate) struct Users<'a> {
    /// Environments or instances.
    pub(in crate::estate) main: Vec<&'a Resource>,
    /// Pipelines.
    pub(in crate::estate) pipelines: Vec<&'a Resource>,
}

impl VersionKey {
    /// The version that a resource names; `None` for numbers that no version has.
    pub(super) fn of(target: &Target, version: &VersionRef) -> Option<Self> {
        Some(Self {
            of_services: !matches!(target, Target::Environment { .. }),
            template: version.template.clone(),
            major: number(&version.major)?,
            minor: number(&version.minor)?,
        })
    }

    pub(super) fn kind(&self) -> BundleKind {
        if self.of_services { BundleKind::Service } else { BundleKind::Environment }
    }

    /// As a person writes it.
    pub(super) fn said(&self) -> String {
        let kind = if self.of_services { "service" } else { "environment" };
        format!("{kind} template {} {}.{}", self.template, self.major, self.minor)
    }

    /// The version's ARN.
    pub(super) fn arn(&self, scope: &Scope) -> String {
        format!("{}:{}.{}", self.template_arn(scope), self.major, self.minor)
    }

    /// The template's ARN.
    pub(super) fn template_arn(&self, scope: &Scope) -> String {
        let kind = if self.of_services { "service" } else { "environment" };
        scope.arn(format_args!("{kind}-template/{}", self.template))
    }
}

impl<'a> Users<'a> {
    /// Those that the inputs of a kind belong to.
    pub(super) fn of(&self, which: InputType) -> &[&'a Resource] {
        if which == InputType::Pipeline { &self.pipelines } else { &self.main }
    }

    /// A directory to name in a message.
    pub(super) fn first(&self) -> Option<&'a Resource> {
        self.main.iter().chain(&self.pipelines).copied().min_by_key(|resource| (resource.deleted, &resource.place))
    }
}

/// A number as the API writes it: decimal, without leading zeros.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The groups, in the order of account and region.
pub(super) fn groups<'a>(estate: &'a Estate, troubles: &mut Vec<Trouble>) -> Vec<Group<'a>> {
    let mut by_scope: BTreeMap<&Scope, BTreeMap<&str, Vec<&Resource>>> = BTreeMap::new();
    for resource in &estate.resources {
        by_scope.entry(&resource.scope).or_default().entry(&resource.arn).or_default().push(resource);
    }
    let group = |(scope, by_arn): (&Scope, BTreeMap<&str, Vec<&'a Resource>>)| {
        let (mut resources, mut doubles) = (Vec::new(), Vec::new());
        for mut claimants in by_arn.into_values() {
            claimants.sort_by_key(|resource| (resource.deleted, &resource.place));
            tell_doubles(&claimants, troubles);
            doubles.extend(claimants.drain(1..));
            resources.append(&mut claimants);
        }
        resources.sort_by_key(|resource| &resource.place);
        Group { scope: scope.clone(), resources, doubles }
    };
    by_scope.into_iter().map(group).collect()
}

/// Says which of several directories with one ARN was taken.
fn tell_doubles(claimants: &[&Resource], troubles: &mut Vec<Trouble>) {
    let [taken, others @ ..] = claimants else { return };
    for other in others {
        let same = taken.values == other.values && taken.code == other.code;
        let (arn, place) = (&taken.arn, format!("{}/{}", taken.place.repository, taken.place.path));
        if other.deleted && !taken.deleted {
            troubles.push(note(&other.place, format!("{arn} is deleted here and lives in {place}")));
        } else {
            let how = if same { "the same" } else { "other" };
            let message = format!(
                "{arn} is claimed by {place}, too, with {how} content: {place} was taken, remove the wrong one"
            );
            troubles.push(inconsistent(&other.place, message));
        }
    }
}

/// Every version that anything of a group used, ascending.
pub(super) fn versions<'a>(group: &Group<'a>, troubles: &mut Vec<Trouble>) -> BTreeMap<VersionKey, Users<'a>> {
    let mut versions: BTreeMap<VersionKey, Users<'a>> = BTreeMap::new();
    for &resource in &group.resources {
        let Some(version) = &resource.version else { continue };
        let Some(key) = VersionKey::of(&resource.target, version) else {
            let message = format!("no template has a version {}.{}: left out", version.major, version.minor);
            troubles.push(inconsistent(&resource.place, message));
            continue;
        };
        let users = versions.entry(key).or_default();
        if matches!(resource.target, Target::ServicePipeline { .. }) {
            users.pipelines.push(resource);
        } else {
            users.main.push(resource);
        }
    }
    versions
}
