//! As whom we ask, where AWS's default chain decides: a profile, a single sign-on, a container, an instance. Only AWS's
//! far ends are faked; the plane that lets the agent in has checked what was signed with the key they gave.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::network::{Scene, far_end, proxy};
use crate::support::moto::Moto;
use crate::support::plane::{Start, hadron};
use crate::support::process::{Running, command};
use crate::support::tools::Tools;

/// The platform's addresses, served in a network of their own.
const PLATFORM: &str = include_str!("credentials/platform.py");

/// A plane that is reached without a proxy.
fn scene() -> Scene {
    let mut scene = Scene::new("http", &[]);
    scene.endpoint = scene.plane.endpoint().to_owned();
    scene
}

/// What each of AWS's far ends gives, in the form of a container's and an instance's.
fn temporary(scene: &Scene) -> Value {
    let (id, secret) = scene.key();
    json!({ "AccessKeyId": id, "SecretAccessKey": secret, "Token": "t", "Expiration": "2099-01-01T00:00:00Z" })
}

fn profile(scene: &Scene, config: &str) {
    let folder = scene.folder.path().join(".aws");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config"), config).unwrap();
}

/// Answers, once it has read what was sent: a connection that is closed before breaks the client's off.
fn answer(head: &str, mut client: TcpStream, status: &str, body: &str) {
    let sent = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    client.read_exact(&mut vec![0; sent.unwrap_or(0)]).unwrap();
    write!(client, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).unwrap();
}

#[test]
fn a_profiles_program_and_a_container_say_who_the_agent_is() {
    let scene = scene();
    let (id, secret) = scene.key();
    let home = scene.folder.path();
    let program = json!({ "Version": 1, "AccessKeyId": id, "SecretAccessKey": secret });
    fs::write(home.join("key.json"), program.to_string()).unwrap();
    profile(&scene, &format!("[profile program]\ncredential_process = cat {}\n", home.join("key.json").display()));
    assert!(!scene.agent_is_let_in(&[("AWS_ACCESS_KEY_ID", "AKIANOBODY"), ("AWS_SECRET_ACCESS_KEY", "x")]));
    assert!(scene.agent_is_let_in(&[("AWS_PROFILE", "program")]));

    // What a container of ECS, and a pod of EKS, is given.
    let given = temporary(&scene).to_string();
    let (address, heads) = far_end(move |head, client| answer(head, client, "200 OK", &given));
    let url = format!("http://{address}/credentials");
    let env = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*url), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-the-task")];
    assert!(scene.agent_is_let_in(&env));
    let head = heads.take().remove(0).to_lowercase();
    assert!(head.starts_with("get /credentials ") && head.contains("authorization: of-the-task"), "{head}");
}

#[test]
fn a_profile_that_takes_a_role_signs_as_that_role() {
    let moto = Moto::start(Tools::get());
    let scene = Scene::new("http", &[]);
    let (proxy, heads) = proxy(&scene.endpoint);
    let home = scene.folder.path();
    let config = "[profile base]\naws_access_key_id = test\naws_secret_access_key = test\n\
                  [profile ops]\nrole_arn = arn:aws:iam::123456789012:role/ops\nsource_profile = base\n";
    profile(&scene, config);
    let env = [("AWS_PROFILE", "ops"), ("AWS_ENDPOINT_URL_STS", moto.endpoint()), ("HTTP_PROXY", &*proxy)];
    // The plane doesn't know the role's key, and the agent would go on asking.
    let _agent = Running::start(scene.command("agent", &["--once"], &env), &home.join("log"));
    let began = Instant::now();
    let head = loop {
        if let Some(head) = heads.take().into_iter().next() {
            break head;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "nobody asks");
        thread::sleep(Duration::from_millis(50));
    };
    assert!(head.contains("Credential=ASIA") && head.contains("x-amz-security-token: "), "{head}");
}

#[test]
fn an_instance_says_who_the_agent_is_to_whom_has_asked_for_a_token() {
    let scene = scene();
    let given = temporary(&scene);
    let (address, heads) = far_end(move |head, client| {
        let path = head.split(' ').nth(1).unwrap();
        let proved = head.contains("\nx-aws-ec2-metadata-token: of-the-session\r");
        match path.trim_end_matches('/') {
            "/latest/api/token" if head.starts_with("PUT ") => {
                let (status, body) = ("200 OK\r\nx-aws-ec2-metadata-token-ttl-seconds: 600", "of-the-session");
                answer(head, client, status, body);
            }
            // IMDSv1, which instances of today don't speak.
            _ if !proved => answer(head, client, "401 Unauthorized", ""),
            "/latest/meta-data/iam/security-credentials" => answer(head, client, "200 OK", "agents-role"),
            "/latest/meta-data/iam/security-credentials/agents-role" => {
                let mut given = given.clone();
                given["Code"] = "Success".into();
                given["Type"] = "AWS-HMAC".into();
                answer(head, client, "200 OK", &given.to_string());
            }
            _ => answer(head, client, "404 Not Found", ""),
        }
    });
    let endpoint = format!("http://{address}");
    let env = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*endpoint)];
    assert!(scene.agent_is_let_in(&env));
    assert!(heads.take().iter().any(|head| head.contains("/security-credentials/agents-role ")));
}

#[test]
fn a_single_sign_on_says_who_the_agent_is_and_is_renewed_while_it_may_be() {
    let scene = scene();
    profile(
        &scene,
        "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Deploy\n\
         [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n",
    );
    // What `aws sso login` leaves, under the SHA-1 of the session's name.
    let cache = scene.folder.path().join(".aws/sso/cache");
    fs::create_dir_all(&cache).unwrap();
    let file = cache.join("ee0bfd2552fbd840c02cc48b6e823320543c450f.json");
    let logged_in = |token: &str, until: &str| {
        let kept = json!({
            "startUrl": "https://corp.awsapps.com/start", "region": "eu-west-1", "accessToken": token, "expiresAt": until,
            "clientId": "client", "clientSecret": "c", "registrationExpiresAt": "2099-01-01T00:00:00Z",
            "refreshToken": "refresh",
        });
        fs::write(&file, kept.to_string()).unwrap();
    };
    let (id, secret) = scene.key();
    let (address, heads) = far_end(move |head, client| {
        let given = match head.starts_with("POST /token ") {
            true => json!({ "accessToken": "renewed", "expiresIn": 3600, "tokenType": "Bearer" }),
            false => json!({ "roleCredentials": {
                "accessKeyId": id, "secretAccessKey": secret, "sessionToken": "t", "expiration": 4_070_908_800_000_i64
            } }),
        };
        answer(head, client, "200 OK", &given.to_string());
    });
    let portal = format!("http://{address}");
    let env = [("AWS_PROFILE", "dev"), ("AWS_ENDPOINT_URL_SSO", &*portal), ("AWS_ENDPOINT_URL_SSO_OIDC", &*portal)];

    logged_in("fresh", "2099-01-01T00:00:00Z");
    assert!(scene.agent_is_let_in(&env));
    let asked = heads.take().remove(0);
    assert!(asked.starts_with("GET /federation/credentials?") && asked.contains("role_name=Deploy"), "{asked}");
    assert!(asked.contains("account_id=123456789012") && asked.contains("x-amz-sso_bearer_token: fresh\r"), "{asked}");

    logged_in("stale", "2020-01-01T00:00:00Z");
    assert!(scene.agent_is_let_in(&env));
    let asked = heads.take();
    assert!(
        asked[0].starts_with("POST /token ") && asked[1].contains("x-amz-sso_bearer_token: renewed\r"),
        "{asked:?}"
    );
    assert!(fs::read_to_string(&file).unwrap().contains("renewed"), "the next process finds it");
}

/// Runs an agent in a network of its own, where AWS's platforms answer at their own addresses and nobody else does; gives
/// what the platform was asked, and the signature of what the agent asked of Proton.
fn on_a_platform(env: &[(&str, &str)]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut all = BTreeMap::from([("HADRON_ENDPOINT".to_owned(), "http://127.0.0.1:8080".to_owned())]);
    all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let inner = hadron("agent", &Start { flags: vec!["--once".into()], env: all, ..Start::default() }, folder.path());
    let done = isolated(&inner).output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
}

/// A network of its own; without being root that needs a namespace of users too.
fn isolated(inner: &Command) -> Command {
    let mut outer = command("unshare".as_ref(), &BTreeMap::new());
    if !rustix::process::geteuid().is_root() {
        outer.args(["--user", "--map-root-user"]);
    }
    outer.args(["--net", "python3", "-c", PLATFORM]).arg(inner.get_program()).args(inner.get_args());
    outer.current_dir(inner.get_current_dir().unwrap());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

#[test]
fn a_task_a_pod_and_an_instance_are_asked_at_their_own_addresses() {
    let task = on_a_platform(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/of-the-task")]);
    assert_eq!(task["platform"], json!(["169.254.170.2 GET /v2/credentials/of-the-task"]));
    assert!(task["signed"].as_str().unwrap().contains("Credential=ASIATASK/"), "{task}");

    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "of-the-pod").unwrap();
    let pod = on_a_platform(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap()),
    ]);
    assert_eq!(pod["platform"], json!(["169.254.170.23 GET /v1/credentials of-the-pod"]));
    assert!(pod["signed"].as_str().unwrap().contains("Credential=ASIAPOD/"), "{pod}");

    let instance = on_a_platform(&[]);
    let asked: Vec<&str> = instance["platform"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(asked.contains(&"169.254.169.254 GET /latest/meta-data/iam/security-credentials/role"), "{asked:?}");
    assert!(instance["signed"].as_str().unwrap().contains("Credential=ASIAINSTANCE/"), "{instance}");
}
