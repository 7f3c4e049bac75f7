//! The fifth step: files on disk, and the last checks that need no Terraform.

use std::collections::BTreeSet;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::StepError;
use super::claim::Claimed;
use super::context::Context;
use super::locks::TemplateLock;
use super::progress::Stage;
use super::validate::Checked;
use super::workdir::{RunDir, RunRecord};
use crate::domain::{Files, LOCK_FILE, MOST_OUTPUTS, Scope, Target};
use crate::objects::ObjectUri;
use crate::renderer::{self, Metadata, Request};
use crate::terraform::Mode;

/// How long a `CloudFormation` template that is read by URL can be read, in seconds: AWS's own longest for long-lived keys
/// is a week, and a stack is created within hours.
const TEMPLATE_URL_SECONDS: u64 = 6 * 60 * 60;

/// A work directory, ready to be run.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) run_dir: RunDir,
    /// Whether this life of the agent made it; else it came back to it, and Terraform may be at work there.
    pub(super) fresh: bool,
}

/// Renders the bundle and lays the files out.
pub(super) async fn render(context: &Context, claimed: &Claimed, checked: Checked) -> Result<Rendered, StepError> {
    let mut files = rendered_files(context, claimed, &checked).await?;
    refuse_too_many_outputs(&files)?;
    let choices = context.config.environment(&claimed.candidate.environment);
    choices.add_site(&mut files)?;
    let lock = checked.fetched.lock.as_ref().filter(|_| !files.contains_key(LOCK_FILE));
    files.extend(lock.and_then(TemplateLock::file));
    let record = RunRecord {
        candidate: claimed.candidate.clone(),
        attempt: claimed.lease.attempt,
        destroys: checked.fetched.mode == Mode::Destroy,
        bucket: checked.fetched.bucket.clone(),
        started_at: context.config.clock.now(),
        lease: Some(claimed.lease.clone()),
    };
    let run_dir = RunDir::create(&context.config.data, record, &files)?;
    context.runs_here.add(&run_dir);
    if let Some(lock) = lock {
        lock.note(&run_dir)?;
    }
    let count = files.len();
    tracing::info!(deployment.id = %claimed.candidate.id, step = "render", "rendered {count} files");
    context.tell(&claimed.lease, &claimed.target, Stage::Rendered);
    Ok(Rendered { run_dir, fresh: true })
}

pub(super) async fn rendered_files(
    context: &Context,
    claimed: &Claimed,
    checked: &Checked,
) -> Result<Files, StepError> {
    let target = &claimed.target;
    let mut request = Request {
        target,
        arn: &claimed.candidate.target_arn,
        part: checked.part(target)?,
        inputs: &checked.fetched.inputs,
        metadata: metadata(claimed, checked),
        stack_template_url: None,
    };
    let first = renderer::render(&request).map_err(StepError::Bundle)?;
    let Some(template) = first.large_template else { return Ok(first.files) };
    let url = publish(context, claimed, checked, template).await?;
    request.stack_template_url = Some(&url);
    Ok(renderer::render(&request).map_err(StepError::Bundle)?.files)
}

/// `CloudFormation` takes templates above 51,200 bytes by URL only.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
async fn publish(
    context: &Context,
    claimed: &Claimed,
    checked: &Checked,
    template: String,
) -> Result<String, StepError> {
    let digest = hex::encode(Sha256::digest(&template));
    let key = format!("runs/{}/{}/template-{digest}", claimed.candidate.id, claimed.lease.attempt);
    let uri = ObjectUri::new(&checked.fetched.bucket, key);
    let objects = context.objects(&claimed.lease, &claimed.scope).await;
    objects.put(&uri, Bytes::from(template), "application/octet-stream").await?;
    Ok(objects.presigned_get(&uri, TEMPLATE_URL_SECONDS).await?)
}

fn metadata(claimed: &Claimed, checked: &Checked) -> Metadata {
    let fetched = &checked.fetched;
    let state = fetched.deployment.rendered_state(fetched.mode == Mode::Destroy);
    let template = state.and_then(|state| state.template.as_ref());
    let (service, instance) = match &claimed.target {
        Target::ServiceInstance { service, name } => (Some(service.clone()), Some(name.clone())),
        Target::ServicePipeline { service } => (Some(service.clone()), None),
        Target::Component { .. } => state.and_then(|state| state.attached_to.clone()).unzip(),
        Target::Environment { .. } => (None, None),
    };
    let scope = &claimed.scope;
    let environment = Some(&claimed.candidate.environment).filter(|name| !name.is_empty());
    Metadata {
        deployment_id: claimed.candidate.id.clone(),
        template_arn: template.map(|(name, ..)| template_arn(scope, &claimed.target, name)),
        template_version: template.map(|(_, major, minor)| (major.clone(), minor.clone())),
        environment_arn: environment.map(|name| scope.arn(format!("environment/{name}"))),
        service_instance_arn: service
            .clone()
            .zip(instance)
            .map(|(service, name)| Target::ServiceInstance { service, name }.arn(scope)),
        service_arn: service.map(|service| scope.arn(format!("service/{service}"))),
        is_resource_deleted: fetched.mode == Mode::Destroy,
    }
}

fn template_arn(scope: &Scope, target: &Target, name: &str) -> String {
    match target {
        Target::Environment { .. } => scope.arn(format!("environment-template/{name}")),
        _ => scope.arn(format!("service-template/{name}")),
    }
}

/// Proton takes no more than fifty outputs. Found out after the apply that would be a failure with everything built.
fn refuse_too_many_outputs(files: &Files) -> Result<(), StepError> {
    let count = declared_outputs(files).len();
    if count <= MOST_OUTPUTS {
        return Ok(());
    }
    Err(StepError::Outputs(vec![format!(
        "the template declares {count} outputs and Proton takes at most {MOST_OUTPUTS}; join some into one list or map"
    )]))
}

/// The names of the root module's outputs; a file that can't be parsed is Terraform's to complain about.
fn declared_outputs(files: &Files) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (name, bytes) in files.iter().filter(|(name, _)| !name.contains('/')) {
        let text = String::from_utf8_lossy(bytes);
        if name.strip_suffix(".tf").is_some() {
            let body = hcl::parse(&text).unwrap_or_default();
            let outputs = body.blocks().filter(|block| block.identifier() == "output");
            names.extend(outputs.filter_map(|block| block.labels().first()).map(|label| label.as_str().to_owned()));
        } else if name.strip_suffix(".tf.json").is_some() {
            let document: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            names.extend(document["output"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_counted_in_the_root_module_in_both_syntaxes() {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let files = Files::from([
            file("main.tf", "output \"a\" {\n  value = 1\n}\noutput \"b\" {\n  value = { x = 1 }\n}\n"),
            file("more.tf.json", r#"{"output": {"c": {"value": 1}}}"#),
            file("modules/m/main.tf", "output \"inner\" {\n  value = 1\n}\n"),
            file("broken.tf", "output {{{"),
        ]);
        assert_eq!(declared_outputs(&files).into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn fifty_one_outputs_are_refused_before_anything_is_applied() {
        let output = |n| format!("output \"o{n}\" {{\n  value = 1\n}}\n");
        let text = |count: usize| (0..count).map(output).collect::<Vec<_>>().concat();
        let files = |count| Files::from([("main.tf".to_owned(), text(count).into_bytes())]);
        assert!(refuse_too_many_outputs(&files(50)).is_ok());
        let error = refuse_too_many_outputs(&files(51)).unwrap_err();
        assert!(error.to_string().contains("51 outputs"), "{error}");
    }
}
