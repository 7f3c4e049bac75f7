//! A site's own policies: files of Cedar, read at the start and again when they change.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cedar_policy::ffi::DetailedError;
use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator};

use super::rules::Rules;
use super::schema::SCHEMA;

/// The policies that Hadron brings along: file name and text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("admin.cedar", include_str!("policies/admin.cedar")),
    ("platform.cedar", include_str!("policies/platform.cedar")),
    ("developer.cedar", include_str!("policies/developer.cedar")),
    ("agent.cedar", include_str!("policies/agent.cedar")),
    ("read-only.cedar", include_str!("policies/read-only.cedar")),
    ("accounts.cedar", include_str!("policies/accounts.cedar")),
];

/// Why policies can't be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the members are named by the messages")]
pub enum PolicyError {
    #[error("the policies in {} can't be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}:{line}: {message}", file.display())]
    Mistake { file: PathBuf, line: usize, message: String, remedy: Option<String> },
    #[error("{}: there is no file *.cedar", path.display())]
    Empty { path: PathBuf },
}

impl PolicyError {
    /// What mends it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Read { .. } => "name a file or a folder of *.cedar files that this user can read".into(),
            Self::Empty { .. } => "put a policy there, or leave `policies` unset".into(),
            Self::Mistake { remedy: Some(remedy), .. } => remedy.clone(),
            Self::Mistake { remedy: None, .. } => {
                "`hadron policy show` prints the schema and the shipped policies, `hadron policy check` tries a file"
                    .into()
            }
        }
    }
}

/// Where a site's policies lie, and whether they stand alone.
#[derive(Debug, Clone)]
pub struct PolicySource {
    /// A file, or a folder whose `*.cedar` files are all read; none for the shipped policies alone.
    pub site: Option<PathBuf>,
    /// Whether the shipped policies hold too.
    pub shipped: bool,
}

impl Default for PolicySource {
    fn default() -> Self {
        Self { site: None, shipped: true }
    }
}

/// A site's files with their texts.
pub(super) type Texts = Vec<(PathBuf, String)>;

impl PolicySource {
    /// The site's files as they are now, in the order of their names.
    pub(super) fn read(&self) -> Result<Texts, PolicyError> {
        let Some(path) = &self.site else { return Ok(Vec::new()) };
        let refused = |source| PolicyError::Read { path: path.clone(), source };
        let files = files(path).map_err(refused)?;
        if files.is_empty() {
            return Err(PolicyError::Empty { path: path.clone() });
        }
        files.into_iter().map(|file| Ok((file.clone(), fs::read_to_string(&file).map_err(refused)?))).collect()
    }

    /// Puts shipped and own policies together, checked against the schema.
    pub(super) fn compile(&self, texts: &Texts) -> Result<Rules, PolicyError> {
        let mut gathered = Gathered::default();
        if self.shipped {
            for (name, text) in SHIPPED {
                gathered.add(Path::new(name), text)?;
            }
        }
        for (file, text) in texts {
            gathered.add(file, text)?;
        }
        Ok(Rules::of(&gathered.set, !texts.is_empty()))
    }
}

fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "cedar") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Policies of several files, each under a name of its own.
#[derive(Default)]
struct Gathered {
    set: PolicySet,
    names: BTreeSet<String>,
}

impl Gathered {
    fn add(&mut self, file: &Path, text: &str) -> Result<(), PolicyError> {
        let parsed: PolicySet = text.parse().map_err(|error| mistake(file, text, &DetailedError::from(&error)))?;
        if parsed.num_of_templates() > 0 {
            let message = "a template (?principal, ?resource) is never linked here".to_owned();
            let remedy = Some("write a policy for the principals that are meant".into());
            return Err(PolicyError::Mistake { file: file.to_owned(), line: 1, message, remedy });
        }
        let checked = Validator::new(SCHEMA.clone()).validate(&parsed, ValidationMode::Strict);
        if let Some(error) = checked.validation_errors().next() {
            return Err(mistake(file, text, &DetailedError::from(error)));
        }
        let mut policies: Vec<&Policy> = parsed.policies().collect();
        policies.sort_by_key(|policy| order(policy.id()));
        for (index, policy) in policies.into_iter().enumerate() {
            let name = self.name(file, text, policy, index)?;
            self.set
                .add(policy.new_id(PolicyId::new(name)))
                .map_err(|error| mistake(file, text, &DetailedError::from(&error)))?;
        }
        Ok(())
    }

    /// A policy's name: its annotation `@id("…")`, else its file and its place in it.
    fn name(&mut self, file: &Path, text: &str, policy: &Policy, index: usize) -> Result<String, PolicyError> {
        let plain = || format!("{}#{}", file.file_name().unwrap_or_default().to_string_lossy(), index + 1);
        let name = policy.annotation("id").map_or_else(plain, str::to_owned);
        if self.names.insert(name.clone()) {
            return Ok(name);
        }
        let line = text.lines().position(|line| line.contains(&format!("\"{name}\""))).map_or(1, |at| at + 1);
        let message = format!("there is another policy of the name {name}");
        Err(PolicyError::Mistake { file: file.to_owned(), line, message, remedy: Some("change its @id".into()) })
    }
}

/// Cedar counts the policies of a text: `policy0`, `policy1`.
fn order(id: &PolicyId) -> usize {
    id.to_string().trim_start_matches("policy").parse().unwrap_or(usize::MAX)
}

fn mistake(file: &Path, text: &str, error: &DetailedError) -> PolicyError {
    let at = error.source_locations.first().map_or(0, |label| label.loc.start.min(text.len()));
    // Bytes, not characters: a place may lie within one.
    let line = text.as_bytes()[..at].split(|byte| *byte == b'\n').count();
    let labelled = error.source_locations.first().and_then(|label| label.label.clone());
    // Cedar counts policies; the line says more.
    let said = error.message.strip_prefix("for policy `policy").and_then(|rest| rest.split_once("`, "));
    let said = said.map_or(error.message.as_str(), |(_, said)| said);
    let message = labelled.map_or_else(|| said.to_owned(), |label| format!("{said} ({label})"));
    // What it takes for a similar action or type may be of another API.
    let remedy = error.help.clone().filter(|_| !said.starts_with("unrecognized"));
    PolicyError::Mistake { file: file.to_owned(), line, message, remedy }
}
