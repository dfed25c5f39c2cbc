//! Random histories: two or three workers, and everything that can go wrong between them and the daemon.

use std::sync::atomic::Ordering;

use proptest::prelude::*;
use quantum_clm::domain::time::Micros;

use super::world::{How, World};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Op {
    Create { model: usize, is_hook: bool },
    Cancel(usize),
    Retry(usize),
    Ask { worker: usize, answer_lost: bool },
    End { worker: usize, how: How, answer_lost: bool },
    Beat(usize),
    Late { worker: usize, which: usize },
    Kill { worker: usize, programs_survive: bool },
    Start(usize),
    Cut(usize),
    Heal(usize),
    Pass(u64),
    DaemonStops(u64),
    DaemonRestarts,
    ClockSteps { back: bool, seconds: u64 },
    RegistryRests(bool),
}

fn op() -> impl Strategy<Value = Op> {
    let worker = 0..3_usize;
    let lost = || prop::bool::weighted(0.15);
    let how = prop_oneof![
        12 => Just(How::Done),
        1 => Just(How::BreaksTheContract),
        1 => Just(How::IsRefused),
        1 => Just(How::Fails),
        2 => Just(How::Machine),
    ];
    prop_oneof![
        4 => (0..4_usize, prop::bool::weighted(0.2)).prop_map(|(model, is_hook)| Op::Create { model, is_hook }),
        1 => (0..20_usize).prop_map(Op::Cancel),
        2 => (0..20_usize).prop_map(Op::Retry),
        12 => (worker.clone(), lost()).prop_map(|(worker, answer_lost)| Op::Ask { worker, answer_lost }),
        16 => (worker.clone(), how, lost()).prop_map(|(worker, how, answer_lost)| Op::End { worker, how, answer_lost }),
        2 => worker.clone().prop_map(Op::Beat),
        2 => (worker.clone(), 0..50_usize).prop_map(|(worker, which)| Op::Late { worker, which }),
        2 => (worker.clone(), any::<bool>()).prop_map(|(worker, programs_survive)| Op::Kill { worker, programs_survive }),
        3 => worker.clone().prop_map(Op::Start),
        2 => worker.clone().prop_map(Op::Cut),
        3 => worker.prop_map(Op::Heal),
        6 => (1..150_u64).prop_map(Op::Pass),
        1 => (1..400_u64).prop_map(Op::DaemonStops),
        1 => Just(Op::DaemonRestarts),
        1 => (any::<bool>(), 1..400_000_u64).prop_map(|(back, seconds)| Op::ClockSteps { back, seconds }),
        1 => any::<bool>().prop_map(Op::RegistryRests),
    ]
}

fn perform(world: &mut World, op: Op) {
    match op {
        Op::Create { model, is_hook } => world.create(model, is_hook),
        Op::Cancel(at) => world.cancel(at),
        Op::Retry(at) => world.retry(at),
        Op::Ask { worker, answer_lost } => world.ask(worker % world.workers.len(), answer_lost),
        Op::End { worker, how, answer_lost } => world.end(worker % world.workers.len(), how, answer_lost),
        Op::Beat(worker) => world.beat(worker % world.workers.len()),
        Op::Late { worker, which } => world.late(worker % world.workers.len(), which),
        Op::Kill { worker, programs_survive } => world.kill(worker % world.workers.len(), programs_survive),
        Op::Start(worker) => world.start(worker % world.workers.len()),
        Op::Cut(worker) => world.cut(worker % world.workers.len(), true),
        Op::Heal(worker) => world.cut(worker % world.workers.len(), false),
        Op::Pass(seconds) => world.pass(seconds, true),
        Op::DaemonStops(seconds) => world.pass(seconds, false),
        Op::DaemonRestarts => world.bed.reopen(),
        Op::ClockSteps { back: true, seconds } => {
            _ = world.bed.clock.fetch_sub(seconds * Micros::SECOND, Ordering::SeqCst)
        }
        Op::ClockSteps { back: false, seconds } => {
            _ = world.bed.clock.fetch_add(seconds * Micros::SECOND, Ordering::SeqCst);
        }
        Op::RegistryRests(rests) => world.bed.steps.denied.store(rests, Ordering::SeqCst),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_job_comes_to_one_end_and_nobody_runs_what_is_anothers(
        ops in prop::collection::vec(op(), 20..120),
        workers in 2..4_usize,
    ) {
        let mut world = World::new(workers, 4);
        for op in ops {
            perform(&mut world, op);
            world.check();
        }
        world.drain();
        world.check();
    }
}
