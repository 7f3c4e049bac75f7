//! States where AWS's sample workflow has kept them: copied, asked for outputs, and those that nobody owns any more.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use hadron_model::hadron::{
    DescribeStateInput, DescribeStateOutput, Operation, PushStateInput, PushStateOutput, State,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::apply::Summary;
use crate::cli::Failure;
use crate::cli::buckets::Buckets;
use crate::cli::states::Contents;
use crate::domain::proton_outputs;
use crate::estate::{Estate, Rebuilt, StateAt};
use crate::hadron::{Client, HadronError};
use crate::objects::{ObjectUri, ObjectsError};
use crate::settings::Resolved;

/// How many states are read at once.
const AT_ONCE: usize = 8;

/// Copies the states of an estate into the state server, byte for byte, so that lineage and serial are kept.
///
/// # Errors
/// The server isn't there. What can't be copied is in the summary.
pub(super) async fn copy(
    settings: &Resolved,
    client: &Client,
    estate: &Rebuilt,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let buckets = Buckets::of(settings)?;
    let left_out: BTreeSet<String> = summary.refused.iter().map(|it| it.arn.clone()).collect();
    let states = states(estate).into_iter().filter(|(arn, _)| !left_out.contains(*arn));
    let copies = states.map(|(arn, at)| {
        let buckets = &buckets;
        async move { (arn, copy_one(buckets, client, arn, at).await) }
    });
    let mut copies = futures::stream::iter(copies).buffer_unordered(AT_ONCE);
    while let Some((arn, copied)) = copies.next().await {
        match copied {
            Ok(()) => summary.copied.push(arn.to_owned()),
            Err(why) => summary.refuse(arn, format!("its state wasn't copied: {why}")),
        }
    }
    summary.copied.sort();
    Ok(())
}

async fn read_at(buckets: &Buckets, at: &StateAt) -> Result<Option<Vec<u8>>, ObjectsError> {
    buckets.read((&at.bucket, &at.key), at.region.as_deref()).await
}

async fn copy_one(buckets: &Buckets, client: &Client, arn: &str, at: &StateAt) -> Result<(), String> {
    let address = format!("s3://{}/{}", at.bucket, at.key);
    let text = read_at(buckets, at).await.map_err(|error| error.to_string())?;
    let text = text.ok_or_else(|| format!("there is none at {address}"))?;
    let contents = Contents::read(&text).map_err(|error| format!("{address} is no state: {error}"))?;
    let body = String::from_utf8(text).map_err(|error| format!("{address} is no text: {error}"))?;
    if is_there(client, arn, &contents).await.map_err(|error| error.to_string())? {
        return Ok(());
    }
    let input = PushStateInput {
        target_arn: arn.to_owned(),
        body: Some(body),
        force: None,
        parked: None,
        none: None,
        moves: Some(true),
    };
    let pushed: Result<PushStateOutput, HadronError> = client.call(Operation::PushState, &input).await;
    pushed.map(drop).map_err(|error| error.to_string())
}

/// Whether the server has this state, or one that has gone on from it.
async fn is_there(client: &Client, arn: &str, contents: &Contents) -> Result<bool, HadronError> {
    let input = DescribeStateInput { target_arn: arn.to_owned() };
    let answer: Result<DescribeStateOutput, HadronError> = client.call(Operation::DescribeState, &input).await;
    match answer {
        Ok(DescribeStateOutput { state: State { lineage, serial, .. } }) => {
            Ok(lineage == contents.lineage && serial > contents.serial)
        }
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Every target with a state, in the order of the estate.
fn states(estate: &Rebuilt) -> Vec<(&String, &StateAt)> {
    let environments = estate.environments.iter().map(|it| (&it.arn, it.state.as_ref()));
    let services = estate.services.iter().flat_map(|service| {
        let instances = service.instances.iter().map(|it| (&it.arn, it.state.as_ref()));
        instances.chain(service.pipeline.iter().map(|it| (&it.arn, it.state.as_ref())))
    });
    let components = estate.components.iter().map(|it| (&it.arn, it.state.as_ref()));
    environments.chain(services).chain(components).filter_map(|(arn, at)| Some((arn, at?))).collect()
}

/// Reads outputs that nothing told out of the states: of environments, instances and components. Sensitive ones stay where
/// they are: the record would show them to everybody. What couldn't be read is told, with the ARN.
///
/// # Errors
/// There are no AWS credentials to ask with.
pub(in crate::cli) async fn outputs(settings: &Resolved, rebuilt: &mut [Rebuilt]) -> Result<Vec<String>, Failure> {
    let buckets = Buckets::of(settings)?;
    let mut troubles = Vec::new();
    for estate in rebuilt {
        let environments = estate.environments.iter_mut().map(|it| (&it.arn, it.state.as_ref(), &mut it.outputs));
        let instances = estate.services.iter_mut().flat_map(|it| &mut it.instances);
        let instances = instances.map(|it| (&it.arn, it.state.as_ref(), &mut it.outputs));
        let components = estate.components.iter_mut().map(|it| (&it.arn, it.state.as_ref(), &mut it.outputs));
        for (arn, at, outputs) in environments.chain(instances).chain(components) {
            let (Some(at), None) = (at, &outputs) else { continue };
            match read_at(&buckets, at).await.map_err(|error| error.to_string()).and_then(read_outputs) {
                Ok(found) => *outputs = found,
                Err(why) => troubles.push(format!("{arn}: its outputs can't be read: {why}")),
            }
        }
    }
    Ok(troubles)
}

fn read_outputs(text: Option<Vec<u8>>) -> Result<Option<Map<String, Value>>, String> {
    let Some(text) = text else { return Ok(None) };
    let contents = Contents::read(&text).map_err(|error| error.to_string())?;
    let plain = contents.outputs.iter().filter(|(_, output)| !output.sensitive);
    let values = proton_outputs(plain.map(|(name, output)| (name.as_str(), &output.value, false)));
    Ok(Some(values.outputs.into_iter().map(|it| (it.key, Value::from(it.text))).collect()))
}

/// A state that holds resources and belongs to nobody: an unmerged delete request has left it running, or somebody else
/// keeps states in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Orphan {
    pub(in crate::cli) bucket: String,
    pub(in crate::cli) key: String,
    /// How many objects Terraform manages with it.
    pub(in crate::cli) resources: usize,
}

/// Looks through every state bucket that the repositories name. What couldn't be read is told.
///
/// # Errors
/// There are no AWS credentials to ask with.
pub(in crate::cli) async fn orphans(
    settings: &Resolved,
    estate: &Estate,
    rebuilt: &[Rebuilt],
) -> Result<(Vec<Orphan>, Vec<String>), Failure> {
    let buckets = Buckets::of(settings)?;
    let live: Vec<&StateAt> = rebuilt.iter().flat_map(states).map(|(_, at)| at).collect();
    let owned: BTreeSet<(&str, &str)> = live.iter().map(|at| (at.bucket.as_str(), at.key.as_str())).collect();
    let mut named: BTreeMap<&str, Option<&str>> =
        live.iter().map(|at| (at.bucket.as_str(), at.region.as_deref())).collect();
    for entry in estate.configs.iter().flat_map(|config| config.entries.values()) {
        if let Some(bucket) = &entry.state_bucket {
            named.entry(bucket).or_insert(entry.region.as_deref());
        }
    }
    let (mut orphans, mut troubles) = (Vec::new(), Vec::new());
    for (bucket, region) in named {
        let listed = buckets.client(region).await.list(&ObjectUri::new(bucket, ""), None).await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => {
                troubles.push(error.to_string());
                continue;
            }
        };
        let states = listed.into_iter().filter(|it| it.key.ends_with("terraform.tfstate"));
        for key in states.map(|it| it.key).filter(|key| !owned.contains(&(bucket, key.as_str()))) {
            let text = buckets.read((bucket, &key), region).await.map_err(|error| error.to_string());
            let contents =
                text.and_then(|text| Contents::read(&text.unwrap_or_default()).map_err(|error| error.to_string()));
            match contents.map(|contents| contents.managed()) {
                Ok(0) => {}
                Ok(resources) => orphans.push(Orphan { bucket: bucket.to_owned(), key, resources }),
                Err(why) => troubles.push(format!("s3://{bucket}/{key}: {why}")),
            }
        }
    }
    Ok((orphans, troubles))
}
