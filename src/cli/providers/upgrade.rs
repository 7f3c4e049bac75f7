//! `hadron providers upgrade`: a new minor version of a template whose bundle brings newer providers' lock.
//!
//! The same calls that an author would make: read the bundle, `terraform init -upgrade`, pack it again with the lock file
//! in it, upload, create the version, wait, publish. What is deployed changes only when somebody deploys that version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, anyhow};
use clap::Args;
use semver::Version as Semver;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::template::{Named, Template, Version};
use crate::cli::agent::{self, Access};
use crate::cli::remote::{self, Remote};
use crate::cli::serve::data_folder;
use crate::cli::{Exit, Failure, Form, print};
use crate::control_plane::object_server::OWN_BUCKET;
use crate::domain::{Files, LOCK_FILE, Role, lock_key, open_bundle, pack, unpack};
use crate::objects::{ObjectUri, ObjectsError};
use crate::renderer;
use crate::settings::Resolved;
use crate::support::files;
use crate::terraform::{Relock, locked_versions};

/// Where bundles are uploaded to if Hadron keeps its objects itself: its own bucket is for what is registered.
const UPLOADS: &str = "templates";

/// The longest description of a version.
const LONGEST_DESCRIPTION: usize = 500;

#[derive(Debug, Args)]
pub(in crate::cli) struct UpgradeArgs {
    /// The template: NAME, environment-template/NAME, service-template/NAME or an ARN; its newest major version unless
    /// @MAJOR follows
    #[arg(value_name = "TEMPLATE[@MAJOR]")]
    template: String,
    /// Publish the new version, so that it is recommended from then on; without it, it stays a draft
    #[arg(long)]
    publish: bool,
    /// Lock packages of this platform too, besides this machine's; may be given several times
    #[arg(long, value_name = "OS_ARCH")]
    platform: Vec<String>,
    /// Upload the new bundle below this address, s3://BUCKET or s3://BUCKET/FOLDER
    #[arg(long, value_name = "URL")]
    upload_to: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// Every provider is the newest that the files allow.
    NothingNewer,
    /// Nobody has deployed the version, so it has no lock; its first deployment takes the newest by itself.
    NeverDeployed,
    /// An earlier upgrade has made that version already.
    AlreadyThere,
    /// There is a new version.
    Created,
}

/// What the command did.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    template: String,
    outcome: Outcome,
    from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    published: bool,
    providers: Vec<Change>,
}

/// A provider of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    part: &'static str,
    provider: String,
    /// None where no lock names it.
    before: Option<String>,
    after: Option<String>,
}

/// A part's lock file, before and after.
struct Relocked {
    part: &'static str,
    /// Its place in the bundle.
    path: String,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

/// Chooses anew; makes a version only if that came to something newer.
pub(in crate::cli) async fn run(settings: &Resolved, args: &UpgradeArgs, form: Form) -> Result<Exit, Failure> {
    let named = Named::parse(&args.template)?;
    let remote = Remote::of(settings).await?;
    let template = Template::find(&remote, &named).await?;
    let (from, drafts) = template.newest(&remote, &named).await?;
    let bundle = registered(&remote, &template, &from).await?;
    let archive = remote.objects.get(&bundle).await.map_err(unreadable)?;
    let relocked = relock(settings, args, &remote, &template, &bundle, &archive).await?;
    let providers = changes(&relocked);
    refuse_older(&template, &from, &providers)?;
    let mut report = Report {
        template: template.noun(),
        outcome: outcome(&relocked),
        from: from.number(),
        to: None,
        published: false,
        providers,
    };
    if report.outcome == Outcome::Created {
        let archive = repacked(&archive, &relocked)?;
        let to = match already(&remote, &template, drafts, &archive).await? {
            Some(draft) => {
                report.outcome = Outcome::AlreadyThere;
                draft
            }
            None => make(&remote, args, &template, &from, &bundle, archive, &report).await?,
        };
        report.to = Some(to.number());
        if args.publish {
            template.publish(&remote, &to).await?;
            report.published = true;
        }
    }
    tell(&report, form)?;
    Ok(Exit::Done)
}

/// Where a version's bundle lies.
async fn registered(remote: &Remote, template: &Template, version: &Version) -> Result<ObjectUri, Failure> {
    let work = remote.proton.work(&version.arn).await.map_err(remote::failure)?;
    let bundle = work.bundle.ok_or_else(|| {
        let words =
            anyhow!("this Proton doesn't say where the bundle of {} {} lies", template.noun(), version.number());
        Failure::new(Exit::Unexpected, words).hint("only Hadron's own control plane tags its template versions so")
    })?;
    Ok(bundle.parse().context("reading the tag hadron:bundle")?)
}

fn unreadable(error: ObjectsError) -> Failure {
    Failure::new(Exit::Unexpected, error).hint("set HADRON_OBJECTS_ENDPOINT if the bucket isn't Hadron's own")
}

/// Chooses the providers of each part.
async fn relock(
    settings: &Resolved,
    args: &UpgradeArgs,
    remote: &Remote,
    template: &Template,
    bundle: &ObjectUri,
    archive: &[u8],
) -> Result<Vec<Relocked>, Failure> {
    let opened = open_bundle(template.kind.bundle(), archive, template.customer_managed);
    let opened = opened.map_err(|problems| Failure::new(Exit::InvalidBundle, problems))?;
    let data = std::path::absolute(data_folder(settings)?)?;
    files::create_data_folder(&data).with_context(|| format!("making {}", data.display()))?;
    let folder = tempfile::Builder::new().prefix(".upgrade-").tempdir_in(&data)?;
    let mut relocked = Vec::new();
    for (role, part) in opened.parts() {
        let name = role.name();
        let mut files = renderer::requirements(part);
        let before = match files.get(LOCK_FILE) {
            Some(own) => Some(own.clone()),
            None => recorded(remote, bundle, role).await?,
        };
        files.extend(before.clone().map(|lock| (LOCK_FILE.to_owned(), lock)));
        let terraform = terraform(settings, args, &folder.path().join(name))?;
        let after = terraform.run(&files, &CancellationToken::new()).await.map_err(|error| {
            Failure::new(Exit::PlanFailed, anyhow::Error::new(error).context(format!("choosing providers of {name}")))
        })?;
        relocked.push(Relocked { part: name, path: format!("{}/{LOCK_FILE}", part.folder), before, after });
    }
    Ok(relocked)
}

/// The lock that the first deployment of a part has left.
async fn recorded(remote: &Remote, bundle: &ObjectUri, role: Role) -> Result<Option<Vec<u8>>, Failure> {
    let digest = bundle.key.rsplit('/').next().unwrap_or_default();
    let lock = ObjectUri::new(&bundle.bucket, lock_key(digest, role));
    match remote.objects.get(&lock).await {
        Ok(lock) => Ok(Some(lock.to_vec())),
        Err(ObjectsError::NotFound { .. }) => Ok(None),
        Err(error) => Err(unreadable(error)),
    }
}

fn terraform(settings: &Resolved, args: &UpgradeArgs, folder: &Path) -> Result<Relock, Failure> {
    // A key of Hadron's that this shell has exported is nothing that providers' or modules' sources should see.
    let key = remote::address(settings)?.1.0;
    Ok(Relock {
        terraform: agent::find_terraform(settings)?,
        supervisor: std::env::current_exe().context("finding this program's own file")?,
        folder: folder.to_owned(),
        site: agent::terraform_environment(settings, &Access::of(settings)?, &[key])?,
        providers: agent::provider_store(settings)?,
        platforms: args.platform.clone(),
    })
}

fn changes(relocked: &[Relocked]) -> Vec<Change> {
    let versions = |lock: &Option<Vec<u8>>| lock.as_deref().map(locked_versions).unwrap_or_default();
    let mut changes = Vec::new();
    for Relocked { part, before, after, .. } in relocked {
        let (before, after): (BTreeMap<_, _>, BTreeMap<_, _>) = (versions(before), versions(after));
        for provider in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            changes.push(Change {
                part,
                provider: provider.clone(),
                before: before.get(provider).cloned(),
                after: after.get(provider).cloned(),
            });
        }
    }
    changes
}

/// A part that was never deployed has nothing to be newer than.
fn outcome(relocked: &[Relocked]) -> Outcome {
    let locked = || relocked.iter().filter(|part| part.before.is_some());
    let versions = |lock: &Option<Vec<u8>>| lock.as_deref().map(locked_versions).unwrap_or_default();
    if locked().any(|part| versions(&part.before) != versions(&part.after)) {
        Outcome::Created
    } else if locked().next().is_none() && relocked.iter().any(|part| part.after.is_some()) {
        Outcome::NeverDeployed
    } else {
        Outcome::NothingNewer
    }
}

/// A mirror that lacks what is in use already must not take a template back.
fn refuse_older(template: &Template, from: &Version, changes: &[Change]) -> Result<(), Failure> {
    let parsed = |version: &Option<String>| version.as_deref().and_then(|it| Semver::parse(it).ok());
    let older = changes.iter().find(|change| {
        let (before, after) = (parsed(&change.before), parsed(&change.after));
        before.zip(after).is_some_and(|(before, after)| after < before)
    });
    let Some(Change { provider, before: Some(before), after: Some(after), .. }) = older else { return Ok(()) };
    let words = anyhow!(
        "the newest {provider} that can be had here is {after}, and {} {} uses {before}",
        template.noun(),
        from.number()
    );
    Err(Failure::new(Exit::PlanFailed, words)
        .hint("terraform.cli_config names where providers come from; bring its mirror up to date"))
}

/// The bundle with the lock files in it.
fn repacked(archive: &[u8], relocked: &[Relocked]) -> Result<Vec<u8>, Failure> {
    let mut files: Files = unpack(archive).map_err(|problems| Failure::new(Exit::InvalidBundle, problems))?;
    for Relocked { path, after, .. } in relocked {
        match after {
            Some(lock) => files.insert(path.clone(), lock.clone()),
            None => files.remove(path),
        };
    }
    Ok(pack(&files).context("packing the bundle")?)
}

/// The draft that holds just that, left by an upgrade whose answer was lost or that wasn't published.
async fn already(
    remote: &Remote,
    template: &Template,
    drafts: Vec<Version>,
    archive: &[u8],
) -> Result<Option<Version>, Failure> {
    let digest = hex::encode(Sha256::digest(archive));
    for draft in drafts.into_iter().rev() {
        if registered(remote, template, &draft).await?.key.ends_with(&digest) {
            return Ok(Some(draft));
        }
    }
    Ok(None)
}

async fn make(
    remote: &Remote,
    args: &UpgradeArgs,
    template: &Template,
    from: &Version,
    bundle: &ObjectUri,
    archive: Vec<u8>,
    report: &Report,
) -> Result<Version, Failure> {
    let folder = upload_folder(args, bundle)?;
    let digest = hex::encode(Sha256::digest(&archive));
    let key = format!("{}{}/{}-{}.tar.gz", folder.key, template.name, from.major, &digest[..16]);
    let uri = ObjectUri::new(&folder.bucket, key);
    if folder.bucket != bundle.bucket {
        remote.objects.create_bucket(&folder.bucket).await.map_err(no_upload)?;
    }
    remote.objects.put(&uri, archive.into(), "application/gzip").await.map_err(no_upload)?;
    template.register(remote, from, &uri, &description(report)).await
}

fn no_upload(error: ObjectsError) -> Failure {
    Failure::new(Exit::Unexpected, error).hint("--upload-to s3://BUCKET names another place for the new bundle")
}

fn upload_folder(args: &UpgradeArgs, bundle: &ObjectUri) -> Result<ObjectUri, Failure> {
    match &args.upload_to {
        Some(given) => {
            let path = given.strip_prefix("s3://").unwrap_or_default();
            let (bucket, folder) = path.split_once('/').unwrap_or((path, ""));
            if bucket.is_empty() {
                return Err(Failure::new(Exit::Usage, anyhow!("--upload-to {given} names no bucket"))
                    .hint("write it like s3://BUCKET/FOLDER"));
            }
            let folder = folder.trim_matches('/');
            let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            Ok(ObjectUri::new(bucket, folder))
        }
        None if bundle.bucket == OWN_BUCKET => Ok(ObjectUri::new(UPLOADS, "")),
        None => Ok(ObjectUri::new(&bundle.bucket, format!("{UPLOADS}/"))),
    }
}

/// What changed, for whoever reads the list of versions.
fn description(report: &Report) -> String {
    let mut text = format!("Providers of {} upgraded:", report.from);
    let mut told = BTreeSet::new();
    for Change { provider, before, after, .. } in report.providers.iter().filter(|it| it.before != it.after) {
        let name = provider.strip_prefix("registry.terraform.io/").unwrap_or(provider);
        let word = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".into());
        let line = format!(" {name} {} to {},", word(before), word(after));
        if told.insert(line.clone()) {
            text.push_str(&line);
        }
    }
    text.trim_end_matches([',', ':']).chars().take(LONGEST_DESCRIPTION).collect()
}

fn tell(report: &Report, form: Form) -> Result<(), Failure> {
    if form == Form::Json {
        return print::json(report);
    }
    let mut text = String::new();
    if !report.providers.is_empty() {
        let word = |version: &Option<String>| version.clone().unwrap_or_else(|| "-".into());
        let rows = report.providers.iter();
        let rows: Vec<_> =
            rows.map(|it| [it.part.to_owned(), it.provider.clone(), word(&it.before), word(&it.after)]).collect();
        text = print::table(["PART", "PROVIDER", "BEFORE", "AFTER"], &rows) + "\n";
    }
    let Report { template, from, .. } = report;
    let to = report.to.as_deref().unwrap_or_default();
    let line = match (report.outcome, report.published) {
        (Outcome::NothingNewer, _) => format!("{template} {from}: nothing newer"),
        (Outcome::NeverDeployed, _) => {
            format!("{template} {from} was never deployed: its first deployment takes the newest by itself")
        }
        (Outcome::Created, true) => format!("{template} {to} is published"),
        (Outcome::Created, false) => format!("{template} {to} is registered as a draft"),
        (Outcome::AlreadyThere, true) => format!("{template} {to} was there as a draft and is published"),
        (Outcome::AlreadyThere, false) => format!("{template} {to} is there as a draft already"),
    };
    writeln!(text, "{line}").expect("text takes text");
    print::out().write_all(text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(version: &str) -> Vec<u8> {
        let text = format!("provider \"registry.terraform.io/hashicorp/aws\" {{\n  version = \"{version}\"\n}}\n");
        text.into_bytes()
    }

    fn part(part: &'static str, before: impl Into<Option<Vec<u8>>>, after: impl Into<Option<Vec<u8>>>) -> Relocked {
        let path = format!("{part}_infrastructure/{LOCK_FILE}");
        Relocked { part, path, before: before.into(), after: after.into() }
    }

    #[test]
    fn a_version_is_made_only_where_a_lock_would_change() {
        let same = part("instance", lock("3.1.0"), lock("3.1.0"));
        let newer = part("pipeline", lock("3.1.0"), lock("3.2.0"));
        assert_eq!(outcome(&[same, newer]), Outcome::Created);
        assert_eq!(outcome(&[part("instance", lock("3.1.0"), lock("3.1.0"))]), Outcome::NothingNewer);
        let unused = part("pipeline", None, lock("3.2.0"));
        assert_eq!(outcome(&[part("instance", lock("3.2.0"), lock("3.2.0")), unused]), Outcome::NothingNewer);
        assert_eq!(outcome(&[part("pipeline", None, lock("3.2.0"))]), Outcome::NeverDeployed);
        assert_eq!(outcome(&[part("instance", None, None)]), Outcome::NothingNewer);
    }

    #[test]
    fn a_description_names_each_change_once() {
        let relocked =
            [part("instance", lock("2.70.0"), lock("3.39.0")), part("pipeline", lock("2.70.0"), lock("3.39.0"))];
        let report = Report {
            template: "service-template/web".into(),
            outcome: Outcome::Created,
            from: "1.0".into(),
            to: None,
            published: false,
            providers: changes(&relocked),
        };
        assert_eq!(description(&report), "Providers of 1.0 upgraded: hashicorp/aws 2.70.0 to 3.39.0");
    }

    #[test]
    fn bundles_go_where_the_operator_says_and_never_into_hadrons_own_bucket() {
        let args = |to: Option<&str>| UpgradeArgs {
            template: "web".into(),
            publish: false,
            platform: Vec::new(),
            upload_to: to.map(str::to_owned),
        };
        let folder = |to: Option<&str>, bucket: &str| {
            upload_folder(&args(to), &ObjectUri::new(bucket, "bundles/sha256/x")).map(|uri| uri.to_string())
        };
        assert_eq!(folder(None, OWN_BUCKET).unwrap(), "s3://templates/");
        assert_eq!(folder(None, "site").unwrap(), "s3://site/templates/");
        assert_eq!(folder(Some("s3://mine/a/b/"), "site").unwrap(), "s3://mine/a/b/");
        assert_eq!(folder(Some("s3://mine"), "site").unwrap(), "s3://mine/");
        assert!(folder(Some("mine"), "site").is_err());
    }
}
