//! Deployment ids: each names one deployment, whatever a repository that was edited or anonymised says.

use std::collections::BTreeMap;

use super::inconsistent;
use crate::estate::{Place, Rebuilt, Trouble};

/// Takes an id away from all but the first that claims it; those get an id of their own when they are registered.
pub(super) fn made_unique(rebuilt: &mut Rebuilt, troubles: &mut Vec<Trouble>) {
    let mut known: BTreeMap<String, Place> = BTreeMap::new();
    let mut claim = |place: &Place, id: &mut Option<String>| {
        let Some(claimed) = id.clone() else { return };
        match known.get(&claimed) {
            None => drop(known.insert(claimed, place.clone())),
            Some(first) => {
                let message = format!(
                    "its deployment {claimed} is also that of {}: it is registered with an id of its own",
                    first.path
                );
                troubles.push(inconsistent(place, message));
                *id = None;
            }
        }
    };
    for it in &mut rebuilt.environments {
        claim(&it.place, &mut it.deployment_id);
    }
    for service in &mut rebuilt.services {
        for it in &mut service.instances {
            claim(&it.place, &mut it.deployment_id);
        }
        if let Some(it) = &mut service.pipeline {
            claim(&it.place, &mut it.deployment_id);
        }
    }
    for it in &mut rebuilt.components {
        claim(&it.place, &mut it.deployment_id);
    }
}
