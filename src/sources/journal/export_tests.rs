use proptest::prelude::*;

use super::*;

/// What was found, owned: an entry's cursor, time and message, or the length of garbage.
#[derive(Clone, Debug, PartialEq)]
enum Found {
    Entry(Vec<u8>, u64, Option<Vec<u8>>),
    Garbled(u64),
}

fn parse(bytes: &[u8], chunks: &[usize]) -> Vec<Found> {
    let mut parser = Parser::new();
    let mut found = Vec::new();
    let mut sizes = chunks.iter().copied().cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let space = parser.space();
        let count = sizes.next().unwrap_or(usize::MAX).clamp(1, rest.len()).min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        parser.filled(count);
        while let Some(item) = parser.next() {
            found.push(match item {
                Item::Entry(entry) => Found::Entry(
                    entry.cursor().to_vec(),
                    entry.realtime(),
                    entry.get(Field::Message).map(<[u8]>::to_vec),
                ),
                Item::Garbled(bytes) => Found::Garbled(bytes),
            });
        }
    }
    found
}

fn binary(name: &str, value: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b"\n", &(value.len() as u64).to_le_bytes(), value, b"\n"].concat()
}

fn entry(cursor: &str, fields: &[u8]) -> Vec<u8> {
    [format!("__CURSOR={cursor}\n__REALTIME_TIMESTAMP=17\n").as_bytes(), fields, b"\n"].concat()
}

fn message(cursor: &str, message: Option<&[u8]>) -> Found {
    Found::Entry(cursor.into(), 17, message.map(<[u8]>::to_vec))
}

#[test]
fn every_kind_of_entry() {
    let zeros = vec![b'x'; 1 << 20];
    for (fields, expect) in [
        (b"MESSAGE=plain\n".to_vec(), Some(&b"plain"[..])),
        (b"MESSAGE=\n".to_vec(), Some(b"")),
        (b"PRIORITY=6\n".to_vec(), None),
        (b"MESSAGE=a=b\n".to_vec(), Some(b"a=b")),
        (b"MESSAGE=first\nTAG=x\nMESSAGE=second\n".to_vec(), Some(b"first")),
        (binary("MESSAGE", b"two\nlines"), Some(b"two\nlines")),
        (binary("MESSAGE", b"forged\n\n__CURSOR=x\nMESSAGE=y\n\n"), Some(b"forged\n\n__CURSOR=x\nMESSAGE=y\n\n")),
        (binary("MESSAGE", b"nul \0 and \xff"), Some(b"nul \0 and \xff")),
        (binary("MESSAGE", b""), Some(b"")),
        (binary("MESSAGE", &zeros), Some(&zeros)),
        ([binary("_OTHER", b"a\nb"), b"MESSAGE=m\n".to_vec()].concat(), Some(b"m")),
    ] {
        let bytes = [entry("c1", &fields), entry("c2", b"MESSAGE=after\n")].concat();
        let expect = vec![message("c1", expect), message("c2", Some(b"after"))];
        for chunks in [vec![usize::MAX], vec![4096], vec![1, 7, 300]] {
            assert!(parse(&bytes, &chunks) == expect, "{:?}", String::from_utf8_lossy(&fields[..fields.len().min(80)]));
        }
    }
}

#[test]
fn long_values_are_cut_and_not_buffered() {
    let long = vec![b'y'; LONG_VALUE_BYTES + 3_000_000];
    for fields in [binary("MESSAGE", &long), [b"MESSAGE=", &long[..], b"\n"].concat()] {
        let bytes = [entry("c1", &[&fields[..], b"PRIORITY=3\n"].concat()), entry("c2", b"")].concat();
        let expect = vec![message("c1", Some(&long[..KEPT_BYTES])), message("c2", None)];
        for chunks in [vec![usize::MAX], vec![65536], vec![999_999, 1]] {
            assert!(parse(&bytes, &chunks) == expect);
        }
    }
}

#[test]
fn garbage_is_counted_and_the_next_entry_found() {
    let good = || entry("c2", b"MESSAGE=good\n");
    for garbage in [
        &b"hello\n"[..],
        b"__CURSOR=c1\n\n",
        b"__CURSOR=c1\n__REALTIME_TIMESTAMP=x\n\n",
        b"__CURSOR=c1\n__REALTIME_TIMESTAMP=1\nlower=1\n",
        b"__CURSOR=c1\nMESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff123\n",
        b"__CURSOR=c1\nMESSAGE\n\x01\0\0\0\0\0\0\0ab\n",
        b"{\"json\": 1}\n",
    ] {
        let bytes = [garbage, &good()].concat();
        for chunks in [vec![usize::MAX], vec![1], vec![3, 5]] {
            let expect = vec![Found::Garbled(garbage.len() as u64), message("c2", Some(b"good"))];
            assert_eq!(parse(&bytes, &chunks), expect, "{}", String::from_utf8_lossy(garbage));
        }
    }
}

#[test]
fn endless_garbage_is_not_buffered() {
    let mut parser = Parser::new();
    for _ in 0..1000 {
        let space = parser.space();
        space.fill(b'z');
        let count = space.len();
        parser.filled(count);
        assert!(parser.next().is_none());
    }
    assert!(parser.garbage() >= 100 << 20);
    assert!(parser.buffer.len() <= 2 * BUFFER_BYTES);
}

fn chunks() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..200, 1..20)
}

/// Bytes that look enough like the format to reach deep into the parser.
fn almost_export() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"__CURSOR=c\n".to_vec()),
        Just(b"__REALTIME_TIMESTAMP=5\n".to_vec()),
        Just(b"MESSAGE\n\x03\0\0\0\0\0\0\0".to_vec()),
        Just(b"MESSAGE=text\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"abc".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn chunking_makes_no_difference(bytes in prop_oneof![almost_export(), prop::collection::vec(any::<u8>(), 0..400)], chunks in chunks()) {
        prop_assert_eq!(parse(&bytes, &chunks), parse(&bytes, &[usize::MAX]));
    }

    #[test]
    fn entries_survive_the_round_trip(
        messages in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..100)), 0..20),
        chunks in chunks(),
    ) {
        let mut bytes = Vec::new();
        let mut expect = Vec::new();
        for (number, text) in messages.iter().enumerate() {
            let cursor = format!("s=1;i={number}");
            let fields = text.as_ref().map(|text| match text.contains(&b'\n') {
                true => binary("MESSAGE", text),
                false => [b"MESSAGE=", &text[..], b"\n"].concat(),
            });
            bytes.extend(entry(&cursor, &fields.unwrap_or_default()));
            expect.push(message(&cursor, text.as_deref()));
        }
        prop_assert_eq!(parse(&bytes, &chunks), expect);
    }
}
