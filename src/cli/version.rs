//! `hadron version`: what this binary is, and what it was built from and tried with.

use clap::Args;
use serde::Serialize;

use super::{Exit, Failure, Form, print};
use crate::terraform;

#[derive(Debug, Args)]
pub(super) struct VersionArgs {
    /// The same as `--output json`
    #[arg(long)]
    json: bool,
}

/// The facts of a build. What isn't known is null.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Facts {
    version: &'static str,
    /// The commit that it was built from.
    commit: Option<&'static str>,
    /// Whether files differed from the commit.
    dirty: Option<bool>,
    target: &'static str,
    profile: &'static str,
    rustc: &'static str,
    terraform: TerraformRange,
    /// The API models that it speaks, by their versions.
    proton_api: &'static str,
    hadron_api: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TerraformRange {
    /// The oldest that is accepted.
    oldest: String,
    /// The series that our own tests run with.
    tested: &'static str,
}

impl Facts {
    fn of_this_build() -> Self {
        let known = |fact: &'static str| (!fact.is_empty()).then_some(fact);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            commit: known(env!("HADRON_BUILD_COMMIT")),
            dirty: known(env!("HADRON_BUILD_DIRTY")).map(|dirty| dirty == "true"),
            target: env!("HADRON_BUILD_TARGET"),
            profile: env!("HADRON_BUILD_PROFILE"),
            rustc: env!("HADRON_BUILD_RUSTC"),
            terraform: TerraformRange { oldest: terraform::FLOOR.to_string(), tested: terraform::TESTED },
            proton_api: hadron_model::TARGET_PREFIX,
            hadron_api: hadron_model::hadron::TARGET_PREFIX,
        }
    }

    fn lines(&self) -> String {
        let commit = match (self.commit, self.dirty) {
            (None, _) => "not known".to_owned(),
            (Some(commit), Some(true)) => format!("{commit}, with changes"),
            (Some(commit), _) => commit.to_owned(),
        };
        let TerraformRange { oldest, tested } = &self.terraform;
        let facts = print::lines(&[
            ("commit", commit),
            ("target", self.target.to_owned()),
            ("profile", self.profile.to_owned()),
            ("rustc", self.rustc.to_owned()),
            ("terraform", format!("{oldest} or newer, tested with {tested}")),
            ("apis", format!("{}, {}", self.proton_api, self.hadron_api)),
        ]);
        format!("hadron {}\n{facts}", self.version)
    }
}

/// Prints the facts.
pub(super) fn run(args: &VersionArgs, form: Form) -> Result<Exit, Failure> {
    let facts = Facts::of_this_build();
    match form {
        Form::Text if !args.json => print::text(&facts.lines())?,
        _ => print::json(&facts)?,
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_built_is_known_without_git() {
        let facts = Facts::of_this_build();
        assert!(facts.rustc.starts_with("rustc 1."), "{facts:?}");
        assert!(facts.target.contains(std::env::consts::ARCH), "{facts:?}");
        let bare = Facts { commit: None, dirty: None, ..Facts::of_this_build() };
        assert!(bare.lines().contains("commit     not known\n"), "{}", bare.lines());
        let built = Facts { commit: Some("52598f8"), dirty: Some(true), ..bare };
        assert!(built.lines().contains("commit     52598f8, with changes\n"), "{}", built.lines());
    }
}
