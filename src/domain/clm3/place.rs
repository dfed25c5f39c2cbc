/// What a file is by its place in the registry's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `training_jobs/<id>.json`
    Job {
        /// The id, as the file's name has it.
        id: String,
    },
    /// `models/<model_id>/<version>.json`
    Version {
        /// The directory's name.
        model: String,
        /// The file's name, without its ending.
        name: String,
    },
    /// `evaluations/<model_id>/<version>_<id>.json`
    Evaluation {
        /// The directory's name.
        model: String,
        /// The file's name, without its ending.
        name: String,
    },
    /// Nothing of the registry; a sentence says so.
    Aside(&'static str),
}

/// What the file at `path` is, which is relative to the registry's directory.
pub fn place(path: &str) -> Place {
    let names: Vec<&str> = path.split('/').collect();
    let own = |file: &str| {
        file.strip_suffix(".json").filter(|name| !name.is_empty() && !name.starts_with('.')).map(str::to_owned)
    };
    match names[..] {
        ["training_jobs", file] => match own(file) {
            Some(id) => Place::Job { id },
            None => Place::Aside(NO_JSON),
        },
        ["models", model, file] => match own(file) {
            Some(name) => Place::Version { model: model.to_owned(), name },
            None => Place::Aside(NO_JSON),
        },
        ["evaluations", model, file] => match own(file) {
            Some(name) => Place::Evaluation { model: model.to_owned(), name },
            None => Place::Aside(NO_JSON),
        },
        ["training_jobs" | "models" | "evaluations", ..] => Place::Aside("the registry has no files here"),
        _ => Place::Aside("no part of the registry: it has training_jobs, models and evaluations"),
    }
}

const NO_JSON: &str = "not a file of the registry: those are named <name>.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let version = |model: &str, name: &str| Place::Version { model: model.into(), name: name.into() };
        let evaluation = |model: &str, name: &str| Place::Evaluation { model: model.into(), name: name.into() };
        for (path, expected) in [
            ("training_jobs/6f1c.json", Some(Place::Job { id: "6f1c".into() })),
            ("models/xgboost_BTCUSDT_1h/1.0.0.json", Some(version("xgboost_BTCUSDT_1h", "1.0.0"))),
            ("evaluations/m/v1_6f1c.json", Some(evaluation("m", "v1_6f1c"))),
            ("models/m/v1.json.tmp", None),
            ("models/m/.v1.json", None),
            ("models/m/.json", None),
            ("models/m/old/v1.json", None),
            ("models/v1.json", None),
            ("training_jobs/a/b.json", None),
            ("candidates/a.json", None),
            ("a.json", None),
            ("", None),
        ] {
            match expected {
                Some(expected) => assert_eq!(place(path), expected, "{path}"),
                None => assert!(matches!(place(path), Place::Aside(_)), "{path}: {:?}", place(path)),
            }
        }
    }
}
