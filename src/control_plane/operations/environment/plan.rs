//! From an environment's spec to its deployment.

use serde_json::{Map, Value};

use crate::control_plane::deployments::{Begin, Deployments, Inputs, Outcome};
use crate::control_plane::operations::deployment::{bundle_of, refusal, schema_of};
use crate::control_plane::records::{Action, Output, TargetState, Template, TemplateKind, TemplateVersion};
use crate::control_plane::store::{Transaction, Typed};
use crate::control_plane::wire::ProtonError;
use crate::domain::{EnvironmentSpec, Target, environment_inputs};

/// A spec that fits a template's version.
#[derive(Debug)]
pub(super) struct Plan {
    inputs: Map<String, Value>,
    /// The template has no code: the inputs become the outputs.
    customer_managed: bool,
}

impl Plan {
    /// Checks a spec.
    ///
    /// # Errors
    /// `ValidationException` with all problems of the spec.
    pub(super) fn of(
        tx: &mut dyn Transaction,
        engine: &Deployments,
        version: &TemplateVersion,
        spec: &str,
    ) -> Result<Self, ProtonError> {
        let template = Template::key_of(TemplateKind::Environment, &version.template);
        let customer_managed = tx.get::<Template>(&engine.scope, &template)?.is_some_and(|it| it.customer_managed);
        let schema = schema_of(version, customer_managed)?;
        let inputs = EnvironmentSpec::parse(spec, &schema).map_err(refusal)?.inputs;
        Ok(Self { inputs, customer_managed })
    }

    /// Begins the deployment of an environment whose document is in the record; a customer-managed one has succeeded at
    /// once, since its spec is all there is to it.
    ///
    /// <https://docs.aws.amazon.com/proton/latest/userguide/ag-env-customer-managed.html>
    pub(super) fn begin(
        self,
        tx: &mut dyn Transaction,
        engine: &Deployments,
        name: &str,
        action: Action,
        (version, spec): (&TemplateVersion, &str),
    ) -> Result<(), ProtonError> {
        let outputs = self.customer_managed.then(|| given_outputs(&self.inputs));
        let mut deployment = engine.begin(tx, self.deployment(engine, name, action, (version, spec))?)?;
        match outputs {
            Some(outputs) => {
                deployment.outputs = outputs;
                engine.finish(tx, &mut deployment, Outcome::Succeeded, None)
            }
            None => Ok(()),
        }
    }

    /// What is deployed.
    ///
    /// # Errors
    /// `ConflictException` for a version without a bundle.
    pub(super) fn deployment(
        self,
        engine: &Deployments,
        name: &str,
        action: Action,
        (version, spec): (&TemplateVersion, &str),
    ) -> Result<Begin, ProtonError> {
        let template = engine.scope.arn(Template::key_of(TemplateKind::Environment, &version.template));
        Ok(Begin {
            target: Target::Environment { name: name.to_owned() },
            action,
            target_state: TargetState {
                template: Some(version.reference()),
                spec: Some(spec.to_owned()),
                ..TargetState::default()
            },
            bundle: bundle_of(version)?,
            inputs: Inputs {
                document: environment_inputs(&engine.scope, name, &template, self.inputs),
                sealed: Vec::new(),
            },
            uploads: Vec::new(),
        })
    }
}

/// A customer-managed environment's inputs as outputs; its schema knows only strings.
fn given_outputs(inputs: &Map<String, Value>) -> Vec<Output> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let outputs = inputs.iter().map(|(key, value)| Output::Plain { key: key.clone(), value: text(value) });
    outputs.filter(|output| !matches!(output, Output::Plain { value, .. } if value.is_empty())).collect()
}
