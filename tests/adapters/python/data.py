"""Bars for the tests: real ones, and made ones whose truth is known."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path

import numpy as np
import pandas as pd

import bars


def sample(name: str) -> Path:
    """GOOG (daily), EURUSD (hourly) or BTCUSD (monthly), as the package `backtesting` ships them."""
    return Path(importlib.util.find_spec("backtesting").submodule_search_locations[0]) / "test" / f"{name}.csv"


def quietly(call, *arguments, **options):
    """The call's answer without what it prints: a line of progress is no result."""
    with contextlib.redirect_stdout(io.StringIO()):
        return call(*arguments, **options)


def goog() -> pd.DataFrame:
    return bars.normal(pd.read_csv(sample("GOOG")), "GOOG")


def made(steps: np.ndarray, begins: str = "2024-01-01", freq: str = "1h") -> pd.DataFrame:
    """Bars whose close moves by these log-returns; each opens where the one before closed."""
    close = 100 * np.exp(np.cumsum(steps))
    opens = np.append(100.0, close[:-1])
    noise = np.random.default_rng(1).uniform(0.0001, 0.001, (2, len(steps)))
    return pd.DataFrame(
        {
            "open": opens,
            "high": np.maximum(opens, close) * (1 + noise[0]),
            "low": np.minimum(opens, close) * (1 - noise[1]),
            "close": close,
            "volume": np.random.default_rng(2).uniform(1, 2, len(steps)),
        },
        index=pd.date_range(begins, periods=len(steps), freq=freq, tz="UTC", name="time"),
    )


def random_walk(count: int, seed: int = 3) -> pd.DataFrame:
    """Nothing can be known of what comes next."""
    return made(np.random.default_rng(seed).normal(0, 0.01, count))


def momentum(count: int, seed: int = 4) -> pd.DataFrame:
    """What rose goes on rising, mostly."""
    noise = np.random.default_rng(seed).normal(0, 0.01, count)
    steps = np.zeros(count)
    for at in range(1, count):
        steps[at] = 0.6 * steps[at - 1] + noise[at]
    return made(steps)


def with_another_future(frame: pd.DataFrame, time: pd.Timestamp, seed: int = 5) -> pd.DataFrame:
    """The same bars before `time`; from then on the steps in another order, and twice as large."""
    known = frame[frame.index < time]
    steps = np.log(frame["close"]).diff()[frame.index >= time].to_numpy()
    changed = made(np.random.default_rng(seed).permutation(steps) * 2) * 1.0
    changed.index = frame.index[frame.index >= time]
    changed[bars.PRICES] *= frame["close"].iloc[0] * 3 / 100
    return pd.concat([known, changed])
