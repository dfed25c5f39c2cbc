use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::{EVALUATION_SERIES, EVALUATIONS, FIRST_EVALUATIONS};
use super::{Fingerprint, ReadTxn, StoreError, WriteTxn, fingerprint};
use crate::domain::model::{Evaluation, EvaluationId, ModelId, VersionName};
use crate::domain::performance::{DailyReturns, Series};

/// Returns compress little and are read rarely.
const LEVEL: i32 = 3;

/// The largest series, unpacked: what a damaged row claims allocates no more than this.
const SERIES_BYTES: usize = 32 << 20;

records! {
    Evaluation = 1, "evaluation";
    Series = 1, "series";
}

impl ReadTxn {
    /// Evaluations of a model with a number below `before`, the newest first, as long as `see` answers `true`.
    pub fn walk_evaluations(
        &self,
        model: &ModelId,
        before: EvaluationId,
        see: impl FnMut(Evaluation) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        walk(&self.txn.open_table(EVALUATIONS)?, model, before, see)
    }

    /// One evaluation.
    pub fn evaluation(&self, model: &ModelId, id: EvaluationId) -> Result<Option<Evaluation>, StoreError> {
        let table = self.txn.open_table(EVALUATIONS)?;
        table.get((model.as_str(), id.0))?.map(|row| codec::decode(row.value())).transpose()
    }

    /// What an evaluation rests on; nothing where it was only reported.
    pub fn series(&self, id: EvaluationId) -> Result<Option<Series>, StoreError> {
        unpack(&self.txn.open_table(EVALUATION_SERIES)?, id)
    }
}

fn walk(
    table: &impl ReadableTable<(&'static str, u64), &'static [u8]>,
    model: &ModelId,
    before: EvaluationId,
    mut see: impl FnMut(Evaluation) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    for row in table.range((model.as_str(), 0)..(model.as_str(), before.0))?.rev() {
        if !see(codec::decode(row?.1.value())?)? {
            break;
        }
    }
    Ok(())
}

fn unpack(table: &impl ReadableTable<u64, &'static [u8]>, id: EvaluationId) -> Result<Option<Series>, StoreError> {
    table.get(id.0)?.map(|row| decode_series(row.value())).transpose()
}

/// The series of a row.
pub(super) fn decode_series(row: &[u8]) -> Result<Series, StoreError> {
    let (days, others) = parts(row)?;
    Ok(Series { daily: unpack_part(days)?.daily, ..unpack_part(others)? })
}

/// The returns a day alone: a million trades beside them stay packed.
fn unpack_daily(
    table: &impl ReadableTable<u64, &'static [u8]>,
    id: EvaluationId,
) -> Result<Option<DailyReturns>, StoreError> {
    let Some(row) = table.get(id.0)? else { return Ok(None) };
    Ok(unpack_part(parts(row.value())?.0)?.daily)
}

/// A row is the length of its first part, the returns a day, and all others: each a series that has nothing else, packed.
fn pack(series: &Series) -> Result<Vec<u8>, StoreError> {
    let unwritable = |why: String| StoreError::Unwritable { what: "series", why };
    let part = |series: &Series| {
        zstd::bulk::compress(&codec::encode(series)?, LEVEL).map_err(|error| unwritable(error.to_string()))
    };
    let days = part(&Series { daily: series.daily.clone(), ..Series::default() })?;
    let others = part(&Series { daily: None, ..series.clone() })?;
    let length = u32::try_from(days.len()).map_err(|error| unwritable(error.to_string()))?;
    Ok([length.to_le_bytes().as_slice(), &days, &others].concat())
}

fn parts(row: &[u8]) -> Result<(&[u8], &[u8]), StoreError> {
    let parts = row
        .split_first_chunk()
        .and_then(|(length, rest)| rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?));
    parts.ok_or_else(|| StoreError::Damaged { what: "series", why: "the row ends too early".to_owned() })
}

fn unpack_part(part: &[u8]) -> Result<Series, StoreError> {
    let damaged = |error: std::io::Error| StoreError::Damaged { what: "series", why: error.to_string() };
    codec::decode(&zstd::bulk::decompress(part, SERIES_BYTES).map_err(damaged)?)
}

/// The fingerprint of what an evaluation rests on, to tell a repeated request from another one.
pub fn series_fingerprint(series: &Series) -> Result<Fingerprint, StoreError> {
    Ok(fingerprint(&codec::encode(series)?))
}

impl WriteTxn {
    /// Stores an evaluation, and what it rests on.
    pub fn put_evaluation(&self, evaluation: &Evaluation, series: Option<&Series>) -> Result<(), StoreError> {
        let key = (evaluation.model.as_str(), evaluation.id.0);
        self.txn.open_table(EVALUATIONS)?.insert(key, codec::encode(evaluation)?.as_slice())?;
        let (mut firsts, of) = (self.txn.open_table(FIRST_EVALUATIONS)?, (key.0, evaluation.version.as_str()));
        let known = firsts.get(of)?.map(|row| row.value());
        if known.is_none_or(|known| evaluation.id.0 < known) {
            firsts.insert(of, evaluation.id.0)?;
        }
        if let Some(series) = series {
            self.txn.open_table(EVALUATION_SERIES)?.insert(evaluation.id.0, pack(series)?.as_slice())?;
        }
        Ok(())
    }

    /// As [`ReadTxn::walk_evaluations`], as this transaction sees it.
    pub fn walk_evaluations(
        &self,
        model: &ModelId,
        before: EvaluationId,
        see: impl FnMut(Evaluation) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        walk(&self.txn.open_table(EVALUATIONS)?, model, before, see)
    }
}

/// Evaluations as a transaction sees them, whether it reads or writes: what the gates need.
pub trait Evaluations {
    /// Evaluations of a model, the newest first, as long as `see` answers `true`.
    fn walk(&self, model: &ModelId, see: &mut dyn FnMut(Evaluation) -> bool) -> Result<(), StoreError>;

    /// The first evaluation of a version: no walk has to go on for it below that.
    fn first(&self, model: &ModelId, version: &VersionName) -> Result<Option<EvaluationId>, StoreError>;

    /// The returns a day that an evaluation rests on.
    fn daily(&self, id: EvaluationId) -> Result<Option<DailyReturns>, StoreError>;

    /// Evaluations of one version, the newest first.
    fn of(&self, model: &ModelId, version: &VersionName) -> Result<Vec<Evaluation>, StoreError> {
        let mut found = Vec::new();
        let Some(first) = self.first(model, version)? else { return Ok(found) };
        self.walk(model, &mut |evaluation| {
            let goes_on = evaluation.id > first;
            if evaluation.version == *version {
                found.push(evaluation);
            }
            goes_on
        })?;
        Ok(found)
    }
}

macro_rules! evaluations {
    ($($txn:ty),*) => {
        $(impl Evaluations for $txn {
            fn walk(&self, model: &ModelId, see: &mut dyn FnMut(Evaluation) -> bool) -> Result<(), StoreError> {
                self.walk_evaluations(model, EvaluationId(u64::MAX), |evaluation| Ok(see(evaluation)))
            }

            fn first(&self, model: &ModelId, version: &VersionName) -> Result<Option<EvaluationId>, StoreError> {
                let firsts = self.txn.open_table(FIRST_EVALUATIONS)?;
                Ok(firsts.get((model.as_str(), version.as_str()))?.map(|row| EvaluationId(row.value())))
            }

            fn daily(&self, id: EvaluationId) -> Result<Option<DailyReturns>, StoreError> {
                unpack_daily(&self.txn.open_table(EVALUATION_SERIES)?, id)
            }
        })*
    };
}
evaluations!(ReadTxn, WriteTxn);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_whole_or_its_days_alone() {
        let daily = Some(DailyReturns { first_day: 20_000, returns: vec![0.01, -0.02] });
        for series in [
            Series { daily: daily.clone(), trades: vec![0.5; 1_000], calibration: vec![] },
            Series { daily: None, trades: vec![0.5], calibration: vec![] },
            Series { daily, ..Series::default() },
        ] {
            let row = pack(&series).expect("a row");
            let (days, others) = parts(&row).expect("two parts");
            let days = unpack_part(days).expect("days");
            assert_eq!(days, Series { daily: series.daily.clone(), ..Series::default() }, "trades lie beside the days");
            let others = unpack_part(others).expect("others");
            assert_eq!(Series { daily: days.daily, ..others }, series);
        }
        for damaged in [&[][..], &[1, 0, 0], &[9, 0, 0, 0, 1]] {
            assert!(matches!(parts(damaged), Err(StoreError::Damaged { .. })), "{damaged:?}");
        }
    }
}
