use std::collections::BTreeMap;

use bincode::{Decode, Encode};

/// How much each feature counts for what a version says, as its training found out.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Importances {
    /// What the figures are, `mean |SHAP|`; none where nobody said it.
    pub method: Option<String>,
    /// Each feature with its figure, what counts most first.
    pub features: Vec<(String, f64)>,
}

impl Importances {
    /// The most features.
    pub const MOST: usize = 10_000;

    /// Of these figures by feature; `None` where there are none.
    pub fn new(method: Option<String>, figures: BTreeMap<String, f64>) -> Option<Self> {
        let mut features: Vec<_> = figures.into_iter().collect();
        // Of some methods a figure has a sign, which says where it pulls and not how much.
        features.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
        (!features.is_empty()).then_some(Self { method, features })
    }

    /// The largest figure, whatever its sign.
    pub fn largest(&self) -> f64 {
        self.features.first().map_or(0.0, |(_, figure)| figure.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_most_comes_first_whatever_its_sign() {
        let figures = [("a", 0.1), ("b", -0.4), ("c", 0.2), ("d", 0.1)].map(|(name, figure)| (name.to_owned(), figure));
        let importances = Importances::new(None, figures.into()).expect("some");
        let names: Vec<_> = importances.features.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names, importances.largest()), (vec!["b", "c", "a", "d"], 0.4));
        assert_eq!(Importances::new(Some("gain".into()), BTreeMap::new()), None);
    }
}
