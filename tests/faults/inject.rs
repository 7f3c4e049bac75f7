//! The faults themselves.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::host::Role;
use crate::plan::{Fault, Round, Template};
use crate::road::{Call, Deed, Gate, Side, Trap};
use crate::round::Game;
use crate::world::{LEASE, PATIENCE};

const HOUR: i64 = 3600;

/// What else the agents of a round are set up with.
pub(crate) fn settings(round: &Round) -> String {
    let ways = ["drain", "interrupt", "detach"];
    let mut settings = match round.fault {
        Fault::AgentTerminated => format!("[agent]\nshutdown = {:?}\n", ways[round.number % ways.len()]),
        _ => String::new(),
    };
    if round.gated {
        settings.push_str("[environments.\"*\"]\ngates = [\"approval\"]\n");
    }
    settings
}

/// Lays what happens by itself once the deployment comes by.
pub(crate) fn lay(game: &mut Game<'_>) {
    let (road, aws) = (&game.world.road.traffic, &game.world.aws.traffic);
    let state = game.world.traffic(Call::StateWrite);
    let number = game.round.number;
    let objects = game.folder.join("objects");
    let order = |name: &str, text: &str| fs::write(objects.join(name), text).unwrap();
    let trap = |call, side, times, deed| Trap { times, ..Trap::new(call, side, deed) };
    let queues = game.round.template == Template::Queues;
    match game.round.fault {
        Fault::ObjectsFail(call) | Fault::StateFails(call) => {
            game.world.traffic(call).lay(trap(call, Side::Before, 1 + number % 6, Deed::Answer(500)));
        }
        Fault::ObjectsSlow(call) | Fault::StateSlow(call) => {
            game.world.traffic(call).lay(trap(call, Side::Before, 2, Deed::Slow(Duration::from_secs(LEASE + 3))));
        }
        Fault::ObjectsMute(call) | Fault::StateMute(call) => {
            game.world.traffic(call).lay(trap(call, Side::After, 1 + number % 2, Deed::Cut));
        }
        // Two are refused to Terraform; what is refused for good the agent meets as well.
        Fault::StateRefused => {
            let times = if number % 4 < 2 { 1 } else { usize::MAX };
            state.lay(trap(Call::StateWrite, Side::Before, times, Deed::Answer(403)));
        }
        Fault::StateRefusedAndHostVanishes => {
            road.lay(trap(Call::StateWrite, Side::Before, usize::MAX, Deed::Answer(403)));
        }
        Fault::LogSinkAway => road.lay(trap(Call::PutObject, Side::Before, usize::MAX, Deed::Answer(500))),
        Fault::ReportMute => road.lay(trap(Call::FinalReport, Side::After, 2, Deed::Cut)),
        Fault::ReportFails => road.lay(trap(Call::FinalReport, Side::Before, 5, Deed::Answer(500))),
        Fault::ProviderErrors => aws.lay(trap(Call::Create, Side::Before, 2, Deed::Answer(500))),
        Fault::ProviderMute => aws.lay(Trap { skip: number % 2, ..Trap::new(Call::Create, Side::After, Deed::Cut) }),
        Fault::ProviderFails if queues => {
            aws.lay(Trap { skip: number % 3, ..Trap::new(Call::Create, Side::Before, Deed::Answer(400)) });
        }
        Fault::ProviderSleeps if queues => {
            aws.lay(trap(Call::Create, Side::After, 1, Deed::Slow(Duration::from_secs(2 * LEASE + 1))));
        }
        Fault::ProviderFails => order("fail-b", ""),
        Fault::ProviderSleeps => order("pause-b", &format!("{}", 2 * LEASE + 1)),
        Fault::ProviderAllocates => order("allocate-b", ""),
        // There must be time to do it.
        _ => ["pause-a", "pause-b", "pause-c"].iter().for_each(|name| order(name, "0.6")),
    }
}

/// Waits until what was laid has done its work; false if it never did.
pub(crate) async fn follow(game: &mut Game<'_>) -> bool {
    let road = game.world.road.traffic.clone();
    let aws = game.world.aws.traffic.clone();
    let began = Instant::now();
    match game.round.fault {
        Fault::StateRefusedAndHostVanishes => {
            while road.caught() == 0 && began.elapsed() < PATIENCE {
                sleep(Duration::from_millis(20)).await;
            }
            // Terraform writes its file now.
            sleep(Duration::from_millis(300)).await;
            game.hosts[0].vanish();
            road.clear();
            game.add_host("b");
            road.caught() > 0
        }
        // The way out must be open before anybody can take it.
        Fault::StateRefused => {
            let state = Arc::clone(game.world.traffic(Call::StateWrite));
            while state.caught() == 0 && began.elapsed() < PATIENCE {
                sleep(Duration::from_millis(20)).await;
            }
            sleep(Duration::from_secs(2 * LEASE)).await;
            state.clear();
            state.caught() > 0
        }
        Fault::ProviderFails | Fault::ProviderSleeps | Fault::ProviderAllocates
            if game.round.template == Template::Data =>
        {
            true
        }
        _ => {
            // The deployment's end is waited for elsewhere; slowness and lost answers are over by then.
            let patience = Duration::from_secs(30);
            while road.caught() + aws.caught() == 0 && began.elapsed() < patience {
                sleep(Duration::from_millis(50)).await;
            }
            road.caught() + aws.caught() > 0
        }
    }
}

/// Does what the round has in store, now. False if there was nothing that it could have been done to.
pub(crate) async fn strike(game: &mut Game<'_>, held: &Gate) -> bool {
    let pause = Duration::from_millis((game.round.number as u64 * 977) % (LEASE * 1500));
    match game.round.fault {
        Fault::AgentKilled => {
            let killed = game.hosts[0].kill(Role::Agent);
            held.release();
            sleep(pause).await;
            game.hosts[0].start_agent();
            killed > 0
        }
        Fault::AgentLost => {
            let killed = game.hosts[0].kill(Role::Agent);
            held.release();
            game.add_host("b");
            killed > 0
        }
        Fault::SupervisorKilled => game.hosts[0].kill(Role::Supervisor) > 0,
        Fault::TerraformKilled => game.hosts[0].kill(Role::Terraform) > 0,
        Fault::ProviderKilled => game.hosts[0].kill(Role::Provider) > 0,
        Fault::SupervisorAndTerraformKilled => {
            game.hosts[0].kill(Role::Supervisor) + game.hosts[0].kill(Role::Terraform) > 1
        }
        Fault::RecordAway => {
            held.release();
            game.world.crash_postgres(Duration::from_secs(1) + pause).await
        }
        Fault::ServerKilled => {
            game.world.plane.process().kill();
            held.release();
            sleep(pause).await;
            game.world.plane.restart();
            true
        }
        Fault::HostVanishes => {
            let killed = game.hosts[0].vanish();
            held.release();
            game.add_host("b");
            killed > 0
        }
        Fault::HostAndServerVanish => {
            game.world.plane.process().kill();
            game.hosts[0].vanish();
            held.release();
            game.world.plane.restart();
            game.add_host("b");
            true
        }
        Fault::AgentTerminated => {
            game.hosts[0].terminate();
            held.release();
            let began = Instant::now();
            while game.hosts[0].lives() && began.elapsed() < PATIENCE {
                sleep(Duration::from_millis(50)).await;
            }
            game.hosts[0].start_agent();
            true
        }
        Fault::Cancelled => {
            let cancel = game.world.user.proton.cancel_environment_deployment().environment_name(&game.name);
            cancel.send().await.is_ok()
        }
        Fault::AgentDiskFull => {
            game.hosts[0].limit_files(Some(0));
            held.release();
            sleep(Duration::from_secs(4)).await;
            game.hosts[0].limit_files(None);
            if !game.hosts[0].lives() {
                game.notes.push("the agent ended when its disk was full".into());
                game.hosts[0].start_agent();
            }
            true
        }
        Fault::ServerDiskFull => {
            game.world.limit_files(Some(0));
            held.release();
            sleep(Duration::from_secs(4)).await;
            game.world.limit_files(None);
            if game.world.plane.process().exited().is_some() {
                game.notes.push("the control plane ended when its disk was full".into());
                game.world.plane.restart();
            }
            true
        }
        Fault::AgentClockAhead | Fault::AgentClockBehind => {
            let step = if game.round.fault == Fault::AgentClockAhead { HOUR } else { -HOUR };
            game.hosts[0].step_clock(step);
            held.release();
            sleep(Duration::from_secs(2 * LEASE)).await;
            game.hosts[0].step_clock(0);
            true
        }
        Fault::ServerClockAhead | Fault::ServerClockBehind => {
            let step = if game.round.fault == Fault::ServerClockAhead { HOUR } else { -HOUR };
            game.world.step_clock(step);
            held.release();
            sleep(Duration::from_secs(2 * LEASE)).await;
            game.world.step_clock(0);
            true
        }
        laid => unreachable!("{laid:?} happens by itself"),
    }
}

/// Does something to whoever is recovering: the last host, or the control plane. False if there was nothing to do it to.
pub(crate) async fn again(game: &mut Game<'_>, fault: Fault) -> bool {
    let last = game.hosts.len() - 1;
    match fault {
        Fault::AgentKilled => {
            let killed = game.hosts[last].kill(Role::Agent);
            game.hosts[last].start_agent();
            killed > 0
        }
        Fault::TerraformKilled => game.hosts[last].kill(Role::Terraform) > 0,
        Fault::SupervisorKilled => game.hosts[last].kill(Role::Supervisor) > 0,
        Fault::ServerKilled => {
            game.world.plane.process().kill();
            sleep(Duration::from_millis(500)).await;
            game.world.plane.restart();
            true
        }
        Fault::HostVanishes => {
            let killed = game.hosts[last].vanish();
            game.add_host("z");
            killed > 0
        }
        other => unreachable!("{other:?} is no second fault"),
    }
}
