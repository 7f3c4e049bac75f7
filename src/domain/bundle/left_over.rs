//! What Terraform leaves where an author tried a folder out.

/// By the ends of their names. States hold secrets; and in a run's directory one would be taken for the target's own:
/// `terraform.tfstate` for a state to migrate, `errored.tfstate` for one that couldn't be saved, which is pushed.
///
/// <https://developer.hashicorp.com/terraform/language/state>
const ENDS: [&str; 4] = [".tfstate", ".tfstate.backup", ".tfstate.lock.info", "crash.log"];

/// Whether a run of Terraform has left the file of this path. Such a file is no part of a bundle.
pub fn is_left_by_terraform(path: &str) -> bool {
    ENDS.iter().any(|end| path.ends_with(end))
}
