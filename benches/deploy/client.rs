//! A user of a control plane.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_sdk_proton::types::{
    DeploymentStatus, DeploymentUpdateType, S3ObjectSource, TemplateVersionSourceInput, TemplateVersionStatus,
};
use axum::body::Bytes;
use hadron::objects::{ObjectUri, Objects, ObjectsConfig};
use hadron::support::{AwsAccess, Secret};
use hadron_model::hadron::{
    ApproveRunInput, ApproveRunOutput, DescribeRunInput, DescribeRunOutput, Operation, RunStatus,
};

use crate::floor::{copy, terraform};
use crate::support;
use crate::support::plane::Plane;

/// A user of one control plane.
pub(crate) struct Client {
    pub(crate) proton: aws_sdk_proton::Client,
    objects: Objects,
    hadron: hadron::hadron::Client,
    /// Whether plans await this user's approval.
    pub(crate) approves: bool,
    env: BTreeMap<String, String>,
}

impl Client {
    pub(crate) async fn of(plane: &Plane) -> Self {
        let env = plane.exported().clone();
        let credentials = Some((env["AWS_ACCESS_KEY_ID"].clone(), Secret::new(&env["AWS_SECRET_ACCESS_KEY"])));
        let (endpoint, region) = (Some(plane.endpoint().to_owned()), env["AWS_REGION"].clone());
        let access = AwsAccess {
            endpoint: endpoint.clone(),
            region: Some(region.clone()),
            credentials: credentials.clone(),
            trust: None,
        };
        let proton = aws_sdk_proton::Client::new(&access.sdk_config().await);
        let key = credentials.clone().unwrap();
        let hadron = hadron::hadron::Client::new(plane.endpoint(), &region, key, None).unwrap();
        let objects =
            Objects::new(ObjectsConfig { endpoint, region, credentials, path_style: true, trust: None }).await;
        Self { proton, objects, hadron, approves: false, env }
    }

    pub(crate) async fn template(&self, name: &str, bundle: &[u8]) {
        self.objects.create_bucket("templates").await.unwrap();
        let uri = ObjectUri::new("templates", name);
        self.objects.put(&uri, Bytes::copy_from_slice(bundle), "application/gzip").await.unwrap();
        self.proton.create_environment_template().name(name).send().await.unwrap();
        let object = S3ObjectSource::builder().bucket("templates").key(name).build().unwrap();
        let create = self.proton.create_environment_template_version().template_name(name);
        create.source(TemplateVersionSourceInput::S3(object)).send().await.unwrap();
        loop {
            let publish = self.proton.update_environment_template_version().template_name(name).major_version("1");
            if publish.minor_version("0").status(TemplateVersionStatus::Published).send().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn create(&self, template: &str, name: &str) -> String {
        let spec = fs::read_to_string(support::examples().join("offline/environment/spec.yaml")).unwrap();
        let create = self.proton.create_environment().name(name).template_name(template).template_major_version("1");
        let created = create.spec(spec).send().await.unwrap().environment.unwrap();
        created.last_attempted_deployment_id.unwrap()
    }

    /// An environment of the template `many`.
    pub(crate) async fn create_owned(&self, name: String) {
        self.create("many", &name).await;
    }

    /// Creates an environment and waits for it.
    pub(crate) async fn deploy(&self, template: &str, name: &str) -> Duration {
        let began = Instant::now();
        self.create(template, name).await;
        self.done(name).await;
        began.elapsed()
    }

    /// Changes an environment's spec and waits for it.
    pub(crate) async fn update(&self, name: &str, spec: &str) -> Duration {
        let began = Instant::now();
        let update = self.proton.update_environment().name(name).spec(spec);
        update.deployment_type(DeploymentUpdateType::CurrentVersion).send().await.unwrap();
        self.done(name).await;
        began.elapsed()
    }

    /// Waits until an environment is deployed, and lets its plan pass as soon as it is there to be decided on.
    async fn done(&self, name: &str) {
        loop {
            let environment = self.proton.get_environment().name(name).send().await.unwrap().environment.unwrap();
            match environment.deployment_status {
                DeploymentStatus::Succeeded => return,
                DeploymentStatus::InProgress => {}
                other => panic!("{other}: {:?}", environment.deployment_status_message),
            }
            if self.approves
                && let Some(deployment_id) = environment.last_attempted_deployment_id
            {
                self.approve(deployment_id).await;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    async fn approve(&self, deployment_id: String) {
        let input = DescribeRunInput { deployment_id: deployment_id.clone() };
        let Ok(DescribeRunOutput { run }) = self.hadron.call(Operation::DescribeRun, &input).await else { return };
        if let Some(plan_digest) = run.plan_digest.filter(|_| run.status == RunStatus::AwaitingApproval) {
            let input = ApproveRunInput { deployment_id, plan_digest, comment: None };
            self.hadron.call::<_, ApproveRunOutput>(Operation::ApproveRun, &input).await.unwrap();
        }
    }

    /// Creating the environment is the user's; the workflow's time begins when its job does.
    pub(crate) async fn sample_workflow(&self, work: &Path, template: &str, name: &str, state: &str) -> Duration {
        let deployment = self.create(template, name).await;
        let arn = format!("arn:aws:proton:us-east-1:123456789012:environment/{name}");
        let folder = copy(work);
        let began = Instant::now();
        terraform(&folder, state, &["init", "-input=false"]);
        terraform(&folder, state, &["fmt", "-diff", "-check"]);
        terraform(&folder, state, &["plan", "-input=false"]);
        terraform(&folder, state, &["apply", "-auto-approve", "-input=false"]);
        terraform(&folder, state, &["init", "-input=false"]);
        terraform(&folder, state, &["output", "-json"]);
        let mut notify = Command::new(support::tools::Tools::get().bin().join("aws"));
        notify.args(["proton", "notify-resource-deployment-status-change", "--status", "SUCCEEDED"]);
        notify.args(["--resource-arn", &arn, "--deployment-id", &deployment]).envs(&self.env);
        let notified = notify.output().unwrap();
        assert!(notified.status.success(), "{}", String::from_utf8_lossy(&notified.stderr));
        began.elapsed()
    }
}
