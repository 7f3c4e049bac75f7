//! A bundle where its author keeps it: a folder, one infrastructure folder of it, or an archive.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::layout;
use crate::domain::{BundleKind, Files, Intake, Problem, Problems, Role, unpack};

/// A bundle as it was found.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where its root is; in an archive, the archive itself.
    pub root: PathBuf,
    /// The files that make it up (schema and infrastructure), by their path from the root.
    pub files: Files,
    /// What it is for.
    pub kind: BundleKind,
    /// The only infrastructure folder that is meant, and what it provisions.
    pub part: Option<(String, Role)>,
    /// Whether its template has to be `CUSTOMER_MANAGED`, since what would provision it is not there.
    pub customer_managed: bool,
}

/// How deep a bundle is looked for below the folder that was named.
const DEEPEST: usize = 4;

/// More than an archive may have: it's refused for its size, whatever follows.
const LARGEST_ARCHIVE: u64 = (10 << 20) + 1;

/// Deeper than any path may be long.
const DEEPEST_FILE: usize = 64;

impl Source {
    /// Reads a bundle. Of a folder only what belongs to the bundle is read.
    ///
    /// # Errors
    /// What registration would refuse of an archive, too: links, too many and too large files. And whatever keeps it from
    /// being read.
    pub fn open(path: &Path) -> Result<Self, Problems> {
        let shown = path.display().to_string();
        let meta = fs::metadata(path).map_err(|error| unreadable(&shown, &error))?;
        if meta.is_dir() {
            return Self::of_folder(path);
        }
        if !meta.is_file() {
            return Err(Problem::of(shown, "is neither a folder nor an archive", NAME_A_BUNDLE).into());
        }
        let mut archive = Vec::new();
        let opened = fs::File::open(path).and_then(|file| file.take(LARGEST_ARCHIVE).read_to_end(&mut archive));
        opened.map_err(|error| unreadable(&shown, &error))?;
        if let Some(folder) = path.parent().filter(|_| is_text_of_a_bundle(path)) {
            let remedy = format!("name its folder: {}", folder.display());
            return Err(Problem::of(shown, "is a file of a bundle and no bundle", remedy).into());
        }
        Self::of_archive(path, &archive)
    }

    /// Reads a packed bundle; `path` is the name that problems carry.
    ///
    /// # Errors
    /// Whatever registration would refuse.
    pub fn of_archive(path: &Path, archive: &[u8]) -> Result<Self, Problems> {
        let files = unpack(archive).map_err(|problems| named(problems, path))?;
        Self::of_files(path.to_owned(), files)
    }

    fn of_files(root: PathBuf, files: Files) -> Result<Self, Problems> {
        let folders = layout::folders(&files);
        let Some(kind) = layout::kind(&files) else {
            if files.contains_key("manifest.yaml") || files.keys().any(|path| layout::is_code(path)) {
                return Ok(Self::alone(root, files));
            }
            return Err(no_bundle(&root).into());
        };
        let customer_managed = layout::is_customer_managed(kind, &files, &folders);
        Ok(Self { root, files, kind, part: None, customer_managed })
    }

    fn of_folder(path: &Path) -> Result<Self, Problems> {
        if layout::begins_here(path) {
            if let Some(problem) = layout::misnamed(path) {
                return Err(problem.into());
            }
            let mut intake = Intake::default();
            for folder in layout::FOLDERS {
                take(&path.join(folder), folder, &mut intake, 0);
            }
            return Self::of_files(path.to_owned(), intake.finish().map_err(|problems| below(problems, path))?);
        }
        if let Some(source) = Self::of_part(path)? {
            return Ok(source);
        }
        match &layout::roots(path, DEEPEST)[..] {
            [root] => Self::of_folder(root),
            [] => Err(no_bundle(path).into()),
            roots => {
                let roots: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
                let message = format!("holds more than one bundle: {}", roots.join(", "));
                Err(Problem::of(path.display().to_string(), message, "name one of them").into())
            }
        }
    }

    /// One infrastructure folder, with the schema of the bundle around it where there is one.
    fn of_part(path: &Path) -> Result<Option<Self>, Problems> {
        let entries = fs::read_dir(path).map_err(|error| unreadable(&path.display().to_string(), &error))?;
        let code = |name: &str| name == "manifest.yaml" || layout::is_code(name);
        if !entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(code)) {
            return Ok(None);
        }
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let name = absolute.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let around = absolute.parent().filter(|parent| parent.join("schema").is_dir());
        let mut intake = Intake::default();
        let Some(around) = around.filter(|_| layout::FOLDERS[1..].contains(&name.as_str())) else {
            take(path, "", &mut intake, 0);
            return Ok(Some(Self::alone(path.to_owned(), intake.finish().map_err(|problems| below(problems, path))?)));
        };
        let root = path.parent().filter(|parent| parent.join("schema").is_dir()).unwrap_or(around).to_owned();
        take(&root.join("schema"), "schema", &mut intake, 0);
        take(path, &name, &mut intake, 0);
        let files = intake.finish().map_err(|problems| below(problems, &root))?;
        let kind = layout::kind(&files).unwrap_or(BundleKind::Environment);
        let role = layout::role(&name, kind);
        let customer_managed = layout::is_customer_managed(kind, &files, &layout::folders(&files));
        Ok(Some(Self { root, files, kind, part: Some((name, role)), customer_managed }))
    }

    /// An infrastructure folder without a schema: what a component is, unless its code speaks of what components don't see.
    fn alone(root: PathBuf, files: Files) -> Self {
        let role = layout::role_by_code(&files);
        let kind = match role {
            Role::Environment => BundleKind::Environment,
            Role::Component => BundleKind::Component,
            Role::Instance | Role::Pipeline => BundleKind::Service,
        };
        let folder = layout::folder_of(role);
        let files = files.into_iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes)).collect();
        Self { root, files, kind, part: Some((folder.to_owned(), role)), customer_managed: false }
    }

    /// The same files for something else than what they seem to be for.
    #[must_use]
    pub fn as_role(mut self, role: Role) -> Self {
        if let Some((folder, old)) = &mut self.part
            && *old != role
        {
            let (from, to) = (format!("{folder}/"), layout::folder_of(role));
            let moved = |(path, bytes): (String, Vec<u8>)| match path.strip_prefix(&from) {
                Some(rest) => (format!("{to}/{rest}"), bytes),
                None => (path, bytes),
            };
            self.files = std::mem::take(&mut self.files).into_iter().map(moved).collect();
            (*folder, *old) = (to.to_owned(), role);
        }
        self
    }

    /// Whether it is an infrastructure folder without a schema.
    pub fn is_alone(&self) -> bool {
        self.part.is_some() && !self.files.keys().any(|path| path.starts_with("schema/"))
    }

    /// What values like those of `proton.auto.tfvars.json` are about.
    pub fn role_of_values(values: &serde_json::Value) -> Option<Role> {
        let has = |name: &str| values.get(name).is_some();
        if has("component") {
            Some(Role::Component)
        } else if has("pipeline") || has("service_instances") {
            Some(Role::Pipeline)
        } else if has("service_instance") {
            Some(Role::Instance)
        } else {
            (has("environment") && values["environment"].get("inputs").is_some()).then_some(Role::Environment)
        }
    }

    /// The path of a file of the bundle as its author would write it.
    pub fn shown(&self, file: &str) -> String {
        let alone = self.part.as_ref().filter(|_| self.is_alone());
        let inside = alone.and_then(|(folder, _)| file.strip_prefix(&format!("{folder}/"))).unwrap_or(file);
        if inside == "bundle" || inside.starts_with('/') || Path::new(inside).starts_with(&self.root) {
            return if inside == "bundle" { self.root.display().to_string() } else { inside.to_owned() };
        }
        let joined = self.root.join(inside);
        joined.strip_prefix(".").unwrap_or(&joined).display().to_string()
    }
}

/// The files of a Terraform module's folder.
///
/// # Errors
/// As [`Source::open`].
pub fn module_files(folder: &Path) -> Result<Files, Problems> {
    let shown = folder.display().to_string();
    match fs::metadata(folder) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(Problem::of(shown, "is no folder", "name a Terraform module's folder").into()),
        Err(error) => return Err(unreadable(&shown, &error)),
    }
    let mut intake = Intake::default();
    take(folder, "", &mut intake, 0);
    intake.finish().map_err(|problems| below(problems, folder))
}

/// Reads a text file that a person named.
///
/// # Errors
/// Why it can't be read.
pub fn read_text(path: &Path) -> Result<String, Problems> {
    const LONGEST: u64 = 4 << 20;
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    let opened = fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    opened.map_err(|error| unreadable(&shown, &error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(Problem::of(shown, format!("is larger than {} MiB", LONGEST >> 20), "").into());
    }
    String::from_utf8(bytes).map_err(|_| Problem::of(shown, "isn't UTF-8", "save it as UTF-8").into())
}

const NAME_A_BUNDLE: &str = "name a folder, a .zip or a .tar.gz";

fn unreadable(shown: &str, error: &std::io::Error) -> Problems {
    let (message, remedy) = match error.kind() {
        std::io::ErrorKind::NotFound => ("doesn't exist".to_owned(), "correct the path"),
        std::io::ErrorKind::IsADirectory => ("is a folder".to_owned(), "name a file"),
        std::io::ErrorKind::NotADirectory => {
            ("leads through something that is no folder".to_owned(), "correct the path")
        }
        _ => (format!("can't be read: {error}"), ""),
    };
    Problem::of(shown, message, remedy).into()
}

fn no_bundle(path: &Path) -> Problem {
    let message = "holds no bundle: neither schema/ nor a manifest.yaml with its templates";
    Problem::of(
        path.display().to_string(),
        message,
        "name the folder that has schema/ in it, or `hadron bundle init` one",
    )
}

fn is_text_of_a_bundle(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    matches!(ending, "yaml" | "yml" | "tf" | "json")
}

/// The problems of an archive by the archive's name.
fn named(problems: Problems, path: &Path) -> Problems {
    let rename = |problem: Problem| match problem.file.as_str() {
        "bundle" => Problem { file: path.display().to_string(), ..problem },
        _ => problem,
    };
    Problems(problems.0.into_iter().map(rename).collect())
}

/// The problems of a folder's files by their paths as they were named.
fn below(problems: Problems, root: &Path) -> Problems {
    let rename = |problem: Problem| match problem.file.as_str() {
        "bundle" => Problem { file: root.display().to_string(), ..problem },
        file => Problem { file: root.join(file).display().to_string(), ..problem },
    };
    Problems(problems.0.into_iter().map(rename).collect())
}

/// Takes a folder's files in, as they would lie in an archive.
fn take(folder: &Path, prefix: &str, intake: &mut Intake, depth: usize) {
    let Ok(meta) = fs::symlink_metadata(folder) else { return };
    if meta.is_symlink() && !prefix.is_empty() {
        return intake.refuse(prefix, "is a link, and a bundle has only files", "put a copy of the folder there");
    }
    let mut entries: Vec<_> = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten().collect(),
        // A file in a folder's place.
        Err(_) if meta.is_file() => {
            return intake.refuse(prefix, "is a file, and a folder is meant", "make it a folder");
        }
        Err(error) => return intake.refuse(prefix, format!("can't be read: {error}"), ""),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if intake.is_full() {
            return;
        }
        let file_name = entry.file_name();
        let Some(name) = file_name.to_str() else {
            let shown = format!("{prefix}/{}", file_name.to_string_lossy());
            intake.refuse(shown, "its name isn't UTF-8", "use plain letters in file names");
            continue;
        };
        let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        let Some(path) = intake.path(&name) else { continue };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEEPEST_FILE => take(&entry.path(), &path, intake, depth + 1),
            Ok(kind) if kind.is_file() => match fs::File::open(entry.path()) {
                Ok(file) => intake.file(path, file),
                Err(error) => intake.refuse(path, format!("can't be read: {error}"), ""),
            },
            Ok(kind) if kind.is_symlink() => {
                intake.refuse(path, "is a link, and a bundle has only files", "put a copy of the file there");
            }
            _ => intake.refuse(path, "is neither file nor folder", "leave it out"),
        }
    }
}
