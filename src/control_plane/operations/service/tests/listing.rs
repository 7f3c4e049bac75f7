//! ListServices and ListServiceInstances.

use hadron_model::{
    CreateServiceInput, ListServiceInstancesFilter, ListServiceInstancesFilterBy as By, ListServiceInstancesInput,
    ListServiceInstancesSortBy as SortBy, ListServicesInput, Proton, SortOrder, UpdateServiceInstanceInput,
};

use super::{End, Shop, given, is_validation, spec, to};
use crate::control_plane::wire::ProtonError;

/// `shop` with `a` and `b`, and ten milliseconds later `kiosk` with `a`, still under way.
async fn two_services() -> Shop {
    let shop = Shop::with(&[("b", 81), ("a", 80)]).await;
    let prod = spec(&[("a", 80)]).replace("environment: dev", "environment: prod");
    shop.create_from(CreateServiceInput { name: "kiosk".into(), ..given(&prod) }).await.unwrap();
    shop
}

async fn list(shop: &Shop, input: ListServiceInstancesInput) -> Result<(Vec<String>, Option<String>), ProtonError> {
    let listed = shop.test.plane.list_service_instances(&mut shop.test.call(), input).await?;
    let name = |it: &hadron_model::ServiceInstanceSummary| format!("{}/{}", it.service_name, it.name);
    Ok((listed.service_instances.iter().map(name).collect(), listed.next_token))
}

async fn filtered(shop: &Shop, filters: &[(By, &str)]) -> Result<Vec<String>, ProtonError> {
    let filter =
        |(key, value): &(By, &str)| ListServiceInstancesFilter { key: Some(*key), value: Some((*value).into()) };
    let filters = Some(filters.iter().map(filter).collect());
    Ok(list(shop, ListServiceInstancesInput { filters, ..ListServiceInstancesInput::default() }).await?.0)
}

async fn sorted(shop: &Shop, by: SortBy, order: SortOrder) -> Vec<String> {
    let input = ListServiceInstancesInput {
        sort_by: Some(by),
        sort_order: Some(order),
        ..ListServiceInstancesInput::default()
    };
    list(shop, input).await.unwrap().0
}

#[tokio::test]
async fn instances_are_listed_by_service_and_name() {
    let shop = two_services().await;
    let all = ListServiceInstancesInput::default();
    assert_eq!(list(&shop, all.clone()).await.unwrap().0, ["kiosk/a", "shop/a", "shop/b"]);
    let one = ListServiceInstancesInput { service_name: Some("shop".into()), ..all.clone() };
    assert_eq!(list(&shop, one).await.unwrap().0, ["shop/a", "shop/b"]);
    let none = ListServiceInstancesInput { service_name: Some("ghost".into()), ..all };
    assert!(matches!(list(&shop, none).await, Err(ProtonError::ResourceNotFound(_))));
}

#[tokio::test]
async fn all_filters_must_hold() {
    let shop = two_services().await;
    assert_eq!(filtered(&shop, &[(By::Name, "a")]).await.unwrap(), ["kiosk/a", "shop/a"]);
    assert_eq!(filtered(&shop, &[(By::Name, "a"), (By::ServiceName, "shop")]).await.unwrap(), ["shop/a"]);
    assert_eq!(filtered(&shop, &[(By::EnvironmentName, "prod")]).await.unwrap(), ["kiosk/a"]);
    assert_eq!(filtered(&shop, &[(By::DeploymentStatus, "IN_PROGRESS")]).await.unwrap(), ["kiosk/a"]);
    assert_eq!(filtered(&shop, &[(By::DeploymentStatus, "DELETE_FAILED")]).await.unwrap(), [""; 0]);
    assert!(is_validation(&filtered(&shop, &[(By::DeploymentStatus, "in_progress")]).await), "no status is called so");
    assert_eq!(filtered(&shop, &[(By::TemplateName, "bare")]).await.unwrap(), [""; 0]);
    let nameless = ListServiceInstancesFilter { key: Some(By::Name), value: None };
    let input = ListServiceInstancesInput { filters: Some(vec![nameless]), ..ListServiceInstancesInput::default() };
    assert!(is_validation(&list(&shop, input).await));
}

#[tokio::test]
async fn filters_by_time_leave_out_the_moment_itself() {
    let shop = two_services().await;
    let kiosk = sorted(&shop, SortBy::CreatedAt, SortOrder::Descending).await;
    assert_eq!(kiosk, ["kiosk/a", "shop/b", "shop/a"]);
    let moment = jiff::Timestamp::from_millisecond(shop.test.call().now).unwrap().to_string();
    assert_eq!(filtered(&shop, &[(By::CreatedAtBefore, &moment)]).await.unwrap(), ["shop/a", "shop/b"]);
    assert_eq!(filtered(&shop, &[(By::CreatedAtAfter, &moment)]).await.unwrap(), [""; 0]);
    assert_eq!(filtered(&shop, &[(By::CreatedAtAfter, "2026-11-22T01:00:00+02:00")]).await.unwrap().len(), 3);
    shop.update_instance("a", None).await.unwrap();
    assert_eq!(filtered(&shop, &[(By::LastDeploymentAttemptedAtAfter, &moment)]).await.unwrap(), ["shop/a"]);
    let before = [(By::LastDeploymentAttemptedAtBefore, moment.as_str()), (By::ServiceName, "shop")];
    assert_eq!(filtered(&shop, &before).await.unwrap(), ["shop/b"]);
    assert_eq!(
        sorted(&shop, SortBy::LastDeploymentAttemptedAt, SortOrder::Ascending).await,
        ["shop/b", "kiosk/a", "shop/a"]
    );
    assert!(is_validation(&filtered(&shop, &[(By::CreatedAtAfter, "yesterday")]).await));
}

#[tokio::test]
async fn staleness_is_a_filter() {
    let shop = two_services().await;
    shop.version((1, 1)).await;
    let minor = hadron_model::DeploymentUpdateType::MinorVersion;
    shop.update_instance_from(UpdateServiceInstanceInput { deployment_type: minor, ..to("a", None) }).await.unwrap();
    shop.end("a", End::Succeeded).await;
    let by = By::DeployedTemplateVersionStatus;
    assert_eq!(filtered(&shop, &[(by, "UP_TO_DATE")]).await.unwrap(), ["shop/a"]);
    assert_eq!(filtered(&shop, &[(by, "BEHIND_MINOR")]).await.unwrap(), ["kiosk/a", "shop/b"]);
    shop.version((2, 0)).await;
    assert_eq!(filtered(&shop, &[(by, "BEHIND_MAJOR")]).await.unwrap().len(), 3);
    assert!(is_validation(&filtered(&shop, &[(by, "OLD")]).await));
}

#[tokio::test]
async fn pages_follow_each_other_and_belong_to_their_query() {
    let shop = two_services().await;
    for order in [SortOrder::Ascending, SortOrder::Descending] {
        let mut input = ListServiceInstancesInput {
            max_results: Some(1),
            sort_by: Some(SortBy::Name),
            sort_order: Some(order),
            ..ListServiceInstancesInput::default()
        };
        let mut found = Vec::new();
        loop {
            let (page, token) = list(&shop, input.clone()).await.unwrap();
            assert_eq!(page.len(), 1);
            found.extend(page);
            input.next_token = token;
            if input.next_token.is_none() {
                break;
            }
        }
        assert_eq!(found, sorted(&shop, SortBy::Name, order).await);
    }
    let first = ListServiceInstancesInput { max_results: Some(1), ..ListServiceInstancesInput::default() };
    let (_, next_token) = list(&shop, first).await.unwrap();
    let other =
        ListServiceInstancesInput { next_token, sort_by: Some(SortBy::Name), ..ListServiceInstancesInput::default() };
    assert!(is_validation(&list(&shop, other).await), "a token of another query");
}

#[tokio::test]
async fn what_goes_between_two_pages_hides_nothing_else() {
    let shop = two_services().await;
    let input = ListServiceInstancesInput { max_results: Some(2), ..ListServiceInstancesInput::default() };
    let (first, next_token) = list(&shop, input.clone()).await.unwrap();
    assert_eq!(first, ["kiosk/a", "shop/a"]);
    shop.update(&spec(&[("b", 81)])).await.unwrap();
    shop.end("a", End::Succeeded).await;
    let (second, _) = list(&shop, ListServiceInstancesInput { next_token, ..input }).await.unwrap();
    assert_eq!(second, ["shop/b"]);
}

#[tokio::test]
async fn in_descending_order_too_nothing_is_hidden_or_told_twice() {
    for by in [SortBy::Name, SortBy::ServiceName, SortBy::TemplateName, SortBy::EnvironmentName, SortBy::CreatedAt] {
        let shop = two_services().await;
        let input = ListServiceInstancesInput {
            max_results: Some(1),
            sort_by: Some(by),
            sort_order: Some(SortOrder::Descending),
            ..ListServiceInstancesInput::default()
        };
        let mut left = sorted(&shop, by, SortOrder::Descending).await;
        let (first, next_token) = list(&shop, input.clone()).await.unwrap();
        assert_eq!(first, [left.remove(0)]);
        let more = given(&spec(&[("z", 90)]).replace("environment: dev", "environment: prod"));
        shop.create_from(CreateServiceInput { name: "zoo".into(), ..more }).await.unwrap();
        let mut next = ListServiceInstancesInput { next_token, ..input };
        let mut seen = Vec::new();
        while next.next_token.is_some() {
            let (page, next_token) = list(&shop, next.clone()).await.unwrap();
            seen.extend(page);
            next.next_token = next_token;
        }
        // Behind the first it may come up as well, but what was there comes once.
        seen.retain(|name| name != "zoo/z");
        assert_eq!(seen, left, "{by}");
    }
}

#[tokio::test]
async fn services_are_listed_by_name_without_their_spec() {
    let shop = two_services().await;
    let mut names = Vec::new();
    let mut input = ListServicesInput { max_results: Some(1), ..ListServicesInput::default() };
    loop {
        let listed = shop.test.plane.list_services(&mut shop.test.call(), input.clone()).await.unwrap();
        names.extend(listed.services.into_iter().map(|it| format!("{} {}", it.name, it.status)));
        input.next_token = listed.next_token;
        if input.next_token.is_none() {
            break;
        }
    }
    assert_eq!(names, ["kiosk CREATE_IN_PROGRESS", "shop ACTIVE"]);
}
