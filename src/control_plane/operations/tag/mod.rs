//! Tags of resources that exist.

mod list;
mod set;
mod unset;

pub(crate) use list::list;
pub(crate) use set::set;
pub(crate) use unset::unset;

use crate::control_plane::records::TagSet;
use crate::control_plane::store::{Stored, Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// The tag set of a resource; every resource has one, so that its absence means that the resource isn't there.
fn existing(tx: &mut dyn Transaction, scope: &Scope, arn: &str) -> Result<Stored<TagSet>, ProtonError> {
    tx.get(scope, arn)?.ok_or_else(|| ProtonError::not_found(format!("{arn} doesn't exist")))
}
