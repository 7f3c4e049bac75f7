//! What a site adds to the files that a template renders: values for its variables, and an overlay's files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::StepError;
use super::config::EnvironmentConfig;
use crate::domain::{Files, LOCK_FILE};
use crate::support::files::below;

/// Where the site's own variables stand.
const VARIABLES: &str = "hadron_site.auto.tfvars.json";

impl EnvironmentConfig {
    /// The choices for an environment; `""` is a pipeline's. They are one block: a named block doesn't inherit from `*`.
    pub fn of(blocks: &BTreeMap<String, Self>, environment: &str) -> Self {
        blocks.get(called(environment)).or_else(|| blocks.get("*")).cloned().unwrap_or_default()
    }

    /// Adds the site's files to a target's. An overlay's provider lock counts more than the author's, as its settings do;
    /// any other file that is there already is a mistake of the operator's.
    ///
    /// # Errors
    /// [`StepError::OverlayCollides`], or an overlay that can't be read.
    pub fn add_site(&self, files: &mut Files) -> Result<(), StepError> {
        if !self.variables.is_empty() {
            let text = serde_json::to_vec_pretty(&self.variables).expect("text can be written as JSON");
            files.insert(VARIABLES.to_owned(), text);
        }
        let Some(overlay) = &self.overlay else { return Ok(()) };
        for (path, bytes) in below(overlay).map_err(StepError::io("reading the overlay", overlay))? {
            let Some(name) = path.to_str() else { return Err(StepError::OverlayCollides(path)) };
            if name != LOCK_FILE && files.contains_key(name) {
                return Err(StepError::OverlayCollides(PathBuf::from(name)));
            }
            files.insert(name.to_owned(), bytes);
        }
        Ok(())
    }
}

/// What an operator calls an environment.
pub(super) fn called(environment: &str) -> &str {
    if environment.is_empty() { "pipeline" } else { environment }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn files() -> Files {
        [("main.tf", "x"), (LOCK_FILE, "author's")].map(|(name, text)| (name.to_owned(), text.into())).into()
    }

    #[test]
    fn an_overlay_adds_files_and_never_replaces_one_but_the_lock() {
        let overlay = tempfile::tempdir().unwrap();
        fs::create_dir(overlay.path().join("sub")).unwrap();
        fs::write(overlay.path().join("sub/tags_override.tf"), "y").unwrap();
        fs::write(overlay.path().join(LOCK_FILE), "site's").unwrap();
        let site = EnvironmentConfig { overlay: Some(overlay.path().to_owned()), ..EnvironmentConfig::default() };
        let mut all = files();
        site.add_site(&mut all).unwrap();
        assert_eq!((all["sub/tags_override.tf"].as_slice(), all[LOCK_FILE].as_slice()), (&b"y"[..], &b"site's"[..]));
        fs::write(overlay.path().join("main.tf"), "y").unwrap();
        let error = site.add_site(&mut files()).unwrap_err();
        assert!(matches!(&error, StepError::OverlayCollides(name) if name == Path::new("main.tf")), "{error}");
    }

    #[test]
    fn the_sites_variables_stand_in_a_file_that_proton_overrides() {
        let variables = BTreeMap::from([("owner".to_owned(), "team \"a\"".to_owned())]);
        let site = EnvironmentConfig { variables: variables.clone(), ..EnvironmentConfig::default() };
        let mut all = Files::new();
        site.add_site(&mut all).unwrap();
        let (name, text) = all.pop_first().unwrap();
        assert!(*name < *"proton.auto.tfvars.json" && name.ends_with(".auto.tfvars.json"));
        assert_eq!(serde_json::from_slice::<BTreeMap<String, String>>(&text).unwrap(), variables);
    }

    #[test]
    fn a_pipelines_choices_and_those_for_all_have_names() {
        let block = |value: &str| EnvironmentConfig {
            variables: [("a".to_owned(), value.to_owned())].into(),
            ..EnvironmentConfig::default()
        };
        let blocks = BTreeMap::from([("*".to_owned(), block("all")), ("pipeline".to_owned(), block("p"))]);
        assert_eq!(EnvironmentConfig::of(&blocks, "").variables["a"], "p");
        assert_eq!(EnvironmentConfig::of(&blocks, "dev").variables["a"], "all");
        assert!(EnvironmentConfig::of(&BTreeMap::new(), "dev").variables.is_empty());
    }
}
