use std::collections::BTreeSet;

use super::read::VersionDetail;
use super::{Registry, RegistryError};
use crate::domain::model::{Evaluation, ModelId, VersionName};
use crate::domain::time::Micros;

/// The most versions that are compared at once; the least are two.
pub const MOST_COMPARED: usize = 4;

/// One version of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The version.
    pub detail: VersionDetail,
    /// Its newest evaluation out of sample.
    pub out_of_sample: Option<Evaluation>,
    /// Its newest shadow test.
    pub shadow: Option<Evaluation>,
}

/// Two to four versions beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The versions, in the order that they were asked for.
    pub versions: Vec<Compared>,
    /// Names of the parameters that any of them has: those that differ first, each group by name.
    pub parameters: Vec<(String, bool)>,
    /// The same of tags.
    pub tags: Vec<(String, bool)>,
}

impl Registry {
    /// Two to four versions beside each other, of one model or of several.
    pub fn compare(&self, asked: &[(ModelId, VersionName)], now: Micros) -> Result<Comparison, RegistryError> {
        if !(2..=MOST_COMPARED).contains(&asked.len()) {
            return Err(RegistryError::bad("version", format!("name two to {MOST_COMPARED} versions")));
        }
        if asked.iter().collect::<BTreeSet<_>>().len() < asked.len() {
            return Err(RegistryError::bad("version", "a version is named twice"));
        }
        let mut versions = Vec::new();
        for (model, name) in asked {
            let detail = self.version(model, name, now)?;
            let evaluations = self.evaluations(model, name)?;
            let newest = |fits: &dyn Fn(&&Evaluation) -> bool| evaluations.iter().find(fits).cloned();
            versions.push(Compared {
                out_of_sample: newest(&|evaluation| evaluation.kind.is_out_of_sample()),
                shadow: newest(&|evaluation| !evaluation.kind.is_out_of_sample()),
                detail,
            });
        }
        let parameters = names(versions.iter().map(|version| &version.detail.version.provenance.parameters));
        let tags = names(versions.iter().map(|version| &version.detail.version.tags));
        Ok(Comparison { versions, parameters, tags })
    }
}

type Texts = std::collections::BTreeMap<String, String>;

/// The names that any has, each with whether the values differ; those that do first.
fn names<'a>(of: impl Iterator<Item = &'a Texts> + Clone) -> Vec<(String, bool)> {
    let all: BTreeSet<&String> = of.clone().flat_map(|texts| texts.keys()).collect();
    let differs = |name: &String| {
        let mut values = of.clone().map(|texts| texts.get(name));
        let first = values.next();
        !values.all(|value| Some(value) == first)
    };
    let mut names: Vec<_> = all.into_iter().map(|name| (name.clone(), differs(name))).collect();
    names.sort_by_key(|(_, differs)| !differs);
    names
}
