//! `--write DIR`: the rebuilt bundles, specs and components as files, for reading, keeping and registering by hand.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::super::{Exit, Failure};
use crate::domain::{BundleKind, Files};
use crate::estate::{Origin, Rebuilt, RebuiltComponent, RebuiltTemplate, RebuiltVersion};

/// Names every file of the folder with its SHA-256, so that a folder is known again and edits in it are seen.
const MARKER: &str = ".hadron-import";

/// Writes everything into a folder: one folder for each template version, one spec for each environment and service, and
/// the components. The same content gives the same bytes. Returns how many files there are.
///
/// The folder is made whole beside its place and moved there, so that it's never half there.
///
/// # Errors
/// A folder that holds something else, or files that were changed since; and whatever the disk says.
pub(super) fn write(rebuilt: &[Rebuilt], into: &Path) -> Result<usize, Failure> {
    let mut files = Files::new();
    for one in rebuilt {
        let root = match rebuilt {
            [_] => String::new(),
            _ => format!("{}-{}/", named(&one.scope.account), named(&one.scope.region)),
        };
        add_all(one, &root, &mut files);
    }
    files.insert("README.md".into(), readme(rebuilt).into_bytes());
    if let Some(path) = files.keys().find(|path| !is_inside(path)) {
        let message = anyhow!("a file is called {path:?}, which would lie outside of {}", into.display());
        return Err(Failure::new(Exit::Usage, message).hint("rename it where it comes from"));
    }
    let count = files.len();
    files.insert(MARKER.into(), marker(&files).into_bytes());
    let into = place(into)?;
    put(&files, &into).with_context(|| format!("{} couldn't be written", into.display())).map_err(unexpected)?;
    Ok(count)
}

fn unexpected(error: anyhow::Error) -> Failure {
    Failure::new(Exit::Unexpected, error)
}

fn add_all(rebuilt: &Rebuilt, root: &str, files: &mut Files) {
    for template in &rebuilt.templates {
        for version in &template.versions {
            let folder = format!("{root}{}", folder_of(template, version));
            files.extend(version.files.iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes.clone())));
        }
    }
    let specs = rebuilt.environments.iter().map(|it| ("environments", &it.name, &it.spec));
    for (kind, name, spec) in specs.chain(rebuilt.services.iter().map(|it| ("services", &it.name, &it.spec))) {
        files.insert(format!("{root}{kind}/{}.yaml", named(name)), spec.clone().into_bytes());
    }
    for component in &rebuilt.components {
        let folder = format!("{root}components/{}", named(&component.name));
        files.insert(format!("{folder}/manifest.yaml"), component.manifest.clone().into_bytes());
        files.insert(format!("{folder}/{}", file_of(component)), component.template_file.clone().into_bytes());
        if let Some(spec) = &component.service_spec {
            files.insert(format!("{folder}/service-spec.yaml"), spec.clone().into_bytes());
        }
    }
}

fn folder_of(template: &RebuiltTemplate, version: &RebuiltVersion) -> String {
    let kind = if template.kind == BundleKind::Service { "service" } else { "environment" };
    format!("{kind}-templates/{}/v{}.{}", named(&template.name), version.major, version.minor)
}

/// The file that a component's manifest names.
fn file_of(component: &RebuiltComponent) -> String {
    let named_by = |line: &str| serde_json::from_str::<String>(line.trim().strip_prefix("- file: ")?).ok();
    component.manifest.lines().find_map(named_by).map_or_else(|| "component.tf".into(), |name| named(&name))
}

/// A name as one folder or file: what Proton allowed stays as it is, everything else is escaped.
fn named(name: &str) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    let name = utf8_percent_encode(name, &KEPT).to_string();
    if let Some(rest) = name.strip_prefix('.') { format!("%2E{rest}") } else { name }
}

/// Whether a path stays in the folder that it's put in.
fn is_inside(path: &str) -> bool {
    let fine = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    path.split('/').all(fine)
}

fn marker(files: &Files) -> String {
    let line = |(path, bytes): (&String, &Vec<u8>)| format!("{}  {path}\n", hex::encode(Sha256::digest(bytes)));
    files.iter().map(line).collect()
}

/// Where the folder really is; it may be replaced there.
fn place(into: &Path) -> Result<PathBuf, Failure> {
    let refuse = |message: String| {
        Failure::new(Exit::Usage, anyhow!(message)).hint("name a folder that doesn't exist yet, or an empty one")
    };
    let place = match into.canonicalize() {
        Ok(place) => place,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return std::path::absolute(into).map_err(|error| unexpected(error.into()));
        }
        Err(error) => return Err(unexpected(anyhow!(error).context(format!("{}", into.display())))),
    };
    if !place.is_dir() {
        return Err(refuse(format!("{} is a file", into.display())));
    }
    let found = contents(&place).with_context(|| format!("{} couldn't be read", into.display())).map_err(unexpected)?;
    if found.is_empty() {
        return Ok(place);
    }
    let mut files = found;
    match files.remove(MARKER) {
        None => Err(refuse(format!("{} holds something else", into.display()))),
        Some(written) if written != marker(&files).into_bytes() => {
            Err(refuse(format!("{} was changed since it was written, and would be overwritten", into.display())))
        }
        Some(_) => Ok(place),
    }
}

/// Every file below a folder; links count as content of their own, so that they are never followed.
fn contents(folder: &Path) -> io::Result<Files> {
    let (mut files, mut folders) = (Files::new(), vec![(folder.to_owned(), String::new())]);
    while let Some((folder, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push((entry.path(), format!("{path}/")));
            } else {
                files.insert(path, if kind.is_file() { std::fs::read(entry.path())? } else { b"link".to_vec() });
            }
        }
    }
    Ok(files)
}

fn put(files: &Files, into: &Path) -> io::Result<()> {
    let parent = into.parent().ok_or_else(|| io::Error::other("a file system's root can't be replaced"))?;
    std::fs::create_dir_all(parent)?;
    let work = tempfile::Builder::new().prefix(".hadron-import-").tempdir_in(parent)?;
    let new = work.path().join("new");
    std::fs::create_dir(&new)?;
    for (path, bytes) in files {
        let path = new.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, bytes)?;
    }
    if into.exists() {
        // What was there goes with the work folder, once the new one stands in its place.
        let old = work.path().join("old");
        std::fs::rename(into, &old)?;
        if let Err(error) = std::fs::rename(&new, into) {
            std::fs::rename(&old, into)?;
            return Err(error);
        }
        return Ok(());
    }
    std::fs::rename(&new, into)
}

/// What lies where, and every guess.
fn readme(rebuilt: &[Rebuilt]) -> String {
    let mut text = INTRODUCTION.to_owned();
    for one in rebuilt {
        let (account, region) = (&one.scope.account, &one.scope.region);
        let (environments, services) = (one.environments.len(), one.services.len());
        let instances: usize = one.services.iter().map(|it| it.instances.len()).sum();
        let components = one.components.len();
        push(&mut text, &format!("\n## Account {account}, {region}\n\n"));
        push(
            &mut text,
            &format!(
                "{environments} environments, {services} services with {instances} instances, {components} components.\n\n"
            ),
        );
        for template in &one.templates {
            template.versions.iter().for_each(|version| push(&mut text, &version_lines(template, version)));
        }
    }
    text
}

const INTRODUCTION: &str = "# What AWS Proton left, rebuilt

Written by `hadron import --write`. `hadron import --apply` registers the same content.

- `environment-templates/NAME/vMAJOR.MINOR/`, `service-templates/NAME/vMAJOR.MINOR/`: bundles
- `environments/NAME.yaml`, `services/NAME.yaml`: specs that resolve to the inputs that were deployed
- `components/NAME/`: manifest, template file, and the service spec of an attached one

A bundle's code is what was deployed, without Proton's banners. Its schema, unless it comes from a template repository or
a dump, is inferred from all known inputs. What had to be guessed stands below, and as a comment `hadron: guessed` in the
files themselves.
";

fn push(text: &mut String, more: &str) {
    text.push_str(more);
}

fn version_lines(template: &RebuiltTemplate, version: &RebuiltVersion) -> String {
    let mut text = format!("### `{}`\n\n", folder_of(template, version));
    match &version.origin {
        Origin::Repository(place) => {
            writeln!(text, "From {}, in {}.\n", code(&place.path), code(&place.repository)).expect("text takes text");
        }
        Origin::Inferred(guesses) if guesses.is_empty() => text.push_str("Rebuilt; nothing had to be guessed.\n\n"),
        Origin::Inferred(guesses) => {
            text.push_str("Rebuilt. Guessed:\n\n");
            for guess in guesses {
                writeln!(text, "- {}: {}", code(&guess.about), guess.why).expect("text takes text");
            }
            text.push('\n');
        }
    }
    text
}

/// A name from a repository as code, whatever it holds.
fn code(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_control() || c == '`' { '?' } else { c }).collect();
    format!("`{plain}`")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::domain::Scope;
    use crate::estate::{Guess, Place, RebuiltEnvironment, VersionRef};

    fn rebuilt(name: &str) -> Rebuilt {
        let guess = Guess { about: "environment.inputs.a".into(), why: "only null was ever given".into() };
        let version = RebuiltVersion {
            major: 1,
            minor: 0,
            files: Files::from([("schema/schema.yaml".into(), b"schema:\n".to_vec())]),
            origin: Origin::Inferred(vec![guess]),
        };
        let environment = RebuiltEnvironment {
            place: Place { repository: "infra".into(), path: name.into() },
            arn: String::new(),
            name: name.into(),
            version: VersionRef {
                template_arn: String::new(),
                template: "net".into(),
                major: "1".into(),
                minor: "0".into(),
            },
            deployment_id: None,
            spec: "proton: EnvironmentSpec\n".into(),
            account_id: None,
            outputs: json!({}).as_object().cloned(),
            state: None,
        };
        Rebuilt {
            scope: Scope::new("123456789012", "us-east-1"),
            templates: vec![RebuiltTemplate {
                name: "net".into(),
                kind: BundleKind::Environment,
                versions: vec![version],
            }],
            environments: vec![environment],
            services: Vec::new(),
            components: Vec::new(),
            told: BTreeMap::new(),
        }
    }

    fn paths(folder: &Path) -> Vec<String> {
        contents(folder).unwrap().into_keys().collect()
    }

    #[test]
    fn everything_has_its_place_and_guesses_are_listed() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        assert_eq!(write(&[rebuilt("dev")], &folder).unwrap(), 3);
        assert_eq!(
            paths(&folder),
            [MARKER, "README.md", "environment-templates/net/v1.0/schema/schema.yaml", "environments/dev.yaml"]
        );
        let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
        assert!(readme.contains("- `environment.inputs.a`: only null was ever given\n"), "{readme}");
        assert_eq!(std::fs::read_dir(home.path().join("a")).unwrap().count(), 1, "nothing is left beside");
    }

    #[test]
    fn its_own_folder_is_replaced_and_no_other() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("out");
        std::fs::create_dir(&folder).unwrap();
        write(&[rebuilt("dev")], &folder).unwrap();
        let first = contents(&folder).unwrap();
        write(&[rebuilt("dev")], &folder).unwrap();
        assert_eq!(contents(&folder).unwrap(), first);
        write(&[rebuilt("prod")], &folder).unwrap();
        assert!(!folder.join("environments/dev.yaml").exists());

        std::fs::write(folder.join("environments/prod.yaml"), "mine").unwrap();
        let refusal = write(&[rebuilt("dev")], &folder).unwrap_err();
        assert!(refusal.exit == Exit::Usage && refusal.words().contains("was changed since"), "{}", refusal.words());
        let other = home.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("x"), "").unwrap();
        assert!(write(&[rebuilt("dev")], &other).unwrap_err().words().contains("holds something else"));
        assert_eq!(paths(&other), ["x"]);
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let home = tempfile::tempdir().unwrap();
        for (name, file) in [("..", "%2E..yaml"), ("../../x", "%2E.%2F..%2Fx.yaml"), ("a\\b", "a%5Cb.yaml")] {
            let folder = home.path().join("out");
            write(&[rebuilt(name)], &folder).unwrap();
            assert!(paths(&folder).contains(&format!("environments/{file}")), "{:?}", paths(&folder));
        }
        let mut evil = rebuilt("dev");
        evil.templates[0].versions[0].files.insert("infrastructure/../../../x".into(), Vec::new());
        let refusal = write(&[evil], &home.path().join("evil")).unwrap_err();
        assert!(refusal.words().contains("would lie outside"), "{}", refusal.words());
        assert!(!home.path().join("evil").exists());
    }

    #[test]
    fn several_accounts_lie_beside_each_other() {
        let home = tempfile::tempdir().unwrap();
        let other = Rebuilt { scope: Scope::new("111111111111", "eu-west-1"), ..rebuilt("dev") };
        write(&[rebuilt("dev"), other], &home.path().join("out")).unwrap();
        let paths = paths(&home.path().join("out"));
        assert!(paths.contains(&"123456789012-us-east-1/environments/dev.yaml".to_owned()), "{paths:?}");
        assert!(paths.contains(&"111111111111-eu-west-1/environments/dev.yaml".to_owned()), "{paths:?}");
    }
}
