use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde_json::json;

use super::expect::lacks;
use super::*;
use crate::domain::yaml::Node;
use crate::domain::{Files, Problem};
use crate::support::judge::Judge;

/// What the reader takes, an editor must not mark.
pub(super) fn an_editor_agrees(document: &Node, read: &Result<Case, Problems>) {
    static JUDGE: LazyLock<Judge> = LazyLock::new(|| Judge::of(include_str!("../../../docs/schemas/test.json")));
    let marks = JUDGE.marks(&document.to_value());
    assert!(marks.is_empty() || read.is_err(), "docs/schemas/test.json marks a sound case:\n{marks}");
    // A pattern that can't be used and a file that isn't there are the reader's to tell.
    let told = read.as_ref().err().is_none_or(|problems| problems.to_string().contains("the pattern"));
    assert!(!marks.is_empty() || told, "docs/schemas/test.json passes a case that is refused:\n{document:?}");
}

const CASE: &str = r#"
description: A queue as the shop gets it
spec: ../spec.yaml
with: { environment: { outputs: { vpc_id: vpc-1 } } }
instance: api
expect:
  snapshot: true
  files:
    main.tf: { contains: "resource", lacks: [a, b], matches: '^output "x"' }
    proton.auto.tfvars.json: { json: { service: { name: shop } } }
    old.tf: absent
  plan:
    create: 2
    delete: 0
    addresses: [terraform_data.a, terraform_data.b]
    resources:
      terraform_data.a: create
      terraform_data.b: { action: create, values: { input: 3 } }
    outputs: { url: "http://x" }
"#;

fn case(text: &str) -> Result<Case, String> {
    Case::parse("tests/dev.yaml", text).map_err(|problems| problems.to_string())
}

fn files(of: &[(&str, &str)]) -> Files {
    of.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

#[test]
fn a_case_is_read_with_all_its_rules() {
    let case = case(CASE).unwrap();
    assert_eq!((case.name.as_str(), &case.target), ("dev", &CaseTarget::Instance("api".into())));
    assert_eq!(case.spec, Some(Given::File("../spec.yaml".into())));
    assert!(matches!(case.values, Some(Given::Here(_))) && case.expect.snapshot);
    assert_eq!(case.expect.files.len(), 3);
    let plan = case.expect.plan.unwrap();
    assert_eq!(plan.counts, [("create".to_owned(), 2), ("delete".to_owned(), 0)].into());
    assert_eq!(plan.resources["terraform_data.a"].action.as_deref(), Some("create"));
}

#[test]
fn all_mistakes_of_a_case_are_told_at_once() {
    let text = "spce: x\ninstance: 7\nexpect:\n  snapshot: yes\n  file: {}\n  files:\n    a.tf: gone\n    b.tf: {has: x, matches: '('}\n  plan:\n    create: two\n    resources: {a.b: destroy}\n";
    insta::assert_snapshot!(case(text).unwrap_err(), @r#"
    tests/dev.yaml:1:1: unknown key `spce` in the case (did you mean `spec`?)
    tests/dev.yaml:1:1: the case gives neither `spec` nor `with` (write at least `spec: ../spec.yaml`)
    tests/dev.yaml:2:11: `instance` must be text, not an integer (put it in quotes)
    tests/dev.yaml:4:13: `snapshot` must be true or false, not a string
    tests/dev.yaml:5:3: unknown key `file` in `expect` (did you mean `files`?)
    tests/dev.yaml:7:11: a file's rules are a map or `absent`, not a string (write contains: "…" below the file's name)
    tests/dev.yaml:8:12: unknown key `has` in the file (the file takes contains, lacks, matches, equals, json)
    tests/dev.yaml:8:29: the pattern ( can't be used: unclosed group (special characters need a \)
    tests/dev.yaml:10:13: `create` must be a whole number, not "two"
    tests/dev.yaml:11:22: there is no action `destroy` (use one of create, update, replace, delete, read, no-op)
    "#);
    assert!(case("- a").unwrap_err().contains("a case must be a map"));
    let both = case("spec: {}\ninstance: a\npipeline: true").unwrap_err();
    assert!(both.contains("not both"), "{both}");
    let mixed = case("spec: {}\nexpect: {refused: a, snapshot: true}").unwrap_err();
    assert!(mixed.contains("neither files nor a plan"), "{mixed}");
}

#[test]
fn what_a_file_misses_is_told_in_words() {
    let case = case(CASE).unwrap();
    let rendered = files(&[
        ("main.tf", "resource \"r\" \"b\" {}\n"),
        ("old.tf", ""),
        ("proton.auto.tfvars.json", "{\"service\": {\"name\": \"shop\", \"branch_name\": \"\"}}"),
    ]);
    let misses = case.expect.misses_in_files(&rendered, Some(&rendered)).join("\n");
    insta::assert_snapshot!(misses, @r#"
    main.tf: has “b”
    main.tf: nothing in it matches ^output "x"
    old.tf: is there, and was expected to be absent
    "#);
}

#[test]
fn a_snapshot_shows_what_differs() {
    let expect = Expect { snapshot: true, ..Expect::default() };
    let old = files(&[("a", "1\n2\n3\n4\n5\n6\n7\n"), ("gone", ""), ("same", "x")]);
    let new = files(&[("a", "1\n2\n3\n4\nfive\n6\n7\n"), ("new", ""), ("same", "x")]);
    insta::assert_snapshot!(expect.misses_in_files(&new, Some(&old)).join("\n"), @"
    a: differs
      …
      3
      4
    - 5
    + five
      6
      7
    gone: was expected and not rendered
    new: was rendered and not expected
    ");
    assert_eq!(expect.misses_in_files(&new, Some(&new)), [""; 0]);
    assert!(expect.misses_in_files(&new, None)[0].contains("--update"));
}

#[test]
fn a_refusal_is_the_expected_one_and_no_other() {
    let expect = |text: &str| case(&format!("spec: {{}}\nexpect: {{refused: {text}}}")).unwrap().expect;
    let mut problems = Problems::default();
    problems.push(Problem::of("spec", "`port` must be an integer, not a string", "write 80 without quotes").at(4, 9));
    problems.push(Problem::of("spec", "`image` is missing", ""));
    let both = expect("[{says: must be an integer, at: 'spec:4'}, '`image` is missing']");
    assert_eq!(both.misses_in_refusal(&problems), [""; 0]);
    let one = expect("{says: must be an integer, at: 'spec:4:9'}").misses_in_refusal(&problems);
    assert_eq!(one, ["unexpected: spec: `image` is missing"]);
    let elsewhere = expect("{says: must be an integer, at: 'spec:5'}").misses_in_refusal(&problems);
    assert_eq!(elsewhere[0], "no problem at spec:5 says “must be an integer”");
}

#[test]
fn a_part_of_a_value_is_enough_but_a_list_is_meant_whole() {
    assert_eq!(
        lacks(&json!({"a": 1, "b": {"c": [1, {"d": 2}]}}), &json!({"a": 1.0, "b": {"c": [1, {"d": 2, "e": 3}]}}), ""),
        None
    );
    assert_eq!(lacks(&json!({"a": {"b": 1}}), &json!({"a": {"b": "1"}}), "").unwrap(), "a.b is \"1\"; 1 was expected");
    assert_eq!(lacks(&json!({"a": [1]}), &json!({"a": [1, 2]}), "").unwrap(), "a is [1,2]; [1] was expected");
    assert_eq!(lacks(&json!({"a": 1}), &json!({}), "").unwrap(), "a isn't there; 1 was expected");
}

#[test]
fn a_plan_is_held_against_counts_addresses_and_values() {
    let change = |address: &str, actions: &[&str], after: Value| json!({"address": address, "change": {"actions": actions, "after": after}});
    let seen = PlanSeen::of(&json!({
        "resource_changes": [
            change("terraform_data.a", &["create"], json!({"input": 1})),
            change("terraform_data.b", &["delete", "create"], json!({"input": 2})),
            change("data.x.y", &["read"], json!({})),
        ],
        "planned_values": {"outputs": {"url": {"sensitive": false, "value": "http://y"}, "later": {"sensitive": false}}},
    }));
    let rule = case(CASE).unwrap().expect.plan.unwrap();
    insta::assert_snapshot!(rule.misses(&seen).join("\n"), @r#"
    plan: 1 to create, 2 expected: terraform_data.a
    plan: terraform_data.b is to replace, create was expected
    plan: terraform_data.b: input is 2; 3 was expected
    plan: output url is "http://y"; "http://x" was expected
    "#);
    assert!(rule.misses_in_failure("Error: no")[0].contains("can't plan it"));
    let refusing = PlanRule { fails: Some("no such zone".into()), ..PlanRule::default() };
    assert_eq!(refusing.misses_in_failure("Error: no such zone"), [""; 0]);
    assert!(refusing.misses(&seen)[0].contains("was expected to refuse"));
}

#[test]
fn an_update_writes_the_counts_and_nothing_else() {
    let created = Change { address: "a.b".into(), action: "create".into(), after: json!({}) };
    let seen = PlanSeen { changes: vec![created; 12], outputs: Map::new() };
    let updated = with_counts("tests/dev.yaml", CASE, &seen).unwrap();
    assert_eq!(updated, CASE.replace("    create: 2\n", "    create: 12\n"));
    let flow = "spec: {ä: ü} # ö\nexpect: {plan: {delete: 5, create: 0}}\n";
    let updated = with_counts("f", flow, &seen).unwrap();
    assert_eq!(updated, "spec: {ä: ü} # ö\nexpect: {plan: {delete: 0, create: 12}}\n");
}

#[test]
fn a_diff_of_anything_gives_both_sides_back() {
    for (old, new) in
        [("", "a"), ("a\nb\nc", "b\nc\nd"), ("x\ny\nx", "y\nx\ny"), ("a\n\nb", "b\n\na"), ("1\n2", "1\n2")]
    {
        let diff = differences(old, new);
        let side = |signs: [char; 2]| {
            let lines = diff.lines().filter(|line| line.starts_with(signs));
            lines.map(|line| &line[2..]).collect::<Vec<_>>().join("\n")
        };
        if old != new {
            assert_eq!((side([' ', '-']).as_str(), side([' ', '+']).as_str()), (old, new), "{diff}");
        }
        assert_eq!(diff.is_empty(), old == new);
    }
}

#[test]
fn a_report_is_xml_whatever_the_texts_are() {
    let cases = vec![
        ("a<b".to_owned(), "tests/a.yaml".to_owned(), Outcome::Passed, Duration::from_millis(1500)),
        (
            "c".to_owned(),
            "tests/c.yaml".to_owned(),
            Outcome::Failed(vec!["x: \"1\"\n- a\n+ \u{1b}b".into()]),
            Duration::ZERO,
        ),
        ("d".to_owned(), "tests/d.yaml".to_owned(), Outcome::PassedPartly("no plan".into()), Duration::ZERO),
    ];
    insta::assert_snapshot!(junit(&Suite { name: "shop & co".into(), cases }), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites tests="3" failures="1" errors="0" skipped="0" time="1.500">
      <testsuite name="shop &amp; co" tests="3" failures="1" errors="0" skipped="0" time="1.500">
        <testcase classname="shop &amp; co" name="a&lt;b" file="tests/a.yaml" time="1.500"/>
        <testcase classname="shop &amp; co" name="c" file="tests/c.yaml" time="0.000">
          <failure message="x: &quot;1&quot;">x: &quot;1&quot;
    - a
    + ?b</failure>
        </testcase>
        <testcase classname="shop &amp; co" name="d" file="tests/d.yaml" time="0.000">
          <system-out>no plan</system-out>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn a_pattern_minds_the_lines() {
    let rule = TextRule::Matches(Regex::new("(?m)^b$").unwrap());
    let expect = Expect { files: [("f".to_owned(), FileRule::Present(vec![rule]))].into(), ..Expect::default() };
    assert_eq!(expect.misses_in_files(&files(&[("f", "a\nb\nc")]), None), [""; 0]);
    assert_eq!(expect.misses_in_files(&files(&[("f", "ab")]), None), ["f: nothing in it matches (?m)^b$"]);
}
