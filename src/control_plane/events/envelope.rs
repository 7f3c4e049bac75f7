//! What an event says: AWS's ten types, and the two of the article's form.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/event-bridge.html>

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::facts::Facts;
use crate::control_plane::store::StatusChange;
use crate::domain::Scope;

/// How changes of environments and instances are worded; a sink has one form, so that it gets each change once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `AWS Proton Service Instance Status Change`, with `status` and `previousStatus`, as AWS sent them.
    Aws,
    /// `Proton Service Instance State Change`, with `deploymentStatus` and `previousDeploymentStatus`, and with what was
    /// deployed. What that form has no word for comes as AWS sent it.
    Article,
}

/// The type of the notice that a template has a newer recommended version.
pub const UPGRADE_AVAILABLE: &str = "Hadron Upgrade Available";

/// The type of the notice that lists what is behind.
pub const STALE_REPORT: &str = "Hadron Stale Report";

/// An event as EventBridge's rules see it.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// Always `0`.
    pub version: String,
    /// The same for every delivery of a change, in every sink.
    pub id: String,
    /// What kind of change it is.
    pub detail_type: String,
    /// Who tells.
    pub source: String,
    /// Whose resource it is.
    pub account: String,
    /// When it changed, in UTC and whole seconds.
    pub time: String,
    /// Where it is.
    pub region: String,
    /// The resource's ARN.
    pub resources: Vec<String>,
    /// What changed.
    pub detail: Value,
}

/// A kind of resource whose changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// As in `AWS Proton … Status Change`, and in a sentence when its case is lowered.
    pub(super) noun: &'static str,
    /// What names it in an event's detail.
    names: &'static [&'static str],
    /// The verb of Proton's that shows it.
    pub(super) verb: &'static str,
}

const fn kind(noun: &'static str, verb: &'static str, names: &'static [&'static str]) -> Kind {
    Kind { noun, names, verb }
}

const VERSIONED: &[&str] = &["name", "majorVersion", "minorVersion"];
const ENVIRONMENT_TEMPLATE: Kind = kind("Environment Template", "get-environment-template", &["name"]);
const ENVIRONMENT_TEMPLATE_VERSION: Kind =
    kind("Environment Template Version", "get-environment-template-version", VERSIONED);
const SERVICE_TEMPLATE: Kind = kind("Service Template", "get-service-template", &["name"]);
const SERVICE_TEMPLATE_VERSION: Kind = kind("Service Template Version", "get-service-template-version", VERSIONED);
const ENVIRONMENT: Kind = kind("Environment", "get-environment", &["name"]);
const SERVICE: Kind = kind("Service", "get-service", &["name"]);
const SERVICE_INSTANCE: Kind = kind("Service Instance", "get-service-instance", &["name", "serviceName"]);
const SERVICE_PIPELINE: Kind = kind("Service Pipeline", "get-service", &["serviceName"]);
const CONNECTION: Kind = kind("Environment Account Connection", "get-environment-account-connection", &["id"]);
const COMPONENT: Kind = kind("Component", "get-component", &["name"]);

const KINDS: [Kind; 10] = [
    ENVIRONMENT_TEMPLATE,
    ENVIRONMENT_TEMPLATE_VERSION,
    SERVICE_TEMPLATE,
    SERVICE_TEMPLATE_VERSION,
    ENVIRONMENT,
    SERVICE,
    SERVICE_INSTANCE,
    SERVICE_PIPELINE,
    CONNECTION,
    COMPONENT,
];

impl Kind {
    /// The kind of the resource that an ARN names, if its changes are told.
    pub(super) fn of(arn: &str) -> Option<Self> {
        let resource = arn.splitn(6, ':').nth(5)?;
        let path: Vec<&str> = resource.split('/').collect();
        Some(match path[..] {
            ["environment-template", name] if name.contains(':') => ENVIRONMENT_TEMPLATE_VERSION,
            ["environment-template", _] => ENVIRONMENT_TEMPLATE,
            ["service-template", name] if name.contains(':') => SERVICE_TEMPLATE_VERSION,
            ["service-template", _] => SERVICE_TEMPLATE,
            ["environment", _] => ENVIRONMENT,
            ["service", _] => SERVICE,
            ["service", _, "service-instance", _] => SERVICE_INSTANCE,
            ["service", _, "pipeline"] => SERVICE_PIPELINE,
            ["environment-account-connection", _] => CONNECTION,
            ["component", _] => COMPONENT,
            _ => return None,
        })
    }

    /// Whether the article's form has a word of its own for it.
    fn in_article(self) -> bool {
        self == ENVIRONMENT || self == SERVICE_INSTANCE
    }

    fn detail_type(self, form: Form) -> String {
        match form {
            Form::Article if self.in_article() => format!("Proton {} State Change", self.noun),
            Form::Aws | Form::Article => format!("AWS Proton {} Status Change", self.noun),
        }
    }
}

/// Every type that status changes have in a form.
pub(super) fn detail_types(form: Form) -> [String; 10] {
    KINDS.map(|kind| kind.detail_type(form))
}

/// A type's counterpart in the other form, if the two differ.
pub(super) fn translated(detail_type: &str, to: Form) -> Option<String> {
    let from = if to == Form::Aws { Form::Article } else { Form::Aws };
    let kind = KINDS.iter().find(|kind| kind.in_article() && kind.detail_type(from) == detail_type)?;
    Some(kind.detail_type(to))
}

/// The event of a change in one form; none for a resource whose changes aren't told.
pub(super) fn event(scope: &Scope, change: &StatusChange, facts: &Facts, form: Form, source: &str) -> Option<Event> {
    let kind = Kind::of(&change.arn)?;
    let told: Value = serde_json::from_str(&change.detail).unwrap_or_default();
    let mut detail = Map::new();
    for name in kind.names {
        detail.insert((*name).to_owned(), told.get(*name)?.clone());
    }
    let (status, previous) = match form {
        Form::Article if kind.in_article() => {
            add_deployed(&mut detail, facts);
            ("deploymentStatus", "previousDeploymentStatus")
        }
        Form::Aws | Form::Article => ("status", "previousStatus"),
    };
    detail.insert(status.into(), json!(change.status));
    // Nothing was before the beginning.
    if let Some(before) = &change.previous {
        detail.insert(previous.into(), json!(before));
    }
    Some(Event {
        id: id(scope, change),
        detail_type: kind.detail_type(form),
        detail: detail.into(),
        ..new(scope, source, change.at, vec![change.arn.clone()])
    })
}

/// An event without type and detail.
pub(super) fn new(scope: &Scope, source: &str, at: i64, resources: Vec<String>) -> Event {
    Event {
        version: "0".into(),
        id: String::new(),
        detail_type: String::new(),
        source: source.to_owned(),
        account: scope.account.clone(),
        time: time(at),
        region: scope.region.clone(),
        resources,
        detail: Value::Null,
    }
}

/// What the article wants told besides: where, and which template's version. Named as Proton's API names them.
fn add_deployed(detail: &mut Map<String, Value>, facts: &Facts) {
    let Facts { environment, template, deployment, .. } = facts;
    if let Some(environment) = environment {
        detail.insert("environmentName".into(), json!(environment));
    }
    if let Some(of) = template {
        detail.insert("templateName".into(), json!(of.template));
        detail.insert("templateMajorVersion".into(), json!(of.version.major.to_string()));
        detail.insert("templateMinorVersion".into(), json!(of.version.minor.to_string()));
    }
    if let Some(deployment) = deployment {
        detail.insert("deploymentId".into(), json!(deployment));
    }
}

/// A UUID made of what the change is. The time and the status are in it, since after the restore of a backup a sequence
/// number comes a second time, for another change.
fn id(scope: &Scope, change: &StatusChange) -> String {
    let StatusChange { arn, sequence, at, status, .. } = change;
    id_of(&json!([scope, arn, sequence, at, status]))
}

pub(super) fn id_of(what: &Value) -> String {
    let digest = Sha256::digest(what.to_string());
    let bytes = digest[..16].try_into().expect("a digest has more than 16 bytes");
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

fn time(at: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::records::{Version, VersionRef};

    fn told(arn: &str, detail: &Value, previous: Option<&str>, status: &str, form: Form) -> Event {
        let scope = Scope::new("123456789012", "us-east-1");
        let change = StatusChange {
            arn: scope.arn(arn),
            sequence: 3,
            at: 1_616_455_300_999,
            previous: previous.map(str::to_owned),
            status: status.into(),
            detail: detail.to_string(),
        };
        let template = VersionRef { template: "web".into(), version: Version { major: 1, minor: 2 } };
        let facts = Facts {
            environment: (!arn.starts_with("environment/")).then(|| "dev".into()),
            template: Some(template),
            deployment: Some("d-1".into()),
            ..Facts::default()
        };
        event(&scope, &change, &facts, form, AWS).unwrap()
    }

    const AWS: &str = "aws.proton";

    #[test]
    fn an_event_is_as_the_user_guide_prints_it() {
        let event =
            told("environment/dev", &json!({"name": "dev"}), Some("DELETE_IN_PROGRESS"), "DELETE_FAILED", Form::Aws);
        insta::assert_snapshot!(serde_json::to_string_pretty(&event).unwrap(), @r#"
        {
          "version": "0",
          "id": "94c38573-697e-4395-b33b-0a438e06e0a4",
          "detail-type": "AWS Proton Environment Status Change",
          "source": "aws.proton",
          "account": "123456789012",
          "time": "2021-03-22T23:21:40Z",
          "region": "us-east-1",
          "resources": [
            "arn:aws:proton:us-east-1:123456789012:environment/dev"
          ],
          "detail": {
            "name": "dev",
            "status": "DELETE_FAILED",
            "previousStatus": "DELETE_IN_PROGRESS"
          }
        }
        "#);
    }

    #[test]
    fn all_ten_types_have_the_fields_of_the_user_guide() {
        let versioned = json!({"name": "net", "majorVersion": "1", "minorVersion": "0"});
        let table = [
            ("environment-template/net", json!({"name": "net"}), Some("DRAFT"), "PUBLISHED"),
            ("environment-template/net:1.0", versioned.clone(), Some("REGISTRATION_IN_PROGRESS"), "DRAFT"),
            ("service-template/web", json!({"name": "web"}), Some("PUBLISHED"), "DELETED"),
            ("service-template/web:1.0", versioned, Some("DRAFT"), "PUBLISHED"),
            ("environment/dev", json!({"name": "dev"}), None, "IN_PROGRESS"),
            ("service/pay", json!({"name": "pay"}), None, "CREATE_IN_PROGRESS"),
            (
                "service/pay/service-instance/api",
                json!({"name": "api", "serviceName": "pay"}),
                Some("IN_PROGRESS"),
                "FAILED",
            ),
            ("service/pay/pipeline", json!({"serviceName": "pay"}), Some("IN_PROGRESS"), "SUCCEEDED"),
            ("environment-account-connection/1b", json!({"id": "1b", "more": 1}), Some("PENDING"), "CONNECTED"),
            ("component/queue", json!({"name": "queue"}), Some("DELETE_IN_PROGRESS"), "DELETED"),
        ];
        let lines = table.map(|(arn, detail, previous, status)| {
            let event = told(arn, &detail, previous, status, Form::Aws);
            format!("{} {}", event.detail_type, event.detail)
        });
        insta::assert_snapshot!(lines.join("\n"), @r#"
        AWS Proton Environment Template Status Change {"name":"net","status":"PUBLISHED","previousStatus":"DRAFT"}
        AWS Proton Environment Template Version Status Change {"name":"net","majorVersion":"1","minorVersion":"0","status":"DRAFT","previousStatus":"REGISTRATION_IN_PROGRESS"}
        AWS Proton Service Template Status Change {"name":"web","status":"DELETED","previousStatus":"PUBLISHED"}
        AWS Proton Service Template Version Status Change {"name":"net","majorVersion":"1","minorVersion":"0","status":"PUBLISHED","previousStatus":"DRAFT"}
        AWS Proton Environment Status Change {"name":"dev","status":"IN_PROGRESS"}
        AWS Proton Service Status Change {"name":"pay","status":"CREATE_IN_PROGRESS"}
        AWS Proton Service Instance Status Change {"name":"api","serviceName":"pay","status":"FAILED","previousStatus":"IN_PROGRESS"}
        AWS Proton Service Pipeline Status Change {"serviceName":"pay","status":"SUCCEEDED","previousStatus":"IN_PROGRESS"}
        AWS Proton Environment Account Connection Status Change {"id":"1b","status":"CONNECTED","previousStatus":"PENDING"}
        AWS Proton Component Status Change {"name":"queue","status":"DELETED","previousStatus":"DELETE_IN_PROGRESS"}
        "#);
    }

    #[test]
    fn the_articles_form_words_instances_and_environments_and_nothing_else() {
        let instance = json!({"name": "api", "serviceName": "pay"});
        let lines = [
            ("service/pay/service-instance/api", instance, Some("IN_PROGRESS"), "SUCCEEDED"),
            ("environment/dev", json!({"name": "dev"}), None, "IN_PROGRESS"),
            ("service/pay/pipeline", json!({"serviceName": "pay"}), Some("IN_PROGRESS"), "SUCCEEDED"),
        ]
        .map(|(arn, detail, previous, status)| {
            let event = told(arn, &detail, previous, status, Form::Article);
            format!("{} {}", event.detail_type, event.detail)
        });
        insta::assert_snapshot!(lines.join("\n"), @r#"
        Proton Service Instance State Change {"name":"api","serviceName":"pay","environmentName":"dev","templateName":"web","templateMajorVersion":"1","templateMinorVersion":"2","deploymentId":"d-1","deploymentStatus":"SUCCEEDED","previousDeploymentStatus":"IN_PROGRESS"}
        Proton Environment State Change {"name":"dev","templateName":"web","templateMajorVersion":"1","templateMinorVersion":"2","deploymentId":"d-1","deploymentStatus":"IN_PROGRESS"}
        AWS Proton Service Pipeline Status Change {"serviceName":"pay","status":"SUCCEEDED","previousStatus":"IN_PROGRESS"}
        "#);
    }

    #[test]
    fn an_id_belongs_to_a_change_whatever_the_form() {
        let id = |form, status| told("environment/dev", &json!({"name": "dev"}), None, status, form).id;
        assert_eq!(id(Form::Aws, "FAILED"), id(Form::Article, "FAILED"));
        assert_ne!(id(Form::Aws, "FAILED"), id(Form::Aws, "SUCCEEDED"));
    }

    #[test]
    fn what_has_no_event_type_has_no_event() {
        assert_eq!(Kind::of("arn:aws:proton:us-east-1:123456789012:repository/github:a/b"), None);
    }
}
