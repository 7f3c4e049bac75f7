//! The offline examples, as bundles: the same files that lie in `examples/offline`.

use std::io::{Cursor, Write};

use anyhow::Context;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

type File = (&'static str, &'static [u8]);

macro_rules! example {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../../examples/offline/", $folder, "/", $path)))),*]
    };
}

const ENVIRONMENT: &[File] = example!("environment":
    "schema/schema.yaml",
    "infrastructure/manifest.yaml",
    "infrastructure/main.tf",
    "infrastructure/outputs.tf",
);

const SERVICE: &[File] = example!("service":
    "schema/schema.yaml",
    "instance_infrastructure/manifest.yaml",
    "instance_infrastructure/main.tf",
    "instance_infrastructure/outputs.tf",
    "instance_infrastructure/pages/welcome.tftpl",
    "pipeline_infrastructure/manifest.yaml",
    "pipeline_infrastructure/main.tf",
    "pipeline_infrastructure/outputs.tf",
);

pub(super) const ENVIRONMENT_SPEC: &str = include_str!("../../../examples/offline/environment/spec.yaml");
pub(super) const SERVICE_SPEC: &str = include_str!("../../../examples/offline/service/spec.yaml");
pub(super) const COMPONENT: &str = include_str!("../../../examples/offline/component/component.tf");
pub(super) const COMPONENT_MANIFEST: &str = include_str!("../../../examples/offline/component/manifest.yaml");

pub(super) fn environment() -> anyhow::Result<Vec<u8>> {
    packed(ENVIRONMENT)
}

pub(super) fn service() -> anyhow::Result<Vec<u8>> {
    packed(SERVICE)
}

fn packed(files: &[File]) -> anyhow::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        archive.start_file(*path, SimpleFileOptions::default()).context("packing an example")?;
        archive.write_all(bytes).context("packing an example")?;
    }
    Ok(archive.finish().context("packing an example")?.into_inner())
}
