//! What is quarantined, in groups by what its last plan came to.

use std::fmt::Write as _;

use hadron_model::hadron::{AdoptionGroup, QuarantinedTarget};

use crate::cli::target::short;
use crate::cli::{Failure, Form, print};

/// The groups in the order of how harmless they are, with their headings and how each is adopted.
const GROUPS: [(Option<AdoptionGroup>, &str, &str); 6] = [
    (Some(AdoptionGroup::Unchanged), "no changes", "hadron adopt --unchanged"),
    (Some(AdoptionGroup::TagsOnly), "tags only", "hadron adopt --tags-only"),
    (Some(AdoptionGroup::Update), "adds or updates", "hadron adopt --updates"),
    (Some(AdoptionGroup::ReplaceOrDestroy), "replaces or destroys", "hadron adopt TARGET --yes-replaces, one by one"),
    (Some(AdoptionGroup::Error), "can't be planned", "mend it, then hadron adopt --plan TARGET"),
    (None, "not planned yet", "hadron adopt --plan"),
];

/// Prints targets as JSON, or in their groups.
pub(super) fn print(form: Form, targets: &[QuarantinedTarget]) -> Result<(), Failure> {
    match form {
        Form::Json => print::json(&targets),
        Form::Text => print::text(&text(targets)),
    }
}

fn text(targets: &[QuarantinedTarget]) -> String {
    if targets.is_empty() {
        return "nothing is quarantined\n".into();
    }
    let mut out = String::new();
    for (group, heading, how) in GROUPS {
        let of_group = |it: &&QuarantinedTarget| it.plan.as_ref().map(|plan| plan.group) == group;
        let members: Vec<&QuarantinedTarget> = targets.iter().filter(of_group).collect();
        if members.is_empty() {
            continue;
        }
        writeln!(out, "{} {heading}: {how}", members.len()).expect("text takes text");
        for target in members {
            let plan = target.plan.as_ref();
            let summary = plan.map(|plan| format!("  {}", plan.summary)).unwrap_or_default();
            writeln!(out, "  {}{summary}", short(&target.target_arn)).expect("text takes text");
            for line in plan.and_then(|plan| plan.message.as_deref()).unwrap_or_default().lines() {
                writeln!(out, "    {line}").expect("text takes text");
            }
        }
    }
    out
}
