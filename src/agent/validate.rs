//! The fourth step: everything about the bundle that can be known without running it, all problems at once.

use super::StepError;
use super::claim::Claimed;
use super::fetch::Fetched;
use crate::domain::{Bundle, BundleKind, Part, Problems, Target, check_bundle, unpack};

/// A deployment whose bundle is sound.
pub(super) struct Checked {
    pub(super) fetched: Fetched,
    bundle: Bundle,
}

impl Checked {
    /// The part of the bundle that provisions the target.
    pub(super) fn part(&self, target: &Target) -> Result<&Part, StepError> {
        self.bundle.part_for(target).ok_or_else(|| StepError::NoPart(target.to_string()))
    }
}

/// Unpacks and checks the bundle.
pub(super) fn validate(claimed: &Claimed, fetched: Fetched) -> Result<Checked, StepError> {
    let bundle = open(&claimed.target, &fetched.bundle).map_err(StepError::Bundle)?;
    Ok(Checked { fetched, bundle })
}

/// Unpacks and checks the bundle of a target.
pub(super) fn open(target: &Target, archive: &[u8]) -> Result<Bundle, Problems> {
    let kind = match target {
        Target::Environment { .. } => BundleKind::Environment,
        Target::ServiceInstance { .. } | Target::ServicePipeline { .. } => BundleKind::Service,
        Target::Component { .. } => BundleKind::Component,
    };
    let files = unpack(archive)?;
    // The registrar has asked for a pipeline where the template needs one. Whether it does isn't known here, and an
    // instance can do without.
    let customer_managed = kind == BundleKind::Service
        && !files.keys().any(|path| path.starts_with("pipeline_infrastructure/") || path.starts_with("pipeline/"));
    check_bundle(kind, files, customer_managed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"*\"\n      rendering_engine: hcl\n      \
                            template_language: terraform\n";

    fn service(folders: &[&str], pipeline_type: &str) -> Vec<u8> {
        let schema = format!(
            "schema:\n  format:\n    openapi: \"3.0.0\"\n  service_input_type: In\n{pipeline_type}  types:\n    In:\n      \
             type: object\n      properties: {{ size: {{ type: integer }} }}\n"
        );
        let mut files = vec![("schema/schema.yaml".to_owned(), schema)];
        for folder in folders {
            files.push((format!("{folder}/manifest.yaml"), MANIFEST.into()));
            files.push((format!("{folder}/main.tf"), "locals {}\n".into()));
        }
        let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn an_instance_is_deployed_whether_or_not_its_bundle_has_a_pipeline() {
        let instance = Target::ServiceInstance { service: "pay".into(), name: "api".into() };
        let pipeline = Target::ServicePipeline { service: "pay".into() };
        let both = service(&["instance_infrastructure", "pipeline_infrastructure"], "  pipeline_input_type: In\n");
        assert!(open(&instance, &both).unwrap().part_for(&instance).is_some());
        assert!(open(&pipeline, &both).unwrap().part_for(&pipeline).is_some());
        let alone = service(&["instance_infrastructure"], "");
        assert!(open(&instance, &alone).unwrap().part_for(&instance).is_some());
        assert!(open(&pipeline, &alone).unwrap().part_for(&pipeline).is_none());
    }
}
