//! ECS's task scale-in protection, held while a run is at work: a service that shrinks takes another task then.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html>

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use serde_json::json;
use tokio::sync::watch;

use crate::support::causes;
use crate::support::https::{HttpError, Https};

/// How long one request protects, in minutes. An agent that dies must not keep its task for ever.
const PROTECTED_MINUTES: u32 = 60;

/// How often the protection is renewed.
const RENEW: Duration = Duration::from_mins(20);

/// How soon a request is repeated that wasn't heard.
const AGAIN: Duration = Duration::from_secs(10);

/// ECS's agent is on the same machine.
const ANSWER: Duration = Duration::from_secs(5);

/// Keeps the protection as the agent's work needs it, for as long as this is polled.
pub(super) async fn hold(base: Option<String>, under_way: watch::Receiver<usize>, waiting: watch::Receiver<usize>) {
    let Some(base) = base else { return };
    let agent = match Https::trusting(None, ANSWER) {
        Ok(client) => EcsAgent { client, address: format!("{base}/task-protection/v1/state") },
        Err(error) => return tracing::warn!(error = %causes(&error), "the task isn't protected from scale-in"),
    };
    let (mut under_way, mut waiting) = (under_way, waiting);
    let mut held = false;
    loop {
        // Who waits for people has nothing at work: any later life can go on waiting.
        let busy = *under_way.borrow_and_update() > *waiting.borrow_and_update();
        let mut rest = RENEW;
        if busy || held {
            match agent.protect(busy).await {
                Ok(()) => held = busy,
                Err(error) => {
                    tracing::warn!(%error, "ECS didn't take the task's scale-in protection; trying on");
                    rest = AGAIN;
                }
            }
        }
        tokio::select! {
            changed = under_way.changed() => if changed.is_err() { return },
            changed = waiting.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(rest), if held || rest == AGAIN => {}
        }
    }
}

struct EcsAgent {
    client: Https,
    address: String,
}

impl EcsAgent {
    async fn protect(&self, busy: bool) -> Result<(), String> {
        let body = match busy {
            true => json!({ "ProtectionEnabled": true, "ExpiresInMinutes": PROTECTED_MINUTES }),
            false => json!({ "ProtectionEnabled": false }),
        };
        let request = Request::builder().method(Method::PUT).uri(&self.address);
        let request = request.header("content-type", "application/json").body(Bytes::from(body.to_string()));
        let request = request.map_err(|error| error.to_string())?;
        let answer = self.client.send(request).await.map_err(|error: HttpError| causes(&error))?;
        // A refusal is answered with 200 as well, and names itself.
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let refused = serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|it| it.get("protection").is_none());
        if answer.status().is_success() && !refused { Ok(()) } else { Err(format!("{}: {text}", answer.status())) }
    }
}
