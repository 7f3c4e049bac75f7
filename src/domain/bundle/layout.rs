//! Where a bundle begins inside its archive.

use super::Files;
use super::intake::BUNDLE;
use crate::domain::schema::SCHEMA_FILE;
use crate::domain::{Problem, Problems};

/// Folders that hold infrastructure code, by their names of today and from before Proton's release.
const INFRASTRUCTURE: [&str; 4] = ["infrastructure", "instance_infrastructure", "pipeline_infrastructure", "pipeline"];

/// The files from the bundle's root on, by their paths relative to it.
///
/// The root is the shallowest folder that holds `schema/`, so that an archive of a folder is as good as one of its
/// content. Without a schema, which components don't have, it's the shallowest with infrastructure code.
///
/// # Errors
/// Two roots at the same depth, a path that is both file and folder, and an archive without files.
pub(super) fn from_root(files: Files) -> Result<Files, Problems> {
    if files.is_empty() {
        return Err(Problem::of(BUNDLE, "holds no files", "pack the folder that has schema/ in it").into());
    }
    if let Some(path) = files.keys().find(|path| ancestors(path).any(|folder| files.contains_key(folder))) {
        return Err(Problem::of(path, "lies in a folder that is also a file", "pack the bundle afresh").into());
    }
    let root = root(&files)?;
    if root.is_empty() {
        return Ok(files);
    }
    let inside = |(path, bytes): (String, Vec<u8>)| Some((path.strip_prefix(&root)?.to_owned(), bytes));
    Ok(files.into_iter().filter_map(inside).collect())
}

/// The root with its slash; empty when it's the archive itself.
fn root(files: &Files) -> Result<String, Problems> {
    let markers = [SCHEMA_FILE, "schema/", "instance_infrastructure/", "infrastructure/"];
    for marker in markers {
        let mut roots: Vec<&str> = files.keys().filter_map(|path| root_before(path, marker)).collect();
        roots.sort_unstable();
        roots.dedup();
        let depth = |root: &&str| root.matches('/').count();
        let Some(shallowest) = roots.iter().map(depth).min() else { continue };
        roots.retain(|root| depth(root) == shallowest);
        if let [root] = roots[..] {
            return Ok(root.to_owned());
        }
        let message = format!("holds more than one bundle: in {}", roots.join(" and in "));
        return Err(Problem::of(BUNDLE, message, "pack one of them").into());
    }
    Ok(String::new())
}

/// What stands before a marker in a path, unless that is already inside infrastructure code, whose modules may have
/// folders of any name.
fn root_before<'a>(path: &'a str, marker: &str) -> Option<&'a str> {
    let starts = std::iter::once(0).chain(path.match_indices('/').map(|(slash, _)| slash + 1));
    let (root, _) = starts
        .map(|start| path.split_at(start))
        .find(|(_, rest)| if marker.ends_with('/') { rest.starts_with(marker) } else { *rest == marker })?;
    (!root.split('/').any(|folder| INFRASTRUCTURE.contains(&folder))).then_some(root)
}

fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(slash, _)| &path[..slash])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooted(paths: &[&str]) -> Result<Vec<String>, String> {
        let files = paths.iter().map(|path| ((*path).to_owned(), Vec::new())).collect();
        from_root(files).map(|files| files.into_keys().collect()).map_err(|problems| problems.to_string())
    }

    #[test]
    fn the_shallowest_folder_with_a_schema_is_the_root() {
        assert_eq!(rooted(&["schema/schema.yaml", "x"]).unwrap(), ["schema/schema.yaml", "x"]);
        assert_eq!(
            rooted(&["README.md", "v1/schema/schema.yaml", "v1/infrastructure/m/schema/schema.yaml"]).unwrap(),
            ["infrastructure/m/schema/schema.yaml", "schema/schema.yaml"]
        );
        assert_eq!(rooted(&["a/b/schema/schema.yml"]).unwrap(), ["schema/schema.yml"]);
    }

    #[test]
    fn without_a_schema_the_infrastructure_tells_the_root() {
        assert_eq!(rooted(&["infrastructure/schema/x.tf"]).unwrap(), ["infrastructure/schema/x.tf"]);
        assert_eq!(rooted(&["t/instance_infrastructure/x"]).unwrap(), ["instance_infrastructure/x"]);
        assert_eq!(rooted(&["main.tf"]).unwrap(), ["main.tf"]);
    }

    #[test]
    fn two_bundles_in_one_archive_and_a_file_as_a_folder_are_refused() {
        assert!(rooted(&["a/schema/schema.yaml", "b/schema/schema.yaml"]).unwrap_err().contains("in a/ and in b/"));
        assert!(rooted(&["a", "a/b"]).unwrap_err().contains("also a file"));
        assert!(rooted(&[]).is_err());
    }
}
