//! A connection's bytes under watch: a client that sends no request, or takes no answer, loses its connection.
//!
//! hyper has one timeout, for a request's head, and counts an idle connection's rest into it. Clients that keep a
//! connection for their next request must not lose it as fast as those that never finish one.

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
use tokio::time::Instant;

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

/// The phase of one connection and since when it holds, as its bytes, its requests and its answers see it. Requests of a
/// connection follow one another, so that nobody changes it meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<Since>);

#[derive(Debug)]
struct Since {
    began: Instant,
    /// Milliseconds after `began`, times four, plus the phase.
    entered: AtomicU64,
}

impl Watch {
    pub(super) fn begin() -> Self {
        Self(Arc::new(Since { began: Instant::now(), entered: AtomicU64::new(Phase::Fresh as u64) }))
    }

    pub(super) fn enter(&self, phase: Phase) {
        let millis = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX / 4);
        self.0.entered.store(millis * 4 + phase as u64, Ordering::Relaxed);
    }

    pub(super) fn phase(&self) -> Phase {
        self.read().0
    }

    fn read(&self) -> (Phase, Instant) {
        let entered = self.0.entered.load(Ordering::Relaxed);
        let phase = match entered % 4 {
            0 => Phase::Fresh,
            1 => Phase::Head,
            2 => Phase::Busy,
            _ => Phase::Idle,
        };
        (phase, self.0.began + Duration::from_millis(entered / 4))
    }

    /// Returns when a request's head, or the next request, has been waited for too long. It looks now and then, so that
    /// a request costs no timer.
    pub(super) async fn overdue(&self, head: Duration, idle: Duration) {
        loop {
            let (phase, since) = self.read();
            let look = Instant::now() + head;
            let deadline = match phase {
                // The body has a pace of its own, and an operation takes its time.
                Phase::Busy => look,
                Phase::Fresh | Phase::Head => since + head,
                Phase::Idle => since + idle,
            };
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline.min(look)).await;
        }
    }
}

/// The bytes of one connection.
pub(super) struct Guarded<S> {
    stream: S,
    watch: Watch,
    writing: Pace,
}

impl<S> Guarded<S> {
    /// Gives up on a client that takes next to nothing for as long as `stall`.
    pub(super) fn new(stream: S, watch: Watch, stall: Duration) -> Self {
        Self { stream, watch, writing: Pace::new(stall) }
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
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && matches!(self.watch.phase(), Phase::Fresh | Phase::Idle) {
            self.watch.enter(Phase::Head);
        }
        outcome
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
