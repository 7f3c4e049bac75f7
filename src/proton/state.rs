//! The state server, as an agent may ask it besides what Terraform asks: proving by the lock that nobody is at work,
//! pushing what Terraform couldn't, blocking a target, reading what operators want adopted.
//!
//! The protocol is that of Terraform's http backend (<https://developer.hashicorp.com/terraform/language/backend/http>),
//! and two addresses beside it for what that has no words for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response};
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Lease, Proton, ProtonError};
use crate::support::causes;
use crate::support::credential::basic;
use crate::support::https::{HttpError, Https};

/// The state of one target, asked as one run.
#[derive(Debug, Clone)]
pub struct StateDoor {
    client: Https,
    url: String,
    basic: String,
}

/// The answer to LOCK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locked {
    /// It is ours: nobody else works on the state, and nobody will until it is given back.
    Granted,
    /// Somebody has it.
    Held {
        /// The lock's id.
        id: String,
        /// Who has it, in the server's words.
        told: String,
    },
}

/// What keeps a target from being touched until an operator has looked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// In words.
    pub reason: String,
    /// What may exist without being in the state.
    pub suspects: Vec<BlockSuspect>,
    /// A state that couldn't be pushed, to be kept until it was decided on. Terraform's text.
    pub state: Option<String>,
}

/// One object that may exist without being in the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockSuspect {
    /// Where it would belong.
    pub address: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The provider's identifier of it, if that is known.
    pub id: Option<String>,
    /// Why it may exist.
    pub why: String,
}

/// An object that an operator wants in the state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Adoption {
    /// Its address.
    pub address: String,
    /// What `terraform import` takes for its id.
    pub id: String,
    /// Whether a blocked state asked for it: it may then take the place of what the state holds at the address. A server
    /// that doesn't tell is an earlier one.
    #[serde(default = "asked")]
    pub asked: bool,
}

fn asked() -> bool {
    true
}

impl Proton {
    /// The state server's door for a run: the user is `<deployment>.<epoch>`. None where the endpoint keeps no state.
    ///
    /// # Errors
    /// [`ProtonError::NoCredentials`], or certificates that can't be read.
    pub async fn state_door(&self, lease: &Lease, username: &str) -> Result<Option<StateDoor>, ProtonError> {
        let Some(url) = lease.state.clone() else { return Ok(None) };
        let password = self.password(&url, username).await?;
        let basic = basic(username, &password);
        let client = self.https().map_err(|error| unreachable(&error))?;
        Ok(Some(StateDoor { client, url, basic }))
    }
}

impl StateDoor {
    /// Asks for the lock under an id of the caller's own; the same id again is the same lock.
    ///
    /// # Errors
    /// [`ProtonError::Conflict`] when this run may not lock, or nobody may because the target is blocked.
    pub async fn lock(&self, id: &str, who: &str) -> Result<Locked, ProtonError> {
        let info = json!({
            "ID": id, "Operation": "OperationTypeInvalid", "Who": who, "Info": "making sure that an earlier run is over",
        });
        let answer = self.ask(method("LOCK"), &self.url, json_body(&info)).await?;
        if answer.status().as_u16() != 423 {
            return taken(&answer).map(|()| Locked::Granted);
        }
        let told: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let word = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        let reason = Some(word("reason")).filter(|reason| !reason.is_empty()).unwrap_or_else(|| word("Who"));
        Ok(Locked::Held { id: word("ID"), told: reason })
    }

    /// Gives a lock back; one that is free is no error.
    ///
    /// # Errors
    /// [`ProtonError::Conflict`] when it is somebody else's.
    pub async fn unlock(&self, id: &str) -> Result<(), ProtonError> {
        taken(&self.ask(method("UNLOCK"), &self.url, json_body(&json!({ "ID": id }))).await?)
    }

    /// Makes a state the current one, under a lock that this run holds.
    ///
    /// # Errors
    /// [`ProtonError::Conflict`] when the lock is somebody else's, or the state belongs to another history or an older one.
    pub async fn post(&self, lock_id: &str, state: &[u8]) -> Result<(), ProtonError> {
        let id: String = form_urlencoded::byte_serialize(lock_id.as_bytes()).collect();
        let url = format!("{}?ID={id}", self.url);
        taken(&self.ask(Method::POST, &url, Bytes::copy_from_slice(state)).await?)
    }

    /// The current state; empty where there is none.
    ///
    /// # Errors
    /// [`ProtonError`].
    pub async fn get(&self) -> Result<Bytes, ProtonError> {
        let answer = self.ask(Method::GET, &self.url, Bytes::new()).await?;
        // A server of another make answers 404 where there is no state, as Terraform expects.
        if answer.status().as_u16() == 404 {
            return Ok(Bytes::new());
        }
        taken(&answer).map(|()| answer.into_body())
    }

    /// Keeps everybody from the target until an operator has decided; the answer is the commands that do, the recommended
    /// one first.
    ///
    /// # Errors
    /// [`ProtonError::NotFound`] where the server doesn't know blocks.
    pub async fn block(&self, block: &Block) -> Result<Vec<String>, ProtonError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            commands: Vec<String>,
        }
        let body = serde_json::to_vec(block).expect("a block can be written").into();
        let answer = self.ask(Method::POST, &self.blocks()?, body).await?;
        taken(&answer)?;
        let Answer { commands } = read(&answer)?;
        Ok(commands)
    }

    /// What operators want adopted by the run that asks.
    ///
    /// # Errors
    /// [`ProtonError`].
    pub async fn adoptions(&self) -> Result<Vec<Adoption>, ProtonError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            adopt: Vec<Adoption>,
        }
        let answer = self.ask(Method::GET, &self.blocks()?, Bytes::new()).await?;
        taken(&answer)?;
        let Answer { adopt } = read(&answer)?;
        Ok(adopt)
    }

    fn blocks(&self) -> Result<String, ProtonError> {
        let (base, target) = self.url.split_once("/_hadron/state/").ok_or_else(|| ProtonError::NotFound {
            message: format!("{} has no address for blocks beside it", self.url),
        })?;
        Ok(format!("{base}/_hadron/blocks/{target}"))
    }

    async fn ask(&self, method: Method, url: &str, body: Bytes) -> Result<Response<Bytes>, ProtonError> {
        let mut request = Request::builder().method(method).uri(url).header(AUTHORIZATION, &self.basic);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
            request = request.header("content-md5", STANDARD.encode(Md5::digest(&body)));
        }
        let request = request.body(body).map_err(|error| ProtonError::nonsense(format!("state URL: {error}")))?;
        self.client.send(request).await.map_err(|error| unreachable(&error))
    }
}

fn method(name: &'static str) -> Method {
    Method::from_bytes(name.as_bytes()).expect("a plain word is a method")
}

fn json_body(value: &Value) -> Bytes {
    value.to_string().into()
}

fn unreachable(error: &HttpError) -> ProtonError {
    ProtonError::Unreachable { cause: causes(error) }
}

fn read<T: serde::de::DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, ProtonError> {
    serde_json::from_slice(answer.body()).map_err(|error| ProtonError::nonsense(format!("the state server: {error}")))
}

/// What an answer's status means.
fn taken(answer: &Response<Bytes>) -> Result<(), ProtonError> {
    let status = answer.status().as_u16();
    let told: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let message = told["reason"].as_str().map_or_else(|| "the state server".to_owned(), str::to_owned);
    match status {
        200..=299 => Ok(()),
        401 | 403 => Err(ProtonError::Denied { code: status.to_string(), message }),
        404 => Err(ProtonError::NotFound { message }),
        409 | 423 => Err(ProtonError::Conflict { message }),
        400..=499 => Err(ProtonError::Refused { code: status.to_string(), message }),
        _ => Err(ProtonError::Busy { code: status.to_string(), message }),
    }
}
