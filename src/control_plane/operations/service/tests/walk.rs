//! Random walks: whatever users ask for and however deployments end, no service is stuck.

use std::collections::BTreeSet;

use hadron_model::ServiceStatus;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::{End, SERVICE_ARN, Shop, arn, spec};
use crate::control_plane::records::{Deployment, Service};
use crate::control_plane::store::Typed;
use crate::control_plane::wire::ProtonError;

const WALKS: u64 = 24;
const STEPS: usize = 50;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

struct Walk {
    shop: Shop,
    dice: StdRng,
    /// What happened, to be read when something is wrong.
    told: Vec<String>,
}

impl Walk {
    fn name(&mut self) -> &'static str {
        NAMES.choose(&mut self.dice).unwrap()
    }

    /// A spec with some of the instances, all on the port that the service's spec has for them.
    async fn some_spec(&mut self) -> String {
        let current = self.shop.get().await.map(|it| it.spec).unwrap_or_default();
        let current = crate::domain::ServiceSpec::parse(&current).map(|it| it.instances).unwrap_or_default();
        let port = |name: &str| {
            let known = current.iter().find(|it| it.name == name).and_then(|it| it.spec["port"].as_u64());
            known.map_or(80, |port| u16::try_from(port).unwrap())
        };
        let some: Vec<_> =
            NAMES.iter().filter(|_| self.dice.random_bool(0.6)).map(|name| (*name, port(name))).collect();
        spec(&some)
    }

    /// Something that a user asks for; refusals are fine, faults aren't.
    async fn ask(&mut self) {
        let (name, some) = (self.name(), self.some_spec().await);
        let port = self.dice.random_range(1..9);
        let own = spec(&[(name, port)]);
        let (what, result) = match self.dice.random_range(0..12) {
            0..2 => ("create", self.shop.create(&some).await.map(drop)),
            2..5 => ("update", self.shop.update(&some).await.map(drop)),
            5 => ("delete", self.shop.delete().await.map(drop)),
            6 => ("create instance", self.shop.create_instance(name, &own).await.map(drop)),
            7..9 => ("update instance", self.shop.update_instance(name, Some(&own)).await.map(drop)),
            9 => ("update pipeline", self.shop.update_pipeline(&some).await.map(drop)),
            10 => ("cancel pipeline", self.shop.cancel("pipeline").await.map(drop)),
            _ => ("cancel instance", self.shop.cancel(name).await.map(drop)),
        };
        self.heard(&format!("{what} {name}"), result).await;
    }

    async fn heard(&mut self, what: &str, result: Result<(), ProtonError>) {
        self.told.push(format!("{what}: {result:?} → {}", self.shop.shows().await));
        assert!(!matches!(result, Err(ProtonError::Internal(_))), "{:#?}", self.told);
    }

    async fn under_way(&self) -> Vec<Deployment> {
        let scope = self.shop.test.scope.clone();
        let read = self.shop.test.plane.store.read(move |tx| tx.by_term::<Deployment>(&scope, "in_flight", ""));
        read.await.unwrap().into_iter().map(|stored| stored.value).collect()
    }

    /// An agent takes something up, or ends it.
    async fn work(&mut self) -> bool {
        let under_way = self.under_way().await;
        let Some(deployment) = under_way.choose(&mut self.dice) else { return false };
        let end = *[End::Succeeded, End::Succeeded, End::Failed].choose(&mut self.dice).unwrap();
        let what = format!("{} {:?} {end:?}", deployment.target, deployment.action);
        if self.dice.random_bool(0.2) && deployment.lease.is_none() {
            self.shop.test.publish().await;
            let claimed = self.shop.test.agent("a").claim(deployment).await.map(drop);
            self.heard(&format!("claim {what}"), claimed).await;
        } else {
            let result = self.end(deployment, end).await;
            // Whoever holds a deployment can always end it.
            assert!(result.is_ok(), "{what}: {result:?} after {:#?}", self.told);
            self.heard(&what, result).await;
        }
        true
    }

    async fn end(&self, deployment: &Deployment, end: End) -> Result<(), ProtonError> {
        self.shop.test.advance(10);
        match (&deployment.lease, end) {
            (None, end) => self.shop.end_deployment(deployment, end).await,
            (Some(_), End::Succeeded) => {
                self.shop.test.agent("a").succeed(deployment, deployment.epoch, &[]).await.map(drop)
            }
            (Some(_), End::Failed) => self.shop.test.agent("a").fail(deployment, deployment.epoch).await.map(drop),
        }
    }

    /// What holds at any moment.
    async fn check(&self) {
        let under_way = self.under_way().await;
        let mut targets: Vec<_> = under_way.iter().map(|it| &it.target_arn).collect();
        targets.sort_unstable();
        let all = targets.len();
        targets.dedup();
        assert_eq!(targets.len(), all, "two deployments of one target: {:#?}", self.told);
        let shown = self.shop.shows().await;
        if under_way.is_empty() {
            assert!(!shown.contains("IN_PROGRESS") && !shown.contains("CANCELLING"), "stuck: {:#?}", self.told);
        }
        if let Some(service) = self.shop.test.get::<Service>("shop").await {
            let pending = service.pending_spec.is_some() || service.pipeline_before.is_some();
            assert!(!pending || shown.starts_with("UPDATE_"), "leftovers of a change: {:#?}", self.told);
        }
    }

    /// Everything under way ends, then the service is deleted as often as it takes.
    async fn finish(&mut self) {
        while self.work().await {}
        self.check().await;
        for _ in 0..100 {
            if self.shop.shows().await == "gone" {
                break;
            }
            let deleted = self.shop.delete().await;
            assert!(deleted.is_ok(), "a settled service can be deleted: {deleted:?} after {:#?}", self.told);
            while self.work().await {}
        }
        assert_eq!(self.shop.shows().await, "gone", "{:#?}", self.told);
        assert!(self.shop.instances().await.is_empty(), "{:#?}", self.told);
        self.shop.history(SERVICE_ARN).await;
        for name in NAMES.iter().chain(&["pipeline"]) {
            self.shop.history(&arn(name)).await;
            assert!(self.shop.tags(&arn(name)).await.is_none(), "{name} left its tags");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_service_is_ever_stuck() {
    let walks: Vec<_> = (0..WALKS).map(|seed| tokio::spawn(walk(seed))).collect();
    let mut seen = BTreeSet::new();
    for walk in walks {
        seen.extend(walk.await.unwrap());
    }
    let never: Vec<_> =
        ServiceStatus::ALL.iter().map(|status| status.as_str()).filter(|it| !seen.contains(*it)).collect();
    let cleanup =
        ["CREATE_FAILED_CLEANUP_IN_PROGRESS", "CREATE_FAILED_CLEANUP_COMPLETE", "CREATE_FAILED_CLEANUP_FAILED"];
    assert_eq!(never, cleanup, "the walks lead everywhere, and a failed creation is never cleaned up");
}

/// The statuses that the service went through.
async fn walk(seed: u64) -> Vec<String> {
    let told = vec![format!("seed {seed}")];
    let mut walk = Walk { shop: Shop::new().await, dice: StdRng::seed_from_u64(seed), told };
    for _ in 0..STEPS {
        if walk.dice.random_bool(0.5) {
            walk.ask().await;
        } else {
            walk.work().await;
        }
        walk.check().await;
    }
    walk.finish().await;
    walk.shop.history(SERVICE_ARN).await
}
