//! What a change by hand does to a service that is synced from Git.

use hadron_model::{DeploymentUpdateType as T, Operation as O, UpdateServiceInstanceInput};
use serde_json::{Value, json};

use super::{End, Shop, arn, spec, to};
use crate::control_plane::operations::tests::ask;

impl Shop {
    /// With a service sync configuration.
    async fn synced(instances: &[(&str, u16)]) -> Self {
        let shop = Self::with(instances).await;
        let connection = "arn:aws:codestar-connections:us-east-1:123456789012:connection/abc";
        let link = json!({"name": "acme/ops", "provider": "GITHUB", "connectionArn": connection});
        ask(&shop.test, O::CreateRepository, link).await.unwrap();
        shop.configure().await;
        shop
    }

    async fn configure(&self) {
        let config = json!({
            "serviceName": "shop", "branch": "main", "filePath": "ops.yaml",
            "repositoryName": "acme/ops", "repositoryProvider": "GITHUB",
        });
        ask(&self.test, O::CreateServiceSyncConfig, config).await.unwrap();
    }

    /// The latest blockers of the service, or of one of its instances.
    async fn blockers(&self, instance: Option<&str>) -> Result<Vec<Value>, &'static str> {
        let mut input = json!({"serviceName": "shop"});
        if let Some(instance) = instance {
            input["serviceInstanceName"] = json!(instance);
        }
        let summary = ask(&self.test, O::GetServiceSyncBlockerSummary, input.clone()).await?;
        let summary = &summary["serviceSyncBlockerSummary"];
        assert_eq!(summary["serviceName"], "shop");
        assert_eq!(summary.get("serviceInstanceName"), input.get("serviceInstanceName"));
        Ok(summary["latestBlockers"].as_array().unwrap().clone())
    }

    /// The statuses of those.
    async fn blocked(&self, instance: Option<&str>) -> Vec<String> {
        let blockers = self.blockers(instance).await.unwrap();
        blockers.iter().map(|it| it["status"].as_str().unwrap().to_owned()).collect()
    }

    async fn resolve(&self, blocker: &Value) -> Result<Value, &'static str> {
        self.test.advance(10);
        let input = json!({"id": blocker["id"], "resolvedReason": "on purpose"});
        ask(&self.test, O::UpdateServiceSyncBlocker, input).await
    }
}

#[tokio::test]
async fn an_update_by_hand_blocks_its_instance_until_that_is_resolved() {
    let shop = Shop::synced(&[("a", 80), ("b", 80)]).await;
    shop.update_instance("a", Some(&spec(&[("a", 81), ("b", 80)]))).await.unwrap();
    shop.end("a", End::Succeeded).await;
    let blockers = shop.blockers(Some("a")).await.unwrap();
    let blocker = &blockers[0];
    assert_eq!((&blocker["status"], &blocker["type"]), (&json!("ACTIVE"), &json!("AUTOMATED")));
    assert!(blocker["createdReason"].as_str().unwrap().contains(&arn("a")), "{blocker}");
    assert_eq!(blocker["contexts"], json!([{"key": "AUTOMATED", "value": "Sun Nov 22 00:00:00 UTC 2026"}]));
    assert_eq!((shop.blocked(Some("b")).await.len(), shop.blocked(None).await.len()), (0, 0), "others go on");

    shop.update_instance("a", None).await.unwrap();
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.blocked(Some("a")).await, ["ACTIVE"], "blocked is blocked");
    let resolved = shop.resolve(blocker).await.unwrap();
    assert_eq!((&resolved["serviceName"], &resolved["serviceInstanceName"]), (&json!("shop"), &json!("a")));
    let shown = &resolved["serviceSyncBlocker"];
    assert_eq!((&shown["status"], &shown["resolvedReason"]), (&json!("RESOLVED"), &json!("on purpose")));
    assert!(shown["resolvedAt"].is_number());
    assert_eq!(shop.resolve(blocker).await, Err("Conflict"));
    shop.update_instance("a", None).await.unwrap();
    assert_eq!(shop.blocked(Some("a")).await, ["ACTIVE", "RESOLVED"], "newest first");
    assert_eq!(shop.resolve(&json!({"id": "nothing"})).await, Err("NotFound"));
}

#[tokio::test]
async fn only_so_many_blockers_are_remembered() {
    let shop = Shop::synced(&[("a", 80)]).await;
    for _ in 0..12 {
        shop.update_instance("a", None).await.unwrap();
        shop.end("a", End::Succeeded).await;
        let blockers = shop.blockers(Some("a")).await.unwrap();
        shop.resolve(&blockers[0]).await.unwrap();
    }
    assert_eq!(shop.blocked(Some("a")).await.len(), 10);
}

#[tokio::test]
async fn what_deploys_nothing_or_is_refused_blocks_nothing() {
    let shop = Shop::synced(&[("a", 80)]).await;
    shop.update_instance_from(UpdateServiceInstanceInput { deployment_type: T::None, ..to("a", None) }).await.unwrap();
    shop.update_instance("a", Some("nonsense")).await.unwrap_err();
    assert_eq!(shop.blocked(Some("a")).await.len(), 0);
}

#[tokio::test]
async fn a_created_instance_is_blocked_and_a_removed_one_blocks_the_service() {
    let shop = Shop::synced(&[("a", 80)]).await;
    shop.create_instance("b", &spec(&[("b", 81)])).await.unwrap();
    shop.end("b", End::Succeeded).await;
    shop.end("pipeline", End::Succeeded).await;
    assert_eq!(shop.blocked(Some("b")).await, ["ACTIVE"]);
    shop.update(&spec(&[("a", 80), ("c", 82)])).await.unwrap();
    assert_eq!(shop.blocked(Some("c")).await, ["ACTIVE"]);
    assert_eq!(shop.blocked(None).await, ["ACTIVE"]);
    let blockers = shop.blockers(None).await.unwrap();
    assert!(blockers[0]["createdReason"].as_str().unwrap().contains(&arn("b")));
    let resolved = shop.resolve(&blockers[0]).await.unwrap();
    assert_eq!((&resolved["serviceName"], resolved.get("serviceInstanceName")), (&json!("shop"), None));
}

#[tokio::test]
async fn a_summary_is_of_something_that_is_there() {
    let shop = Shop::synced(&[("a", 80)]).await;
    assert_eq!(shop.blockers(Some("nothing")).await, Err("NotFound"));
    let unknown = json!({"serviceName": "nothing"});
    assert_eq!(ask(&shop.test, O::GetServiceSyncBlockerSummary, unknown).await, Err("NotFound"));
}

#[tokio::test]
async fn blockers_go_with_the_configuration_and_with_the_service() {
    let shop = Shop::synced(&[("a", 80)]).await;
    shop.update_instance("a", None).await.unwrap();
    shop.end("a", End::Succeeded).await;
    ask(&shop.test, O::DeleteServiceSyncConfig, json!({"serviceName": "shop"})).await.unwrap();
    assert_eq!(shop.blocked(Some("a")).await.len(), 0);
    shop.update_instance("a", None).await.unwrap();
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.blocked(Some("a")).await.len(), 0, "not synced, not blocked");
    shop.configure().await;
    shop.delete().await.unwrap();
    shop.end("pipeline", End::Succeeded).await;
    shop.end("a", End::Succeeded).await;
    assert_eq!(shop.shows().await, "gone");
    assert_eq!(ask(&shop.test, O::GetServiceSyncConfig, json!({"serviceName": "shop"})).await, Err("NotFound"));
    ask(&shop.test, O::DeleteRepository, json!({"name": "acme/ops", "provider": "GITHUB"})).await.unwrap();
}
