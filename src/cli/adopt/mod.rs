//! `hadron adopt`: looks at what was imported before anything is deployed to it, and lifts the quarantine.

mod judge;
mod list;
mod planner;

use clap::Args;
use futures::StreamExt;
use hadron_model::hadron::{
    AdoptTargetInput, AdoptTargetOutput, AdoptionGroup, ListQuarantinedInput, Operation, QuarantinedTarget,
    RecordAdoptionPlanInput, RecordAdoptionPlanOutput,
};
use serde::Serialize;

use self::planner::{Planned, Planner};
use super::buckets::Buckets;
use super::remote::{self, Remote};
use super::target::{Named, short};
use super::{Exit, Failure, Form, print};
use crate::hadron::HadronError;
use crate::lifecycle::Lifecycle;
use crate::settings::Resolved;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
pub(super) struct AdoptArgs {
    /// An ARN, environment/NAME, service/SERVICE/instance/NAME, service/SERVICE/pipeline or component/NAME; all by default
    #[arg(value_name = "TARGET")]
    targets: Vec<Named>,
    /// Plan them with Terraform on this machine; nothing is changed, neither infrastructure nor any state
    #[arg(long, conflicts_with_all = ["unchanged", "tags_only", "updates", "yes_replaces"])]
    plan: bool,
    /// How many plans run at once
    #[arg(long, value_name = "N", default_value_t = 4, requires = "plan")]
    jobs: usize,
    /// Adopt those whose last plan changes nothing
    #[arg(long)]
    unchanged: bool,
    /// Adopt those whose last plan changes tags and nothing else
    #[arg(long)]
    tags_only: bool,
    /// Adopt those whose last plan adds resources or changes them in place
    #[arg(long)]
    updates: bool,
    /// Adopt a target that is named even if its last plan replaces or destroys
    #[arg(long, requires = "targets")]
    yes_replaces: bool,
}

impl AdoptArgs {
    fn groups(&self) -> Vec<AdoptionGroup> {
        let all = [
            (self.unchanged, AdoptionGroup::Unchanged),
            (self.tags_only, AdoptionGroup::TagsOnly),
            (self.updates, AdoptionGroup::Update),
        ];
        all.into_iter().filter(|(wanted, _)| *wanted).map(|(_, group)| group).collect()
    }
}

pub(super) async fn run(settings: &Resolved, args: AdoptArgs, form: Form) -> Result<Exit, Failure> {
    let remote = Remote::of(settings).await?;
    let targets = quarantined(&remote, &args.targets).await?;
    let groups = args.groups();
    if args.plan {
        return plan(settings, &remote, targets, args.jobs.max(1), form).await;
    }
    if groups.is_empty() && args.targets.is_empty() {
        list::print(form, &targets)?;
        return Ok(Exit::Done);
    }
    let of_group = |it: &QuarantinedTarget| it.plan.as_ref().is_some_and(|plan| groups.contains(&plan.group));
    let chosen = targets.into_iter().filter(|it| groups.is_empty() || of_group(it)).collect();
    adopt(settings, &remote, chosen, args.yes_replaces, form).await
}

/// What is quarantined, or of that the targets that are named.
async fn quarantined(remote: &Remote, named: &[Named]) -> Result<Vec<QuarantinedTarget>, Failure> {
    let input = ListQuarantinedInput::default();
    let all: Vec<QuarantinedTarget> =
        remote.hadron.pages(Operation::ListQuarantined, &input).await.map_err(remote::refused)?;
    if named.is_empty() {
        return Ok(all);
    }
    let mut chosen = Vec::new();
    for target in named {
        let arn = target.arn(&remote.hadron).await?;
        let found = all.iter().find(|it| it.target_arn == arn);
        let missing = || Failure::new(Exit::Usage, anyhow::anyhow!("{} isn't quarantined", short(&arn)));
        chosen.push(found.cloned().ok_or_else(|| missing().hint("`hadron adopt` lists what is"))?);
    }
    Ok(chosen)
}

async fn plan(
    settings: &Resolved,
    remote: &Remote,
    targets: Vec<QuarantinedTarget>,
    jobs: usize,
    form: Form,
) -> Result<Exit, Failure> {
    let lifecycle = Lifecycle::listen()?;
    let planner = Planner::of(settings, remote)?;
    let (planner, stop) = (&planner, &lifecycle.soft);
    let plans = targets.into_iter().map(|target| async move {
        let planned = planner.plan(&target, stop).await;
        (target, planned)
    });
    let mut plans = futures::stream::iter(plans).buffer_unordered(jobs);
    let mut done = Vec::new();
    while let Some((mut target, planned)) = plans.next().await {
        if stop.is_cancelled() {
            return Ok(Exit::Cancelled);
        }
        tracing::info!(target.arn = target.target_arn, "{}: {}", short(&target.target_arn), planned.summary);
        target.plan = Some(record(remote, &target, planned).await?);
        done.push(target);
    }
    done.sort_by(|a, b| a.target_arn.cmp(&b.target_arn));
    list::print(form, &done)?;
    let failed = done.iter().any(|it| it.plan.as_ref().is_some_and(|plan| plan.group == AdoptionGroup::Error));
    Ok(if failed { Exit::PlanFailed } else { Exit::Done })
}

async fn record(
    remote: &Remote,
    target: &QuarantinedTarget,
    planned: Planned,
) -> Result<hadron_model::hadron::AdoptionPlan, Failure> {
    let Planned { group, summary, message, state_digest } = planned;
    let input = RecordAdoptionPlanInput {
        target_arn: target.target_arn.clone(),
        deployment_id: target.deployment_id.clone(),
        state_digest,
        group,
        summary: cut(&summary),
        message: message.map(|text| cut(&text)),
    };
    let recorded: RecordAdoptionPlanOutput =
        remote.hadron.call(Operation::RecordAdoptionPlan, &input).await.map_err(remote::refused)?;
    Ok(recorded.plan)
}

/// Text as long as a plan keeps it.
fn cut(text: &str) -> String {
    const LONGEST: usize = 4000;
    text.chars().take(LONGEST).collect()
}

#[expect(clippy::struct_field_names, reason = "a member of the JSON")]
/// A target and what became of it.
#[derive(Debug, Serialize)]
struct Adopted {
    arn: String,
    adopted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

async fn adopt(
    settings: &Resolved,
    remote: &Remote,
    targets: Vec<QuarantinedTarget>,
    replaces: bool,
    form: Form,
) -> Result<Exit, Failure> {
    let buckets = Buckets::of(settings)?;
    let mut results = Vec::new();
    for target in targets {
        let why = adopt_one(remote, &buckets, &target, replaces).await?;
        results.push(Adopted { arn: target.target_arn, adopted: why.is_none(), why });
    }
    let refused = results.iter().any(|it| !it.adopted);
    print::list(form, &results, ["TARGET", "ADOPTED", ""], |it: &Adopted| {
        let adopted = if it.adopted { "yes" } else { "no" };
        [short(&it.arn), adopted.into(), it.why.clone().unwrap_or_default()]
    })?;
    Ok(if refused { Exit::Unexpected } else { Exit::Done })
}

/// Adopts a target by its last plan, if its state is still what was planned; else why not.
async fn adopt_one(
    remote: &Remote,
    buckets: &Buckets,
    target: &QuarantinedTarget,
    replaces: bool,
) -> Result<Option<String>, Failure> {
    let arn = &target.target_arn;
    let Some(plan) = &target.plan else {
        return Ok(Some(format!("nobody has planned it yet: hadron adopt --plan {}", short(arn))));
    };
    let state = match planner::state_of(remote, buckets, target).await {
        Ok(state) => state,
        Err(why) => return Ok(Some(why)),
    };
    let input = AdoptTargetInput {
        target_arn: arn.clone(),
        plan_digest: plan.digest.clone(),
        state_digest: state.map(|state| state.digest),
        replaces: Some(replaces),
    };
    let answer: Result<AdoptTargetOutput, HadronError> = remote.hadron.call(Operation::AdoptTarget, &input).await;
    match answer {
        Ok(_) => Ok(None),
        Err(error) if error.code() == Some("ConflictException") => Ok(Some(error.to_string())),
        Err(error) => Err(remote::refused(error)),
    }
}
