//! The shipped policies: which role may do what.

use std::fmt::Write as _;

use hadron_model::hadron::Role;
use hadron_model::{Action, Kind as ShapeKind};

use super::super::facts::Resource;
use super::super::objects::{ObjectAction, ObjectResource};
use super::super::resources::on;
use super::super::rules::{Asked, Principal, Rules, Surroundings, What};
use super::super::schema::{SCHEMA, TEXT};
use super::super::{Authority, PolicySource};

#[test]
fn the_schema_has_an_action_for_every_operation() {
    let actions: Vec<String> = SCHEMA.actions().map(ToString::to_string).collect();
    for asked in Asked::all() {
        assert!(actions.contains(&asked.uid().to_string()), "{} isn't in the schema:\n{}", asked.iam(), *TEXT);
    }
}

#[test]
fn the_table_names_members_that_the_models_have() {
    for action in Action::all() {
        let ShapeKind::Structure { members, .. } = action.input().kind else { panic!("{}", action.name()) };
        for member in on(action).members() {
            assert!(members.iter().any(|known| known.name == member), "{} has no {member}", action.name());
        }
    }
}

#[test]
fn who_may_do_what() {
    let rules = PolicySource::default().compile(&Vec::new()).unwrap();
    let mut table = String::new();
    for asked in Asked::all() {
        let cells: Vec<&str> = Role::ALL.iter().map(|role| cell(&rules, *role, asked)).collect();
        writeln!(table, "{:<48}{}", asked.iam(), cells.join("")).unwrap();
    }
    let heads: Vec<String> = Role::ALL.iter().map(|role| format!("{:<11}", role.as_str())).collect();
    let page = format!("{:<48}{}\n{}", "", heads.join(""), table);
    let page: Vec<&str> = page.lines().map(str::trim_end).collect();
    insta::assert_snapshot!("who_may_do_what", page.join("\n"));
}

/// `some`: it depends on the resource.
fn cell(rules: &Rules, role: Role, asked: Asked) -> &'static str {
    let account = "123456789012";
    let principal = Principal {
        id: "AKIAKEY",
        arn: "arn:aws:iam::123456789012:user/it",
        account,
        role,
        groups: &[],
        environments: &[],
    };
    let around = Surroundings::default();
    let answers: Vec<bool> = match asked {
        Asked::Operation(action) => on(action)
            .kinds()
            .into_iter()
            .map(|kind| Resource {
                kind: Some(kind),
                arn: "arn:aws:proton:us-east-1:1:x".into(),
                ..Resource::default()
            })
            .map(|resource| rules.decide(&principal, asked, &What::Resource(&resource), &around).is_ok())
            .collect(),
        Asked::Object(action) => samples(action)
            .iter()
            .map(|it| rules.decide(&principal, asked, &What::Object(it), &around).is_ok())
            .collect(),
    };
    match (answers.contains(&true), answers.contains(&false)) {
        (true, false) => "yes        ",
        (true, true) => "some       ",
        (false, _) => "-          ",
    }
}

fn samples(action: ObjectAction) -> Vec<ObjectResource> {
    let keys: &[Option<&str>] = match action {
        ObjectAction::CreateBucket
        | ObjectAction::DeleteBucket
        | ObjectAction::GetBucketLocation
        | ObjectAction::ListAllMyBuckets
        | ObjectAction::ListBucketMultipartUploads
        | ObjectAction::Unserved => &[None],
        ObjectAction::ListBucket => &[None, Some("runs/id/1/"), Some("bundles/sha256/")],
        _ => &[
            Some("bundles/sha256/a"),
            Some("runs/id/1/log/0"),
            Some("runs/id/1/plan.json"),
            Some("locks/sha256/a/instance.hcl"),
            Some("other"),
        ],
    };
    let sample = |own: bool, claimed: bool, key: Option<&str>| ObjectResource {
        bucket: "b".into(),
        key: key.map(str::to_owned),
        account: "123456789012".into(),
        own,
        claimed,
    };
    let each =
        keys.iter().flat_map(|key| [sample(false, false, *key), sample(true, false, *key), sample(true, true, *key)]);
    each.collect()
}

#[test]
fn an_answer_given_beforehand_is_the_answer() {
    use super::super::rules::Beforehand;
    let rules = PolicySource::default().compile(&Vec::new()).unwrap();
    let mut undecided = 0;
    for role in Role::ALL {
        for asked in Asked::all() {
            match rules.beforehand(*role, asked) {
                Beforehand::DependsOnResource => undecided += 1,
                Beforehand::Decided(decision) => {
                    let expected = if decision.is_ok() { "yes" } else { "-" };
                    assert_eq!(cell(&rules, *role, asked).trim(), expected, "{role} {}", asked.iam());
                }
            }
        }
    }
    assert!(undecided > 0);
}

#[test]
fn objects_of_another_account_are_nobodys_to_touch() {
    use hadron_model::hadron::Role::Admin;
    let authority = Authority::default();
    let caller = super::super::ObjectCaller {
        access_key: "AKIAKEY".into(),
        principal: "arn:aws:iam::123456789012:user/it".into(),
        account: "123456789012".into(),
        role: Admin,
        groups: vec![],
        environments: vec![],
    };
    let of = |account: &str| ObjectResource {
        bucket: "b".into(),
        key: Some("k".into()),
        account: account.into(),
        ..Default::default()
    };
    let ask = |account| authority.permit_object(&caller, ObjectAction::GetObject, &of(account));
    assert_eq!(ask("123456789012"), Ok(()));
    assert_eq!(ask(""), Ok(()));
    insta::assert_snapshot!(ask("210987654321").unwrap_err(), @"User: arn:aws:iam::123456789012:user/it is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::b/k with an explicit deny in a policy: objects-of-another-account");
}
