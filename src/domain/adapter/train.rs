use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::DataRange;
use super::misfit::{Misfits, below};
use crate::domain::model::{ArtifactPath, FILES_MOST, Importances, Version};
use crate::domain::time::Micros;

/// What the program that trains answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainResult {
    /// The files that make up the version, by their paths below the program's working directory: regular files with
    /// something in them, no symbolic links.
    #[schemars(length(min = 1, max = FILES_MOST))]
    pub artifacts: Vec<ArtifactPath>,
    /// Figures of the training, by name.
    #[serde(default)]
    #[schemars(extend("maxProperties" = Version::METRICS))]
    pub train_metrics: BTreeMap<String, f64>,
    /// Figures of the validation, by name.
    #[serde(default)]
    #[schemars(extend("maxProperties" = Version::METRICS))]
    pub validation_metrics: BTreeMap<String, f64>,
    /// How many features the model reads.
    #[schemars(range(min = 1))]
    pub feature_count: u32,
    /// The data that the model was fitted to, without what was held back: what an evaluation shows of later days is
    /// evidence, what it shows of these is not.
    pub data_range: DataRange,
    /// How much each feature counts, such as its mean |SHAP|.
    #[serde(default)]
    #[schemars(extend("maxProperties" = Importances::MOST))]
    pub feature_importances: BTreeMap<String, f64>,
    /// What the importances are: `mean |SHAP|`, `gain`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    pub importance_method: Option<String>,
    /// The parameters that it was trained with in the end.
    #[serde(default)]
    #[schemars(extend("maxProperties" = Version::PARAMETERS))]
    pub parameters: Map<String, Value>,
    /// The revision of the code that trained it.
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    pub code_revision: Option<String>,
    /// What people want to find it by.
    #[serde(default)]
    #[schemars(extend("maxProperties" = Version::TAGS))]
    pub tags: BTreeMap<String, String>,
    /// Whatever else the next program, or people, want to know.
    #[serde(default)]
    pub extra: Option<Value>,
}

impl TrainResult {
    pub(super) fn check(self, now: Micros) -> Result<Self, Misfits> {
        let mut misfits = Misfits::default();
        self.check_artifacts(&mut misfits);
        self.check_figures(&mut misfits);
        if self.feature_count == 0 {
            misfits.add("/feature_count", "is 0: a model reads at least one feature");
        }
        self.data_range.check("/data_range", now, &mut misfits);
        let bytes: usize = self.parameters.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
        if self.parameters.len() > Version::PARAMETERS || bytes > Version::PARAMETERS_BYTES {
            let (most, kib) = (Version::PARAMETERS, Version::PARAMETERS_BYTES >> 10);
            let why = format!("has more than {most} keys or {kib} KiB: put large ones into a file of the version");
            misfits.add("/parameters", why);
        }
        if let Some(revision) = &self.code_revision {
            misfits.word("/code_revision", revision, 256);
        }
        if self.tags.len() > Version::TAGS {
            misfits.add("/tags", format!("has more than {}", Version::TAGS));
        }
        for (name, value) in self.tags.iter().take(Version::TAGS) {
            misfits.word(below("/tags", name), name, 64);
            if value.len() > 256 || value.chars().any(char::is_control) {
                misfits.add(below("/tags", name), "must have at most 256 bytes without control characters");
            }
        }
        misfits.none(self)
    }

    fn check_artifacts(&self, misfits: &mut Misfits) {
        if self.artifacts.is_empty() {
            misfits.add("/artifacts", "names no file: a version has at least one");
        }
        if self.artifacts.len() > FILES_MOST {
            misfits.add("/artifacts", format!("names more than {FILES_MOST} files: put them into an archive"));
            return;
        }
        let mut places: Vec<(&ArtifactPath, usize)> = self.artifacts.iter().zip(0..).collect();
        places.sort();
        for pair in places.windows(2) {
            let [(first, _), (second, place)] = pair else { continue };
            if first == second {
                misfits.add(below("/artifacts", place), format!("names {second} a second time"));
            }
        }
        for (first, _) in &places {
            if let Some((second, place)) = places.iter().find(|(second, _)| first.is_above(second)) {
                let why = format!("{second} lies below {first}, which would be a file and a directory at once");
                misfits.add(below("/artifacts", place), why);
            }
        }
    }

    fn check_figures(&self, misfits: &mut Misfits) {
        for (pointer, figures, most, name_bytes) in [
            ("/train_metrics", &self.train_metrics, Version::METRICS, 128),
            ("/validation_metrics", &self.validation_metrics, Version::METRICS, 128),
            ("/feature_importances", &self.feature_importances, Importances::MOST, 256),
        ] {
            if figures.len() > most {
                misfits.add(pointer, format!("has more than {most} figures"));
            }
            for (name, value) in figures.iter().take(most) {
                misfits.word(below(pointer, name), name, name_bytes);
                if !value.is_finite() {
                    misfits.add(below(pointer, name), "is not a finite number");
                }
            }
        }
        if let Some(method) = &self.importance_method {
            misfits.word("/importance_method", method, 64);
        }
    }
}
