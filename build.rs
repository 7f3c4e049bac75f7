//! Facts of the build for `hadron version`. No moment and no path is among them: the same source gives the same bytes.
//!
//! The commit is asked of Git for release builds only. A debug build would be compiled anew after each commit, merely to
//! say which one it is. Whoever builds without Git, from a source archive, says it by HADRON_BUILD_COMMIT.

#![expect(clippy::disallowed_methods, reason = "a build script asks cargo's environment, the compiler and Git")]

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=HADRON_BUILD_COMMIT");
    let of_cargo = |name: &str| env::var(name).unwrap_or_default();
    tell("TARGET", &of_cargo("TARGET"));
    tell("PROFILE", &of_cargo("PROFILE"));
    tell("RUSTC", &output(&of_cargo("RUSTC"), &["--version"]).unwrap_or_default());
    let given = of_cargo("HADRON_BUILD_COMMIT");
    let (commit, dirty) = match (given.is_empty(), of_cargo("PROFILE").as_str()) {
        (false, _) => (given, String::new()),
        (true, "release") => of_git(),
        (true, _) => (String::new(), String::new()),
    };
    tell("COMMIT", &commit);
    tell("DIRTY", &dirty);
}

fn tell(name: &str, value: &str) {
    println!("cargo::rustc-env=HADRON_BUILD_{name}={value}");
}

/// The commit and whether files differ from it, if this folder is a work tree's top and not somebody else's sub-folder.
fn of_git() -> (String, String) {
    let git = |arguments: &[&str]| output("git", arguments);
    let top = git(&["rev-parse", "--show-prefix"]);
    let Some(commit) = git(&["rev-parse", "HEAD"]).filter(|_| top.as_deref() == Some("")) else {
        return Default::default();
    };
    // Which commit it is may change without a file of the package: HEAD moves, or the branch that it names.
    for name in ["HEAD", "logs/HEAD", "index"] {
        let path = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists());
        path.iter().for_each(|path| println!("cargo::rerun-if-changed={path}"));
    }
    for source in ["src", "model", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={source}");
    }
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    (commit, changed.map(|changed| (!changed.is_empty()).to_string()).unwrap_or_default())
}

/// What a program printed, if it went well.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let done = Command::new(program).args(arguments).output().ok().filter(|done| done.status.success())?;
    Some(String::from_utf8(done.stdout).ok()?.trim().to_owned())
}
