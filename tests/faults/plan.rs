//! What is to happen: a round follows from the seed and its number alone.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::road::{Call, Side};

/// What is provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Template {
    /// The real AWS provider.
    Queues,
    /// Steps on this machine.
    Data,
}

/// What is done while the fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Create,
    /// A resource more.
    Extend,
    /// A resource made anew.
    Replace,
    Delete,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// kill -9, and its next life on the same data.
    AgentKilled,
    /// kill -9, and it stays dead; its Terraform goes on, and another agent takes over.
    AgentLost,
    SupervisorKilled,
    TerraformKilled,
    ProviderKilled,
    SupervisorAndTerraformKilled,
    /// kill -9, and its next life on the same record.
    ServerKilled,
    /// Everything of a host is killed and its data is gone; another host takes over.
    HostVanishes,
    /// The same, and the server is killed with it.
    HostAndServerVanish,
    /// SIGTERM to the agent; another one comes later on the same data.
    AgentTerminated,
    /// Somebody calls the deployment off.
    Cancelled,
    /// The object store answers 500 for a while.
    ObjectsFail(Call),
    ObjectsSlow(Call),
    /// The object store does it, its answer is lost.
    ObjectsMute(Call),
    /// The state server answers 500 for a while.
    StateFails(Call),
    StateSlow(Call),
    StateMute(Call),
    /// Every state write is refused for good, so that Terraform leaves errored.tfstate.
    StateRefused,
    /// The same, and the host vanishes with that file.
    StateRefusedAndHostVanishes,
    /// Nothing of the run's records can be written.
    LogSinkAway,
    /// The final report's answer is lost, or it is refused for a while.
    ReportMute,
    ReportFails,
    /// Nothing that agent and supervisor write reaches the disk for a while.
    AgentDiskFull,
    ServerDiskFull,
    /// By an hour, for some seconds.
    AgentClockAhead,
    AgentClockBehind,
    ServerClockAhead,
    ServerClockBehind,
    /// A resource's creation fails.
    ProviderFails,
    /// AWS answers 500 for a while.
    ProviderErrors,
    /// A resource's creation takes longer than a lease.
    ProviderSleeps,
    /// AWS has created it, the answer is lost.
    ProviderMute,
    /// What a provisioner has started takes more memory than there is.
    ProviderAllocates,
    /// `PostgreSQL` ends as by a crash and is back some seconds later; elsewhere the control plane is killed.
    RecordAway,
}

impl Fault {
    /// Its name in the table.
    pub(crate) fn name(self) -> String {
        match self {
            Self::ObjectsFail(call) => format!("ObjectsFail at {call:?}"),
            Self::ObjectsSlow(call) => format!("ObjectsSlow at {call:?}"),
            Self::ObjectsMute(call) => format!("ObjectsMute at {call:?}"),
            Self::StateFails(call) => format!("StateFails at {call:?}"),
            Self::StateSlow(call) => format!("StateSlow at {call:?}"),
            Self::StateMute(call) => format!("StateMute at {call:?}"),
            other => format!("{other:?}"),
        }
    }

    /// Faults that happen at a moment of their own choosing rather than at the round's.
    pub(crate) fn is_laid(self) -> bool {
        use Fault::{
            LogSinkAway, ObjectsFail, ObjectsMute, ObjectsSlow, ProviderAllocates, ProviderErrors, ProviderFails,
            ProviderMute, ProviderSleeps, ReportFails, ReportMute, StateFails, StateMute, StateRefused,
            StateRefusedAndHostVanishes, StateSlow,
        };
        matches!(
            self,
            LogSinkAway
                | ObjectsFail(_)
                | ObjectsMute(_)
                | ObjectsSlow(_)
                | ProviderAllocates
                | ProviderErrors
                | ProviderFails
                | ProviderMute
                | ProviderSleeps
                | ReportFails
                | ReportMute
                | StateFails(_)
                | StateMute(_)
                | StateRefused
                | StateRefusedAndHostVanishes
                | StateSlow(_)
        )
    }
}

/// When it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// At the n-th call of a kind since the deployment was asked for, before or after the server has done it; the call is
    /// held until the fault has happened.
    At(Call, Side, usize),
    /// While a provisioner works.
    Step(&'static str),
    /// So many milliseconds after the claim.
    After(u64),
}

/// What a control plane is set up with: one serves many rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Setting {
    /// Record and Terraform's state in `SQLite`.
    Usual,
    /// The record, and with it the state, in `PostgreSQL`.
    Postgres,
    /// The state in a bucket, locked by Terraform's own lock files.
    Bucket,
}

/// One round.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) number: usize,
    pub(crate) setting: Setting,
    /// Whether people approve each plan.
    pub(crate) gated: bool,
    pub(crate) template: Template,
    pub(crate) operation: Operation,
    pub(crate) fault: Fault,
    pub(crate) moment: Moment,
    /// What goes wrong besides, so many milliseconds later, while the first is being recovered from.
    pub(crate) second: Option<(Fault, u64)>,
}

/// Every kind, those more often that peers fail at.
const FAULTS: &[(usize, &[Fault])] = &[
    (
        4,
        &[
            Fault::AgentKilled,
            Fault::AgentLost,
            Fault::SupervisorKilled,
            Fault::TerraformKilled,
            Fault::ServerKilled,
            Fault::HostVanishes,
        ],
    ),
    (
        2,
        &[
            Fault::SupervisorAndTerraformKilled,
            Fault::AgentTerminated,
            Fault::Cancelled,
            Fault::StateRefused,
            Fault::ProviderKilled,
            Fault::LogSinkAway,
        ],
    ),
    (
        1,
        &[
            Fault::HostAndServerVanish,
            Fault::StateRefusedAndHostVanishes,
            Fault::ObjectsFail(Call::GetObject),
            Fault::ObjectsFail(Call::PutObject),
            Fault::ObjectsSlow(Call::GetObject),
            Fault::ObjectsSlow(Call::PutObject),
            Fault::ObjectsMute(Call::GetObject),
            Fault::ObjectsMute(Call::PutObject),
            Fault::StateFails(Call::StateGet),
            Fault::StateFails(Call::Lock),
            Fault::StateFails(Call::StateWrite),
            Fault::StateFails(Call::Unlock),
            Fault::StateSlow(Call::StateWrite),
            Fault::StateMute(Call::Lock),
            Fault::StateMute(Call::StateWrite),
            Fault::StateMute(Call::Unlock),
            Fault::ReportMute,
            Fault::ReportFails,
            Fault::AgentDiskFull,
            Fault::ServerDiskFull,
            Fault::AgentClockAhead,
            Fault::AgentClockBehind,
            Fault::ServerClockAhead,
            Fault::ServerClockBehind,
            Fault::ProviderFails,
            Fault::ProviderErrors,
            Fault::ProviderSleeps,
            Fault::ProviderMute,
            Fault::ProviderAllocates,
            Fault::RecordAway,
        ],
    ),
];

/// A lock file in a bucket is released by whoever knows that it was its own: the host that made it. And Terraform itself
/// doesn't recognise its own lock when it asks again after a lost answer.
const NOT_IN_A_BUCKET: &[Fault] = &[
    Fault::HostVanishes,
    Fault::HostAndServerVanish,
    Fault::StateRefusedAndHostVanishes,
    Fault::StateMute(Call::Lock),
    Fault::RecordAway,
];

/// What may leave suspects, which no server keeps where the state lies in a bucket: there the steps of this machine, which
/// live in the state alone, stand for all.
const WITHOUT_SUSPECTS: &[Fault] = &[
    Fault::TerraformKilled,
    Fault::SupervisorAndTerraformKilled,
    Fault::StateRefused,
    Fault::Cancelled,
    Fault::AgentTerminated,
];

/// Of five rounds one has its record in `PostgreSQL` and one its state in a bucket, where that fits its fault.
fn setting(number: usize, fault: Fault) -> Setting {
    match number % 5 {
        _ if fault == Fault::RecordAway => Setting::Postgres,
        1 => Setting::Postgres,
        3 if !NOT_IN_A_BUCKET.contains(&fault) && fault != Fault::ProviderKilled => Setting::Bucket,
        _ => Setting::Usual,
    }
}

/// The round of this number. The faults come in turns, by their weights and in an order of the seed's, so that even a
/// short run meets most of them; everything else is drawn.
pub(crate) fn round(seed: u64, number: usize) -> Round {
    let mut deck: Vec<Fault> =
        FAULTS.iter().flat_map(|(weight, faults)| faults.iter().flat_map(|fault| [*fault].repeat(*weight))).collect();
    let turn = number / deck.len();
    let mut shuffled = StdRng::seed_from_u64(seed ^ (turn as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    rand::seq::SliceRandom::shuffle(&mut deck[..], &mut shuffled);
    let fault = deck[number % deck.len()];
    let mut rng = StdRng::seed_from_u64(seed.wrapping_add(number as u64 * 7919 + 1));
    let setting = setting(number, fault);
    let template = match fault {
        _ if setting == Setting::Bucket && WITHOUT_SUSPECTS.contains(&fault) => Template::Data,
        Fault::ProviderKilled | Fault::ProviderErrors | Fault::ProviderMute => Template::Queues,
        Fault::ProviderAllocates => Template::Data,
        _ if number.is_multiple_of(2) => Template::Queues,
        _ => Template::Data,
    };
    let operation = match fault {
        Fault::ProviderAllocates | Fault::ProviderFails | Fault::ProviderMute => Operation::Create,
        _ => match (rng.random_range(0..10), template) {
            (0..6, _) => Operation::Create,
            (6 | 7, Template::Queues) => Operation::Extend,
            (6..9, _) => Operation::Replace,
            _ => Operation::Delete,
        },
    };
    let moment = moment(&mut rng, fault, template, operation);
    let again =
        [Fault::AgentKilled, Fault::TerraformKilled, Fault::SupervisorKilled, Fault::ServerKilled, Fault::HostVanishes];
    let second =
        (number % 6 == 5).then(|| (*again.choose(&mut rng).expect("there are some"), rng.random_range(500..6000)));
    let second = second.filter(|(fault, _)| {
        let leaves_suspects = template == Template::Queues && WITHOUT_SUSPECTS.contains(fault);
        setting != Setting::Bucket || !(leaves_suspects || NOT_IN_A_BUCKET.contains(fault))
    });
    // People decide in every fourth.
    Round { number, setting, gated: number % 4 == 2, template, operation, fault, moment, second }
}

fn moment(rng: &mut StdRng, fault: Fault, template: Template, operation: Operation) -> Moment {
    use Call::{Beat, Claim, Create, Delete, FinalReport, GetObject, Lock, PutObject, StateWrite, Unlock};
    let side = if rng.random_bool(0.5) { Side::Before } else { Side::After };
    // What only a running Terraform can suffer.
    let running = matches!(
        fault,
        Fault::TerraformKilled
            | Fault::ProviderKilled
            | Fault::SupervisorKilled
            | Fault::SupervisorAndTerraformKilled
            | Fault::AgentDiskFull
    );
    let work = match (template, operation) {
        (Template::Data, _) => return data_moment(rng, side, running),
        (Template::Queues, Operation::Create) => Moment::At(Create, side, rng.random_range(0..3)),
        (Template::Queues, Operation::Delete) => Moment::At(Delete, side, rng.random_range(0..3)),
        (Template::Queues, Operation::Extend) => Moment::At(Create, side, 0),
        (Template::Queues, Operation::Replace) => {
            Moment::At(if rng.random_bool(0.5) { Create } else { Delete }, side, 0)
        }
    };
    let before = [Moment::At(Claim, side, 0), Moment::At(GetObject, side, 0), Moment::After(rng.random_range(0..3000))];
    let after = [
        Moment::At(StateWrite, side, 0),
        Moment::At(Unlock, side, 0),
        Moment::At(FinalReport, side, 0),
        Moment::At(PutObject, side, 0),
        Moment::At(Lock, side, 0),
        Moment::At(Beat, side, 1),
    ];
    match rng.random_range(0..10) {
        _ if running => work,
        0..6 => work,
        6 | 7 => *before.choose(rng).expect("there are some"),
        _ => *after.choose(rng).expect("there are some"),
    }
}

fn data_moment(rng: &mut StdRng, side: Side, running: bool) -> Moment {
    let steps = ["a", "b", "c"].map(Moment::Step);
    let others = [
        Moment::At(Call::Claim, side, 0),
        Moment::At(Call::GetObject, side, 0),
        Moment::At(Call::StateWrite, side, 0),
        Moment::At(Call::Unlock, side, 0),
        Moment::At(Call::FinalReport, side, 0),
        Moment::At(Call::PutObject, side, 0),
        Moment::At(Call::Lock, side, 0),
        Moment::After(rng.random_range(0..1500)),
    ];
    if running || rng.random_bool(0.5) {
        *steps.choose(rng).expect("there are some")
    } else {
        *others.choose(rng).expect("there are some")
    }
}
