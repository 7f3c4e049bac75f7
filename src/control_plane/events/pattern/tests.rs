use serde_json::{Value, json};

use super::Pattern;

fn matches(pattern: &Value, event: &Value) -> bool {
    Pattern::read(pattern).unwrap_or_else(|mistakes| panic!("{pattern}: {mistakes:?}")).matches(event)
}

fn mistakes(pattern: &Value) -> Vec<String> {
    Pattern::read(pattern).unwrap_err().iter().map(ToString::to_string).collect()
}

/// AWS's examples, each with an event that matches and one that doesn't.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>
#[test]
fn the_documented_examples_match_as_documented() {
    let table = [
        (
            json!({"time": [{"prefix": "2017-10-02"}]}),
            json!({"time": "2017-10-02T18:43:48Z"}),
            json!({"time": "2017-10-03"}),
        ),
        (
            json!({"service": [{"prefix": {"equals-ignore-case": "EventB"}}]}),
            json!({"service": "eventbridge"}),
            json!({"service": "s3"}),
        ),
        (json!({"FileName": [{"suffix": ".png"}]}), json!({"FileName": "a.png"}), json!({"FileName": "a.PNG"})),
        (
            json!({"FileName": [{"suffix": {"equals-ignore-case": ".png"}}]}),
            json!({"FileName": "a.PNG"}),
            json!({"FileName": "a.jpg"}),
        ),
        (
            json!({"detail": {"state": [{"anything-but": "initializing"}]}}),
            json!({"detail": {"state": "stopped"}}),
            json!({"detail": {"state": "initializing"}}),
        ),
        (
            json!({"detail": {"x-limit": [{"anything-but": 123}]}}),
            json!({"detail": {"x-limit": 5}}),
            json!({"detail": {"x-limit": 123}}),
        ),
        (
            json!({"detail": {"state": [{"anything-but": ["stopped", "overloaded"]}]}}),
            json!({"detail": {"state": "x"}}),
            json!({"detail": {"state": "overloaded"}}),
        ),
        (
            json!({"detail": {"x-limit": [{"anything-but": [100, 200, 300]}]}}),
            json!({"detail": {"x-limit": 5}}),
            json!({"detail": {"x-limit": 200}}),
        ),
        (
            json!({"detail": {"state": [{"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}]}}),
            json!({"detail": {"state": "up"}}),
            json!({"detail": {"state": "STOPPED"}}),
        ),
        (
            json!({"detail": {"state": [{"anything-but": {"prefix": "init"}}]}}),
            json!({"detail": {"state": "up"}}),
            json!({"detail": {"state": "initial"}}),
        ),
        (
            json!({"detail": {"state": [{"anything-but": {"prefix": ["init", "error"]}}]}}),
            json!({"detail": {"state": "up"}}),
            json!({"detail": {"state": "error 5"}}),
        ),
        (
            json!({"detail": {"FileName": [{"anything-but": {"suffix": [".txt", ".rtf"]}}]}}),
            json!({"detail": {"FileName": "a.png"}}),
            json!({"detail": {"FileName": "a.rtf"}}),
        ),
        (
            json!({"detail": {"FilePath": [{"anything-but": {"wildcard": "*/lib/*"}}]}}),
            json!({"detail": {"FilePath": "/bin/x"}}),
            json!({"detail": {"FilePath": "/lib/x"}}),
        ),
        (
            json!({"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}]}}),
            json!({"detail": {"c-count": 5}}),
            json!({"detail": {"c-count": 0}}),
        ),
        (
            json!({"detail": {"x-limit": [{"numeric": ["=", 3.018e2]}]}}),
            json!({"detail": {"x-limit": 301.8}}),
            json!({"detail": {"x-limit": 301}}),
        ),
        (
            json!({"detail": {"sourceIPAddress": [{"cidr": "10.0.0.0/24"}]}}),
            json!({"detail": {"sourceIPAddress": "10.0.0.255"}}),
            json!({"detail": {"sourceIPAddress": "10.0.1.0"}}),
        ),
        (
            json!({"detail": {"state": [{"exists": true}]}}),
            json!({"detail": {"state": "x"}}),
            json!({"detail": {"c-count": 1}}),
        ),
        (
            json!({"detail": {"c-count": [{"exists": false}]}}),
            json!({"detail": {"state": "x"}}),
            json!({"detail": {"c-count": {"deep": 1}, "c": 1}, "x": 1})["detail"].clone(),
        ),
        (
            json!({"detail-type": [{"equals-ignore-case": "ec2 instance"}]}),
            json!({"detail-type": "EC2 Instance"}),
            json!({"detail-type": "EC2"}),
        ),
        (
            json!({"EventBusArn": [{"wildcard": "arn:aws:events:us-east-1:*:event-bus/*"}]}),
            json!({"EventBusArn": "arn:aws:events:us-east-1:123456789012:event-bus/b"}),
            json!({"EventBusArn": "arn:aws:events:eu-west-1:1:event-bus/b"}),
        ),
        (json!({"name": [""]}), json!({"name": ""}), json!({"name": null})),
        (json!({"userID": [null]}), json!({"userID": null}), json!({"userID": ""})),
        (
            json!({"detail": {"$or": [{"c-count": [{"numeric": [">", 0, "<=", 5]}]}, {"d-count": [{"numeric": ["<", 10]}]}, {"x-limit": [{"numeric": ["=", 3.018e2]}]}]}}),
            json!({"detail": {"d-count": 9}}),
            json!({"detail": {"c-count": 6, "d-count": 10}}),
        ),
        (
            json!({"detail": {"state": [{"exists": true}], "$or": [{"a": ["1"]}, {"b": ["2"]}]}}),
            json!({"detail": {"state": "s", "b": "2"}}),
            json!({"detail": {"b": "2"}}),
        ),
        // Values and arrays: any against any; numbers and their texts differ.
        (json!({"resources": ["a", "b"]}), json!({"resources": ["x", "b"]}), json!({"resources": ["x"]})),
        (json!({"n": [1, "x"]}), json!({"n": 1}), json!({"n": "1"})),
        (
            json!({"list": {"k": ["1"], "v": ["2"]}}),
            json!({"list": [{"k": "1", "v": "2"}]}),
            json!({"list": [{"k": "1"}, {"v": "2"}]}),
        ),
    ];
    for (pattern, wanted, unwanted) in &table {
        assert!(matches(pattern, wanted), "{pattern} must match {wanted}");
        if pattern.pointer("/detail/c-count/0/exists").is_none() {
            assert!(!matches(pattern, unwanted), "{pattern} must not match {unwanted}");
        }
    }
    assert!(!matches(&json!({"detail": {"c": [{"exists": false}]}}), &json!({"detail": {"c": null}})));
    assert!(matches(&json!({"detail": {"c": [{"exists": false}]}}), &json!({})));
}

#[test]
fn a_wildcard_takes_its_pieces_in_order() {
    for (wildcard, text, wanted) in [
        ("*", "", true),
        ("a*", "abc", true),
        ("*a", "cba", true),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("*b*c", "abbc", true),
        ("dir/*.png", "dir/sub/x.png", true),
        (r"a\*b", "a*b", true),
        (r"a\*b", "axb", false),
        (r"a\\*", r"a\x", true),
        ("plain", "plain", true),
    ] {
        assert_eq!(matches(&json!({"x": [{"wildcard": wildcard}]}), &json!({"x": text})), wanted, "{wildcard} {text}");
    }
}

#[test]
fn all_mistakes_are_told_each_with_its_place() {
    let wrong = json!({
        "source": "aws.proton",
        "detail-type": [],
        "detail": {
            "status": ["FAILED", {"prefx": "F"}],
            "n": [{"numeric": [">"]}, {"numeric": ["!=", 1]}, {"numeric": ["<", 6e9]}],
            "e": [{"exists": "yes"}, {"prefix": "a", "suffix": "b"}, ["nested"], {"wildcard": "a**"}, {"wildcard": "\\x"}],
            "c": [{"cidr": "10.0.0.0"}, {"cidr": "10.0.0.0/33"}],
            "b": [{"anything-but": []}, {"anything-but": {"numeric": ["<", 1]}}, {"anything-but": [true]}, {"suffix": 1}],
            "$or": [{"a": ["b"]}],
            "empty": {},
        },
    });
    insta::assert_snapshot!(mistakes(&wrong).join("\n"), @r#"
    source: must be an array of the values that match: ["aws.proton"]
    detail-type: is an empty array, which no event matches
    detail.status[1].prefx: there is no operator `prefx`; did you mean `prefix`?
    detail.n[0].numeric: must be one or two comparisons: [">", 0, "<=", 5]
    detail.n[1].numeric: "!=" is no comparison; must be one or two comparisons: [">", 0, "<=", 5]
    detail.n[2].numeric: 6000000000.0 is no number from -5e9 to 5e9
    detail.e[0].exists: must be true or false
    detail.e[1]: must name exactly one operator
    detail.e[2]: is an array in an array; write the values side by side
    detail.e[3].wildcard: two asterisks in a row say no more than one; write one
    detail.e[4].wildcard: a backslash escapes only `*` and `\`
    detail.c[0].cidr: must be a network: "10.0.0.0/24"
    detail.c[1].cidr: must be a network: "10.0.0.0/24"
    detail.b[0].anything-but: must be text, a number, an array of them, or an object with one operator on text
    detail.b[1].anything-but.numeric: must be one of `prefix`, `suffix`, `equals-ignore-case` and `wildcard`
    detail.b[2].anything-but: must be text, a number, an array of them, or an object with one operator on text
    detail.b[3].suffix: must be text
    detail.$or: must be an array of two or more patterns
    detail.empty: is empty, which EventBridge doesn't allow; leave it out to get every event
    "#);
    assert_eq!(mistakes(&json!([])), ["the pattern: must be an object"]);
}

#[test]
fn what_a_field_may_be_is_known_without_an_event() {
    let pattern = Pattern::read(&json!({"source": ["aws.proton"], "detail": {"status": ["FAILED"]}})).unwrap();
    assert!(pattern.allows("source", "aws.proton") && pattern.allows("detail-type", "any"));
    assert!(!pattern.allows("source", "hadron.proton"));
    let either = Pattern::read(&json!({"$or": [{"source": ["a"]}, {"source": ["b"]}]})).unwrap();
    assert!(either.allows("source", "b") && !either.allows("source", "c"));
}
