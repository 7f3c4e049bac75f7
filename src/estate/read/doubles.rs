//! Several directories that claim one ARN: at most one of them is the resource.

use std::collections::BTreeMap;
use std::mem;

use super::resource::{expected, is_end_of};
use crate::estate::{Estate, Resource, Trouble, TroubleKind};

/// Leaves one directory for each ARN: the live one, else the one whose path fits; where that doesn't decide between live
/// ones, none.
pub(super) fn settle(estate: &mut Estate) {
    let mut groups: BTreeMap<_, Vec<Resource>> = BTreeMap::new();
    for resource in mem::take(&mut estate.resources) {
        groups.entry((resource.scope.clone(), resource.target.clone())).or_default().push(resource);
    }
    for group in groups.into_values() {
        let (taken, troubles) = one_of(group);
        estate.resources.extend(taken);
        estate.troubles.extend(troubles);
    }
}

fn one_of(mut group: Vec<Resource>) -> (Option<Resource>, Vec<Trouble>) {
    if group.len() == 1 {
        return (group.pop(), Vec::new());
    }
    let mut troubles = Vec::new();
    let some_live = group.iter().any(|resource| !resource.deleted);
    let (mut candidates, older): (Vec<_>, Vec<_>) =
        group.into_iter().partition(|resource| resource.deleted != some_live);
    let mut losers: Vec<(Resource, TroubleKind)> =
        older.into_iter().map(|resource| (resource, TroubleKind::Note)).collect();
    if candidates.iter().skip(1).any(|other| !same(&candidates[0], other)) {
        let fits: Vec<bool> = candidates.iter().map(lies_right).collect();
        let right = fits.iter().filter(|fits| **fits).count();
        if right != 1 && some_live {
            let places = candidates.iter().map(whereabouts).collect::<Vec<_>>().join(" and ");
            let all = candidates.iter().chain(losers.iter().map(|(loser, _)| loser));
            let message = |resource: &Resource| {
                format!(
                    "{} is claimed by {places}, and none of it tells which one counts: not imported; delete one, or \
                     name only one repository",
                    resource.arn
                )
            };
            troubles.extend(all.map(|resource| resource.trouble(TroubleKind::Unreadable, message(resource))));
            return (None, troubles);
        }
        if let Some(at) = fits.iter().position(|fits| *fits) {
            candidates.swap(0, at);
        }
    }
    let mut candidates = candidates.into_iter();
    let taken = candidates.next();
    let place = taken.as_ref().map(whereabouts).unwrap_or_default();
    for other in candidates {
        let kind = if taken.as_ref().is_some_and(|taken| same(taken, &other)) || other.deleted {
            TroubleKind::Note
        } else {
            TroubleKind::Inconsistent
        };
        losers.push((other, kind));
    }
    troubles.extend(losers.into_iter().map(|(loser, kind)| {
        let why = if loser.deleted && some_live {
            "which lives, while this one is deleted"
        } else if taken.as_ref().is_some_and(|taken| same(taken, &loser)) {
            "which says the same"
        } else {
            "which lies where Proton kept it"
        };
        loser.trouble(kind, format!("{} is taken from {place}, {why}; this directory is left out", loser.arn))
    }));
    (taken, troubles)
}

/// Whether two directories say the same of the resource: one repository read twice, or its copy.
fn same(a: &Resource, b: &Resource) -> bool {
    let code = |resource: &Resource| {
        resource.code.iter().map(|file| (file.path.clone(), file.body.clone())).collect::<Vec<_>>()
    };
    a.metadata == b.metadata && a.values == b.values && code(a) == code(b)
}

fn lies_right(resource: &Resource) -> bool {
    let expected = expected(&resource.target, resource.environment.as_deref());
    expected.iter().any(|end| is_end_of(end, &resource.place.path))
}

fn whereabouts(resource: &Resource) -> String {
    let place = &resource.place;
    let path = if place.path.is_empty() { "its root" } else { &place.path };
    format!("{path} of {}", place.repository)
}
