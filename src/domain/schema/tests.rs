use std::fmt::Write;

use serde_json::json;

use super::*;

/// The article's environment schema, indented as its web page lost it.
const ARTICLE: &str = r#"schema:
  format:
    openapi: "3.0.0"
  environment_input_type: "EnvironmentInput"
  types:
    EnvironmentInput:
      type: object
      description: "Input parameters for the shared ECS environment"
      required:
        - vpc_cidr
        - container_insights
        - log_retention_days
      properties:
        vpc_cidr:
          type: string
          description: "CIDR block for the VPC"
          default: "10.0.0.0/16"
          pattern: "^([0-9]{1,3}\\.){3}[0-9]{1,3}/[0-9]{1,2}$"
        container_insights:
          type: boolean
          default: false
        log_retention_days:
          type: integer
          default: 30
          enum: [7, 14, 30, 60, 90, 180, 365]
        nat_gateway_count:
          type: integer
          default: 1
          enum: [1, 2, 3]
"#;

/// A schema whose environment type has these properties, written in flow style.
fn with(rest: &str) -> Result<Schema, Problems> {
    let text = format!(
        "schema: {{format: {{openapi: 3.0.0}}, environment_input_type: In, types: {{\n  In: {{type: object, {rest}}}}}}}\n"
    );
    Schema::parse(&text, BundleKind::Environment, false, false)
}

fn property(declared: &str) -> Result<Schema, Problems> {
    with(&format!("properties: {{\n    p: {{{declared}}}}}"))
}

fn resolve(schema: &Schema, given: Value) -> Result<Value, String> {
    let Value::Object(given) = given else { panic!("an object is meant") };
    schema.resolve(InputType::Environment, &given).map(Value::Object).map_err(|problems| problems.to_string())
}

fn refusal(schema: Result<Schema, Problems>) -> String {
    schema.unwrap_err().to_string()
}

#[test]
fn the_articles_schema_fills_required_properties_by_their_defaults() {
    let schema = Schema::parse(ARTICLE, BundleKind::Environment, false, false).unwrap();
    assert_eq!(
        resolve(&schema, json!({"nat_gateway_count": 2})).unwrap().to_string(),
        r#"{"vpc_cidr":"10.0.0.0/16","container_insights":false,"log_retention_days":30,"nat_gateway_count":2}"#
    );
}

#[test]
fn every_wrong_input_is_told_at_once() {
    let schema = Schema::parse(ARTICLE, BundleKind::Environment, false, false).unwrap();
    let text = resolve(
        &schema,
        json!({"vpc_cdir": "10.0.0.0/16", "container_insights": "yes", "log_retention_days": 8, "nat_gateway_count": "2"}),
    )
    .unwrap_err();
    insta::assert_snapshot!(text, @r"
    spec: `container_insights` must be a boolean, not a string (write true without quotes)
    spec: `log_retention_days` is 8, which isn't one of its values (use one of 7, 14, 30, 60, 90, 180, 365)
    spec: `nat_gateway_count` must be an integer, not a string (write 2 without quotes)
    spec: `vpc_cdir` is no property of the schema (did you mean `vpc_cidr`?)
    ");
}

#[test]
fn numbers_keep_their_kind_and_an_integral_float_is_an_integer() {
    let schema = with("properties: {i: {type: integer}, n: {type: number, default: 80}}").unwrap();
    assert_eq!(resolve(&schema, json!({"i": 80.0})).unwrap().to_string(), r#"{"i":80,"n":80}"#);
    assert_eq!(resolve(&schema, json!({"i": u64::MAX, "n": 1.5})).unwrap(), json!({"i": u64::MAX, "n": 1.5}));
    assert!(resolve(&schema, json!({"i": 80.5})).unwrap_err().contains("must be an integer, not a number"));
}

#[test]
fn each_rule_refuses_what_lies_just_outside_of_it() {
    let cases = [
        ("type: string, minLength: 2, maxLength: 3", json!("äö"), json!("a"), "1 of at least 2 characters"),
        ("type: string, maxLength: 1", json!("ä"), json!("ab"), "2 of at most 1 character"),
        ("type: string, pattern: '^a'", json!("ab"), json!("ba"), "doesn't match the pattern ^a"),
        ("type: string, pattern: b", json!("abc"), json!("ac"), "doesn't match the pattern b"),
        ("type: integer, minimum: 0", json!(0), json!(-1), "below the minimum 0"),
        ("type: integer, maximum: 65535", json!(65535), json!(65536), "above the maximum 65535"),
        ("type: number, minimum: 0, exclusiveMinimum: true", json!(0.1), json!(0), "not above the minimum 0"),
        ("type: number, exclusiveMaximum: 1", json!(0.9), json!(1), "not below the maximum 1"),
        ("type: integer, multipleOf: 5", json!(10), json!(11), "no multiple of 5"),
        ("type: array, items: {type: string}, minItems: 1", json!(["a"]), json!([]), "0 of at least 1 item"),
        ("type: array, items: {type: string}", json!(["a"]), json!(["a", 2]), "`p[1]` must be a string"),
        ("type: array, uniqueItems: true", json!([1, "1"]), json!([1, 1]), "same item twice"),
        ("type: boolean", json!(true), json!(1), "must be a boolean, not an integer"),
        ("type: string", json!("1.10"), json!(1.1), "must be a string, not a number (put it in quotes)"),
        ("type: string, nullable: true", json!(null), json!(1), "must be a string"),
        ("type: string", json!("x"), json!(null), "not nothing (give it a value"),
    ];
    for (declared, right, wrong, message) in cases {
        let schema = property(declared).unwrap_or_else(|problems| panic!("{declared}: {problems}"));
        assert_eq!(resolve(&schema, json!({"p": right})).unwrap(), json!({"p": right}), "{declared}");
        let text = resolve(&schema, json!({"p": wrong})).unwrap_err();
        assert!(text.contains(message), "{declared}: {text}");
    }
}

#[test]
fn nested_objects_get_their_own_defaults() {
    let schema = with(
        "properties: {vpc: {type: object, default: {}, properties: {cidr: {type: string, default: c}, az: {type: integer}}}}",
    )
    .unwrap();
    assert_eq!(resolve(&schema, json!({})).unwrap(), json!({"vpc": {"cidr": "c"}}));
    assert_eq!(resolve(&schema, json!({"vpc": {"az": 2}})).unwrap(), json!({"vpc": {"cidr": "c", "az": 2}}));
    assert!(resolve(&schema, json!({"vpc": {"a": 2}})).unwrap_err().contains("`vpc.a` is no property"));
}

#[test]
fn additional_properties_are_let_in_only_where_the_schema_says_so() {
    let typed = property("type: object, additionalProperties: {type: integer}").unwrap();
    assert!(resolve(&typed, json!({"p": {"a": 1}})).is_ok());
    assert!(resolve(&typed, json!({"p": {"a": "x"}})).unwrap_err().contains("`p.a` must be an integer"));
    let free = property("type: object").unwrap();
    assert!(resolve(&free, json!({"p": {"a": [1, {}]}})).is_ok());
    let shut = property("type: object, additionalProperties: false").unwrap();
    assert!(resolve(&shut, json!({"p": {"a": 1}})).is_err());
}

#[test]
fn a_reference_is_the_type_it_names_and_a_circle_is_refused() {
    let schema = with(
        "properties: {a: {$ref: '#/types/Port'}, b: {$ref: '#/schema/types/Port'}}}, Port: {type: integer, default: 80",
    )
    .unwrap();
    assert_eq!(resolve(&schema, json!({"b": 1})).unwrap(), json!({"a": 80, "b": 1}));
    let circle = refusal(with("properties: {a: {$ref: '#/types/A'}}}, A: {type: array, items: {$ref: '#/types/In'}"));
    assert!(circle.contains("contains itself"), "{circle}");
    let outside = refusal(with("properties: {a: {$ref: 'http://x/y'}, b: {$ref: '#/types/Inn'}}"));
    assert!(outside.contains("doesn't name one of `types`") && outside.contains("did you mean `In`?"), "{outside}");
}

#[test]
fn a_schemas_mistakes_are_told_with_their_lines() {
    let text = r#"schema:
  format: { openapi: "2.0" }
  environment_input_typ: In
  environment_input_type: Inn
  types:
    In:
      type: object
      required: [prot]
      properties:
        port: { type: int, default: 80 }
        name: { type: string, pattern: "(?=x)", minLength: -1 }
        size: { type: integer, default: "80", minimun: 1 }
        kind: { type: string, enum: [a, 1], oneOf: [] }
"#;
    let problems = Schema::parse(text, BundleKind::Environment, false, false).unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    schema/schema.yaml:2:22: the schema's format is OpenAPI "2.0", and only 3.0 is known (write format: { openapi: "3.0.0" })
    schema/schema.yaml:3:3: unknown key `environment_input_typ` in `schema` (did you mean `environment_input_type`?)
    schema/schema.yaml:4:27: there is no type `Inn` (did you mean `In`?)
    schema/schema.yaml:8:18: "prot" is required but no property (did you mean `port`?)
    schema/schema.yaml:10:23: unknown type "int" (did you mean `integer`?)
    schema/schema.yaml:11:40: the pattern (?=x) can't be used: look-around, including look-ahead and look-behind, is not supported (write it without look-around and back-references; special characters need a \)
    schema/schema.yaml:11:60: `minLength` must be an integer of at least 0, not -1
    schema/schema.yaml:12:41: `default` must be an integer, not a string (write 80 without quotes)
    schema/schema.yaml:12:47: unknown keyword `minimun` (did you mean `minimum`?)
    schema/schema.yaml:13:41: `enum[1]` must be a string, not an integer (put it in quotes)
    schema/schema.yaml:13:45: `oneOf` isn't supported (describe the values with type, enum, pattern, bounds, properties and items)
    "#);
}

/// An editor may mark it, since it is of no use; `agrees` lets that pass.
#[test]
fn a_keyword_that_is_near_to_none_is_passed_over() {
    assert_eq!(property("type: string, colour scheme: null").map(drop), Ok(()));
    assert!(refusal(property("type: string, defautl: x")).contains("did you mean `default`?"));
}

#[test]
fn a_default_must_obey_its_own_rules() {
    for declared in ["type: integer, default: 5, maximum: 4", "type: string, enum: [a], default: b"] {
        assert!(refusal(property(declared)).contains("`default`"), "{declared}");
    }
}

#[test]
fn defaults_that_multiply_are_refused() {
    let mut text = "properties: {a: {$ref: '#/types/T0'}}}".to_owned();
    for n in 0..12 {
        let fields: Vec<String> = (0..10).map(|f| format!("f{f}: {{$ref: '#/types/T{}'}}", n + 1)).collect();
        let fields = fields.join(", ");
        write!(text, ", T{n}: {{type: object, default: {{}}, properties: {{{fields}}}}}").unwrap();
    }
    text += ", T12: {type: string, default: x";
    let text = refusal(with(&text));
    assert!(text.contains("for more than 100000 values"), "{}", &text[..400.min(text.len())]);
}

#[test]
fn a_large_default_that_many_properties_refer_to_is_refused_before_it_is_copied() {
    let large = "z".repeat(30_000);
    let text = |times: usize| {
        let fields: Vec<String> = (0..times).map(|n| format!("f{n}: {{$ref: '#/types/L'}}")).collect();
        format!("properties: {{{}}}}}, L: {{type: string, default: {large}", fields.join(", "))
    };
    assert!(resolve(&with(&text(10)).unwrap(), json!({})).is_ok());
    let many = resolve(&with(&text(100)).unwrap(), json!({})).unwrap_err();
    assert!(
        many.starts_with("spec: stands for more than 100000 values or 1 MiB of text"),
        "{}",
        &many[..200.min(many.len())]
    );
    // And where the defaults are those of types: each holds copies of the one below it.
    let mut nested = text(10);
    for n in 0..10 {
        write!(nested, "}}, N{n}: {{type: object, default: {{}}, properties: {{l: {{$ref: '#/types/{}'}}, m: {{$ref: '#/types/L'}}}}", if n == 0 { "L".to_owned() } else { format!("N{}", n - 1) }).unwrap();
    }
    let nested = refusal(with(&nested));
    assert!(nested.contains("the defaults together stand for more than"), "{}", &nested[..200.min(nested.len())]);
}

#[test]
fn an_input_type_without_properties_is_told_only_if_it_declares_none() {
    let none = "the input type `In` has no properties";
    for declared in ["properties: {}", "description: x", "properties:"] {
        assert!(refusal(with(declared)).contains(none), "{declared}");
    }
    let wrong = refusal(property("type: int"));
    assert!(wrong.contains("unknown type \"int\"") && !wrong.contains(none), "{wrong}");
    let text = "schema: {format: {openapi: 3.0.0}, environment_input_type: Out, types: {Out: {$ref: '#/types/In'}, In: {properties: {p: {type: int}}}}}";
    let referred = refusal(Schema::parse(text, BundleKind::Environment, false, false));
    assert!(!referred.contains("has no properties"), "{referred}");
}

#[test]
fn a_service_needs_a_pipeline_type_unless_its_pipeline_is_customer_managed() {
    let text = "schema:\n  format: {openapi: 3.0.0}\n  service_input_type: In\n  types: {In: {type: object, properties: {a: {type: string}}}}\n";
    let problems = Schema::parse(text, BundleKind::Service, true, false).unwrap_err().to_string();
    assert!(
        problems.contains("Service template schema is not valid: Missing property [pipelineInputType]"),
        "{problems}"
    );
    assert!(Schema::parse(text, BundleKind::Service, false, true).is_ok());
    let both = text.replace("  types", "  pipeline_input_type: In\n  types");
    assert!(Schema::parse(&both, BundleKind::Service, true, false).is_ok());
    assert!(refusal(Schema::parse(&both, BundleKind::Service, false, true)).contains("CUSTOMER_MANAGED"));
    assert!(refusal(Schema::parse(text, BundleKind::Environment, false, false)).contains("[environmentInputType]"));
}

#[test]
fn a_customer_managed_environment_has_strings_without_defaults_only() {
    let parse = |properties: &str| {
        let text = format!(
            "schema: {{format: {{openapi: 3.0.0}}, environment_input_type: In, types: {{In: {{type: object, properties: {{{properties}}}}}}}}}"
        );
        Schema::parse(&text, BundleKind::Environment, false, true)
    };
    assert!(parse("a: {type: string}").is_ok());
    assert!(refusal(parse("a: {type: integer}")).contains("has only strings"));
    assert!(refusal(parse("a: {type: string, default: x}")).contains("has a default"));
}

#[test]
fn a_flattened_schema_is_told_about_its_indentation() {
    let text: String = ARTICLE.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
    let problems = refusal(Schema::parse(&text, BundleKind::Environment, false, false));
    assert!(problems.contains("given twice") || problems.contains("indent"), "{problems}");
}

#[test]
fn a_minor_version_may_widen_but_not_narrow() {
    let compatible = [
        ("type: integer", "type: number"),
        ("type: integer, minimum: 1", "type: integer"),
        ("type: integer, maximum: 5", "type: integer, maximum: 6"),
        ("type: string, enum: [a]", "type: string, enum: [a, b]"),
        ("type: string, pattern: a", "type: string"),
        ("type: string, default: a", "type: string, default: b"),
        ("type: integer, multipleOf: 4", "type: integer, multipleOf: 2"),
        ("type: array, items: {type: integer}", "type: array, items: {type: number}"),
        (
            "type: object, additionalProperties: {type: integer}",
            "type: object, properties: {a: {type: number}}, additionalProperties: {type: integer}",
        ),
        ("type: object, properties: {a: {type: integer}}", "type: object, additionalProperties: {type: number}"),
        ("type: object, properties: {a: {type: integer}}", "type: object, additionalProperties: true"),
        (
            "type: object, required: [a], additionalProperties: true",
            "type: object, required: [a], additionalProperties: true",
        ),
    ];
    let incompatible = [
        ("type: string, enum: [a, b]", "type: string, enum: [a]", "no longer takes \"b\""),
        ("type: string", "type: string, enum: [a]", "only some values"),
        ("type: integer", "type: integer, minimum: 1", "minimum of `p` was raised"),
        ("type: integer, maximum: 6", "type: integer, maximum: 5", "maximum of `p` was lowered"),
        (
            "type: integer, maximum: 6",
            "type: integer, maximum: 6, exclusiveMaximum: true",
            "maximum of `p` was lowered",
        ),
        ("type: string, pattern: a", "type: string, pattern: b", "pattern of `p`"),
        ("type: string", "type: string, maxLength: 5", "greatest length"),
        ("type: number", "type: integer", "was a number and is an integer"),
        ("type: string", "type: boolean", "was a string and is a boolean now"),
        ("type: string, nullable: true", "type: string", "no longer be null"),
        ("type: array, items: {type: number}", "type: array, items: {type: integer}", "`p[]` was a number"),
        ("type: object", "type: object, additionalProperties: false", "no other properties"),
        (
            "type: object, additionalProperties: true",
            "type: object, properties: {a: {type: integer}}, additionalProperties: true",
            "`p.a` could be anything and is an integer now",
        ),
        (
            "type: object, additionalProperties: {type: string}",
            "type: object, properties: {a: {type: integer}}, additionalProperties: {type: string}",
            "`p.a` was a string and is an integer now",
        ),
        (
            "type: object, properties: {a: {type: string}}",
            "type: object, additionalProperties: {type: integer}",
            "`p.a` was a string and is an integer now",
        ),
        (
            "type: object, additionalProperties: true",
            "type: object, required: [a], additionalProperties: true",
            "`p.a` must be given now",
        ),
    ];
    for (older, newer) in compatible {
        let problems = property(newer).unwrap().incompatible_with(&property(older).unwrap());
        assert!(problems.is_empty(), "{older} → {newer}: {problems}");
    }
    for (older, newer, message) in incompatible {
        let problems = property(newer).unwrap().incompatible_with(&property(older).unwrap()).to_string();
        assert!(problems.contains(message), "{older} → {newer}: {problems}");
        assert!(problems.starts_with("schema/schema.yaml:3:"), "{problems}");
    }
}

#[test]
fn a_minor_version_may_add_optional_properties_but_not_remove_or_require_any() {
    let older = with("required: [a], properties: {a: {type: string}, b: {type: string}}").unwrap();
    let newer = |text: &str| with(text).unwrap().incompatible_with(&older).to_string();
    assert_eq!(newer("required: [a], properties: {a: {type: string}, b: {type: string}, c: {type: string}}"), "");
    assert_eq!(
        newer("required: [a, c], properties: {a: {type: string}, b: {type: string}, c: {type: string, default: x}}"),
        ""
    );
    assert!(newer("required: [a], properties: {a: {type: string}}").contains("`b` was removed"));
    assert!(
        newer("required: [a, b], properties: {a: {type: string}, b: {type: string}}").contains("`b` must be given now")
    );
    let added = newer("required: [a, c], properties: {a: {type: string}, b: {type: string}, c: {type: string}}");
    assert!(added.contains("`c` must be given now"), "{added}");
}
