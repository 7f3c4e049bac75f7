//! Proton's own filters for CloudFormation.
//!
//! Three of them turn a mapping into YAML. Jinja2 puts text in as it is, and YAML means by where it stands, so that a
//! filter alone can't know how far to indent. Here a filter leaves a marked JSON document, and [`lay_out`] writes it as
//! YAML once its place is known: as an indented block on a line of its own, in one line anywhere else.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/parameters-filters.html>

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, Value};
use serde_json::{Map, Value as Json, json};

use super::arguments::Arguments;
use super::functions::text;

/// Unicode's noncharacters: no text that is meant for others holds them.
const START: char = '\u{fdd0}';
const END: char = '\u{fdd1}';

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_filter("proton_cfn_ecs_task_definition_formatted_env_vars", ecs_variables);
    environment.add_filter("proton_cfn_lambda_function_formatted_env_vars", lambda_variables);
    environment.add_filter("proton_cfn_iam_policy_arns", policy_arns);
    environment.add_filter("proton_cfn_sanitize", sanitize);
}

fn ecs_variables(outputs: &Value, given: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let variables = variables(outputs, given)?;
    Ok(marked(&variables.into_iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect()))
}

fn lambda_variables(outputs: &Value, given: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let variables = variables(outputs, given)?;
    Ok(marked(&Json::Object(
        variables.into_iter().map(|(name, value)| (name, Json::from(value))).collect::<Map<_, _>>(),
    )))
}

fn policy_arns(outputs: &Value) -> Result<String, Error> {
    Ok(marked(&texts(outputs)?.into_iter().map(|(_, value)| value).filter(|value| is_policy_arn(value)).collect()))
}

/// Text that can't break out of where the template puts it.
fn sanitize(value: &Value) -> Result<String, Error> {
    let value = text(value)?;
    if is_plain(&value) || is_arn(&value) {
        return Ok(value);
    }
    Err(invalid(format!(
        "Illegal character(s) detected in \"{value}\". Must match regex ^[a-zA-Z0-9_-]*$ or be a valid ARN"
    )))
}

/// Names and values; with `raw=False` each value must be plain.
fn variables(outputs: &Value, given: Rest<ValueOrKwargs>) -> Result<Vec<(String, String)>, Error> {
    let raw = Arguments::bind(&["raw"], given)?.flag("raw", true);
    let variables = texts(outputs)?;
    match variables.iter().find(|(_, value)| !raw && !is_plain(value)) {
        Some((_, value)) => {
            Err(invalid(format!("Illegal character(s) detected in \"{value}\". Must match regex ^[a-zA-Z0-9_-]*$")))
        }
        None => Ok(variables),
    }
}

fn texts(outputs: &Value) -> Result<Vec<(String, String)>, Error> {
    if outputs.kind() != ValueKind::Map {
        return Err(invalid(format!("a mapping of outputs is wanted, not {}", outputs.kind())));
    }
    outputs.try_iter()?.map(|name| Ok((text(&name)?, text(&outputs.get_item(&name)?)?))).collect()
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// `^[a-zA-Z0-9_-]*$`.
fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// `arn:partition:service:region:account:resource` without anything that YAML or a shell would read.
fn is_arn(value: &str) -> bool {
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    let ["arn", partition, service, region, account, resource] = parts[..] else { return false };
    !partition.is_empty()
        && !service.is_empty()
        && [partition, service, region].into_iter().all(is_plain)
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && !resource.is_empty()
        && resource.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-:/.+=@*".contains(&byte))
}

/// `^arn:[a-zA-Z-]+:iam::\d{12}:policy/`.
fn is_policy_arn(value: &str) -> bool {
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else { return false };
    !partition.is_empty()
        && partition.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource.starts_with("policy/")
}

fn marked(document: &Json) -> String {
    format!("{START}{document}{END}")
}

/// Writes every marked document of a rendered template as YAML that fits its place.
pub(super) fn lay_out(rendered: &str) -> String {
    let mut out = String::with_capacity(rendered.len());
    let mut rest = rendered;
    while let Some((before, document, after)) = next_marked(rest) {
        out.push_str(before);
        let line = out.rsplit('\n').next().unwrap_or_default();
        if !line.trim().is_empty() {
            out.push_str(&document.to_string());
        } else if is_empty(&document) {
            // Among items of the author's own there is nothing to add; alone the list or map must still be there.
            if stands_alone(&out, after) {
                out.push_str(&document.to_string());
            }
        } else {
            let separator = format!("\n{line}");
            out.push_str(&block(&document).join(&separator));
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn next_marked(text: &str) -> Option<(&str, Json, &str)> {
    let (before, rest) = text.split_once(START)?;
    let (document, after) = rest.split_once(END)?;
    Some((before, serde_json::from_str(document).ok()?, after))
}

fn is_empty(document: &Json) -> bool {
    document.as_array().is_some_and(Vec::is_empty) || document.as_object().is_some_and(Map::is_empty)
}

/// Whether the key above has no other content than the document at the end of `before`.
fn stands_alone(before: &str, after: &str) -> bool {
    let mut lines = before.rsplit('\n');
    let column = lines.next().unwrap_or_default().len();
    let above = lines.find(|line| !line.trim().is_empty()).unwrap_or_default();
    let below = after.split('\n').skip(1).find(|line| !line.trim().is_empty()).unwrap_or_default();
    let below_belongs = below.len() - below.trim_start().len() == column && !below.is_empty();
    above.trim_end().ends_with(':') && !below_belongs
}

/// The lines of a block, without indentation.
fn block(document: &Json) -> Vec<String> {
    match document {
        Json::Array(items) => items.iter().flat_map(item).collect(),
        Json::Object(members) => members.iter().map(|(name, value)| format!("{}: {value}", key(name))).collect(),
        scalar => vec![scalar.to_string()],
    }
}

fn item(item: &Json) -> Vec<String> {
    let lines = block(item).into_iter().enumerate();
    lines.map(|(index, line)| if index == 0 { format!("- {line}") } else { format!("  {line}") }).collect()
}

fn key(name: &str) -> String {
    const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    let lower = name.to_ascii_lowercase();
    let bare = is_plain(name) && name.starts_with(|c: char| c.is_ascii_alphabetic());
    // Some readers of YAML take these words for something else than texts.
    let word = lower == "null" || WORDS.contains(&lower.as_str());
    if bare && !word { name.to_owned() } else { Json::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::renderer::jinja::render;

    const ECS: &str = "proton_cfn_ecs_task_definition_formatted_env_vars";
    const LAMBDA: &str = "proton_cfn_lambda_function_formatted_env_vars";

    fn text(template: &str, outputs: &Value) -> String {
        match render("t", template, &json!({ "o": outputs })) {
            Ok(text) => text,
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn ecs_variables_are_a_list_indented_like_their_line() {
        let outputs = json!({"QueueUrl": "https://q", "n": 1});
        insta::assert_snapshot!(text(&format!("Environment:\n    {{{{ o | {ECS} }}}}\nCpu: 1"), &outputs), @r#"
        Environment:
            - Name: "QueueUrl"
              Value: "https://q"
            - Name: "n"
              Value: "1"
        Cpu: 1
        "#);
        insta::assert_snapshot!(text(&format!("Environment: {{{{ o | {ECS}(raw=True) }}}}"), &outputs), @r#"Environment: [{"Name":"QueueUrl","Value":"https://q"},{"Name":"n","Value":"1"}]"#);
        insta::assert_snapshot!(text(&format!("Environment:\n  {{{{ o | {ECS} }}}}"), &json!({})), @r"
        Environment:
          []
        ");
    }

    #[test]
    fn values_that_must_be_plain_are_checked() {
        insta::assert_snapshot!(text(&format!("{{{{ o | {ECS}(raw=False) }}}}"), &json!({"a": "b c"})), @r#"t:1:8: Illegal character(s) detected in "b c". Must match regex ^[a-zA-Z0-9_-]*$, in `proton_cfn_ecs_task_definition_formatted_env_vars(raw=False)`"#);
        insta::assert_snapshot!(text(&format!("{{{{ o | {LAMBDA}(False) }}}}"), &json!({"a": "b-c"})), @r#"a: "b-c""#);
    }

    #[test]
    fn lambda_variables_are_a_map() {
        let outputs = json!({"QueueUrl": "it's: \"q\"", "on": "true"});
        insta::assert_snapshot!(text(&format!("Variables:\n  {{{{ o | {LAMBDA} }}}}\n  MORE: x"), &outputs), @r#"
        Variables:
          QueueUrl: "it's: \"q\""
          "on": "true"
          MORE: x
        "#);
        insta::assert_snapshot!(text(&format!("Variables:\n  {{{{ o | {LAMBDA} }}}}\n"), &json!({})), @r"
        Variables:
          {}
        ");
    }

    #[test]
    fn only_policies_are_listed_and_none_leaves_other_items_alone() {
        let template = "Arns:\n  - !Ref Base\n  {{ o | proton_cfn_iam_policy_arns }}\nEnd: 1";
        let policies = json!({"P": "arn:aws:iam::123456789012:policy/p", "Role": "arn:aws:iam::123456789012:role/r",
            "Q": "arn:aws-cn:iam::123456789012:policy/path/q", "Bad": "arn:aws:iam::12:policy/p"});
        insta::assert_snapshot!(text(template, &policies), @r#"
        Arns:
          - !Ref Base
          - "arn:aws:iam::123456789012:policy/p"
          - "arn:aws-cn:iam::123456789012:policy/path/q"
        End: 1
        "#);
        insta::assert_snapshot!(text(template, &json!({})), @r"
        Arns:
          - !Ref Base
          
        End: 1
        ");
        insta::assert_snapshot!(text("Arns:\n  {{ o | proton_cfn_iam_policy_arns }}\nEnd: 1", &json!({})), @r"
        Arns:
          []
        End: 1
        ");
    }

    #[test]
    fn sanitize_takes_plain_text_and_arns_only() {
        for good in ["", "my_name-1", "arn:aws:s3:::bucket/key", "arn:aws:iam::123456789012:role/x"] {
            assert_eq!(text("{{ o | proton_cfn_sanitize }}", &json!(good)), good);
        }
        for bad in ["a b", "x\ny: z", "arn:aws:s3", "arn:aws:s3:::a b", "{{resolve:ssm:x}}"] {
            let answer = text("{{ o | proton_cfn_sanitize }}", &json!(bad));
            assert!(answer.contains("Must match regex ^[a-zA-Z0-9_-]*$ or be a valid ARN"), "{answer}");
        }
        insta::assert_snapshot!(text("{{ o | proton_cfn_sanitize }}", &json!("a b")), @r#"t:1:8: Illegal character(s) detected in "a b". Must match regex ^[a-zA-Z0-9_-]*$ or be a valid ARN, in `proton_cfn_sanitize`"#);
    }
}
