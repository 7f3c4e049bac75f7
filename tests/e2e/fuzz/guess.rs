//! Inputs that are nearly always well formed, often make sense, and collide, since there are few names.

use std::collections::BTreeMap;

use hadron_model::{Action, Kind, Shape};
use serde_json::{Map, Value, json};

use super::dice::Dice;

const NAMES: [&str; 6] = ["a", "a", "a", "b", "b", "c"];
const MAJORS: [&str; 5] = ["1", "1", "1", "1", "2"];
const MINORS: [&str; 5] = ["0", "0", "0", "1", "2"];
const ENVIRONMENT_SPECS: [&str; 4] = [
    "proton: EnvironmentSpec\nspec: {cidr: x}\n",
    "proton: EnvironmentSpec\nspec: {cidr: y}\n",
    "proton: EnvironmentSpec\nspec: {}\n",
    "proton: [&a *a",
];
const SERVICE_SPECS: [&str; 5] = [
    "proton: ServiceSpec\npipeline: {word: x}\ninstances:\n  - {name: a, environment: a, spec: {word: x}}\n",
    "proton: ServiceSpec\npipeline: {word: x}\ninstances:\n  - {name: a, environment: a, spec: {word: x}}\n  \
     - {name: b, environment: b, spec: {word: y}}\n",
    "proton: ServiceSpec\npipeline: {word: x}\ninstances:\n  - {name: b, environment: a, spec: {}}\n",
    "proton: ServiceSpec\npipeline: {word: x}\ninstances: []\n",
    "proton: ServiceSpec\ninstances: [{",
];
const MANIFEST: &str =
    "infrastructure:\n  templates:\n    - {file: q.tf, rendering_engine: hcl, template_language: terraform}\n";
const TERRAFORM: &str = "resource \"terraform_data\" \"q\" {}\n";
const UNKNOWN: &str = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
const ODD: [&str; 8] = ["", " ", "\u{0}", "ünï", "a/b", "../..", "'; DROP TABLE documents; --", "{{ x }}"];

/// What earlier answers named, so that later requests find it.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By the member that held them: connections, deployments and blockers are all called `id` in requests.
    ids: BTreeMap<&'static str, Vec<String>>,
    arns: Vec<String>,
    tokens: Vec<String>,
}

/// What ids there are, by a word in the name of the operation that takes them.
const IDS: [&str; 3] = ["Connection", "Blocker", "Deployment"];

impl Known {
    /// Never guesses this id again: a run that revoked or rotated the key it signs with would prove nothing after that.
    pub(super) fn spare(&mut self, id: &str) {
        self.ids.values_mut().for_each(|ids| ids.retain(|known| known != id));
    }

    /// Takes in every id, ARN and page token of an operation's answer.
    pub(super) fn learn(&mut self, operation: &str, answer: &Value) {
        match answer {
            Value::Object(members) => {
                for (name, value) in members {
                    let deployment = name.ends_with("DeploymentId");
                    match (value.as_str(), name.as_str()) {
                        (Some(text), "nextToken") => keep(&mut self.tokens, text),
                        (Some(text), "id") => keep(self.ids.entry(kind(operation)).or_default(), text),
                        (Some(text), _) if deployment => keep(self.ids.entry("Deployment").or_default(), text),
                        (Some(text), _) if text.starts_with("arn:aws:proton") => keep(&mut self.arns, text),
                        _ => self.learn(operation, value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(operation, item)),
            _ => {}
        }
    }
}

fn kind(operation: &str) -> &'static str {
    IDS.into_iter().find(|word| operation.contains(word)).unwrap_or("Deployment")
}

/// The newest sixty-four.
fn keep(pool: &mut Vec<String>, text: &str) {
    if pool.iter().any(|known| known == text) {
        return;
    }
    if pool.len() >= 64 {
        pool.remove(0);
    }
    pool.push(text.to_owned());
}

/// An input of an operation.
pub(super) fn input(action: Action, dice: &mut Dice, known: &Known) -> Value {
    let mut input = Guess { action, dice, known }.value(action.input(), "");
    if dice.percent(12) {
        spoil(&mut input, dice);
    }
    input
}

struct Guess<'a> {
    action: Action,
    dice: &'a mut Dice,
    known: &'a Known,
}

impl Guess<'_> {
    fn value(&mut self, shape: &Shape, name: &str) -> Value {
        match &shape.kind {
            Kind::Structure { members, union } => {
                let mut made = Map::new();
                for member in *members {
                    let chance = if member.name == "nextToken" { 4 } else { 30 };
                    if member.required || *union || self.dice.percent(chance) {
                        made.insert(member.name.to_owned(), self.value(member.shape, member.name));
                    }
                }
                Value::Object(made)
            }
            Kind::List { of, .. } => (0..self.dice.below(3)).map(|_| self.value(of, name)).collect(),
            Kind::String { values, .. } if !values.is_empty() => json!(self.dice.pick(values)),
            Kind::String { .. } => json!(self.text(shape.name, name)),
            Kind::Integer { .. } => json!(self.dice.below(105)),
            Kind::Boolean => json!(self.dice.percent(50)),
            Kind::Timestamp => json!(1_795_305_600 + self.dice.below(1000)),
        }
    }

    /// By what the member is called, since that is what tells an id from a name.
    fn text(&mut self, shape: &str, name: &str) -> String {
        let fixed: &[&str] = match (shape, name) {
            (_, "spec") if self.action.name().contains("Environment") => &ENVIRONMENT_SPECS,
            (_, "spec" | "serviceSpec") => &SERVICE_SPECS,
            (_, "manifest") => &[MANIFEST],
            (_, "templateFile") => &[TERRAFORM],
            (_, "bucket") => &["fuzz"],
            (_, "key") if shape.starts_with("S3") && self.action.name().contains("Environment") => &["environment"],
            (_, "key") if shape.starts_with("S3") => &["service", "service", "environment", "nothing"],
            (_, "managementAccountId") => &["123456789012"],
            ("RepositoryName", _) | (_, "repositoryId") => &["acme/a", "acme/a", "acme/b"],
            ("RoleArn" | "RoleArnOrEmptyString", _) => &["arn:aws:iam::123456789012:role/a"],
            (_, "connectionArn" | "repositoryConnectionArn" | "encryptionKey") => {
                &["arn:aws:codestar-connections:us-east-1:123456789012:connection/a"]
            }
            (_, "recommendedVersion") => &["1.0"],
            _ if name.ends_with("ajorVersion") || name == "templateVersion" => &MAJORS,
            _ if name.ends_with("inorVersion") => &MINORS,
            _ => &[],
        };
        if fixed.is_empty() { self.found(name) } else { (*self.dice.pick(fixed)).to_owned() }
    }

    /// Something that an earlier answer named, or a name.
    fn found(&mut self, name: &str) -> String {
        let known = self.known;
        let reported = self.action.name().starts_with("Notify");
        let of = |word: &str| known.ids.get(word).cloned().unwrap_or_default();
        let (pool, other) = match name {
            "nextToken" => (known.tokens.clone(), "AAAA"),
            "resourceArn" if reported => {
                let target = |arn: &&String| {
                    [":environment/", "service-instance/", "/pipeline", ":component/"].iter().any(|it| arn.contains(it))
                };
                (known.arns.iter().filter(target).cloned().collect(), "arn:aws:proton:us-east-1:123456789012:service/a")
            }
            _ if name.to_ascii_lowercase().ends_with("arn") => {
                (known.arns.clone(), "arn:aws:proton:us-east-1:123456789012:service/a")
            }
            "environmentAccountConnectionId" => (of("Connection"), UNKNOWN),
            "id" => (of(kind(self.action.name())), UNKNOWN),
            _ if name.ends_with("Id") || name.ends_with("Ids") => (of("Deployment"), UNKNOWN),
            _ => (NAMES.map(str::to_owned).to_vec(), "a"),
        };
        if pool.is_empty() || self.dice.percent(5) { other.to_owned() } else { self.dice.pick(&pool).clone() }
    }
}

/// Puts something else in one place.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let inner = match value {
        Value::Object(members) if !members.is_empty() => {
            let at = dice.below(members.len());
            members.values_mut().nth(at)
        }
        Value::Array(items) if !items.is_empty() => {
            let at = dice.below(items.len());
            items.get_mut(at)
        }
        _ => None,
    };
    match inner {
        Some(inner) if dice.percent(90) => spoil(inner, dice),
        _ => *value = anything(dice, 3),
    }
}

/// Any JSON at all.
pub(super) fn anything(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => json!(dice.percent(50)),
        2 => json!(*dice.pick(&[0, -1, i64::MIN, i64::MAX, 101])),
        3 => json!(*dice.pick(&[1.5, -0.0, 1e300, 5e-324])),
        4 => json!(dice.pick(&ODD)),
        5 => json!("x".repeat(dice.below(60_000))),
        6 => json!(u64::MAX),
        7 => (0..dice.below(4)).map(|_| anything(dice, depth - 1)).collect(),
        _ => {
            let members = (0..dice.below(4)).map(|_| (dice.pick(&NAMES).to_string(), anything(dice, depth - 1)));
            Value::Object(members.collect())
        }
    }
}
