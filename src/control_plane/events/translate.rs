//! Rewrites a team's EventBridge rule, which was made for `aws.proton`, for the events of a sink.

use serde_json::{Map, Value, json};

use super::envelope::{self, Form};
use super::pattern::{Mistake, Pattern};
use super::{AWS_SOURCE, hopeless};

/// A rule's pattern in new words, and what a reader should know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The pattern.
    pub pattern: Value,
    /// What couldn't be carried over, or means something else now.
    pub remarks: Vec<String>,
}

/// Rewrites a rule: an event pattern, or what `aws events describe-rule` prints.
///
/// # Errors
/// Every mistake in the rule.
pub fn translate(rule: &Value, form: Form, source: &str) -> Result<Translation, Vec<Mistake>> {
    let pattern = pattern_of(rule)?;
    let mut work = Work { form, source, renames: true, remarks: Vec::new() };
    work.look_at_types(&pattern);
    let translated = Value::Object(work.top(&pattern));
    let read = Pattern::read(&translated)?;
    if let Some(why) = hopeless(&read, form, source) {
        work.remarks.push(format!("the rule matches nothing: {why}"));
    }
    Ok(Translation { pattern: translated, remarks: work.remarks })
}

/// The pattern itself, out of whatever it was given in.
fn pattern_of(rule: &Value) -> Result<Map<String, Value>, Vec<Mistake>> {
    let mistake = |at: &str, what: String| vec![Mistake { at: at.into(), what }];
    let pattern = match &rule["EventPattern"] {
        Value::Null => rule.clone(),
        Value::String(text) => {
            serde_json::from_str(text).map_err(|error| mistake("EventPattern", format!("is no JSON: {error}")))?
        }
        inside => inside.clone(),
    };
    Pattern::read(&pattern)?;
    match pattern {
        Value::Object(pattern) => Ok(pattern),
        _ => Err(mistake("", "must be an object".into())),
    }
}

struct Work<'w> {
    form: Form,
    source: &'w str,
    /// Whether the fields of a status get the form's names.
    renames: bool,
    remarks: Vec<String>,
}

impl Work<'_> {
    /// The article's form has its own words for two types only: a rule for others keeps AWS's fields.
    fn look_at_types(&mut self, pattern: &Map<String, Value>) {
        let types = pattern.get("detail-type").and_then(Value::as_array).into_iter().flatten();
        let own: Vec<bool> = types
            .filter_map(Value::as_str)
            .map(|name| [Form::Aws, Form::Article].iter().any(|form| envelope::translated(name, *form).is_some()))
            .collect();
        if self.form == Form::Aws || own.is_empty() || own.iter().all(|own| *own) {
            return;
        }
        self.renames = own.contains(&true);
        if self.renames {
            let remark = "detail-type: environments and instances have `deploymentStatus` in this form, the others \
                          `status`; make two rules of it";
            self.remarks.push(remark.into());
        }
    }

    fn top(&mut self, pattern: &Map<String, Value>) -> Map<String, Value> {
        let mut new = Map::new();
        for (name, value) in pattern {
            let value = match name.as_str() {
                "source" => self.source(value),
                "detail-type" => self.detail_types(value),
                "detail" => self.detail(value),
                "$or" => self.each(value, Self::top),
                _ => value.clone(),
            };
            new.insert(name.clone(), value);
        }
        new
    }

    fn each(
        &mut self,
        alternatives: &Value,
        rewrite: fn(&mut Self, &Map<String, Value>) -> Map<String, Value>,
    ) -> Value {
        let all = alternatives.as_array().into_iter().flatten().filter_map(Value::as_object);
        all.map(|one| Value::Object(rewrite(self, one))).collect()
    }

    fn source(&mut self, value: &Value) -> Value {
        let source = self.source;
        let conditions = value.as_array().into_iter().flatten();
        let renamed = conditions.map(|condition| match condition.as_str() {
            Some(AWS_SOURCE) => json!(source),
            Some(_) => condition.clone(),
            None => {
                let remark = format!("source: {condition} is kept as it is; check that it means `{source}`");
                self.remarks.push(remark);
                condition.clone()
            }
        });
        renamed.collect()
    }

    fn detail_types(&mut self, value: &Value) -> Value {
        let known = envelope::detail_types(self.form);
        let conditions = value.as_array().into_iter().flatten();
        let renamed = conditions.map(|condition| {
            let Some(name) = condition.as_str() else {
                self.remarks.push(format!("detail-type: {condition} is kept as it is; check that it means the same"));
                return condition.clone();
            };
            if let Some(other) = envelope::translated(name, self.form) {
                return json!(other);
            }
            if !known.iter().any(|known| known == name) {
                self.remarks.push(format!("detail-type: there is no event `{name}`, so that it matches nothing"));
            }
            condition.clone()
        });
        renamed.collect()
    }

    fn detail(&mut self, value: &Value) -> Value {
        value.as_object().map_or_else(|| value.clone(), |fields| self.fields(fields).into())
    }

    fn fields(&mut self, fields: &Map<String, Value>) -> Map<String, Value> {
        let mut new = Map::new();
        for (name, value) in fields {
            if name == "$or" {
                let value = self.each(value, Self::fields);
                new.insert(name.clone(), value);
                continue;
            }
            let renamed = self.field(name);
            new.insert(renamed.to_owned(), value.clone());
        }
        new
    }

    /// A field's name in the form that is wanted.
    fn field<'n>(&mut self, name: &'n str) -> &'n str {
        const PAIRS: [(&str, &str); 2] =
            [("status", "deploymentStatus"), ("previousStatus", "previousDeploymentStatus")];
        const ADDED: [&str; 5] =
            ["environmentName", "templateName", "templateMajorVersion", "templateMinorVersion", "deploymentId"];
        const AWS: [&str; 7] =
            ["name", "serviceName", "id", "majorVersion", "minorVersion", "status", "previousStatus"];
        for (aws, article) in PAIRS {
            match self.form {
                Form::Aws if name == article => return aws,
                Form::Article if name == aws && self.renames => return article,
                _ => {}
            }
        }
        let article = PAIRS.iter().any(|pair| pair.1 == name) || ADDED.contains(&name);
        let known = AWS.contains(&name) || (self.form == Form::Article && article);
        if !known {
            let hint = if article { "; only `--form article` has it" } else { "" };
            self.remarks.push(format!(
                "detail.{name}: no event has this field{hint}, so that what asks for it matches nothing"
            ));
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn articles_rule() -> Value {
        json!({
            "source": ["aws.proton"],
            "detail-type": ["Proton Service Instance State Change"],
            "detail": {"previousDeploymentStatus": ["IN_PROGRESS"], "deploymentStatus": ["SUCCEEDED", "FAILED"]},
        })
    }

    #[test]
    fn the_articles_rule_becomes_one_for_awss_events_and_back() {
        let aws = json!({
            "source": ["hadron.proton"],
            "detail-type": ["AWS Proton Service Instance Status Change"],
            "detail": {"previousStatus": ["IN_PROGRESS"], "status": ["SUCCEEDED", "FAILED"]},
        });
        let there = translate(&articles_rule(), Form::Aws, "hadron.proton").unwrap();
        assert_eq!(there, Translation { pattern: aws.clone(), remarks: Vec::new() });
        let back = translate(&aws, Form::Article, "hadron.proton").unwrap();
        assert_eq!(back.pattern["detail"], articles_rule()["detail"]);
        assert_eq!(back.remarks, Vec::<String>::new());
    }

    #[test]
    fn a_described_rule_is_understood() {
        let described = json!({"Name": "r", "EventPattern": articles_rule().to_string(), "State": "ENABLED"});
        let translated = translate(&described, Form::Article, "hadron.proton").unwrap();
        assert_eq!(translated.pattern["source"], json!(["hadron.proton"]));
        assert_eq!(translated.pattern["detail"], articles_rule()["detail"]);
    }

    #[test]
    fn a_rule_for_what_the_article_has_no_word_for_keeps_its_fields() {
        let pipelines =
            json!({"detail-type": ["AWS Proton Service Pipeline Status Change"], "detail": {"status": ["FAILED"]}});
        let translated = translate(&pipelines, Form::Article, "hadron.proton").unwrap();
        assert_eq!((translated.pattern, translated.remarks), (pipelines, Vec::new()));
        let both = json!({"detail-type": ["AWS Proton Service Status Change", "AWS Proton Environment Status Change"]});
        assert!(translate(&both, Form::Article, "hadron.proton").unwrap().remarks[0].contains("make two rules"));
    }

    #[test]
    fn what_can_not_be_translated_is_said() {
        let rule = json!({
            "source": ["aws.proton", {"prefix": "aws."}],
            "detail-type": ["AWS Proton Service Status Change", "AWS Proton Repository Sync Status Change"],
            "detail": {"$or": [{"status": ["ACTIVE"]}, {"outputs": ["x"]}], "templateName": ["web"]},
        });
        let remarks = translate(&rule, Form::Aws, "hadron.proton").unwrap().remarks.join("\n");
        insta::assert_snapshot!(remarks, @r#"
        source: {"prefix":"aws."} is kept as it is; check that it means `hadron.proton`
        detail-type: there is no event `AWS Proton Repository Sync Status Change`, so that it matches nothing
        detail.outputs: no event has this field, so that what asks for it matches nothing
        detail.templateName: no event has this field; only `--form article` has it, so that what asks for it matches nothing
        "#);
        let other = json!({"source": ["aws.ec2"]});
        let remarks = translate(&other, Form::Aws, "hadron.proton").unwrap().remarks.join("\n");
        assert!(remarks.starts_with("the rule matches nothing: its `source` leaves out `hadron.proton`"), "{remarks}");
    }

    #[test]
    fn a_rule_with_a_mistake_is_refused_with_its_place() {
        let mistakes = translate(&json!({"EventPattern": "{\"detail\": {\"status\": \"FAILED\"}}"}), Form::Aws, "s");
        assert_eq!(mistakes.unwrap_err()[0].at, "detail.status");
        assert!(translate(&json!({"EventPattern": "{"}), Form::Aws, "s").is_err());
    }
}
