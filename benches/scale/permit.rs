//! What a decision of the policies takes, inside the process: from the call to the answer, with the look into the record
//! that a condition needs.

use std::time::{Duration, Instant};

use hadron::control_plane::authority::{ObjectAction, ObjectCaller, ObjectResource};
use hadron::control_plane::records::TagSet;
use hadron::control_plane::seal::{MasterKey, Sealer};
use hadron::control_plane::store::{Sqlite, Store, StoreError, Typed};
use hadron::control_plane::wire::paging::PageKey;
use hadron::control_plane::wire::{Call, Caller};
use hadron::control_plane::{DeploymentLimits, Plane, PlaneSettings};
use hadron::objects::{Objects, ObjectsConfig};
use hadron::support::{Clock, Secret};
use hadron_model::hadron::Role;
use hadron_model::{Action, Operation};
use http::HeaderMap;
use serde_json::{Value, json};

use super::fill::{self, Size};
use super::median_and_99th;

/// Decisions of each kind.
const ROUNDS: usize = 5_000;

/// A key in somebody's hands.
struct Key {
    role: Role,
    groups: &'static [&'static str],
    environments: &'static [&'static str],
}

const DEVELOPER: Key = Key { role: Role::Developer, groups: &["shop"], environments: &[] };
const STRANGER: Key = Key { role: Role::Developer, groups: &["search"], environments: &[] };
const AGENT: Key = Key { role: Role::Agent, groups: &[], environments: &["prod"] };
const ADMIN: Key = Key { role: Role::Admin, groups: &[], environments: &[] };

/// Asks for decisions, and prints what they took.
pub(crate) async fn decisions() {
    let plane = plane().await;
    println!("\nDecisions, {ROUNDS} of each, µs");
    println!("{:65} {:>8} {:>8}", "", "median", "p99");
    let instance = json!({"serviceName": "service-0", "name": "instance-0", "spec": "x", "deploymentType": "NONE"});
    let update = Operation::UpdateServiceInstance;
    let deployment = json!({"id": fill::deployment_id(0)});
    let get = Operation::GetDeployment;
    for (name, key, asked, permitted) in [
        ("UpdateServiceInstance by an admin: the role says it all", &ADMIN, (update, &instance), true),
        ("UpdateServiceInstance by a developer whose group owns it", &DEVELOPER, (update, &instance), true),
        ("the same by one whose group doesn't", &STRANGER, (update, &instance), false),
        ("GetDeployment by an agent that is bound to its environment", &AGENT, (get, &deployment), true),
    ] {
        line(name, &operation(&plane, key, asked, permitted).await);
    }
    line("GetObject of a run's record by the agent that claimed it", &object(&plane));
    line("for comparison: a transaction that reads nothing", &nothing(&plane).await);
}

async fn nothing(plane: &Plane) -> Vec<Duration> {
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        plane.store.read::<_, StoreError, _>(|_| Ok(())).await.unwrap();
        times.push(began.elapsed());
    }
    times
}

async fn operation(
    plane: &Plane,
    key: &Key,
    (operation, input): (Operation, &Value),
    permitted: bool,
) -> Vec<Duration> {
    let (call, action) = (key.call(), Action::Proton(operation));
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let outcome = plane.authority.permit(plane, &call, action, input).await;
        times.push(began.elapsed());
        assert_eq!(outcome.is_ok(), permitted, "{outcome:?}");
    }
    times
}

/// Here whoever asks has looked the object up already.
fn object(plane: &Plane) -> Vec<Duration> {
    let call = AGENT.call();
    let caller = ObjectCaller {
        access_key: call.caller.access_key,
        principal: call.caller.principal,
        account: call.scope.account.clone(),
        role: call.caller.role,
        groups: call.caller.groups,
        environments: call.caller.environments,
    };
    let object = ObjectResource {
        account: call.scope.account,
        bucket: "hadron".into(),
        key: Some("runs/1/1/log".into()),
        own: true,
        claimed: true,
    };
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let outcome = plane.authority.permit_object(&caller, ObjectAction::GetObject, &object);
        times.push(began.elapsed());
        outcome.unwrap();
    }
    times
}

fn line(name: &str, times: &[Duration]) {
    let (median, most) = median_and_99th(times.iter().map(|time| time.as_secs_f64() * 1e6).collect());
    println!("{name:65} {median:8.1} {most:8.1}");
}

impl Key {
    fn call(&self) -> Call {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Call {
            caller: Caller {
                access_key: "AKIASCALE".into(),
                principal: "arn:aws:iam::123456789012:user/scale".into(),
                role: self.role,
                groups: owned(self.groups),
                environments: owned(self.environments),
            },
            scope: fill::scope(),
            request_id: String::new(),
            now: fill::BEGAN,
            page_key: PageKey::derive(&Secret::new("scale")),
            peer: None,
            headers: HeaderMap::new(),
            answer_headers: HeaderMap::new(),
        }
    }
}

/// A control plane over the small record, whose first service has an owner. Nothing of the bucket is asked.
async fn plane() -> Plane {
    let objects = ObjectsConfig {
        endpoint: Some("http://127.0.0.1:9".into()),
        region: "us-east-1".into(),
        credentials: Some(("AKIASCALE".into(), Secret::new("scale"))),
        path_style: true,
        trust: None,
    };
    let settings = PlaneSettings {
        bucket: "hadron".into(),
        base_url: "http://127.0.0.1:9440".into(),
        lease: Duration::from_mins(1),
        serves_state: true,
        serves_objects: true,
        limits: DeploymentLimits::default(),
    };
    let store = fill::seal(&Store::new(Sqlite::temporary().unwrap()), MasterKey::random()).await;
    fill::fill(&store, Size { times: 1 }).await;
    let tags = TagSet {
        arn: fill::scope().arn("service/service-0"),
        tags: [("owner".to_owned(), "shop".to_owned())].into(),
        managed: [].into(),
    };
    store.write::<_, StoreError, _>(move |tx| tx.add(&fill::scope(), &tags)).await.unwrap();
    Plane::new(store, Objects::new(objects).await, Sealer::ephemeral(), Clock::system(), settings)
}
