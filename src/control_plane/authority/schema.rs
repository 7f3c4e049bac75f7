//! The schema that every policy is validated against, made from both models and the table of resources.

use std::fmt::Write as _;
use std::sync::LazyLock;

use cedar_policy::Schema;
use hadron_model::Action;

use super::objects::ObjectAction;
use super::resources::{Kind, on};

/// The schema as people read it, in Cedar's own form.
pub static TEXT: LazyLock<String> = LazyLock::new(text);

/// The schema, parsed.
pub(super) static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::from_cedarschema_str(&TEXT).expect("a test parses the schema").0);

/// What every resource of Proton and Hadron says of itself.
const RESOURCE: &str = "{
    // `*` for what has no resource of its own.
    arn: String,
    name: String,
    // The `owner` tag of the service it belongs to, else its own.
    owner?: String,
    // The environments it lies in; a service in those of all its instances.
    environments: Set<String>,
    service?: String,
    // The ARN of its template.
    template?: String,
    // The id of the access key that claimed the deployment last.
    claimedBy?: String,
  } tags String";

const HADRON: &str = r#"  // Who asks: an access key. Its parent is its role: `principal in Hadron::Role::"developer"`.
  entity Role;
  entity Key in [Role] = {
    id: String,
    name: String,
    arn: String,
    account: String,
    role: String,
    groups: Set<String>,
    environments: Set<String>,
  };

  // Tags that a request brings along.
  entity Tags tags String;

  // AWS's condition keys by their own names: `context["aws:RequestTag"].hasTag("owner")`.
  type Context = {
    "aws:RequestedRegion": String,
    "aws:SourceIp"?: ipaddr,
    "aws:RequestTag": Tags,
    "aws:TagKeys": Set<String>,
    "proton:EnvironmentTemplate"?: String,
    "proton:ServiceTemplate"?: String,
    // The role of a key that is to be made.
    "hadron:Role"?: String,
  };
"#;

const S3: &str = r#"  // `own` is the bucket in which Hadron keeps bundles, inputs and runs; an `account` of "" means all.
  entity Bucket = { arn: String, name: String, account: String, own: Bool };
  // With a prefix, ListBucket is asked for the object of that name. `claimed`: it belongs to a deployment that the
  // caller's key claimed last.
  entity Object in [Bucket] = {
    arn: String, name: String, account: String, own: Bool,
    key: String, folder: String, claimed: Bool,
  };

  action Any;
  action Read in [Action::"Any"];
  action Write in [Action::"Any"];
"#;

fn text() -> String {
    let mut text = String::new();
    for (namespace, head) in [("Proton", ""), ("Hadron", HADRON), ("S3", S3)] {
        writeln!(text, "namespace {namespace} {{\n{head}").expect("text takes text");
        for kind in Kind::ALL {
            if let Some(name) = kind.name().strip_prefix(namespace).and_then(|rest| rest.strip_prefix("::")) {
                writeln!(text, "  entity {name}{} = {RESOURCE};", parents(kind)).expect("text takes text");
            }
        }
        match namespace {
            "S3" => ObjectAction::ALL.iter().for_each(|action| object_action(&mut text, *action)),
            _ => operations(&mut text, namespace),
        }
        text.push_str("}\n\n");
    }
    text
}

fn parents(kind: Kind) -> String {
    let names: Vec<&str> = kind.parents().iter().map(|parent| parent.name()).collect();
    if names.is_empty() { String::new() } else { format!(" in [{}]", names.join(", ")) }
}

fn operations(text: &mut String, namespace: &str) {
    text.push_str("\n  // Whatever changes nothing, and whatever does.\n  action Read;\n  action Write;\n");
    for action in Action::all().filter(|action| action.service() == namespace.to_lowercase()) {
        let group = if action.reads() { "Read" } else { "Write" };
        let kinds: Vec<&str> = on(action).kinds().into_iter().map(Kind::name).collect();
        declare(text, action.name(), group, &kinds.join(", "));
    }
}

fn object_action(text: &mut String, action: ObjectAction) {
    let group = if action.reads() { "Read" } else { "Write" };
    declare(text, action.name(), group, action.applies_to());
}

fn declare(text: &mut String, name: &str, group: &str, resources: &str) {
    writeln!(
        text,
        "  action {name} in [Action::\"{group}\"] appliesTo {{\n    principal: [Hadron::Key], resource: [{resources}], \
         context: Hadron::Context\n  }};"
    )
    .expect("text takes text");
}
