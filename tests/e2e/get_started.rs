//! `docs/get-started.md` and `docs/developers.md`, typed line by line: their commands work in this order and print what
//! the pages show.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use regex::Regex;

use crate::support::examples;
use crate::support::plane::{binary, free_port};
use crate::support::process::{Running, command, search_path};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

#[test]
fn a_newcomer_gets_what_the_first_page_shows() {
    let newcomer = Reader::new();
    let page = steps(include_str!("../../docs/get-started.md"));
    let (first, shown) = &page[0];
    assert_eq!(first, "hadron up");
    let mut up = newcomer.up();
    let printed: Vec<String> = shown.iter().map(|_| up.line(Duration::from_secs(30))).collect();
    newcomer.compare(first, shown, &printed.join("\n"));
    newcomer.follow(&page[1..]);
    assert!(up.terminate(Duration::from_secs(20)).success(), "{}", up.stderr());
}

#[test]
fn a_developer_gets_what_the_developers_page_shows() {
    let developer = Reader::new();
    let mut up = developer.up();
    let ready = up.line(Duration::from_secs(30)) + "\n" + &up.line(Duration::from_secs(30));
    let offline = examples().join("offline");
    for (name, from) in [
        ("shop.yaml", "service/spec.yaml"),
        ("component.tf", "component/component.tf"),
        ("manifest.yaml", "component/manifest.yaml"),
    ] {
        developer.shell.file(name, fs::read(offline.join(from)).unwrap());
    }
    developer.shell.ok(&format!(
        "{}{ready}
        hadron bundle push {offline}/environment --template landing-zone --create --publish &&
        hadron bundle push {offline}/service --template web-service --create --publish --compatible landing-zone:1 --components &&
        aws proton create-environment --name dev --template-name landing-zone --template-major-version 1 \\
            --spec file://{offline}/environment/spec.yaml && aws proton wait environment-deployed --name dev",
        Reader::path(), offline = offline.display()
    ));
    developer.follow(&steps(include_str!("../../docs/developers.md")));
}

/// Somebody with a shell, the programs of a page, and a port of their own.
struct Reader {
    shell: Shell,
    listen: String,
}

impl Reader {
    fn new() -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let shell = Shell::new(Tools::get(), &BTreeMap::from([("HADRON_LISTEN".to_owned(), listen.clone())]));
        Self { shell, listen }
    }

    fn up(&self) -> Running {
        let folder = self.shell.folder();
        let env = [("HADRON_LISTEN", self.listen.clone()), ("HOME", folder.display().to_string())];
        let mut up = command(binary(), &env.map(|(name, value)| (name.to_owned(), value)).into());
        up.arg("up").current_dir(folder);
        Running::start(up, &folder.join("up.log"))
    }

    /// The line that finds `hadron` and the AWS CLI.
    fn path() -> String {
        let folder = |program: &Path| program.parent().unwrap().display().to_string();
        let path = search_path().to_string_lossy().into_owned();
        format!("export PATH={}:{}:{path}\n", folder(binary()), Tools::get().bin().display())
    }

    /// Types each command, and holds what it prints against the page.
    fn follow(&self, page: &[(String, Vec<String>)]) {
        assert!(page.len() > 15, "only {} commands were found", page.len());
        let mut before = Self::path();
        for (line, shown) in page {
            if line.starts_with("export ") {
                before += &format!("{line}\n");
                continue;
            }
            let answer = self.shell.run(&format!("{before}{{ {line}\n}} 2>&1"));
            self.compare(line, shown, &answer.stdout);
        }
    }

    /// What differs from run to run is left out of both; `…` on the page stands for anything.
    fn compare(&self, typed: &str, shown: &[String], printed: &str) {
        let differs = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|AKIA[A-Z2-7]{16}|Terraform \d+\.\d+\.\d+|[0-9a-f]{12}\b";
        let differs = Regex::new(differs).unwrap();
        let same = |text: &str| differs.replace_all(text.trim(), "<other>").replace(&self.listen, "127.0.0.1:9440");
        let shown = shown.join("\n");
        let parts: Vec<String> = same(&shown).split('…').map(regex::escape).collect();
        let wanted = Regex::new(&format!("^(?s){}$", parts.join(".*"))).unwrap();
        let printed = same(printed);
        assert!(wanted.is_match(&printed), "$ {typed}\nthe page shows:\n{shown}\nit printed:\n{printed}");
    }
}

/// Each command of the page's sessions, with the lines that it shows.
fn steps(page: &str) -> Vec<(String, Vec<String>)> {
    let mut steps: Vec<(String, Vec<String>)> = Vec::new();
    let sessions = page.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    for session in sessions {
        for line in session.lines() {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(typed), _) => steps.push((typed.to_owned(), Vec::new())),
                (None, Some((typed, shown))) if typed.ends_with('\\') && shown.is_empty() => {
                    *typed = format!("{}{}", typed.trim_end_matches('\\'), line.trim_start());
                }
                (None, Some((_, shown))) => shown.push(line.to_owned()),
                (None, None) => panic!("a session begins with a command: {line}"),
            }
        }
    }
    steps
}
