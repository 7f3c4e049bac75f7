//! Where state lies: in the bucket of `env_config.json`, under the key that the sample workflow made of the directory.

use std::collections::{BTreeMap, BTreeSet};

use super::gather::Group;
use super::{inconsistent, note};
use crate::domain::Target;
use crate::estate::{Estate, Place, Resource, SiteEntry, StateAt, Trouble};

/// By ARN; what has no known state isn't there.
pub(super) type States = BTreeMap<String, StateAt>;

/// The states of all groups together, since buckets know no accounts. Two ARNs at one key: neither gets it.
pub(super) fn located(estate: &Estate, groups: &[Group<'_>], troubles: &mut Vec<Trouble>) -> States {
    let mut claims: BTreeMap<(String, String), BTreeMap<&str, &Resource>> = BTreeMap::new();
    let mut states = States::new();
    let mut unknown = BTreeSet::new();
    for group in groups {
        // Deleted ones claim, too: their delete request may never have been merged, and then their state lives.
        for (resource, taken) in with_doubles(group) {
            match site(estate, resource) {
                Ok((_, entry)) if entry.state_bucket.is_some() => {
                    let state = state_at(resource, entry);
                    claims
                        .entry((state.bucket.clone(), state.key.clone()))
                        .or_default()
                        .insert(&resource.arn, resource);
                    if taken && !resource.deleted {
                        states.insert(resource.arn.clone(), state);
                    }
                }
                Ok((key, _)) => {
                    _ = unknown.insert((&resource.place.repository, format!("{key:?} has no state_bucket")));
                }
                Err(why) if !resource.deleted => _ = unknown.insert((&resource.place.repository, why)),
                Err(_) => {}
            }
        }
    }
    for (repository, why) in unknown {
        let place = Place { repository: repository.clone(), path: "env_config.json".into() };
        troubles.push(note(&place, format!("{why}: where the state of what it stands for lies isn't known")));
    }
    for ((bucket, key), claimants) in claims.into_iter().filter(|(_, claimants)| claimants.len() > 1) {
        let arns: Vec<&str> = claimants.keys().copied().collect();
        for (arn, resource) in &claimants {
            states.remove(*arn);
            let message = format!(
                "the state s3://{bucket}/{key} would belong to {}: none of them gets it, give each its own by hand",
                arns.join(" and to ")
            );
            troubles.push(inconsistent(&resource.place, message));
        }
    }
    states
}

fn with_doubles<'a>(group: &Group<'a>) -> impl Iterator<Item = (&'a Resource, bool)> {
    let taken = group.resources.iter().map(|resource| (*resource, true));
    taken.chain(group.doubles.iter().map(|resource| (*resource, false)))
}

/// The entry that the workflow would have used: the environment's own or `pipeline`, else `*`.
fn site<'e>(estate: &'e Estate, resource: &Resource) -> Result<(String, &'e SiteEntry), String> {
    let Some(config) = estate.configs.iter().find(|config| config.repository == resource.place.repository) else {
        return Err("there is no env_config.json".into());
    };
    let key = match &resource.target {
        Target::ServicePipeline { .. } => "pipeline",
        _ => resource.environment.as_deref().unwrap_or("*"),
    };
    let entry = config.entries.get_key_value(key).or_else(|| config.entries.get_key_value("*"));
    entry.map(|(key, entry)| (key.clone(), entry)).ok_or_else(|| format!("there is neither {key:?} nor \"*\""))
}

/// The workflow ran Terraform in the directory, and its key was that directory's path and `terraform.tfstate`; of all
/// kinds only a pipeline's path had no slash at its end.
fn state_at(resource: &Resource, entry: &SiteEntry) -> StateAt {
    let path = resource.place.path.trim_matches('/');
    let slash = if path.is_empty() || matches!(resource.target, Target::ServicePipeline { .. }) { "" } else { "/" };
    StateAt {
        bucket: entry.state_bucket.clone().unwrap_or_default(),
        key: format!("{path}{slash}terraform.tfstate"),
        region: entry.region.clone(),
        role: entry.role.clone(),
    }
}
