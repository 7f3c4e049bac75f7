//! `hadron bundle test` with the real binary and real Terraform: no server, no network.

use std::fs;

use crate::bundle_push::author;

#[test]
fn the_cases_of_the_examples_pass() {
    let shell = author(None);
    let told = shell.run("$HADRON bundle test landing-zone").succeeded();
    assert_eq!(told.stdout, "ok    dev\nok    wrong-inputs\n\n2 cases: 2 passed, 0 failed");
    let told = shell.run("$HADRON bundle test web-service --junit report.xml").succeeded();
    assert_eq!(told.stdout, "ok    short-secret\nok    web\n\n2 cases: 2 passed, 0 failed");
    let report = fs::read_to_string(shell.folder().join("report.xml")).unwrap();
    assert!(report.contains("<testsuite name=\"web-service\" tests=\"2\" failures=\"0\""), "{report}");
    let told = shell.run("cd web-service && $HADRON bundle test --filter web --no-plan").succeeded();
    assert_eq!(told.stdout, "ok    web (its plan was left out: --no-plan)\n\n1 case: 1 passed, 0 failed");
}

#[test]
fn a_change_that_nobody_expected_fails_and_an_update_expects_it() {
    let shell = author(None);
    shell.ok(
        "sed -i 's/memory = {/memory={/; s/medium = 1024/medium = 2048/' web-service/instance_infrastructure/main.tf",
    );
    shell.ok(
        "sed -i 's/^    zone      =.*/    zone      = local.zones[0]/' web-service/instance_infrastructure/main.tf",
    );
    let failed = shell.run("$HADRON bundle test web-service --filter web --junit report.xml");
    assert_eq!(failed.code, 4, "{failed:?}");
    for line in [
        "FAIL  web",
        "      main.tf: differs",
        "      -   memory = { small = 256, medium = 1024, large = 4096 }[local.inputs.size]",
        "      +   memory={ small = 256, medium = 2048, large = 4096 }[local.inputs.size]",
        "      plan: terraform_data.replica[1]: input.zone is \"dev-north\"; \"dev-south\" was expected",
        "1 case: 0 passed, 1 failed",
    ] {
        assert!(failed.stdout.lines().any(|said| said == line), "no `{line}` in\n{}", failed.stdout);
    }
    let report = fs::read_to_string(shell.folder().join("report.xml")).unwrap();
    assert!(report.contains("failures=\"1\"") && report.contains("<failure message=\"main.tf: differs\">"), "{report}");

    // An update writes what can be written; what an author has put in words stays theirs.
    let told = shell.run("$HADRON bundle test web-service --filter web --update");
    assert!(told.code == 10 && told.stdout.contains("FAIL  web, updated"), "{told:?}");
    assert!(!told.stdout.contains("differs"), "{told:?}");
    shell.ok("sed -i 's/zone: dev-south, memory: 1024/zone: dev-north, memory: 2048/' web-service/tests/web.yaml");
    shell.run("$HADRON bundle test web-service --filter web").succeeded();
    let main = fs::read_to_string(shell.folder().join("web-service/tests/expected/web/main.tf")).unwrap();
    assert!(main.contains("medium = 2048"), "{main}");

    shell.ok("echo 'resource \"terraform_data\" \"more\" {}' >> landing-zone/infrastructure/main.tf");
    let counted = shell.run("$HADRON bundle test landing-zone --filter dev");
    assert!(counted.code == 10 && counted.stdout.contains("plan: 5 to create, 4 expected: "), "{counted:?}");
    shell.run("$HADRON bundle test landing-zone --filter dev --update").succeeded();
    let case = fs::read_to_string(shell.folder().join("landing-zone/tests/dev.yaml")).unwrap();
    assert!(case.contains("    create: 5\n") && case.contains("# yaml-language-server"), "{case}");
    shell.run("$HADRON bundle test landing-zone").succeeded();
}

#[test]
fn bad_cases_and_bad_bundles_end_well() {
    let shell = author(None);
    shell.run("$HADRON bundle test examples/component").failed(2, &["there is no tests/*.yaml"]);
    shell
        .run("$HADRON bundle test landing-zone --filter nothing")
        .failed(2, &["there are dev.yaml, wrong-inputs.yaml"]);
    fs::write(shell.folder().join("landing-zone/tests/bad.yaml"), "spce: x\nexpect: {plan: {creat: 1}}\n").unwrap();
    fs::write(shell.folder().join("landing-zone/tests/lost.yaml"), "spec: ../none.yaml\n").unwrap();
    let told = shell.run("$HADRON bundle test landing-zone --no-plan");
    assert_eq!(told.code, 4, "{told:?}");
    for words in [
        "FAIL  bad\n",
        "tests/bad.yaml:1:1: unknown key `spce` in the case (did you mean `spec`?)",
        "tests/bad.yaml:2:17: unknown key `creat` in `plan` (did you mean `create`?)",
        "FAIL  lost",
        "tests/lost.yaml: there is no file ../none.yaml (its path is relative to the case's file)",
        "ok    wrong-inputs",
        "4 cases: 2 passed, 2 failed",
    ] {
        assert!(told.stdout.contains(words), "no `{words}` in\n{}", told.stdout);
    }
    shell.ok("rm landing-zone/tests/bad.yaml landing-zone/tests/lost.yaml");
    shell.ok("echo 'resource {' >> landing-zone/infrastructure/main.tf");
    let told = shell.run("$HADRON bundle test landing-zone");
    assert!(told.code == 4 && told.stdout.contains("is no valid HCL"), "{told:?}");
}
