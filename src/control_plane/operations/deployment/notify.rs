//! NotifyResourceDeploymentStatusChange: what agents and pipelines report.

use hadron_model::{
    DeploymentStatus, NotifyResourceDeploymentStatusChangeInput, NotifyResourceDeploymentStatusChangeOutput,
};

use hadron_model::hadron::StateAt;
use percent_encoding::{CONTROLS, utf8_percent_encode};

use super::{plan, poll};
use crate::control_plane::deployments::{Deployments, Heard, Refused, Report, Settles};
use crate::control_plane::plane::{Plane, PlaneSettings};
use crate::control_plane::records::{Deployment, Output};
use crate::control_plane::seal::{Sealer, output_context};
use crate::control_plane::state_server::{sealed_url, state_url};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::{Scope, Target};

/// The number of the claim that a report belongs to.
const EPOCH: &str = "x-hadron-epoch";

/// Where the deployment stands.
const STATUS: &str = "x-hadron-status";

/// How much a report of the end settles, if not all: `own` is this run without what its claim was told of, `none` is
/// nothing.
const SETTLED: &str = "x-hadron-settled";

/// Where the state of an imported target lies: bucket, key, region and role as JSON, percent-encoded beyond ASCII.
const STATE_AT: &str = "x-hadron-state-at";

/// What a claimer understands besides the first headers: `state-at`. Whoever doesn't would keep the state elsewhere, and
/// make everything anew.
const KNOWS: &str = "x-hadron-knows";
/// That the rendered directory was published; the agent holds the deployment no longer.
const PUBLISHED: &str = "x-hadron-published";

/// `closed`: the request that a deployment was published as was closed unmerged.
const REQUEST: &str = "x-hadron-request";

/// Which of the outputs are sensitive: their positions, `0,3`.
const SENSITIVE: &str = "x-hadron-sensitive";

/// Takes in a report; the answer's headers tell where the deployment stands and, to whoever claims it, all that the
/// work needs.
pub(crate) async fn notify_resource_deployment_status_change(
    plane: &Plane,
    call: &mut Call,
    input: NotifyResourceDeploymentStatusChangeInput,
) -> Result<NotifyResourceDeploymentStatusChangeOutput, ProtonError> {
    let report = report(plane, call, input)?;
    let asked = report.plan.clone();
    let engine = Deployments::of(plane, call);
    let bell = plane.work.subscribe();
    let heard = plane.store.write(move |tx| engine.hear(tx, &report)).await;
    let heard = heard.map_err(|refused: Refused| {
        answer_status(call, refused.status);
        refused.error
    })?;
    answer_status(call, Some(heard.deployment.status));
    tell(plane, call, &heard);
    if let Some(asked) = asked {
        let deployment = plan::decided(plane, call, &asked, heard.deployment, bell).await?;
        answer_status(call, Some(deployment.status));
        plan::answer(call, &asked, &deployment);
    }
    Ok(NotifyResourceDeploymentStatusChangeOutput {})
}

fn answer_status(call: &mut Call, status: Option<DeploymentStatus>) {
    if let Some(status) = status {
        call.answer_header(STATUS, status.as_str());
    }
}

/// Wakes whoever waits for what the end of a deployment has begun; tells a claimer what it needs.
fn tell(plane: &Plane, call: &mut Call, heard: &Heard) {
    if heard.ended {
        plane.work.ring();
    }
    if let Some(inherited) = &heard.claimed {
        for (name, value) in claim_answer(&plane.settings, &call.scope, &heard.deployment, inherited.state.as_ref()) {
            call.answer_header(name, &value);
        }
        if !inherited.unsettled.is_empty() {
            call.answer_header("x-hadron-unsettled", &inherited.unsettled.join(" "));
        }
        if let Some(requests) = &inherited.requests {
            call.answer_header("x-hadron-executor", "pull-request");
            call.answer_header("x-hadron-repository", &requests.repository);
            call.answer_header("x-hadron-branch", &requests.branch);
        }
        if inherited.adoptions > 0 {
            call.answer_header("x-hadron-adopt", &inherited.adoptions.to_string());
        }
    }
}

/// The headers that answer a claim.
fn claim_answer(
    settings: &PlaneSettings,
    scope: &Scope,
    claimed: &Deployment,
    state: Option<&StateAt>,
) -> Vec<(&'static str, String)> {
    let base = &settings.base_url;
    let mut headers = vec![
        (EPOCH, claimed.epoch.to_string()),
        ("x-hadron-attempt", claimed.epoch.to_string()),
        ("x-hadron-lease-seconds", settings.lease.as_secs().to_string()),
        ("x-hadron-state-key", claimed.state_key.clone()),
        // What its tags say, so that nobody need ask for them.
        ("x-hadron-bundle", claimed.bundle.uri.clone()),
        ("x-hadron-inputs", claimed.inputs_uri.clone()),
        ("x-hadron-action", claimed.action.name().to_owned()),
    ];
    if let Some(state) = state {
        let text = serde_json::to_string(state).unwrap_or_default();
        headers.push((STATE_AT, utf8_percent_encode(&text, CONTROLS).to_string()));
    } else if settings.serves_state {
        headers.push(("x-hadron-state", state_url(base, scope, &claimed.target)));
    }
    if settings.serves_objects {
        headers.push(("x-hadron-objects", base.clone()));
    }
    if !claimed.sealed_inputs.is_empty() {
        headers.push(("x-hadron-sealed", sealed_url(base, &claimed.id)));
    }
    headers
}

fn report(plane: &Plane, call: &Call, input: NotifyResourceDeploymentStatusChangeInput) -> Result<Report, ProtonError> {
    let (scope, target) =
        Target::parse(&input.resource_arn).map_err(|unknown| ProtonError::validation(unknown.to_string()))?;
    if scope != call.scope {
        return Err(ProtonError::not_found(format!("{} doesn't exist in this account and region", input.resource_arn)));
    }
    let sensitive = positions(call)?;
    let outputs = input.outputs.map(|outputs| kept(&plane.sealer, &scope, outputs, &sensitive)).transpose()?;
    Ok(Report {
        target,
        deployment_id: input.deployment_id,
        status: input.status,
        outputs,
        message: input.status_message.filter(|text| !text.is_empty()),
        agent: call.header(poll::AGENT).map(|agent| poll::checked_agent(agent.to_owned())).transpose()?,
        epoch: number(call, EPOCH)?,
        access_key: call.caller.access_key.clone(),
        principal: call.caller.principal.clone(),
        plan: plan::asked(call)?,
        settles: settles(call)?,
        knows_state_at: call.header(KNOWS).is_some_and(|known| known.split(' ').any(|word| word == "state-at")),
        closed: call.header(REQUEST).is_some_and(|value| value == "closed"),
        published: call.header(PUBLISHED).is_some_and(|value| value == "true"),
    })
}

fn settles(call: &Call) -> Result<Settles, ProtonError> {
    match call.header(SETTLED) {
        None => Ok(Settles::All),
        Some("own") => Ok(Settles::Own),
        Some("none") => Ok(Settles::Nothing),
        Some(other) => Err(ProtonError::validation(format!("{SETTLED}: {other} is neither own nor none"))),
    }
}

fn number(call: &Call, name: &str) -> Result<Option<i64>, ProtonError> {
    let Some(text) = call.header(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| ProtonError::validation(format!("{name}: {text} is no number")))
}

fn positions(call: &Call) -> Result<Vec<usize>, ProtonError> {
    let Some(text) = call.header(SENSITIVE).filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    let number = |part: &str| part.trim().parse().ok();
    let positions: Option<Vec<usize>> = text.split(',').map(number).collect();
    positions.ok_or_else(|| ProtonError::validation(format!("{SENSITIVE}: {text} is no list of positions")))
}

/// Outputs as the record keeps them.
fn kept(
    sealer: &Sealer,
    scope: &Scope,
    outputs: Vec<hadron_model::Output>,
    sensitive: &[usize],
) -> Result<Vec<Output>, ProtonError> {
    if let Some(beyond) = sensitive.iter().find(|position| **position >= outputs.len()) {
        return Err(ProtonError::validation(format!("{SENSITIVE}: there is no output at position {beyond}")));
    }
    let keep = |(position, output): (usize, hadron_model::Output)| {
        let (Some(key), Some(value)) = (output.key, output.value_string) else {
            return Err(ProtonError::validation(format!("outputs.{} lacks its key or its value", position + 1)));
        };
        if !sensitive.contains(&position) {
            return Ok(Output::Plain { key, value });
        }
        let ciphertext = sealer.seal(&value, &output_context(scope, &key)).map_err(ProtonError::internal)?;
        Ok(Output::Sealed { key, ciphertext })
    };
    outputs.into_iter().enumerate().map(keep).collect()
}
