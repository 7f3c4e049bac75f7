//! Error messages as they stand in the code, each with what a reader can do.

use regex::Regex;

/// Messages of one kind.
pub(super) struct Group {
    pub(super) heading: &'static str,
    pub(super) about: &'static str,
    files: &'static [&'static str],
    /// The beginning of each message, and the remedy; an empty one stands in the message itself.
    remedies: &'static [(&'static str, &'static str)],
}

pub(super) const GROUPS: &[Group] = &[
    Group {
        heading: "A deployment's messages",
        about: "Behind each stands whether anything was changed, and where the run directory lies.",
        files: &["src/agent/error.rs"],
        remedies: &[
            ("another agent works in", ""),
            ("the runs in … have format", ""),
            ("starting the thread", "look at the limits of processes and threads of the agent's user"),
            ("… can't be an agent's name", ""),
            ("left; Terraform goes on", "nothing: start the agent again"),
            (
                "a tag of the deployment is wrong",
                "create the deployment anew; tags that begin with `hadron:` are the server's",
            ),
            ("this endpoint doesn't say what to provision", ""),
            ("… isn't what its name says", "register the template version anew, and look who may write to the bucket"),
            ("… can't be read as JSON", "the object was changed or cut off: update again"),
            ("the inputs hold sealed values", ""),
            (
                "the template bundle has problems",
                "mend what is listed, register a new version; `hadron bundle check` finds it before",
            ),
            ("the spec doesn't fit the template", "mend what is listed and update again"),
            (
                "the template bundle holds no files",
                "register a version with that folder, or a template that is `CUSTOMER_MANAGED`",
            ),
            (
                "the outputs can't be reported",
                "mend the template's outputs ([what Proton takes](../template-authors.md#outputs))",
            ),
            ("the overlay's file", "give the file of the overlay another name; what is to win ends in `_override.tf`"),
            ("nothing says where Terraform's state is kept", ""),
            (
                "the lease on the deployment was lost",
                "nothing: another agent has it; if that happens often, look at the network and at the clocks",
            ),
            ("the deployment was cancelled before", "nothing"),
            ("the plan (…) was rejected", "mend what was objected to and update again"),
            ("the environment's plans need approval", ""),
            ("the agent left while the plan awaits approval", "approve or reject it ([approval](../approval.md))"),
            ("the agent left before the last end was settled", "start the agent again"),
            ("the saved plan", "update again"),
            ("the agent was asked to leave", "nothing"),
            ("the rendered files can't be published: their inputs", ""),
            ("the rendered files can't be published to", "look at the credentials with which `git push` works there"),
            ("the branch was pushed", "open the request by hand, or mend `forge.token` and deploy again"),
            ("… is no deployment id", "the endpoint is none of Proton's"),
        ],
    },
    Group {
        heading: "Terraform's messages",
        about: "Terraform's own words follow, errors with their file and line first.",
        files: &["src/terraform/error.rs"],
        remedies: &[
            ("terraform was not found", ""),
            ("… is version", ""),
            ("… doesn't answer `version -json`", "name the right binary: `terraform.path`, `HADRON_TERRAFORM`"),
            ("the S3 backend needs Terraform", ""),
            ("the environment variable", "take it out of `[agent.env]`"),
            ("the state would not be kept", ""),
            (
                "terraform … ended with exit code",
                "mend what Terraform says and update again; what was changed is in the state",
            ),
            ("terraform … was interrupted", "update again to finish it, with the old spec to undo it"),
            (
                "terraform … could not save the state",
                "`hadron status` prints the command ([recovery](../recovery.md#a-parked-state))",
            ),
            ("terraform … was not started", "nothing"),
            ("terraform could not be started", "look at the binary, the disk and the limits of the agent's user"),
            ("the supervisor of", "nothing: the agent settles it ([recovery](../recovery.md))"),
            ("the supervisor can't lead a session", "look at the container's restrictions (seccomp) on `setsid`"),
            ("terraform's outputs can't be read", "update again; if it stays, keep the run directory and report it"),
            ("it is no terraform state", "look at what was pushed"),
            ("the saved plan … is gone", "update again: a new plan is made and asked for"),
            ("the saved plan isn't the one", "update again, and look who may write to the agent's data folder"),
        ],
    },
    Group {
        heading: "Proton, seen from an agent or a command",
        about: "What an endpoint answered, or why it didn't.",
        files: &["src/proton/error.rs"],
        remedies: &[
            ("Proton says that this conflicts", "read the message"),
            ("Proton doesn't know it", "look at name, account and region"),
            ("Proton denied access", ""),
            ("Proton refused the request", "read the message"),
            ("Proton can't answer now", "repeat later; an agent does by itself"),
            (
                "Proton can't be reached",
                "look at `HADRON_ENDPOINT`, the network, and `ca_bundle` for a private authority",
            ),
            ("the request to Proton couldn't be sent", "look at `HADRON_ENDPOINT`: it is a URL with `http` or `https`"),
            (
                "no credentials for Proton",
                "set `HADRON_ACCESS_KEY_ID` and `HADRON_SECRET_ACCESS_KEY`, or paste what `hadron up` printed",
            ),
            ("Proton's answer makes no sense", "look whether a proxy answers in its place"),
        ],
    },
    Group {
        heading: "The state server",
        about: "Terraform shows these while it locks, reads or writes its state.",
        files: &["src/control_plane/state_server/error.rs"],
        remedies: &[
            (
                "the user or password is wrong",
                "nobody but a run has a password: `hadron state pull TARGET` reads a state",
            ),
            ("deployment … epoch …", "nothing: a later run has the target"),
            (
                "the state is locked by",
                "wait; `hadron status` says whether that run is alive ([locks](../operators.md#locks))",
            ),
            ("the state is written under its lock only", "nothing: the run's lock has passed on"),
            ("the state of … is blocked: …. Its", ""),
            ("the state of … is blocked: …. Whoever", ""),
            ("the state's lineage is", "look whose state it is; `hadron state versions TARGET` lists the history"),
            ("the state's serial is", "pull the newest state first"),
            ("the upload is torn", ""),
            ("the upload is larger than", "split the template: a state of half a gigabyte is slow everywhere"),
            ("the upload is no terraform state", "push what `terraform state pull` or `hadron state pull` gives"),
            ("the body doesn't describe a lock", "only Terraform asks here"),
            ("the body doesn't say why", "only agents ask here: bring agent and server to the same release"),
            ("the lock has no ID", "only Terraform asks here"),
            ("no target has this address", "the target is gone, or the address isn't one of Hadron's"),
            ("this method has no meaning", "only Terraform asks here"),
            ("the server is stopping", ""),
            (
                "a sealed input can't be opened",
                "look at the server's log and at its master key ([encryption](../encryption.md))",
            ),
            ("the record can't be read or written", "look at the server's log, its disk or its PostgreSQL"),
        ],
    },
    Group {
        heading: "Object stores, repositories and forges",
        about: "Where bundles, run records and requests lie.",
        files: &["src/objects/error.rs", "src/git/mod.rs", "src/forge/mod.rs"],
        remedies: &[
            ("… doesn't exist", "look at bucket and key; register the version anew if its archive is gone"),
            ("access to … was denied", ""),
            ("the object store of … can't be reached", "look at `objects_endpoint` and the network"),
            ("the object store refused", "read the code: it is the store's own"),
            ("the object store of … can't serve", "repeat later; an agent does by itself"),
            ("… is larger than", "make it smaller"),
            ("… broke off", "repeat"),
            ("bucket … ignores If-None-Match", ""),
            ("git could not be started", ""),
            ("… names no repository", "give the repository's HTTPS or SSH address to `hadron executor`"),
            ("nobody knows whether", ""),
            ("… refused it with HTTP status", "look at `forge.token` and what it may do"),
            ("the answer of … makes no sense", "look at `forge.api`"),
        ],
    },
];

/// The group's messages in the order of the code, each with its remedy.
///
/// # Panics
/// A message has no remedy, or a remedy no message.
pub(super) fn of(group: &Group) -> Vec<(String, &'static str)> {
    let messages: Vec<String> = group.files.iter().flat_map(|file| told(file)).collect();
    for (beginning, _) in group.remedies {
        assert!(messages.iter().any(|it| it.starts_with(beginning)), "no message begins with {beginning:?}");
    }
    let told = messages.into_iter().filter(|message| says_something(message));
    told.map(|message| {
        let remedy =
            group.remedies.iter().filter(|(beginning, _)| message.starts_with(beginning)).max_by_key(|it| it.0.len());
        let (_, remedy) =
            remedy.unwrap_or_else(|| panic!("say in cli/reference/messages.rs what to do about {message:?}"));
        (message, if remedy.is_empty() { "as it says" } else { remedy })
    })
    .collect()
}

/// The texts of the `#[error("…")]` of a file, with `…` for what differs.
fn told(file: &str) -> Vec<String> {
    let attribute = Regex::new(r#"#\[error\(\s*"((?:[^"\\]|\\.|\\\n)*)""#).unwrap();
    let (continued, placed) = (Regex::new(r"\\\n\s*").unwrap(), Regex::new(r"\{[^{}]*\}").unwrap());
    let source = std::fs::read_to_string(super::root().join(file)).unwrap();
    let message = |text: &str| {
        let text = continued.replace_all(text, "").replace("\\\"", "\"").replace("\\n", " ");
        let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
        let text = placed.replace_all(&text, "…").replace('\u{1}', "{").replace('\u{2}', "}");
        text.replace("……", "…")
    };
    attribute.captures_iter(&source).map(|found| message(&found[1])).collect()
}

/// Whether there is more than a cause, a path or what was being done to it.
fn says_something(message: &str) -> bool {
    message.split_whitespace().filter(|word| !word.contains('…')).count() > 1
}
