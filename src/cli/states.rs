//! States of recorded targets: where the record says that they lie, and what is in them.

use std::collections::BTreeMap;

use anyhow::Context;
use hadron_model::hadron::{
    DescribeStateInput, DescribeStateOutput, GetStateVersionInput, GetStateVersionOutput, Operation, StateAt,
};
use serde::Deserialize;
use serde_json::Value;

use super::Failure;
use super::buckets::Buckets;
use super::remote::{self, Remote};
use crate::domain::proton_outputs;

/// A state as it is today.
pub(super) struct Found {
    pub(super) text: Vec<u8>,
    /// Where it lies, if the control plane doesn't keep it.
    pub(super) at: Option<StateAt>,
}

/// The state of a target: what the control plane keeps, or else what lies where the target was imported from. None where
/// there is none. Whoever has no state in a bucket needs no `buckets`.
///
/// # Errors
/// That it can't be read.
pub(super) async fn find<'b>(
    remote: &Remote,
    buckets: impl FnOnce() -> Result<&'b Buckets, Failure>,
    arn: &str,
) -> Result<Option<Found>, Failure> {
    let input = GetStateVersionInput { target_arn: arn.to_owned(), serial: None, parked: None };
    match remote.hadron.call::<_, GetStateVersionOutput>(Operation::GetStateVersion, &input).await {
        Ok(kept) => return Ok(Some(Found { text: kept.body.into_bytes(), at: None })),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(remote::refused(error)),
    }
    let input = DescribeStateInput { target_arn: arn.to_owned() };
    let known = match remote.hadron.call::<_, DescribeStateOutput>(Operation::DescribeState, &input).await {
        Ok(known) => known.state.at,
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(remote::refused(error)),
    };
    let Some(at) = known else { return Ok(None) };
    let text = buckets()?.read((&at.bucket, &at.key), at.region.as_deref()).await;
    let text = text.with_context(|| format!("reading the state s3://{}/{}", at.bucket, at.key))?;
    Ok(text.map(|text| Found { text, at: Some(at) }))
}

/// What is read of a state.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Contents {
    #[serde(default)]
    pub(super) lineage: String,
    #[serde(default)]
    pub(super) serial: i64,
    #[serde(default)]
    pub(super) outputs: BTreeMap<String, OutputOf>,
    #[serde(default)]
    resources: Vec<ResourceOf>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct OutputOf {
    pub(super) value: Value,
    #[serde(default)]
    pub(super) sensitive: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct ResourceOf {
    #[serde(default)]
    mode: String,
    #[serde(default)]
    instances: Vec<Value>,
}

impl Contents {
    /// Reads a state's text.
    ///
    /// # Errors
    /// It is no state.
    pub(super) fn read(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// How many objects Terraform manages with it.
    pub(super) fn managed(&self) -> usize {
        self.resources.iter().filter(|it| it.mode == "managed").map(|it| it.instances.len()).sum()
    }

    /// An output as Proton's text.
    pub(super) fn output(&self, name: &str) -> Option<String> {
        let value = &self.outputs.get(name)?.value;
        proton_outputs([(name, value, true)]).outputs.pop().map(|output| output.text)
    }
}
