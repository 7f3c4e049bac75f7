//! A shell in which commands are typed as a user would type them, the real AWS CLI among them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use super::aws;
use super::process::{command, search_path};
use super::tools::Tools;

/// A folder of its own, an environment of its own, `aws` on the search path.
pub(crate) struct Shell {
    folder: TempDir,
    env: BTreeMap<String, String>,
}

impl Shell {
    /// A shell with nothing in its environment but `env`, the search path and a home.
    pub(crate) fn new(tools: &Tools, env: &BTreeMap<String, String>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut env = env.clone();
        let (aws, tools) = (aws::folder(tools), tools.bin());
        let path = format!("{}:{}:{}", aws.display(), tools.display(), search_path().to_string_lossy());
        env.insert("PATH".into(), path);
        env.insert("HOME".into(), folder.path().display().to_string());
        env.insert("AWS_EC2_METADATA_DISABLED".into(), "true".into());
        // One line a table's row, whatever the terminal.
        env.insert("COLUMNS".into(), "200".into());
        Self { folder, env }
    }

    /// Where its relative paths lead.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file into the shell's folder.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder().join(name);
        fs::write(&path, contents).expect("the shell's folder takes files");
        path
    }

    /// Runs a script with `sh`.
    pub(crate) fn run(&self, script: &str) -> Answer {
        let mut shell = command(Path::new("sh"), &self.env);
        let output = shell.current_dir(self.folder()).args(["-c", script]).output().expect("there is a shell");
        Answer::new(script, &output)
    }

    /// Runs a script that must succeed, and gives what it printed.
    pub(crate) fn ok(&self, script: &str) -> String {
        self.run(script).succeeded().stdout
    }

    /// Runs a script that must succeed and print JSON.
    pub(crate) fn json(&self, script: &str) -> Value {
        let stdout = self.ok(script);
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{script}\nprinted no JSON ({error}):\n{stdout}"))
    }
}

/// What a script did.
#[derive(Debug)]
pub(crate) struct Answer {
    script: String,
    /// The exit code; 255 is how awscli 1 reports an error of the service, 2 one of the command line.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it said.
    pub(crate) stderr: String,
}

impl Answer {
    fn new(script: &str, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Self {
            script: script.to_owned(),
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Insists on success.
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.told());
        self
    }

    /// Insists on this exit code and on each of these words somewhere in stderr.
    pub(crate) fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.told());
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` in\n{}", self.told());
        }
        self
    }

    /// Insists on exactly this output.
    pub(crate) fn printed(self, expected: &str) -> Self {
        assert_eq!(self.stdout, expected, "{}", self.told());
        self
    }

    fn told(&self) -> String {
        format!("$ {}\nexit {}\n{}\n{}", self.script, self.code, self.stdout, self.stderr)
    }
}
