//! `hadron bundle push`: from a folder to a registered version, in one command.

mod template;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use clap::Args;
use serde::Serialize;

use self::template::{Draft, Template, Version};
use super::super::remote::{self, Remote};
use super::super::{Exit, Failure, Form, print};
use super::pack::{self, Packed, kind_name};
use super::{refused, talk};
use crate::domain::{Bundle, BundleKind, Problems, Schema};
use crate::objects::{ObjectUri, ObjectsError};
use crate::proton::ProtonError;
use crate::settings::Resolved;

/// The bucket where archives go when nobody named one; made in the embedded store if it isn't there.
const BUCKET: &str = "templates";

/// How often the registration is looked at.
const LOOK: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(in crate::cli) struct PushArgs {
    /// The bundle's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The template; by default the folder's name
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Register a minor version of this major; by default of the highest there is
    #[arg(long, value_name = "N", conflicts_with = "new_major")]
    major: Option<u32>,
    /// Register the next major version, which may break old specs
    #[arg(long)]
    new_major: bool,
    /// Publish the version once it is registered
    #[arg(long)]
    publish: bool,
    /// What the version brings
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where the archive is uploaded to; by default the bucket `templates`
    #[arg(long, value_name = "BUCKET/PREFIX")]
    s3: Option<String>,
    /// An environment template that a service template goes with; by default those of the version before
    #[arg(long, value_name = "TEMPLATE:MAJOR")]
    compatible: Vec<String>,
    /// Let developers attach components to the service's instances; by default as the version before
    #[arg(long)]
    components: bool,
    /// Make the template if it isn't there
    #[arg(long)]
    create: bool,
    /// The display name of a template that is made
    #[arg(long, value_name = "TEXT", requires = "create")]
    display_name: Option<String>,
    /// The description of a template that is made
    #[arg(long, value_name = "TEXT", requires = "create")]
    template_description: Option<String>,
    /// Leave the checks to the server, and register a version also when its bytes are those of the version before
    #[arg(long)]
    force: bool,
    /// How many seconds to wait for the registration
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Pushed {
    template: String,
    kind: &'static str,
    version: String,
    status: String,
    arn: String,
    /// Where the archive lies; empty when these bytes were registered already.
    source: String,
    sha256: String,
    /// Whether this push made the version.
    registered: bool,
}

pub(super) async fn run(settings: &Resolved, args: &PushArgs, form: Form) -> Result<Exit, Failure> {
    let packed = Packed::of(&args.dir)?;
    let kind = registrable(packed.kind)?;
    if !args.force {
        packed.checked(packed.customer_managed).map_err(|problems| refused(&problems))?;
        packed.warn()?;
    }
    let remote = Remote::of(settings).await?;
    let name = match &args.template {
        Some(name) => name.clone(),
        None => pack::name_of(&args.dir)?,
    };
    let template = Template { proton: &remote.proton, kind, name };
    let before = before(&template, args, &packed).await?;
    if !packed.left_out.is_empty() {
        talk(&format!("left out: {}", packed.left_out.join(", ")))?;
    }
    let same = match &before.last {
        Some(last) if !args.force && !args.new_major => {
            let has_bytes = template.has_bytes(last, &packed.digest).await.map_err(remote::failure)?;
            has_bytes.then(|| last.clone())
        }
        _ => None,
    };
    let registered = same.is_none();
    let (mut version, source) = match same {
        Some(version) => {
            talk(&format!("{} is registered with these bytes already", template.called(&version)))?;
            (version, String::new())
        }
        None => register(settings, &remote, &template, args, &packed, before).await?,
    };
    if args.publish && version.status != "PUBLISHED" {
        version = template.publish(&version).await.map_err(remote::failure)?;
    }
    let pushed = Pushed {
        template: template.name.clone(),
        kind: kind_name(kind),
        version: version.number(),
        status: version.status,
        arn: version.arn,
        source,
        sha256: packed.digest,
        registered,
    };
    let line = format!("{} {} {}\n", pushed.template, pushed.version, pushed.status);
    match form {
        Form::Json => print::json(&pushed)?,
        Form::Text => print::text(&line)?,
    }
    Ok(Exit::Done)
}

fn registrable(kind: BundleKind) -> Result<BundleKind, Failure> {
    if kind != BundleKind::Component {
        return Ok(kind);
    }
    let words = anyhow!("a component has no template that it could be registered as: the folder has no schema/");
    Err(Failure::new(Exit::InvalidBundle, words)
        .hint("create-component takes its manifest and its template file as they are"))
}

/// What the template had when the push began.
struct Before {
    /// The major that gets a minor; None begins a new major.
    major: Option<String>,
    /// The newest registered version of that major, or of the major before a new one.
    last: Option<Version>,
}

/// Finds or makes the template, and checks the bundle as its registration will.
async fn before(template: &Template<'_>, args: &PushArgs, packed: &Packed) -> Result<Before, Failure> {
    let customer_managed = match template.customer_managed().await {
        Ok(customer_managed) => customer_managed,
        Err(ProtonError::NotFound { .. }) if args.create => {
            // Said before a template is made that would stay without a version.
            if template.kind == BundleKind::Service && args.compatible.is_empty() {
                return Err(goes_with_nothing());
            }
            let made =
                template.create(args.display_name.clone(), args.template_description.clone(), packed.customer_managed);
            made.await.map_err(remote::failure)?;
            talk(&format!("made the {} template {}", kind_name(template.kind), template.name))?;
            packed.customer_managed
        }
        Err(error @ ProtonError::NotFound { .. }) => {
            return Err(remote::failure(error).hint("--create makes it, --template names another"));
        }
        Err(error) => return Err(remote::failure(error)),
    };
    let versions = template.versions().await.map_err(remote::failure)?;
    let newest = versions.iter().map(|version| version.major.clone()).max_by_key(|major| major.parse::<u64>().ok());
    let major = match (args.major, args.new_major) {
        (Some(major), _) => Some(major.to_string()),
        (None, true) => None,
        (None, false) => newest.clone(),
    };
    let of = major.clone().or(newest);
    let mut minors: Vec<Version> = versions.into_iter().filter(|version| Some(&version.major) == of.as_ref()).collect();
    minors.sort_by_key(|version| version.minor.parse::<u64>().unwrap_or_default());
    if !args.force {
        let bundle = packed.checked(customer_managed).map_err(|problems| refused(&problems))?;
        if major.is_some() {
            compatible(template, &minors, &bundle, customer_managed).await?;
        }
    }
    Ok(Before { major, last: minors.pop() })
}

/// What specs of the same major's minors could trip over, as registration will look for it.
async fn compatible(
    template: &Template<'_>,
    minors: &[Version],
    bundle: &Bundle,
    customer_managed: bool,
) -> Result<(), Failure> {
    let Some(schema) = &bundle.schema else { return Ok(()) };
    let mut problems = Problems::default();
    for minor in minors {
        let text = template.version(minor).await.map_err(remote::failure)?.schema.unwrap_or_default();
        // What was accepted once and isn't any more must not keep the template from moving on.
        let Ok(older) = Schema::parse(&text, template.kind, bundle.pipeline.is_some(), customer_managed) else {
            continue;
        };
        for problem in schema.incompatible_with(&older).0 {
            if !problems.0.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(refused(&problems).hint("--new-major registers it as the next major version"))
}

/// Uploads the archive and registers it.
async fn register(
    settings: &Resolved,
    remote: &Remote,
    template: &Template<'_>,
    args: &PushArgs,
    packed: &Packed,
    before: Before,
) -> Result<(Version, String), Failure> {
    let draft = draft(template, args, before).await?;
    let uri = address(settings, args, &template.name, &packed.digest)?;
    upload(settings, remote, args, &uri, &packed.archive).await?;
    let begun = template.register(&draft, &uri).await.map_err(remote::failure)?;
    let version = settled(template, &begun, Duration::from_secs(args.wait)).await?;
    Ok((version, uri.to_string()))
}

/// What a new version is to be, with what it inherits from the one before.
async fn draft(template: &Template<'_>, args: &PushArgs, before: Before) -> Result<Draft, Failure> {
    let last = match &before.last {
        Some(last) if template.kind == BundleKind::Service => {
            Some(template.version(last).await.map_err(remote::failure)?)
        }
        _ => None,
    };
    let mut compatible = Vec::new();
    for given in &args.compatible {
        let pair = given.split_once(':').ok_or_else(|| {
            Failure::new(Exit::Usage, anyhow!("`{given}` names no environment template; write TEMPLATE:MAJOR"))
        })?;
        compatible.push((pair.0.to_owned(), pair.1.to_owned()));
    }
    if compatible.is_empty() {
        compatible = last.as_ref().map(|last| last.compatible.clone()).unwrap_or_default();
    }
    if compatible.is_empty() && template.kind == BundleKind::Service {
        return Err(goes_with_nothing());
    }
    Ok(Draft {
        major: before.major,
        description: args.description.clone(),
        compatible,
        components: args.components || last.is_some_and(|last| last.components),
    })
}

fn goes_with_nothing() -> Failure {
    let words = anyhow!("a service template goes with at least one environment template");
    Failure::new(Exit::Usage, words).hint("name it: --compatible TEMPLATE:MAJOR")
}

/// Where the archive goes: under its digest, so that the same bytes lie there once.
fn address(settings: &Resolved, args: &PushArgs, template: &str, digest: &str) -> Result<ObjectUri, Failure> {
    let place = args.s3.clone().or_else(|| settings.text("bucket")).unwrap_or_else(|| BUCKET.to_owned());
    let place = place.strip_prefix("s3://").unwrap_or(&place).to_owned();
    let uri: ObjectUri =
        format!("s3://{place}").parse().map_err(|error| Failure::new(Exit::Usage, anyhow!("{error}")))?;
    let prefix = uri.key.trim_end_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    Ok(ObjectUri::new(uri.bucket, format!("{prefix}{slash}{template}/{digest}.tar.gz")))
}

async fn upload(
    settings: &Resolved,
    remote: &Remote,
    args: &PushArgs,
    uri: &ObjectUri,
    archive: &[u8],
) -> Result<(), Failure> {
    let put = || remote.objects.put(uri, Bytes::copy_from_slice(archive), "application/gzip");
    let put = match put().await {
        // The embedded store is ours, and begins empty.
        Err(ObjectsError::NotFound { .. }) if args.s3.is_none() && settings.text("bucket").is_none() => {
            remote.objects.create_bucket(&uri.bucket).await.context("making the bucket")?;
            put().await
        }
        put => put,
    };
    put.with_context(|| format!("uploading {uri}"))?;
    Ok(())
}

/// Waits for the end of a registration.
async fn settled(template: &Template<'_>, of: &Version, patience: Duration) -> Result<Version, Failure> {
    let began = Instant::now();
    loop {
        let version = template.version(of).await.map_err(remote::failure)?;
        match version.status.as_str() {
            "REGISTRATION_IN_PROGRESS" if began.elapsed() < patience => tokio::time::sleep(LOOK).await,
            "REGISTRATION_IN_PROGRESS" => {
                let words =
                    anyhow!("{} is still being registered after {} s", template.called(&version), patience.as_secs());
                return Err(Failure::new(Exit::Unexpected, words).hint("push again: it goes on where it is"));
            }
            "REGISTRATION_FAILED" => {
                let message = version.message.clone().unwrap_or_default();
                let words = anyhow!("the registration of {} failed\n{message}", template.called(&version));
                return Err(Failure::new(Exit::InvalidBundle, words));
            }
            _ => return Ok(version),
        }
    }
}
