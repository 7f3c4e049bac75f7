//! `hadron providers`: what lies in the provider store, what nobody uses any more, and newer ones for a template.

mod template;
mod upgrade;

use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use hadron_model::Timestamp;
use serde::Serialize;

use super::{Exit, Failure, Form, agent, print, wait_for};
use crate::settings::Resolved;
use crate::support::Clock;
use crate::terraform::{Package, ProviderStore};

const DAY: Duration = Duration::from_hours(24);

#[derive(Debug, Subcommand)]
pub(super) enum ProvidersCommand {
    /// Show the providers that are kept for all runs
    List,
    /// Remove those that no run has used for a time; who needs one again downloads it again
    Prune(PruneArgs),
    /// Make a new minor version of a template, with the newest providers that its files allow
    Upgrade(upgrade::UpgradeArgs),
}

#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// For how many days nobody may have used it
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    unused_for: u32,
}

/// A line of the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    provider: String,
    version: String,
    platform: String,
    bytes: u64,
    last_used_at: Timestamp,
}

impl From<&Package> for Line {
    fn from(package: &Package) -> Self {
        let used = package.used.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            provider: package.provider.clone(),
            version: package.version.clone(),
            platform: package.platform.clone(),
            bytes: package.size,
            last_used_at: Timestamp(i64::try_from(used.as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

/// Reads or prunes the store of the settings, on this machine; or makes a new version of a template.
pub(super) fn run(settings: &Resolved, command: &ProvidersCommand, form: Form) -> Result<Exit, Failure> {
    let unused_for = match command {
        ProvidersCommand::Upgrade(args) => return wait_for(upgrade::run(settings, args, form)),
        ProvidersCommand::Prune(args) => Some(DAY * args.unused_for),
        ProvidersCommand::List => None,
    };
    let Some(store) = agent::provider_store(settings)? else {
        return Err(Failure::new(Exit::Settings, anyhow!("`terraform.provider_store` is off: no providers are kept")));
    };
    let found = store.list().with_context(|| format!("reading {}", store.folder.display()))?;
    let shown = match unused_for {
        None => found,
        Some(unused_for) => prune(&store, found, unused_for)?,
    };
    let lines: Vec<Line> = shown.iter().map(Line::from).collect();
    print::list(form, &lines, ["PROVIDER", "VERSION", "PLATFORM", "MB", "LAST USED"], |line| {
        let size = format!("{}.{}", line.bytes / 1_000_000, line.bytes % 1_000_000 / 100_000);
        [line.provider.clone(), line.version.clone(), line.platform.clone(), size, print::moment(line.last_used_at)]
    })?;
    Ok(Exit::Done)
}

/// What was removed.
fn prune(store: &ProviderStore, found: Vec<Package>, unused_for: Duration) -> Result<Vec<Package>, Failure> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(Clock::system().now().unsigned_abs());
    let idle = |package: &Package| now.duration_since(package.used).unwrap_or_default() >= unused_for;
    let (idle, _): (Vec<_>, Vec<_>) = found.into_iter().partition(idle);
    for package in &idle {
        store.remove(package).with_context(|| format!("removing {} {}", package.provider, package.version))?;
    }
    Ok(idle)
}
