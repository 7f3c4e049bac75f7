//! A PostgreSQL of the tests' own: on a free port, in a temporary folder, gone with the process that started it.
//!
//! A shell keeps it and waits for words on its stdin. When the test process ends, however it ends, that pipe closes, and
//! the shell stops the server and removes the folder. PostgreSQL doesn't run as root, so a test that does becomes
//! `nobody`. The file stands alone, so that the library's own tests can include it too.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// Whether what is committed is synced to the disk. Without, a crash of the machine loses it, not one of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fsync {
    On,
    Off,
}

/// The user that PostgreSQL runs as if we are root.
const NOBODY: u32 = 65534;

/// The server sorts text as English by default, to prove that nothing of ours depends on that.
const KEEPER: &str = r#"
dir=$1 port=$2 fsync=$3
trap '' INT TERM HUP
ssl=
[ -f "$dir/server.key" ] && ssl="-c ssl=on -c ssl_cert_file=$dir/server.crt -c ssl_key_file=$dir/server.key"
up() {
    pg_ctl -D "$dir/data" -w -t 120 -l "$dir/log" \
        -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$dir -c fsync=$fsync" \
        -o "-c max_connections=200 -c shared_buffers=32MB $ssl" start >>"$dir/ctl" 2>&1
}
initialise() {
    rm -rf "$dir/data"
    initdb -D "$dir/data" -U hadron -A trust -E UTF8 --no-sync "$@" >>"$dir/ctl" 2>&1
}
initialise --locale=C --locale-provider=icu --icu-locale=en || initialise --locale=C.UTF-8 || initialise --locale=C
if up; then echo up; else echo down; cat "$dir/ctl" "$dir/log" >&2; fi
while read -r word; do
    case $word in
    stop) pg_ctl -D "$dir/data" -w stop -m immediate >>"$dir/ctl" 2>&1 ;;
    start) up ;;
    esac
    echo "$word"
done
pg_ctl -D "$dir/data" -w stop -m immediate >>"$dir/ctl" 2>&1
rm -rf "$dir"
"#;

/// A running server.
pub(crate) struct PostgresServer {
    port: u16,
    databases: AtomicUsize,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    process: Child,
    /// None only while it is being dropped.
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// One server for all tests of this process that need no more than a database of their own.
pub(crate) fn shared() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::start(Fsync::Off))
}

impl PostgresServer {
    /// Starts a server and waits until it answers.
    pub(crate) fn start(fsync: Fsync) -> Self {
        Self::launch(fsync, None)
    }

    /// Starts a server that also speaks TLS, with a certificate and its key in PEM.
    pub(crate) fn with_tls(certificate: &str, key: &str) -> Self {
        Self::launch(Fsync::Off, Some((certificate, key)))
    }

    fn launch(fsync: Fsync, tls: Option<(&str, &str)>) -> Self {
        let folder = tempfile::Builder::new().prefix("hadron-pg-").tempdir().expect("a temporary folder").keep();
        if let Some((certificate, key)) = tls {
            lay(&folder.join("server.crt"), certificate);
            lay(&folder.join("server.key"), key);
        }
        let port = free_port();
        let mut keeper = as_nobody_if_root(&folder);
        keeper.args(["-c", KEEPER, "keeper"]).arg(&folder).arg(port.to_string());
        keeper.arg(if fsync == Fsync::On { "on" } else { "off" }).current_dir(&folder);
        let mut process = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell starts");
        let words = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut keeper = Keeper { process, words, answers };
        assert_eq!(keeper.answer(), "up", "PostgreSQL doesn't start; initdb, pg_ctl and postgres must be on PATH");
        Self { port, databases: AtomicUsize::new(0), keeper: Mutex::new(keeper) }
    }

    /// The URL of a new, empty database.
    pub(crate) fn database(&self) -> String {
        let name = format!("d{}", self.databases.fetch_add(1, Ordering::SeqCst));
        let made = psql(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        assert_eq!(made, "CREATE DATABASE");
        self.url(&name)
    }

    /// Stops the server as a crash would: sessions break, what isn't committed is gone.
    pub(crate) fn stop(&self) {
        self.tell("stop");
    }

    /// Starts it again, on the same port and with the same data.
    pub(crate) fn start_again(&self) {
        self.tell("start");
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://hadron@127.0.0.1:{}/{database}", self.port)
    }

    fn tell(&self, word: &str) {
        let mut keeper = self.keeper.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let words = keeper.words.as_mut().expect("it isn't being dropped");
        writeln!(words, "{word}").expect("the keeper listens");
        assert_eq!(keeper.answer(), word);
    }
}

impl Keeper {
    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the keeper answers");
        line.trim().to_owned()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(keeper.words.take());
        // The keeper ends by itself; waiting only keeps the machine tidy before the next test.
        drop(keeper.process.wait());
    }
}

/// Runs SQL and returns what psql prints, fields apart by `|`.
pub(crate) fn psql(url: &str, sql: &str) -> String {
    let done = command("psql").args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", url, "-c", sql]).output();
    let done = done.expect("psql is on PATH");
    assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

fn as_nobody_if_root(folder: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return command("sh");
    }
    give_away(folder);
    let mut command = command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]);
    command
}

fn give_away(path: &Path) {
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give a file away");
}

/// PostgreSQL wants its key to be its own and nobody else's.
fn lay(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file can be written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("our own file");
    if rustix::process::geteuid().is_root() {
        give_away(path);
    }
}

fn command(program: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "tests play the user who starts programs")]
    Command::new(program)
}

/// Below the ephemeral range, so that it is free again after a stop; where to begin differs by process.
fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let begin = std::process::id() as usize * 7;
    loop {
        let offset = (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 6000;
        let port = u16::try_from(26_000 + offset).expect("it is below 32000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
