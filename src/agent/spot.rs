//! EC2's Spot interruption notice: two minutes ahead the instance metadata tells that the instance will go. It counts as
//! the first signal.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::support::causes;
use crate::support::https::Https;

/// How often AWS recommends to look.
const LOOK: Duration = Duration::from_secs(5);

/// The metadata service is on the same machine.
const ANSWER: Duration = Duration::from_secs(2);

/// Asks `stop` of everybody once the instance is to go.
pub(super) async fn listen(base: Option<String>, stop: CancellationToken) {
    let Some(base) = base else { return };
    let client = match Https::trusting(None, ANSWER) {
        Ok(client) => client,
        Err(error) => return tracing::warn!(error = %causes(&error), "no Spot notice will be heard"),
    };
    let mut complained = false;
    loop {
        match notice(&client, &base).await {
            Ok(Some(notice)) => {
                tracing::warn!("EC2 takes this Spot instance back ({notice}); leaving");
                return stop.cancel();
            }
            Ok(None) => {}
            Err(error) if complained => tracing::debug!(error, "the instance metadata doesn't answer"),
            Err(error) => {
                complained = true;
                tracing::warn!(error, "the instance metadata doesn't answer; a Spot notice would not be heard");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// The notice, if there is one, by IMDSv2.
async fn notice(client: &Https, base: &str) -> Result<Option<String>, String> {
    let token = Request::builder().method(Method::PUT).uri(format!("{base}/latest/api/token"));
    let token = token.header("x-aws-ec2-metadata-token-ttl-seconds", "60");
    let token = ask(client, token).await?.1;
    let look = Request::builder().uri(format!("{base}/latest/meta-data/spot/instance-action"));
    match ask(client, look.header("x-aws-ec2-metadata-token", token.trim())).await? {
        (StatusCode::OK, notice) => Ok(Some(notice)),
        // The usual answer: nothing is to happen.
        (StatusCode::NOT_FOUND, _) => Ok(None),
        (status, text) => Err(format!("{status}: {text}")),
    }
}

async fn ask(client: &Https, request: http::request::Builder) -> Result<(StatusCode, String), String> {
    let request = request.body(Bytes::new()).map_err(|error| error.to_string())?;
    let answer = client.send(request).await.map_err(|error| causes(&error))?;
    Ok((answer.status(), String::from_utf8_lossy(answer.body()).into_owned()))
}
