//! What Terraform is told: one pure function per command.
//!
//! Secrets never stand here, since every process of the machine may read another's arguments.

use std::path::Path;
use std::time::Duration;

use super::{Mode, Terraform};

/// Arguments of `init`.
///
/// `-reconfigure`, since the state is ours to place: without it a `terraform.tfstate` that came with a bundle, or the
/// memory of an older backend, would make Terraform ask whether to copy. `-json` exists since Terraform 1.9
/// (<https://developer.hashicorp.com/terraform/cli/commands/init>).
pub(super) fn init(terraform: &Terraform) -> Vec<String> {
    let mut args = words(&["init", "-input=false", "-no-color", "-reconfigure"]);
    if terraform.init_speaks_json() {
        args.push("-json".into());
    }
    args
}

/// Arguments of an `init` that chooses providers anew, within what the files allow, and looks at no state.
pub(super) fn init_upgrade(terraform: &Terraform) -> Vec<String> {
    let mut args = words(&["init", "-upgrade", "-backend=false", "-input=false", "-no-color"]);
    if terraform.init_speaks_json() {
        args.push("-json".into());
    }
    args
}

/// Arguments that add other platforms' digests of what is chosen to the lock file. Terraform asks each provider's origin
/// here, whatever its configuration says, unless `origin` names a mirror
/// (<https://developer.hashicorp.com/terraform/cli/commands/providers/lock>).
pub(super) fn providers_lock(platforms: &[String], origin: Option<String>) -> Vec<String> {
    let mut args = words(&["providers", "lock", "-no-color"]);
    args.extend(origin);
    args.extend(platforms.iter().map(|platform| format!("-platform={platform}")));
    args
}

/// Arguments of the one command that changes infrastructure
/// (<https://developer.hashicorp.com/terraform/cli/commands/apply>).
pub(super) fn apply(mode: Mode, lock_timeout: Duration) -> Vec<String> {
    let mut args = words(&["apply"]);
    if mode == Mode::Destroy {
        args.push("-destroy".into());
    }
    args.extend(words(&["-json", "-auto-approve", "-input=false", "-no-color"]));
    args.push(format!("-lock-timeout={}s", lock_timeout.as_secs()));
    args
}

/// Arguments that make Terraform write down what it would do. Exit code 2 says that it would do something
/// (<https://developer.hashicorp.com/terraform/cli/commands/plan#detailed-exitcode>).
pub(super) fn plan(mode: Mode, lock_timeout: Duration, file: &Path) -> Vec<String> {
    let mut args = words(&["plan"]);
    if mode == Mode::Destroy {
        args.push("-destroy".into());
    }
    args.extend(words(&["-json", "-detailed-exitcode", "-input=false", "-no-color"]));
    args.push(format!("-lock-timeout={}s", lock_timeout.as_secs()));
    args.push(format!("-out={}", file.display()));
    args
}

/// Arguments that do what a saved plan says; being given the plan is the approval.
pub(super) fn apply_plan(lock_timeout: Duration, file: &Path) -> Vec<String> {
    let mut args = words(&["apply", "-json", "-input=false", "-no-color"]);
    args.push(format!("-lock-timeout={}s", lock_timeout.as_secs()));
    args.push(file.display().to_string());
    args
}

/// Arguments that plan from nothing, with a state that nobody else knows of.
pub(super) fn trial(file: &Path) -> Vec<String> {
    let mut args = words(&["plan", "-json", "-input=false", "-no-color", "-lock=false"]);
    args.push(format!("-out={}", file.display()));
    args
}

/// Arguments that make Terraform print a saved plan for programs, with sensitive values in clear
/// (<https://developer.hashicorp.com/terraform/internals/json-format>).
pub(super) fn document(file: &Path) -> Vec<String> {
    let mut args = words(&["show", "-json", "-no-color"]);
    args.push(file.display().to_string());
    args
}

/// Arguments that make Terraform print a saved plan for people; sensitive values stay hidden.
pub(super) fn show(file: &Path) -> Vec<String> {
    let mut args = words(&["show", "-no-color"]);
    args.push(file.display().to_string());
    args
}

/// Arguments that make Terraform print a saved plan as a document, with sensitive values in clear
/// (<https://developer.hashicorp.com/terraform/internals/json-format>).
pub(super) fn show_document(file: &Path) -> Vec<String> {
    let mut args = words(&["show", "-json", "-no-color"]);
    args.push(file.display().to_string());
    args
}

/// Arguments that make Terraform print every output in clear.
pub(super) fn output() -> Vec<String> {
    words(&["output", "-json", "-no-color"])
}

/// Arguments that only tell what would be done.
pub(super) fn compare(mode: Mode, lock_timeout: Duration) -> Vec<String> {
    let mut args = words(&["plan", "-json", "-input=false", "-no-color"]);
    args.push(format!("-lock-timeout={}s", lock_timeout.as_secs()));
    if mode == Mode::Destroy {
        args.push("-destroy".into());
    }
    args
}

/// Arguments that print the current state (<https://developer.hashicorp.com/terraform/cli/commands/state/pull>).
pub(super) fn state_pull() -> Vec<String> {
    words(&["state", "pull"])
}

/// Arguments that make a file the current state.
pub(super) fn state_push(lock_timeout: Duration, file: &Path) -> Vec<String> {
    let mut args = state("push", lock_timeout);
    args.push(file.display().to_string());
    args
}

/// Arguments that make the state forget an object.
pub(super) fn state_rm(lock_timeout: Duration, address: &str) -> Vec<String> {
    let mut args = state("rm", lock_timeout);
    args.push(address.to_owned());
    args
}

/// Arguments that give an object of the state another address.
pub(super) fn state_mv(lock_timeout: Duration, from: &str, to: &str) -> Vec<String> {
    let mut args = state("mv", lock_timeout);
    args.extend([from.to_owned(), to.to_owned()]);
    args
}

/// Arguments that bring an object into the state (<https://developer.hashicorp.com/terraform/cli/commands/import>).
pub(super) fn import(lock_timeout: Duration, address: &str, id: &str) -> Vec<String> {
    let mut args = words(&["import", "-input=false", "-no-color"]);
    args.push(format!("-lock-timeout={}s", lock_timeout.as_secs()));
    args.extend([address.to_owned(), id.to_owned()]);
    args
}

fn state(verb: &str, lock_timeout: Duration) -> Vec<String> {
    let mut args = words(&["state", verb, "-no-color"]);
    args.push(format!("-lock-timeout={}s", lock_timeout.as_secs()));
    args
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terraform(version: &str, tofu: bool) -> Terraform {
        Terraform { binary: "/opt/terraform".into(), version: version.parse().unwrap(), tofu }
    }

    #[test]
    fn init_speaks_json_where_terraform_can() {
        assert_eq!(init(&terraform("1.11.4", false)).join(" "), "init -input=false -no-color -reconfigure -json");
        assert_eq!(init(&terraform("1.8.5", false)).join(" "), "init -input=false -no-color -reconfigure");
        assert_eq!(init(&terraform("1.10.0", true)).join(" "), "init -input=false -no-color -reconfigure");
    }

    #[test]
    fn apply_and_destroy_differ_in_one_word() {
        let wait = Duration::from_mins(5);
        assert_eq!(
            apply(Mode::Apply, wait).join(" "),
            "apply -json -auto-approve -input=false -no-color -lock-timeout=300s"
        );
        assert_eq!(
            apply(Mode::Destroy, wait).join(" "),
            "apply -destroy -json -auto-approve -input=false -no-color -lock-timeout=300s"
        );
    }

    #[test]
    fn a_plan_is_saved_and_then_applied_without_another_question() {
        let (wait, file) = (Duration::from_secs(5), Path::new("/runs/d/1/plan/plan.tfplan"));
        assert_eq!(
            plan(Mode::Destroy, wait, file).join(" "),
            "plan -destroy -json -detailed-exitcode -input=false -no-color -lock-timeout=5s -out=/runs/d/1/plan/plan.tfplan"
        );
        let apply = apply_plan(wait, file).join(" ");
        assert_eq!(apply, "apply -json -input=false -no-color -lock-timeout=5s /runs/d/1/plan/plan.tfplan");
    }

    #[test]
    fn outputs_are_read_as_json() {
        assert_eq!(output().join(" "), "output -json -no-color");
    }
}
