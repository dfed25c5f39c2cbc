"""What predictions would have earned: positions, costs, returns of days, trades. Open to open, one symbol at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Rules:
    """How predictions are traded."""

    # A share of what is bought or sold, each time: the exchange's fee, and what one gets worse than the open price.
    fee: float
    slippage: float
    # Which predictions are acted on: from this probability on (`direction`), or beyond this multiple of what entering and
    # leaving cost (`magnitude`).
    min_confidence: float
    min_edge: float
    long: bool
    short: bool

    @property
    def cost(self) -> float:
        return self.fee + self.slippage

    def sides(self, label: str, predicted: np.ndarray) -> np.ndarray:
        """1 to buy, -1 to sell short, 0 to keep out."""
        if label == "direction":
            up, down = predicted >= self.min_confidence, predicted <= 1 - self.min_confidence
        else:
            least = self.min_edge * 2 * self.cost
            up, down = predicted > least, predicted < -least
        return np.where(up & self.long, 1, np.where(down & self.short, -1, 0))


@dataclass(frozen=True)
class Outcome:
    """What came of one symbol, as shares of the capital that it had."""

    # The return of each bar in which it could trade, by the bar's beginning.
    returns: pd.Series
    trades: list[dict[str, Any]]


def trade(frame: pd.DataFrame, symbol: str, decided: pd.DataFrame, horizon: int, rules: Rules) -> Outcome:
    """Acts on predictions: `decided` has `side` and `confidence` by the bar at whose close they were known.

    A decision is made every `horizon` bars, since that is how far a prediction reaches, and is carried out at the next
    bar's open. A position that is confirmed is kept, and costs nothing again.
    """
    at = frame.index.get_indexer(decided.index)
    first, last = at[0] + 1, len(frame) - 1
    if first > last:
        return Outcome(pd.Series(dtype="float64"), [])
    decisions = np.zeros(len(frame), dtype=int)
    decisions[at] = decided["side"].to_numpy()
    on_grid = first - 1 + (np.arange(first - 1, last) - (first - 1)) // horizon * horizon
    held = decisions[on_grid]  # in the bars first..=last

    opens = frame["open"].to_numpy()[first:]
    # The last bar has no next open: what is still held is sold at its close.
    nexts = np.append(opens[1:], frame["close"].iloc[-1])
    before, after = np.append(0, held[:-1]), np.append(held[1:], 0)
    enters = (held != 0) & (held != before)
    leaves = (held != 0) & (held != after)
    # A trade pays when it enters and when it leaves, so trades and bars compound to the same capital. A short position
    # is taken as made anew each bar at the same share of the capital; it cannot lose more than all.
    growth = np.maximum(1 + held * (nexts / opens - 1), 0.0)
    growth *= np.where(enters, 1 - rules.cost, 1.0) * np.where(leaves, 1 - rules.cost, 1.0)

    times = frame.index[first:]
    ends = times[1:].append(pd.DatetimeIndex([times[-1] + (times[-1] - times[-2] if len(times) > 1 else pd.Timedelta(0))]))
    confidence = np.full(len(frame), np.nan)
    confidence[at] = decided["confidence"].to_numpy()
    trades = []
    for enter, leave in zip(np.flatnonzero(enters), np.flatnonzero(leaves)):
        sure = confidence[on_grid[enter]]
        trades.append(
            {
                "symbol": symbol,
                "side": "long" if held[enter] > 0 else "short",
                "entry_price": float(opens[enter]),
                "exit_price": float(nexts[leave]),
                # The beginning of the last bar that it was held in, so that a trade and its last return share their day.
                "closed_at": times[leave].strftime("%Y-%m-%dT%H:%M:%SZ"),
                "duration_seconds": int((ends[leave] - times[enter]).total_seconds()),
                "return": float(np.prod(growth[enter : leave + 1]) - 1),
                **({} if np.isnan(sure) else {"confidence": float(sure)}),
            }
        )
    return Outcome(pd.Series(growth - 1, index=times), trades)


def together(outcomes: list[Outcome]) -> Outcome:
    """Several symbols: each has the same share of the capital, evened out at each bar."""
    share = 1 / len(outcomes)
    returns = pd.concat([outcome.returns for outcome in outcomes], axis=1).fillna(0.0).sum(axis=1) * share
    trades = [one | {"return": one["return"] * share} for outcome in outcomes for one in outcome.trades]
    return Outcome(returns.sort_index(), sorted(trades, key=lambda one: one["closed_at"]))


def daily(returns: pd.Series) -> pd.Series:
    """Compounded into UTC days, every day from the first to the last.

    A day without bars (a weekend of stocks) earned nothing and is a zero: docs/GATES.md counts days, and its year has 365.
    """
    days = (1 + returns).groupby(returns.index.floor("D")).prod() - 1
    return days.reindex(pd.date_range(days.index[0], days.index[-1], freq="D"), fill_value=0.0)
