use super::NotTaken;
use super::entry::Historic;
use crate::domain::id::EventId;
use crate::domain::time::Micros;

/// What an entry is judged against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Nothing older is kept.
    pub oldest: Micros,
    /// The newest event that was taken from a history before this one; its successors stand behind it.
    pub after: EventId,
    /// The first event that the appliance stored by itself: what is taken stands before it.
    pub before: Option<EventId>,
}

/// What is known of an entry besides itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The store has a line of the same unit and time that it read itself.
    pub stored: bool,
    /// The stream had the same line before.
    pub twice: bool,
}

/// Whether an entry is taken in.
///
/// The order of the questions is that in which the answers help: a line that is stored needs no explanation, whatever
/// its id is.
pub fn judge(id: EventId, event: &Historic, known: Verdict, terms: &Terms) -> Result<(), NotTaken> {
    if known.twice {
        Err(NotTaken::Twice)
    } else if known.stored {
        Err(NotTaken::Stored)
    } else if event.ts < terms.oldest {
        Err(NotTaken::Old)
    } else if id <= terms.after || terms.before.is_some_and(|before| id >= before) {
        Err(NotTaken::NotBefore)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// An entry of the stream: its id, and which line of the journal it is. A line's number is its time.
    type Entry = (EventId, u64);

    fn event(line: u64) -> Historic {
        Historic {
            ts: Micros(line),
            unit: "a.service".into(),
            level: None,
            message: String::new(),
            symbol: None,
            correlation_id: None,
            host: None,
        }
    }

    /// Takes a history in as an import does; what became of each entry, with what was known of it.
    fn import(
        entries: &[Entry],
        own: &BTreeSet<u64>,
        mut seen: BTreeSet<u64>,
        mut terms: Terms,
    ) -> Vec<(Entry, Terms, Result<(), NotTaken>)> {
        let mut became = Vec::new();
        for (id, line) in entries {
            let twice = !seen.insert(*line);
            let known = Verdict { stored: !twice && own.contains(line), twice };
            let verdict = judge(*id, &event(*line), known, &terms);
            became.push(((*id, *line), terms, verdict.clone()));
            if verdict.is_ok() {
                terms.after = *id;
            }
        }
        became
    }

    fn taken(became: &[(Entry, Terms, Result<(), NotTaken>)]) -> Vec<Entry> {
        became.iter().filter(|(.., verdict)| verdict.is_ok()).map(|(entry, ..)| *entry).collect()
    }

    proptest! {
        /// Whatever stands in the stream and whatever the store has: every line that can be taken is, once; nothing that
        /// is stored, old or not in front of the store's own is; and the reason that is given is true.
        #[test]
        fn each_line_once_and_in_front(
            places in proptest::collection::btree_map(1..200_u64, 0..60_u64, 0..60),
            own in proptest::collection::btree_set(0..60_u64, 0..30),
            oldest in 0..40_u64,
            after in 0..100_u64,
            before in proptest::option::of(50..220_u64),
        ) {
            let id = |number: u64| EventId::new(number, 0);
            // A stream's ids rise.
            let entries: Vec<Entry> = places.into_iter().map(|(number, line)| (id(number), line)).collect();
            let terms = Terms { oldest: Micros(oldest), after: id(after), before: before.map(id) };
            let became = import(&entries, &own, BTreeSet::new(), terms);

            let mut seen = BTreeSet::new();
            for ((id, line), terms, verdict) in &became {
                let twice = !seen.insert(*line);
                let in_front = *id > terms.after && terms.before.is_none_or(|before| *id < before);
                let reason = match verdict {
                    Ok(()) => !twice && !own.contains(line) && *line >= oldest && in_front,
                    Err(NotTaken::Twice) => twice,
                    // What is stored needs no explanation, whatever else is wrong with it.
                    Err(NotTaken::Stored) => own.contains(line) && !twice,
                    Err(NotTaken::Old) => *line < oldest && !own.contains(line),
                    Err(NotTaken::NotBefore) => !in_front && *line >= oldest && !own.contains(line),
                    Err(_) => false,
                };
                prop_assert!(reason, "{id:?}, line {line}: {verdict:?} against {terms:?}");
            }

            let first = taken(&became);
            prop_assert!(first.is_sorted_by(|a, b| a.0 < b.0), "ids that do not rise: {first:?}");
            let lines: BTreeSet<u64> = first.iter().map(|(_, line)| *line).collect();
            prop_assert_eq!(lines.len(), first.len(), "a line was taken twice");
            prop_assert!(lines.is_disjoint(&own), "a line that is stored was taken");

            // Asked again where it ended, knowing what it took, it takes nothing.
            let last = first.last().map_or(terms.after, |(id, _)| *id);
            let again = import(&entries, &own, lines, Terms { after: last, ..terms });
            let wrong: Vec<Entry> = taken(&again).into_iter().filter(|entry| first.contains(entry)).collect();
            prop_assert_eq!(wrong, []);
        }
    }

    #[test]
    fn the_borders() {
        let id = |ms| EventId::new(ms, 0);
        let terms = Terms { oldest: Micros(10), after: id(5), before: Some(id(9)) };
        let judged = |ms, ts| judge(id(ms), &event(ts), Verdict::default(), &terms);
        assert_eq!(judged(6, 10), Ok(()), "as old as what is kept");
        assert_eq!(judged(6, 9), Err(NotTaken::Old));
        assert_eq!(judged(5, 10), Err(NotTaken::NotBefore), "the last that was taken");
        assert_eq!(judged(8, 10), Ok(()));
        assert_eq!(judged(9, 10), Err(NotTaken::NotBefore), "the first of the store's own");
        let endless = Terms { before: None, ..terms };
        assert_eq!(judge(id(900), &event(10), Verdict::default(), &endless), Ok(()), "nothing of its own is stored");
    }
}
