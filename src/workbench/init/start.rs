//! The starting bundles.

use crate::domain::{BundleKind, Engine};

type File = (&'static str, &'static str);

macro_rules! bundle {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("start/", $folder, "/", $path)))),*]
    };
}

pub(super) fn files(kind: BundleKind, engine: Engine) -> &'static [File] {
    match (kind, engine) {
        (BundleKind::Service, Engine::Hcl) => bundle!("service-terraform":
            "schema/schema.yaml",
            "instance_infrastructure/manifest.yaml",
            "instance_infrastructure/main.tf",
            "instance_infrastructure/outputs.tf",
            "pipeline_infrastructure/manifest.yaml",
            "pipeline_infrastructure/main.tf",
            "pipeline_infrastructure/outputs.tf",
        ),
        (BundleKind::Service, Engine::Jinja) => bundle!("service-cloudformation":
            "schema/schema.yaml",
            "instance_infrastructure/manifest.yaml",
            "instance_infrastructure/cloudformation.yaml",
        ),
        (_, Engine::Jinja) => bundle!("environment-cloudformation":
            "schema/schema.yaml",
            "infrastructure/manifest.yaml",
            "infrastructure/cloudformation.yaml",
        ),
        (_, Engine::Hcl) => bundle!("environment-terraform":
            "schema/schema.yaml",
            "infrastructure/manifest.yaml",
            "infrastructure/main.tf",
            "infrastructure/outputs.tf",
        ),
    }
}
