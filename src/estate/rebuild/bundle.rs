//! One infrastructure folder of a bundle, from the directories that were rendered from it.

use super::code::{Choice, authored, choices, strays};
use crate::domain::{BundleKind, Files, check_bundle};
use crate::estate::{Guess, Resource};

/// What a folder of a bundle provisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    Environment,
    Instance,
    Pipeline,
}

/// The folder's files, with their paths in the bundle.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    pub(super) files: Files,
    pub(super) guesses: Vec<Guess>,
    /// What a person should know: how far the directories differ.
    pub(super) doubts: Vec<String>,
}

/// All Terraform files of the folder are templates.
const MANIFEST: &str = "infrastructure:
  templates:
    - file: \"*\"
      rendering_engine: hcl
      template_language: terraform
";

impl Folder {
    fn path(self) -> &'static str {
        match self {
            Self::Environment => "infrastructure",
            Self::Instance => "instance_infrastructure",
            Self::Pipeline => "pipeline_infrastructure",
        }
    }

    /// The folder with these files and a manifest.
    fn with(self, files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Files {
        let folder = self.path();
        let mut written: Files = files.into_iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes)).collect();
        written.insert(format!("{folder}/manifest.yaml"), MANIFEST.into());
        written
    }

    /// A folder without any resource, for a part that has to be there and was never seen.
    pub(super) fn empty(self) -> Written {
        let why = "its code was never seen: it has no resources";
        let text = format!("# hadron: guessed: {why}\n");
        Written {
            files: self.with([("main.tf".to_owned(), text.into_bytes())]),
            guesses: vec![Guess { about: format!("{}/", self.path()), why: why.into() }],
            doubts: Vec::new(),
        }
    }

    /// The files that most of the directories have, if a bundle may have them.
    ///
    /// # Errors
    /// Why none of the directories has files that a bundle may have; empty without a directory.
    pub(super) fn of(self, resources: &[&Resource]) -> Result<Written, String> {
        let mut refusal = None;
        let strays = strays(resources);
        for choice in choices(resources) {
            let own = authored(choice.resource).filter(|file| !strays.contains(file.path.as_str()));
            let files: Vec<_> = own.map(|file| (file.path.clone(), file.body.clone())).collect();
            let mut written = Written { files: self.with(files), ..Written::default() };
            if !written.files.keys().any(|path| path.strip_suffix(".tf").is_some()) {
                refusal.get_or_insert_with(|| "there is no .tf file in it".to_owned());
                continue;
            }
            match self.check(&written.files) {
                Ok(()) => {
                    self.tell(&choice, resources.len(), &mut written);
                    written.doubts.extend(strays.iter().map(|path| {
                        format!("{path} has no banner, and not every directory of this version has it: left out")
                    }));
                    return Ok(written);
                }
                Err(why) => _ = refusal.get_or_insert(why),
            }
        }
        Err(refusal.unwrap_or_default())
    }

    /// Whether a bundle with this folder passes; what else it needs is the least that there can be.
    fn check(self, files: &Files) -> Result<(), String> {
        let input_type = |which: &str| format!("  {which}_input_type: T\n");
        let (kind, types) = match self {
            Self::Environment => (BundleKind::Environment, input_type("environment")),
            Self::Instance => (BundleKind::Service, input_type("service")),
            Self::Pipeline => (BundleKind::Service, input_type("service") + &input_type("pipeline")),
        };
        let mut files = files.clone();
        if self == Self::Pipeline {
            files.extend(Self::Instance.empty().files);
        }
        let schema = format!(
            "schema:\n  format: {{openapi: \"3.0.0\"}}\n{types}  types:\n    T: {{type: object, properties: {{p: {{type: string}}}}}}\n"
        );
        files.insert("schema/schema.yaml".into(), schema.into_bytes());
        check_bundle(kind, files, self == Self::Instance).map(drop).map_err(|problems| problems.to_string())
    }

    fn tell(self, choice: &Choice<'_>, of: usize, written: &mut Written) {
        let place = &choice.resource.place;
        for (path, others) in &choice.differing {
            let path = format!("{}/{path}", self.path());
            let why = format!(
                "{others} of {of} directories have other content; this one is that of {}/{}",
                place.repository, place.path
            );
            written.guesses.push(Guess { about: path, why });
        }
        if let [first, ..] = choice.differing[..] {
            written.doubts.push(format!(
                "{of} directories should have the same files, and differ ({}{}): what {} of them have was taken, from {}/{}",
                first.0,
                if choice.differing.len() > 1 { ", …" } else { "" },
                choice.same,
                place.repository,
                place.path,
            ));
        }
        let signed = authored(choice.resource).any(|file| file.banner.is_some());
        for file in authored(choice.resource).filter(|file| signed && file.banner.is_none()) {
            let (about, why) =
                (format!("{}/{}", self.path(), file.path), "it has no banner, so a person may have put it there");
            if written.files.contains_key(&about) {
                written.guesses.push(Guess { about, why: why.to_owned() });
            }
        }
    }
}
