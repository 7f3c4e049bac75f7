//! A Terraform module as its files say it: what it declares, and what it speaks of.

mod declared;
mod places;
mod reads;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;

use super::layout::{HCL, JSON};
use crate::domain::Files;
use crate::renderer::{Mention, Step};

pub(super) use places::Places;
use reads::FileRead;

/// One file that could be read.
pub(super) struct Read {
    /// Its path from the folder of the part.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) body: Body,
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// From the folder of the part.
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A declared variable.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) spot: Spot,
    pub(super) has_default: bool,
}

/// A declared output.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) spot: Spot,
    pub(super) ephemeral: bool,
    pub(super) value: Option<Expression>,
}

/// A call of another module.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) spot: Spot,
    /// Where it comes from, where that is written out.
    pub(super) source: Option<String>,
    /// The arguments that aren't Terraform's own.
    pub(super) arguments: BTreeMap<String, Spot>,
}

/// A mention with the file that it is in.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) mention: Mention,
    /// The local value that is only another name for it.
    pub(super) names: Option<String>,
}

/// One folder of Terraform files.
#[derive(Default)]
pub(super) struct Module {
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) outputs: BTreeMap<String, Output>,
    pub(super) locals: BTreeMap<String, Spot>,
    pub(super) calls: BTreeMap<String, Call>,
    /// `aws_vpc.main`, `data.aws_vpc.main`, `ephemeral.…`.
    pub(super) resources: BTreeSet<String>,
    pub(super) found: Vec<Found>,
    pub(super) reads: Vec<FileRead>,
    /// Whether there is a file that couldn't be read: then nothing can be called undeclared.
    pub(super) incomplete: bool,
}

impl Module {
    /// Reads the module in a folder of a part; `""` is the part's own folder.
    pub(super) fn read(files: &Files, folder: &str) -> Self {
        let mut module = Self::default();
        let mut texts = Vec::new();
        for (path, bytes) in files {
            let (within, name) = path.rsplit_once('/').unwrap_or(("", path));
            if within != folder {
                continue;
            }
            let Ok(text) = std::str::from_utf8(bytes) else {
                module.incomplete |= name.ends_with(HCL) || name.ends_with(JSON);
                continue;
            };
            let text = text.trim_start_matches('\u{feff}');
            if name.ends_with(JSON) {
                module.incomplete |= !declared::json(&mut module, path, text);
            } else if name.ends_with(HCL) {
                match hcl_edit::parser::parse_body(text) {
                    Ok(body) => texts.push(Read { path: path.clone(), text: text.to_owned(), body }),
                    Err(_) => module.incomplete = true,
                }
            }
        }
        for text in &texts {
            declared::hcl(&mut module, text);
            walk::file(&mut module, text);
            reads::file(&mut module, text);
        }
        module.follow_locals();
        module
    }

    /// Whether the folder holds a module at all.
    pub(super) fn is_there(files: &Files, folder: &str) -> bool {
        files.keys().any(|path| {
            let (within, name) = path.rsplit_once('/').unwrap_or(("", path));
            within == folder && (name.ends_with(HCL) || name.ends_with(JSON))
        })
    }

    /// Adds to each mention of a local value that is another name for something, what it stands for.
    fn follow_locals(&mut self) {
        let mut names: BTreeMap<String, (Vec<Step>, bool)> = BTreeMap::new();
        for found in &self.found {
            if let Some(local) = &found.names {
                names.insert(local.clone(), (found.mention.path.clone(), found.mention.guarded));
            }
        }
        let mut followed = Vec::new();
        for found in &self.found {
            let mut mention = found.mention.clone();
            // A name for a name for a name; more would be a circle.
            for _ in 0..20 {
                let [Step::Name(root), Step::Name(local), rest @ ..] = &mention.path[..] else { break };
                let Some((path, guarded)) = names.get(local).filter(|_| root == "local") else { break };
                let path = [path.clone(), rest.to_vec()].concat();
                mention = Mention { path, guarded: mention.guarded || *guarded, ..mention };
            }
            if mention.path != found.mention.path {
                followed.push(Found { mention, ..found.clone() });
            }
        }
        self.found.extend(followed);
    }
}
