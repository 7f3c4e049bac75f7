//! On what kind of host this process runs, and what that means for how it may leave.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Set for the process that [`Facts::first_process`] starts in its place, so that it knows whose child it is.
pub const UNDER_PID_1: &str = "HADRON_UNDER_PID_1";

/// What the host says of itself, besides the environment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// This process, or its parent, is the first one of a container.
    pub first_process: bool,
    /// The operator wants Spot notices heard, so this is EC2.
    pub spot: bool,
}

/// Who ends us, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// A step of a GitHub Actions job: SIGINT, after 7.5 s SIGTERM, after 2.5 s more SIGKILL.
    ///
    /// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation>
    GitHubActions,
    /// A task of ECS: SIGTERM, SIGKILL after `stopTimeout`, which is 30 s, and at most 120 s on Fargate.
    ///
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
    Ecs,
    /// A pod: SIGTERM, SIGKILL after `terminationGracePeriodSeconds`, which is 30 s.
    ///
    /// <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination>
    Kubernetes,
    /// Another container: with the first process all others end. Docker's stop waits 10 s.
    Container,
    /// An EC2 Spot instance: it is gone two minutes after the notice.
    Spot,
    /// A service of systemd: SIGTERM, SIGKILL after `TimeoutStopSec`, which is 90 s.
    ///
    /// <https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#TimeoutStopSec=>
    Systemd,
    /// A machine where nobody counts the seconds.
    Machine,
}

impl Host {
    /// Tells the host by its environment. Where several are true the one in the greatest hurry counts.
    pub fn detect(environment: &BTreeMap<String, String>, facts: Facts) -> Self {
        let has = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
        if environment.get("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
            Self::GitHubActions
        } else if has("ECS_CONTAINER_METADATA_URI_V4") {
            Self::Ecs
        } else if has("KUBERNETES_SERVICE_HOST") {
            Self::Kubernetes
        } else if facts.first_process || has(UNDER_PID_1) {
            Self::Container
        } else if has("INVOCATION_ID") && has("SYSTEMD_EXEC_PID") {
            Self::Systemd
        } else if facts.spot {
            Self::Spot
        } else {
            Self::Machine
        }
    }

    /// How long it waits between its first signal and SIGKILL, unless it was configured otherwise; None = for ever.
    pub fn grace(self) -> Option<Duration> {
        match self {
            Self::GitHubActions | Self::Container => Some(Duration::from_secs(10)),
            Self::Ecs | Self::Kubernetes => Some(Duration::from_secs(30)),
            Self::Systemd => Some(Duration::from_secs(90)),
            Self::Spot => Some(Duration::from_mins(2)),
            Self::Machine => None,
        }
    }

    /// Whether Terraform can outlive the agent here, so that the agent may leave it.
    pub fn keeps_processes(self) -> bool {
        matches!(self, Self::Systemd | Self::Machine)
    }

    /// What an agent does here that was told nothing: `interrupt` where everything ends with it, else `drain`.
    pub fn shutdown(self) -> &'static str {
        if self.keeps_processes() { "drain" } else { "interrupt" }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitHubActions => "GitHub Actions",
            Self::Ecs => "ECS",
            Self::Kubernetes => "Kubernetes",
            Self::Container => "a container",
            Self::Spot => "an EC2 Spot instance",
            Self::Systemd => "systemd",
            Self::Machine => "this machine",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Facts = Facts { first_process: false, spot: false };
    const FIRST: Facts = Facts { first_process: true, spot: false };
    const SPOT: Facts = Facts { first_process: false, spot: true };

    /// The environment, the facts, and the host that they tell of.
    type Row = (&'static [(&'static str, &'static str)], Facts, Host);

    #[test]
    fn a_host_is_known_by_its_environment() {
        const SYSTEMD: &[(&str, &str)] = &[("INVOCATION_ID", "0123"), ("SYSTEMD_EXEC_PID", "1")];
        const ECS: (&str, &str) = ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/x");
        const KUBERNETES: (&str, &str) = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
        const GITHUB: (&str, &str) = ("GITHUB_ACTIONS", "true");
        let table: &[Row] = &[
            (&[], MACHINE, Host::Machine),
            (&[], FIRST, Host::Container),
            (&[(UNDER_PID_1, "1")], MACHINE, Host::Container),
            (&[], SPOT, Host::Spot),
            (&[ECS], MACHINE, Host::Ecs),
            (&[ECS], FIRST, Host::Ecs),
            (&[ECS], SPOT, Host::Ecs),
            (&[("ECS_CONTAINER_METADATA_URI_V4", "")], MACHINE, Host::Machine),
            (&[KUBERNETES], FIRST, Host::Kubernetes),
            (&[GITHUB], MACHINE, Host::GitHubActions),
            (&[GITHUB, KUBERNETES], FIRST, Host::GitHubActions),
            (&[("GITHUB_ACTIONS", "false")], MACHINE, Host::Machine),
            (SYSTEMD, MACHINE, Host::Systemd),
            // A shell of a service inherits this one; it says nothing of the process itself.
            (&[("INVOCATION_ID", "0123")], MACHINE, Host::Machine),
        ];
        for (environment, facts, expected) in table {
            let variables = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            assert_eq!(Host::detect(&variables.collect(), *facts), *expected, "{environment:?} {facts:?}");
        }
    }

    #[test]
    fn where_everything_ends_with_the_agent_terraform_is_interrupted_in_time() {
        let table = [
            (Host::GitHubActions, Some(10), "interrupt", false),
            (Host::Ecs, Some(30), "interrupt", false),
            (Host::Kubernetes, Some(30), "interrupt", false),
            (Host::Container, Some(10), "interrupt", false),
            (Host::Spot, Some(120), "interrupt", false),
            (Host::Systemd, Some(90), "drain", true),
            (Host::Machine, None, "drain", true),
        ];
        for (host, grace, shutdown, keeps) in table {
            assert_eq!(host.grace(), grace.map(Duration::from_secs), "{host}");
            assert_eq!((host.shutdown(), host.keeps_processes()), (shutdown, keeps), "{host}");
        }
    }
}
