//! A control plane with one environment's deployment, and a run that talks to its state server.

use std::time::Duration;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hadron::control_plane::records::{AccessKey, Deployment, Lease};
use hadron::control_plane::seal::Sealer;
use hadron::control_plane::state_server::{self, sealed_url, state_url};
use hadron::control_plane::store::{Sqlite, Store, StoreError, Transaction, Typed};
use hadron::control_plane::{Plane, PlaneSettings};
use hadron::domain::{Scope, Target};
use hadron::objects::{Objects, ObjectsConfig};
use hadron::support::credential::state_password;
use hadron::support::{Clock, Secret};
use hadron_model::DeploymentStatus;
use hadron_model::hadron::Role;
use http::Request;
use serde_json::{Value, json};

use super::{lock_info, md5};

pub(crate) struct Bench {
    pub(crate) plane: Plane,
}

/// What came back: the status and the body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer(pub(crate) u16, pub(crate) String);

impl Bench {
    /// Deployment `d1` of the environment `dev`, claimed as epoch 1 with the key AKIA1.
    pub(crate) async fn new() -> Self {
        Self::at("http://127.0.0.1:9440").await
    }

    pub(crate) async fn at(base_url: &str) -> Self {
        let settings = PlaneSettings {
            bucket: "hadron".into(),
            base_url: base_url.into(),
            lease: Duration::from_mins(1),
            serves_state: true,
            serves_objects: true,
            limits: hadron::control_plane::DeploymentLimits::default(),
        };
        let bucket = ObjectsConfig {
            endpoint: Some(base_url.into()),
            region: "us-east-1".into(),
            credentials: Some(("AKIA1".into(), Secret::new("unused"))),
            path_style: true,
            trust: None,
        };
        let plane = Plane::new(
            Store::new(Sqlite::temporary().unwrap()),
            Objects::new(bucket).await,
            Sealer::ephemeral(),
            Clock::fixed(1_000_000),
            settings,
        );
        let bench = Self { plane };
        bench.add_key("AKIA1").await;
        bench.add_key("AKIA2").await;
        bench.add_deployment("d1", "dev").await;
        bench.claim("d1", "AKIA1").await;
        bench
    }

    async fn add_key(&self, id: &'static str) {
        let key = AccessKey::new(id, Secret::new(secret_of(id)), &scope().account, "agent", Role::Agent, 0);
        let add = move |tx: &mut dyn Transaction| tx.add(&AccessKey::scope(), &key);
        self.plane.store.write::<_, StoreError, _>(add).await.unwrap();
    }

    pub(crate) async fn remove_key(&self, id: &'static str) {
        let remove = move |tx: &mut dyn Transaction| {
            let key = tx.get::<AccessKey>(&AccessKey::scope(), id)?.unwrap();
            tx.delete(&AccessKey::scope(), &key)
        };
        self.plane.store.write::<_, StoreError, _>(remove).await.unwrap();
    }

    pub(crate) async fn revoke_key(&self, id: &'static str) {
        let revoke = move |tx: &mut dyn Transaction| {
            let mut key = tx.get::<AccessKey>(&AccessKey::scope(), id)?.unwrap();
            key.revoked_at = Some(0);
            tx.save(&AccessKey::scope(), &mut key)
        };
        self.plane.store.write::<_, StoreError, _>(revoke).await.unwrap();
    }

    pub(crate) async fn add_deployment(&self, id: &str, environment: &str) {
        let target = Target::Environment { name: environment.into() };
        let deployment: Deployment = serde_json::from_value(json!({
            "id": id, "action": "create", "target": target, "target_arn": target.arn(&scope()), "target_created_at": 0,
            "environment": environment, "status": "IN_PROGRESS", "created_at": 0, "last_modified_at": 0,
            "target_state": { "component_deployment_ids": [] }, "bundle": { "uri": "", "digest": "" },
            "inputs_uri": "", "sealed_inputs": [], "state_key": "", "outputs": [], "epoch": 0,
            "ever_claimed": false, "executor": "agent",
        }))
        .unwrap();
        let add = move |tx: &mut dyn Transaction| tx.add(&scope(), &deployment);
        self.plane.store.write::<_, StoreError, _>(add).await.unwrap();
    }

    pub(crate) async fn delete_deployment(&self, id: &'static str) {
        let remove = move |tx: &mut dyn Transaction| {
            let deployment = tx.get::<Deployment>(&scope(), id)?.unwrap();
            tx.delete(&scope(), &deployment)
        };
        self.plane.store.write::<_, StoreError, _>(remove).await.unwrap();
    }

    /// Changes a deployment as the operations would.
    pub(crate) async fn change(&self, id: &'static str, change: impl Fn(&mut Deployment) + Send + 'static) {
        let save = move |tx: &mut dyn Transaction| {
            let mut deployment = tx.get::<Deployment>(&scope(), id)?.unwrap();
            change(&mut deployment);
            tx.save(&scope(), &mut deployment)
        };
        self.plane.store.write::<_, StoreError, _>(save).await.unwrap();
    }

    /// The next claim of a deployment.
    pub(crate) async fn claim(&self, id: &'static str, key: &'static str) {
        let since = self.plane.clock.now();
        let lease =
            Lease { agent: format!("agent-of-{key}"), access_key: key.into(), since, expires_at: since + 60_000 };
        self.change(id, move |deployment| {
            deployment.epoch += 1;
            deployment.lease = Some(lease.clone());
        })
        .await;
    }

    /// The deployment's end, as a terminal notify leaves it.
    pub(crate) async fn finish(&self, id: &'static str) {
        let now = self.plane.clock.now();
        self.change(id, move |deployment| {
            deployment.status = DeploymentStatus::Failed;
            deployment.completed_at = Some(now);
            deployment.lease = None;
        })
        .await;
    }

    pub(crate) fn lose_lease(&self) {
        self.plane.clock.advance(61_000);
    }

    /// Lets so many leases pass.
    pub(crate) fn wait_leases(&self, leases: i64) {
        self.plane.clock.advance(leases * 60_000);
    }

    /// The run of a claim.
    pub(crate) fn run(&self, deployment: &str, epoch: i64, key: &str, environment: &str) -> Run {
        let target = Target::Environment { name: environment.into() };
        let url = state_url(&self.plane.settings.base_url, &scope(), &target);
        let sealed = sealed_url(&self.plane.settings.base_url, deployment);
        let (username, secret) = (format!("{deployment}.{epoch}"), Secret::new(secret_of(key)));
        let password = state_password(&secret, &url, &username);
        let sealed_password = state_password(&secret, &sealed, &username);
        Run { plane: self.plane.clone(), url, username, password, sealed, sealed_password }
    }

    /// The run of the first claim.
    pub(crate) fn first(&self) -> Run {
        self.run("d1", 1, "AKIA1", "dev")
    }
}

pub(crate) fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

fn secret_of(key: &str) -> String {
    format!("secret-of-{key}")
}

/// A run that asks the state server as Terraform would.
pub(crate) struct Run {
    plane: Plane,
    pub(crate) url: String,
    pub(crate) username: String,
    pub(crate) password: String,
    sealed: String,
    sealed_password: String,
}

impl Run {
    pub(crate) async fn get(&self) -> Answer {
        self.send("GET", "", "", &[]).await
    }

    pub(crate) async fn lock(&self, id: &str) -> Answer {
        self.send("LOCK", "", &lock_info(id), &[]).await
    }

    pub(crate) async fn unlock(&self, id: &str) -> Answer {
        self.send("UNLOCK", "", &lock_info(id), &[]).await
    }

    pub(crate) async fn force_unlock(&self) -> Answer {
        self.send("UNLOCK", "", "", &[]).await
    }

    pub(crate) async fn post(&self, id: &str, state: &str) -> Answer {
        self.send("POST", &format!("?ID={id}"), state, &[("content-md5", md5(state))]).await
    }

    pub(crate) async fn sealed(&self) -> Answer {
        let request = Request::builder().method("GET").uri(self.sealed.as_str());
        let basic = STANDARD.encode(format!("{}:{}", self.username, self.sealed_password));
        let request = request.header("authorization", format!("Basic {basic}"));
        answer(&self.plane, request.body(Body::empty()).unwrap()).await
    }

    /// Says that it can't settle the state.
    pub(crate) async fn block(&self, trouble: &Value) -> Answer {
        self.ask_blocks("POST", trouble.to_string()).await
    }

    /// Asks what it is to adopt.
    pub(crate) async fn adoptions(&self) -> Answer {
        self.ask_blocks("GET", String::new()).await
    }

    /// Offers a body that is no state and must not be read, to the state's address or to its blocks'.
    pub(crate) async fn offer(&self, path: &str) -> Answer {
        let url = self.url.replace("/_hadron/state/", path);
        let basic = STANDARD.encode(format!("{}:{}", self.username, self.password));
        let request = Request::builder().method("POST").uri(url).header("authorization", format!("Basic {basic}"));
        let unread = futures::stream::once(async { panic!("the body was read") as Result<&str, std::io::Error> });
        answer(&self.plane, request.body(Body::from_stream(unread)).unwrap()).await
    }

    async fn ask_blocks(&self, method: &str, body: String) -> Answer {
        let url = self.url.replace("/_hadron/state/", "/_hadron/blocks/");
        let basic = STANDARD.encode(format!("{}:{}", self.username, self.password));
        let request = Request::builder().method(method).uri(url).header("authorization", format!("Basic {basic}"));
        answer(&self.plane, request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn send(&self, method: &str, query: &str, body: &str, headers: &[(&str, String)]) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{query}", self.url));
        let basic = STANDARD.encode(format!("{}:{}", self.username, self.password));
        request = request.header("authorization", format!("Basic {basic}"));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        answer(&self.plane, request.body(Body::from(body.to_owned())).unwrap()).await
    }
}

async fn answer(plane: &Plane, request: Request<Body>) -> Answer {
    let response = state_server::handle(plane, request).await;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    Answer(status, String::from_utf8(body.to_vec()).unwrap())
}

impl Answer {
    /// The reason that a refusal gives.
    pub(crate) fn reason(&self) -> String {
        self.json()["reason"].as_str().unwrap().to_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.1).unwrap()
    }
}
