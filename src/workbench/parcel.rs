//! What of an author's folder belongs into a bundle's archive, and what kind of bundle it is.

use crate::domain::yaml;
use crate::domain::{BundleKind, Files, Problem};

/// The folders that registration reads, by their names of today and from before Proton's release.
const FOLDERS: [&str; 5] =
    ["schema", "infrastructure", "instance_infrastructure", "pipeline_infrastructure", "pipeline"];

/// What Terraform leaves where an author tried a folder out. States hold secrets.
const LEFTOVERS: [&str; 4] = [".tfstate", ".tfstate.backup", ".tfstate.lock.info", "crash.log"];

/// A folder's files, sorted out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// What the archive carries.
    pub files: Files,
    /// What stays at home: files, and whole folders with their slash.
    pub left_out: Vec<String>,
}

/// Sorts the files of a bundle's folder out: a deployment sees nothing but the infrastructure folders and the schema, so
/// tests, notes and what a run has left are not packed, and don't make it another archive when they change.
pub fn parcel(files: Files) -> Parcel {
    let mut parcel = Parcel { files: Files::new(), left_out: Vec::new() };
    for (path, bytes) in files {
        let top = path.split_once('/').map(|(top, _)| top);
        if !top.is_some_and(|top| FOLDERS.contains(&top)) {
            parcel.left_out.push(top.map_or_else(|| path.clone(), |top| format!("{top}/")));
        } else if LEFTOVERS.iter().any(|end| path.ends_with(end)) {
            parcel.left_out.push(path);
        } else {
            parcel.files.insert(path, bytes);
        }
    }
    parcel.left_out.sort();
    parcel.left_out.dedup();
    parcel
}

/// The kind of bundle that a folder's files are: by the folders they lie in and the input types that the schema names.
///
/// # Errors
/// A folder that is no bundle.
pub fn kind_of(files: &Files) -> Result<BundleKind, Problem> {
    let has = |folder: &str| files.keys().any(|path| path.starts_with(folder));
    let schema = files.get("schema/schema.yaml").and_then(|bytes| std::str::from_utf8(bytes).ok());
    let schema = schema.and_then(|text| yaml::parse("schema/schema.yaml", text).ok());
    let names = |key: &str| schema.as_ref().and_then(|schema| schema.get("schema")?.get(key)).is_some();
    if has("instance_infrastructure/") || names("service_input_type") {
        Ok(BundleKind::Service)
    } else if has("schema/") {
        Ok(BundleKind::Environment)
    } else if has("infrastructure/") {
        Ok(BundleKind::Component)
    } else {
        let message = "is no bundle: it has neither schema/ nor an infrastructure folder";
        Err(Problem::of("bundle", message, "name the folder that has schema/ in it"))
    }
}

/// Whether a bundle leaves provisioning (of a service: its pipeline's) to the customer, as its folders tell.
pub fn is_customer_managed(kind: BundleKind, files: &Files) -> bool {
    let has = |folders: &[&str]| files.keys().any(|path| folders.iter().any(|folder| path.starts_with(folder)));
    match kind {
        BundleKind::Environment => !has(&["infrastructure/"]),
        BundleKind::Service => !has(&["pipeline_infrastructure/", "pipeline/"]),
        BundleKind::Component => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Files {
        paths.iter().map(|path| ((*path).to_owned(), Vec::new())).collect()
    }

    #[test]
    fn only_what_a_deployment_sees_is_packed() {
        let parcel = parcel(files(&[
            "README.md",
            "infrastructure/.terraform.lock.hcl",
            "infrastructure/main.tf",
            "infrastructure/modules/net/tests/x.tf",
            "infrastructure/terraform.tfstate",
            "infrastructure/terraform.tfstate.backup",
            "schema/schema.yaml",
            "tests/dev.yaml",
            "tests/expected/dev/main.tf",
        ]));
        assert_eq!(
            parcel.files.keys().collect::<Vec<_>>(),
            [
                "infrastructure/.terraform.lock.hcl",
                "infrastructure/main.tf",
                "infrastructure/modules/net/tests/x.tf",
                "schema/schema.yaml"
            ]
        );
        assert_eq!(
            parcel.left_out,
            ["README.md", "infrastructure/terraform.tfstate", "infrastructure/terraform.tfstate.backup", "tests/"]
        );
    }

    #[test]
    fn the_layout_tells_the_kind() {
        let kind = |paths: &[&str]| kind_of(&files(paths)).ok();
        assert_eq!(kind(&["schema/schema.yaml", "infrastructure/main.tf"]), Some(BundleKind::Environment));
        assert_eq!(kind(&["schema/schema.yaml", "instance_infrastructure/main.tf"]), Some(BundleKind::Service));
        assert_eq!(kind(&["infrastructure/main.tf"]), Some(BundleKind::Component));
        assert_eq!(kind(&["main.tf"]), None);
        let mut preview = files(&["infrastructure/main.tf"]);
        preview.insert("schema/schema.yaml".into(), b"schema: {service_input_type: In}".to_vec());
        assert_eq!(kind_of(&preview), Ok(BundleKind::Service));
        assert!(is_customer_managed(BundleKind::Service, &preview));
        assert!(!is_customer_managed(BundleKind::Environment, &preview));
    }
}
