//! Claim, heartbeat and report: all three are `NotifyResourceDeploymentStatusChange`, told apart by their headers.
//!
//! <https://docs.aws.amazon.com/proton/latest/APIReference/API_NotifyResourceDeploymentStatusChange.html>

use std::time::Duration;

use hadron_model::DeploymentStatus;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::deployment::{Action, Work, named};
use super::headers::{AnswerHeaders, OurHeaders};
use super::sdk::types::{Output as SdkOutput, ResourceDeploymentStatus as Told};
use super::{Proton, ProtonError};
use crate::domain::Output;

/// The longest statusMessage, in characters.
const MESSAGE_LIMIT: usize = 5000;

/// What stands for a cut.
const MARK: &str = "\n[…]\n";

/// A claim on a deployment, with what the claim's answer said; plain data, so that it outlives the process in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The deployment.
    pub deployment_id: String,
    /// Its target.
    pub target_arn: String,
    /// The agent that claimed.
    pub agent: String,
    /// The fence that every later notify carries; None on a stock endpoint.
    pub epoch: Option<i64>,
    /// How long the claim holds without a heartbeat, in seconds.
    pub seconds: Option<u64>,
    /// The state server's URL for this target.
    pub state: Option<String>,
    /// The endpoint where bundle, inputs and run records lie, signed for with Proton's identity.
    pub objects: Option<String>,
    /// Where the sealed inputs can be read.
    pub sealed: Option<String>,
    /// The key that this target has in an S3 state bucket.
    pub state_key: Option<String>,
    /// Where the state of an imported target lies.
    #[serde(default)]
    pub state_at: Option<StateAt>,
    /// Counts the attempts at this deployment.
    pub attempt: u64,
    /// Runs on this target that nobody has settled: deployment and attempt, oldest first.
    #[serde(default)]
    pub unsettled: Vec<(String, u64)>,
    /// How many objects operators want adopted by this run.
    #[serde(default)]
    pub adopt: u64,
    /// Where the rendered directory is to be published instead of being run: the repository and the branch.
    #[serde(default)]
    pub requests: Option<(String, String)>,
    /// What the deployment's tags say, so that they needn't be asked for.
    #[serde(default)]
    pub work: Option<Work>,
}

impl Lease {
    /// Whether the endpoint understands leases at all.
    pub fn is_fenced(&self) -> bool {
        self.epoch.is_some()
    }

    /// Half-way signs of life must fit three times into the lease, so that two may be lost.
    pub fn heartbeat_every(&self) -> Duration {
        Duration::from_millis(self.seconds.unwrap_or(60).max(1) * 1000 / 3)
    }

    /// Who we are to the state server and to the sealed inputs.
    pub fn username(&self) -> String {
        format!("{}.{}", self.deployment_id, self.epoch.unwrap_or_default())
    }
}

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Terraform did all of it.
    Succeeded {
        /// The target's outputs, replacing the earlier ones.
        outputs: Vec<Output>,
        /// Warnings, if any.
        message: Option<String>,
    },
    /// It didn't end well.
    Failed {
        /// Why, and what to do about it.
        message: String,
    },
}

/// Which unsettled runs of the target an end settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settles {
    /// This run and those that the claim's answer named.
    All,
    /// This run only: it ended before it came to the others.
    Own,
    /// None.
    Nothing,
}

/// How people have decided on a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Not yet.
    Pending,
    /// It may be applied.
    Approved,
    /// It must not be applied.
    Rejected {
        /// The ARN of whoever said so.
        by: String,
        /// Why.
        comment: Option<String>,
    },
}

/// The state of an imported target: a bucket and a key of its own, wherever other states are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateAt {
    /// The bucket.
    pub bucket: String,
    /// The key within it.
    pub key: String,
    /// The bucket's region.
    #[serde(default)]
    pub region: Option<String>,
    /// A role that may read and write it, to be assumed for the state alone.
    #[serde(default)]
    pub role: Option<String>,
}

fn state_at(text: &str) -> Result<StateAt, ProtonError> {
    let text = percent_decode_str(text).decode_utf8_lossy();
    serde_json::from_str(&text).map_err(|error| ProtonError::nonsense(format!("where the state lies: {error}")))
}

/// Bundle and inputs together, or neither.
fn work(answer: &AnswerHeaders) -> Option<Work> {
    Some(Work {
        bundle: Some(answer.get("x-hadron-bundle")?),
        inputs: Some(answer.get("x-hadron-inputs")?),
        action: answer.get("x-hadron-action").and_then(|action| Action::named(&action)),
    })
}

fn decision(answer: &AnswerHeaders) -> Option<Decision> {
    match answer.get("x-hadron-decision")?.as_str() {
        "pending" => Some(Decision::Pending),
        "approved" => Some(Decision::Approved),
        "rejected" => Some(Decision::Rejected {
            by: answer.get("x-hadron-decided-by").unwrap_or_else(|| "somebody".to_owned()),
            comment: answer
                .get("x-hadron-decision-comment")
                .map(|comment| percent_decode_str(&comment).decode_utf8_lossy().into_owned()),
        }),
        _ => None,
    }
}

impl Proton {
    /// Claims a deployment for `agent`; repeating it is harmless. The second value is where the deployment stands.
    ///
    /// # Errors
    /// [`ProtonError::Conflict`] when somebody else holds it; its message names the holder.
    pub async fn claim(
        &self,
        agent: &str,
        deployment_id: &str,
        target_arn: &str,
    ) -> Result<(Lease, DeploymentStatus), ProtonError> {
        let mut lease = Lease {
            deployment_id: deployment_id.to_owned(),
            target_arn: target_arn.to_owned(),
            agent: agent.to_owned(),
            epoch: None,
            seconds: None,
            state: None,
            objects: None,
            sealed: None,
            state_key: None,
            state_at: None,
            attempt: 1,
            unsettled: Vec::new(),
            adopt: 0,
            requests: None,
            work: None,
        };
        let knows = vec![("x-hadron-knows", "state-at".to_owned())];
        let answer = self.notify_with(&lease, Told::InProgress, None, &[], knows).await?;
        lease.epoch = answer.parse("x-hadron-epoch");
        lease.seconds = answer.parse("x-hadron-lease-seconds");
        lease.state = answer.get("x-hadron-state");
        lease.objects = answer.get("x-hadron-objects");
        lease.sealed = answer.get("x-hadron-sealed");
        lease.state_key = answer.get("x-hadron-state-key");
        lease.state_at = answer.get("x-hadron-state-at").map(|text| state_at(&text)).transpose()?;
        let epoch = lease.epoch.and_then(|epoch| u64::try_from(epoch).ok());
        lease.attempt = answer.parse("x-hadron-attempt").or(epoch).unwrap_or(1);
        lease.unsettled = unsettled(&answer.get("x-hadron-unsettled").unwrap_or_default());
        lease.adopt = answer.parse("x-hadron-adopt").unwrap_or(0);
        lease.requests = answer.get("x-hadron-repository").zip(answer.get("x-hadron-branch"));
        lease.work = work(&answer);
        let status = self.stands(&answer, deployment_id).await?;
        Ok((lease, status))
    }

    /// Renews the lease, with a message for people if there is something new, and says where the deployment stands:
    /// CANCELLING means that it shall be interrupted.
    ///
    /// # Errors
    /// [`ProtonError::Conflict`] when the lease is lost.
    pub async fn heartbeat(&self, lease: &Lease, message: Option<&str>) -> Result<DeploymentStatus, ProtonError> {
        let answer = self.notify(lease, Told::InProgress, message, &[]).await?;
        self.stands(&answer, &lease.deployment_id).await
    }

    /// Renews the lease like [`Proton::heartbeat`], and asks how people have decided on a plan. The decision is None where
    /// the endpoint doesn't know plans, or no longer takes them because the deployment is being cancelled. An endpoint
    /// that can holds its answer until there is a decision, for whole seconds of `hold`.
    ///
    /// # Errors
    /// [`ProtonError::Conflict`] when the lease is lost.
    pub async fn ask(
        &self,
        lease: &Lease,
        digest: &str,
        summary: &str,
        hold: Duration,
    ) -> Result<(DeploymentStatus, Option<Decision>), ProtonError> {
        let mut plan = vec![("x-hadron-plan", digest.to_owned()), ("x-hadron-plan-summary", summary.to_owned())];
        if hold.as_secs() > 0 {
            plan.push(("x-hadron-wait", hold.as_secs().to_string()));
        }
        let answer = self.notify_with(lease, Told::InProgress, None, &[], plan).await?;
        let status = self.stands(&answer, &lease.deployment_id).await?;
        Ok((status, decision(&answer)))
    }

    /// Tells that the rendered directory is published. The lease ends with that: the deployment is a pipeline's from then on.
    ///
    /// # Errors
    /// [`ProtonError::Conflict`] when the lease is lost.
    pub async fn published(&self, lease: &Lease, message: &str) -> Result<(), ProtonError> {
        let header = vec![("x-hadron-published", "true".to_owned())];
        self.notify_with(lease, Told::InProgress, Some(message), &[], header).await.map(drop)
    }

    /// Tells how it ended; once. The repeat of a report that was heard is answered like the first.
    ///
    /// # Errors
    /// [`ProtonError::Conflict`] when the lease is lost.
    pub async fn report(&self, lease: &Lease, report: &Report) -> Result<(), ProtonError> {
        self.report_and_settle(lease, report, Settles::All).await
    }

    /// The same for an end that doesn't settle all.
    ///
    /// # Errors
    /// As [`Proton::report`].
    pub async fn report_and_settle(&self, lease: &Lease, report: &Report, settles: Settles) -> Result<(), ProtonError> {
        let more = match settles {
            Settles::All => Vec::new(),
            Settles::Own => vec![("x-hadron-settled", "own".to_owned())],
            Settles::Nothing => vec![("x-hadron-settled", "none".to_owned())],
        };
        match report {
            Report::Succeeded { outputs, message } => {
                let (outputs, message) = what_may_travel(lease.is_fenced(), outputs, message.as_deref());
                self.notify_with(lease, Told::Succeeded, message.as_deref(), &outputs, more).await?;
            }
            Report::Failed { message } => {
                self.notify_with(lease, Told::Failed, Some(message), &[], more).await?;
            }
        }
        Ok(())
    }

    async fn notify(
        &self,
        lease: &Lease,
        status: Told,
        message: Option<&str>,
        outputs: &[Output],
    ) -> Result<AnswerHeaders, ProtonError> {
        self.notify_with(lease, status, message, outputs, Vec::new()).await
    }

    async fn notify_with(
        &self,
        lease: &Lease,
        status: Told,
        message: Option<&str>,
        outputs: &[Output],
        more: Vec<(&'static str, String)>,
    ) -> Result<AnswerHeaders, ProtonError> {
        let answer = AnswerHeaders::default();
        let mut headers = lease_headers(lease, outputs);
        headers.extend(more);
        let headers = OurHeaders::new(headers);
        let terminal = status != Told::InProgress;
        let request = self.client().notify_resource_deployment_status_change();
        request
            .resource_arn(&lease.target_arn)
            .deployment_id(&lease.deployment_id)
            .set_status_message(message.filter(|text| !text.is_empty()).map(shortened))
            .set_outputs((terminal && !outputs.is_empty()).then(|| outputs.iter().map(sdk_output).collect()))
            .status(status)
            .customize()
            .interceptor(answer.clone())
            .interceptor(headers)
            .send()
            .await?;
        Ok(answer)
    }

    /// A stock endpoint's notify says nothing, so it is asked.
    async fn stands(&self, answer: &AnswerHeaders, id: &str) -> Result<DeploymentStatus, ProtonError> {
        match answer.get("x-hadron-status").as_deref().and_then(named) {
            Some(status) => Ok(status),
            None => self.deployment(id).await.map(|deployment| deployment.status),
        }
    }
}

/// `<deployment>.<attempt> …`. What can't be read names no run that could be found.
fn unsettled(header: &str) -> Vec<(String, u64)> {
    let runs = header.split_whitespace().filter_map(|run| run.rsplit_once('.'));
    runs.filter_map(|(deployment, attempt)| Some((deployment.to_owned(), attempt.parse().ok()?))).collect()
}

fn lease_headers(lease: &Lease, outputs: &[Output]) -> Vec<(&'static str, String)> {
    let mut headers = vec![("x-hadron-agent", lease.agent.clone())];
    if let Some(epoch) = lease.epoch {
        headers.push(("x-hadron-epoch", epoch.to_string()));
    }
    headers.extend(sensitive_header(outputs));
    headers
}

/// Tells which outputs are to be sealed, by their positions.
pub(super) fn sensitive_header(outputs: &[Output]) -> Option<(&'static str, String)> {
    let sensitive = outputs.iter().enumerate().filter(|(_, output)| output.sensitive);
    let sensitive: Vec<String> = sensitive.map(|(position, _)| position.to_string()).collect();
    (!sensitive.is_empty()).then(|| ("x-hadron-sensitive", sensitive.join(",")))
}

/// Hadron seals sensitive outputs; a stock endpoint would show them to everyone, so they stay here.
pub(super) fn what_may_travel(seals: bool, outputs: &[Output], message: Option<&str>) -> (Vec<Output>, Option<String>) {
    if seals {
        return (outputs.to_vec(), message.map(str::to_owned));
    }
    let (secret, plain): (Vec<Output>, Vec<Output>) = outputs.iter().cloned().partition(|output| output.sensitive);
    if secret.is_empty() {
        return (plain, message.map(str::to_owned));
    }
    let names: Vec<&str> = secret.iter().map(|output| output.key.as_str()).collect();
    let warning =
        format!("left out because they are sensitive and this endpoint can't seal them: {}", names.join(", "));
    (plain, Some(message.map_or(warning.clone(), |message| format!("{message}\n{warning}"))))
}

pub(super) fn sdk_output(output: &Output) -> SdkOutput {
    SdkOutput::builder().key(&output.key).value_string(&output.text).build()
}

/// Cuts in the middle: the beginning says what failed, the end what to do.
pub(super) fn shortened(text: &str) -> String {
    let length = text.chars().count();
    if length <= MESSAGE_LIMIT {
        return text.to_owned();
    }
    let keep = MESSAGE_LIMIT - MARK.chars().count();
    let head: String = text.chars().take(keep / 2).collect();
    let tail: String = text.chars().skip(length - (keep - keep / 2)).collect();
    format!("{head}{MARK}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_keeps_both_ends_within_the_limit() {
        let text = format!("begin{}end", "é".repeat(9000));
        let short = shortened(&text);
        assert_eq!(short.chars().count(), MESSAGE_LIMIT);
        assert!(short.starts_with("begin") && short.ends_with("end"));
        assert_eq!(shortened("short"), "short");
    }

    fn lease(epoch: Option<i64>) -> Lease {
        Lease {
            deployment_id: "d".into(),
            target_arn: "arn".into(),
            agent: "a".into(),
            epoch,
            seconds: Some(30),
            state: None,
            objects: None,
            sealed: None,
            state_key: None,
            state_at: None,
            attempt: 1,
            unsettled: Vec::new(),
            adopt: 0,
            requests: None,
            work: None,
        }
    }

    #[test]
    fn sensitive_outputs_travel_only_where_they_are_sealed() {
        let output = |key: &str, sensitive| Output { key: key.into(), text: "v".into(), sensitive };
        let outputs = [output("a", true), output("b", false), output("c", true)];
        let (sent, warning) = what_may_travel(false, &outputs, None);
        assert_eq!(sent, [output("b", false)]);
        assert!(warning.unwrap().ends_with(": a, c"));
        let (sent, warning) = what_may_travel(true, &outputs, None);
        assert_eq!((sent.len(), warning), (3, None));
        assert_eq!(lease_headers(&lease(Some(4)), &outputs)[2], ("x-hadron-sensitive", "0,2".into()));
    }

    #[test]
    fn runs_that_nobody_settled_are_read_in_their_order() {
        assert_eq!(unsettled("d-1.2  e.10 broken x.y"), [("d-1".to_owned(), 2), ("e".to_owned(), 10)]);
        assert!(unsettled("").is_empty());
    }

    #[test]
    fn three_heartbeats_fit_into_a_lease() {
        assert_eq!(lease(Some(1)).heartbeat_every(), Duration::from_secs(10));
    }
}
