use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::domain::time::Micros;

const SMALL: LogLimits = LogLimits { total: 4_096, segment: 512 };

fn at(seconds: u64) -> Micros {
    Micros(1_768_621_566 * Micros::SECOND + seconds * Micros::SECOND)
}

fn text(lines: &Lines) -> Vec<String> {
    let text = String::from_utf8(lines.bytes.clone()).unwrap();
    text.lines().map(|line| Record::parse(line).unwrap().text.to_owned()).collect()
}

/// The whole log, as one who follows it sees it, and what it missed.
fn follow(directory: &Path) -> (Vec<String>, u64) {
    let reader = LogReader::open(directory);
    let (mut next, mut texts, mut skipped) = (0, Vec::new(), 0);
    loop {
        let lines = reader.read(next, 1).unwrap();
        if lines.bytes.is_empty() {
            assert_eq!(lines.next, next);
            return (texts, skipped);
        }
        assert_eq!(lines.first, next + lines.skipped);
        assert_eq!(lines.next, lines.first + lines.bytes.len() as u64);
        skipped += lines.skipped;
        texts.extend(text(&lines));
        next = lines.next;
    }
}

fn size(directory: &Path) -> u64 {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn what_is_written_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = LogWriter::open(directory.path(), LogLimits::default()).unwrap();
    log.append(at(0), Stream::Out, b"one\ntw");
    log.append(at(1), Stream::Err, b"error\n");
    log.append(at(2), Stream::Out, b"o\nthree");
    log.note(at(3), "a note\nof two lines");
    log.finish(at(4));
    let lines = LogReader::open(directory.path()).read(0, 0).unwrap();
    let expected = "2026-01-17T03:46:06.000Z out one\n\
                    2026-01-17T03:46:07.000Z err error\n\
                    2026-01-17T03:46:08.000Z out two\n\
                    2026-01-17T03:46:09.000Z note a note\n\
                    2026-01-17T03:46:09.000Z note of two lines\n\
                    2026-01-17T03:46:10.000Z out three\n";
    assert_eq!(String::from_utf8(lines.bytes).unwrap(), expected);
    assert_eq!((lines.first, lines.next, lines.end), (0, expected.len() as u64, expected.len() as u64));
    assert_eq!(log.written(), Written { bytes: 19, lost_lines: 0 });
    assert_eq!(log.end(), lines.end);
}

#[test]
fn no_log_is_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let reader = LogReader::open(directory.path().join("none"));
    assert_eq!(reader.read(7, 100).unwrap(), Lines { first: 7, next: 7, ..Lines::default() });
    assert_eq!((reader.end().unwrap(), reader.last(9, 9).unwrap()), (0, 0));
    assert_eq!(reader.search("x", 0, 9).unwrap(), Matches::default());
}

#[test]
fn beginning_and_end_are_kept_and_the_middle_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = LogWriter::open(directory.path(), SMALL).unwrap();
    for number in 0..1_000 {
        log.append(at(0), Stream::Out, format!("{number}\n").as_bytes());
        assert!(size(directory.path()) <= SMALL.total, "after {number}");
    }
    let (texts, skipped) = follow(directory.path());
    let numbers: Vec<u64> = texts.iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!((numbers[0], *numbers.last().unwrap()), (0, 999));
    let gaps: Vec<_> = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(skipped > 0);
    assert!(size(directory.path()) > SMALL.total * 3 / 4);
    assert_eq!(log.end(), skipped + size(directory.path()));
    // Who goes on at an offset that was dropped is told how much it missed.
    let end = LogReader::open(directory.path()).end().unwrap();
    let before = LogReader::open(directory.path()).read(skipped, 1).unwrap();
    assert!(before.first > skipped && before.skipped == before.first - skipped && before.next <= end);
}

#[test]
fn a_writer_goes_on_where_another_died() {
    for torn in ["", "2026-01-17T03:46:06.000Z out hal"] {
        let directory = tempfile::tempdir().unwrap();
        let mut log = LogWriter::open(directory.path(), SMALL).unwrap();
        log.append(at(0), Stream::Out, b"first\n");
        let end = log.end();
        drop(log);
        let head = directory.path().join("head");
        fs::write(&head, fs::read_to_string(&head).unwrap() + torn).unwrap();
        let mut log = LogWriter::open(directory.path(), SMALL).unwrap();
        let begun = log.end();
        assert_eq!(begun, end + torn.len() as u64 + u64::from(!torn.is_empty()));
        log.append(at(0), Stream::Out, b"second\n");
        assert_eq!(text(&LogReader::open(directory.path()).read(begun, 1).unwrap()), ["second"]);
    }
}

#[test]
fn an_unfinished_line_is_not_read_before_it_is() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("head"), "2026-01-17T03:46:06.000Z out one\n2026-01-17T03:46:06.000Z ou").unwrap();
    let lines = LogReader::open(directory.path()).read(0, 1).unwrap();
    assert_eq!((text(&lines), lines.next), (vec!["one".to_owned()], 33));
}

#[test]
fn a_progress_bar_that_does_not_end_is_shown_now_and_then() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = LogWriter::open(directory.path(), SMALL).unwrap();
    let mut at_second = |second: u64, bytes: &[u8]| {
        log.append(at(second), Stream::Err, bytes);
        log.show_unfinished(at(second));
    };
    at_second(0, b"1%\r");
    at_second(5, b"2%\r");
    at_second(11, b"3%\r");
    at_second(20, b"4%\r");
    at_second(22, b"5%\r");
    at_second(40, b"5%\r");
    at_second(41, b"6%\ndone\n7%");
    log.finish(at(42));
    assert_eq!(follow(directory.path()).0, ["3%", "5%", "6%", "done", "7%"]);
}

#[test]
fn words_are_found_across_files_in_bounded_steps() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = LogWriter::open(directory.path(), LogLimits { total: 1 << 20, segment: 4_096 }).unwrap();
    for number in 0..20_000 {
        let word = if number % 1_000 == 7 { "needle" } else { "hay" };
        log.append(at(0), Stream::Out, format!("{word} {number}\n").as_bytes());
    }
    let reader = LogReader::open(directory.path());
    let (mut from, mut found) = (0, Vec::new());
    loop {
        let matches = reader.search("needle", from, 3).unwrap();
        assert!(matches.found.len() <= 3);
        from = matches.next;
        found.extend(matches.found);
        if matches.next == matches.end {
            break;
        }
    }
    assert_eq!(found.len(), 20, "{found:?}");
    for (index, hit) in found.iter().enumerate() {
        assert!(hit.line.ends_with(&format!("needle {}", index * 1_000 + 7)), "{hit:?}");
        let there = reader.read(hit.offset, 1).unwrap();
        assert!(String::from_utf8(there.bytes).unwrap().starts_with(&hit.line));
    }
    assert_eq!(reader.search("", found[1].offset, 1).unwrap().found[0].line, found[1].line);
    assert!(reader.search("nothing of the kind", 0, 9).unwrap().found.is_empty());
}

#[test]
fn the_last_lines() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = LogWriter::open(directory.path(), SMALL).unwrap();
    let reader = LogReader::open(directory.path());
    let last = |lines, most| text(&reader.read(reader.last(lines, most).unwrap(), 1).unwrap());
    log.append(at(0), Stream::Out, b"1\n2\n3\n");
    assert_eq!(last(2, 4_096), ["2", "3"]);
    assert_eq!(last(9, 4_096), ["1", "2", "3"]);
    // Of the bytes that were asked for only whole records count.
    assert_eq!(last(9, 70), ["2", "3"]);
    (0..500).for_each(|number| log.append(at(0), Stream::Out, format!("{number}\n").as_bytes()));
    assert_eq!(last(2, 4_096), ["498", "499"]);
}

#[test]
fn a_copy_takes_everything_once_and_knows_what_it_never_got() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let mut log = LogWriter::open(&from, LogLimits::default()).unwrap();
    // Records of 35 bytes.
    (0..100).for_each(|number| log.append(at(0), Stream::Out, format!("row{number:02}\n").as_bytes()));
    let all = LogReader::open(&from).read(0, 1 << 20).unwrap().bytes;
    let mut copy = LogCopy::open(&to, LogLimits::default()).unwrap();
    let none = |next| Copied { next, missing: 0 };
    assert_eq!(copy.append_at(0, &all[..350]).unwrap(), none(350));
    // The same again, and some of it with more behind it.
    assert_eq!(copy.append_at(0, &all[..350]).unwrap(), none(350));
    assert_eq!(copy.append_at(35, &all[35..700]).unwrap(), none(700));
    drop(copy);
    let mut copy = LogCopy::open(&to, LogLimits::default()).unwrap();
    assert_eq!(copy.next(), 700);
    assert_eq!(copy.append_at(0, &all[..100]).unwrap(), none(700));
    let rest = 700 + 10 * 35;
    assert_eq!(
        copy.append_at(rest, &all[usize::try_from(rest).unwrap()..]).unwrap(),
        Copied { next: all.len() as u64, missing: 350 }
    );
    let (texts, skipped) = follow(&to);
    assert_eq!(skipped, 350);
    assert_eq!((texts[0].as_str(), texts.last().unwrap().as_str()), ("row00", "row99"));
    assert_eq!(texts.len(), 90);
    // Nothing is no gap.
    assert_eq!(copy.append_at(1 << 30, &[]).unwrap().next, all.len() as u64);
}

#[test]
fn what_a_copy_got_half_of_comes_again_at_the_same_offset() {
    use std::io::Write as _;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut copy = LogCopy::open(path, LogLimits::default()).unwrap();
    assert_eq!(copy.append_at(0, b"one\ntwo\n").unwrap().next, 8);
    drop(copy);
    let file = fs::read_dir(path).unwrap().next().unwrap().unwrap().path();
    for half in ["thr", "thr\u{e9}", &"x".repeat(40_000)] {
        fs::File::options().append(true).open(&file).unwrap().write_all(half.as_bytes()).unwrap();
        assert_eq!(LogCopy::open(path, LogLimits::default()).unwrap().next(), 8, "{half:.10}");
    }
    let mut copy = LogCopy::open(path, LogLimits::default()).unwrap();
    assert_eq!(copy.append_at(8, b"three\n").unwrap(), Copied { next: 14, missing: 0 });
    assert_eq!(fs::read(&file).unwrap(), b"one\ntwo\nthree\n");
}

#[test]
fn a_copy_is_bounded_however_much_comes_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let mut log = LogWriter::open(&from, LogLimits::default()).unwrap();
    (0..1_000).for_each(|number| log.append(at(0), Stream::Out, format!("{number}\n").as_bytes()));
    let all = LogReader::open(&from).read(0, 1 << 20).unwrap().bytes;
    let mut copy = LogCopy::open(&to, SMALL).unwrap();
    copy.append_at(0, &all).unwrap();
    assert!(size(&to) <= SMALL.total, "{} bytes", size(&to));
    let (texts, skipped) = follow(&to);
    assert_eq!((texts.last().unwrap().as_str(), skipped + size(&to)), ("999", all.len() as u64));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_copy_reads_as_the_log_does(
        pieces in prop::collection::vec((any::<bool>(), "[a-c\r\n]{0,60}"), 0..60),
        step in 1_usize..500,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        let mut log = LogWriter::open(&from, SMALL).unwrap();
        let mut copy = LogCopy::open(&to, SMALL).unwrap();
        let reader = LogReader::open(&from);
        for (index, (is_error, text)) in pieces.iter().enumerate() {
            log.append(at(0), if *is_error { Stream::Err } else { Stream::Out }, text.as_bytes());
            if index % step == 0 {
                let lines = reader.read(copy.next(), 1).unwrap();
                copy.append_at(lines.first, &lines.bytes).unwrap();
                // An answer that was lost.
                copy.append_at(lines.first, &lines.bytes).unwrap();
            }
        }
        log.finish(at(0));
        loop {
            let lines = reader.read(copy.next(), 1).unwrap();
            if lines.bytes.is_empty() {
                break;
            }
            copy.append_at(lines.first, &lines.bytes).unwrap();
        }
        prop_assert_eq!(copy.next(), log.end());
        prop_assert!(size(&from) <= SMALL.total && size(&to) <= SMALL.total);
        let (original, _) = follow(&from);
        let (copied, _) = follow(&to);
        prop_assert_eq!(original.last(), copied.last());
        if log.end() <= SMALL.total / 2 {
            prop_assert_eq!(original, copied);
        }
    }
}
