"""What positions earn: by hand, and by what must hold whatever the prices."""

from __future__ import annotations

import unittest
from dataclasses import replace

import numpy as np
import pandas as pd

import backtest
import data
import evaluate_walk_forward as walk_forward
from backtest import Rules
from settings import Settings

FREE = Rules(fee=0.0, slippage=0.0, min_confidence=0.5, min_edge=0.0, long=True, short=True)
COSTLY = replace(FREE, fee=0.001, slippage=0.0005)


def prices(opens: list[float], last_close: float, begins: str = "2024-01-01", freq: str = "1D") -> pd.DataFrame:
    closes = [*opens[1:], last_close]
    frame = pd.DataFrame({"open": opens, "high": opens, "low": opens, "close": closes, "volume": 1.0})
    frame.index = pd.date_range(begins, periods=len(opens), freq=freq, tz="UTC", name="time")
    return frame


def decided(frame: pd.DataFrame, sides: list[int], first: int = 0) -> pd.DataFrame:
    index = frame.index[first : first + len(sides)]
    return pd.DataFrame({"side": sides, "confidence": 0.6}, index=index)


class ByHand(unittest.TestCase):
    def test_a_decision_is_carried_out_at_the_next_open(self):
        frame = prices([100, 110, 121, 133.1], 200)
        outcome = backtest.trade(frame, "A", decided(frame, [1, 0, 0, 0]), 1, FREE)
        # Decided at the close of the first bar: the rise from 100 to 110 is missed, the one from 110 to 121 is had.
        np.testing.assert_allclose(outcome.returns, [0.1, 0.0, 0.0])
        self.assertEqual(
            outcome.trades,
            [
                {
                    "symbol": "A",
                    "side": "long",
                    "entry_price": 110.0,
                    "exit_price": 121.0,
                    "closed_at": "2024-01-02T00:00:00Z",
                    "duration_seconds": 86_400,
                    "return": outcome.trades[0]["return"],
                    "confidence": 0.6,
                }
            ],
        )
        self.assertAlmostEqual(outcome.trades[0]["return"], 0.1)

    def test_each_fill_costs_and_a_confirmed_position_costs_nothing(self):
        frame = prices([100, 100, 100, 100, 100, 100], 100)
        kept = backtest.trade(frame, "A", decided(frame, [1, 1, 0, 0, 0, 0]), 1, COSTLY)
        np.testing.assert_allclose(kept.returns, [-0.0015, -0.0015, 0, 0, 0])
        turned = backtest.trade(frame, "A", decided(frame, [1, -1, 0, 0, 0, 0]), 1, COSTLY)
        np.testing.assert_allclose(turned.returns, [0.9985**2 - 1, 0.9985**2 - 1, 0, 0, 0])
        self.assertEqual([one["side"] for one in turned.trades], ["long", "short"])

    def test_a_short_position_wins_when_the_price_falls(self):
        frame = prices([100, 100, 90, 90], 90)
        outcome = backtest.trade(frame, "A", decided(frame, [-1, 0, 0, 0]), 1, FREE)
        np.testing.assert_allclose(outcome.returns, [0.1, 0, 0])

    def test_a_position_lasts_for_the_horizon(self):
        frame = prices([100, 100, 101, 102, 103, 104], 105)
        outcome = backtest.trade(frame, "A", decided(frame, [1, -1, -1, 0, 0, 0]), 3, FREE)
        self.assertEqual([(one["side"], one["exit_price"]) for one in outcome.trades], [("long", 103.0)])

    def test_what_is_held_at_the_end_is_sold_at_the_last_close(self):
        frame = prices([100, 100, 100], 120)
        outcome = backtest.trade(frame, "A", decided(frame, [1, 1]), 1, FREE)
        self.assertEqual([(one["entry_price"], one["exit_price"]) for one in outcome.trades], [(100.0, 120.0)])
        np.testing.assert_allclose(outcome.returns, [0.0, 0.2])

    def test_nobody_loses_more_than_all(self):
        frame = prices([100, 100, 300, 300], 300)
        outcome = backtest.trade(frame, "A", decided(frame, [-1, 0, 0, 0]), 1, COSTLY)
        self.assertEqual(outcome.returns.min(), -1.0)

    def test_days_without_bars_are_zeros_and_hours_compound(self):
        weekdays = pd.Series([0.01, 0.02], index=pd.to_datetime(["2024-01-05", "2024-01-08"], utc=True))
        np.testing.assert_allclose(backtest.daily(weekdays), [0.01, 0, 0, 0.02])
        hours = pd.Series(0.01, index=pd.date_range("2024-01-05T22:00", periods=4, freq="1h", tz="UTC"))
        np.testing.assert_allclose(backtest.daily(hours), [1.01**2 - 1, 1.01**2 - 1])

    def test_symbols_share_the_capital(self):
        frame = prices([100, 100, 110, 110], 110)
        one = backtest.trade(frame, "A", decided(frame, [1, 0, 0, 0]), 1, FREE)
        none = backtest.trade(frame, "B", decided(frame, [0, 0, 0, 0]), 1, FREE)
        both = backtest.together([one, none])
        np.testing.assert_allclose(both.returns, [0.05, 0, 0])
        self.assertAlmostEqual(both.trades[0]["return"], 0.05)


class Whatever(unittest.TestCase):
    def test_trades_and_bars_compound_to_the_same_capital(self):
        frame = data.random_walk(800)
        sides = np.random.default_rng(7).integers(-1, 2, 800)
        for horizon in [1, 4, 7]:
            for rules in [FREE, COSTLY]:
                outcome = backtest.trade(frame, "A", decided(frame, list(sides)), horizon, rules)
                self.assertAlmostEqual(
                    np.prod([1 + one["return"] for one in outcome.trades]), np.prod(1 + outcome.returns), places=9
                )
                self.assertGreater(len(outcome.trades), 50)

    def test_costs_only_ever_take(self):
        frame = data.random_walk(800)
        sides = np.random.default_rng(8).integers(-1, 2, 800)
        earned = [
            float(np.prod(1 + backtest.trade(frame, "A", decided(frame, list(sides)), 2, replace(FREE, fee=fee)).returns))
            for fee in [0.0, 0.0005, 0.001, 0.005]
        ]
        self.assertEqual(earned, sorted(earned, reverse=True))
        self.assertEqual(len(set(earned)), 4)

    def test_fees_make_a_walk_forward_poorer(self):
        settings = Settings(horizon=1, rounds=20, early_stopping_rounds=5)
        frames = {"GOOG": data.goog()}

        def earned(*words: str) -> float:
            options = walk_forward.arguments(["--folds", "3", "--min-confidence", "0.5", *words])
            rules = walk_forward.rules_of(options)
            result = data.quietly(walk_forward.walk, "lightgbm", frames, settings, rules, options)
            return float(np.prod(1 + np.array(result["returns"]["values"])))

        free, dear = earned("--fee-bps", "0", "--slippage-bps", "0"), earned("--fee-bps", "30")
        self.assertLess(dear, free)

    def test_sides_follow_the_rules(self):
        predicted = np.array([0.2, 0.49, 0.5, 0.53, 0.9])
        careful = replace(FREE, min_confidence=0.55)
        self.assertEqual(list(careful.sides("direction", predicted)), [-1, 0, 0, 0, 1])
        self.assertEqual(list(replace(careful, short=False).sides("direction", predicted)), [0, 0, 0, 0, 1])
        moved = np.array([-0.01, -0.002, 0.0, 0.004, 0.01])
        self.assertEqual(list(replace(COSTLY, min_edge=1.0).sides("magnitude", moved)), [-1, 0, 0, 1, 1])


if __name__ == "__main__":
    unittest.main()
