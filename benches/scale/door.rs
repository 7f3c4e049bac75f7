//! A client that costs little beside what it measures: signed requests over kept connections.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// The region of all requests.
const REGION: &str = "us-east-1";

/// One request, before it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    service: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Ask {
    pub(crate) fn proton(operation: &str, input: &Value) -> Self {
        Self::of("proton", &format!("AwsProton20200720.{operation}"), "1.0", input)
    }

    pub(crate) fn ssm(operation: &str, input: &Value) -> Self {
        Self::of("ssm", &format!("AmazonSSM.{operation}"), "1.1", input)
    }

    fn of(service: &'static str, target: &str, protocol: &str, input: &Value) -> Self {
        let headers =
            vec![("content-type", format!("application/x-amz-json-{protocol}")), ("x-amz-target", target.to_owned())];
        Self { service, headers, body: Bytes::from(input.to_string()) }
    }

    /// The same, asked by an agent that looks for work.
    pub(crate) fn asked_by_agent(mut self) -> Self {
        self.headers.push(("x-hadron-agent", "scale".to_owned()));
        self
    }
}

/// A server and who asks it.
pub(crate) struct Door {
    endpoint: String,
    key: (String, String),
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Door {
    pub(crate) fn new(endpoint: &str, key: (String, String)) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { endpoint: endpoint.to_owned(), key, client }
    }

    /// Milliseconds until the whole answer is there.
    pub(crate) async fn time(&self, ask: &Ask) -> f64 {
        let request = self.signed(ask);
        let began = Instant::now();
        self.send(request).await;
        began.elapsed().as_secs_f64() * 1000.0
    }

    /// How many entries the answer has: of its list, or of itself.
    pub(crate) async fn ask(&self, ask: &Ask) -> usize {
        let answer: Value = serde_json::from_slice(&self.send(self.signed(ask)).await).unwrap();
        let members = answer.as_object().unwrap();
        members.values().find_map(Value::as_array).map_or(members.len(), Vec::len)
    }

    /// Answers a second, so many requests at a time. Each is signed once: a signature holds for minutes, and what is
    /// measured is the server.
    pub(crate) async fn count(&self, ask: &Ask, at_a_time: usize, stretch: Duration) -> f64 {
        let request = self.signed(ask);
        self.count_each(|_| request.clone(), at_a_time, stretch).await
    }

    /// The same where every request is another one, made from its number.
    pub(crate) async fn count_others(&self, make: impl Fn(usize) -> Ask, at_a_time: usize, stretch: Duration) -> f64 {
        self.count_each(|number| self.signed(&make(number)), at_a_time, stretch).await
    }

    async fn count_each(
        &self,
        request: impl Fn(usize) -> Request<Full<Bytes>>,
        at_a_time: usize,
        stretch: Duration,
    ) -> f64 {
        let (next, began) = (AtomicUsize::new(0), Instant::now());
        let workers = (0..at_a_time).map(|_| async {
            let mut answers = 0_u32;
            while began.elapsed() < stretch {
                self.send(request(next.fetch_add(1, Ordering::Relaxed))).await;
                answers += 1;
            }
            answers
        });
        let answers: u32 = futures::future::join_all(workers).await.into_iter().sum();
        f64::from(answers) / began.elapsed().as_secs_f64()
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Bytes {
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        body
    }

    fn signed(&self, ask: &Ask) -> Request<Full<Bytes>> {
        let identity = Credentials::new(&self.key.0, &self.key.1, None, None, "scale").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(ask.service)
            .time(now())
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let url = format!("{}/", self.endpoint);
        let host = self.endpoint.trim_start_matches("http://");
        let mut headers = vec![("host", host)];
        headers.extend(ask.headers.iter().map(|(name, value)| (*name, value.as_str())));
        let body = SignableBody::Bytes(&ask.body);
        let signable = SignableRequest::new("POST", &url, headers.iter().copied(), body).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let mut request = Request::post(&url).body(Full::new(ask.body.clone())).unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(HeaderName::try_from(name).unwrap(), value);
        }
        instructions.apply_to_request_http1x(&mut request);
        request
    }
}

#[expect(clippy::disallowed_methods, reason = "servers hold a signature against their own clock")]
fn now() -> SystemTime {
    SystemTime::now()
}
