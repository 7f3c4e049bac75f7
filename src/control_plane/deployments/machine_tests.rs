//! The whole machine under random sequences: agents that claim, work, fall silent and come back late, people who cancel,
//! delete and decide, a clock that jumps. Whatever has happened, no state is a sink.

use std::collections::BTreeMap;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hadron_model::hadron::{
    AdoptResourcesInput, Adoption, DescribeStateInput, Hadron, PushStateInput, Role, State, UnblockStateInput,
};
use hadron_model::{CancelEnvironmentDeploymentInput, DeploymentStatus, Proton};
use http::Request;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::control_plane::deployments::tidy;
use crate::control_plane::records::{AccessKey, Action, Deployment, Environment, StateLock, TargetRuns};
use crate::control_plane::state_server::{handle, state_url};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::control_plane::test_plane::{LEASE, TestPlane, environment};
use crate::control_plane::wire::ProtonError;
use crate::support::Secret;
use crate::support::credential::state_password;

const AGENTS: [&str; 3] = ["a", "b", "c"];
const TARGETS: [&str; 2] = ["dev", "prod"];

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Deploy(usize),
    Cancel(usize),
    Delete(usize),
    /// An agent claims what its target is at, offered or not.
    Claim(usize, usize),
    /// What an agent does that had claimed something, perhaps long ago.
    Heartbeat(usize),
    Ask(usize),
    End(usize, bool),
    Lock(usize),
    Unlock(usize),
    Write(usize),
    Block(usize, u8),
    /// An operator runs one of the printed commands.
    WayOut(usize, usize),
    Pass(i64),
    Upkeep,
}

fn step() -> impl Strategy<Value = Step> {
    let (target, claim) = (0..TARGETS.len(), 0..8_usize);
    prop_oneof![
        2 => target.clone().prop_map(Step::Deploy),
        1 => target.clone().prop_map(Step::Cancel),
        1 => target.clone().prop_map(Step::Delete),
        6 => (0..AGENTS.len(), target.clone()).prop_map(|(agent, target)| Step::Claim(agent, target)),
        2 => claim.clone().prop_map(Step::Heartbeat),
        1 => claim.clone().prop_map(Step::Ask),
        3 => (claim.clone(), any::<bool>()).prop_map(|(claim, good)| Step::End(claim, good)),
        3 => claim.clone().prop_map(Step::Lock),
        1 => claim.clone().prop_map(Step::Unlock),
        2 => claim.clone().prop_map(Step::Write),
        2 => (claim, 0..4_u8).prop_map(|(claim, kind)| Step::Block(claim, kind)),
        2 => (target, 0..3_usize).prop_map(|(target, which)| Step::WayOut(target, which)),
        4 => prop_oneof![Just(1_000), Just(LEASE / 2), Just(LEASE + 1), Just(5 * LEASE)].prop_map(Step::Pass),
        1 => Just(Step::Upkeep),
    ]
}

/// A claim that an agent was given, and believes in.
#[derive(Debug, Clone)]
struct Claimed {
    agent: &'static str,
    deployment: Deployment,
    epoch: i64,
}

struct Machine {
    test: TestPlane,
    claims: Vec<Claimed>,
    serial: i64,
    /// What was last seen of every deployment.
    seen: BTreeMap<String, (i64, DeploymentStatus)>,
}

impl Machine {
    async fn new() -> Self {
        let test = TestPlane::new().await;
        for agent in AGENTS {
            let id = format!("AKIA{}", agent.to_uppercase());
            let key = AccessKey::new(&id, Secret::new(agent), &test.scope.account, agent, Role::Agent, 0);
            test.write(move |tx| Ok(tx.add(&AccessKey::scope(), &key)?)).await.unwrap();
        }
        for target in TARGETS {
            test.environment(target).await;
        }
        Self { test, claims: Vec::new(), serial: 1, seen: BTreeMap::new() }
    }

    /// One of the last eight claims.
    fn claim(&self, which: usize) -> Option<Claimed> {
        let from = self.claims.len().saturating_sub(8);
        self.claims.get(from + which).cloned()
    }

    async fn current(&self, target: &str) -> Option<Deployment> {
        let found = self.test.get::<Environment>(target).await?;
        Some(self.test.deployment(found.progress.last_attempted_deployment_id.as_deref()?).await)
    }

    async fn lock(&self, target: &str) -> Option<StateLock> {
        self.test.get::<StateLock>(&environment(target).arn(&self.test.scope)).await.map(|it| it.value)
    }

    /// A request of a run's to the state server; the status of the answer.
    async fn ask(&self, claim: &Claimed, method: &str, (blocks, query): (bool, &str), body: String) -> u16 {
        let (settings, scope) = (&self.test.plane.settings, &self.test.scope);
        let url = state_url(&settings.base_url, scope, &claim.deployment.target);
        let user = format!("{}.{}", claim.deployment.id, claim.epoch);
        let password = state_password(&Secret::new(claim.agent), &url, &user);
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let url = if blocks { url.replace("/_hadron/state/", "/_hadron/blocks/") } else { url };
        let request = Request::builder().method(method).uri(format!("{url}{query}")).header("authorization", basic);
        handle(&self.test.plane, request.body(Body::from(body)).unwrap()).await.status().as_u16()
    }

    async fn take_lock(&self, claim: &Claimed) -> u16 {
        let id = format!("{}-{}", claim.deployment.id, claim.epoch);
        self.ask(claim, "LOCK", (false, ""), json!({ "ID": id }).to_string()).await
    }

    fn state(&mut self) -> String {
        self.serial += 1;
        json!({ "version": 4, "lineage": "l", "serial": self.serial, "resources": [] }).to_string()
    }

    async fn happen(&mut self, step: &Step) {
        match *step {
            Step::Deploy(target) => {
                if self.test.get::<Environment>(TARGETS[target]).await.is_some() {
                    drop(self.test.deploy(environment(TARGETS[target]), Action::Update, "next").await);
                } else {
                    self.test.environment(TARGETS[target]).await;
                }
            }
            Step::Cancel(target) => {
                let input = CancelEnvironmentDeploymentInput { environment_name: TARGETS[target].into() };
                drop(self.test.plane.cancel_environment_deployment(&mut self.test.call(), input).await);
            }
            Step::Delete(target) => {
                let (engine, target) = (self.test.engine(), environment(TARGETS[target]));
                drop(self.test.write(move |tx| engine.delete(tx, &target).map(|it| it.value)).await);
            }
            Step::Claim(agent, target) => self.try_claim(AGENTS[agent], TARGETS[target]).await,
            Step::WayOut(target, which) => self.way_out(TARGETS[target], which).await,
            Step::Pass(milliseconds) => self.test.advance(milliseconds),
            Step::Upkeep => drop(tidy(&self.test.plane).await.unwrap()),
            Step::Heartbeat(claim)
            | Step::Ask(claim)
            | Step::End(claim, _)
            | Step::Lock(claim)
            | Step::Unlock(claim)
            | Step::Write(claim)
            | Step::Block(claim, _) => {
                if let Some(claim) = self.claim(claim) {
                    self.act(&claim, step).await;
                }
            }
        }
    }

    async fn try_claim(&mut self, agent: &'static str, target: &str) {
        let Some(deployment) = self.current(target).await else { return };
        let blocked = self.lock(target).await.is_some_and(|lock| lock.blocked.is_some());
        let live = deployment.live_lease(self.test.plane.clock.now()).cloned();
        let Ok(epoch) = self.test.agent(agent).claim(&deployment).await else { return };
        let again = deployment.lease.as_ref().is_some_and(|lease| lease.agent == agent);
        assert!(live.is_none_or(|lease| lease.agent == agent), "claimed under a live lease of another");
        assert!(again || !blocked, "claimed although it is blocked");
        assert_eq!(epoch, deployment.epoch + i64::from(!again), "a claim is a new epoch, its repeat the same");
        if !again {
            self.claims.push(Claimed { agent, deployment, epoch });
        }
    }

    /// What an agent does under a claim; one that is stale changes nothing in the deployment.
    async fn act(&mut self, claim: &Claimed, step: &Step) {
        let before = self.test.deployment(&claim.deployment.id).await;
        let stale = before.epoch != claim.epoch;
        let (agent, deployment, epoch) = (self.test.agent(claim.agent), &claim.deployment, claim.epoch);
        let reported = match step {
            Step::Heartbeat(_) => agent.heartbeat(deployment, epoch).await.map(drop),
            Step::Ask(_) => agent.ask(deployment, epoch, &"a".repeat(64), "1 to add").await.map(drop),
            Step::End(_, true) => agent.succeed(deployment, epoch, &[]).await.map(drop),
            Step::End(_, false) => agent.fail(deployment, epoch).await.map(drop),
            _ => {
                self.ask_state_server(claim, step).await;
                return;
            }
        };
        if stale {
            assert!(matches!(reported, Err(ProtonError::Conflict(_))), "a stale epoch was heard: {reported:?}");
            let after = self.test.deployment(&claim.deployment.id).await;
            assert_eq!(serde_json::to_value(&after).unwrap(), serde_json::to_value(&before).unwrap());
        }
    }

    async fn ask_state_server(&mut self, claim: &Claimed, step: &Step) {
        let id = format!("{}-{}", claim.deployment.id, claim.epoch);
        let answer = match step {
            Step::Lock(_) => self.take_lock(claim).await,
            Step::Unlock(_) => self.ask(claim, "UNLOCK", (false, ""), json!({ "ID": id }).to_string()).await,
            Step::Write(_) => {
                let state = self.state();
                self.ask(claim, "POST", (false, &format!("?ID={id}")), state).await
            }
            Step::Block(_, kind) => {
                let state = (*kind >= 2).then(|| self.state());
                let id = (kind % 2 == 0).then_some("id");
                let suspects = json!([{ "address": "t.x", "type": "t", "id": id }, { "address": "t.y", "type": "t" }]);
                let trouble = json!({ "reason": "left over", "suspects": suspects, "state": state });
                self.ask(claim, "POST", (true, ""), trouble.to_string()).await
            }
            other => unreachable!("{other:?}"),
        };
        assert!(answer < 500, "{step:?}: {answer}");
    }

    async fn described(&self, target: &str) -> Option<State> {
        let input = DescribeStateInput { target_arn: environment(target).arn(&self.test.scope) };
        Some(self.test.plane.describe_state(&mut self.test.call(), input).await.ok()?.state)
    }

    /// Runs one of the printed commands, which must lift the block whichever it is.
    async fn way_out(&mut self, target: &str, which: usize) {
        let Some(block) = self.described(target).await.and_then(|state| state.blocked) else { return };
        let command = block.commands[which % block.commands.len()].clone();
        match self.run(&command).await {
            Ok(state) => assert_eq!(state.blocked, None, "{command} alone lifts the block"),
            // A live run holds the lock: it is asked first, and its lease is a deadline.
            Err(ProtonError::Conflict(words)) => assert!(words.contains("wait for that run"), "{command}: {words}"),
            Err(other) => panic!("{command}: {other}"),
        }
    }

    /// Does what the command line does with a command.
    async fn run(&self, command: &str) -> Result<State, ProtonError> {
        let words: Vec<&str> = command.split(' ').collect();
        let (plane, call, target_arn) = (&self.test.plane, &mut self.test.call(), words[3].to_owned());
        let none = words.contains(&"--none").then_some(true);
        Ok(match words[2] {
            "push" => {
                let input =
                    PushStateInput { target_arn, body: None, force: None, parked: Some(true), none, moves: None };
                plane.push_state(call, input).await?.state
            }
            "adopt" => {
                let pairs = words[4..].iter().filter_map(|word| word.split_once('='));
                let named = pairs.map(|(address, id)| Adoption { address: address.into(), id: id.into() });
                let adoptions = Some(named.collect::<Vec<_>>()).filter(|named| !named.is_empty());
                plane.adopt_resources(call, AdoptResourcesInput { target_arn, adoptions, none }).await?.state
            }
            _ => {
                let input = UnblockStateInput { target_arn, serial: words[5].parse().unwrap() };
                plane.unblock_state(call, input).await?.state
            }
        })
    }

    async fn deployments(&self) -> Vec<Deployment> {
        let scope = self.test.scope.clone();
        let all = self.test.plane.store.read::<_, StoreError, _>(move |tx| tx.all::<Deployment>(&scope)).await.unwrap();
        all.into_iter().map(|it| it.value).collect()
    }

    /// What holds after whatever has happened.
    async fn check(&mut self) {
        let now = self.test.plane.clock.now();
        let all = self.deployments().await;
        for target in TARGETS {
            let arn = environment(target).arn(&self.test.scope);
            let of = all.iter().filter(|it| it.target_arn == arn && it.in_flight());
            let live = of.clone().filter(|it| it.live_lease(now).is_some()).count();
            assert!(live <= 1 && of.count() <= 1, "{target} has two under way");
        }
        for deployment in &all {
            let seen = self.seen.insert(deployment.id.clone(), (deployment.epoch, deployment.status));
            let (epoch, status) = seen.unwrap_or((0, deployment.status));
            assert!(deployment.epoch >= epoch, "an epoch went back");
            let ended = !matches!(
                status,
                DeploymentStatus::InProgress | DeploymentStatus::Cancelling | DeploymentStatus::DeleteInProgress
            );
            assert!(!ended || status == deployment.status, "an end isn't final");
        }
        self.check_places(all).await;
    }

    /// Every deployment under way names who must act, and until when or what it waits for.
    async fn check_places(&self, all: Vec<Deployment>) {
        let engine = self.test.engine();
        let placed = move |tx: &mut dyn Transaction| {
            let queue = engine.queue(tx)?;
            let under_way = all.iter().filter(|it| it.in_flight());
            under_way.map(|it| engine.place(tx, &queue, it)).collect::<Result<Vec<_>, StoreError>>()
        };
        for place in self.test.plane.store.read(placed).await.unwrap() {
            let place = place.expect("what is under way stands somewhere");
            assert!(!place.owner.is_empty() && !place.reason.is_empty(), "{place:?}");
            let waits = matches!(place.owner.as_str(), "agent" | "operator" | "people" | "pipeline");
            assert!(waits || place.deadline.is_some(), "{place:?}");
        }
    }

    /// Waits as Terraform does: an earlier claim of the same deployment is over only now, and its lock is passed on four
    /// silent leases later.
    async fn wait_for_lock(&self, claim: &Claimed) {
        for _ in 0..9 {
            if self.take_lock(claim).await == 200 {
                return;
            }
            self.test.advance(LEASE / 2);
            self.test.agent(claim.agent).heartbeat(&claim.deployment, claim.epoch).await.unwrap();
        }
        panic!("the lock of the dead is still held: {:?}", claim.deployment.target);
    }

    /// A willing agent, an operator who runs what is printed, and time: everything ends.
    async fn wind_up(&mut self) {
        for round in 0..3 {
            self.test.advance(5 * LEASE);
            tidy(&self.test.plane).await.unwrap();
            for (at, target) in TARGETS.iter().enumerate() {
                self.way_out(target, at + round).await;
                assert!(self.described(target).await.is_none_or(|state| state.blocked.is_none()));
            }
            let willing = self.test.agent("a");
            for id in willing.poll_for(10, "0").await.0 {
                let deployment = self.test.deployment(&id).await;
                let epoch = willing.claim(&deployment).await.unwrap();
                let claim = Claimed { agent: "a", deployment, epoch };
                self.wait_for_lock(&claim).await;
                self.test.agent("a").fail(&claim.deployment, epoch).await.unwrap();
            }
            self.check().await;
        }
        let open: Vec<_> = self.deployments().await.into_iter().filter(Deployment::in_flight).collect();
        assert!(open.is_empty(), "a sink: {open:?}");
        for target in TARGETS {
            assert!(self.lock(target).await.is_none_or(|lock| lock.holder.is_none()), "a lock was left");
        }
    }
}

#[test]
fn no_state_is_a_sink_whatever_happens() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let story = |steps: Vec<Step>| {
        runtime.block_on(async {
            let mut machine = Machine::new().await;
            for step in &steps {
                machine.happen(step).await;
                machine.check().await;
            }
            machine.wind_up().await;
        });
        Ok(())
    };
    runner.run(&prop::collection::vec(step(), 5..50), story).unwrap();
}

#[tokio::test]
async fn a_settled_target_owes_nothing() {
    let mut machine = Machine::new().await;
    for step in [Step::Claim(0, 0), Step::Lock(0), Step::Pass(LEASE + 1), Step::Claim(1, 0), Step::End(1, true)] {
        machine.happen(&step).await;
        machine.check().await;
    }
    assert!(machine.test.get::<TargetRuns>(&environment("dev").arn(&machine.test.scope)).await.is_none());
}
