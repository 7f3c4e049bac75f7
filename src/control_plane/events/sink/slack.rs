//! A message in a Slack channel.
//!
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use std::fmt::Write as _;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, header};
use serde_json::{Value, json};

use super::{Outcome, Sink, judge};
use crate::control_plane::events::envelope::{Event, Kind, STALE_REPORT, UPGRADE_AVAILABLE};
use crate::control_plane::events::outbox::Letter;
use crate::support::Secret;
use crate::support::https::Https;

/// The longest text of a section block, in characters.
///
/// <https://docs.slack.dev/reference/block-kit/blocks/section-block>
const LONGEST: usize = 3000;

/// An incoming webhook, and where its messages lead.
pub(super) struct Slack {
    https: Https,
    url: Secret,
    link: Option<String>,
}

impl Slack {
    pub(super) fn new(https: Https, url: Secret, link: Option<String>) -> Self {
        Self { https, url, link }
    }

    fn request(&self, letter: &Letter) -> Result<Request<Bytes>, String> {
        let body = message(letter, self.link.as_deref()).to_string();
        Request::post(self.url.reveal())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))
            .map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Sink for Slack {
    async fn deliver(&self, letters: &[&Letter]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for letter in letters {
            outcomes.push(match self.request(letter) {
                Ok(request) => judge(self.https.send(request).await),
                Err(why) => Outcome::never(why),
            });
        }
        outcomes
    }
}

/// One line that says it all, for notifications, and the same with its particulars below it.
fn message(letter: &Letter, link: Option<&str>) -> Value {
    let Letter { event, facts, .. } = letter;
    let arn = event.resources.first().map_or("", String::as_str);
    let Some(kind) = Kind::of(arn).filter(|_| !facts.status.is_empty()) else { return notice(event) };
    let what = called(kind, event);
    let moved = match &facts.previous {
        Some(previous) => format!("{previous} → {}", facts.status),
        None => facts.status.clone(),
    };
    let sign = sign(&facts.status);
    let mut blocks = vec![section(&format!("{sign}*{}*\n{}", escaped(&what), escaped(&moved)))];
    let particulars = particulars(kind, letter);
    if !particulars.is_empty() {
        blocks.push(json!({"type": "section", "fields": particulars}));
    }
    let more = match link {
        Some(link) => format!("<{}|Show it>", filled(link, letter)),
        None => format!("`{}`", command(kind, event)),
    };
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": more}]}));
    json!({"text": escaped(&format!("{what}: {moved}")), "blocks": blocks})
}

/// What is known besides the change, each in a field of its own.
fn particulars(kind: Kind, letter: &Letter) -> Vec<Value> {
    let Letter { event, facts, .. } = letter;
    let detail = |name: &str| event.detail[name].as_str().map(str::to_owned);
    let told = [
        ("Service", detail("serviceName")),
        ("Instance", detail("name").filter(|_| kind.noun == "Service Instance")),
        ("Environment", facts.environment.clone()),
        ("Template version", facts.template.as_ref().map(|of| format!("{} {}", of.template, of.version))),
        ("Deployment", facts.deployment.clone()),
    ];
    let field = |(name, value): (&str, Option<String>)| {
        Some(json!({"type": "mrkdwn", "text": format!("*{name}*\n{}", escaped(&value?))}))
    };
    told.into_iter().filter_map(field).collect()
}

/// A notice: its text, if it brings one, else what it says.
fn notice(event: &Event) -> Value {
    let title = match event.detail_type.as_str() {
        UPGRADE_AVAILABLE => "An upgrade is available",
        STALE_REPORT => "What is behind its template",
        other => other,
    };
    let body = match event.detail["text"].as_str() {
        Some(text) => escaped(text),
        None => format!("```{}```", escaped(&serde_json::to_string_pretty(&event.detail).unwrap_or_default())),
    };
    json!({"text": title, "blocks": [section(&format!("*{title}*\n{body}"))]})
}

fn section(text: &str) -> Value {
    let text: String = text.chars().take(LONGEST).collect();
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

/// `Service instance pay/api`.
fn called(kind: Kind, event: &Event) -> String {
    let mut what = kind.noun.to_lowercase();
    what[..1].make_ascii_uppercase();
    let part = |name: &str| event.detail[name].as_str().unwrap_or_default();
    let name = match (part("serviceName"), part("name")) {
        ("", "") => part("id").to_owned(),
        ("", name) => name.to_owned(),
        (service, "") => service.to_owned(),
        (service, name) => format!("{service}/{name}"),
    };
    let version = match part("majorVersion") {
        "" => String::new(),
        major => format!(" {major}.{}", part("minorVersion")),
    };
    format!("{what} {name}{version}")
}

fn sign(status: &str) -> &'static str {
    match status {
        "SUCCEEDED" | "ACTIVE" | "PUBLISHED" | "CONNECTED" => ":white_check_mark: ",
        failed if failed.ends_with("FAILED") => ":x: ",
        _ => "",
    }
}

/// What shows more where no link leads.
fn command(kind: Kind, event: &Event) -> String {
    let mut command = format!("aws proton {} --region {}", kind.verb, event.region);
    let flags = match kind.noun {
        "Service Instance" => &[("service-name", "serviceName"), ("name", "name")][..],
        "Service Pipeline" => &[("name", "serviceName")],
        "Environment Account Connection" => &[("id", "id")],
        noun if noun.ends_with("Version") => {
            &[("template-name", "name"), ("major-version", "majorVersion"), ("minor-version", "minorVersion")]
        }
        _ => &[("name", "name")],
    };
    for (flag, member) in flags {
        write!(command, " --{flag} {}", event.detail[*member].as_str().unwrap_or_default()).expect("text takes text");
    }
    command
}

/// The link with its places filled in, each encoded for a URL.
fn filled(link: &str, letter: &Letter) -> String {
    let Letter { event, facts, .. } = letter;
    let detail = |name: &str| event.detail[name].as_str().unwrap_or_default();
    let arn = event.resources.first().map_or("", String::as_str);
    let values = [
        ("{arn}", arn),
        ("{account}", event.account.as_str()),
        ("{region}", event.region.as_str()),
        ("{name}", detail("name")),
        ("{service}", detail("serviceName")),
        ("{environment}", facts.environment.as_deref().unwrap_or_default()),
        ("{deployment}", facts.deployment.as_deref().unwrap_or_default()),
    ];
    values.iter().fold(link.to_owned(), |link, (place, value)| {
        let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
        link.replace(place, &value)
    })
}

/// Slack's three control characters.
///
/// <https://docs.slack.dev/messaging/formatting-message-text#escaping>
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::events::Form;
    use crate::control_plane::events::envelope::event;
    use crate::control_plane::events::facts::Facts;
    use crate::control_plane::records::{Version, VersionRef};
    use crate::control_plane::store::StatusChange;
    use crate::domain::Scope;

    fn letter(resource: &str, detail: &Value, form: Form) -> Letter {
        let scope = Scope::new("123456789012", "us-east-1");
        let change = StatusChange {
            arn: scope.arn(resource),
            sequence: 1,
            at: 0,
            previous: Some("IN_PROGRESS".into()),
            status: "FAILED".into(),
            detail: detail.to_string(),
        };
        let facts = Facts {
            environment: Some("dev".into()),
            template: Some(VersionRef { template: "web".into(), version: Version { major: 1, minor: 2 } }),
            deployment: Some("d-1".into()),
            previous: change.previous.clone(),
            status: change.status.clone(),
        };
        let event = event(&scope, &change, &facts, form, "aws.proton").unwrap();
        Letter { sink: "slack".into(), scope, lane: change.arn, sequence: 1, event, facts }
    }

    #[test]
    fn a_message_names_service_instance_and_template_version_in_either_form() {
        let detail = json!({"name": "api", "serviceName": "pay"});
        let aws = message(&letter("service/pay/service-instance/api", &detail, Form::Aws), None);
        let article = message(&letter("service/pay/service-instance/api", &detail, Form::Article), None);
        assert_eq!(aws, article);
        insta::assert_snapshot!(serde_json::to_string_pretty(&aws).unwrap(), @r#"
        {
          "text": "Service instance pay/api: IN_PROGRESS → FAILED",
          "blocks": [
            {
              "type": "section",
              "text": {
                "type": "mrkdwn",
                "text": ":x: *Service instance pay/api*\nIN_PROGRESS → FAILED"
              }
            },
            {
              "type": "section",
              "fields": [
                {
                  "type": "mrkdwn",
                  "text": "*Service*\npay"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Instance*\napi"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Environment*\ndev"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Template version*\nweb 1.2"
                },
                {
                  "type": "mrkdwn",
                  "text": "*Deployment*\nd-1"
                }
              ]
            },
            {
              "type": "context",
              "elements": [
                {
                  "type": "mrkdwn",
                  "text": "`aws proton get-service-instance --region us-east-1 --service-name pay --name api`"
                }
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_link_is_filled_and_encoded() {
        let detail = json!({"name": "api", "serviceName": "pay"});
        let letter = letter("service/pay/service-instance/api", &detail, Form::Aws);
        let link = "https://portal.example.com/{service}/{name}?in={environment}&d={deployment}&arn={arn}";
        let message = message(&letter, Some(link)).to_string();
        assert!(
            message.contains("https://portal.example.com/pay/api?in=dev&d=d%2D1&arn=arn%3Aaws%3Aproton"),
            "{message}"
        );
    }

    #[test]
    fn other_kinds_are_named_and_text_is_escaped() {
        let versioned = json!({"name": "net", "majorVersion": "1", "minorVersion": "0"});
        let text = |letter: &Letter| message(letter, None)["text"].as_str().unwrap().to_owned();
        let version = letter("environment-template/net:1.0", &versioned, Form::Aws);
        assert_eq!(text(&version), "Environment template version net 1.0: IN_PROGRESS → FAILED".replace('>', "&gt;"));
        assert_eq!(escaped("<@here> & co"), "&lt;@here&gt; &amp; co");
    }
}
