//! What a control plane is told: templates and resources under their original names, ids and ARNs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::model::{Place, VersionRef};
use crate::domain::{BundleKind, Files, Scope, has_pipeline};

/// Everything of one account and region, in the order in which it can be registered.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// Account and region of the ARNs.
    pub scope: Scope,
    /// Templates with all versions that anything used.
    pub templates: Vec<RebuiltTemplate>,
    /// Live environments.
    pub environments: Vec<RebuiltEnvironment>,
    /// Live services, with their instances and pipeline.
    pub services: Vec<RebuiltService>,
    /// Live components.
    pub components: Vec<RebuiltComponent>,
    /// What no repository says and a dump or a template's registration file does, by ARN; versions by theirs
    /// (`…:service-template/t:1.0`). Nothing here is needed to register a resource.
    pub told: BTreeMap<String, Told>,
}

/// What is known of a template, version or resource beside what Proton rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// `displayName` of a template.
    pub display_name: Option<String>,
    /// `description` of anything.
    pub description: Option<String>,
    /// `status` of a version: `DRAFT` or `PUBLISHED`.
    pub status: Option<String>,
    /// `recommendedVersion` of a template.
    pub recommended_version: Option<(u32, u32)>,
    /// `recommendedMinorVersion` by major version, of a template.
    pub recommended_minors: BTreeMap<u32, u32>,
    /// Environment templates that a service template's version goes with: name and major version. Those that its
    /// instances run with are always here.
    pub compatible_environments: BTreeSet<(String, u32)>,
    /// `supportedComponentSources` of a service template's version; `DIRECTLY_DEFINED` where a component is attached to one
    /// of its instances.
    pub supported_component_sources: BTreeSet<String>,
}

/// An environment or service template.
#[derive(Debug, Clone)]
pub struct RebuiltTemplate {
    /// Name, as in the ARN.
    pub name: String,
    /// Of environments or services.
    pub kind: BundleKind,
    /// Versions by (major, minor), ascending.
    pub versions: Vec<RebuiltVersion>,
}

impl RebuiltTemplate {
    /// Whether its pipeline is `CUSTOMER_MANAGED`: a service template none of whose versions has a pipeline's code.
    pub fn customer_managed_pipeline(&self) -> bool {
        self.kind == BundleKind::Service && !self.versions.iter().any(|version| has_pipeline(&version.files))
    }
}

/// A version and its bundle.
#[derive(Debug, Clone)]
pub struct RebuiltVersion {
    /// Major version.
    pub major: u32,
    /// Minor version.
    pub minor: u32,
    /// The bundle's files; what `domain::check_bundle` accepts.
    pub files: Files,
    /// Where they come from.
    pub origin: Origin,
}

/// Where a bundle comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A team's template repository: rendered, it gives the bytes that Proton wrote.
    Repository(Place),
    /// Taken together from what Proton rendered; each guess is also a comment in the schema.
    Inferred(Vec<Guess>),
}

/// What had to be guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The input, or file, that it is about.
    pub about: String,
    /// What was guessed and from what.
    pub why: String,
}

/// Where a target's state lies today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateAt {
    /// Bucket of the sample workflow.
    pub bucket: String,
    /// Key, the sample workflow's missing slash for pipelines included.
    pub key: String,
    /// The bucket's region.
    pub region: Option<String>,
    /// Role that could read it.
    pub role: Option<String>,
}

/// An environment as it stood.
#[derive(Debug, Clone)]
pub struct RebuiltEnvironment {
    /// The directory.
    pub place: Place,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: VersionRef,
    /// The last deployment.
    pub deployment_id: Option<String>,
    /// Spec, YAML.
    pub spec: String,
    /// Account that it lies in, which another resource's values tell.
    pub account_id: Option<String>,
    /// Outputs, which the values of instances, pipelines and components tell; `None` where nothing told them.
    pub outputs: Option<Map<String, Value>>,
    /// Its state.
    pub state: Option<StateAt>,
}

/// A service.
#[derive(Debug, Clone)]
pub struct RebuiltService {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The template's name.
    pub template: String,
    /// Spec with all instances, YAML.
    pub spec: String,
    /// Branch of the service's code; empty without a pipeline.
    pub branch_name: String,
    /// Connection; empty without a pipeline.
    pub repository_connection_arn: String,
    /// Repository; empty without a pipeline.
    pub repository_id: String,
    /// Instances in the order of their names.
    pub instances: Vec<RebuiltInstance>,
    /// The pipeline, if its directory was found.
    pub pipeline: Option<RebuiltPipeline>,
}

/// A service instance.
#[derive(Debug, Clone)]
pub struct RebuiltInstance {
    /// The directory.
    pub place: Place,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Name of its environment.
    pub environment: String,
    /// Its version.
    pub version: VersionRef,
    /// The last deployment.
    pub deployment_id: Option<String>,
    /// The service's spec as this instance was deployed with it, YAML.
    pub spec: String,
    /// Inputs as deployed.
    pub inputs: Map<String, Value>,
    /// Outputs, which a pipeline's values tell; `None` where nothing told them.
    pub outputs: Option<Map<String, Value>>,
    /// Its state.
    pub state: Option<StateAt>,
}

/// A service's pipeline.
#[derive(Debug, Clone)]
pub struct RebuiltPipeline {
    /// The directory.
    pub place: Place,
    /// Its ARN.
    pub arn: String,
    /// Its version.
    pub version: VersionRef,
    /// The last deployment.
    pub deployment_id: Option<String>,
    /// Spec, YAML.
    pub spec: String,
    /// Its state.
    pub state: Option<StateAt>,
}

/// A component.
#[derive(Debug, Clone)]
pub struct RebuiltComponent {
    /// The directory.
    pub place: Place,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Name of its environment.
    pub environment: String,
    /// Service and instance that it is attached to.
    pub attached: Option<(String, String)>,
    /// `manifest.yaml` of the component.
    pub manifest: String,
    /// Its one template file.
    pub template_file: String,
    /// The `serviceSpec` that gives an attached component its inputs, YAML.
    pub service_spec: Option<String>,
    /// The last deployment.
    pub deployment_id: Option<String>,
    /// Outputs, which the instance's values tell; `None` where nothing told them.
    pub outputs: Option<Map<String, Value>>,
    /// Its state.
    pub state: Option<StateAt>,
}
