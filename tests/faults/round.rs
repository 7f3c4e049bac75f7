//! One round: something is deployed, the fault happens, what must recover recovers, and the record is held against what
//! exists.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_sdk_proton::operation::get_environment::GetEnvironmentError;
use aws_sdk_proton::types::{DeploymentStatus, DeploymentUpdateType};

use crate::client::{ask, spec};
use crate::host::Host;
use crate::inject;
use crate::judge;
use crate::operator::{self, Blocked};
use crate::plan::{Fault, Moment, Operation, Round, Template};
use crate::road::{Deed, Gate, Trap};
use crate::templates::STEP;
use crate::world::{PATIENCE, World};

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Recovered,
    /// It was blocked, and a printed command cleared it.
    WayOut,
    Lost(String),
    Duplicated(String),
    Stuck(String),
    Wrong(String),
}

impl Outcome {
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::Recovered | Self::WayOut)
    }
}

/// What is told of a round.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) round: Round,
    pub(crate) outcome: Outcome,
    /// The moment never came, so nothing went wrong.
    pub(crate) missed: bool,
    /// A second fault has happened in the recovery.
    pub(crate) twice: bool,
    /// How the deployment ended that met the fault.
    pub(crate) ended: String,
    pub(crate) notes: Vec<String>,
    pub(crate) took: Duration,
}

/// A round while it is played.
pub(crate) struct Game<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) round: Round,
    pub(crate) folder: PathBuf,
    /// Of the environment, and of all names in AWS.
    pub(crate) name: String,
    pub(crate) hosts: Vec<Host>,
    pub(crate) notes: Vec<String>,
    pub(crate) commands: usize,
    /// What an agent alone has printed that keeps from its target, once that was typed.
    pub(crate) answered: String,
    /// Whether the second fault has happened too.
    pub(crate) twice: bool,
    /// Whether the deployment is to be as after the operation.
    after: bool,
}

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Status(DeploymentStatus, String),
    Gone,
}

impl End {
    fn is_good(&self, operation: Operation) -> bool {
        match self {
            Self::Status(status, _) => operation != Operation::Delete && *status == DeploymentStatus::Succeeded,
            Self::Gone => operation == Operation::Delete,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Status(status, message) if message.is_empty() => status.to_string(),
            Self::Status(status, message) => format!("{status}: {message}"),
            Self::Gone => "DELETED".to_owned(),
        }
    }
}

impl<'a> Game<'a> {
    pub(crate) fn new(world: &'a mut World, round: Round, folder: PathBuf) -> Self {
        let name = format!("r{}", round.number);
        let objects = folder.join("objects");
        fs::create_dir_all(&objects).unwrap();
        fs::write(objects.join("step"), STEP).unwrap();
        Self {
            world,
            round,
            folder,
            name,
            hosts: Vec::new(),
            notes: Vec::new(),
            commands: 0,
            answered: String::new(),
            twice: false,
            after: false,
        }
    }

    /// Plays it. What nobody foresaw is a panic, and counts as wrong.
    pub(crate) async fn play(&mut self) -> (Outcome, bool, String) {
        self.world.road.traffic.forget();
        self.world.aws.traffic.forget();
        let _approver = self.round.gated.then(|| self.world.approver(&self.folder));
        self.add_host("a");
        if self.round.operation != Operation::Create {
            self.create().await;
            let end = self.end().await;
            if !matches!(&end, Ok(end) if end.is_good(Operation::Create)) {
                return (Outcome::Wrong(format!("nothing had gone wrong yet: {end:?}")), true, String::new());
            }
            self.forget_steps();
            self.world.road.traffic.forget();
        }
        let happened = Box::pin(self.strike()).await;
        if let Some((fault, after)) = self.round.second {
            let ended = self.ended();
            let still = tokio::select! {
                () = ended => false,
                () = tokio::time::sleep(Duration::from_millis(after)) => true,
            };
            if still && inject::again(self, fault).await {
                self.twice = true;
            }
        }
        let end = match self.end().await {
            Ok(end) => end,
            Err(stuck) => return (Outcome::Stuck(stuck), !happened, String::new()),
        };
        self.world.road.traffic.clear();
        self.world.aws.traffic.clear();
        let outcome = match self.follow_up(&end).await {
            Err(outcome) => outcome,
            Ok(()) => match judge::judge(self).await {
                Some(outcome) => outcome,
                None if self.commands > 0 => Outcome::WayOut,
                None => Outcome::Recovered,
            },
        };
        (outcome, !happened, end.text())
    }

    /// The operation with its fault; false if the moment never came.
    async fn strike(&mut self) -> bool {
        let gate = Gate::new();
        if let (Moment::At(call, side, skip), false) = (self.round.moment, self.round.fault.is_laid()) {
            let trap = Trap { skip, ..Trap::new(call, side, Deed::Hold(gate.clone())) };
            self.world.traffic(call).lay(trap);
        }
        inject::lay(self);
        self.after = true;
        match self.round.operation {
            Operation::Create => self.create().await,
            Operation::Delete => self.delete().await,
            Operation::Extend | Operation::Replace => self.update().await,
        }
        if self.round.fault.is_laid() {
            return inject::follow(self).await;
        }
        let reached = self.moment(&gate).await;
        if reached {
            let struck = Box::pin(inject::strike(self, &gate)).await;
            gate.release();
            return struck;
        }
        gate.release();
        false
    }

    /// Waits for the moment; false if the deployment has ended before.
    async fn moment(&self, gate: &Gate) -> bool {
        let comes = async {
            match self.round.moment {
                Moment::At(..) => gate.reached().await,
                Moment::After(time) => tokio::time::sleep(Duration::from_millis(time)).await,
                Moment::Step(name) => {
                    let mark = self.folder.join("objects").join(format!("at-{name}"));
                    while !mark.exists() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            }
        };
        tokio::select! {
            () = comes => true,
            () = self.ended() => false,
            () = tokio::time::sleep(PATIENCE) => false,
        }
    }

    async fn ended(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if self.status().await.is_some_and(|end| !is_pending(&end)) {
                return;
            }
        }
    }

    /// How it stands; None if the control plane doesn't answer.
    async fn status(&self) -> Option<End> {
        match self.world.user.proton.get_environment().name(&self.name).send().await {
            Ok(got) => {
                let got = got.environment?;
                Some(End::Status(got.deployment_status, got.deployment_status_message.unwrap_or_default()))
            }
            Err(error)
                if error.as_service_error().is_some_and(GetEnvironmentError::is_resource_not_found_exception) =>
            {
                Some(End::Gone)
            }
            Err(_) => None,
        }
    }

    /// What Proton says of the last deployment.
    pub(crate) async fn told(&self) -> String {
        match self.status().await {
            Some(End::Status(_, message)) => message,
            Some(End::Gone) | None => String::new(),
        }
    }

    /// Waits for the end of what is being deployed, and clears what blocks it, as an operator would.
    async fn end(&mut self) -> Result<End, String> {
        let (began, mut looked) = (Instant::now(), Instant::now());
        loop {
            let now = self.status().await;
            if let Some(end) = now.as_ref().filter(|end| !is_pending(end)) {
                return Ok(end.clone());
            }
            if looked.elapsed() > Duration::from_secs(5) {
                looked = Instant::now();
                operator::clear(self).await?;
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("{now:?} for {PATIENCE:?}\n{}", operator::says(self)));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The same once more, by somebody who reads what was printed: it must succeed.
    async fn follow_up(&mut self, end: &End) -> Result<(), Outcome> {
        let mut end = end.clone();
        for attempt in 0.. {
            let cleared = match operator::clear(self).await {
                Ok(Blocked::Cleared) => true,
                Ok(Blocked::Not) => false,
                Err(stuck) => return Err(Outcome::Stuck(stuck)),
            };
            if attempt > 0 && end.is_good(self.round.operation) {
                return Ok(());
            }
            if end == End::Gone {
                return if self.round.operation == Operation::Delete { Ok(()) } else { Err(lost("the environment")) };
            }
            // The first follow-up must do, and one more after each block that was cleared.
            if attempt > 0 && !cleared {
                return Err(Outcome::Stuck(format!("the follow-up: {}", end.text())));
            }
            if attempt > 4 {
                return Err(Outcome::Stuck(format!("blocked again and again: {}", end.text())));
            }
            match self.round.operation {
                Operation::Delete => self.delete().await,
                _ => self.update().await,
            }
            end = self.end().await.map_err(Outcome::Stuck)?;
            if !end.is_good(self.round.operation) {
                self.notes.push(format!("follow-up {}: {}", attempt + 1, end.text()));
            }
        }
        Ok(())
    }

    pub(crate) fn add_host(&mut self, name: &str) {
        let key = if self.round.gated { &self.world.robot } else { &self.world.key };
        let host = Host::start(self.world, &self.folder, name, key, &inject::settings(&self.round));
        if matches!(self.round.fault, Fault::AgentClockAhead | Fault::AgentClockBehind) && name == "a" {
            let library = crate::world::clock_library(self.world.tools);
            let mut host = host;
            host.end();
            host.prepare_clock(&library.display().to_string());
            host.start_agent();
            self.hosts.push(host);
            return;
        }
        self.hosts.push(host);
    }

    fn inputs(&self) -> String {
        let done = |operation| self.after && self.round.operation == operation;
        match self.round.template {
            Template::Queues => format!(
                "prefix: {}\nendpoint: {}\nmore: {}\ngeneration: {}",
                self.name,
                self.world.aws.url(),
                if done(Operation::Extend) { "yes" } else { "no" },
                if done(Operation::Replace) { "two" } else { "one" },
            ),
            Template::Data => format!(
                "folder: {}\nword: {}",
                self.folder.join("objects").display(),
                if done(Operation::Replace) { "two" } else { "one" },
            ),
        }
    }

    async fn create(&self) {
        let template = match self.round.template {
            Template::Queues => "queues",
            Template::Data => "data",
        };
        self.world.user.create_environment(&self.name, template, &self.inputs()).await;
    }

    async fn update(&self) {
        let update = self.world.user.proton.update_environment().name(&self.name).spec(spec(&self.inputs()));
        ask!(update.deployment_type(DeploymentUpdateType::CurrentVersion));
    }

    async fn delete(&self) {
        ask!(self.world.user.proton.delete_environment().name(&self.name));
    }

    /// The marks of steps that went well before anything went wrong.
    fn forget_steps(&self) {
        for name in ["at-a", "at-b", "at-c", "begun", "done"] {
            fs::remove_file(self.folder.join("objects").join(name)).ok();
        }
    }

    /// A deployment's letters that should exist now.
    pub(crate) fn expected(&self) -> &'static [&'static str] {
        match (self.round.template, self.round.operation) {
            (_, Operation::Delete) => &[],
            (Template::Queues, Operation::Extend) => &["a", "b", "c", "d"],
            _ => &["a", "b", "c"],
        }
    }
}

fn lost(what: &str) -> Outcome {
    Outcome::Lost(format!("{what} is gone"))
}

fn is_pending(end: &End) -> bool {
    let End::Status(status, _) = end else { return false };
    matches!(status, DeploymentStatus::InProgress | DeploymentStatus::Cancelling | DeploymentStatus::DeleteInProgress)
}
