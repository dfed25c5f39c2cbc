"""Features and labels out of bars, and which of them may be learnt from at which time.

Three kinds of looking ahead are kept out here, and tests/ tries all three by changing the future:

1. *Features.* Those of a bar use this bar and earlier ones. They are known at its close, so whatever is decided by them
   is done at the next bar's open, never at the close that they were computed from.
2. *Labels.* The label of bar t is the return from the open of t+1 to the open of t+1+horizon: it is not known before
   then. Whoever learns on the eve of bar s may use only samples whose label ends by s (the purge), however early they
   begin; otherwise the last labels before s contain the first prices after it. An embargo is a wider berth.
3. *Standing in the middle.* Nothing is centred, filled backwards, or scaled by figures of the whole data. Trees need no
   scaling, and each feature is a ratio, so that a price of 100 and one of 800 look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clm_adapter import AdapterError
from settings import Settings


@dataclass(frozen=True)
class Samples:
    """Rows to learn from or to predict, in the order of time; several symbols one below the other."""

    names: list[str]
    features: np.ndarray
    # NaN where the label's end lies beyond the data: such rows can be predicted, not learnt from.
    labels: np.ndarray
    # The bar whose close the row is known at, and the bar at whose open its label is known.
    times: np.ndarray
    ends: np.ndarray
    symbols: np.ndarray

    def __len__(self) -> int:
        return len(self.times)

    def where(self, mask: np.ndarray) -> Samples:
        """Some of the rows."""
        columns = (self.features, self.labels, self.times, self.ends, self.symbols)
        return Samples(self.names, *(column[mask] for column in columns))

    def known_by(self, time: np.datetime64) -> Samples:
        """What may be learnt from before anything of the bar that begins at `time` is used: the purge."""
        return self.where(np.isfinite(self.labels) & (self.ends <= time))


def samples_of(bars: dict[str, pd.DataFrame], settings: Settings) -> Samples:
    """All rows of all symbols."""
    # A symbol without volume takes its features from all of them: a column that is missing for some is learnt as theirs.
    volume = all((frame["volume"] > 0).any() for frame in bars.values())
    parts = [one_symbol(symbol, frame, settings, volume) for symbol, frame in sorted(bars.items())]
    names = parts[0].names
    order = np.argsort(np.concatenate([part.times for part in parts]), kind="stable")
    joined = (
        np.concatenate([getattr(part, column) for part in parts])[order]
        for column in ("features", "labels", "times", "ends", "symbols")
    )
    return Samples(names, *joined)


def one_symbol(symbol: str, frame: pd.DataFrame, settings: Settings, volume: bool) -> Samples:
    """The rows of one symbol that have all features."""
    table = features(frame, settings.windows, volume)
    unknown = [name for name in settings.exclude if name not in table.columns]
    if unknown:
        raise AdapterError(f"exclude: no feature {', '.join(unknown)}; there are {', '.join(table.columns)}")
    table = table.drop(columns=list(settings.exclude))
    if table.shape[1] == 0:
        raise AdapterError("exclude leaves no feature")
    values = table.to_numpy(dtype="float64")
    labels, ends = label(frame, settings)
    times = frame.index.to_numpy(dtype="datetime64[ns]")
    whole = np.isfinite(values).all(axis=1)
    return Samples(
        list(table.columns), values[whole], labels[whole], times[whole], ends[whole], np.full(whole.sum(), symbol, dtype=object)
    )


def features(frame: pd.DataFrame, windows: tuple[int, ...], volume: bool) -> pd.DataFrame:
    """What each bar is known by. pandas' `rolling` and `shift(n)` with n above zero look back only."""
    close, high, low = frame["close"], frame["high"], frame["low"]
    step = np.log(close).diff()
    columns = {
        "return_1": step,
        "gap": np.log(frame["open"] / close.shift(1)),
        "range": np.log(high / low),
        "body": np.log(close / frame["open"]),
    }
    for bars in windows:
        deviation = step.rolling(bars).std()
        columns[f"return_{bars}"] = np.log(close / close.shift(bars))
        columns[f"volatility_{bars}"] = deviation
        # Distance from the mean in units of what a step usually is, and where the close lies between the extremes.
        columns[f"distance_{bars}"] = quotient(np.log(close / close.rolling(bars).mean()), deviation)
        lowest, highest = low.rolling(bars).min(), high.rolling(bars).max()
        columns[f"position_{bars}"] = quotient(close - lowest, highest - lowest)
        # The relative strength index without Wilder's smoothing: the share of the ups in all movement.
        columns[f"strength_{bars}"] = quotient(step.clip(lower=0).rolling(bars).sum(), step.abs().rolling(bars).sum())
        if volume:
            columns[f"volume_{bars}"] = np.log1p(frame["volume"]) - np.log1p(frame["volume"].rolling(bars).mean())
    day = frame.index.day_of_week
    columns["weekday"] = pd.Series(day, index=frame.index, dtype="float64")
    if (frame.index.hour != frame.index.hour[0]).any():
        turn = 2 * np.pi * (frame.index.hour + frame.index.minute / 60) / 24
        columns["hour_sin"] = pd.Series(np.sin(turn), index=frame.index)
        columns["hour_cos"] = pd.Series(np.cos(turn), index=frame.index)
    # The names are a dictionary's, so that a window of 1 is not there twice.
    return pd.DataFrame(columns)


def quotient(above: pd.Series, below: pd.Series) -> pd.Series:
    """Zero where nothing moved: that is a fact of the bar, and no reason to leave it out."""
    return (above / below.where(below != 0)).where(below != 0, 0.0).where(below.notna())


def label(frame: pd.DataFrame, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """The label of each bar, and the bar at whose open it is known."""
    opens = frame["open"].to_numpy()
    times = frame.index.to_numpy(dtype="datetime64[ns]")
    labels = np.full(len(frame), np.nan)
    ends = np.full(len(frame), np.datetime64("NaT"), dtype="datetime64[ns]")
    later = 1 + settings.horizon
    if len(frame) > later:
        # Both prices lie after the bar: the open at which one can act on it, and the one at which that is over.
        moved = np.log(opens[later:] / opens[1 : len(frame) - settings.horizon])
        labels[:-later] = (moved > 0).astype("float64") if settings.label == "direction" else moved
        ends[:-later] = times[later:]
    return labels, ends


def cut(samples: Samples, settings: Settings) -> tuple[Samples, Samples]:
    """The samples to learn from and the later ones that say when to stop, with purge and embargo between them."""
    times = np.unique(samples.times)
    first = int(len(times) * (1 - settings.validation_share))
    begins = times[min(first, len(times) - 1)] if len(times) else np.datetime64("NaT")
    learnt = samples.known_by(berth(times, first, settings.embargo))
    tried = samples.where(np.isfinite(samples.labels) & (samples.times >= begins))
    if len(learnt) < 50 or len(tried) < 10:
        raise AdapterError(
            f"{len(learnt)} samples to learn from and {len(tried)} to validate with; 50 and 10 are needed: "
            f"bring more data, or ask for shorter windows, horizon or embargo"
        )
    return learnt, tried


def berth(times: np.ndarray, first: int, embargo: int) -> np.datetime64:
    """The bar by which labels must have ended to be learnt from, where what comes first after them is bar `first`."""
    return times[first - embargo] if 0 <= first - embargo < len(times) else np.datetime64("1677-09-22", "ns")
