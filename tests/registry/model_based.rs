//! Random histories against a simple model of what ought to be.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quantum_clm::app::registry::{Ask, Expected, NewVersion, Promoted, RegistryError, Target};
use quantum_clm::domain::gates::{Goal, Verdict};
use quantum_clm::domain::model::{Digest, ModelId, ModelStatus, VersionName};
use quantum_clm::domain::role::Role;
use quantum_clm::domain::time::Micros;

use super::bed::{Bed, FORCED, NOW, after, ask, bad, expecting, file, good, good_shadow, is_linear, name, new_version};

const MODELS: [&str; 2] = ["tft_multi_1h", "xgboost_btcusdt_1h"];

/// What is done next. Versions are chosen by their place among all that were ever registered.
#[derive(Clone, Debug)]
enum Op {
    Register { model: usize, parent: Option<usize>, again: Option<usize> },
    Attach { version: usize, content: u8 },
    Evaluate { version: usize, how: usize },
    ApplyGates { version: usize },
    Advance { version: usize, to: ModelStatus },
    Promote { version: usize, force: bool, role: Role, seen: Seen },
    RollBack { version: Option<usize>, model: usize, seen: Seen },
    Delete { version: usize },
    Reopen,
}

/// What the caller believes.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Nothing,
    Now,
    OldRevision,
    OtherProduction,
}

fn op() -> impl Strategy<Value = Op> {
    let version = 0..20_usize;
    let seen = prop_oneof![
        4 => Just(Seen::Nothing), 2 => Just(Seen::Now), 1 => Just(Seen::OldRevision), 1 => Just(Seen::OtherProduction)
    ];
    let role = prop_oneof![3 => Just(Role::Admin), 1 => Just(Role::Operator)];
    prop_oneof![
        4 => (0..2_usize, prop::option::weighted(0.3, version.clone()), prop::option::weighted(0.1, version.clone()))
            .prop_map(|(model, parent, again)| Op::Register { model, parent, again }),
        4 => (version.clone(), 1..4_u8).prop_map(|(version, content)| Op::Attach { version, content }),
        4 => (version.clone(), 0..3_usize).prop_map(|(version, how)| Op::Evaluate { version, how }),
        1 => version.clone().prop_map(|version| Op::ApplyGates { version }),
        1 => (version.clone(), prop::sample::select(&ModelStatus::ALL[..]))
            .prop_map(|(version, to)| Op::Advance { version, to }),
        6 => (version.clone(), prop::bool::weighted(0.7), role, seen.clone())
            .prop_map(|(version, force, role, seen)| Op::Promote { version, force, role, seen }),
        4 => (prop::option::of(version.clone()), 0..2_usize, seen)
            .prop_map(|(version, model, seen)| Op::RollBack { version, model, seen }),
        2 => version.prop_map(|version| Op::Delete { version }),
        1 => Just(Op::Reopen),
    ]
}

/// A version as it ought to be.
#[derive(Clone, Debug)]
struct Ought {
    model: usize,
    name: VersionName,
    parent: Option<VersionName>,
    status: ModelStatus,
    content: Option<u8>,
    forced: usize,
    succeeded: Option<VersionName>,
    deleted: bool,
    /// What the gates said last.
    verdicts: Vec<Verdict>,
}

/// Everything as it ought to be.
#[derive(Default)]
struct World {
    versions: Vec<Ought>,
    production: [Option<VersionName>; 2],
    /// Entries that were to be made.
    revisions: [u64; 2],
    evaluations: u64,
    /// What the bus was to be told.
    told: Vec<String>,
    /// The instants of the steps and what was in production after them.
    as_of: Vec<(Micros, [Option<VersionName>; 2])>,
}

impl World {
    fn of(&self, model: usize, name: &VersionName) -> Option<&Ought> {
        self.versions.iter().find(|version| version.model == model && version.name == *name)
    }

    fn of_mut(&mut self, model: usize, name: &VersionName) -> &mut Ought {
        self.versions.iter_mut().find(|version| version.model == model && version.name == *name).unwrap()
    }

    fn before(&self, model: usize) -> Option<VersionName> {
        let mut at = self.production[model].clone();
        while let Some(version) = at {
            at = self.of(model, &version).unwrap().succeeded.clone();
            if let Some(before) = &at
                && !self.of(model, before).unwrap().deleted
            {
                return at;
            }
        }
        None
    }

    /// `name` is in production of `model` from now on.
    fn deploy(&mut self, model: usize, name: &VersionName) -> Option<VersionName> {
        let previous = self.production[model].replace(name.clone());
        if let Some(previous) = &previous {
            self.of_mut(model, previous).status = ModelStatus::Retired;
        }
        self.of_mut(model, name).status = ModelStatus::Production;
        previous
    }

    /// How far the gates let a version go by themselves.
    fn move_on(&mut self, at: usize) {
        let version = &mut self.versions[at];
        let passed = |goal| version.verdicts.iter().any(|verdict| verdict.goal == goal && verdict.passed);
        for (from, goal, to) in [
            (ModelStatus::Training, Goal::Shadow, ModelStatus::Shadow),
            (ModelStatus::Shadow, Goal::Candidate, ModelStatus::Candidate),
        ] {
            if version.status == from && passed(goal) {
                version.status = to;
                self.revisions[version.model] += 1;
            }
        }
    }
}

fn id(model: usize) -> ModelId {
    MODELS[model].parse().unwrap()
}

/// Does `op` to both, and fails where they come to different ends.
fn step(bed: &Bed, world: &mut World, op: &Op, now: Micros) -> Result<(), TestCaseError> {
    let root = || Ask { now, ..ask("root", Role::Admin) };
    let count = world.versions.len();
    let chosen = |version: &usize| (count > 0).then(|| version % count.max(1));
    match op {
        Op::Reopen => {}
        Op::Register { model, parent, again } => {
            let parent = parent.as_ref().and_then(chosen).map(|at| &world.versions[at]);
            let parent = parent.filter(|parent| parent.model == *model).map(|parent| parent.name.clone());
            let again = again.as_ref().and_then(chosen).map(|at| &world.versions[at]);
            let again = again.filter(|again| again.model == *model).map(|again| again.name.clone());
            let wanted = again.clone().unwrap_or_else(|| name(&format!("v{count}")));
            let new = NewVersion { parent: parent.clone(), ..new_version(Some(wanted.as_str())) };
            let result = bed.registry.register(&root(), &id(*model), &new);
            prop_assert_eq!(result.is_ok(), again.is_none(), "{:?}", result);
            if result.is_ok() {
                world.versions.push(Ought {
                    model: *model,
                    name: wanted.clone(),
                    parent,
                    status: ModelStatus::Training,
                    content: None,
                    forced: 0,
                    succeeded: None,
                    deleted: false,
                    verdicts: Vec::new(),
                });
                world.revisions[*model] += 1;
                world.told.push(format!("clm.model_trained {}/{wanted}", id(*model)));
            }
        }
        Op::Attach { version, content } => {
            let Some(at) = chosen(version) else { return Ok(()) };
            let ought = &mut world.versions[at];
            let result = bed.registry.attach(&root(), &id(ought.model), &ought.name, &file(*content), u64::MAX);
            let same = ought.content == Some(*content);
            let fits = !ought.deleted && (same || ought.content.is_none() && ought.status == ModelStatus::Training);
            prop_assert_eq!(result.is_ok(), fits, "{:?}: {:?}", ought, result);
            if fits {
                ought.content = Some(*content);
            }
        }
        Op::Evaluate { version, how } => {
            let Some(at) = chosen(version) else { return Ok(()) };
            let ought = &mut world.versions[at];
            let input = [good(), bad(), good_shadow()][*how].clone();
            let result = bed.registry.evaluate(&root(), &id(ought.model), &ought.name, &input);
            prop_assert_eq!(result.is_ok(), !ought.deleted, "{:?}", result);
            if let Ok(judged) = result {
                prop_assert_eq!(judged.passed, *how != 1);
                ought.verdicts = judged.verdicts;
                world.revisions[ought.model] += 1;
                world.evaluations += 1;
                world.told.push(format!("clm.model_evaluated {}/{}", id(ought.model), ought.name));
                world.move_on(at);
                prop_assert_eq!(judged.status, world.versions[at].status);
            }
        }
        Op::ApplyGates { version } => {
            let Some(at) = chosen(version) else { return Ok(()) };
            let ought = &mut world.versions[at];
            let result = bed.registry.apply_gates(&root(), &id(ought.model), &ought.name);
            prop_assert_eq!(result.is_ok(), !ought.deleted, "{:?}", result);
            if let Ok(judged) = result {
                ought.verdicts = judged.verdicts;
                if ought.status == ModelStatus::Training && !judged.passed && judged.status == ModelStatus::Failed {
                    ought.status = ModelStatus::Failed;
                    world.revisions[ought.model] += 1;
                } else {
                    world.move_on(at);
                }
                prop_assert_eq!(judged.status, world.versions[at].status);
            }
        }
        Op::Advance { version, to } => {
            let Some(at) = chosen(version) else { return Ok(()) };
            let ought = &mut world.versions[at];
            let verdicts = bed.registry.verdicts(&id(ought.model), &ought.name).unwrap();
            let passed = |goal| verdicts.iter().any(|verdict| verdict.goal == goal && verdict.passed);
            let result = bed.registry.advance(&root(), &id(ought.model), &ought.name, *to, "a test");
            use ModelStatus::{Candidate, Failed, Shadow, Training};
            let fits = !ought.deleted
                && match (ought.status, *to) {
                    (Training, Shadow) => passed(Goal::Shadow),
                    (Shadow, Candidate) => passed(Goal::Candidate),
                    (Training | Shadow | Candidate, Failed) => true,
                    _ => false,
                };
            prop_assert_eq!(result.is_ok(), fits, "{:?} to {:?}: {:?}", ought, to, result);
            if fits {
                ought.status = *to;
                world.revisions[ought.model] += 1;
            }
        }
        Op::Promote { version, force, role, seen } => {
            let Some(at) = chosen(version) else { return Ok(()) };
            let ought = world.versions[at].clone();
            let verdicts = bed.registry.verdicts(&id(ought.model), &ought.name).unwrap();
            let open = verdicts.iter().any(|verdict| verdict.goal == Goal::Production && verdict.passed);
            let (caller, believed) = believing(world, ought.model, *seen, Ask { now, ..ask("p", *role) });
            let result = bed.registry.promote(&caller, &id(ought.model), &ought.name, FORCED, *force);
            let hops = match ought.status {
                ModelStatus::Training => Some(3),
                ModelStatus::Shadow => Some(2),
                ModelStatus::Candidate => Some(1),
                _ => None,
            };
            let may_force = !*force || *role == Role::Admin;
            let fits = believed && may_force && !ought.deleted && ought.content.is_some() && (open || *force);
            let fits = fits && hops.is_some();
            prop_assert_eq!(result.is_ok(), fits, "{:?}, open {}: {:?}", ought, open, result);
            match result {
                Ok(Promoted::Done { previous, forced, revision, .. }) => {
                    let replaced = world.deploy(ought.model, &ought.name);
                    prop_assert_eq!((&previous, forced), (&replaced, !open));
                    let version = world.of_mut(ought.model, &ought.name);
                    version.succeeded = replaced;
                    version.forced += usize::from(forced);
                    world.revisions[ought.model] += hops.unwrap_or(0);
                    prop_assert_eq!(revision, world.revisions[ought.model]);
                    world.told.push(format!("clm.model_promoted {}/{}", id(ought.model), ought.name));
                }
                Ok(waiting) => prop_assert!(false, "{:?}", waiting),
                Err(error) => {
                    let told = !believed && may_force;
                    prop_assert_eq!(matches!(error, RegistryError::Changed(_)), told, "{}", error);
                }
            }
        }
        Op::RollBack { version, model, seen } => {
            let at = version.as_ref().and_then(chosen);
            let model = at.map_or(*model, |at| world.versions[at].model);
            let target = at.map(|at| world.versions[at].name.clone());
            let (caller, believed) = believing(world, model, *seen, root());
            let asked = target.clone().map_or(Target::Before, Target::Version);
            let result = bed.registry.roll_back(&caller, &id(model), &asked, "it loses");
            let to = target.or_else(|| world.before(model)).filter(|name| {
                let ought = world.of(model, name).unwrap();
                !ought.deleted && [ModelStatus::Production, ModelStatus::Retired].contains(&ought.status)
            });
            prop_assert_eq!(result.is_ok(), believed && to.is_some(), "{:?}: {:?}", to, result);
            if let (Ok(back), Some(to)) = (result, to) {
                let changes = world.production[model].as_ref() != Some(&to);
                prop_assert_eq!((&back.version, back.changed), (&to, changes));
                if changes {
                    prop_assert_eq!(back.previous, world.deploy(model, &to));
                    world.revisions[model] += 1;
                    world.told.push(format!("clm.model_rollback {}/{to}", id(model)));
                }
                prop_assert_eq!(back.revision, world.revisions[model]);
            }
        }
        Op::Delete { version } => {
            let Some(at) = chosen(version) else { return Ok(()) };
            let ought = world.versions[at].clone();
            let result = bed.registry.delete(&root(), &id(ought.model), &ought.name, "tidying");
            let is_parent = world.versions.iter().any(|other| {
                other.model == ought.model && !other.deleted && other.parent.as_ref() == Some(&ought.name)
            });
            let fits = !ought.deleted
                && ought.status != ModelStatus::Production
                && !is_parent
                && world.before(ought.model).as_ref() != Some(&ought.name);
            prop_assert_eq!(result.is_ok(), fits, "{:?}: {:?}", ought, result);
            if fits {
                world.versions[at].deleted = true;
                world.revisions[ought.model] += 1;
            }
        }
    }
    Ok(())
}

/// The caller with what it believes, and whether that is so.
fn believing(world: &World, model: usize, seen: Seen, caller: Ask) -> (Ask, bool) {
    let revision = world.revisions[model];
    match seen {
        Seen::Nothing => (caller, true),
        Seen::Now => (expecting(caller, Expected::Revision(revision)), true),
        Seen::OldRevision => (expecting(caller, Expected::Revision(revision.saturating_sub(1))), revision == 0),
        Seen::OtherProduction => (expecting(caller, Expected::Production(Some(name("nobody")))), false),
    }
}

/// Whether the data file says what the world ought to be.
fn agrees(bed: &Bed, world: &World) -> Result<(), TestCaseError> {
    let mut uses: BTreeMap<u8, u64> = BTreeMap::new();
    for version in world.versions.iter().filter(|version| !version.deleted) {
        version.content.iter().for_each(|content| *uses.entry(*content).or_default() += 1);
    }
    for content in 1..4 {
        let stored = bed.store.artifact(&Digest([content; 32])).unwrap().map_or(0, |artifact| artifact.uses);
        prop_assert_eq!(stored, uses.get(&content).copied().unwrap_or(0), "uses of file {}", content);
    }
    for model in 0..MODELS.len() {
        let ought: Vec<_> = world.versions.iter().filter(|version| version.model == model).collect();
        let Some(stored) = bed.store.model(&id(model)).unwrap() else {
            prop_assert!(ought.is_empty());
            continue;
        };
        prop_assert_eq!(&stored.production, &world.production[model]);
        prop_assert_eq!(stored.revision, world.revisions[model]);
        let entries = bed.history(&id(model));
        prop_assert_eq!(entries.len() as u64, stored.revision);
        is_linear(&entries);
        for status in ModelStatus::ALL {
            let count = ought.iter().filter(|version| !version.deleted && version.status == status).count();
            prop_assert_eq!(stored.count(status) as usize, count, "{} of {}", status, MODELS[model]);
        }
        prop_assert!(stored.count(ModelStatus::Production) <= 1);
        let versions = bed.store.versions_of(&id(model)).unwrap();
        let names: BTreeSet<_> = versions.iter().map(|version| &version.name).collect();
        prop_assert_eq!(names, ought.iter().map(|version| &version.name).collect::<BTreeSet<_>>());
        for version in &versions {
            let ought = world.of(model, &version.name).unwrap();
            prop_assert_eq!(version.deleted.is_some(), ought.deleted);
            prop_assert_eq!(version.forced.len(), ought.forced);
            prop_assert_eq!(&version.succeeded, &ought.succeeded);
            let status = stored.status(version);
            prop_assert_eq!(status, ought.status, "{}", version.name);
            prop_assert_eq!(
                version.promoted_at.is_some(),
                matches!(status, ModelStatus::Production | ModelStatus::Retired)
            );
            prop_assert!(status != ModelStatus::Retired || version.retired_at.is_some());
        }
        for (at, production) in &world.as_of {
            let found = bed.registry.production_at(Some(&id(model)), *at).unwrap().remove(0);
            prop_assert_eq!(&found.reign.map(|reign| reign.version), &production[model]);
        }
    }
    let told: Vec<_> =
        bed.told().into_iter().map(|event| format!("{} {}", event.event_type, event.correlation_id)).collect();
    prop_assert_eq!(&told, &world.told);
    let listed = bed.registry.versions(&Default::default()).unwrap().rows.len();
    let counts = bed.registry.counts().unwrap();
    prop_assert_eq!(counts.versions as usize, world.versions.iter().filter(|version| !version.deleted).count());
    prop_assert_eq!((listed, counts.evaluations), (counts.versions as usize, world.evaluations));
    prop_assert!(bed.store.verify_audit().unwrap().is_ok());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_registry_is_what_it_ought_to_be(ops in prop::collection::vec(op(), 1..60)) {
        let mut bed = Bed::new();
        let mut world = World::default();
        for (at, op) in ops.iter().enumerate() {
            let now = after(ask("", Role::Viewer), at as u64).now;
            if matches!(op, Op::Reopen) {
                bed = bed.reopen();
            }
            step(&bed, &mut world, op, now)?;
            world.as_of.push((now, world.production.clone()));
            agrees(&bed, &world)?;
        }
        prop_assert!(bed.registry.production_at(None, NOW.minus(1)).unwrap().is_empty());
    }
}
