//! One directory of Proton's as a resource, and whatever about it contradicts itself.

use serde_json::{Map, Value};

use super::directory::Directory;
use super::files::{self, Sorted};
use super::metadata::{self, Note};
use super::text::{self, Broken, some};
use super::{METADATA, VALUES, banner};
use crate::domain::Target;
use crate::estate::{Banner, Resource, ServiceValues, Trouble, TroubleKind, VersionRef};

/// Reads a directory.
///
/// # Errors
/// What makes it unreadable as a whole.
pub(super) fn read(directory: &Directory<'_>, troubles: &mut Vec<Trouble>) -> Result<Resource, Trouble> {
    let refuse = |file: &str, broken: Broken| Trouble {
        line: broken.line,
        ..Trouble::at(TroubleKind::Unreadable, directory.place_of(file), broken.message)
    };
    let whole = |file: &str, message: String| refuse(file, Broken { line: None, message });
    let Some(bytes) = directory.files.get(METADATA) else {
        let why = directory.skipped.get(METADATA).copied().unwrap_or("it isn't there");
        return Err(whole(METADATA, format!("could not be read: {why}; put the file itself in its place")));
    };
    let document = text::json(bytes).map_err(|broken| refuse(METADATA, broken))?;
    let values = match directory.files.get(VALUES) {
        Some(bytes) => text::json(bytes).map_err(|broken| refuse(VALUES, broken))?,
        None => Value::Null,
    };
    let note = metadata::read(&document, values["//"].as_str()).map_err(|why| whole(METADATA, why))?;
    let sorted = files::sort(directory, &note.target, &note.arn);
    let deleted = deleted(&note, &sorted);
    let mut told = Told { directory, troubles: Vec::new() };
    if !deleted.is {
        told.missing(&values, &sorted).map_err(|(file, why)| whole(file, why))?;
    }
    if let Some((file, broken)) = sorted.broken.as_ref().filter(|_| !deleted.is) {
        return Err(refuse(file, Broken { line: broken.line, message: broken.message.clone() }));
    }
    let version = version(&note, &values, deleted.is).map_err(|why| whole(METADATA, why))?;
    let environment = told.environment(&note, &values);
    told.contradictions(&note, &values, &sorted, &deleted);
    told.place(&note.target, environment.as_deref());
    if !deleted.is {
        told.files(&sorted);
    }
    troubles.append(&mut told.troubles);
    Ok(Resource {
        place: directory.place(),
        deployment_id: note.deployment_id,
        deleted: deleted.is,
        environment,
        inputs: inputs(&note.target, &values),
        service: service(&note.target, &values),
        // The id that some pipelines' ARNs carry is nothing that a control plane could make anew.
        arn: note.target.arn(&note.scope),
        scope: note.scope,
        target: note.target,
        version,
        component: note.component,
        values,
        generated: sorted.generated,
        code: sorted.code,
        metadata: document,
    })
}

/// Whether it is deleted, and whether everything in it agrees.
struct Deleted {
    is: bool,
    /// What disagrees.
    doubt: Option<String>,
}

/// The note decides; where it says nothing, or says that it lives while every banner says that it's gone, the banners do.
fn deleted(note: &Note, sorted: &Sorted) -> Deleted {
    let banners: Vec<(&str, &Banner)> = banners(sorted).collect();
    let gone: Vec<String> =
        banners.iter().filter(|(_, banner)| banner.deleted).map(|(file, _)| (*file).to_owned()).collect();
    let all = !banners.is_empty() && gone.len() == banners.len();
    let (is, doubt) = match note.deleted {
        Some(true) if !banners.is_empty() && gone.is_empty() => {
            (true, Some("its files' banners say that it lives; taken as deleted, as its metadata says".to_owned()))
        }
        Some(true) => (true, None),
        Some(false) if all => (
            true,
            Some("its metadata says that it lives, its files' banners that it is deleted; taken as deleted".into()),
        ),
        Some(false) | None if !all && !gone.is_empty() => {
            (false, Some(format!("{} says that it is deleted; taken as live, as its metadata says", some(&gone))))
        }
        _ => (all, None),
    };
    Deleted { is, doubt }
}

fn banners(sorted: &Sorted) -> impl Iterator<Item = (&str, &Banner)> {
    let code = sorted.code.iter().filter_map(|file| Some((file.path.as_str(), file.banner.as_ref()?)));
    let generated = sorted.generated.iter().filter_map(|file| Some((file.name.as_str(), file.banner.as_ref()?)));
    code.chain(generated)
}

/// What there is to say about a directory.
struct Told<'a> {
    directory: &'a Directory<'a>,
    troubles: Vec<Trouble>,
}

impl Told<'_> {
    fn inconsistent(&mut self, message: impl Into<String>) {
        self.troubles.push(Trouble::at(TroubleKind::Inconsistent, self.directory.place(), message));
    }

    fn note(&mut self, message: impl Into<String>) {
        self.troubles.push(Trouble::at(TroubleKind::Note, self.directory.place(), message));
    }

    /// What a live resource can't be without.
    fn missing(&mut self, values: &Value, sorted: &Sorted) -> Result<(), (&'static str, String)> {
        const RESTORE: &str = "restore it from the repository's history, or mark the resource as deleted";
        if sorted.code.is_empty() && values.is_null() {
            return Err((METADATA, format!("has nothing beside it, neither code nor values: {RESTORE}")));
        }
        if let Some(why) = self.directory.skipped.get(VALUES).filter(|_| values.is_null()) {
            return Err((VALUES, format!("could not be read: {why}; put the file itself in its place")));
        }
        if values.is_null() {
            return Err((VALUES, format!("is missing, so that nobody knows the inputs: {RESTORE}")));
        }
        if !values.is_object() {
            return Err((VALUES, format!("is no object: {RESTORE}")));
        }
        if sorted.code.is_empty() {
            self.inconsistent(format!("has no Terraform code beside its values: {RESTORE}"));
        }
        if sorted.generated.is_none() {
            self.inconsistent("has no generated variables (proton.….variables.tf); Hadron writes them anew");
        }
        Ok(())
    }

    /// The environment by the note, else by the values, else by the folder.
    fn environment(&mut self, note: &Note, values: &Value) -> Option<String> {
        if !matches!(note.target, Target::ServiceInstance { .. } | Target::Component { .. }) {
            return note.environment.clone();
        }
        let told = values["environment"]["name"].as_str();
        match (&note.environment, told) {
            (Some(meant), Some(told)) if meant != told => {
                self.inconsistent(format!(
                    "its metadata puts it into environment {meant}, its values into {told}; taken as in {meant}"
                ));
                Some(meant.clone())
            }
            (Some(name), _) => Some(name.clone()),
            (None, Some(name)) => Some(name.to_owned()),
            (None, None) => {
                let folder = around(self.directory.path).map(str::to_owned);
                let taken = folder.as_deref().unwrap_or("none");
                self.inconsistent(format!("says nowhere in which environment it lies; by its folder taken as {taken}"));
                folder
            }
        }
    }

    /// Whether note, values and banners speak of one resource.
    fn contradictions(&mut self, note: &Note, values: &Value, sorted: &Sorted, deleted: &Deleted) {
        let other = |arn: &str| {
            Target::parse(arn)
                .map_or(true, |(scope, target)| (scope, target) != (note.scope.clone(), note.target.clone()))
        };
        if let Some(arn) = values["//"].as_str().filter(|arn| other(arn)) {
            self.inconsistent(format!("{VALUES} is of {arn}, the metadata of {}; the metadata counts", note.arn));
        }
        let foreign = banners(sorted).find_map(|(file, banner)| {
            let arn = banner::names(banner).filter(|arn| other(arn))?;
            Some(format!("the banner of {file} names {arn}, the metadata {}; the metadata counts", note.arn))
        });
        if let Some(message) = foreign {
            self.inconsistent(message);
        }
        if let Some(doubt) = &deleted.doubt {
            self.inconsistent(doubt.clone());
        }
    }

    /// Whether it lies where Proton would have put it.
    fn place(&mut self, target: &Target, environment: Option<&str>) {
        let path = self.directory.path;
        let expected = expected(target, environment);
        let fits = |wanted: &String| is_end_of(wanted, path) || is_end_of(path, wanted) || path.is_empty();
        if !expected.iter().any(fits) {
            self.inconsistent(format!(
                "names {target}, which Proton kept in {}; the ARN counts, not the folder",
                expected.join(" or ")
            ));
        }
    }

    /// What people laid beside.
    fn files(&mut self, sorted: &Sorted) {
        let by_hand: Vec<String> =
            sorted.code.iter().filter(|file| file.banner.is_none()).map(|file| file.path.clone()).collect();
        if !by_hand.is_empty() {
            self.note(format!("without Proton's banner, so written by hand, and taken as code: {}", some(&by_hand)));
        }
        if !sorted.own_values.is_empty() {
            let names = some(&sorted.own_values);
            self.note(format!(
                "values beside Proton's are not imported: {names}; set them as `variables` of the environment in hadron.toml"
            ));
        }
        if !sorted.no_text.is_empty() {
            self.inconsistent(format!("not imported, since they aren't UTF-8: {}", some(&sorted.no_text)));
        }
        let skipped: Vec<String> = self.directory.skipped.iter().map(|(file, why)| format!("{file} ({why})")).collect();
        if self.directory.skipped.keys().any(|file| files::is_terraforms(file)) {
            self.inconsistent(format!("not imported: {}", some(&skipped)));
        } else if !skipped.is_empty() {
            self.note(format!("not imported: {}", some(&skipped)));
        }
        if !sorted.beside.is_empty() {
            self.note(format!("not Proton's and not used by its code, so not imported: {}", some(&sorted.beside)));
        }
    }
}

/// Components have none; what is deleted needs none.
fn version(note: &Note, values: &Value, deleted: bool) -> Result<Option<VersionRef>, String> {
    if matches!(note.target, Target::Component { .. }) {
        return Ok(None);
    }
    match metadata::version(note, values["proton_tags"]["proton:template"].as_str()) {
        Err(_) if deleted => Ok(None),
        version => version.map(Some),
    }
}

/// Where Proton kept a target, by today's layout and the preview's.
pub(super) fn expected(target: &Target, environment: Option<&str>) -> Vec<String> {
    let inside = |rest: String| environment.map_or(rest.clone(), |environment| format!("{environment}/{rest}"));
    match target {
        Target::Environment { name } => vec![name.clone()],
        Target::ServiceInstance { service, name } => vec![inside(format!("{service}-{name}"))],
        Target::ServicePipeline { service } => vec![format!("{service}/pipeline")],
        Target::Component { name } => vec![inside(format!("components/{name}")), inside(name.clone())],
    }
}

/// Whether a path is the end of another, or the whole.
pub(super) fn is_end_of(end: &str, path: &str) -> bool {
    path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// The folder around a directory, `components` not counted.
fn around(path: &str) -> Option<&str> {
    let mut folders = path.rsplit('/').skip(1).filter(|folder| *folder != "components");
    folders.next()
}

fn inputs(target: &Target, values: &Value) -> Map<String, Value> {
    let holder = match target {
        Target::Environment { .. } => "environment",
        Target::ServiceInstance { .. } | Target::Component { .. } => "service_instance",
        Target::ServicePipeline { .. } => "pipeline",
    };
    values[holder]["inputs"].as_object().cloned().unwrap_or_default()
}

fn service(target: &Target, values: &Value) -> Option<ServiceValues> {
    let (Target::ServiceInstance { service, .. } | Target::ServicePipeline { service }) = target else { return None };
    let text = |key: &str| values["service"][key].as_str().unwrap_or_default().to_owned();
    Some(ServiceValues {
        name: service.clone(),
        branch_name: text("branch_name"),
        repository_connection_arn: text("repository_connection_arn"),
        repository_id: text("repository_id"),
    })
}
