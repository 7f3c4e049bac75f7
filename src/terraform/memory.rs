//! The memory of the control group that this process runs in: how often the kernel has killed there, the limit, the
//! peak.
//!
//! Version 2 (<https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files>) and version 1
//! (<https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>), which are mounted side by side on some hosts. A kill
//! counts in the group of whoever was killed, whichever limit was reached, the machine's own included.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Diagnostic, Usage};

/// How the end of what ran out of memory is told.
pub(super) const RAN_OUT: &str = "ran out of memory";

/// What an operator can do.
pub(super) const REMEDY: &str = "give the agent's machine or container more memory, or lower agent.concurrency or \
                                 Terraform's parallelism";

/// How Terraform tells that a provider, or a provisioner's command, was killed under it.
const DIED: [&str; 7] = [
    "Plugin did not respond",
    "plugin process exited",
    "signal: killed",
    "exit status 137",
    "connection is shutting down",
    "transport is closing",
    "error reading from server: EOF",
];

/// The control group of this process that accounts for memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MemoryGroup {
    /// Where its hierarchy is mounted.
    mount: PathBuf,
    /// Its own folder, at or below the mount.
    folder: PathBuf,
    files: &'static Files,
}

/// A version's names.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    events: &'static str,
    limit: &'static str,
    peak: &'static str,
}

const V2: Files = Files { events: "memory.events", limit: "memory.max", peak: "memory.peak" };
const V1: Files =
    Files { events: "memory.oom_control", limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes" };

/// Version 1 says "no limit" by a number near the largest one.
const NO_LIMIT: u64 = 1 << 60;

impl MemoryGroup {
    /// This process's own; `None` where the kernel has none, or shows it to nobody here.
    pub(super) fn own() -> Option<Self> {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self::of(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
    }

    /// The group that these two files of `/proc/PID` name.
    fn of(cgroup: &str, mountinfo: &str) -> Option<Self> {
        let groups = || cgroup.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let path = |of: &dyn Fn(&str) -> bool| groups().find(|(controllers, _)| of(controllers)).map(|it| it.1);
        let unified = path(&str::is_empty).and_then(|path| Self::at(path, mount(mountinfo, "cgroup2", "")?, &V2));
        let memory = |controllers: &str| controllers.split(',').any(|name| name == "memory");
        let legacy = || path(&memory).and_then(|path| Self::at(path, mount(mountinfo, "cgroup", "memory")?, &V1));
        unified.or_else(legacy)
    }

    /// A group's folder, if it accounts for memory. Within a container the mount's root may be the group itself, and
    /// the path either lies below that root or is the container's own view of it.
    fn at(path: &str, (root, mount): (&str, PathBuf), files: &'static Files) -> Option<Self> {
        let below = Path::new(path).strip_prefix(root).or(Path::new(path).strip_prefix("/")).unwrap_or(Path::new(""));
        let inside = !below.components().any(|part| part == std::path::Component::ParentDir);
        let folders = [mount.join(if inside { below } else { Path::new("") }), mount.clone()];
        let folder = folders.into_iter().find(|folder| folder.join(files.events).exists())?;
        Some(Self { mount, folder, files })
    }

    /// How many processes the kernel has killed here for memory, ever.
    pub(super) fn kills(&self) -> Option<u64> {
        let events = fs::read_to_string(self.folder.join(self.files.events)).ok()?;
        events.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|count| count.trim().parse().ok())
    }

    /// The least limit in bytes, its own or one above it; `None` without any.
    pub(super) fn limit(&self) -> Option<u64> {
        let here_and_above = self.folder.ancestors().take_while(|folder| folder.starts_with(&self.mount));
        let limits = here_and_above.filter_map(|folder| number(&folder.join(self.files.limit)));
        limits.filter(|limit| *limit < NO_LIMIT).min()
    }

    /// The most bytes that it has used, ever.
    pub(super) fn peak(&self) -> Option<u64> {
        number(&self.folder.join(self.files.peak))
    }
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Root and place of a hierarchy's mount, by proc_pid_mountinfo(5): fields 4 and 5, behind the dash type, source and
/// options.
fn mount<'a>(mountinfo: &'a str, kind: &str, controller: &str) -> Option<(&'a str, PathBuf)> {
    mountinfo.lines().find_map(|line| {
        let (fields, about) = line.split_once(" - ")?;
        let mut about = about.split(' ');
        let fits = about.next()? == kind;
        let options = about.nth(1).unwrap_or_default();
        let has = controller.is_empty() || options.split(',').any(|option| option == controller);
        let mut fields = fields.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        // The kernel writes a space in a path as an octal escape.
        (fits && has).then(|| (root, PathBuf::from(place.replace("\\040", " "))))
    })
}

impl Usage {
    /// The limit and the peak, as far as they are known, for people.
    pub(super) fn words(&self) -> String {
        let limit = self.limit.map(|limit| format!("limit {}", mebibytes(limit)));
        let peak = self.group_peak.filter(|_| limit.is_some()).or(self.peak_rss);
        let parts: Vec<String> =
            limit.into_iter().chain(peak.map(|peak| format!("peak {}", mebibytes(peak)))).collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    }
}

/// Bytes for people.
fn mebibytes(bytes: u64) -> String {
    const MEBIBYTE: u64 = 1 << 20;
    format!("{} MiB", bytes.div_ceil(MEBIBYTE))
}

/// What to tell of a Terraform that ended badly by itself while the kernel killed something for memory: nothing, unless
/// its words say that somebody was killed under it.
pub(super) fn starved(said: &[Diagnostic], usage: Option<Usage>) -> Option<Diagnostic> {
    let died = |it: &Diagnostic| DIED.iter().any(|words| it.summary.contains(words) || it.detail.contains(words));
    said.iter().any(died).then(|| {
        let words = usage.unwrap_or_default().words();
        let summary = format!("{RAN_OUT}: the kernel killed a process that Terraform needed{words}");
        Diagnostic::error(summary, format!("The way out: {REMEDY}."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mount with groups in it, each with its files.
    fn hierarchy(groups: &[(&str, &[(&str, &str)])]) -> tempfile::TempDir {
        let mount = tempfile::tempdir().unwrap();
        for (group, files) in groups {
            let folder = mount.path().join(group);
            fs::create_dir_all(&folder).unwrap();
            files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        }
        mount
    }

    fn unified(root: &str, mount: &Path) -> String {
        format!(
            "22 1 0:20 / /proc rw - proc proc rw\n31 22 0:28 {root} {} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
            mount.display()
        )
    }

    const EVENTS: &str = "low 0\nhigh 12\nmax 40\noom 3\noom_kill 2\noom_group_kill 0\n";

    #[test]
    fn a_service_of_version_2_has_its_own_kills_and_the_least_limit_above_it() {
        let mount = hierarchy(&[
            ("system.slice", &[("memory.max", "1073741824\n"), ("memory.events", "oom_kill 9\n")]),
            (
                "system.slice/hadron.service",
                &[("memory.events", EVENTS), ("memory.max", "max\n"), ("memory.peak", "536870912\n")],
            ),
        ]);
        let group = MemoryGroup::of("0::/system.slice/hadron.service\n", &unified("/", mount.path())).unwrap();
        assert_eq!((group.kills(), group.limit(), group.peak()), (Some(2), Some(1 << 30), Some(1 << 29)));
    }

    #[test]
    fn a_container_finds_itself_whether_or_not_it_has_a_view_of_its_own() {
        let mount = hierarchy(&[("", &[("memory.events", EVENTS), ("memory.max", "268435456\n")])]);
        for (cgroup, root) in [
            ("0::/\n", "/"),
            ("0::/docker/abc\n", "/docker/abc"),
            ("0::/../../elsewhere\n", "/"),
            ("0::/kubepods/pod1/abc\n", "/"),
        ] {
            let group = MemoryGroup::of(cgroup, &unified(root, mount.path())).unwrap();
            assert_eq!((group.kills(), group.limit(), group.peak()), (Some(2), Some(1 << 28), None), "{cgroup}");
        }
    }

    #[test]
    fn version_1_is_read_where_version_2_does_not_account_for_memory() {
        let mount = hierarchy(&[
            ("unified", &[("cgroup.procs", "")]),
            ("memory", &[("memory.limit_in_bytes", "9223372036854771712\n")]),
            (
                "memory/docker/abc",
                &[
                    ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
                    ("memory.limit_in_bytes", "67108864\n"),
                    ("memory.max_usage_in_bytes", "67104768\n"),
                ],
            ),
        ]);
        let mountinfo = format!(
            "41 31 0:38 / {0}/unified rw - cgroup2 cgroup2 rw\n35 31 0:32 / {0}/memory rw - cgroup cgroup rw,memory\n",
            mount.path().display()
        );
        let cgroup = "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n";
        let group = MemoryGroup::of(cgroup, &mountinfo).unwrap();
        assert_eq!((group.kills(), group.limit(), group.peak()), (Some(1), Some(1 << 26), Some((1 << 26) - 4096)));
    }

    #[test]
    fn without_a_limit_or_without_any_group_nothing_is_claimed() {
        let mount = hierarchy(&[("a", &[("memory.events", "low 0\n"), ("memory.max", "max\n")])]);
        let group = MemoryGroup::of("0::/a\n", &unified("/", mount.path())).unwrap();
        assert_eq!((group.kills(), group.limit(), group.peak()), (None, None, None));
        assert_eq!(MemoryGroup::of("", ""), None);
        assert_eq!(MemoryGroup::of("0::/b\n", &unified("/", mount.path())), None);
        assert_eq!(MemoryGroup::of("nonsense\n::\n", "a b - \n - cgroup2\n"), None);
    }
}
