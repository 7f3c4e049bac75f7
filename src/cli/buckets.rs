//! The buckets that hold states, asked as Terraform would ask them here.

use std::collections::BTreeMap;

use anyhow::anyhow;

use super::{Exit, Failure, remote, trust};
use crate::objects::{ObjectUri, Objects, ObjectsConfig, ObjectsError};
use crate::settings::{Resolved, child_environment};
use crate::support::{Secret, Trust};

/// The largest state, in bytes: what the state server takes.
const LARGEST: u64 = 64 << 20;

/// The buckets that hold states, asked as Terraform would ask them here.
pub(super) struct Buckets {
    endpoint: Option<String>,
    /// AWS's own endpoint must be named where the process's environment names Hadron's.
    names_aws: bool,
    credentials: Option<(String, Secret)>,
    region: String,
    trust: Option<Trust>,
    clients: tokio::sync::Mutex<BTreeMap<String, Objects>>,
}

impl Buckets {
    /// The S3 of the setting `state.endpoint`, or Amazon's, with the AWS credentials of this process.
    ///
    /// # Errors
    /// The only AWS credentials here are Hadron's own key.
    pub(super) fn of(settings: &Resolved) -> Result<Self, Failure> {
        let (process, _) = settings.surroundings();
        let (_, (own, _)) = remote::address(settings)?;
        let env = child_environment(settings, std::slice::from_ref(&own));
        let key = env.get("AWS_ACCESS_KEY_ID").zip(env.get("AWS_SECRET_ACCESS_KEY"));
        if key.is_none() && process.get("AWS_ACCESS_KEY_ID") == Some(&own) {
            let words = "the state buckets need AWS credentials, and AWS_ACCESS_KEY_ID is Hadron's own key here";
            return Err(Failure::new(Exit::Settings, anyhow!(words)).hint(
                "leave AWS's variables to AWS: name the server with HADRON_ENDPOINT, HADRON_ACCESS_KEY_ID and \
                 HADRON_SECRET_ACCESS_KEY",
            ));
        }
        // Temporary credentials come with a token, and with that the default chain finds them all.
        let key = key.filter(|_| !env.contains_key("AWS_SESSION_TOKEN"));
        let endpoint = settings.text("state.endpoint");
        Ok(Self {
            names_aws: endpoint.is_none() && process.contains_key("AWS_ENDPOINT_URL"),
            endpoint,
            credentials: key.map(|(id, secret)| (id.clone(), Secret::new(secret))),
            region: settings.value("region")?,
            trust: trust::of(settings)?,
            clients: tokio::sync::Mutex::default(),
        })
    }

    /// The same with another S3 than the settings name.
    pub(super) fn at(mut self, endpoint: Option<String>) -> Self {
        if let Some(endpoint) = endpoint {
            self.names_aws = false;
            self.endpoint = Some(endpoint);
        }
        self
    }

    /// A client for a region; by default the site's.
    pub(super) async fn client(&self, region: Option<&str>) -> Objects {
        let region = region.unwrap_or(&self.region).to_owned();
        let mut clients = self.clients.lock().await;
        if let Some(known) = clients.get(&region) {
            return known.clone();
        }
        let aws = self.names_aws.then(|| format!("https://s3.{region}.amazonaws.com"));
        let client = Objects::new(ObjectsConfig {
            endpoint: self.endpoint.clone().or(aws),
            region: region.clone(),
            credentials: self.credentials.clone(),
            path_style: self.endpoint.is_some(),
            trust: self.trust.clone(),
        });
        clients.entry(region).or_insert(client.await).clone()
    }

    /// A state as it lies there; None where there is none.
    ///
    /// # Errors
    /// [`ObjectsError`].
    pub(super) async fn read(
        &self,
        (bucket, key): (&str, &str),
        region: Option<&str>,
    ) -> Result<Option<Vec<u8>>, ObjectsError> {
        match self.client(region).await.get_limited(&ObjectUri::new(bucket, key), LARGEST).await {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(ObjectsError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
