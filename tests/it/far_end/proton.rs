//! A Proton endpoint: Hadron's promises about claims and leases, or a stock one that ignores every header of ours.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Seen;

pub(crate) const SCOPE: &str = "arn:aws:proton:us-east-1:123456789012";

/// One deployment as the far end keeps it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deployment {
    pub(crate) target: String,
    pub(crate) environment: String,
    pub(crate) status: String,
    pub(crate) message: String,
    pub(crate) state: Value,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) holder: Option<String>,
    pub(crate) epoch: i64,
    pub(crate) outputs: Vec<(String, String)>,
    pub(crate) sensitive: Option<String>,
    /// The plan that was asked about last, and its summary.
    pub(crate) plan: Option<(String, String)>,
    /// Headers that answer who asks about the plan of this digest.
    pub(crate) decision: Option<(String, Vec<(&'static str, String)>)>,
}

impl Deployment {
    pub(crate) fn of_environment(name: &str) -> Self {
        Self {
            target: format!("environment/{name}"),
            environment: name.to_owned(),
            status: "IN_PROGRESS".into(),
            state: json!({"environment": {
                "templateName": "net", "templateMajorVersion": "1", "templateMinorVersion": "0", "spec": "spec: {}"
            }}),
            ..Self::default()
        }
    }

    pub(crate) fn tagged(mut self, key: &str, value: &str) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }
}

/// The far end.
#[derive(Debug, Default)]
pub(crate) struct Proton {
    pub(crate) deployments: Mutex<BTreeMap<String, Deployment>>,
    pub(crate) seen: Mutex<Vec<Seen>>,
    /// Headers of every claim's answer besides epoch, status and lease.
    pub(crate) claim_headers: Mutex<Vec<(&'static str, String)>>,
    pub(crate) lease_seconds: u64,
    /// Ignores and answers no header of ours.
    pub(crate) stock: bool,
    /// Takes every deployment away right after it was claimed.
    pub(crate) steals: bool,
    /// Refuses whoever holds a deployment, as if its key were revoked.
    pub(crate) revokes: bool,
    /// Where a state server keeps a state per target, named by the target.
    pub(crate) states_at: Mutex<Option<String>>,
    /// Refuses every poll, as if its key might no longer.
    pub(crate) hides: Mutex<bool>,
    /// How many notifies with a terminal status shall get a 500 before they are heard.
    pub(crate) deaf: Mutex<u32>,
    /// How many of them shall be refused before that, as by a server whose clock is ahead.
    pub(crate) late: Mutex<u32>,
}

pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) far: Arc<Proton>,
}

impl Running {
    pub(crate) fn add(&self, id: &str, deployment: Deployment) {
        self.far.deployments.lock().unwrap().insert(id.to_owned(), deployment);
    }

    pub(crate) fn deployment(&self, id: &str) -> Deployment {
        self.far.deployments.lock().unwrap()[id].clone()
    }

    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Deployment)) {
        change(self.far.deployments.lock().unwrap().get_mut(id).unwrap());
    }

    /// The requests of one operation, in their order.
    pub(crate) fn seen(&self, operation: &str) -> Vec<Seen> {
        self.far.seen.lock().unwrap().iter().filter(|seen| seen.operation == operation).cloned().collect()
    }
}

pub(crate) async fn start() -> Running {
    start_with(Proton { lease_seconds: 30, ..Proton::default() }).await
}

pub(crate) async fn start_with(far: Proton) -> Running {
    let far = Arc::new(far);
    let router = Router::new().fallback(answer).with_state(Arc::clone(&far));
    Running { url: super::serve(router).await, far }
}

type Answer = Result<(Vec<(&'static str, String)>, Value), (u16, &'static str, String)>;

async fn answer(State(far): State<Arc<Proton>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.trim_start_matches("AwsProton20200720.").to_owned();
    let access_key = super::access_key(&headers);
    let seen = Seen { at: std::time::Instant::now(), operation, access_key, headers, body };
    far.seen.lock().unwrap().push(seen.clone());
    let (status, ours, body) = match far.operate(&seen) {
        Ok((ours, body)) => (StatusCode::OK, ours, body),
        Err((status, code, message)) => {
            (StatusCode::from_u16(status).unwrap(), vec![], json!({"__type": code, "message": message}))
        }
    };
    let mut answer = (status, [("content-type", "application/x-amz-json-1.0")], body.to_string()).into_response();
    for (name, value) in ours {
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}

impl Proton {
    fn operate(&self, seen: &Seen) -> Answer {
        let input = seen.json();
        match seen.operation.as_str() {
            "ListDeployments" if *self.hides.lock().unwrap() => {
                Err((400, "AccessDeniedException", "the key may no longer list".into()))
            }
            "ListDeployments" => Ok(self.list(seen)),
            "GetDeployment" => self.get(input["id"].as_str().unwrap()),
            "ListTagsForResource" => self.tags(input["resourceArn"].as_str().unwrap()),
            "NotifyResourceDeploymentStatusChange" => self.notify(seen, &input),
            other => Err((400, "UnknownOperationException", other.to_owned())),
        }
    }

    fn list(&self, seen: &Seen) -> (Vec<(&'static str, String)>, Value) {
        let deployments = self.deployments.lock().unwrap();
        let agent = seen.header("x-hadron-agent").filter(|_| !self.stock);
        let open = |d: &Deployment| {
            matches!(d.status.as_str(), "IN_PROGRESS" | "DELETE_IN_PROGRESS")
                && d.holder.as_deref().is_none_or(|holder| Some(holder) == agent)
        };
        let shown: Vec<Value> = deployments
            .iter()
            .filter(|(_, deployment)| agent.is_none() || open(deployment))
            .map(|(id, deployment)| summary(id, deployment))
            .collect();
        let headers = agent.map(|_| ("x-hadron-claimable", shown.len().to_string())).into_iter().collect();
        (headers, json!({ "deployments": shown }))
    }

    fn get(&self, id: &str) -> Answer {
        let deployments = self.deployments.lock().unwrap();
        let found = deployments.get(id).ok_or_else(|| (400, "ResourceNotFoundException", id.to_owned()))?;
        let mut deployment = summary(id, found);
        let state = if found.status == "DELETE_IN_PROGRESS" { "initialState" } else { "targetState" };
        deployment[state] = found.state.clone();
        Ok((vec![], json!({ "deployment": deployment })))
    }

    fn tags(&self, arn: &str) -> Answer {
        let deployments = self.deployments.lock().unwrap();
        let id = arn.rsplit('/').next().unwrap();
        let found = deployments.get(id).ok_or_else(|| (400, "ResourceNotFoundException", arn.to_owned()))?;
        let tags: Vec<Value> = found.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        Ok((vec![], json!({ "tags": tags })))
    }

    fn notify(&self, seen: &Seen, input: &Value) -> Answer {
        let mut deployments = self.deployments.lock().unwrap();
        let id = input["deploymentId"].as_str().unwrap();
        let deployment = deployments.get_mut(id).ok_or_else(|| (400, "ResourceNotFoundException", id.to_owned()))?;
        let told = input["status"].as_str().unwrap();
        let mut headers = Vec::new();
        if !self.stock {
            fence(deployment, seen)?;
            headers.push(("x-hadron-epoch", deployment.epoch.to_string()));
            if let Some(url) = &*self.states_at.lock().unwrap() {
                headers.push(("x-hadron-state", format!("{url}/{}", deployment.target)));
            }
            headers.push(("x-hadron-lease-seconds", self.lease_seconds.to_string()));
            headers.extend(self.claim_headers.lock().unwrap().clone());
        }
        if self.revokes && seen.header("x-hadron-epoch").is_some() {
            return Err((400, "AccessDeniedException", "the key is revoked".into()));
        }
        if self.steals && seen.header("x-hadron-epoch").is_none() {
            deployment.epoch += 1;
        }
        if let Some(digest) = seen.header("x-hadron-plan").filter(|_| !self.stock) {
            let summary = seen.header("x-hadron-plan-summary").unwrap_or_default();
            deployment.plan = Some((digest.to_owned(), summary.to_owned()));
            match deployment.decision.as_ref().filter(|(decided, _)| decided == digest) {
                Some((_, answer)) => headers.extend(answer.clone()),
                None => headers.push(("x-hadron-decision", "pending".to_owned())),
            }
        }
        if told != "IN_PROGRESS" {
            let mut late = self.late.lock().unwrap();
            if *late > 0 {
                *late -= 1;
                return Err((403, "InvalidSignatureException", "Signature expired".into()));
            }
            let mut deaf = self.deaf.lock().unwrap();
            if *deaf > 0 {
                *deaf -= 1;
                return Err((500, "InternalServerException", "try again".into()));
            }
            finish(deployment, told, seen, input);
        }
        if !self.stock {
            headers.push(("x-hadron-status", deployment.status.clone()));
        }
        Ok((headers, json!({})))
    }
}

fn fence(deployment: &mut Deployment, seen: &Seen) -> Result<(), (u16, &'static str, String)> {
    let agent = seen.header("x-hadron-agent").map(str::to_owned);
    let conflict = |text: String| Err((400, "ConflictException", text));
    if let Some(epoch) = seen.header("x-hadron-epoch") {
        if epoch != deployment.epoch.to_string() {
            return conflict(format!("epoch {epoch} is stale"));
        }
    } else if let Some(holder) = deployment.holder.as_ref().filter(|holder| Some(*holder) != agent.as_ref()) {
        return conflict(format!("held by {holder}"));
    } else if deployment.holder.is_none() {
        deployment.holder = agent;
        deployment.epoch += 1;
    }
    Ok(())
}

fn finish(deployment: &mut Deployment, told: &str, seen: &Seen, input: &Value) {
    let status = match (deployment.status.as_str(), told) {
        ("CANCELLING", "FAILED") => "CANCELLED",
        ("DELETE_IN_PROGRESS", "SUCCEEDED") => "DELETE_COMPLETE",
        ("DELETE_IN_PROGRESS", _) => "DELETE_FAILED",
        _ => told,
    };
    status.clone_into(&mut deployment.status);
    input["statusMessage"].as_str().unwrap_or_default().clone_into(&mut deployment.message);
    deployment.sensitive = seen.header("x-hadron-sensitive").map(str::to_owned);
    deployment.outputs = input["outputs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|output| (output["key"].as_str().unwrap().into(), output["valueString"].as_str().unwrap().into()))
        .collect();
}

fn summary(id: &str, deployment: &Deployment) -> Value {
    json!({
        "id": id,
        "arn": format!("{SCOPE}:deployment/{id}"),
        "targetArn": format!("{SCOPE}:{}", deployment.target),
        "targetResourceCreatedAt": 1_795_000_000.5,
        "targetResourceType": "ENVIRONMENT",
        "createdAt": 1_795_000_000.5,
        "lastModifiedAt": 1_795_000_000.5,
        "environmentName": deployment.environment,
        "deploymentStatus": deployment.status,
    })
}
