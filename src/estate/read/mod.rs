//! From the files of repositories to what they say: every layout and age that Proton ever wrote.
//!
//! A directory is Proton's if it holds `.proton/deployment-metadata.json`, wherever it lies; the ARN in there decides what
//! it is, and its account and region. What can't be read is told and leaves the rest alone.

mod banner;
mod config;
mod directory;
mod doubles;
mod files;
mod metadata;
mod references;
mod resource;
mod text;

pub(in crate::estate) use files::is_generated;

use super::model::{Estate, Place, Resource, Tree, Trouble, TroubleKind};

/// Proton's values.
pub(in crate::estate) const VALUES: &str = "proton.auto.tfvars.json";

/// Proton's note of what was deployed.
pub(in crate::estate) const METADATA: &str = ".proton/deployment-metadata.json";

/// Reads what Proton rendered into these repositories. Nothing in them makes it fail: what couldn't be read, and what
/// contradicts itself, stands in [`Estate::troubles`].
pub fn read(trees: &[Tree]) -> Estate {
    let mut estate = Estate::default();
    for tree in trees {
        let directories = directory::find(tree, &mut estate.troubles);
        for directory in &directories {
            match resource::read(directory, &mut estate.troubles) {
                Ok(resource) => estate.resources.push(resource),
                Err(trouble) => estate.troubles.push(trouble),
            }
        }
        estate.configs.extend(config::read(tree, &mut estate.troubles));
        if directories.is_empty() {
            let message = format!(
                "holds no directory of Proton's: none has a {METADATA}; name the repository and the branch that \
                 Proton provisioned into"
            );
            estate.troubles.push(Trouble::at(TroubleKind::Note, Place::root(&tree.name), message));
        }
    }
    doubles::settle(&mut estate);
    references::check(&mut estate);
    estate.resources.sort_by(|a, b| a.place.cmp(&b.place));
    estate.troubles.sort_by(|a, b| (a.kind, &a.place, a.line).cmp(&(b.kind, &b.place, b.line)));
    estate
}

impl Place {
    fn root(repository: &str) -> Self {
        Self { repository: repository.to_owned(), path: String::new() }
    }
}

impl Trouble {
    fn at(kind: TroubleKind, place: Place, message: impl Into<String>) -> Self {
        Self { kind, place, line: None, message: message.into() }
    }
}

impl Resource {
    fn trouble(&self, kind: TroubleKind, message: impl Into<String>) -> Trouble {
        Trouble::at(kind, self.place.clone(), message)
    }
}
