//! Everything that can be wrong with a repository: it is told, and everything else is read.

use hadron::domain::Target;
use hadron::estate::{self, Estate, Resource, Tree, Trouble, TroubleKind};
use serde_json::{Value, json};

use super::team::team;

const NOTE: &str = ".proton/deployment-metadata.json";

/// The team's repositories, one file changed; `None` removes it.
fn with(path: &str, change: impl Fn(&str) -> Option<String>) -> Vec<Tree> {
    let mut trees = team();
    let text = trees[0].files.get(path).map(|bytes| String::from_utf8(bytes.clone()).unwrap()).unwrap_or_default();
    match change(&text) {
        Some(text) => trees[0].files.insert(path.to_owned(), text.into_bytes()),
        None => trees[0].files.remove(path),
    };
    trees
}

/// Copies a directory of the first repository.
fn copied(trees: &mut [Tree], from: &str, to: &str) {
    let prefix = format!("{from}/");
    let copies: Vec<_> = trees[0]
        .files
        .iter()
        .filter_map(|(path, bytes)| Some((format!("{to}/{}", path.strip_prefix(&prefix)?), bytes.clone())))
        .collect();
    trees[0].files.extend(copies);
}

fn edited(trees: &mut [Tree], path: &str, edit: impl Fn(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&trees[0].files[path]).unwrap();
    edit(&mut document);
    trees[0].files.insert(path.to_owned(), document.to_string().into_bytes());
}

fn at<'a>(estate: &'a Estate, path: &str) -> Option<&'a Resource> {
    estate.resources.iter().find(|it| it.place.path == path)
}

#[track_caller]
fn told<'a>(estate: &'a Estate, kind: TroubleKind, words: &str) -> &'a Trouble {
    let found = estate.troubles.iter().find(|it| it.kind == kind && it.message.contains(words));
    found.unwrap_or_else(|| panic!("nobody says “{words}”: {:#?}", estate.troubles))
}

/// Everything but these directories was read.
#[track_caller]
fn without(estate: &Estate, paths: &[&str]) {
    let whole = estate::read(&team());
    let read = |path: &str| at(estate, path).is_some();
    for resource in &whole.resources {
        let path = resource.place.path.as_str();
        assert_eq!(read(path), !paths.contains(&path), "{path}: {:#?}", estate.troubles);
    }
}

#[test]
fn the_team_as_it_is_has_nothing_unreadable_or_inconsistent() {
    let estate = estate::read(&team());
    assert_eq!(estate.resources.len(), 10);
    let troubles: Vec<_> = estate.troubles.iter().filter(|it| it.kind != TroubleKind::Note).collect();
    assert!(troubles.is_empty(), "{troubles:#?}");
    assert_eq!(estate.configs.len(), 2);
    assert_eq!(estate.configs[0].entries["dev"].state_bucket.as_deref(), Some("acme-dev-state"));
}

#[test]
fn a_merge_that_never_ended_costs_one_directory() {
    for path in
        ["dev/pay-web/.proton/deployment-metadata.json", "dev/pay-web/proton.auto.tfvars.json", "dev/pay-web/main.tf"]
    {
        let trees = with(path, |text| Some(format!("{{\n<<<<<<< HEAD\n{text}\n=======\n{text}\n>>>>>>> proton--x\n")));
        let estate = estate::read(&trees);
        without(&estate, &["dev/pay-web"]);
        let trouble = told(&estate, TroubleKind::Unreadable, "leftovers of a merge");
        assert_eq!((trouble.place.path.as_str(), trouble.line), (path, Some(2)));
    }
}

#[test]
fn invalid_json_is_named_with_its_line_and_the_rest_is_read() {
    let path = "prod/proton.auto.tfvars.json";
    let estate = estate::read(&with(path, |text| Some(text.replace("\"vpc_cidr\" :", "\"vpc_cidr\""))));
    without(&estate, &["prod"]);
    let trouble = told(&estate, TroubleKind::Unreadable, "is no valid JSON");
    assert_eq!((trouble.place.path.as_str(), trouble.line), (path, Some(5)));
    assert!(trouble.message.contains("restore the file"), "{}", trouble.message);
    for (bytes, words) in
        [(b"\xff\xfe{\0}\0".to_vec(), "is UTF-16"), (b"{\n\"\xff\"}".to_vec(), "isn't UTF-8"), (Vec::new(), "is empty")]
    {
        let mut trees = team();
        trees[0].files.insert(path.to_owned(), bytes);
        told(&estate::read(&trees), TroubleKind::Unreadable, words);
    }
}

#[test]
fn byte_order_marks_and_other_line_ends_change_nothing() {
    let mut trees = team();
    for tree in &mut trees {
        for bytes in tree.files.values_mut() {
            let text = String::from_utf8(bytes.clone()).unwrap().replace('\n', "\r\n");
            *bytes = format!("\u{feff}{text}").into_bytes();
        }
    }
    let (changed, plain) = (estate::read(&trees), estate::read(&team()));
    assert_eq!(changed.resources, plain.resources);
    assert_eq!(changed.configs, plain.configs);
}

#[test]
fn of_two_directories_with_one_arn_the_living_counts_then_the_place() {
    let mut trees = team();
    copied(&mut trees, "dev/pay-web", "backup/dev/other");
    edited(&mut trees, "backup/dev/other/proton.auto.tfvars.json", |values| {
        values["service"]["branch_name"] = json!("x");
    });
    let estate = estate::read(&trees);
    assert!(at(&estate, "dev/pay-web").is_some() && at(&estate, "backup/dev/other").is_none());
    told(
        &estate,
        TroubleKind::Inconsistent,
        "is taken from dev/pay-web of infrastructure, which lies where Proton kept it",
    );

    edited(&mut trees, &format!("dev/pay-web/{NOTE}"), |note| note["isResourceDeleted"] = json!(true));
    let estate = estate::read(&trees);
    assert!(at(&estate, "dev/pay-web").is_none() && at(&estate, "backup/dev/other").is_some());
    told(&estate, TroubleKind::Note, "which lives, while this one is deleted");
}

#[test]
fn of_two_directories_that_nothing_tells_apart_neither_counts() {
    let mut trees = team();
    copied(&mut trees, "dev/pay-web", "copy/dev/pay-web");
    edited(&mut trees, "copy/dev/pay-web/proton.auto.tfvars.json", |values| {
        values["service"]["branch_name"] = json!("x");
    });
    let estate = estate::read(&trees);
    without(&estate, &["dev/pay-web"]);
    let lost: Vec<_> = estate.troubles.iter().filter(|it| it.kind == TroubleKind::Unreadable).collect();
    assert_eq!(lost.len(), 2);
    assert!(lost[0].message.contains("none of it tells which one counts"), "{}", lost[0].message);
}

#[test]
fn a_repository_that_is_named_twice_is_read_once() {
    let mut trees = team();
    trees.push(Tree { name: "again".to_owned(), ..trees[0].clone() });
    let estate = estate::read(&trees);
    assert_eq!(estate.resources.len(), 10);
    told(&estate, TroubleKind::Note, "which says the same");
}

#[test]
fn what_lives_in_a_missing_or_deleted_environment_is_told() {
    let mut trees = team();
    trees[0]
        .files
        .retain(|path, _| !path.starts_with("prod/") || path.matches('/').count() > 2 || path.contains("pay-"));
    trees[0].files.remove("prod/.proton/deployment-metadata.json");
    let estate = estate::read(&trees);
    without(&estate, &["prod"]);
    let trouble = told(&estate, TroubleKind::Inconsistent, "its environment prod was not found");
    assert!(trouble.message.contains("name the repository that holds it"));
    assert!(estate.troubles.iter().any(|it| it.place.path == "prod/components/bucket"));

    let trees = with(&format!("prod/{NOTE}"), |text| Some(text.replace("false", "true")));
    told(&estate::read(&trees), TroubleKind::Inconsistent, "lives in environment prod, which is deleted");
}

#[test]
fn a_directory_elsewhere_is_what_its_arn_says() {
    let mut trees = team();
    copied(&mut trees, "dev/pay-web", "archive/thing");
    trees[0].files.retain(|path, _| !path.starts_with("dev/pay-web/"));
    let estate = estate::read(&trees);
    let target = Target::ServiceInstance { service: "pay".to_owned(), name: "web".to_owned() };
    assert_eq!(at(&estate, "archive/thing").unwrap().target, target);
    told(&estate, TroubleKind::Inconsistent, "Proton kept in dev/pay-web; the ARN counts");
}

#[test]
fn links_and_files_that_were_not_read_are_named() {
    let mut trees = team();
    trees[0].files.remove("dev/pay-web/proton.auto.tfvars.json");
    trees[0]
        .skipped
        .push(("dev/pay-web/proton.auto.tfvars.json".to_owned(), "a link out of the repository".to_owned()));
    trees[0].skipped.push(("dev/shared.tf".to_owned(), "a link out of the repository".to_owned()));
    trees[0].skipped.push(("docs/picture.png".to_owned(), "binary".to_owned()));
    let estate = estate::read(&trees);
    without(&estate, &["dev/pay-web"]);
    told(&estate, TroubleKind::Unreadable, "a link out of the repository; put the file itself in its place");
    told(&estate, TroubleKind::Inconsistent, "not imported: shared.tf (a link out of the repository)");
    told(&estate, TroubleKind::Note, "docs/picture.png (binary)");

    let mut trees = team();
    trees[0].files.remove(&format!("dev/{NOTE}"));
    trees[0].skipped.push((format!("dev/{NOTE}"), "a link out of the repository".to_owned()));
    told(&estate::read(&trees), TroubleKind::Unreadable, "could not be read: a link out of the repository");
}

#[test]
fn a_note_alone_and_missing_values_are_unreadable_unless_deleted() {
    let mut trees = team();
    trees[0].files.retain(|path, _| !path.starts_with("dev/pay-web/") || path.ends_with(NOTE));
    let estate = estate::read(&trees);
    without(&estate, &["dev/pay-web"]);
    told(&estate, TroubleKind::Unreadable, "has nothing beside it");

    let estate = estate::read(&with("prod/pay-batch/proton.auto.tfvars.json", |_| None));
    without(&estate, &["prod/pay-batch"]);
    told(&estate, TroubleKind::Unreadable, "is missing, so that nobody knows the inputs");

    let mut trees = team();
    trees[0].files.retain(|path, _| !path.starts_with("prod/pay-legacy/") || path.ends_with(NOTE));
    without(&estate::read(&trees), &[]);
}

#[test]
fn values_without_a_note_are_told() {
    let estate = estate::read(&with(&format!("dev/pay-web/{NOTE}"), |_| None));
    without(&estate, &["dev/pay-web"]);
    told(&estate, TroubleKind::Note, "has proton.auto.tfvars.json but no .proton/deployment-metadata.json");
}

#[test]
fn a_broken_env_config_is_told_and_the_directories_are_read() {
    let estate = estate::read(&with("env_config.json", |text| Some(text.replacen('{', "{,", 1))));
    without(&estate, &[]);
    let trouble = told(&estate, TroubleKind::Inconsistent, "until then nobody knows where the states lie");
    assert_eq!(trouble.line, Some(1));
    let estate = estate::read(&with("env_config.json", |_| Some("[]".to_owned())));
    told(&estate, TroubleKind::Inconsistent, "is no object");
}

#[test]
fn what_notes_lack_or_have_more_is_no_obstacle() {
    let mut trees = team();
    let path = format!("dev/pay-web/{NOTE}");
    edited(&mut trees, &path, |note| {
        note["unknown"] = json!({ "x": [1] });
        note["deploymentId"] = json!(7);
        note["resourceMetadata"]["templateMajorVersion"] = json!(1);
        note["resourceMetadata"]["templateMinorVersion"] = json!(2.0);
        note["resourceMetadata"]["templateArn"] =
            json!("arn:aws:proton:us-east-1:123456789012:service-template/fargate:1.2");
        note["resourceMetadata"].as_object_mut().unwrap().remove("environmentArn");
        note.as_object_mut().unwrap().remove("isResourceDeleted");
    });
    let estate = estate::read(&trees);
    let resource = at(&estate, "dev/pay-web").unwrap();
    let version = resource.version.as_ref().unwrap();
    assert_eq!((version.template.as_str(), version.major.as_str(), version.minor.as_str()), ("fargate", "1", "2"));
    assert_eq!(version.template_arn, "arn:aws:proton:us-east-1:123456789012:service-template/fargate");
    assert_eq!(resource.environment.as_deref(), Some("dev"));
    assert_eq!(resource.deployment_id.as_deref(), Some("7"));
    assert!(!resource.deleted);

    edited(&mut trees, &path, |note| *note = json!({ "deploymentId": "x" }));
    told(&estate::read(&trees), TroubleKind::Unreadable, "names no version of its template");
    edited(&mut trees, &path, |note| *note = json!({ "resourceMetadata": { "arn": "arn:aws:s3:::bucket" } }));
    told(&estate::read(&trees), TroubleKind::Unreadable, "is not the ARN of an environment, service instance");
}

#[test]
fn banners_and_metadata_that_disagree_on_life_are_told() {
    let gone =
        "/*\nThis file is no longer managed by AWS Proton. The associated resource has been deleted in Proton.\n*/\n\n";
    let mut trees = team();
    for name in ["main.tf", "proton.component.variables.tf"] {
        let path = format!("prod/components/bucket/{name}");
        let text = String::from_utf8(trees[0].files[&path].clone()).unwrap();
        let (_, body) = text.split_once("*/\n\n").unwrap();
        trees[0].files.insert(path, format!("{gone}{body}").into_bytes());
        let estate = estate::read(&trees);
        let resource = at(&estate, "prod/components/bucket").unwrap();
        assert_eq!(resource.deleted, name != "main.tf");
        told(&estate, TroubleKind::Inconsistent, if resource.deleted { "taken as deleted" } else { "taken as live" });
    }
    // In the preview the metadata said nothing of it.
    edited(&mut trees, "prod/components/bucket/.proton/deployment-metadata.json", |note| {
        note.as_object_mut().unwrap().remove("isResourceDeleted");
    });
    let estate = estate::read(&trees);
    assert!(at(&estate, "prod/components/bucket").unwrap().deleted);
    assert!(!estate.troubles.iter().any(|it| it.kind == TroubleKind::Inconsistent && it.message.contains("deleted")));
}

#[test]
fn what_people_laid_beside_is_code_if_the_code_uses_it() {
    let mut trees = team();
    let mut add = |path: &str, text: &str| trees[0].files.insert(format!("dev/{path}"), text.as_bytes().to_vec());
    add("README.md", "x");
    add(".terraform.lock.hcl", "# lock");
    add("extra.auto.tfvars", "x = 1");
    add("scripts/start.sh", "x");
    add("scripts/deep/stop.sh", "x");
    add("unused/x.tf", "x");
    add("extra.tf", "locals {\n  script = file(\"${path.module}/scripts/start.sh\")\n}\n");
    let estate = estate::read(&trees);
    let dev = at(&estate, "dev").unwrap();
    let code: Vec<&str> = dev.code.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(code, ["extra.tf", "main.tf", "scripts/deep/stop.sh", "scripts/start.sh"]);
    told(&estate, TroubleKind::Note, "values beside Proton's are not imported: extra.auto.tfvars");
    told(&estate, TroubleKind::Note, "not imported: .terraform.lock.hcl, README.md, unused/");
    told(&estate, TroubleKind::Note, "written by hand, and taken as code: extra.tf");
}

#[test]
fn values_and_banners_of_another_resource_are_told() {
    let mut trees = team();
    edited(&mut trees, "dev/pay-web/proton.auto.tfvars.json", |values| {
        values["//"] = json!("arn:aws:proton:us-east-1:123456789012:environment/prod");
        values["environment"]["name"] = json!("prod");
    });
    let estate = estate::read(&trees);
    told(&estate, TroubleKind::Inconsistent, "the metadata counts");
    told(&estate, TroubleKind::Inconsistent, "puts it into environment dev, its values into prod");
    assert_eq!(at(&estate, "dev/pay-web").unwrap().environment.as_deref(), Some("dev"));
}

#[test]
fn a_repository_without_anything_of_protons_is_told() {
    let tree = Tree { name: "empty".to_owned(), ..Tree::default() };
    let estate = estate::read(&[tree]);
    assert!(estate.resources.is_empty());
    told(&estate, TroubleKind::Note, "holds no directory of Proton's");
}
