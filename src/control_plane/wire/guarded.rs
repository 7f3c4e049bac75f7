//! A connection's bytes under watch: a client that sends no request, or takes no answer, loses its connection.
//!
//! hyper has one timeout, for a request's head, and counts an idle connection's rest into it. Clients that keep a
//! connection for their next request must not lose it as fast as those that never finish their first.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures::ready;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::pace::Pace;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has come yet.
    Fresh,
    /// A request has begun and its head isn't whole.
    Head,
    /// A request is answered.
    Busy,
    /// The last answer is given, and no other request has begun.
    Idle,
}

/// The phase, as the connection's bytes, its requests and its answers see it. The low two bits are the phase; the rest
/// counts the changes, so that each has its own time.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Arc<AtomicU64>);

impl Watch {
    pub(super) fn enter(&self, phase: Phase) {
        let next = |old: u64| (((old >> 2) + 1) << 2) | phase as u64;
        // Requests of one connection follow one another: nobody changes it meanwhile.
        self.0.store(next(self.0.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    pub(super) fn phase(&self) -> Phase {
        [Phase::Fresh, Phase::Head, Phase::Busy, Phase::Idle][usize::from(self.stamp().to_le_bytes()[0] & 3)]
    }

    fn stamp(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The bytes of one connection.
pub(super) struct Guarded<S> {
    stream: S,
    watch: Watch,
    head: Duration,
    idle: Duration,
    /// The phase that is timed, and until when.
    timed: u64,
    timer: Option<Pin<Box<Sleep>>>,
    writing: Pace,
}

impl<S> Guarded<S> {
    /// Times as in [`Limits`](super::Limits).
    pub(super) fn new(stream: S, watch: Watch, head: Duration, idle: Duration, stall: Duration) -> Self {
        Self { stream, watch, head, idle, timed: 0, timer: None, writing: Pace::new(stall) }
    }

    /// Nothing came; ready when nothing may be waited for any longer.
    fn waits(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = match self.watch.phase() {
            // The body has a pace of its own, and an operation takes its time.
            Phase::Busy => return Poll::Pending,
            Phase::Fresh | Phase::Head => self.head,
            Phase::Idle => self.idle,
        };
        let stamp = self.watch.stamp();
        match &mut self.timer {
            Some(_) if self.timed == stamp => {}
            Some(timer) => timer.as_mut().reset(tokio::time::Instant::now() + patience),
            None => self.timer = Some(Box::pin(tokio::time::sleep(patience))),
        }
        self.timed = stamp;
        self.timer.as_mut().map_or(Poll::Ready(()), |timer| timer.as_mut().poll(cx))
    }

    fn written(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Ok(bytes)) => {
                self.writing.moved(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.writing.waits(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no answer")))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Pending => {
                ready!(self.waits(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no request came")))
            }
            outcome => {
                let came = buf.filled().len() > before;
                if came && matches!(self.watch.phase(), Phase::Fresh | Phase::Idle) {
                    self.watch.enter(Phase::Head);
                }
                outcome
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx).map_ok(|()| 0);
        self.written(cx, outcome).map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx).map_ok(|()| 0);
        self.written(cx, outcome).map_ok(drop)
    }
}

/// An answer's body; the connection is idle once it has been handed over.
pub(super) struct Answer {
    body: Body,
    watch: Watch,
}

impl Answer {
    pub(super) fn new(body: Body, watch: Watch) -> Self {
        Self { body, watch }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.watch.enter(Phase::Idle);
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
