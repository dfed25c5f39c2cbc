"""Bars: open, high, low, close and volume of a period, by the instant (UTC) at which the period begins.

Everything after this file trusts them, so what cannot be right is refused here, with the place.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from clm_adapter import AdapterError

PRICES = ["open", "high", "low", "close"]
COLUMNS = [*PRICES, "volume"]
TIMES = ["time", "timestamp", "datetime", "date", "open_time", "opentime", "ts"]
# Short names, and those of exchanges. A file without a volume has none: the features of volume are left out then.
ALIASES = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vol": "volume", "base_volume": "volume"}
FILE = "bars.csv"


def period_of(timeframe: str) -> pd.Timedelta:
    """`1h` as a length of time."""
    found = re.fullmatch(r"([1-9]\d{0,3})(m|h|d|w)", timeframe)
    if not found:
        raise AdapterError(f"the timeframe {timeframe!r} is none that this program knows: 15m, 1h, 1d, 1w, …")
    unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[found[2]]
    return pd.Timedelta(**{unit: int(found[1])})


def normal(raw: pd.DataFrame, where: str) -> pd.DataFrame:
    """Bars of one symbol out of a table as people write them."""
    frame = raw.rename(columns=lambda name: str(name).strip().lower().replace(" ", "_"))
    frame = frame.rename(columns={short: name for short, name in ALIASES.items() if name not in frame.columns})
    time = next((name for name in TIMES if name in frame.columns), None)
    if time is None and len(frame.columns) and str(frame.columns[0]).startswith("unnamed"):
        time = frame.columns[0]  # pandas writes its index under no name
    missing = [name for name in PRICES if name not in frame.columns] + ([] if time else ["time"])
    if missing:
        raise AdapterError(f"{where}: no column for {', '.join(missing)}; there are {', '.join(map(str, raw.columns))}")
    if "volume" not in frame.columns:
        frame["volume"] = 0.0
    bars = frame[COLUMNS].apply(pd.to_numeric, errors="coerce").astype("float64")
    bars.index = pd.DatetimeIndex(_instants(frame[time], where), name="time")
    return check(bars, where)


def _instants(values: pd.Series, where: str) -> pd.Series:
    """Instants in UTC: text with or without a zone, or numbers, whose size tells seconds from milli-, micro- and nano-."""
    try:
        if not pd.api.types.is_numeric_dtype(values):
            return pd.to_datetime(values, utc=True, format="ISO8601").astype("datetime64[ns, UTC]")
        largest = float(values.abs().max())
        unit = next(unit for unit, most in [("s", 1e11), ("ms", 1e14), ("us", 1e17), ("ns", np.inf)] if largest < most)
        return pd.to_datetime(values.astype("int64"), unit=unit, utc=True).astype("datetime64[ns, UTC]")
    except (ValueError, TypeError, StopIteration, OverflowError) as error:
        raise AdapterError(f"{where}: times are to be ISO 8601 or numbers since the epoch: {error}") from None


def check(bars: pd.DataFrame, where: str) -> pd.DataFrame:
    """The bars in order, or why they cannot be used."""

    def refuse(wrong: pd.Series, what: str) -> None:
        if wrong.any():
            first = bars.index[wrong.to_numpy()][0]
            raise AdapterError(f"{where}: {what} at {first} ({int(wrong.sum())} such bars)")

    if bars.index.hasnans:
        raise AdapterError(f"{where}: bar {int(np.flatnonzero(bars.index.isna())[0]) + 1} has no time")
    refuse(~np.isfinite(bars[PRICES]).all(axis=1), "a price is missing or no number")
    refuse((bars[PRICES] <= 0).any(axis=1), "a price is zero or below")
    refuse(~(bars["volume"] >= 0), "a volume is missing or below zero")
    refuse(bars["high"] < bars["low"], "the high is below the low")
    if not bars.index.is_monotonic_increasing:
        print(f"{where}: bars were not in the order of time; sorted")
        bars = bars.sort_index(kind="stable")
    # The same bar twice is what overlapping downloads leave; two that differ leave no way to know which one is true.
    repeated = bars.index.duplicated(keep="first")
    if repeated.any():
        once = bars[~repeated]
        if not bars[repeated].eq(once.loc[bars.index[repeated]].to_numpy()).all(axis=None):
            first = bars.index[bars.index.duplicated(keep=False)][0]
            raise AdapterError(f"{where}: two bars that differ at {first}")
        print(f"{where}: {int(repeated.sum())} bars were there twice; taken once")
        bars = once
    return bars


def usual_distance(bars: pd.DataFrame) -> pd.Timedelta:
    """What lies between most bars: nights, weekends and gaps are the exceptions."""
    return pd.Timedelta(bars.index.to_series().diff().mode().iloc[0])


def check_gaps(bars: pd.DataFrame, most: pd.Timedelta, where: str) -> None:
    """Refuses holes of which no weekend and no holiday is the reason."""
    distances = bars.index.to_series().diff()
    most = max(most, 3 * usual_distance(bars))
    if distances.max() > most:
        end = distances.idxmax()
        raise AdapterError(
            f"{where}: no bars from {end - distances.max()} to {end} ({distances.max()}); "
            f"mend the data, or allow it with --max-gap-days"
        )


def resample(bars: pd.DataFrame, period: pd.Timedelta, where: str) -> pd.DataFrame:
    """The bars at another, longer period. A bar begins where its period begins, so nothing of it is known before its end."""
    source = usual_distance(bars)
    if source == period:
        return bars
    if source > period:
        raise AdapterError(
            f"{where}: its bars are {source} apart, and the job asks for {period}: "
            f"bring finer bars, or take them as they are with --as-they-are"
        )
    if period % source != pd.Timedelta(0):
        raise AdapterError(f"{where}: bars {source} apart do not make bars of {period}")
    print(f"{where}: bars {source} apart are put together to {period}")
    # Weeks begin on Mondays, all else at midnight; the epoch was a Thursday.
    origin = pd.Timestamp("1970-01-05", tz="UTC")
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return bars.resample(period, origin=origin).agg(how).dropna(subset=PRICES)


def write(bars: dict[str, pd.DataFrame], directory: Path = Path(".")) -> None:
    """One file for the programs that come after, in whatever language: time, symbol, open, high, low, close, volume."""
    table = pd.concat([frame.assign(symbol=symbol) for symbol, frame in bars.items()])
    table = table.reset_index()[["time", "symbol", *COLUMNS]].sort_values(["time", "symbol"], kind="stable")
    table.to_csv(directory / FILE, index=False, date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n")


def read(directory: Path) -> dict[str, pd.DataFrame]:
    """What `write` wrote, by symbol."""
    path = directory / FILE
    if not path.is_file():
        raise AdapterError(f"there is no {FILE} in {directory}: the data program is to be ohlcv.py, or to write it")
    table = pd.read_csv(path, dtype={"symbol": str}, keep_default_na=False, na_values={name: [""] for name in COLUMNS})
    return {symbol: normal(part, f"{path}: {symbol}") for symbol, part in table.groupby("symbol", sort=True)}
