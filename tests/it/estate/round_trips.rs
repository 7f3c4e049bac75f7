//! A thousand worlds: read, rebuilt, checked as at registration, rendered and compared.

use std::collections::BTreeMap;
use std::time::Instant;

use hadron::domain::{Target, check_bundle};
use hadron::estate::{self, Age, Dump, Estate, Rebuilt, Resource, TroubleKind, Verdict};

use super::generator::{World, large, world};
use super::writer::{Deployed, Time};

/// What was read says what was deployed.
fn assert_read(world: &World, estate: &Estate, seed: u64) {
    let unreadable: Vec<_> = estate.troubles.iter().filter(|it| it.kind == TroubleKind::Unreadable).collect();
    assert!(unreadable.is_empty(), "world {seed}: {unreadable:?}");
    assert_eq!(estate.resources.len(), world.deployed.len(), "world {seed}");
    let read: BTreeMap<&str, &Resource> = estate.resources.iter().map(|it| (it.arn.as_str(), it)).collect();
    for (place, deployed) in &world.deployed {
        let resource = read[deployed.arn().as_str()];
        let said = format!("world {seed}: {}", deployed.arn());
        assert_eq!(&resource.place, place, "{said}");
        assert_eq!(resource.target, deployed.target, "{said}");
        assert_eq!(resource.deleted, deployed.deleted, "{said}");
        let version =
            deployed.version.as_ref().map(|(name, major, minor)| (name.clone(), major.to_string(), minor.to_string()));
        let told = resource.version.as_ref().map(|it| (it.template.clone(), it.major.clone(), it.minor.clone()));
        assert_eq!(told, version, "{said}");
        let word = deployed.deleted && deployed.time >= Time::Word;
        assert_eq!(resource.deployment_id.as_ref(), (!word).then_some(&deployed.deployment_id), "{said}");
        if !matches!(deployed.target, Target::Environment { .. }) {
            assert_eq!(resource.environment, deployed.environment, "{said}");
        }
        assert_eq!(resource.code.len(), deployed.code.len(), "{said}");
        for file in &resource.code {
            let body = String::from_utf8(deployed.code[&file.path].clone()).unwrap();
            let body = if world.crlf { body.replace("\r\n", "\n") } else { body };
            assert_eq!(String::from_utf8_lossy(&file.body), body, "{said}: {}", file.path);
        }
    }
}

/// Every bundle passes as it would at registration.
fn assert_registrable(rebuilt: &[Rebuilt], seed: u64) {
    for template in rebuilt.iter().flat_map(|it| &it.templates) {
        for version in &template.versions {
            let customer_managed = template.customer_managed_pipeline();
            let checked = check_bundle(template.kind, version.files.clone(), customer_managed);
            assert!(
                checked.is_ok(),
                "world {seed}: {} {}.{}: {}",
                template.name,
                version.major,
                version.minor,
                checked.unwrap_err()
            );
        }
    }
}

/// Whether nothing at all may differ.
fn must_be_equal(world: &World, deployed: &Deployed) -> bool {
    let kind = matches!(deployed.target, Target::Environment { .. } | Target::ServiceInstance { .. });
    deployed.time == Time::Any && kind && !world.crlf && !world.stale
}

fn round_trip(seed: u64) -> (usize, usize) {
    let world = world(seed, 3);
    let estate = estate::read(&world.trees);
    assert_read(&world, &estate, seed);
    let (rebuilt, _) = estate::rebuild(&estate, &[], &Dump::default());
    assert_registrable(&rebuilt, seed);
    let verdicts = estate::verify(&estate, &rebuilt);
    assert_eq!(verdicts.len(), world.deployed.iter().filter(|(_, it)| !it.deleted).count(), "world {seed}");
    for verdict in &verdicts {
        assert!(verdict.holds(), "world {seed}: {}: {:#?}", verdict.arn, verdict.differences);
        let (_, deployed) = world.deployed.iter().find(|(_, it)| it.arn() == verdict.arn).unwrap();
        if must_be_equal(&world, deployed) {
            assert!(verdict.equal, "world {seed}: {}: {:#?}", verdict.arn, verdict.differences);
        }
    }
    (verdicts.len(), verdicts.iter().filter(|it| it.equal).count())
}

#[expect(clippy::print_stdout, reason = "how many were equal is worth knowing")]
fn round_trips(seeds: std::ops::Range<u64>) {
    let (all, equal) = seeds.map(round_trip).fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    println!("{all} resources, {equal} of them equal in everything");
    assert!(equal > all / 20);
}

#[test]
fn five_hundred_worlds_are_read_rebuilt_and_rendered_to_what_proton_wrote() {
    round_trips(0..500);
}

#[test]
fn another_five_hundred_worlds_are_rendered_to_what_proton_wrote() {
    round_trips(500..1000);
}

#[test]
fn a_changed_file_of_proton_is_seen() {
    let world = world(7, 3);
    for index in 0..world.trees.len() {
        let paths: Vec<&String> =
            world.trees[index].files.keys().filter(|path| path.contains(".variables.tf")).collect();
        for path in paths {
            let mut trees = world.trees.clone();
            let text = String::from_utf8(trees[index].files[path].clone()).unwrap();
            let text = text.replacen("name", "nmae", 1).replace("= string", "= number");
            trees[index].files.insert(path.clone(), text.into_bytes());
            let estate = estate::read(&trees);
            let (rebuilt, _) = estate::rebuild(&estate, &[], &Dump::default());
            let verdicts = estate::verify(&estate, &rebuilt);
            let folder = path.rsplit_once('/').unwrap().0;
            let is_deleted = estate.resources.iter().any(|it| it.place.path == folder && it.deleted);
            let differing: Vec<&Verdict> = verdicts.iter().filter(|it| !it.holds()).collect();
            assert_eq!(differing.len(), usize::from(!is_deleted), "{path}: {differing:#?}");
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the time is what the test is for")]
fn five_thousand_resources_are_read_in_seconds() {
    let world = large(1, 5000);
    let began = Instant::now();
    let estate = estate::read(&world.trees);
    println!("{} resources read in {:?}", world.deployed.len(), began.elapsed());
    assert_eq!(estate.resources.len(), world.deployed.len());
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

#[test]
fn every_age_is_in_the_documentation() {
    let page = include_str!("../../../docs/importing.md");
    for age in Age::ALL {
        let row = format!("| `{}` | {} |", age.name(), age.explanation());
        assert!(page.contains(&row), "{row}");
    }
}
