//! An object store: a map behind S3's verbs, as far as our client and Terraform's S3 backend use them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// It is answered 500, and nothing is done.
    Refused,
    /// It is answered 403, which nobody repeats, and nothing is done.
    Denied,
    /// The same, but only the first one.
    DeniedOnce,
    /// It is never answered, and nothing is done.
    Hangs,
    /// It is done, and answered after this time.
    Slow(Duration),
    /// It is done, and answered 500.
    AnswerLost,
}

/// Requests of this method whose path or query contains these words come to harm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) method: &'static str,
    pub(crate) at: &'static str,
    pub(crate) harm: Harm,
}

#[derive(Debug, Default)]
pub(crate) struct S3 {
    pub(crate) objects: Mutex<BTreeMap<String, Bytes>>,
    /// Like several S3 look-alikes.
    pub(crate) ignores_conditions: bool,
    /// Answers every request 503 while set.
    pub(crate) down: Mutex<bool>,
    pub(crate) faults: Mutex<Vec<Fault>>,
    /// How many requests came to harm.
    pub(crate) harmed: Mutex<u32>,
    pub(crate) access_keys: Mutex<Vec<String>>,
}

pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) store: Arc<S3>,
}

impl Running {
    pub(crate) fn put(&self, bucket_and_key: &str, bytes: impl Into<Bytes>) {
        self.store.objects.lock().unwrap().insert(bucket_and_key.to_owned(), bytes.into());
    }

    pub(crate) fn get(&self, bucket_and_key: &str) -> Option<Bytes> {
        self.store.objects.lock().unwrap().get(bucket_and_key).cloned()
    }

    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        self.store.objects.lock().unwrap().keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }
}

pub(crate) async fn start() -> Running {
    start_with(S3::default()).await
}

pub(crate) async fn start_with(store: S3) -> Running {
    let store = Arc::new(store);
    let router = Router::new().fallback(answer).with_state(Arc::clone(&store));
    Running { url: super::serve(router).await, store }
}

async fn answer(State(store): State<Arc<S3>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    store.access_keys.lock().unwrap().extend(super::access_key(&headers));
    if *store.down.lock().unwrap() {
        return error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
    }
    let harm = store.harm(&method, &uri);
    match harm {
        Some(Harm::Refused) => return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        Some(Harm::Denied | Harm::DeniedOnce) => return error(StatusCode::FORBIDDEN, "AccessDenied"),
        Some(Harm::Hangs) => std::future::pending().await,
        Some(Harm::Slow(time)) => tokio::time::sleep(time).await,
        Some(Harm::AnswerLost) | None => {}
    }
    let done = serve(&store, &method, &uri, &headers, body);
    if harm == Some(Harm::AnswerLost) {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
    }
    done
}

impl S3 {
    fn harm(&self, method: &Method, uri: &Uri) -> Option<Harm> {
        let asked = uri.to_string().replace("%2F", "/");
        let mut faults = self.faults.lock().unwrap();
        let found = faults.iter().position(|fault| fault.method == method.as_str() && asked.contains(fault.at))?;
        *self.harmed.lock().unwrap() += 1;
        let harm = faults[found].harm;
        if harm == Harm::DeniedOnce {
            faults.remove(found);
        }
        Some(harm)
    }
}

fn serve(store: &S3, method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Response {
    let path = percent_encoding::percent_decode_str(uri.path().trim_matches('/')).decode_utf8_lossy().into_owned();
    let query = uri.query().unwrap_or_default();
    let mut objects = store.objects.lock().unwrap();
    match *method {
        Method::PUT if !path.contains('/') => StatusCode::OK.into_response(),
        Method::PUT => {
            if headers.contains_key("if-none-match") && objects.contains_key(&path) && !store.ignores_conditions {
                return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
            }
            objects.insert(path, body);
            StatusCode::OK.into_response()
        }
        Method::GET if query.contains("list-type=2") => list(&objects, &path, query),
        Method::GET | Method::HEAD => match objects.get(&path) {
            Some(bytes) => (StatusCode::OK, bytes.clone()).into_response(),
            None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
        },
        Method::DELETE => {
            objects.remove(&path);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}

fn list(objects: &BTreeMap<String, Bytes>, bucket: &str, query: &str) -> Response {
    let given: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let prefix = given.get("prefix").map_or("", String::as_str);
    let after = given.get("start-after").or(given.get("continuation-token")).map_or("", String::as_str);
    let inside = format!("{bucket}/");
    let keys = objects.iter().filter_map(|(key, bytes)| Some((key.strip_prefix(&inside)?, bytes.len())));
    let keys: Vec<_> = keys.filter(|(key, _)| key.starts_with(prefix) && *key > after).collect();
    // Small pages, so that a client that forgets to turn them is found out.
    let contents =
        keys.iter().take(2).map(|(key, size)| format!("<Contents><Key>{key}</Key><Size>{size}</Size></Contents>"));
    let page = contents.collect::<Vec<_>>().concat();
    let next = keys.get(1).filter(|_| keys.len() > 2);
    let next = next.map_or(String::new(), |(key, _)| format!("<NextContinuationToken>{key}</NextContinuationToken>"));
    let truncated = keys.len() > 2;
    let body = format!(
        "<ListBucketResult><IsTruncated>{truncated}</IsTruncated><KeyCount>{}</KeyCount>{page}{next}</ListBucketResult>",
        keys.len().min(2)
    );
    (StatusCode::OK, [("content-type", "application/xml")], body).into_response()
}

fn error(status: StatusCode, code: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>said the far end</Message></Error>");
    (status, [("content-type", "application/xml")], body).into_response()
}
