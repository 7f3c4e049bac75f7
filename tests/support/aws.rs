//! The AWS CLI's own commands, each a process of its own, without the half second that each spends on its imports.
//!
//! `aws_server.py` holds the imports; it ends when the pipe to its stdin does, that is with the process that started it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;

use super::process::command;
use super::tools::Tools;

const HOLDER: &str = include_str!("aws_server.py");
const ASKER: &str = include_str!("aws_client.py");

struct Server {
    folder: PathBuf,
    _process: Child,
}

/// A folder for the search path: its `aws` is the installed AWS CLI.
pub(crate) fn folder(tools: &Tools) -> &'static Path {
    static SERVER: OnceLock<Server> = OnceLock::new();
    &SERVER.get_or_init(|| start(tools)).folder
}

fn start(tools: &Tools) -> Server {
    let folder = tempfile::Builder::new().prefix("hadron-aws-").tempdir().expect("a temporary folder").keep();
    let file = |name: &str, contents: &str| {
        fs::write(folder.join(name), contents).expect("its folder takes files");
        folder.join(name)
    };
    let (server, client) = (file("aws_server.py", HOLDER), file("aws_client.py", ASKER));
    // Without its site's packages the interpreter starts in a tenth of the time.
    let python = tools.python();
    let aws = file("aws", &format!("#!/bin/sh\nexec '{}' -IS '{}' \"$@\"\n", python.display(), client.display()));
    fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).expect("our own file");
    let home = BTreeMap::from([("HOME".to_owned(), folder.display().to_string())]);
    let mut process = command(&python, &home)
        .arg(server)
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut up = String::new();
    BufReader::new(process.stdout.take().expect("stdout is piped")).read_line(&mut up).expect("it says something");
    assert_eq!(up, "up\n", "the AWS CLI can't be imported");
    Server { folder, _process: process }
}
