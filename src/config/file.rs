use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::key::{self, Key};

/// A configuration larger than this is another file.
const FILE_BYTES: u64 = 1 << 20;

/// Reads a file of at most [`FILE_BYTES`].
pub(super) fn read(path: &Path) -> io::Result<String> {
    let file = fs::File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not UTF-8 text"))
    })
}

/// What a file sets, and what is wrong with it.
#[derive(Default)]
pub(super) struct Applied {
    /// The line of each key that was set.
    pub(super) lines: BTreeMap<&'static str, usize>,
    /// One line each, in the order of the file.
    pub(super) errors: Vec<String>,
}

/// Sets in `config` what the text of the file `path` sets.
pub(super) fn apply(path: &Path, text: &str, config: &mut Config) -> Applied {
    let positions = Positions::new(text);
    let mut faults = Vec::new();
    let mut lines = BTreeMap::new();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = match (error.message(), text.get(span.clone())) {
            ("duplicate key", Some(name)) => format!("{} is given twice: remove one", name.escape_debug()),
            // The parser takes a bare word for the beginning of `true` or `false`.
            (message, _) if message.starts_with("invalid boolean") => {
                "expected a value: text stands in quotes".to_owned()
            }
            (message, _) => message.replace('\n', " "),
        };
        // What follows a fault on the same line follows from it.
        let line = positions.line(span.start);
        if !faults.iter().any(|(at, _)| positions.line(*at) == line) {
            faults.push((span.start, message));
        }
    }
    // A recovered table holds guesses; only a sound one is looked into.
    if faults.is_empty() {
        Walk { config, faults: &mut faults, lines: &mut lines, positions: &positions }.table("", table.get_ref());
    }
    faults.sort_by_key(|(at, _)| *at);
    let errors = faults
        .into_iter()
        .map(|(at, message)| {
            let (line, column) = positions.of(at);
            format!("{}:{line}:{column}: {message}", path.display())
        })
        .collect();
    Applied { lines, errors }
}

struct Walk<'a> {
    config: &'a mut Config,
    faults: &'a mut Vec<(usize, String)>,
    lines: &'a mut BTreeMap<&'static str, usize>,
    positions: &'a Positions<'a>,
}

impl Walk<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let full =
                if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            match (key::find(&full), value.get_ref()) {
                // As the sample has it: the header alone sets nothing.
                (Some(key), DeValue::Table(names)) if key.example.is_some() && names.is_empty() => {}
                (Some(key), _) => self.key(key, name.span().start, value),
                (None, DeValue::Table(inner)) if key::is_section(&full) => self.table(&full, inner),
                (None, _) if key::is_section(&full) => {
                    self.faults.push((value.span().start, format!("{full} is a section: write it as [{full}]")));
                }
                (None, found) => {
                    let what = if matches!(found, DeValue::Table(_)) { "section" } else { "key" };
                    let hint = key::suggestion(&full).map_or_else(
                        || "`quantum-clm config show` lists the known ones".to_owned(),
                        |near| format!("did you mean {near:?}?"),
                    );
                    self.faults.push((name.span().start, format!("unknown {what} {full:?}: {hint}")));
                }
            }
        }
    }

    fn key(&mut self, key: &'static Key, at: usize, value: &Spanned<DeValue<'_>>) {
        match key.set_toml(self.config, value) {
            Ok(()) => {
                self.lines.insert(&key.name, self.positions.line(at));
            }
            Err(fault) => self.faults.push((fault.at.unwrap_or(at), format!("{}: {}", key.name, fault.message))),
        }
    }
}

/// Lines and columns of a text, both from 1, columns in characters.
struct Positions<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Positions<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, starts: std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect() }
    }

    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|&start| start <= at)
    }

    fn of(&self, at: usize) -> (usize, usize) {
        let at = self.text.floor_char_boundary(at);
        let line = self.line(at);
        (line, 1 + self.text[self.starts[line - 1]..at].chars().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, errors: &[&str]) -> Config {
        let mut config = Config::default();
        let read = apply(Path::new("clm.toml"), text, &mut config);
        assert_eq!(read.errors, errors, "{text}");
        config
    }

    #[test]
    fn faults_have_places_and_remedies() {
        check(
            "# x\n[redis]\nstrem = \"x\"",
            &["clm.toml:3:1: unknown key \"redis.strem\": did you mean \"redis.stream\"?"],
        );
        check("[redsi]\n", &["clm.toml:1:2: unknown section \"redsi\": did you mean \"redis\"?"]);
        check(
            "[weather]\n",
            &["clm.toml:1:2: unknown section \"weather\": `quantum-clm config show` lists the known ones"],
        );
        check("redis = 1", &["clm.toml:1:9: redis is a section: write it as [redis]"]);
        check(
            "[events]\nretention_days = \"30\"\nretention_bytes = \"8Gib!\"\ncommit_interval = 500\nquote_currencies = [\"usdt\"]\n",
            &[
                "clm.toml:2:18: events.retention_days: expected a whole number, found text",
                "clm.toml:3:19: events.retention_bytes: expected a size such as \"500MiB\" or \"8GiB\", found \"8Gib!\"",
                "clm.toml:4:19: events.commit_interval: expected a duration in quotes, with its unit, such as \"500ms\", found a whole number",
                "clm.toml:5:20: events.quote_currencies: \"usdt\" is not a quote currency: use 2 to 10 capital letters or digits",
            ],
        );
        check(
            "events.commit_interval = \"20ms\"",
            &["clm.toml:1:26: events.commit_interval: must be from 50ms to 10s"],
        );
        check("[redis]\nmaxlen = -1", &["clm.toml:2:10: redis.maxlen: -1 is negative or too large"]);
        check("[redis]\nstream = \"a\"\nstream = \"b\"", &["clm.toml:3:1: stream is given twice: remove one"]);
        check(
            "[journal]\nunits = [\n  \"é\", 3]",
            &["clm.toml:3:8: journal.units: expected text in quotes, found a whole number"],
        );
        check(
            "[journal.sources]\nquantum-x.service = \"x\"",
            &[
                "clm.toml:2:1: journal.sources: \"quantum-x\" is a table: a name with a dot needs quotes, \"name.service\" = \"word\"",
            ],
        );
        check(
            "[rules.error_rate.units.\"a.service\"]\ntreshold_per_hour = 1",
            &[
                "clm.toml:2:1: rules.error_rate.units: unknown key \"treshold_per_hour\" of \"a.service\": did you mean \"threshold_per_hour\"?",
            ],
        );
        check(
            "[redis]\nurl = \"rediss://u:s3cret@h\"",
            &[
                "clm.toml:2:7: redis.url: TLS to Redis (rediss://) is not supported: use redis:// through a local tunnel such as stunnel",
            ],
        );
    }

    #[test]
    fn what_is_no_toml() {
        check("[redis]\nstream = foo", &["clm.toml:2:10: expected a value: text stands in quotes"]);
        check("[http]\n[redis]\n[http]\n", &["clm.toml:3:2: http is given twice: remove one"]);
        let mut config = Config::default();
        let read = apply(Path::new("clm.toml"), "[redis\nstream = \n", &mut config);
        assert!(!read.errors.is_empty() && read.errors.iter().all(|error| !error.contains('\n')), "{:?}", read.errors);
        assert!(read.errors[0].starts_with("clm.toml:1:"), "{:?}", read.errors);
    }

    #[test]
    fn tables_of_names() {
        let config = check(
            "[journal]\nsources = { \"a.service\" = \"x\" }\n[rules.error_rate]\nthreshold_per_hour = 7\n\
             [rules.error_rate.units.\"a.service\"]\nleast_severity = \"error\"\n",
            &[],
        );
        assert_eq!(config.journal.sources["a.service"], "x");
        assert_eq!(config.rules.error_rate.threshold_per_hour, 7);
        assert_eq!(config.rules.error_rate.units["a.service"].least_severity, Some(crate::domain::event::Level::ERROR));
    }
}
