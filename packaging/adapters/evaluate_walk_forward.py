"""Evaluate program of the model types xgboost and lightgbm: a walk forward through the bars that ohlcv.py loaded.

The time after the first part of the data is divided into folds. For each, a model is trained with the version's
parameters on what was known before the fold begins, and trades it; nothing else is counted. So this judges the way
in which the version was made (its features, parameters, and costs), not the file: of the days that the version itself
learnt from, no honest backtest exists.

    [adapters.xgboost]
    evaluate = ["…/bin/python", "…/evaluate_walk_forward.py", "--fee-bps", "10", "--slippage-bps", "5"]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any, Iterator

import numpy as np
import pandas as pd

import backtest
import bars
import gbt
from backtest import Rules
from clm_adapter import AdapterError, answer, directory_of, progress, read_job, run
from samples import Samples, berth, samples_of
from settings import Settings, of_parameters, settings_of

# What is told of a trade, and the most predictions: an answer has at most 16 MiB.
TOLD = ("closed_at", "symbol", "side", "return", "confidence")
PREDICTIONS = 100_000


@dataclass(frozen=True)
class Fold:
    """Some of the time: from bar `begins` to before `ends`, tried by what learnt from labels known by `known_by`."""

    begins: np.datetime64
    ends: np.datetime64 | None
    learns_from: np.datetime64
    known_by: np.datetime64


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fee-bps", type=float, default=10, help="fee of a fill, in hundredths of a per cent (%(default)s)")
    parser.add_argument("--slippage-bps", type=float, default=5, help="how much worse than the open (%(default)s)")
    parser.add_argument("--min-confidence", type=float, default=0.52, help="probability from which on it trades (%(default)s)")
    parser.add_argument("--min-edge", type=float, default=1.0, help="magnitude: multiple of the costs (%(default)s)")
    parser.add_argument("--side", choices=["both", "long", "short"], default="both", help="(%(default)s)")
    parser.add_argument("--folds", type=int, default=8, help="how many times it trains anew (%(default)s)")
    parser.add_argument("--train-share", type=float, default=0.5, help="of the time, before the first fold (%(default)s)")
    parser.add_argument("--window-bars", type=int, default=0, help="learn from the last so many bars; 0: from all")
    options = parser.parse_args(words)
    for name, least, most in [
        ("fee_bps", 0, 1_000),
        ("slippage_bps", 0, 1_000),
        ("min_confidence", 0.5, 1),
        ("min_edge", 0, 100),
        ("folds", 1, 1_000),
        ("train_share", 0.05, 0.95),
        ("window_bars", 0, 10_000_000),
    ]:
        if not least <= getattr(options, name) <= most:
            parser.error(f"--{name.replace('_', '-')} is from {least} to {most}")
    return options


def rules_of(options: argparse.Namespace) -> Rules:
    return Rules(
        fee=options.fee_bps / 10_000,
        slippage=options.slippage_bps / 10_000,
        min_confidence=options.min_confidence,
        min_edge=options.min_edge,
        long=options.side != "short",
        short=options.side != "long",
    )


def main() -> None:
    options = arguments()
    job = read_job()
    # What the training really used, where it said so: another default there must not be judged by the one here.
    trained_with = (job.get("results", {}).get("train") or {}).get("parameters")
    settings = of_parameters(trained_with) if trained_with else settings_of(job)
    frames = bars.read(directory_of(job, "data"))
    answer(walk(job["model_type"], frames, settings, rules_of(options), options))


def write_trades(trades: list[dict[str, Any]]) -> None:
    """All of each trade, for people who want to follow one by hand in the job's directory."""
    pd.DataFrame(trades).to_csv("trades.csv", index=False)


def walk(
    library: str, frames: dict[str, pd.DataFrame], settings: Settings, rules: Rules, options: argparse.Namespace
) -> dict[str, Any]:
    """The answer: returns of days, trades, and predictions with what became of them, all out of sample."""
    samples = samples_of(frames, settings)
    tried, predicted = predict(library, samples, settings, options)
    outcomes = [
        backtest.trade(
            frames[symbol],
            symbol,
            decisions(tried, predicted, tried.symbols == symbol, settings.label, rules),
            settings.horizon,
            rules,
        )
        for symbol in sorted(set(tried.symbols))
    ]
    outcome = backtest.together(outcomes)
    if outcome.returns.empty:
        raise AdapterError("no bar follows the last prediction: bring more data")
    days = backtest.daily(outcome.returns)
    write_trades(outcome.trades)
    print(f"{len(days)} days out of sample, {len(outcome.trades)} trades, {np.prod(1 + days) - 1:+.1%} after costs")
    result = {
        "kind": "walk_forward",
        "returns": {"first_day": days.index[0].strftime("%Y-%m-%d"), "values": [float(value) for value in days]},
        "trades": [{name: one[name] for name in TOLD if name in one} for one in outcome.trades],
    }
    # How sure a prediction was is a probability only where one was predicted.
    return result | ({"predictions": came_true(tried, predicted)} if settings.label == "direction" else {})


def predict(
    library: str, samples: Samples, settings: Settings, options: argparse.Namespace
) -> tuple[Samples, np.ndarray]:
    """The rows that were tried, and what was predicted for each by a model that knew nothing of them."""
    parts: list[tuple[Samples, np.ndarray]] = []
    for number, fold in enumerate(folds(np.unique(samples.times), settings, options)):
        model, learnt, _ = gbt.fit(library, known(samples, fold), settings)
        tried = samples.where(within(samples.times, fold))
        parts.append((tried, model.predict(tried.features)))
        progress(
            0.05 + 0.9 * (number + 1) / options.folds,
            f"fold {number + 1} of {options.folds}: {len(learnt)} samples until {day(learnt.ends.max())}, "
            f"{model.rounds} trees, tried from {day(fold.begins)}",
        )
    tried = samples.where(samples.times >= parts[0][0].times[0])
    return tried, np.concatenate([predicted for _, predicted in parts])


def folds(times: np.ndarray, settings: Settings, options: argparse.Namespace) -> Iterator[Fold]:
    """The folds: by count of bars, so that no price decides where they lie."""
    first = int(len(times) * options.train_share)
    edges = np.linspace(first, len(times), options.folds + 1).astype(int)
    if first < 1 or np.any(np.diff(edges) < 1):
        raise AdapterError(f"{len(times)} bars are too few for {options.folds} folds")
    for begins, ends in zip(edges[:-1], edges[1:]):
        yield Fold(
            begins=times[begins],
            ends=times[ends] if ends < len(times) else None,
            learns_from=times[max(0, begins - options.window_bars)] if options.window_bars else times[0],
            known_by=berth(times, int(begins), settings.embargo),
        )


def known(samples: Samples, fold: Fold) -> Samples:
    """What the fold's model may learn from: labels that had ended (the purge) before the fold, and within the window."""
    before = samples.known_by(fold.known_by)
    return before.where(before.times >= fold.learns_from)


def within(times: np.ndarray, fold: Fold) -> np.ndarray:
    return (times >= fold.begins) & (True if fold.ends is None else times < fold.ends)


def decisions(tried: Samples, predicted: np.ndarray, mask: np.ndarray, label: str, rules: Rules) -> pd.DataFrame:
    """What one symbol's predictions lead to."""
    values = predicted[mask].astype("float64")
    sure = np.maximum(values, 1 - values) if label == "direction" else np.full(len(values), np.nan)
    index = pd.DatetimeIndex(tried.times[mask], tz="UTC")
    return pd.DataFrame({"side": rules.sides(label, values), "confidence": sure}, index=index)


def came_true(tried: Samples, predicted: np.ndarray) -> list[dict[str, Any]]:
    """Predictions whose outcome is known, traded or not, for the calibration; of very many, each n-th."""
    known = np.isfinite(tried.labels)
    chances, rose = predicted[known].astype("float64"), tried.labels[known] > 0.5
    step = max(1, -(-len(chances) // PREDICTIONS))
    return [
        {"confidence": float(max(chance, 1 - chance)), "came_true": bool((chance > 0.5) == up)}
        for chance, up in zip(chances[::step], rose[::step])
    ]


def day(time: np.datetime64) -> str:
    return str(np.datetime_as_string(time, unit="D"))


if __name__ == "__main__":
    run(main)
