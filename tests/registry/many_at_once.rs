use std::collections::BTreeSet;
use std::sync::Barrier;

use quantum_clm::app::registry::{Expected, RegistryError, Target};
use quantum_clm::domain::model::{ModelStatus, Step};
use quantum_clm::domain::role::Role;

use super::bed::{Bed, FORCED, NOW, ask, expecting, is_linear, model, name};

const CLIENTS: usize = 64;
const ROUNDS: usize = 3;

/// 64 at the same door: each looks what is in production, and says so when it promotes a version of its own or rolls back.
#[test]
fn of_many_who_promote_and_roll_back_at_once_each_changes_what_it_has_seen_or_nothing() {
    let bed = Bed::new();
    bed.in_production("v0");
    for client in 0..CLIENTS * ROUNDS {
        let version = format!("c{client}");
        bed.register(&version);
        bed.attach(&version);
    }
    let barrier = Barrier::new(CLIENTS);
    let outcomes: Vec<(bool, usize)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (bed, barrier) = (&bed, &barrier);
                scope.spawn(move || {
                    let (mut done, mut lost) = (0, 0);
                    for round in 0..ROUNDS {
                        barrier.wait();
                        let seen = bed.store.model(&model()).unwrap().unwrap().production;
                        let ask = expecting(ask(&format!("client{client}"), Role::Admin), Expected::Production(seen));
                        let result = if (client + round) % 2 == 0 {
                            let version = name(&format!("c{}", client * ROUNDS + round));
                            bed.registry.promote(&ask, &model(), &version, FORCED, true).map(drop)
                        } else {
                            let target = if client % 4 == 1 { Target::Before } else { Target::Version(name("v0")) };
                            bed.registry.roll_back(&ask, &model(), &target, "it loses").map(drop)
                        };
                        match result {
                            Ok(()) => done += 1,
                            Err(RegistryError::Changed(said)) => {
                                assert!(said.contains("is in production, not"), "{said}");
                                lost += 1;
                            }
                            // Nothing was in production before v0.
                            Err(RegistryError::Conflict(said)) => assert!(said.contains("before v0"), "{said}"),
                            Err(error) => panic!("{error}"),
                        }
                    }
                    (done > 0, lost)
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(outcomes.iter().any(|(done, _)| *done), "nobody came through");
    assert!(outcomes.iter().map(|(_, lost)| lost).sum::<usize>() > 0, "nobody lost: they did not meet");

    let entries = bed.history(&model());
    is_linear(&entries);
    let promoted: Vec<_> = entries.iter().filter(|entry| matches!(entry.step, Step::Promoted { .. })).collect();
    let names: BTreeSet<_> = promoted.iter().map(|entry| &entry.version).collect();
    assert_eq!(names.len(), promoted.len(), "a version was promoted twice");
    // What the versions say of themselves is what the history says.
    let current = bed.production().unwrap();
    for name in names {
        let status = bed.registry.version(&model(), name, NOW).unwrap().status;
        let expected = if name.as_str() == current { ModelStatus::Production } else { ModelStatus::Retired };
        assert_eq!(status, expected, "{name}");
    }
    // And so does the bus, in the same order.
    let told: Vec<_> = bed
        .told()
        .into_iter()
        .filter(|event| matches!(event.event_type.as_str(), "clm.model_promoted" | "clm.model_rollback"))
        .map(|event| event.correlation_id)
        .collect();
    let changes: Vec<_> = entries
        .iter()
        .filter(|entry| matches!(entry.step, Step::Promoted { .. } | Step::RolledBack { .. }))
        .map(|entry| format!("{}/{}", entry.model, entry.version))
        .collect();
    assert_eq!(told, changes);
}
