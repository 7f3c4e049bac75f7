use super::{Format, write};
use crate::domain::Problem;
use crate::workbench::finding::Report;

fn report() -> Report {
    let mut report = Report::default();
    report.error(
        "unknown-input",
        Problem::of("infrastructure/main.tf", "`a` is no input, 100%", "did you mean `b`?").at(2, 3),
    );
    report.warn("output", Problem::of("infrastructure/", "many: too\nmany", ""));
    let files = [("infrastructure/main.tf".to_owned(), b"x\n\tab\n".to_vec())].into();
    report.finished(&files)
}

#[test]
fn github_gets_one_line_for_each_finding() {
    insta::assert_snapshot!(write(&report(), Format::Github, str::to_owned), @r#"
    ::warning file=infrastructure/,title=output::many: too%0Amany
    ::error file=infrastructure/main.tf,line=2,col=3,title=unknown-input::`a` is no input, 100%25 (did you mean `b`?)
    "#);
}

#[test]
fn people_see_the_line_and_the_column() {
    insta::assert_snapshot!(write(&report(), Format::Text, |file| format!("dir/{file}")), @r#"
    dir/infrastructure/: warning: many: too
    many [output]

    dir/infrastructure/main.tf:2:3: error: `a` is no input, 100% [unknown-input]
      2 | 	ab
        | 	 ^
      = did you mean `b`?
    "#);
}

#[test]
fn programs_get_the_counts_and_the_findings() {
    let text = write(&report(), Format::Json, str::to_owned);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((value["errors"].as_u64(), value["warnings"].as_u64()), (Some(1), Some(1)));
    assert_eq!(value["findings"][1]["line"], 2);
    assert_eq!(value["findings"][1]["source"], "\tab");
}

#[test]
fn sarif_names_rule_level_and_region() {
    let text = write(&report(), Format::Sarif, str::to_owned);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let result = &value["runs"][0]["results"][1];
    assert_eq!((result["ruleId"].as_str(), result["level"].as_str()), (Some("unknown-input"), Some("error")));
    assert_eq!(value["runs"][0]["tool"]["driver"]["rules"][1]["id"], "unknown-input");
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!((region["startLine"].as_u64(), region["startColumn"].as_u64()), (Some(2), Some(3)));
}
