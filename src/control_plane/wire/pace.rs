//! Patience with the other side of a connection: it may be slow, but it must move.
//!
//! A limit on the time between two bytes would be kept by one byte at a time, and a limit on the whole would cut off
//! large uploads. So waiting is summed up, and forgiven whenever a fair piece has gone through.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use futures::ready;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// How many bytes earn new patience.
const FAIR_PIECE: usize = 16 << 10;

/// Counts how long one side has been waited for.
#[derive(Debug)]
pub(super) struct Pace {
    patience: Duration,
    waited: Duration,
    moved: usize,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, waited: Duration::ZERO, moved: 0, since: None, timer: None }
    }

    /// So many bytes went through.
    pub(super) fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
        self.moved += bytes;
        if self.moved >= FAIR_PIECE {
            (self.moved, self.waited) = (0, Duration::ZERO);
        }
    }

    /// The other side is waited for; ready when patience is at its end.
    pub(super) fn waits(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = self.patience.saturating_sub(self.waited);
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(now + patience),
                None => self.timer = Some(Box::pin(tokio::time::sleep(patience))),
            }
        }
        self.timer.as_mut().map_or(Poll::Ready(()), |timer| timer.as_mut().poll(cx))
    }
}

/// A request's body that ends with an error when the client stops sending.
pub(super) struct Paced<B> {
    body: B,
    pace: Pace,
}

impl<B> Paced<B> {
    pub(super) fn new(body: B, patience: Duration) -> Self {
        Self { body, pace: Pace::new(patience) }
    }
}

impl<B> HttpBody for Paced<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.pace.moved(frame.iter().flatten().filter_map(Frame::data_ref).map(Bytes::len).sum());
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                ready!(self.pace.waits(cx));
                let patience = self.pace.patience;
                Poll::Ready(Some(Err(format!("the client sent next to nothing for {patience:?}").into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
