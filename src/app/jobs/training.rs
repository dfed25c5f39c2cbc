use super::{JobError, Jobs};
use crate::domain::job::{JobKind, JsonText, NewJob, Priority, Training, Trigger};
use crate::domain::model::{ModelId, ModelName, VersionName};

/// What is to be trained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A model that is there, or one whose id says what it is about.
    Model(ModelId),
    /// A model by what it is about.
    Name(ModelName),
}

/// A training that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Of what.
    pub subject: Subject,
    /// Days of data.
    pub span_days: u32,
    /// The program's parameters, an object.
    pub params: Option<JsonText>,
    /// Which features, in the program's terms.
    pub feature_config: Option<JsonText>,
    /// The version that it goes on from.
    pub parent: Option<VersionName>,
    /// The candidate of the strategies' evolution that it tries.
    pub candidate: Option<String>,
    /// What goes first.
    pub priority: Priority,
    /// Why, in words; may be empty.
    pub why: String,
}

impl Asked {
    /// Days of data where nobody says how many.
    pub const SPAN_DAYS: u32 = 90;

    /// The timeframe where nobody says which.
    pub const TIMEFRAME: &str = "1h";
}

impl Jobs {
    /// The job that a person asks for. What a model that is there is about, its row says; of another one, its id.
    pub fn manual(&self, asked: Asked) -> Result<NewJob, JobError> {
        let (model, name) = match asked.subject {
            Subject::Name(name) => (name.id(), name),
            Subject::Model(id) => {
                let known = self.store.read(|txn| txn.model(&id))?;
                let name = match known {
                    Some(model) => model.name,
                    None => ModelName::of(&id).map_err(|error| JobError::bad("model_id", error.to_string()))?,
                };
                (id, name)
            }
        };
        let Asked { span_days, params, feature_config, parent, candidate, priority, why, .. } = asked;
        let training = Training { name, span_days, params, feature_config, parent, candidate };
        Ok(NewJob {
            model,
            kind: JobKind::Training(Box::new(training)),
            trigger: Trigger::Manual,
            triggered_by: None,
            evidence: why.trim().to_owned(),
            priority,
        })
    }
}
