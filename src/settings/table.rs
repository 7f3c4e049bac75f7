//! Every setting, its default and its meaning: the one place that knows.

/// One thing that an operator can choose.
#[derive(Debug)]
pub struct Setting {
    /// Its name in `hadron.toml`: `listen`, or `agent.concurrency` for a member of a table.
    pub name: &'static str,
    /// The environment variables that set it, the strongest first.
    pub variables: &'static [&'static str],
    /// What holds when nobody chose.
    pub default: Option<&'static str>,
    /// Whether its value is masked wherever it is shown.
    pub secret: bool,
    /// What it means, for `hadron settings` and the reference.
    pub help: &'static str,
}

const fn setting(
    name: &'static str,
    variables: &'static [&'static str],
    default: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting { name, variables, default, secret: false, help }
}

/// All settings, in the order in which `hadron settings` prints them.
pub const TABLE: &[Setting] = &[
    setting("data", &["HADRON_DATA"], Some(".hadron"), "folder of the record, the objects and the agent's runs"),
    setting("listen", &["HADRON_LISTEN"], Some("127.0.0.1:9440"), "address and port of the server; port 0 means any"),
    setting("base_url", &["HADRON_BASE_URL"], None, "how agents and Terraform reach the server, if not by `listen`"),
    setting("tls.cert", &["HADRON_TLS_CERT"], None, "PEM file of the server's certificate and its chain"),
    setting("tls.key", &["HADRON_TLS_KEY"], None, "PEM file of that certificate's private key"),
    setting(
        "insecure_http",
        &["HADRON_INSECURE_HTTP"],
        Some("false"),
        "`true` serves other machines without TLS: behind a proxy, or on a network that you trust",
    ),
    setting(
        "print_keys",
        &["HADRON_PRINT_KEYS"],
        Some("true"),
        "`false` keeps the first admin key out of stdout, which a container's host writes into a log",
    ),
    setting(
        "limits.connections",
        &["HADRON_MAX_CONNECTIONS"],
        Some("4096"),
        "connections at a time; beyond it new ones wait",
    ),
    setting(
        "limits.per_environment",
        &["HADRON_MAX_PER_ENVIRONMENT"],
        Some("0"),
        "deployments at work at once in each environment; 0 is no limit",
    ),
    setting(
        "limits.per_account",
        &["HADRON_MAX_PER_ACCOUNT"],
        Some("0"),
        "deployments at work at once in an account and region; 0 is no limit",
    ),
    setting(
        "limits.free_disk_mib",
        &["HADRON_MIN_FREE_DISK_MIB"],
        Some("256"),
        "a process isn't ready while the disk of `data` has less left, in MiB; 0 never minds",
    ),
    setting(
        "metrics.listen",
        &["HADRON_METRICS_LISTEN"],
        None,
        "address and port of the server's health, readiness and numbers alone, in plain HTTP; by default on `listen`",
    ),
    Setting {
        name: "metrics.token",
        variables: &["HADRON_METRICS_TOKEN"],
        default: None,
        secret: true,
        help: "who reads numbers must show this as a bearer token; without it `listen` serves them on loopback addresses only",
    },
    setting(
        "ca_bundle",
        &["HADRON_CA_BUNDLE", "AWS_CA_BUNDLE"],
        None,
        "PEM file of certificates that clients here trust besides the system's",
    ),
    setting("account", &["HADRON_ACCOUNT"], Some("123456789012"), "account of the first access key, twelve digits"),
    setting(
        "region",
        &["HADRON_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"],
        Some("us-east-1"),
        "region of ARNs and of requests that we sign",
    ),
    setting("database", &["HADRON_DATABASE"], None, "`sqlite:PATH` or `postgres://…`; by default hadron.db in `data`"),
    setting(
        "master_key",
        &["HADRON_MASTER_KEY_SOURCE"],
        None,
        "what the record is sealed under: file:PATH, env:NAME, command:LINE or kms:KEY-ARN; by default master.key in `data`",
    ),
    setting(
        "master_key_previous",
        &["HADRON_MASTER_KEY_SOURCE_PREVIOUS"],
        None,
        "the source of the master key before this one, for the start that changes it",
    ),
    Setting {
        name: "keys",
        variables: &["HADRON_KEYS"],
        default: None,
        secret: true,
        help: "the first access keys, as the text of a keys.json: none is then made, kept in `data` or printed",
    },
    setting("bucket", &["HADRON_BUCKET"], None, "`s3://NAME` for bundles and run records; by default embedded"),
    setting("objects", &["HADRON_OBJECTS"], None, "folder of the embedded object store; by default in `data`"),
    setting(
        "objects_endpoint",
        &["HADRON_OBJECTS_ENDPOINT", "AWS_ENDPOINT_URL_S3"],
        None,
        "endpoint of the S3 that holds `bucket`, if not AWS",
    ),
    setting(
        "policies",
        &["HADRON_POLICIES"],
        None,
        "a site's own Cedar policies: a file, or a folder of *.cedar; read again when they change",
    ),
    setting(
        "shipped_policies",
        &["HADRON_SHIPPED_POLICIES"],
        Some("true"),
        "`false` lets the site's policies stand alone",
    ),
    setting("lease_seconds", &["HADRON_LEASE_SECONDS"], Some("60"), "how long a claim holds without a sign of life"),
    setting("endpoint", &["HADRON_ENDPOINT", "AWS_ENDPOINT_URL_PROTON"], None, "the Proton endpoint that we talk to"),
    setting("access_key_id", &["HADRON_ACCESS_KEY_ID"], None, "the key that signs requests to `endpoint`"),
    Setting {
        name: "secret_access_key",
        variables: &["HADRON_SECRET_ACCESS_KEY"],
        default: None,
        secret: true,
        help: "the secret of that key",
    },
    setting("agent.name", &["HADRON_AGENT_NAME"], None, "the agent's name; by default the host's"),
    setting("agent.concurrency", &["HADRON_CONCURRENCY"], Some("4"), "deployments at a time, each of another target"),
    setting(
        "agent.environments",
        &["HADRON_ENVIRONMENTS"],
        None,
        "comma-separated environments to work for; all if none",
    ),
    setting(
        "agent.listen",
        &["HADRON_AGENT_LISTEN"],
        None,
        "address and port of the agent's health, readiness and numbers, in plain HTTP; none by default",
    ),
    setting(
        "agent.bundles",
        &["HADRON_BUNDLES"],
        None,
        "where bundles lie for a Proton that doesn't tell: s3://B/{template}/{version}.tar.gz",
    ),
    setting(
        "agent.shutdown",
        &["HADRON_SHUTDOWN"],
        None,
        "what the agent does with Terraform when it is asked to leave: drain, interrupt or detach; by default the host's",
    ),
    setting(
        "agent.grace",
        &["HADRON_GRACE"],
        None,
        "seconds between the host's first signal and its SIGKILL; by default what the detected host usually leaves",
    ),
    setting(
        "agent.reserve",
        &["HADRON_RESERVE"],
        None,
        "seconds of these that an interrupted Terraform gets to end; by default half of them, at most 60",
    ),
    setting(
        "agent.spot_notices",
        &["HADRON_SPOT_NOTICES"],
        Some("false"),
        "`true` asks EC2's instance metadata for Spot interruption notices, and leaves when one comes",
    ),
    setting(
        "state.backend",
        &["HADRON_STATE"],
        Some("hadron"),
        "`hadron` (the server keeps Terraform's state) or `s3`",
    ),
    setting("state.bucket", &["HADRON_STATE_BUCKET"], None, "the bucket of Terraform's state when the backend is `s3`"),
    setting("state.region", &["HADRON_STATE_REGION"], None, "its region; by default `region`"),
    setting("state.endpoint", &["HADRON_STATE_ENDPOINT"], None, "its endpoint, if not AWS"),
    setting("terraform.path", &["HADRON_TERRAFORM"], None, "the terraform or tofu binary; by default found on PATH"),
    setting("terraform.cli_config", &["TF_CLI_CONFIG_FILE"], None, "Terraform's own configuration file, for mirrors"),
    setting("terraform.plugin_cache", &["TF_PLUGIN_CACHE_DIR"], None, "Terraform's provider cache"),
    setting(
        "terraform.provider_store",
        &["HADRON_PROVIDER_STORE"],
        None,
        "folder where providers are kept for all runs, also of other agents; by default in `data`; `off` for none",
    ),
    setting(
        "forge.kind",
        &["HADRON_FORGE"],
        None,
        "`github` or `gitlab`: who keeps the repositories that requests are opened in; by default by their host's name",
    ),
    setting(
        "forge.api",
        &["HADRON_FORGE_API"],
        None,
        "where its API answers; by default https://api.github.com, or /api/v4 of the repository's host",
    ),
    Setting {
        name: "forge.token",
        variables: &["HADRON_FORGE_TOKEN"],
        default: None,
        secret: true,
        help: "the token with which requests are opened, watched and closed; without it a branch is pushed and that is all",
    },
    setting(
        "forge.watch_seconds",
        &["HADRON_FORGE_WATCH_SECONDS"],
        Some("30"),
        "how often an agent looks whether a request was closed",
    ),
    setting(
        "run.branch",
        &["HADRON_RUN_BRANCH"],
        None,
        "the branch that `hadron run` applies on; by default the repository's own, as the pipeline says",
    ),
    Setting {
        name: "run.oidc_token",
        variables: &["HADRON_OIDC_TOKEN"],
        default: None,
        secret: true,
        help: "the pipeline's identity token, with which `hadron run` takes a role; GitHub's is asked for by itself",
    },
    setting(
        "run.sts_endpoint",
        &["AWS_ENDPOINT_URL_STS"],
        None,
        "endpoint of the STS that gives `hadron run` its roles, if not AWS",
    ),
    setting("log.level", &["HADRON_LOG"], Some("info"), "what is logged to stderr: error, warn, info, debug, trace"),
    setting("log.format", &["HADRON_LOG_FORMAT"], Some("text"), "`text` or `json`"),
    setting(
        "otlp.endpoint",
        &["HADRON_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"],
        None,
        "the collector that the agent's traces go to, over HTTP: http://HOST:4318; none by default",
    ),
    Setting {
        name: "otlp.headers",
        variables: &["HADRON_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"],
        default: None,
        secret: true,
        help: "headers for that collector: name=value,name=value",
    },
];
