//! A CloudFormation template with Jinja in it: its syntax, what it speaks of, and what it renders to.

use serde_json::{Value, json};

use super::{Spoken, outputs as terraform_outputs};
use crate::domain::{InputType, Part, Problem, Role, Schema, Target};
use crate::renderer::{self, Metadata, Request};
use crate::workbench::finding::Report;
use crate::workbench::render::stand_in;

pub(super) fn check(role: Role, part: &Part, schema: Option<&Schema>, report: &mut Report) -> Spoken {
    let mut spoken = Spoken { role, mentions: Vec::new(), complete: true };
    let [path] = &part.templates[..] else { return spoken };
    let file = format!("{}/{path}", part.folder);
    let Some(source) = part.files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok()) else {
        spoken.complete = false;
        report.error("jinja", Problem::of(file, "isn't UTF-8", "save it as UTF-8"));
        return spoken;
    };
    match renderer::mentions(&file, source) {
        Ok(mentions) => spoken.mentions = mentions.into_iter().map(|mention| (path.clone(), mention)).collect(),
        Err(problem) => {
            spoken.complete = false;
            report.error("jinja", problem);
            return spoken;
        }
    }
    let namespace = super::Namespace::new(role, part.engine, schema, None);
    let sound = spoken.mentions.iter().all(|(_, mention)| {
        !matches!(namespace.follow(mention, |_, _| {}), super::Verdict::Unknown { .. }) || mention.guarded
    });
    // What is missing has been said already, and the rendering would only say it again.
    if sound {
        trial(role, part, schema, &spoken, report);
    }
    spoken
}

/// Renders with values that the schema accepts.
fn trial(role: Role, part: &Part, schema: Option<&Schema>, spoken: &Spoken, report: &mut Report) {
    let document = sample(role, schema, spoken);
    match rendered(role, part, &document) {
        Ok(files) => {
            let text = files.get("cloudformation.yaml").map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let names = text.and_then(|text| renderer::stack_outputs(&part.folder, &text).ok()).unwrap_or_default();
            terraform_outputs::too_many(&part.folder, names.len(), report);
        }
        Err(problems) => {
            for problem in problems.0 {
                // These hold whatever the values are; all else may be due to the values that were tried.
                let certain = [
                    "is unknown",
                    "takes at most",
                    "takes no argument",
                    "isn't allowed",
                    "can't include",
                    "has no default",
                ]
                .iter()
                .any(|words| problem.message.contains(words));
                if certain {
                    report.error("jinja", problem);
                } else {
                    let message = format!("{} (rendered with example values)", problem.message);
                    report.warn("jinja", Problem { message, ..problem });
                }
            }
        }
    }
}

fn sample(role: Role, schema: Option<&Schema>, spoken: &Spoken) -> Value {
    let mut document = stand_in::document(role, schema);
    stand_in::outputs(&mut document, spoken.mentions.iter().map(|(_, mention)| mention));
    document
}

fn rendered(role: Role, part: &Part, document: &Value) -> Result<crate::domain::Files, crate::domain::Problems> {
    let target: Target = stand_in::target(role, document);
    let arn = document["//"].as_str().unwrap_or_default();
    let request = Request {
        target: &target,
        arn,
        part,
        inputs: document,
        metadata: Metadata::default(),
        stack_template_url: Some("https://example.com/template"),
    };
    Ok(renderer::render(&request)?.files)
}

/// The outputs that a template of an environment declares.
pub(in crate::workbench) fn outputs(part: &Part, schema: Option<&Schema>) -> Option<Vec<String>> {
    let [path] = &part.templates[..] else { return None };
    let mut document = stand_in::document(Role::Environment, schema);
    let inputs = schema.map(|schema| schema.sample(InputType::Environment)).unwrap_or_default();
    document["environment"]["inputs"] = json!(inputs);
    let files = rendered(Role::Environment, part, &document).ok()?;
    let text = String::from_utf8_lossy(files.get("cloudformation.yaml")?).into_owned();
    renderer::stack_outputs(path, &text).ok()
}
