//! GitHub's and GitLab's requests: opened, watched, closed.
//!
//! <https://docs.github.com/en/rest/pulls/pulls>, <https://docs.gitlab.com/api/merge_requests/>

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::support::https::{HttpError, Https};
use crate::support::{Secret, Trust};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer that is told to people.
const LONGEST_WORDS: usize = 300;

/// Whose API it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "names of products")]
pub enum Kind {
    GitHub,
    GitLab,
}

/// What an operator chose.
#[derive(Debug, Clone)]
pub struct Access {
    /// Whose API it is; None = the repository's host tells.
    pub kind: Option<Kind>,
    /// Where it answers; None = where that product usually does.
    pub api: Option<String>,
    /// Who we are.
    pub token: Secret,
    /// Whose certificates are trusted.
    pub trust: Option<Trust>,
}

/// One repository's requests.
#[derive(Debug, Clone)]
pub struct Forge {
    kind: Kind,
    api: String,
    /// `owner/name`, or a path of groups.
    project: String,
    token: Secret,
    https: Https,
}

/// A request to be opened.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The branch that holds the change.
    pub branch: &'a str,
    /// The branch that it is for.
    pub base: &'a str,
    /// One line.
    pub title: &'a str,
    /// What people should know, in Markdown.
    pub body: &'a str,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its number in the repository.
    pub number: u64,
    /// Where people see it.
    pub url: String,
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-explanatory")]
pub enum Standing {
    Open,
    Merged,
    /// Closed without being merged, or gone.
    Closed,
}

/// What the forge refused.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ForgeError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{0} names no repository that requests could be opened in")]
    NoProject(String),
    #[error("nobody knows whether {0} is GitHub's or GitLab's: set HADRON_FORGE to github or gitlab")]
    UnknownKind(String),
    #[error("{api} refused it with HTTP status {status}: {words}")]
    Refused { api: String, status: u16, words: String },
    #[error("the answer of {0} makes no sense")]
    Nonsense(String),
}

impl ForgeError {
    /// Whether trying again later may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Http(_) => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}

impl Forge {
    /// The requests of a repository, by the URL that Git clones.
    ///
    /// # Errors
    /// [`ForgeError::NoProject`], [`ForgeError::UnknownKind`], or certificates that can't be used.
    pub fn of(repository: &str, access: &Access) -> Result<Self, ForgeError> {
        let (host, project) = place(repository).ok_or_else(|| ForgeError::NoProject(repository.to_owned()))?;
        let kind = access.kind.or_else(|| known(&host));
        let kind = kind.ok_or_else(|| ForgeError::UnknownKind(host.clone()))?;
        let usual = || match kind {
            Kind::GitHub if host == "github.com" => "https://api.github.com".to_owned(),
            Kind::GitHub => format!("https://{host}/api/v3"),
            Kind::GitLab => format!("https://{host}/api/v4"),
        };
        let api = access.api.clone().unwrap_or_else(usual).trim_end_matches('/').to_owned();
        let https = Https::trusting(access.trust.as_ref(), PATIENCE)?;
        Ok(Self { kind, api, project, token: access.token.clone(), https })
    }

    /// Opens a request, or finds the one that is open for that branch already.
    ///
    /// # Errors
    /// [`ForgeError`].
    pub async fn open(&self, draft: &Draft<'_>) -> Result<Opened, ForgeError> {
        if let Some(there) = self.find(draft.branch).await? {
            return Ok(there);
        }
        let Draft { branch, base, title, body } = draft;
        let document = match self.kind {
            Kind::GitHub => json!({ "head": branch, "base": base, "title": title, "body": body }),
            Kind::GitLab => json!({
                "source_branch": branch, "target_branch": base, "title": title, "description": body,
                "remove_source_branch": true,
            }),
        };
        let answer = self.ask(Method::POST, &self.requests(), Some(document)).await?;
        self.opened(&answer)
    }

    async fn find(&self, branch: &str) -> Result<Option<Opened>, ForgeError> {
        let query = match self.kind {
            Kind::GitHub => {
                let owner = self.project.split('/').next().unwrap_or_default();
                format!("?state=open&head={}", encoded(&format!("{owner}:{branch}")))
            }
            Kind::GitLab => format!("?state=opened&source_branch={}", encoded(branch)),
        };
        let found = self.ask(Method::GET, &format!("{}{query}", self.requests()), None).await?;
        found.get(0).map(|first| self.opened(first)).transpose()
    }

    /// How a request stands.
    ///
    /// # Errors
    /// [`ForgeError`].
    pub async fn standing(&self, number: u64) -> Result<Standing, ForgeError> {
        let answer = self.ask(Method::GET, &format!("{}/{number}", self.requests()), None).await;
        let answer = match answer {
            Err(ForgeError::Refused { status: 404 | 410, .. }) => return Ok(Standing::Closed),
            answer => answer?,
        };
        let merged = answer["merged"] == true || answer["state"] == "merged";
        match answer["state"].as_str() {
            _ if merged => Ok(Standing::Merged),
            Some("closed") => Ok(Standing::Closed),
            Some(_) => Ok(Standing::Open),
            None => Err(ForgeError::Nonsense(self.api.clone())),
        }
    }

    /// Closes a request that nobody needs any more.
    ///
    /// # Errors
    /// [`ForgeError`].
    pub async fn close(&self, number: u64) -> Result<(), ForgeError> {
        let (method, document) = match self.kind {
            Kind::GitHub => (Method::PATCH, json!({ "state": "closed" })),
            Kind::GitLab => (Method::PUT, json!({ "state_event": "close" })),
        };
        self.ask(method, &format!("{}/{number}", self.requests()), Some(document)).await.map(drop)
    }

    fn requests(&self) -> String {
        match self.kind {
            Kind::GitHub => format!("{}/repos/{}/pulls", self.api, self.project),
            Kind::GitLab => format!("{}/projects/{}/merge_requests", self.api, encoded(&self.project)),
        }
    }

    fn opened(&self, answer: &Value) -> Result<Opened, ForgeError> {
        let (number, url) = match self.kind {
            Kind::GitHub => (&answer["number"], &answer["html_url"]),
            Kind::GitLab => (&answer["iid"], &answer["web_url"]),
        };
        let found = number.as_u64().zip(url.as_str());
        let (number, url) = found.ok_or_else(|| ForgeError::Nonsense(self.api.clone()))?;
        Ok(Opened { number, url: url.to_owned() })
    }

    async fn ask(&self, method: Method, url: &str, document: Option<Value>) -> Result<Value, ForgeError> {
        let request = Request::builder().method(method).uri(url);
        let request = match self.kind {
            Kind::GitHub => request
                .header("accept", "application/vnd.github+json")
                .header("x-github-api-version", "2022-11-28")
                .header("authorization", format!("Bearer {}", self.token.reveal())),
            Kind::GitLab => request.header("private-token", self.token.reveal()),
        };
        let body = document.map(|document| Bytes::from(document.to_string())).unwrap_or_default();
        let request = request.header("content-type", "application/json").body(body);
        let request = request.map_err(|_| ForgeError::NoProject(url.to_owned()))?;
        let answer = self.https.send(request).await?;
        if answer.status().is_success() {
            return serde_json::from_slice(answer.body()).map_err(|_| ForgeError::Nonsense(self.api.clone()));
        }
        let words = String::from_utf8_lossy(answer.body()).chars().take(LONGEST_WORDS).collect();
        Err(ForgeError::Refused { api: self.api.clone(), status: answer.status().as_u16(), words })
    }
}

/// Host and path of `https://host/path.git`, `ssh://git@host:22/path.git` and `git@host:path.git`.
fn place(repository: &str) -> Option<(String, String)> {
    let (host, path) = match repository.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?,
        None => repository.split_once(':')?,
    };
    let host = host.rsplit('@').next()?.split(':').next()?;
    let path = path.trim_matches('/').trim_end_matches(".git");
    (!host.is_empty() && path.contains('/')).then(|| (host.to_owned(), path.to_owned()))
}

fn known(host: &str) -> Option<Kind> {
    let named = |name: &str| host.split('.').any(|part| part == name);
    match (named("github"), named("gitlab")) {
        (true, _) => Some(Kind::GitHub),
        (_, true) => Some(Kind::GitLab),
        _ => None,
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_repository_is_found_by_whatever_git_clones() {
        let of = |url: &str| place(url).map(|(host, path)| format!("{host} {path}")).unwrap_or_default();
        assert_eq!(of("https://github.com/acme/infra.git"), "github.com acme/infra");
        assert_eq!(of("git@gitlab.example.com:group/sub/infra.git"), "gitlab.example.com group/sub/infra");
        assert_eq!(of("ssh://git@git.example.com:2222/acme/infra"), "git.example.com acme/infra");
        assert_eq!(of("file:///srv/infra.git"), "");
        assert_eq!(of("/srv/infra"), "");
    }

    #[test]
    fn whose_api_it_is_is_told_by_the_host_or_by_the_operator() {
        let access = |kind| Access { kind, api: None, token: Secret::new("t"), trust: None };
        let api = |url: &str, kind| Forge::of(url, &access(kind)).map(|forge| forge.requests());
        assert_eq!(api("https://github.com/a/b", None).unwrap(), "https://api.github.com/repos/a/b/pulls");
        let lab = api("https://gitlab.example.com/a/b/c.git", None).unwrap();
        assert_eq!(lab, "https://gitlab.example.com/api/v4/projects/a%2Fb%2Fc/merge_requests");
        assert!(matches!(api("https://git.example.com/a/b", None), Err(ForgeError::UnknownKind(_))));
        let own = api("https://git.example.com/a/b", Some(Kind::GitHub)).unwrap();
        assert_eq!(own, "https://git.example.com/api/v3/repos/a/b/pulls");
    }

    /// Answers each request in turn, and gives what was asked.
    fn far_end(answers: Vec<(u16, Value)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/api/v4", listener.local_addr().unwrap());
        let answer = move |(status, body): (u16, Value)| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; 8192];
            let length = stream.read(&mut request).unwrap();
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all([head, body].concat().as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        };
        (address, std::thread::spawn(move || answers.into_iter().map(answer).collect()))
    }

    #[tokio::test]
    async fn a_merge_request_is_opened_watched_and_closed_as_gitlab_wants_it() {
        let request =
            json!({ "iid": 7, "web_url": "https://git.example.com/a/b/-/merge_requests/7", "state": "opened" });
        let (api, asked) = far_end(vec![
            (200, json!([])),
            (201, request.clone()),
            (200, request.clone()),
            (200, json!({ "iid": 7, "state": "merged" })),
            (404, json!({ "message": "404 Not found" })),
            (200, request),
            (401, json!({ "message": "401 Unauthorized" })),
        ]);
        let (kind, token) = (Some(Kind::GitLab), Secret::new("hush"));
        let access = Access { kind, api: Some(api), token, trust: None };
        let forge = Forge::of("https://git.example.com/a/b.git", &access).unwrap();
        let draft = Draft { branch: "proton--x", base: "main", title: "t", body: "b" };
        assert_eq!(forge.open(&draft).await.unwrap().number, 7);
        assert_eq!(forge.standing(7).await.unwrap(), Standing::Open);
        assert_eq!(forge.standing(7).await.unwrap(), Standing::Merged);
        assert_eq!(forge.standing(7).await.unwrap(), Standing::Closed, "one that is gone is closed");
        forge.close(7).await.unwrap();
        let refused = forge.open(&draft).await.unwrap_err();
        assert!(refused.to_string().contains("401 Unauthorized") && !refused.is_passing(), "{refused}");
        let asked = asked.join().unwrap();
        let starts = [
            "GET /api/v4/projects/a%2Fb/merge_requests?state=opened&source_branch=proton%2D%2Dx ",
            "POST /api/v4/projects/a%2Fb/merge_requests ",
            "GET /api/v4/projects/a%2Fb/merge_requests/7 ",
        ];
        assert!(asked.iter().zip(starts).all(|(request, start)| request.starts_with(start)), "{asked:?}");
        assert!(asked.iter().all(|request| request.to_lowercase().contains("private-token: hush")));
        assert!(asked[5].starts_with("PUT "), "{asked:?}");
    }
}
