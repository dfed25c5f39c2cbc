use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, nearest};
use super::number::OrOff;
use super::value::{self, Codec, Fault, Time, quoted};
use crate::domain::job::Program;
use crate::domain::model::ModelType;

/// The table that holds for every model type.
const DEFAULT: &str = "default";

/// How long a program may run where nobody said otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(12 * 3600);

/// `[adapters]`: the operator's programs. They are the worker's alone: no daemon can tell it what to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adapters {
    /// `[adapters.default]`: what every type takes that its own table leaves out.
    default: Table,
    /// `[adapters.<model type>]`
    types: BTreeMap<ModelType, Table>,
}

/// What one table sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    programs: BTreeMap<Program, Vec<String>>,
    time_limit: Option<Duration>,
    /// `Some(None)` is "off".
    no_progress: Option<Option<Duration>>,
    environment: BTreeMap<String, String>,
    secrets: BTreeMap<String, PathBuf>,
}

/// The programs of one model type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Each program with its arguments.
    pub programs: BTreeMap<Program, Vec<String>>,
    /// How long one may run.
    pub time_limit: Duration,
    /// How long one may show no progress.
    pub no_progress: Option<Duration>,
    /// What its environment has besides what every program gets.
    pub environment: BTreeMap<String, String>,
    /// Secrets by name: the program finds the path of each in `<NAME>_FILE`.
    pub secrets: BTreeMap<String, PathBuf>,
}

impl Adapters {
    /// The programs of a model type, if it has any.
    pub fn of(&self, model_type: ModelType) -> Option<Adapter> {
        let own = self.types.get(&model_type);
        // A default that cannot train is there for the types that have tables: alone it makes no type trainable.
        if own.is_none() && !self.default.programs.contains_key(&Program::Train) {
            return None;
        }
        let tables = [Some(&self.default), own].into_iter().flatten();
        let mut adapter = self.bare();
        for table in tables {
            adapter.programs.extend(table.programs.iter().map(|(program, command)| (*program, command.clone())));
            adapter.time_limit = table.time_limit.unwrap_or(adapter.time_limit);
            adapter.no_progress = table.no_progress.unwrap_or(adapter.no_progress);
            adapter.environment.extend(table.environment.clone());
            adapter.secrets.extend(table.secrets.clone());
        }
        Some(adapter).filter(|adapter| !adapter.programs.is_empty())
    }

    /// The types that have programs, with them.
    pub fn all(&self) -> impl Iterator<Item = (ModelType, Adapter)> {
        ModelType::ALL.into_iter().filter_map(|model_type| Some((model_type, self.of(model_type)?)))
    }

    /// The limits of a program that belongs to no type: the promotion hook.
    pub fn bare(&self) -> Adapter {
        Adapter {
            programs: BTreeMap::new(),
            time_limit: TIME_LIMIT,
            no_progress: None,
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        Key::new::<Tables>(
            "adapters".to_owned(),
            "The programs that fetch data, train and evaluate, for each model type (docs/ADAPTERS.md): data, train and \
             evaluate are each a program with its arguments; time_limit (\"12h\") ends one that runs for longer and \
             no_progress (\"off\") one that shows no progress for so long; environment holds variables, and secrets the \
             files whose paths the program finds in <NAME>_FILE. The table default holds for every type where its own says \
             nothing else.",
            |config| &config.adapters,
            |config| &mut config.adapters,
            check,
        )
        .table(
            "xgboost = { data = [\"/opt/adapters/data\"], train = [\"/opt/adapters/train\", \"--threads=4\"], evaluate = \
             [\"/opt/adapters/evaluate\"], time_limit = \"10h\", secrets = { EXCHANGE_KEY = \"/etc/quantum/exchange.key\" } }",
        ),
    ]
}

fn check(adapters: &Adapters) -> Result<(), String> {
    for (model_type, adapter) in adapters.all() {
        if let Some(name) =
            adapter.secrets.keys().find(|name| adapter.environment.contains_key(&format!("{name}_FILE")))
        {
            return Err(format!("{model_type}: {name}_FILE is the secret's own variable: take it out of environment"));
        }
    }
    Ok(())
}

/// A table of tables, one a model type.
struct Tables;

/// What `[adapters.<model type>]` may hold.
const TABLE_KEYS: [&str; 7] = ["data", "train", "evaluate", "time_limit", "no_progress", "environment", "secrets"];

impl Codec for Tables {
    type Value = Adapters;

    fn text(text: &str) -> Result<Adapters, String> {
        let document = format!("adapters = {text}");
        let example = "write it as { xgboost = { train = [\"/opt/train\"] } }";
        let table = DeTable::parse(&document).map_err(|error| format!("{}: {example}", error.message()))?;
        let table = table.get_ref();
        let adapters = table.get("adapters").filter(|_| table.len() == 1).ok_or_else(|| example.to_owned())?;
        Self::toml(adapters).map_err(|fault| fault.message)
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Adapters, Fault> {
        let mut adapters = Adapters::default();
        for (name, value) in value::table(value)? {
            let text = name.get_ref().as_ref();
            let table = value::table(value)
                .map_err(|fault| fault.because(format!("{} takes {}", quoted(text), TABLE_KEYS.join(", "))))?;
            let table = read(text, table)?;
            if text == DEFAULT {
                adapters.default = table;
            } else {
                let model_type = text.parse::<ModelType>();
                let at = Some(name.span().start);
                let model_type = model_type
                    .map_err(|error| Fault { at, message: format!("{error}, or {DEFAULT} for all of them") })?;
                adapters.types.insert(model_type, table);
            }
        }
        Ok(adapters)
    }

    fn show(adapters: &Adapters) -> Value {
        let mut shown = Map::new();
        if adapters.default != Table::default() {
            shown.insert(DEFAULT.into(), show(&adapters.default));
        }
        shown.extend(adapters.types.iter().map(|(name, table)| (name.as_str().to_owned(), show(table))));
        Value::Object(shown)
    }
}

fn show(table: &Table) -> Value {
    let mut object = Map::new();
    object.extend(table.programs.iter().map(|(program, command)| (program.as_str().to_owned(), json!(command))));
    if let Some(limit) = &table.time_limit {
        object.insert("time_limit".into(), Time::show(limit));
    }
    if let Some(limit) = &table.no_progress {
        object.insert("no_progress".into(), OrOff::<Time>::show(limit));
    }
    if !table.environment.is_empty() {
        object.insert("environment".into(), json!(table.environment));
    }
    if !table.secrets.is_empty() {
        let files = table.secrets.iter().map(|(name, path)| (name.clone(), value::File::show(path)));
        object.insert("secrets".into(), Value::Object(files.collect()));
    }
    Value::Object(object)
}

fn read(name: &str, table: &DeTable<'_>) -> Result<Table, Fault> {
    let mut read = Table::default();
    for (key, value) in table {
        let text = key.get_ref().as_ref();
        let named = |fault: Fault| {
            let message = format!("{text} of \"{name}\": {}", fault.message);
            fault.because(message)
        };
        let wrong = |message: String| named(Fault::at(value, message));
        match text {
            "data" | "train" | "evaluate" => {
                let program = match text {
                    "data" => Program::Data,
                    "train" => Program::Train,
                    _ => Program::Evaluate,
                };
                let command = value::Words::toml(value).map_err(named)?;
                executable(&command).map_err(wrong)?;
                read.programs.insert(program, command);
            }
            "time_limit" => {
                let limit = Time::toml(value).map_err(named)?;
                in_range(limit).map_err(wrong)?;
                read.time_limit = Some(limit);
            }
            "no_progress" => {
                let limit = OrOff::<Time>::toml(value).map_err(named)?;
                limit.map_or(Ok(()), in_range).map_err(wrong)?;
                read.no_progress = Some(limit);
            }
            "environment" => {
                read.environment = value::Pairs::toml(value).map_err(named)?;
                variables(&read.environment).map_err(wrong)?;
            }
            "secrets" => {
                let files = value::Pairs::toml(value).map_err(named)?;
                variables(&files).map_err(wrong)?;
                absolute(&files).map_err(wrong)?;
                read.secrets = files.into_iter().map(|(name, path)| (name, PathBuf::from(path))).collect();
            }
            other => {
                let hint = nearest(other, TABLE_KEYS).map_or_else(
                    || format!("an adapter takes {}", TABLE_KEYS.join(", ")),
                    |near| format!("did you mean {near:?}?"),
                );
                let message = format!("unknown key {} of \"{name}\": {hint}", quoted(other));
                return Err(Fault { at: Some(key.span().start), message });
            }
        }
    }
    Ok(read)
}

/// A program is named by its absolute path: what `PATH` says is nobody's to decide here.
fn executable(command: &[String]) -> Result<(), String> {
    if command.iter().any(|word| word.contains('\0')) {
        return Err("holds a NUL".into());
    }
    match command.first() {
        Some(program) if program.starts_with('/') => Ok(()),
        Some(_) => Err("must begin with the program's absolute path".into()),
        None => Err("is empty: name a program with its arguments, or leave it out".into()),
    }
}

fn in_range(limit: Duration) -> Result<(), String> {
    let fits = (Duration::from_secs(1)..=Duration::from_secs(30 * 86_400)).contains(&limit);
    if fits { Ok(()) } else { Err("must be from 1s to 30d".into()) }
}

fn variables(names: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, value) in names {
        let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(plain) {
            return Err(format!("{} is no name of a variable: use letters, digits and _", quoted(name)));
        }
        if value.contains('\0') {
            return Err(format!("{name} holds a NUL"));
        }
    }
    Ok(())
}

fn absolute(files: &BTreeMap<String, String>) -> Result<(), String> {
    match files.iter().find(|(_, path)| !path.starts_with('/')) {
        Some((name, _)) => Err(format!("{name}: give the file's absolute path")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Adapters, String> {
        Tables::text(text).and_then(|adapters| check(&adapters).map(|()| adapters))
    }

    #[test]
    fn a_type_takes_from_the_default_what_it_leaves_out() {
        let adapters = text(
            "{ default = { data = [\"/d\"], evaluate = [\"/e\"], time_limit = \"2h\", environment = { A = \"1\", B = \"1\" } }, \
             xgboost = { train = [\"/t\", \"x\"], evaluate = [\"/e2\"], no_progress = \"10m\", environment = { B = \"2\" }, \
             secrets = { KEY = \"/k\" } } }",
        )
        .unwrap();
        let xgboost = adapters.of(ModelType::Xgboost).unwrap();
        assert_eq!(xgboost.programs[&Program::Data], ["/d"]);
        assert_eq!(xgboost.programs[&Program::Train], ["/t", "x"]);
        assert_eq!(xgboost.programs[&Program::Evaluate], ["/e2"]);
        assert_eq!(
            (xgboost.time_limit, xgboost.no_progress),
            (Duration::from_secs(7200), Some(Duration::from_secs(600)))
        );
        assert_eq!(xgboost.environment, BTreeMap::from([("A".into(), "1".into()), ("B".into(), "2".into())]));
        assert_eq!(adapters.of(ModelType::Lightgbm), None, "a default without train trains nothing");
        assert_eq!(adapters.all().count(), 1);
        let shown = Tables::show(&adapters);
        let again = text(&value::to_toml(&shown)).unwrap();
        assert_eq!(again, adapters, "{shown}");
    }

    #[test]
    fn a_default_that_trains_serves_every_type() {
        let adapters = text("{ default = { train = [\"/t\"] }, tft = { no_progress = \"off\" } }").unwrap();
        assert_eq!(adapters.all().count(), ModelType::ALL.len());
    }

    #[test]
    fn what_is_refused() {
        for (given, part) in [
            ("5", "expected a table"),
            ("{ xgboost = 5 }", "\"xgboost\" takes data, train"),
            ("{ xgbost = {} }", "is no model type"),
            ("{ tft = { train = \"/t\" } }", "train of \"tft\": expected a list"),
            ("{ tft = { train = [] } }", "train of \"tft\": is empty"),
            ("{ tft = { train = [\"t\"] } }", "absolute path"),
            ("{ tft = { trian = [\"/t\"] } }", "did you mean \"train\"?"),
            ("{ tft = { hook = [\"/t\"] } }", "an adapter takes data"),
            ("{ tft = { time_limit = \"0s\" } }", "time_limit of \"tft\": must be from 1s"),
            ("{ tft = { time_limit = \"off\" } }", "expected a duration"),
            ("{ tft = { no_progress = \"31d\" } }", "must be from 1s to 30d"),
            ("{ tft = { environment = { \"A B\" = \"x\" } } }", "\"A B\" is no name of a variable"),
            ("{ tft = { secrets = { KEY = \"k\" } } }", "KEY: give the file's absolute path"),
            (
                "{ tft = { train = [\"/t\"], environment = { KEY_FILE = \"x\" }, secrets = { KEY = \"/k\" } } }",
                "KEY_FILE is the secret's own variable",
            ),
        ] {
            let message = text(given).unwrap_err();
            assert!(message.contains(part), "{given}: {message}");
        }
    }
}
