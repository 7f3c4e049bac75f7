//! A service's spec with one part of it as another spec has it.

use serde_json::{Map, Value, json};

use super::{InstanceSpec, SPEC, ServiceSpec};
use crate::domain::{Problem, Problems};

impl ServiceSpec {
    /// `text` with the instance `name` as another text has it, added if it isn't there. Where that changes nothing the
    /// text stays as its author wrote it, and where the other text says all of it, that one is taken as its author wrote
    /// it; else it is written anew, JSON as JSON and everything else as YAML.
    ///
    /// # Errors
    /// Either text isn't a service's spec, or the other has no such instance.
    pub fn with_instance_of(text: &str, name: &str, other_text: &str) -> Result<String, Problems> {
        let (spec, other) = (Self::parse(text)?, Self::parse(other_text)?);
        let Some(new) = other.instance(name) else {
            return Err(Problem::of(SPEC, format!("there is no instance `{name}`"), "").into());
        };
        if spec.instance(name).is_some_and(|old| same(old, new)) {
            return Ok(text.to_owned());
        }
        let mut instances: Vec<&InstanceSpec> = spec.instances.iter().collect();
        match instances.iter_mut().find(|old| old.name == name) {
            Some(place) => *place = new,
            None => instances.push(new),
        }
        if other.is(spec.pipeline.as_ref(), &instances) {
            return Ok(other_text.to_owned());
        }
        Ok(write(text, spec.pipeline.as_ref(), &instances))
    }

    /// `text` with the pipeline's inputs as another text has them; see [`Self::with_instance_of`].
    ///
    /// # Errors
    /// Either text isn't a service's spec.
    pub fn with_pipeline_of(text: &str, other_text: &str) -> Result<String, Problems> {
        let (spec, other) = (Self::parse(text)?, Self::parse(other_text)?);
        if spec.pipeline == other.pipeline {
            return Ok(text.to_owned());
        }
        let instances: Vec<&InstanceSpec> = spec.instances.iter().collect();
        if other.is(other.pipeline.as_ref(), &instances) {
            return Ok(other_text.to_owned());
        }
        Ok(write(text, other.pipeline.as_ref(), &instances))
    }

    /// Whether this spec says exactly that.
    fn is(&self, pipeline: Option<&Map<String, Value>>, instances: &[&InstanceSpec]) -> bool {
        self.pipeline.as_ref() == pipeline
            && self.instances.len() == instances.len()
            && self.instances.iter().zip(instances).all(|(own, given)| same(own, given))
    }
}

fn same(one: &InstanceSpec, other: &InstanceSpec) -> bool {
    one.name == other.name && one.environment == other.environment && one.spec == other.spec
}

fn write(like: &str, pipeline: Option<&Map<String, Value>>, instances: &[&InstanceSpec]) -> String {
    if like.trim_start().starts_with('{') { json_text(pipeline, instances) } else { yaml_text(pipeline, instances) }
}

fn json_text(pipeline: Option<&Map<String, Value>>, instances: &[&InstanceSpec]) -> String {
    let instances: Vec<Value> =
        instances.iter().map(|it| json!({ "name": it.name, "environment": it.environment, "spec": it.spec })).collect();
    let document = match pipeline {
        Some(pipeline) => json!({ "proton": "ServiceSpec", "pipeline": pipeline, "instances": instances }),
        None => json!({ "proton": "ServiceSpec", "instances": instances }),
    };
    format!("{document:#}")
}

/// The frame in YAML's own style; every value as JSON on its line, which is YAML in any surroundings.
fn yaml_text(pipeline: Option<&Map<String, Value>>, instances: &[&InstanceSpec]) -> String {
    let instances = instances.iter().map(|it| (it.name.as_str(), it.environment.as_str(), &it.spec));
    ServiceSpec::text(pipeline, instances)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "# ours\nproton: ServiceSpec\npipeline:\n  repo: r\ninstances:\n  - name: dev\n    environment: e1\n    spec: {port: 80, tags: [a, b]}\n  - name: prod\n    environment: e2\n";

    #[test]
    fn a_changed_instance_is_taken_over_and_the_rest_stays() {
        let other = "proton: ServiceSpec\ninstances:\n  - {name: dev, environment: e1, spec: {port: 81, on: true}}\n";
        let merged = ServiceSpec::with_instance_of(SERVICE, "dev", other).unwrap();
        insta::assert_snapshot!(merged, @r#"
        proton: ServiceSpec
        pipeline:
          repo: "r"
        instances:
          - name: "dev"
            environment: "e1"
            spec:
              port: 81
              "on": true
          - name: "prod"
            environment: "e2"
            spec: {}
        "#);
        let again = ServiceSpec::parse(&merged).unwrap();
        assert_eq!(again.instance("dev").unwrap().spec["port"], 81);
        assert_eq!(again.pipeline, ServiceSpec::parse(SERVICE).unwrap().pipeline);
    }

    #[test]
    fn what_changes_nothing_leaves_the_text_alone() {
        assert_eq!(ServiceSpec::with_instance_of(SERVICE, "dev", SERVICE).unwrap(), SERVICE);
        assert_eq!(ServiceSpec::with_pipeline_of(SERVICE, SERVICE).unwrap(), SERVICE);
    }

    #[test]
    fn a_text_that_says_all_of_it_is_taken_as_its_author_wrote_it() {
        let edited = SERVICE.replace("port: 80", "port: 81").replace("# ours", "# ours, raised");
        assert_eq!(ServiceSpec::with_instance_of(SERVICE, "dev", &edited).unwrap(), edited);
        let both = edited.replace("environment: e2", "environment: e3");
        let merged = ServiceSpec::with_instance_of(SERVICE, "dev", &both).unwrap();
        assert_eq!(ServiceSpec::parse(&merged).unwrap().instance("prod").unwrap().environment, "e2");
        let piped = SERVICE.replace("repo: r", "repo: s # moved");
        assert_eq!(ServiceSpec::with_pipeline_of(SERVICE, &piped).unwrap(), piped);
    }

    #[test]
    fn a_new_instance_is_added_and_json_stays_json() {
        let json = r#"{"proton":"ServiceSpec","instances":[]}"#;
        let merged = ServiceSpec::with_instance_of(json, "prod", SERVICE).unwrap();
        let value: Value = serde_json::from_str(&merged).unwrap();
        assert_eq!(value["instances"][0]["name"], "prod");
    }
}
