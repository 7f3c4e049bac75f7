//! What was found, and how it compares: tables for people, JSON for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::{Exit, Failure, Form, print};
use super::Import;
use crate::domain::{BundleKind, Target};
use crate::estate::{
    Age, Origin, Place, Rebuilt, RebuiltTemplate, RebuiltVersion, Resource, StateAt, Trouble, TroubleKind, Verdict,
    VersionRef,
};

/// Notes of one kind that are shown as text; JSON has all.
const MOST_NOTES: usize = 40;

/// Prints what was found.
pub(super) fn found(import: &Import, form: Form) -> Result<(), Failure> {
    match form {
        Form::Json => print::json(&document(import)),
        Form::Text => print::text(&text(import)),
    }
}

fn text(import: &Import) -> String {
    let mut out = String::new();
    for (title, table) in [
        ("TEMPLATES", templates(import)),
        ("ENVIRONMENTS", resources(import, |target| matches!(target, Target::Environment { .. }))),
        ("SERVICE INSTANCES", resources(import, |target| matches!(target, Target::ServiceInstance { .. }))),
        ("PIPELINES", resources(import, |target| matches!(target, Target::ServicePipeline { .. }))),
        ("COMPONENTS", resources(import, |target| matches!(target, Target::Component { .. }))),
    ] {
        if !table.is_empty() {
            push(&mut out, &format!("{title}\n{table}\n"));
        }
    }
    push(&mut out, &troubles(&import.estate.troubles));
    push(&mut out, &summary(import));
    out
}

fn push(out: &mut String, text: &str) {
    out.write_str(text).expect("text takes text");
}

fn templates(import: &Import) -> String {
    let mut rows = Vec::new();
    for rebuilt in &import.rebuilt {
        for template in &rebuilt.templates {
            for version in &template.versions {
                let users = users(import, rebuilt, template, version);
                rows.push([
                    template.name.clone(),
                    kind(template.kind).to_owned(),
                    format!("{}.{}", version.major, version.minor),
                    users.to_string(),
                    origin(&version.origin),
                    rebuilt.scope.account.clone(),
                    rebuilt.scope.region.clone(),
                ]);
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    print::table(["NAME", "OF", "VERSION", "USED BY", "BUNDLE", "ACCOUNT", "REGION"], &rows)
}

fn kind(kind: BundleKind) -> &'static str {
    match kind {
        BundleKind::Environment => "environments",
        BundleKind::Service => "services",
        BundleKind::Component => "components",
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Repository(place) => format!("from {}", shown(place)),
        Origin::Inferred(guesses) if guesses.is_empty() => "inferred".to_owned(),
        Origin::Inferred(guesses) => {
            format!("inferred, {} guess{}", guesses.len(), if guesses.len() == 1 { "" } else { "es" })
        }
    }
}

/// How many resources run a version.
fn users(import: &Import, rebuilt: &Rebuilt, template: &RebuiltTemplate, version: &RebuiltVersion) -> usize {
    let numbers = (version.major.to_string(), version.minor.to_string());
    let runs = |resource: &&Resource| {
        let of_environments = matches!(resource.target, Target::Environment { .. });
        let named =
            |it: &VersionRef| it.template == template.name && (&it.major, &it.minor) == (&numbers.0, &numbers.1);
        !resource.deleted
            && resource.scope == rebuilt.scope
            && of_environments == (template.kind == BundleKind::Environment)
            && resource.version.as_ref().is_some_and(named)
    };
    import.estate.resources.iter().filter(runs).count()
}

fn resources(import: &Import, of_kind: impl Fn(&Target) -> bool) -> String {
    let states = states(import);
    let rows: Vec<[String; 6]> = import
        .estate
        .resources
        .iter()
        .filter(|resource| of_kind(&resource.target))
        .map(|resource| {
            let name = name(&resource.target);
            let version = resource.version.as_ref();
            [
                name,
                resource.environment.clone().unwrap_or_default(),
                version.map(|it| format!("{} {}.{}", it.template, it.major, it.minor)).unwrap_or_default(),
                if resource.deleted { "deleted".to_owned() } else { "live".to_owned() },
                shown(&resource.place),
                states.get(resource.arn.as_str()).map(|state| address(state)).unwrap_or_default(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    print::table(["NAME", "ENVIRONMENT", "TEMPLATE", "IS", "DIRECTORY", "STATE"], &rows)
}

/// The name without its kind.
fn name(target: &Target) -> String {
    match target {
        Target::Environment { name } | Target::Component { name } => name.clone(),
        Target::ServiceInstance { service, name } => format!("{service}/{name}"),
        Target::ServicePipeline { service } => service.clone(),
    }
}

fn shown(place: &Place) -> String {
    if place.path.is_empty() { place.repository.clone() } else { format!("{}: {}", place.repository, place.path) }
}

fn address(state: &StateAt) -> String {
    format!("s3://{}/{}", state.bucket, state.key)
}

/// Where the states lie, by ARN.
fn states(import: &Import) -> BTreeMap<&str, &StateAt> {
    let mut states = BTreeMap::new();
    for rebuilt in &import.rebuilt {
        let environments = rebuilt.environments.iter().map(|it| (&it.arn, &it.state));
        let instances = rebuilt.services.iter().flat_map(|it| &it.instances).map(|it| (&it.arn, &it.state));
        let pipelines = rebuilt.services.iter().filter_map(|it| it.pipeline.as_ref()).map(|it| (&it.arn, &it.state));
        let components = rebuilt.components.iter().map(|it| (&it.arn, &it.state));
        let all = environments.chain(instances).chain(pipelines).chain(components);
        states.extend(all.filter_map(|(arn, state)| Some((arn.as_str(), state.as_ref()?))));
    }
    states
}

fn troubles(troubles: &[Trouble]) -> String {
    let mut out = String::new();
    for (kind, title) in [
        (TroubleKind::Unreadable, "NOT IMPORTED"),
        (TroubleKind::Inconsistent, "INCONSISTENT"),
        (TroubleKind::Note, "NOTES"),
    ] {
        let lines: Vec<String> = troubles.iter().filter(|trouble| trouble.kind == kind).map(line).collect();
        if lines.is_empty() {
            continue;
        }
        let most = if kind == TroubleKind::Note { MOST_NOTES } else { lines.len() };
        push(&mut out, &format!("{title}\n"));
        lines.iter().take(most).for_each(|line| push(&mut out, &format!("{line}\n")));
        if lines.len() > most {
            push(&mut out, &format!("… and {} more: --output json has all\n", lines.len() - most));
        }
        out.push('\n');
    }
    out
}

/// `repository: path:line: message`.
pub(super) fn line(trouble: &Trouble) -> String {
    let line = trouble.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{}{line}: {}", shown(&trouble.place), trouble.message)
}

fn summary(import: &Import) -> String {
    let live: Vec<&Resource> = import.estate.resources.iter().filter(|resource| !resource.deleted).collect();
    let count = |of_kind: &dyn Fn(&Target) -> bool| live.iter().filter(|it| of_kind(&it.target)).count();
    let services: BTreeSet<_> = live
        .iter()
        .filter_map(|resource| match &resource.target {
            Target::ServiceInstance { service, .. } | Target::ServicePipeline { service } => {
                Some((&resource.scope, service))
            }
            _ => None,
        })
        .collect();
    let unreadable = import.estate.troubles.iter().filter(|it| it.kind == TroubleKind::Unreadable).count();
    let parts = [
        (count(&|it| matches!(it, Target::Environment { .. })), "environment"),
        (services.len(), "service"),
        (count(&|it| matches!(it, Target::ServiceInstance { .. })), "instance"),
        (count(&|it| matches!(it, Target::ServicePipeline { .. })), "pipeline"),
        (count(&|it| matches!(it, Target::Component { .. })), "component"),
    ];
    let plural = |(number, word): (usize, &str)| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let deleted = import.estate.resources.len() - live.len();
    format!("{}; {deleted} deleted; {unreadable} not imported\n", parts.map(plural).join(", "))
}

fn document(import: &Import) -> Value {
    let states = states(import);
    let resources: Vec<Value> = import
        .estate
        .resources
        .iter()
        .map(|resource| {
            json!({
                "arn": resource.arn,
                "kind": resource.target.resource_type().as_str(),
                "name": name(&resource.target),
                "environment": resource.environment,
                "template": resource.version.as_ref().map(|it| &it.template),
                "version": resource.version.as_ref().map(|it| format!("{}.{}", it.major, it.minor)),
                "deploymentId": resource.deployment_id,
                "deleted": resource.deleted,
                "repository": resource.place.repository,
                "path": resource.place.path,
                "state": states.get(resource.arn.as_str()).map(|state| address(state)),
            })
        })
        .collect();
    let templates: Vec<Value> = import
        .rebuilt
        .iter()
        .flat_map(|rebuilt| rebuilt.templates.iter().map(move |template| (rebuilt, template)))
        .flat_map(|(rebuilt, template)| template.versions.iter().map(move |version| (rebuilt, template, version)))
        .map(|(rebuilt, template, version)| {
            let guesses = match &version.origin {
                Origin::Inferred(guesses) => {
                    guesses.iter().map(|it| json!({"about": it.about, "why": it.why})).collect()
                }
                Origin::Repository(_) => Vec::new(),
            };
            json!({
                "name": template.name,
                "of": kind(template.kind),
                "version": format!("{}.{}", version.major, version.minor),
                "account": rebuilt.scope.account,
                "region": rebuilt.scope.region,
                "bundle": origin(&version.origin),
                "guesses": guesses,
            })
        })
        .collect();
    json!({
        "templates": templates,
        "resources": resources,
        "troubles": import.estate.troubles.iter().map(trouble).collect::<Vec<_>>(),
    })
}

fn trouble(trouble: &Trouble) -> Value {
    let kind = match trouble.kind {
        TroubleKind::Unreadable => "unreadable",
        TroubleKind::Inconsistent => "inconsistent",
        TroubleKind::Note => "note",
    };
    json!({
        "kind": kind,
        "repository": trouble.place.repository,
        "path": trouble.place.path,
        "line": trouble.line,
        "message": trouble.message,
    })
}

/// How every live resource compares.
pub(super) struct Verdicts {
    /// What is known of each.
    pub(super) document: Value,
    /// A line for each.
    text: String,
    /// Done if all agree.
    pub(super) exit: Exit,
}

impl Verdicts {
    pub(super) fn of(import: &Import, verdicts: &[Verdict]) -> Self {
        let unreadable: Vec<&Trouble> =
            import.estate.troubles.iter().filter(|it| it.kind == TroubleKind::Unreadable).collect();
        let holds = unreadable.is_empty() && verdicts.iter().all(Verdict::holds);
        let resources: Vec<Value> = verdicts.iter().map(verdict).collect();
        let unread: Vec<Value> = unreadable.iter().map(|it| trouble(it)).collect();
        Self {
            document: json!({ "resources": resources, "unreadable": unread }),
            text: compared(verdicts, &unreadable),
            exit: if holds { Exit::Done } else { Exit::InvalidBundle },
        }
    }

    pub(super) fn print(&self, form: Form) -> Result<(), Failure> {
        match form {
            Form::Json => print::json(&self.document),
            Form::Text => print::text(&self.text),
        }
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match (verdict.equal, verdict.holds()) {
        (true, _) => "equal",
        (false, true) => "aged",
        (false, false) => "differs",
    }
}

fn verdict(verdict: &Verdict) -> Value {
    let differences: Vec<Value> = verdict
        .differences
        .iter()
        .map(|it| json!({ "file": it.file, "age": it.age.map(Age::name), "text": it.text }))
        .collect();
    json!({
        "arn": verdict.arn,
        "repository": verdict.place.repository,
        "path": verdict.place.path,
        "verdict": word(verdict),
        "differences": differences,
    })
}

fn compared(verdicts: &[Verdict], unreadable: &[&Trouble]) -> String {
    let mut rows: Vec<[String; 4]> = verdicts
        .iter()
        .map(|verdict| [word(verdict).to_owned(), resource(&verdict.arn), shown(&verdict.place), why(verdict)])
        .collect();
    rows.extend(unreadable.iter().map(|trouble| {
        let line = trouble.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        ["unread".to_owned(), String::new(), shown(&trouble.place), format!("{line}{}", trouble.message)]
    }));
    let mut out = print::table(["IS", "RESOURCE", "DIRECTORY", "WHY"], &rows);
    let ages: BTreeSet<Age> = verdicts.iter().flat_map(|it| &it.differences).filter_map(|it| it.age).collect();
    if !ages.is_empty() {
        out.push('\n');
        for age in ages {
            push(&mut out, &format!("{}: {}\n", age.name(), age.explanation()));
        }
    }
    let count = |wanted: &str| verdicts.iter().filter(|verdict| word(verdict) == wanted).count();
    let (equal, older, differs) = (count("equal"), count("aged"), count("differs"));
    push(
        &mut out,
        &format!("\n{equal} equal, {older} of an earlier age, {differs} differ, {} unread\n", unreadable.len()),
    );
    out
}

/// The ARN's part behind the account.
fn resource(arn: &str) -> String {
    arn.splitn(6, ':').nth(5).unwrap_or(arn).to_owned()
}

/// What doesn't agree, or else the ages that explain what differs.
fn why(verdict: &Verdict) -> String {
    let open: Vec<String> = verdict
        .differences
        .iter()
        .filter(|it| it.age.is_none())
        .map(|it| if it.file.is_empty() { it.text.clone() } else { format!("{}: {}", it.file, it.text) })
        .collect();
    if open.is_empty() {
        let ages: BTreeSet<Age> = verdict.differences.iter().filter_map(|it| it.age).collect();
        return ages.into_iter().map(Age::name).collect::<Vec<_>>().join(", ");
    }
    let first = open[0].lines().collect::<Vec<_>>().join(" ");
    if open.len() == 1 { first } else { format!("{first} (and {} more)", open.len() - 1) }
}
