//! What every operation that makes or removes a resource does about tags.
//!
//! Each resource has exactly one tag set from its creation to its removal, even an empty one: it is what tells that an
//! ARN exists.

use std::collections::BTreeMap;

use hadron_model::Tag;

use crate::control_plane::records::TagSet;
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// How many tags customers may set on one resource; managed ones don't count.
pub(crate) const MOST: usize = 50;

/// What tag keys of customers must not begin with.
const RESERVED: [&str; 2] = ["aws:", "hadron:"];

/// Gives a new resource its tags. `managed` holds `aws:proton:…` and `hadron:…` tags, which customers can only read.
///
/// # Errors
/// `ValidationException` for a reserved or repeated key.
pub(crate) fn create_tags(
    tx: &mut dyn Transaction,
    scope: &Scope,
    arn: &str,
    tags: Option<&[Tag]>,
    managed: &[(&str, &str)],
) -> Result<(), ProtonError> {
    let tags = checked(tags.unwrap_or_default())?;
    let managed = managed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Ok(tx.add(scope, &TagSet { arn: arn.to_owned(), tags, managed })?)
}

/// Removes the tags of a resource that is gone.
pub(crate) fn remove_tags(tx: &mut dyn Transaction, scope: &Scope, arn: &str) -> Result<(), StoreError> {
    match tx.get::<TagSet>(scope, arn)? {
        Some(set) => tx.delete(scope, &set),
        None => Ok(()),
    }
}

/// The tags of a new child: its parent's customer tags under those given for it, as long as there is room.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/resources.html>
pub(crate) fn inherited_tags(
    tx: &mut dyn Transaction,
    scope: &Scope,
    parent_arn: &str,
    given: Option<&[Tag]>,
) -> Result<Vec<Tag>, StoreError> {
    let mut tags = given.unwrap_or_default().to_vec();
    let inherited = tx.get::<TagSet>(scope, parent_arn)?.map(|set| set.value.tags).unwrap_or_default();
    for (key, value) in inherited {
        if tags.len() < MOST && !tags.iter().any(|tag| tag.key == key) {
            tags.push(Tag { key, value });
        }
    }
    Ok(tags)
}

/// Sets one managed tag of a resource that exists.
pub(crate) fn set_managed_tag(
    tx: &mut dyn Transaction,
    scope: &Scope,
    arn: &str,
    key: &str,
    value: &str,
) -> Result<(), StoreError> {
    let Some(mut set) = tx.get::<TagSet>(scope, arn)? else { return Ok(()) };
    set.managed.insert(key.to_owned(), value.to_owned());
    tx.save(scope, &mut set)
}

/// Customers' tags as a map.
///
/// # Errors
/// `ValidationException` for a reserved or repeated key.
pub(crate) fn checked(tags: &[Tag]) -> Result<BTreeMap<String, String>, ProtonError> {
    let mut map = BTreeMap::new();
    for Tag { key, value } in tags {
        refuse_reserved(key)?;
        if map.insert(key.clone(), value.clone()).is_some() {
            return Err(ProtonError::validation(format!("The tag key {key} is given more than once")));
        }
    }
    Ok(map)
}

/// Keeps customers from writing managed tags.
pub(crate) fn refuse_reserved(key: &str) -> Result<(), ProtonError> {
    let lower = key.to_ascii_lowercase();
    match RESERVED.iter().find(|prefix| lower.starts_with(**prefix)) {
        Some(prefix) => {
            Err(ProtonError::validation(format!("The tag key {key} begins with {prefix}, which is reserved")))
        }
        None => Ok(()),
    }
}
