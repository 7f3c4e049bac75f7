//! `hadron bundle pack`: a bundle's folder as the archive that registration takes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::{Exit, Failure, Form, print};
use super::{refused, talk};
use crate::domain::{Bundle, BundleKind, Files, Problem, Problems, open_bundle, pack};
use crate::workbench::parcel::parcel;
use crate::workbench::{Options, Severity, Source, check};

#[derive(Debug, Args)]
pub(in crate::cli) struct PackArgs {
    /// The bundle's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The archive to write; by default NAME.tar.gz of the folder's name, here
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A bundle as registration gets it.
pub(super) struct Packed {
    pub(super) kind: BundleKind,
    /// Whether the folders leave provisioning, or a service's pipeline, to the customer.
    pub(super) customer_managed: bool,
    pub(super) archive: Vec<u8>,
    /// SHA-256 of the archive, in hex.
    pub(super) digest: String,
    pub(super) files: Files,
    pub(super) left_out: Vec<String>,
    source: Source,
}

impl Packed {
    /// Packs a folder's files, without a look at what is in them.
    pub(super) fn of(folder: &Path) -> Result<Self, Failure> {
        if !folder.exists() {
            return Err(Failure::new(Exit::Usage, anyhow!("there is no {}", folder.display())));
        }
        let source = Source::open(folder).map_err(|problems| refused(&problems))?;
        if source.part.is_some() {
            let words =
                anyhow!("{} is one infrastructure folder, and only a whole bundle can be packed", folder.display());
            return Err(Failure::new(Exit::InvalidBundle, words).hint("name the folder that has schema/ in it"));
        }
        let parcel = parcel(&source);
        let archive = pack(&parcel.files).context("packing the bundle")?;
        Ok(Self {
            kind: source.kind,
            customer_managed: source.customer_managed,
            digest: hex::encode(Sha256::digest(&archive)),
            archive,
            files: parcel.files,
            left_out: parcel.left_out,
            source,
        })
    }

    /// Tells what deployments will trip over and registration doesn't see. It is the author's to decide.
    pub(super) fn warn(&self) -> Result<(), Failure> {
        let report = check(&self.source, &Options::default());
        for finding in report.findings.iter().filter(|finding| finding.severity == Severity::Error) {
            let file = self.source.shown(&finding.problem.file);
            talk(&format!("warning: {}", Problem { file, ..finding.problem.clone() }))?;
        }
        Ok(())
    }

    /// Opens the archive as registration does.
    pub(super) fn checked(&self, customer_managed: bool) -> Result<Bundle, Problems> {
        open_bundle(self.kind, &self.archive, customer_managed)
    }
}

#[derive(Serialize)]
struct Written {
    path: PathBuf,
    kind: &'static str,
    files: usize,
    bytes: usize,
    sha256: String,
}

/// Checks and packs a folder.
pub(super) fn run(args: &PackArgs, form: Form) -> Result<Exit, Failure> {
    let packed = Packed::of(&args.dir)?;
    packed.checked(packed.customer_managed).map_err(|problems| refused(&problems))?;
    packed.warn()?;
    let path = match &args.out {
        Some(path) => path.clone(),
        None => PathBuf::from(format!("{}.tar.gz", name_of(&args.dir)?)),
    };
    fs::write(&path, &packed.archive).with_context(|| format!("writing {}", path.display()))?;
    if !packed.left_out.is_empty() {
        talk(&format!("left out: {}", packed.left_out.join(", ")))?;
    }
    let (files, bytes) = (packed.files.len(), packed.archive.len());
    let written = Written { path, kind: kind_name(packed.kind), files, bytes, sha256: packed.digest };
    print::one(
        form,
        &written,
        &[
            ("path", written.path.display().to_string()),
            ("kind", written.kind.to_owned()),
            ("files", files.to_string()),
            ("bytes", bytes.to_string()),
            ("sha256", written.sha256.clone()),
        ],
    )?;
    Ok(Exit::Done)
}

/// The name of a folder, also of `.`.
pub(super) fn name_of(folder: &Path) -> Result<String, Failure> {
    let whole = folder.canonicalize().with_context(|| format!("finding {}", folder.display()))?;
    Ok(whole.file_name().map_or_else(|| "bundle".to_owned(), |name| name.to_string_lossy().into_owned()))
}

/// The kind as Proton's own words have it.
pub(super) fn kind_name(kind: BundleKind) -> &'static str {
    match kind {
        BundleKind::Environment => "environment",
        BundleKind::Service => "service",
        BundleKind::Component => "component",
    }
}
