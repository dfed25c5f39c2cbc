//! Where the fuzzer comes in (`make fuzz`). Each takes any bytes and must come back.

use crate::domain::intent::Intent;
use crate::domain::normalise::{NormaliseConfig, Normaliser, Scratch};
use crate::sources::journal::export::{Item, Parser};
use crate::store;

/// The export parser. The first byte says in how large pieces the rest comes.
pub fn export(bytes: &[u8]) {
    let Some((&size, mut rest)) = bytes.split_first() else { return };
    let mut parser = Parser::new();
    while !rest.is_empty() {
        let space = parser.space();
        let count = (usize::from(size) + 1).min(rest.len()).min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        parser.filled(count);
        while let Some(item) = parser.next() {
            if let Item::Entry(entry) = item {
                std::hint::black_box((entry.cursor(), entry.realtime()));
            }
        }
    }
}

/// The normaliser, with the usual currencies.
pub fn normalise(line: &str) {
    thread_local! {
        static NORMALISER: Normaliser = {
            let quote_currencies = crate::config::Events::default().quote_currencies;
            Normaliser::new(&NormaliseConfig { quote_currencies })
        };
    }
    let mut scratch = Scratch::default();
    NORMALISER.with(|normaliser| {
        let found = normaliser.normalise(line, &mut scratch);
        assert!(found.confidence.is_none_or(|confidence| (0.0..=1.0).contains(&confidence)));
    });
}

/// Rows of the data file: what can be read at all is written the same again.
pub fn codec(row: &[u8]) {
    store::fuzz::row::<Intent>(row);
    store::fuzz::block(row);
}
