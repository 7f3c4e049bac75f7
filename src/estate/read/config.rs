//! `env_config.json` of AWS's sample workflow: where each environment's resources and state lie.
//!
//! <https://github.com/aws-samples/aws-proton-terraform-github-actions-sample>

use serde_json::Value;

use super::text;
use crate::estate::{EnvConfig, Place, SiteEntry, Tree, Trouble, TroubleKind};

const NAME: &str = "env_config.json";

/// The repository's configuration; the one nearest to its root, if there are several.
pub(super) fn read(tree: &Tree, troubles: &mut Vec<Trouble>) -> Option<EnvConfig> {
    let named = |path: &&String| **path == NAME || path.ends_with("/env_config.json");
    let mut paths: Vec<&String> = tree.files.keys().filter(named).collect();
    paths.sort_by_key(|path| path.matches('/').count());
    let (&path, others) = paths.split_first()?;
    let place = |path: &str| Place { repository: tree.name.clone(), path: path.to_owned() };
    for &other in others {
        let message = format!("not read: {path} is nearer to the repository's root");
        troubles.push(Trouble::at(TroubleKind::Note, place(other), message));
    }
    let entries = match text::json(&tree.files[path]) {
        Ok(Value::Object(entries)) => entries,
        Ok(_) => {
            let message = "is no object: write { \"ENVIRONMENT\": { \"role\", \"region\", \"state_bucket\" } }";
            troubles.push(Trouble::at(TroubleKind::Inconsistent, place(path), message));
            return None;
        }
        Err(broken) => {
            let message = format!("{}; until then nobody knows where the states lie", broken.message);
            let trouble = Trouble::at(TroubleKind::Inconsistent, place(path), message);
            troubles.push(Trouble { line: broken.line, ..trouble });
            return None;
        }
    };
    let entries = entries.iter().filter_map(|(key, entry)| Some((key.clone(), site(entry)?))).collect();
    Some(EnvConfig { repository: tree.name.clone(), entries })
}

/// An entry; anything else under a key is a comment.
fn site(entry: &Value) -> Option<SiteEntry> {
    let entry = entry.as_object()?;
    let text = |key: &str| entry.get(key).and_then(text::scalar).filter(|text| !text.is_empty());
    Some(SiteEntry { role: text("role"), region: text("region"), state_bucket: text("state_bucket") })
}
