//! From what the directories say to what a control plane is told.
//!
//! For each account and region: which versions were used and by what (`gather`), a bundle for each of them (`version`,
//! from a template repository or from the code and inputs themselves), and then every live resource with a spec that
//! resolves to exactly the inputs that were deployed (`resources`), the outputs that others were given of it
//! (`witnesses`) and the place of its state (`state`).

mod bundle;
pub(in crate::estate) mod code;
mod gather;
mod ids;
mod kind;
mod references;
mod resources;
mod schema;
mod state;
mod told;
mod version;
mod witnesses;

pub(in crate::estate) use gather::Users;

use crate::estate::{Dump, Estate, Place, Rebuilt, Tree, Trouble, TroubleKind, templates};

/// Rebuilds templates, environments, services and components, one [`Rebuilt`] for each account and region.
///
/// `templates` are the files of template repositories, `dump` is what was saved of Proton's API; both may be empty.
/// Nothing fails: what can't be rebuilt is left out, and a [`Trouble`] says so.
pub fn rebuild(estate: &Estate, templates: &[Tree], dump: &Dump) -> (Vec<Rebuilt>, Vec<Trouble>) {
    let mut troubles = Vec::new();
    let candidates = templates::candidates(templates, &mut troubles);
    let groups = gather::groups(estate, &mut troubles);
    let states = state::located(estate, &groups, &mut troubles);
    let rebuilt = groups
        .iter()
        .map(|group| {
            let versions = version::all(group, &candidates, dump, &mut troubles);
            let mut rebuilt = resources::all(group, versions, &states, dump, &mut troubles);
            ids::made_unique(&mut rebuilt, &mut troubles);
            rebuilt
        })
        .collect();
    troubles.sort_by(|a, b| (&a.place, a.line, a.kind, &a.message).cmp(&(&b.place, b.line, b.kind, &b.message)));
    troubles.dedup();
    (rebuilt, troubles)
}

/// Something that contradicts something else.
pub(in crate::estate) fn inconsistent(place: &Place, message: impl Into<String>) -> Trouble {
    Trouble { kind: TroubleKind::Inconsistent, place: place.clone(), line: None, message: message.into() }
}

/// Something that is good to know.
pub(in crate::estate) fn note(place: &Place, message: impl Into<String>) -> Trouble {
    Trouble { kind: TroubleKind::Note, place: place.clone(), line: None, message: message.into() }
}

#[cfg(test)]
mod tests;
