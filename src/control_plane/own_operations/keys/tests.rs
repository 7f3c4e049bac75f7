use hadron_model::Timestamp;
use hadron_model::hadron::{
    CreateKeyInput, CreateKeyOutput, Hadron, ListKeysInput, RevokeKeyInput, Role, RotateKeyInput, RotateKeyOutput,
};

use crate::control_plane::keys::RecordKeys;
use crate::control_plane::records::AccessKey;
use crate::control_plane::store::Typed;
use crate::control_plane::test_plane::{START, TestPlane};
use crate::control_plane::wire::{Keys, ProtonError};
use crate::support::Secret;

fn wanted(name: &str, role: Role) -> CreateKeyInput {
    CreateKeyInput { name: name.into(), role, groups: None, environments: None, expires_at: None }
}

async fn create(test: &TestPlane, input: CreateKeyInput) -> Result<CreateKeyOutput, ProtonError> {
    test.plane.create_key(&mut test.call(), input).await
}

async fn revoke(test: &TestPlane, id: &str) -> Result<(), ProtonError> {
    test.plane.revoke_key(&mut test.call(), RevokeKeyInput { id: id.into() }).await.map(drop)
}

async fn rotate(test: &TestPlane, id: &str, grace: Option<i64>) -> Result<RotateKeyOutput, ProtonError> {
    test.plane.rotate_key(&mut test.call(), RotateKeyInput { id: id.into(), grace_seconds: grace }).await
}

async fn signs(keys: &RecordKeys, id: &str) -> bool {
    keys.find(id).await.unwrap().is_some()
}

fn keys(test: &TestPlane) -> RecordKeys {
    RecordKeys::of(&test.plane)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_told_once_and_signs() {
    let test = TestPlane::new().await;
    let input = CreateKeyInput {
        groups: Some(vec!["team-a".into(), "team-a".into()]),
        environments: Some(vec!["dev".into()]),
        ..wanted("ci", Role::Agent)
    };
    let made = create(&test, input).await.unwrap();
    let found = keys(&test).find(&made.key.id).await.unwrap().unwrap();
    assert_eq!(found.secret.reveal(), made.secret);
    assert_eq!((found.caller.role, found.caller.environments), (Role::Agent, vec!["dev".to_owned()]));
    assert_eq!(found.caller.principal, "arn:aws:iam::123456789012:user/ci");
    assert_eq!(found.caller.groups, ["team-a"]);
    let listed = test.plane.list_keys(&mut test.call(), ListKeysInput::default()).await.unwrap();
    assert_eq!(listed.keys, [made.key]);
    assert!(!serde_json::to_string(&listed).unwrap().contains(&made.secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_active_keys_share_a_name() {
    let test = TestPlane::new().await;
    create(&test, wanted("root", Role::Admin)).await.unwrap();
    let first = create(&test, wanted("ann", Role::Admin)).await.unwrap();
    let error = create(&test, wanted("ann", Role::Developer)).await.unwrap_err();
    assert!(matches!(&error, ProtonError::Conflict(words) if words.contains(&first.key.id)), "{error:?}");
    revoke(&test, &first.key.id).await.unwrap();
    create(&test, wanted("ann", Role::Developer)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_when_it_was_said_to() {
    let test = TestPlane::new().await;
    let at = |at| CreateKeyInput { expires_at: Some(Timestamp(at)), ..wanted("brief", Role::Developer) };
    assert!(matches!(create(&test, at(START)).await, Err(ProtonError::Validation(_))));
    let made = create(&test, at(START + 1500)).await.unwrap();
    let keys = keys(&test);
    assert!(signs(&keys, &made.key.id).await);
    test.advance(1500);
    assert!(!signs(&keys, &made.key.id).await, "being remembered doesn't prolong it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_signs_nothing_more_in_this_process() {
    let test = TestPlane::new().await;
    let made = create(&test, wanted("bob", Role::Developer)).await.unwrap();
    let keys = keys(&test);
    assert!(signs(&keys, &made.key.id).await);
    revoke(&test, &made.key.id).await.unwrap();
    assert!(!signs(&keys, &made.key.id).await);
    revoke(&test, &made.key.id).await.unwrap();
    assert!(matches!(revoke(&test, "AKIANOBODYHASTHIS").await, Err(ProtonError::ResourceNotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_cant_be_locked_out() {
    let test = TestPlane::new().await;
    let root = create(&test, wanted("root", Role::Admin)).await.unwrap().key;
    let bound = CreateKeyInput { environments: Some(vec!["dev".into()]), ..wanted("bound", Role::Admin) };
    create(&test, bound).await.unwrap();
    assert!(matches!(revoke(&test, &root.id).await, Err(ProtonError::Conflict(_))));
    assert!(matches!(rotate(&test, &root.id, Some(0)).await, Err(ProtonError::Conflict(_))));
    let next = rotate(&test, &root.id, None).await.unwrap().key;
    // The old one is on its way out, so the new one is the last.
    assert!(matches!(revoke(&test, &next.id).await, Err(ProtonError::Conflict(_))));
    revoke(&test, &root.id).await.unwrap();
    let other = create(&test, wanted("other", Role::Admin)).await.unwrap().key;
    rotate(&test, &next.id, Some(0)).await.unwrap();
    assert!(matches!(rotate(&test, &next.id, Some(0)).await, Err(ProtonError::Conflict(_))));
    revoke(&test, &other.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_goes_on_for_its_grace_and_no_longer() {
    let test = TestPlane::new().await;
    let input = CreateKeyInput { groups: Some(vec!["team-a".into()]), ..wanted("ann", Role::Platform) };
    let old = create(&test, input).await.unwrap().key;
    let next = rotate(&test, &old.id, Some(60)).await.unwrap().key;
    assert_eq!((&next.name, next.role, &next.groups), (&old.name, old.role, &old.groups));
    let stored = test.plane.store.read(move |tx| tx.get::<AccessKey>(&AccessKey::scope(), &old.id)).await;
    let stored = stored.unwrap_or_else(|error: crate::control_plane::store::StoreError| panic!("{error}")).unwrap();
    assert_eq!(stored.replaced_by.as_ref(), Some(&next.id));
    let keys = keys(&test);
    assert!(signs(&keys, &stored.id).await && signs(&keys, &next.id).await);
    test.advance(60_000);
    assert!(!signs(&keys, &stored.id).await && signs(&keys, &next.id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_prolongs_nothing() {
    let test = TestPlane::new().await;
    let end = Timestamp(START + 10_000);
    let input = CreateKeyInput { expires_at: Some(end), ..wanted("brief", Role::Developer) };
    let old = create(&test, input).await.unwrap().key;
    assert_eq!(rotate(&test, &old.id, None).await.unwrap().key.expires_at, Some(end));
    let listed = test.plane.list_keys(&mut test.call(), ListKeysInput::default()).await.unwrap().keys;
    assert!(listed.iter().all(|key| key.expires_at == Some(end)), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_accounts_keys_are_not_there() {
    let test = TestPlane::new().await;
    let id = "AKIAOFSOMEONEELSE";
    let foreign = AccessKey::new(id, Secret::new("s"), "210987654321", "them", Role::Admin, START);
    test.write(move |tx| Ok(tx.add(&AccessKey::scope(), &foreign)?)).await.unwrap();
    assert!(matches!(revoke(&test, id).await, Err(ProtonError::ResourceNotFound(_))));
    assert!(matches!(rotate(&test, id, None).await, Err(ProtonError::ResourceNotFound(_))));
    let listed = test.plane.list_keys(&mut test.call(), ListKeysInput::default()).await.unwrap();
    assert!(listed.keys.is_empty());
    let root = create(&test, wanted("root", Role::Admin)).await.unwrap().key;
    assert!(matches!(revoke(&test, &root.id).await, Err(ProtonError::Conflict(_))), "their admin is none of ours");
}
