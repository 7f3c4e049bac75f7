//! The control plane is killed and started again in the middle of Terraform's last state write.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_proton::types::DeploymentUpdateType;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use crate::client::{Client, ask, environment_bundle, spec};
use crate::proxy::{Asked, Middle, Proxy};
use crate::support::plane::{Plane, Start, agent, free_port};

/// The id is random and lives in the state alone: only who has the state knows it.
const REMEMBERS: &str = r#"
resource "terraform_data" "one" {
  input = var.environment.inputs.word
}

output "Id" {
  value = terraform_data.one.id
}

output "Word" {
  value = terraform_data.one.output
}
"#;

/// Where the connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The server never sees the write.
    Before,
    /// The server has written; Terraform never hears of it.
    After,
}

/// When to cut, and how the test hears of it and says that the server is dead.
type Armed = (Moment, SyncSender<()>, Receiver<()>);

/// Cuts one state write, once told to, and waits until the server is dead.
#[derive(Default)]
struct Cutter {
    armed: Mutex<Option<Armed>>,
    /// The serials of all writes that were sent, and of the one that was cut.
    sent: Mutex<Vec<i64>>,
    cut: Mutex<Vec<i64>>,
}

impl Cutter {
    fn cut_at(&self, moment: Moment, serial: i64) -> bool {
        let mut armed = self.armed.lock().unwrap();
        let Some((_, cutting, dead)) = armed.take_if(|armed| armed.0 == moment) else { return true };
        self.cut.lock().unwrap().push(serial);
        cutting.send(()).unwrap();
        dead.recv().unwrap();
        false
    }
}

fn is_state_write(method: &http::Method, path: &str) -> bool {
    method == http::Method::POST && path.starts_with("/_hadron/state/")
}

impl Middle for Cutter {
    fn request(&self, request: &mut Request<Bytes>) -> bool {
        if !is_state_write(request.method(), request.uri().path()) {
            return true;
        }
        let state: Value = serde_json::from_slice(request.body()).unwrap();
        let serial = state["serial"].as_i64().unwrap();
        self.sent.lock().unwrap().push(serial);
        self.cut_at(Moment::Before, serial)
    }

    fn answer(&self, asked: &Asked, answer: &mut Response<Bytes>) -> bool {
        if !is_state_write(&asked.method, &asked.path) {
            return true;
        }
        assert_eq!(answer.status(), 200, "the write that is repeated is no error either");
        let serial = *self.sent.lock().unwrap().last().unwrap();
        self.cut_at(Moment::After, serial)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_during_the_last_state_write_is_bridged() {
    let port = free_port();
    let cutter = Arc::new(Cutter::default());
    let proxy = Proxy::start(format!("127.0.0.1:{port}"), &cutter).await;
    let env = [("HADRON_BASE_URL".to_owned(), proxy.url())].into();
    let mut plane = Plane::serve(Start { env, port, ..Start::default() });
    let _agent = agent(&plane, "agent", &Start::default());
    let user = Client::of(&plane).await;
    user.environment_template("remembers", environment_bundle(&["word"], REMEMBERS)).await;

    for (moment, name) in [(Moment::Before, "lost-request"), (Moment::After, "lost-answer")] {
        cutter.sent.lock().unwrap().clear();
        let (cutting, cut) = sync_channel(1);
        let (died, dead) = sync_channel(1);
        *cutter.armed.lock().unwrap() = Some((moment, cutting, dead));
        user.create_environment(name, "remembers", "word: first").await;
        tokio::task::block_in_place(|| cut.recv_timeout(Duration::from_mins(2)).expect("terraform writes a state"));
        plane.process().kill();
        died.send(()).unwrap();
        // Long enough for Terraform to knock at a closed door.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        tokio::task::block_in_place(|| plane.restart());
        user.deployed(name).await;
        let (sent, cut) = (cutter.sent.lock().unwrap().clone(), cutter.cut.lock().unwrap().pop());
        assert_eq!(sent.iter().max().copied(), cut, "the write that was cut was the last: {sent:?}");
        assert!(sent.len() > 1, "and it was repeated: {sent:?}");

        let before = user.outputs(name).await;
        let update = user.proton.update_environment().name(name).spec(spec("word: second"));
        ask!(update.deployment_type(DeploymentUpdateType::CurrentVersion));
        user.deployed(name).await;
        let after = user.outputs(name).await;
        assert_eq!((after["Word"].as_str(), &after["Id"]), ("second", &before["Id"]), "the state is there: {name}");
    }
}
