//! Clients that are slow, silent, greedy or many, and the others, who are served meanwhile.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures::stream;
use hadron::control_plane::wire::{Handler, Limits, Peer, Tls};
use hadron::support::Trust;
use hadron::support::https::Https;
use http::{Request, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

use super::bench::{Bench, Door, Time};

/// Within this everything here must have happened, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);

const HEAD: Duration = Duration::from_millis(400);
const STALL: Duration = Duration::from_millis(600);
const IDLE: Duration = Duration::from_millis(1500);

fn limits() -> Limits {
    Limits { handshake: HEAD, head: HEAD, stall: STALL, idle: IDLE, ..Limits::default() }
}

async fn bench() -> Bench {
    Bench::behind(Time::Still, Door { limits: limits(), ..Door::default() }).await
}

async fn connect(bench: &Bench) -> TcpStream {
    TcpStream::connect(&bench.host).await.unwrap()
}

/// One request on a connection that stays open; the status of its answer.
async fn ask(stream: &mut TcpStream, path: &str) -> u16 {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|four| four == b"\r\n\r\n") || !answer.ends_with(b"\n") {
        let mut piece = [0; 1024];
        let count = tokio::time::timeout(PATIENCE, stream.read(&mut piece)).await.unwrap().unwrap();
        assert_ne!(count, 0, "closed after {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(answer).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

async fn assert_others_are_served(bench: &Bench) {
    assert_eq!(ask(&mut connect(bench).await, "/healthz").await, 200);
}

/// What comes until the server closes; a reset is a close too.
async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    drop(tokio::time::timeout(PATIENCE, reading).await.expect("the server closes"));
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a byte now and then until the server has had enough.
async fn drip(mut stream: TcpStream) -> String {
    let (mut reader, mut writer) = stream.split();
    let dripping = async {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = until_closed(&mut reader) => answer,
        () = dripping => unreachable!("it never ends"),
    }
}

#[tokio::test]
async fn a_head_that_drips_in_is_cut_off_and_so_is_a_client_that_says_nothing() {
    let bench = bench().await;
    // The server's time runs from here on at the earliest, whatever comes between.
    let began = Instant::now();
    let mut dripping = connect(&bench).await;
    dripping.write_all(b"GET /healthz HTTP/1.1\r\nx-slow: ").await.unwrap();
    let mut silent = connect(&bench).await;
    assert_others_are_served(&bench).await;
    let (answer, said) = tokio::join!(drip(dripping), until_closed(&mut silent));
    assert_eq!((answer.as_str(), said.as_str()), ("", ""));
    assert!(began.elapsed() >= HEAD, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_resting_connection_lives_longer_than_an_unfinished_head_but_not_for_ever() {
    let bench = bench().await;
    let mut stream = connect(&bench).await;
    assert_eq!(ask(&mut stream, "/healthz").await, 200);
    tokio::time::sleep(HEAD * 2).await;
    let began = Instant::now();
    assert_eq!(ask(&mut stream, "/healthz").await, 200, "it is still there");
    until_closed(&mut stream).await;
    assert!(began.elapsed() >= HEAD * 2, "{:?}", began.elapsed());
    // The second request's head has its own time.
    let mut stream = connect(&bench).await;
    assert_eq!(ask(&mut stream, "/healthz").await, 200);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nx-slow: ").await.unwrap();
    let answer = drip(stream).await;
    assert_eq!(answer, "");
}

/// What botocore sends for an empty object: some of its releases misread whatever follows on that connection.
#[tokio::test]
async fn nothing_follows_on_a_connection_where_somebody_wanted_to_be_asked_for_nothing() {
    let bench = bench().await;
    let mut stream = connect(&bench).await;
    let request = "PUT /one/key HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n";
    let began = Instant::now();
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 ") && answer.to_lowercase().contains("connection: close"), "{answer}");
    assert!(!answer.contains("100 Continue") && began.elapsed() < IDLE, "{:?}: {answer}", began.elapsed());
}

#[tokio::test]
async fn a_head_too_large_or_of_too_many_headers_is_refused() {
    let bench = bench().await;
    for headers in [format!("x-large: {}\r\n", "x".repeat(70 << 10)), "x-many: 1\r\n".repeat(101)] {
        let mut stream = connect(&bench).await;
        // The refusal may come before the whole is sent.
        drop(stream.write_all(format!("GET /healthz HTTP/1.1\r\nhost: h\r\n{headers}\r\n").as_bytes()).await);
        let answer = until_closed(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let mut stream = connect(&bench).await;
    let fits = format!("x-large: {}\r\n{}", "x".repeat(40 << 10), "x-many: 1\r\n".repeat(90));
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nconnection: close\r\n{fits}\r\n").as_bytes()).await.unwrap();
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_body_that_drips_in_is_refused_with_words() {
    let bench = bench().await;
    let began = Instant::now();
    let mut stream = connect(&bench).await;
    let head = "POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: AwsProton20200720.GetAccountSettings\r\n\
                content-length: 100000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_others_are_served(&bench).await;
    let answer = drip(stream).await;
    assert!(answer.is_empty() || answer.contains("RequestAbortedException"), "{answer}");
    assert!(began.elapsed() >= STALL, "{:?}", began.elapsed());
}

/// Reads a whole body and tells how that went.
fn reader(told: mpsc::UnboundedSender<Result<usize, String>>) -> Handler {
    Arc::new(move |request: Request<Body>| {
        let told = told.clone();
        Box::pin(async move {
            let read = to_bytes(request.into_body(), usize::MAX).await;
            told.send(read.map(|bytes| bytes.len()).map_err(|error| error.to_string())).unwrap();
            Response::new(Body::from("done\n"))
        })
    })
}

#[tokio::test]
async fn a_stalled_upload_ends_and_one_that_moves_may_take_its_time() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let door = Door { limits: limits(), objects: Some(reader(told)), ..Door::default() };
    let bench = Bench::behind(Time::Still, door).await;
    let piece = vec![b'x'; 20 << 10];
    let mut stalled = connect(&bench).await;
    stalled.write_all(b"PUT /b/k HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n").await.unwrap();
    stalled.write_all(&piece).await.unwrap();
    let failed = tokio::time::timeout(PATIENCE, heard.recv()).await.unwrap().unwrap().unwrap_err();
    assert!(failed.contains("next to nothing"), "{failed}");

    let mut moving = connect(&bench).await;
    let pieces = 10;
    let opening = format!("PUT /b/k HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", pieces * piece.len());
    moving.write_all(opening.as_bytes()).await.unwrap();
    let began = Instant::now();
    for _ in 0..pieces {
        tokio::time::sleep(STALL / 3).await;
        moving.write_all(&piece).await.unwrap();
    }
    let whole = tokio::time::timeout(PATIENCE, heard.recv()).await.unwrap().unwrap();
    assert_eq!(whole, Ok(pieces * piece.len()));
    assert!(began.elapsed() > STALL * 2, "longer than one that stalls may take");
}

/// Answers without end, and tells when nobody wants more.
fn endless(told: mpsc::UnboundedSender<()>) -> Handler {
    struct Told(mpsc::UnboundedSender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.send(()).ok();
        }
    }
    Arc::new(move |_| {
        let told = Told(told.clone());
        let pieces = stream::unfold(told, |told| async move {
            Some((Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 64 << 10])), told))
        });
        Box::pin(async move { Response::new(Body::from_stream(pieces)) })
    })
}

#[tokio::test]
async fn a_reader_that_stops_reading_loses_its_connection_and_a_slow_one_does_not() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let door = Door { limits: limits(), objects: Some(endless(told)), ..Door::default() };
    let bench = Bench::behind(Time::Still, door).await;
    let request = b"GET /b/k HTTP/1.1\r\nhost: h\r\n\r\n";
    // A large buffer would take minutes' worth of answer from a slow reader, and then nothing for long.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut slow = socket.connect(bench.host.parse().unwrap()).await.unwrap();
    slow.write_all(request).await.unwrap();
    let mut piece = vec![0; 1 << 20];
    let began = Instant::now();
    while began.elapsed() < STALL * 4 {
        slow.read_exact(&mut piece).await.expect("a slow reader is a reader");
        tokio::time::sleep(STALL / 6).await;
    }
    assert!(heard.try_recv().is_err());
    let mut stopped = connect(&bench).await;
    stopped.write_all(request).await.unwrap();
    stopped.read_exact(&mut piece).await.unwrap();
    assert_others_are_served(&bench).await;
    tokio::time::timeout(PATIENCE, heard.recv()).await.expect("one is given up").unwrap();
}

#[tokio::test]
async fn beyond_the_limit_resting_connections_make_room() {
    let limits = Limits { connections: 4, idle: Duration::from_mins(5), head: Duration::from_mins(5), ..limits() };
    let bench = Bench::behind(Time::Still, Door { limits, ..Door::default() }).await;
    let mut resting = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(&bench).await;
        assert_eq!(ask(&mut stream, "/healthz").await, 200);
        resting.push(stream);
    }
    let mut fifth = connect(&bench).await;
    assert_eq!(ask(&mut fifth, "/healthz").await, 200, "it waited for a place");
    until_closed(&mut resting[0]).await;
    assert_eq!(ask(&mut resting[3], "/healthz").await, 200, "the youngest kept its own");
}

#[tokio::test]
async fn a_held_answer_comes_however_short_the_limits_and_the_handler_knows_the_peer() {
    let seen = Arc::new(Mutex::new(None));
    let peer = Arc::clone(&seen);
    let slow: Handler = Arc::new(move |request: Request<Body>| {
        *peer.lock().unwrap() = request.extensions().get::<Peer>().map(|peer| peer.0.to_string());
        Box::pin(async {
            tokio::time::sleep(IDLE * 2).await;
            Response::new(Body::from("at last\n"))
        })
    });
    let bench = Bench::behind(Time::Still, Door { limits: limits(), hadron: Some(slow), ..Door::default() }).await;
    let mut stream = connect(&bench).await;
    assert_eq!(ask(&mut stream, "/_hadron/x").await, 200);
    assert_eq!(seen.lock().unwrap().as_deref(), Some("127.0.0.1"));
}

#[tokio::test]
async fn at_the_end_requests_are_finished_and_nobody_waits_for_resting_connections() {
    let slow: Handler = Arc::new(|_| {
        Box::pin(async {
            tokio::time::sleep(STALL).await;
            Response::new(Body::from("at last\n"))
        })
    });
    let limits = Limits { grace: PATIENCE, idle: PATIENCE * 3, head: PATIENCE * 3, ..limits() };
    let bench = Bench::behind(Time::Still, Door { limits, hadron: Some(slow), ..Door::default() }).await;
    let mut resting = connect(&bench).await;
    assert_eq!(ask(&mut resting, "/healthz").await, 200);
    let mut busy = connect(&bench).await;
    busy.write_all(b"GET /_hadron/x HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    tokio::time::sleep(STALL / 3).await;
    let began = Instant::now();
    let ((), answer) = tokio::join!(bench.shut_down(), until_closed(&mut busy));
    assert!(answer.ends_with("at last\n"), "{answer}");
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_handshake_that_stands_still_is_given_up_while_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Tls::open(&certificate, &key).unwrap();
    assert_eq!(tls.names(), ["localhost"]);
    let bench = Bench::behind(Time::Still, Door { limits: limits(), tls: Some(tls), ..Door::default() }).await;
    let mut half_open = connect(&bench).await;
    // The beginning of a ClientHello.
    half_open.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
    let mut plain = connect(&bench).await;
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();

    let url = |host: &str| format!("https://{host}:{}/healthz", bench.host.rsplit(':').next().unwrap());
    let get = |host: &str| Request::get(url(host)).body(Bytes::new()).unwrap();
    let trusting = |trust: Trust| Https::trusting(Some(&trust), PATIENCE).unwrap();
    let trust = || Trust::read(std::slice::from_ref(&certificate)).unwrap();
    let answer = trusting(trust()).send(get("localhost")).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (200, &b"ok\n"[..]));
    trusting(trust()).send(get("127.0.0.1")).await.expect_err("the certificate doesn't cover the address");
    Https::new(None, PATIENCE).unwrap().send(get("localhost")).await.expect_err("nobody vouches for it");
    let own = Trust::our_own(&[CertificateDer::from_pem_file(&certificate).unwrap()]);
    trusting(own).send(get("127.0.0.1")).await.expect("it is the very certificate");

    until_closed(&mut half_open).await;
    assert!(!until_closed(&mut plain).await.contains("200"), "TLS and plain HTTP don't share a port");
}
