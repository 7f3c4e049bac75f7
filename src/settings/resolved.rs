//! Every setting's value and where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Environment, File, Setting, Sink, TABLE, schema};
use crate::support::address;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-explanatory")]
pub enum Source {
    Flag,
    Variable(&'static str),
    File(PathBuf),
    Default,
    Unset,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Variable(name) => write!(f, "{name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
            Self::Unset => f.write_str("unset"),
        }
    }
}

/// Why settings can't be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SettingsError {
    #[error("{}: {message}", path.display())]
    File { path: PathBuf, message: String },
    #[error("`{name}` from {origin} is `{value}`: {reason}")]
    Value { name: &'static str, value: String, origin: String, reason: String },
    #[error("`{name}` is not set; set {how}")]
    Missing { name: &'static str, how: String },
}

/// What surrounds the process: its environment, taken once.
#[derive(Debug, Clone, Default)]
pub struct Surroundings(pub BTreeMap<String, String>);

impl Surroundings {
    /// Takes the process's environment; variables that aren't UTF-8 can't be settings and are left out.
    pub fn take() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }
}

/// All settings, resolved.
#[derive(Debug, Clone)]
pub struct Resolved {
    flags: BTreeMap<&'static str, String>,
    surroundings: Surroundings,
    file: File,
}

impl Resolved {
    /// Puts the three sources together; nothing is parsed before it is asked for.
    pub fn new(flags: BTreeMap<&'static str, String>, surroundings: Surroundings, file: File) -> Self {
        Self { flags, surroundings, file }
    }

    /// A setting's text and its source. An empty variable counts as unset.
    pub fn lookup(&self, name: &str) -> (Option<String>, Source) {
        let setting = row(name);
        if let Some(value) = self.flags.get(setting.name) {
            return (Some(value.clone()), Source::Flag);
        }
        for variable in setting.variables {
            if let Some(value) = self.surroundings.0.get(*variable).filter(|value| !value.is_empty()) {
                return (Some(value.clone()), Source::Variable(variable));
            }
        }
        if let Some(value) = self.file.values.get(setting.name) {
            return (Some(value.clone()), Source::File(self.file.path.clone()));
        }
        match setting.default {
            Some(value) => (Some(value.to_owned()), Source::Default),
            None => (None, Source::Unset),
        }
    }

    /// The same settings with one more flag.
    #[must_use]
    pub fn with_flag(mut self, name: &'static str, value: String) -> Self {
        self.flags.insert(name, value);
        self
    }

    /// What holds when nobody chose.
    pub fn default(&self, name: &str) -> Option<String> {
        row(name).default.map(str::to_owned)
    }

    /// A setting's text, if anyone chose it or it has a default.
    pub fn text(&self, name: &str) -> Option<String> {
        self.lookup(name).0
    }

    /// A setting's value.
    ///
    /// # Errors
    /// It isn't set, or its text doesn't parse; the message names the source.
    pub fn value<T: FromStr>(&self, name: &str) -> Result<T, SettingsError>
    where
        T::Err: fmt::Display,
    {
        let (text, source) = self.lookup(name);
        let setting = row(name);
        let Some(text) = text else {
            let how = setting
                .variables
                .first()
                .map_or_else(|| "it in hadron.toml".to_owned(), |variable| (*variable).to_owned());
            return Err(SettingsError::Missing { name: setting.name, how });
        };
        text.parse().map_err(|error: T::Err| SettingsError::Value {
            name: setting.name,
            value: if setting.secret { "***".into() } else { text.clone() },
            origin: source.to_string(),
            reason: error.to_string(),
        })
    }

    /// Refuses what no command could use, whether or not this one asks for it: a word where there are others to choose
    /// from, an address that is none.
    ///
    /// # Errors
    /// The first such setting, with its source.
    pub fn check(&self) -> Result<(), SettingsError> {
        for setting in TABLE {
            let (text, source) = self.lookup(setting.name);
            let reason = text.as_ref().and_then(|text| schema::refuses(setting, text));
            if let (Some(reason), Some(value)) = (reason, text) {
                return Err(SettingsError::Value { name: setting.name, value, origin: source.to_string(), reason });
            }
        }
        Ok(())
    }

    /// What the site wants for its environments.
    pub fn environments(&self) -> &BTreeMap<String, Environment> {
        &self.file.environments
    }

    /// Where status changes are told, as the settings file says.
    pub fn sinks(&self) -> &[Sink] {
        &self.file.sinks
    }

    /// The settings file, for messages and for what lies beside it.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The process's environment, and what the settings file adds for Terraform.
    pub fn surroundings(&self) -> (&BTreeMap<String, String>, &BTreeMap<String, String>) {
        (&self.surroundings.0, &self.file.child_environment)
    }

    /// One line a setting: name, value (secrets masked), source, meaning.
    pub fn describe(&self) -> Vec<(&'static Setting, String, Source)> {
        let shown = |setting: &'static Setting| {
            let (value, source) = self.lookup(setting.name);
            let value = match setting.secret && value.is_some() {
                true => "***".into(),
                // A database's may hold a password.
                false => address::without_password(&value.unwrap_or_default()),
            };
            (setting, value, source)
        };
        TABLE.iter().map(shown).collect()
    }
}

fn row(name: &str) -> &'static Setting {
    TABLE.iter().find(|setting| setting.name == name).expect("code asks only for settings of the table")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(flag: Option<&str>, variable: Option<&str>, file: &str) -> Resolved {
        let flags = flag.map(|value| ("listen", value.to_owned())).into_iter().collect();
        let surroundings =
            Surroundings(variable.map(|value| ("HADRON_LISTEN".to_owned(), value.to_owned())).into_iter().collect());
        Resolved::new(flags, surroundings, File::parse(Path::new("hadron.toml"), file).unwrap())
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
        let file = "listen = \"file:1\"";
        assert_eq!(resolved(Some("flag:1"), Some("var:1"), file).lookup("listen").0.unwrap(), "flag:1");
        assert_eq!(resolved(None, Some("var:1"), file).lookup("listen").0.unwrap(), "var:1");
        assert_eq!(resolved(None, Some(""), file).lookup("listen").0.unwrap(), "file:1");
        assert_eq!(resolved(None, None, "").lookup("listen").1, Source::Default);
    }

    #[test]
    fn a_value_that_does_not_parse_names_its_source() {
        let surroundings = Surroundings([("HADRON_CONCURRENCY".to_owned(), "many".to_owned())].into());
        let settings = Resolved::new(BTreeMap::new(), surroundings, File::default());
        let message = settings.value::<usize>("agent.concurrency").unwrap_err().to_string();
        assert_eq!(message, "`agent.concurrency` from HADRON_CONCURRENCY is `many`: invalid digit found in string");
    }

    #[test]
    fn what_no_command_could_use_is_refused() {
        let check = |name: &str, value: &str| {
            let surroundings = Surroundings([(name.to_owned(), value.to_owned())].into());
            Resolved::new(BTreeMap::new(), surroundings, File::default()).check().map_err(|error| error.to_string())
        };
        assert_eq!(
            check("HADRON_LOG_FORMAT", "xml").unwrap_err(),
            "`log.format` from HADRON_LOG_FORMAT is `xml`: it is one of text, json"
        );
        for url in ["notaurl", "ftp://example.com", "https://", "http:///path"] {
            assert!(check("HADRON_ENDPOINT", url).unwrap_err().contains("it is no URL"), "{url}");
        }
        for (name, value) in [
            ("HADRON_LOG_FORMAT", "json"),
            ("HADRON_ENDPOINT", "http://[::1]:9440"),
            ("HADRON_BASE_URL", "https://example.com/proton/"),
            ("HADRON_ENDPOINT", ""),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}={value}");
        }
    }

    #[test]
    fn secrets_are_masked() {
        let surroundings = Surroundings([("HADRON_SECRET_ACCESS_KEY".to_owned(), "hush".to_owned())].into());
        let settings = Resolved::new(BTreeMap::new(), surroundings, File::default());
        assert!(settings.describe().iter().all(|(_, value, _)| value != "hush"));
    }
}
