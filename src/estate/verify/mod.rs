//! The proof of an import: what was rebuilt, rendered again, gives what Proton wrote.
//!
//! Inputs, code and identity come from what was rebuilt. What a resource was told of others, outputs above all, was true
//! when it was rendered and may have changed since: it is taken from the resource's own values, and told where it differs.

mod code;
mod entry;
mod facts;
mod note;
mod values;
mod variables;

use std::collections::BTreeMap;

use serde_json::Value;

use self::entry::Known;
use super::age::Age;
use super::model::{Estate, Place, Resource};
use super::read::{METADATA, VALUES};
use super::rebuilt::Rebuilt;
use crate::domain::{Bundle, Files};
use crate::renderer::{self, Request};

/// How one live resource compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its directory.
    pub place: Place,
    /// Its ARN.
    pub arn: String,
    /// Nothing differs at all.
    pub equal: bool,
    /// What differs; each with the age that explains it, if one does.
    pub differences: Vec<Difference>,
}

impl Verdict {
    /// Whether it is equal, or every difference belongs to a known age.
    pub fn holds(&self) -> bool {
        self.differences.iter().all(|difference| difference.age.is_some())
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The file within the directory; empty for the resource as a whole.
    pub file: String,
    /// What explains it.
    pub age: Option<Age>,
    /// What differs.
    pub text: String,
}

/// Compares every live resource with what rendering it again gives, in the order of [`Estate::resources`].
pub fn verify(estate: &Estate, rebuilt: &[Rebuilt]) -> Vec<Verdict> {
    let known = Known::of(rebuilt);
    let mut bundles = Bundles::new();
    let live = estate.resources.iter().filter(|resource| !resource.deleted);
    live.map(|resource| {
        let mut differences = compared(resource, &known, &mut bundles).unwrap_or_else(|difference| vec![difference]);
        differences.sort();
        differences.dedup();
        Verdict { place: resource.place.clone(), arn: resource.arn.clone(), equal: differences.is_empty(), differences }
    })
    .collect()
}

/// Opened bundles by the place of their version, so that a hundred instances open theirs once.
type Bundles<'a> = BTreeMap<entry::VersionAt<'a>, Result<Bundle, String>>;

impl Difference {
    fn of(file: &str, age: Option<Age>, text: impl Into<String>) -> Self {
        Self { file: file.to_owned(), age, text: text.into() }
    }

    /// One of the resource as a whole, which no age explains.
    fn whole(text: impl Into<String>) -> Self {
        Self::of("", None, text)
    }
}

fn compared<'a>(
    resource: &Resource,
    known: &Known<'a>,
    bundles: &mut Bundles<'a>,
) -> Result<Vec<Difference>, Difference> {
    let entry = known.entry(resource).ok_or_else(|| Difference::whole("is not part of what is imported"))?;
    let bundle = entry::bundle(&entry, known, resource, bundles)?;
    let part = bundle.part_for(&resource.target);
    let part = part.ok_or_else(|| Difference::whole("the version's bundle has no code for it"))?;
    let made = values::made(resource, &entry, known, bundles, &bundle)?;
    let request = Request {
        target: &resource.target,
        arn: &resource.arn,
        part,
        inputs: &made,
        metadata: note::made(resource, &entry),
        stack_template_url: None,
    };
    let rendered = renderer::render(&request).map_err(|problems| Difference::whole(problems.to_string()))?;
    let mut differences = values::differences(&resource.values, &read(&rendered.files, VALUES)?);
    differences.extend(note::differences(&resource.metadata, &read(&rendered.files, METADATA)?));
    differences.extend(variables::differences(resource, &rendered.files));
    differences.extend(code::differences(resource, &rendered.files));
    differences.extend(facts::differences(resource, &entry, known));
    Ok(differences)
}

fn read(files: &Files, name: &str) -> Result<Value, Difference> {
    let bytes = files.get(name).map_or(&[][..], Vec::as_slice);
    serde_json::from_slice(bytes).map_err(|error| Difference::of(name, None, error.to_string()))
}
