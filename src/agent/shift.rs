//! Several journeys at once: polls for work while there are hands free, never two of one target.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claim::Claimed;
use super::context::Context;
use super::journey::{Arrival, claimed_journey, journey};
use super::poll::Candidate;
use super::recovery;
use super::{AgentError, Drained, Outcome};
use crate::domain::Verdict;
use crate::proton::{Pending, Poll, ProtonError};

/// An endpoint that can't tell what is claimable is asked this often.
const STOCK_PAUSE: Duration = Duration::from_secs(15);

/// What somebody else had claimed isn't asked for again so soon.
const COOLING: Duration = Duration::from_secs(5);

/// A drain ends when nothing comes for this long: what has only just been created becomes claimable a moment later.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// An endpoint that took this long for its answer has held it until there was something to say.
const HELD: Duration = Duration::from_millis(200);

/// Where so many times more can be claimed than this agent does at a time, it asks for as many more as it does at a time.
const PLENTY: usize = 4;

/// What was offered beyond the hands that were free is taken up within this time; it is withheld from others for longer.
const FRESH: Duration = Duration::from_secs(2);

/// Waits after polls that failed: the first, doubling up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Whether an agent stays when there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    ForMore,
    UntilDrained,
}

/// One stretch of work.
pub(super) struct Shift {
    context: Arc<Context>,
    stop: CancellationToken,
    stay: Stay,
    /// How many journeys wait for people.
    waiting: watch::Receiver<usize>,
    journeys: JoinSet<(Candidate, Arrival)>,
    /// What is being worked on, by target.
    busy: BTreeMap<String, Candidate>,
    /// Deployments that somebody else had, and until when they aren't tried again.
    cooling: HashMap<String, Instant>,
    /// What was offered for the hands that come free next, and when: a poll makes the server look through all that waits.
    ahead: VecDeque<Pending>,
    offered_at: Instant,
    /// How many more than free hands are asked for.
    more: usize,
    /// A drain takes each deployment once.
    done: BTreeSet<String>,
    /// What keeps a drain from claiming anything, and waiting won't mend.
    refused: Option<ProtonError>,
    worst: Verdict,
    /// How each deployment of a drain ended.
    outcomes: Vec<Outcome>,
}

impl Shift {
    pub(super) fn new(context: Arc<Context>, stop: CancellationToken, stay: Stay) -> Self {
        let waiting = context.waiting.subscribe();
        Self {
            context,
            stop,
            stay,
            waiting,
            journeys: JoinSet::new(),
            busy: BTreeMap::new(),
            cooling: HashMap::new(),
            ahead: VecDeque::new(),
            offered_at: Instant::now(),
            more: 0,
            done: BTreeSet::new(),
            refused: None,
            worst: Verdict::Done,
            outcomes: Vec::new(),
        }
    }

    pub(super) async fn work(&mut self) -> Result<(), AgentError> {
        let mut wait = FIRST_WAIT;
        while !self.stop.is_cancelled() {
            if let Some(error) = self.refused.take() {
                return Err(error.into());
            }
            let free = self.free();
            let beat = &self.context.metrics.polling;
            if free == 0 {
                beat.rest();
                self.someone_arrives(None).await;
                continue;
            }
            beat.beat();
            if self.take_ahead(free) {
                continue;
            }
            let asked = Instant::now();
            match self.poll(free).await {
                None => {}
                Some(Ok(poll)) => {
                    wait = FIRST_WAIT;
                    if self.take(poll, free, asked.elapsed() >= HELD).await {
                        return Ok(());
                    }
                }
                Some(Err(error)) => {
                    let patient = wait < LONGEST_WAIT || !self.journeys.is_empty();
                    if self.stay == Stay::UntilDrained && !(patient && error.is_passing()) {
                        return Err(error.into());
                    }
                    let remedy = error.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
                    tracing::warn!(%error, "polling failed; trying on{remedy}");
                    self.someone_arrives(Some(wait)).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
        if self.outcomes.is_empty() && self.journeys.is_empty() {
            // Whether anything was pending, nobody knows.
            self.worst = self.worst.max(Verdict::Cancelled);
        }
        Ok(())
    }

    /// How many more journeys may set out. One that waits for people needs nothing of this machine, so it doesn't count;
    /// when several are approved at once there are for a while more at work than usual.
    fn free(&mut self) -> usize {
        let waiting = *self.waiting.borrow_and_update();
        (self.context.config.concurrency.max(1) + waiting).saturating_sub(self.journeys.len())
    }

    /// None when something happened meanwhile that makes the answer pointless.
    async fn poll(&mut self, free: usize) -> Option<Result<Poll, ProtonError>> {
        let context = Arc::clone(&self.context);
        // While journeys are under way their ends are waited for as well; a drain doesn't wait for more.
        let hold = match self.stay {
            // Who hasn't been heard yet, or not any more, wants to know first whether somebody is there.
            Stay::ForMore if !context.metrics.is_heard() => Duration::ZERO,
            Stay::ForMore => context.config.poll_wait,
            Stay::UntilDrained if self.journeys.is_empty() => LAST_LOOK,
            Stay::UntilDrained => Duration::ZERO,
        };
        // Others are withheld what we are shown, so we ask for no more than we can take, unless we must choose.
        let limit = if context.config.bound_to.is_empty() { free + self.more } else { 100 };
        tokio::select! {
            () = self.stop.cancelled() => None,
            poll = context.proton.poll(context.identity.id(), hold, limit) => {
                context.metrics.polled(&poll);
                Some(poll)
            }
            Some(arrived) = self.journeys.join_next() => {
                self.arrived(arrived);
                None
            }
        }
    }

    /// Sets out with what is new; true when a drain is over. `held` says that the answer was waited for.
    async fn take(&mut self, poll: Poll, free: usize, held: bool) -> bool {
        let concurrency = self.context.config.concurrency.max(1);
        let (pending, claimable, stock) = match poll {
            Poll::Offered { pending, claimable } => (pending, claimable, false),
            Poll::Everything(pending) => (pending, 0, true),
        };
        self.more = if claimable > PLENTY * concurrency { concurrency } else { 0 };
        self.ahead = pending.into();
        self.offered_at = Instant::now();
        let taken = self.take_ahead(free);
        // Where there isn't plenty, what is over is somebody else's; a stock endpoint withholds nothing anyway.
        if self.more == 0 {
            self.ahead.clear();
        }
        if taken {
            return false;
        }
        if self.stay == Stay::UntilDrained && self.journeys.is_empty() {
            return true;
        }
        match (stock, self.stay) {
            (true, Stay::ForMore) => self.someone_arrives(Some(STOCK_PAUSE)).await,
            // An answer that came at once, and brought nothing new, would come at once again.
            _ if !held => self.someone_arrives(Some(FIRST_WAIT)).await,
            _ => {}
        }
        false
    }

    /// Sets out with what was offered lately, as far as there are hands; whether there was anything.
    fn take_ahead(&mut self, free: usize) -> bool {
        if self.offered_at.elapsed() > FRESH {
            self.ahead.clear();
        }
        let mut taken = 0;
        while taken < free
            && let Some(pending) = self.ahead.pop_front()
        {
            let ours = self.context.config.works_for(&pending.environment);
            if ours && self.may_take(&pending.id, &pending.target_arn) {
                let delay = self.context.config.clock.now() - pending.created_at;
                let delay = Duration::from_millis(u64::try_from(delay).unwrap_or(0));
                self.context.metrics.delay.observe(delay.as_secs_f64());
                self.set_out(pending.into());
                taken += 1;
            }
        }
        taken > 0
    }

    fn may_take(&mut self, id: &str, target: &str) -> bool {
        let now = Instant::now();
        self.cooling.retain(|_, until| *until > now);
        !self.busy.contains_key(target) && !self.cooling.contains_key(id) && !self.done.contains(id)
    }

    fn set_out(&mut self, candidate: Candidate) {
        self.busy.insert(candidate.target_arn.clone(), candidate.clone());
        let (context, stop) = (Arc::clone(&self.context), self.stop.clone());
        self.journeys.spawn(async move {
            let _at_work = context.sets_out();
            let arrival = Box::pin(journey(&context, candidate.clone(), &stop)).await;
            (candidate, arrival)
        });
    }

    /// Goes on with what an earlier life began; `adopted` if Terraform was started, so that nobody need be asked first.
    pub(super) fn come_back(&mut self, candidate: Candidate, adopted: Option<Claimed>) {
        self.busy.insert(candidate.target_arn.clone(), candidate.clone());
        let (context, stop) = (Arc::clone(&self.context), self.stop.clone());
        self.journeys.spawn(async move {
            let _at_work = context.sets_out();
            let arrival = match adopted {
                Some(claimed) => Box::pin(claimed_journey(&context, claimed, &stop)).await,
                None => Box::pin(come_back(&context, &candidate, &stop)).await,
            };
            (candidate, arrival)
        });
    }

    /// Waits until a journey ends, or that long, or until the agent is asked to stop.
    async fn someone_arrives(&mut self, at_most: Option<Duration>) {
        let time = async {
            match at_most {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = time => {}
            // Somebody waits for people now, so there is a hand free.
            _ = self.waiting.changed() => {}
            Some(arrived) = self.journeys.join_next() => self.arrived(arrived),
        }
    }

    pub(super) async fn finish(&mut self) {
        while let Some(arrived) = self.journeys.join_next().await {
            self.arrived(arrived);
        }
    }

    /// Leaves what is under way to the supervisors.
    pub(super) fn leave(&mut self) {
        self.worst = self.worst.max(Verdict::Cancelled);
        self.outcomes.extend(self.busy.values().map(Outcome::left));
    }

    /// What it came to; `worked` is what [`Shift::work`] gave.
    pub(super) fn ended(self, worked: Result<(), AgentError>) -> Drained {
        let broke_off = worked.err();
        let worst = self.worst.max(broke_off.as_ref().map_or(Verdict::Done, AgentError::verdict));
        Drained { worst, outcomes: self.outcomes, broke_off }
    }

    fn arrived(&mut self, arrived: Result<(Candidate, Arrival), tokio::task::JoinError>) {
        let (candidate, arrival) = match arrived {
            Ok(arrived) => arrived,
            Err(error) => {
                tracing::error!(%error, "a journey broke off");
                self.worst = self.worst.max(Verdict::Unexpected);
                return;
            }
        };
        self.busy.remove(&candidate.target_arn);
        match arrival {
            Arrival::Ended(outcome) => {
                self.worst = self.worst.max(outcome.verdict);
                if self.stay == Stay::UntilDrained {
                    self.done.insert(candidate.id);
                    self.outcomes.push(*outcome);
                }
            }
            Arrival::NotClaimed(error) => {
                tracing::info!(deployment.id = %candidate.id, %error, "deployment {} wasn't claimed", candidate.id);
                self.cooling.insert(candidate.id, Instant::now() + COOLING);
                let somebodys = matches!(error, ProtonError::Conflict { .. } | ProtonError::NotFound { .. });
                if self.stay == Stay::UntilDrained && !somebodys && !error.is_passing() {
                    self.refused = Some(error);
                }
            }
        }
    }
}

/// The journey of a deployment that an earlier life began: it waits for Proton, since Terraform may be at work, and
/// leaves alone what has become somebody else's.
async fn come_back(context: &Context, candidate: &Candidate, stop: &CancellationToken) -> Arrival {
    let mut wait = FIRST_WAIT;
    loop {
        let arrival = Box::pin(journey(context, candidate.clone(), stop)).await;
        let Arrival::NotClaimed(error) = &arrival else { return arrival };
        if !error.is_passing() {
            if matches!(error, ProtonError::Conflict { .. } | ProtonError::NotFound { .. }) {
                recovery::leave_alone(context, &candidate.id);
            }
            return arrival;
        }
        tokio::select! {
            () = stop.cancelled() => return arrival,
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
