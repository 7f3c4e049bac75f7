//! What the settings and the host say together about how this process leaves.

use std::time::Duration;

use anyhow::anyhow;

use super::{Exit, Failure};
use crate::agent::{Departure, HostConfig, Shutdown};
use crate::settings::{Facts, Host, Resolved};

/// Where EC2 tells an instance about itself.
const INSTANCE_METADATA: &str = "http://169.254.169.254";

/// The most of a grace that is kept for an interrupted Terraform when nobody chose.
const LONGEST_RESERVE: Duration = Duration::from_mins(1);

/// What the agent owes to its host.
///
/// # Errors
/// A setting doesn't parse, or asks for what this host can't give.
pub(super) fn of(settings: &Resolved) -> Result<HostConfig, Failure> {
    let (process, _) = settings.surroundings();
    let spot: bool = settings.value("agent.spot_notices")?;
    let host = Host::detect(process, Facts { first_process: is_first_process(), spot });
    let departure = departure(settings, host)?;
    let grace = departure.grace.map_or_else(|| "as long as it takes".to_owned(), |it| format!("{} s", it.as_secs()));
    tracing::debug!("the host is {host}; asked to leave, the agent does `{}` within {grace}", departure.how);
    let metadata = process.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").filter(|address| !address.is_empty());
    let metadata = metadata.map_or(INSTANCE_METADATA, |address| address.trim_end_matches('/'));
    Ok(HostConfig {
        departure,
        ecs_agent: process.get("ECS_AGENT_URI").filter(|address| !address.is_empty()).cloned(),
        spot_notices: spot.then(|| metadata.to_owned()),
    })
}

fn departure(settings: &Resolved, host: Host) -> Result<Departure, Failure> {
    let chosen = settings.text("agent.shutdown");
    let how = match chosen {
        Some(_) => settings.value("agent.shutdown")?,
        None => host.shutdown().parse().map_err(|reason: String| anyhow!(reason))?,
    };
    let spot: bool = settings.value("agent.spot_notices")?;
    if how == Shutdown::Detach && (spot || !host.keeps_processes()) {
        let place = if spot { Host::Spot } else { host };
        let words = anyhow!("`agent.shutdown` is detach, but on {place} nothing outlives the agent");
        return Err(Failure::new(Exit::Settings, words)
            .hint("choose `interrupt`, or `drain` with an `agent.grace` that the host really waits"));
    }
    let seconds = |name| settings.text(name).map(|_| settings.value::<u64>(name).map(Duration::from_secs)).transpose();
    let grace = seconds("agent.grace")?.or(host.grace());
    let reserve = seconds("agent.reserve")?;
    let reserve = reserve.unwrap_or_else(|| grace.map_or(Duration::ZERO, |grace| (grace / 2).min(LONGEST_RESERVE)));
    Ok(Departure { how, grace, reserve })
}

/// Whether this process is the first of a container, or that one's child where an init was put in front.
fn is_first_process() -> bool {
    let contained = ["/.dockerenv", "/run/.containerenv"].iter().any(|file| std::path::Path::new(file).exists());
    std::process::id() == 1 || (contained && rustix::process::getppid().is_some_and(rustix::process::Pid::is_init))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::settings::{File, Surroundings};

    fn on(host: Host, variables: &[(&str, &str)]) -> Result<Departure, String> {
        let surroundings = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = Resolved::new(BTreeMap::new(), Surroundings(surroundings), File::default());
        departure(&settings, host).map_err(|failure| failure.words())
    }

    type Row<'a> = (Host, &'a [(&'a str, &'a str)], Seconds);

    /// The way, the grace, the reserve, and after how long Terraform is interrupted.
    type Seconds = (Shutdown, Option<u64>, u64, Option<u64>);

    fn seconds(departure: Departure) -> Seconds {
        let Departure { how, grace, reserve } = departure;
        (how, grace.map(|it| it.as_secs()), reserve.as_secs(), departure.interrupts_after().map(|it| it.as_secs()))
    }

    #[test]
    fn each_host_has_its_own_way_to_leave_until_the_operator_chooses() {
        let drain = [("HADRON_SHUTDOWN", "drain")];
        let fargate = [("HADRON_SHUTDOWN", "drain"), ("HADRON_GRACE", "120"), ("HADRON_RESERVE", "45")];
        let table: &[Row<'_>] = &[
            (Host::Machine, &[], (Shutdown::Drain, None, 0, None)),
            (Host::Machine, &[("HADRON_GRACE", "60")], (Shutdown::Drain, Some(60), 30, Some(30))),
            (Host::Systemd, &[], (Shutdown::Drain, Some(90), 45, Some(45))),
            (Host::Systemd, &[("HADRON_SHUTDOWN", "detach")], (Shutdown::Detach, Some(90), 45, None)),
            (Host::Ecs, &[], (Shutdown::Interrupt, Some(30), 15, Some(0))),
            (Host::Ecs, &fargate, (Shutdown::Drain, Some(120), 45, Some(75))),
            (Host::Kubernetes, &drain, (Shutdown::Drain, Some(30), 15, Some(15))),
            (Host::Kubernetes, &[("HADRON_GRACE", "3600")], (Shutdown::Interrupt, Some(3600), 60, Some(0))),
            (Host::GitHubActions, &drain, (Shutdown::Drain, Some(10), 5, Some(5))),
            (Host::Container, &[], (Shutdown::Interrupt, Some(10), 5, Some(0))),
            (Host::Spot, &drain, (Shutdown::Drain, Some(120), 60, Some(60))),
        ];
        for (host, variables, expected) in table {
            assert_eq!(seconds(on(*host, variables).unwrap()), *expected, "{host} {variables:?}");
        }
    }

    #[test]
    fn nobody_leaves_terraform_behind_where_it_would_be_killed() {
        for host in [Host::Ecs, Host::Kubernetes, Host::Container, Host::GitHubActions, Host::Spot] {
            let words = on(host, &[("HADRON_SHUTDOWN", "detach")]).unwrap_err();
            assert!(words.contains("nothing outlives the agent") && words.contains("hint: choose"), "{words}");
        }
        let spot = [("HADRON_SHUTDOWN", "detach"), ("HADRON_SPOT_NOTICES", "true")];
        assert!(on(Host::Systemd, &spot).unwrap_err().contains("Spot"), "the machine goes too");
    }
}
