//! A signed POST for each event.

use async_trait::async_trait;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, header};
use sha2::Sha256;

use super::{Outcome, Sink, judge};
use crate::control_plane::events::outbox::Letter;
use crate::support::https::Https;
use crate::support::{Clock, Secret};

/// An HTTP address, and the secret that it shares with us.
pub(super) struct Webhook {
    https: Https,
    url: Secret,
    secret: Secret,
    clock: Clock,
}

impl Webhook {
    pub(super) fn new(https: Https, url: Secret, secret: Secret) -> Self {
        // The signature's time is the real one, whatever the record's clock says: the receiver compares it with its own.
        Self { https, url, secret, clock: Clock::system() }
    }

    fn request(&self, letter: &Letter) -> Result<Request<Bytes>, String> {
        let body = serde_json::to_vec(&letter.event).map_err(|error| error.to_string())?;
        let timestamp = (self.clock.now() / 1000).to_string();
        let signature = format!("v1={}", sign(&self.secret, &timestamp, &body));
        Request::post(self.url.reveal())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("hadron/", env!("CARGO_PKG_VERSION")))
            .header("x-hadron-event-id", &letter.event.id)
            .header("x-hadron-timestamp", timestamp)
            .header("x-hadron-signature", signature)
            .body(Bytes::from(body))
            .map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Sink for Webhook {
    async fn deliver(&self, letters: &[&Letter]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for letter in letters {
            outcomes.push(match self.request(letter) {
                Ok(request) => judge(self.https.send(request).await),
                Err(why) => Outcome::never(why),
            });
        }
        outcomes
    }
}

/// HMAC-SHA256 over `timestamp.body`, in lower-case hexadecimal. The time is signed too, so that an old delivery can't be
/// sent again by someone else.
fn sign(secret: &Secret, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_python_computes() {
        // python3 -c 'import hmac; print(hmac.new(b"hush", b"1700000000.{}", "sha256").hexdigest())'
        let signature = sign(&Secret::new("hush"), "1700000000", b"{}");
        assert_eq!(signature, "763081ea12e3b1f903f958994c023cde07f1224b02a538ad6f959112a2f780ba");
    }
}
