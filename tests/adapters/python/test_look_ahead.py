"""Nothing of the future reaches the past: the future is changed, and what was known before stays as it was."""

from __future__ import annotations

import unittest

import numpy as np
import pandas as pd

import data
import evaluate_walk_forward as walk_forward
import gbt
import samples
from settings import Settings

FAST = Settings(rounds=40, early_stopping_rounds=10)
OPTIONS = walk_forward.arguments(["--folds", "4"])


class Features(unittest.TestCase):
    def test_features_of_a_bar_are_the_same_whatever_comes_after_it(self):
        for name, frame in [("GOOG", data.goog()), ("hourly", data.random_walk(1_500))]:
            whole = samples.features(frame, (5, 20, 60), True)
            for at in [100, 700, len(frame) - 2]:
                time = frame.index[at]
                changed = samples.features(data.with_another_future(frame, time), (5, 20, 60), True)
                pd.testing.assert_frame_equal(whole[:at], changed[:at], obj=f"{name}: features before {time}")
                self.assertFalse(whole.iloc[at].equals(changed.iloc[at]), f"{name}: the change at {time} is felt")

    def test_features_that_are_cut_off_are_those_of_the_whole(self):
        frame = data.goog()
        whole = samples.features(frame, (5, 60), True)
        pd.testing.assert_frame_equal(samples.features(frame[:800], (5, 60), True), whole[:800])


class Labels(unittest.TestCase):
    def test_a_label_is_of_opens_after_its_bar_and_known_at_the_last_of_them(self):
        frame = data.goog()
        magnitude = Settings(label="magnitude", horizon=3)
        labels, ends = samples.label(frame, magnitude)
        opens = frame["open"].to_numpy()
        self.assertAlmostEqual(labels[10], np.log(opens[14] / opens[11]))
        self.assertEqual(ends[10], frame.index[14].to_datetime64())
        self.assertTrue(np.isnan(labels[-4:]).all() and np.isfinite(labels[-5]))
        # What comes after the end changes nothing; the open at the end does.
        after = frame.copy()
        after.iloc[15:] *= 2
        self.assertEqual(samples.label(after, magnitude)[0][10], labels[10])
        after.iloc[14, 0] *= 2
        self.assertNotEqual(samples.label(after, magnitude)[0][10], labels[10])


class Purge(unittest.TestCase):
    def test_what_a_fold_learns_from_had_ended_before_it_began(self):
        for horizon, embargo in [(1, 0), (5, 0), (20, 7)]:
            settings = Settings(horizon=horizon, embargo=embargo)
            rows = samples.samples_of({"GOOG": data.goog()}, settings)
            times = np.unique(rows.times)
            for fold in walk_forward.folds(times, settings, OPTIONS):
                known = walk_forward.known(rows, fold)
                begins = int(np.searchsorted(times, fold.begins))
                with self.subTest(horizon=horizon, embargo=embargo, begins=fold.begins):
                    self.assertEqual(known.ends.max(), times[begins - embargo], "nor is more taken away than that")
                    straddling = (rows.times < fold.begins) & (rows.ends > fold.begins)
                    self.assertEqual(straddling.sum(), horizon, "there is something to purge")

    def test_validation_lies_after_what_was_learnt(self):
        for horizon, embargo in [(1, 0), (10, 3)]:
            settings = Settings(horizon=horizon, embargo=embargo)
            learnt, tried = samples.cut(samples.samples_of({"GOOG": data.goog()}, settings), settings)
            self.assertLessEqual(learnt.ends.max(), tried.times.min())
            self.assertEqual(len(np.intersect1d(learnt.times, tried.times)), 0)

    def test_two_symbols_are_cut_at_one_time(self):
        rows = samples.samples_of({"A": data.random_walk(900, 1), "B": data.random_walk(700, 2)}, FAST)
        learnt, tried = samples.cut(rows, FAST)
        self.assertEqual(set(learnt.symbols), {"A", "B"})
        self.assertLessEqual(learnt.ends.max(), tried.times.min())

    def test_a_rolling_window_forgets(self):
        rows = samples.samples_of({"GOOG": data.goog()}, FAST)
        options = walk_forward.arguments(["--folds", "4", "--window-bars", "300"])
        for fold in walk_forward.folds(np.unique(rows.times), FAST, options):
            known = walk_forward.known(rows, fold)
            # The youngest whose label had ended is horizon + 1 bars older than the fold's first.
            self.assertEqual(len(known), 300 - FAST.horizon, f"from {fold.begins}")


class WalkForward(unittest.TestCase):
    def test_predictions_and_trades_are_the_same_whatever_comes_after_them(self):
        for library in ["xgboost", "lightgbm"]:
            for label in ["direction", "magnitude"]:
                with self.subTest(library=library, label=label):
                    self.same_past(library, Settings(label=label, horizon=2, rounds=40, early_stopping_rounds=10))

    def same_past(self, library: str, settings: Settings):
        options = walk_forward.arguments(["--folds", "4", "--min-confidence", "0.5", "--min-edge", "0"])
        rules = walk_forward.rules_of(options)
        frame = data.momentum(2_000)
        times = np.unique(rows(frame, settings).times)
        begins = [fold.begins for fold in walk_forward.folds(times, settings, options)][2]
        first = frame.index.get_loc(pd.Timestamp(begins, tz="UTC"))
        # Right behind the first bar of a fold, where a purge that is one bar short would show; and in the middle of one.
        for at in [first + 1, first + 100]:
            time = frame.index[at]
            versions = [frame, data.with_another_future(frame, time)]
            before, after = (
                data.quietly(walk_forward.predict, library, rows(one, settings), settings, options) for one in versions
            )
            known = before[0].times < time.to_datetime64()
            np.testing.assert_array_equal(before[1][known], after[1][known], err_msg=f"predictions before {time}")
            self.assertFalse(np.array_equal(before[1][~known], after[1][~known]), "the future is another")

            # A trade is of the past when the open at which it was closed is: that of the bar after `closed_at`.
            edge = frame.index[at - 1].strftime("%Y-%m-%dT%H:%M:%SZ")
            past = []
            for one in versions:
                result = data.quietly(walk_forward.walk, library, {"M": one}, settings, rules, options)
                past.append([trade for trade in result["trades"] if trade["closed_at"] < edge])
            self.assertEqual(past[0], past[1])
            self.assertGreater(len(past[0]), 50, "there were trades to compare")

    def test_of_a_random_walk_nothing_is_known(self):
        tried, predicted = data.quietly(
            walk_forward.predict, "xgboost", rows(data.random_walk(6_000), FAST), FAST, OPTIONS
        )
        learnt = np.isfinite(tried.labels)
        auc = gbt.metrics("direction", predicted[learnt], tried.labels[learnt])["auc"]
        # Labels overlap, so that 3,000 rows are worth some 600, and the standard error is 0.024 (Hanley and McNeil 1982).
        self.assertLess(abs(auc - 0.5), 0.07, f"auc {auc}")

    def test_of_momentum_something_is(self):
        settings = Settings(horizon=1, rounds=40, early_stopping_rounds=10)
        options = walk_forward.arguments(["--folds", "4", "--fee-bps", "1", "--slippage-bps", "0"])
        frames = {"M": data.momentum(3_000)}
        tried, predicted = data.quietly(walk_forward.predict, "xgboost", rows(frames["M"], settings), settings, options)
        learnt = np.isfinite(tried.labels)
        self.assertGreater(gbt.metrics("direction", predicted[learnt], tried.labels[learnt])["auc"], 0.65)
        result = data.quietly(walk_forward.walk, "xgboost", frames, settings, walk_forward.rules_of(options), options)
        self.assertGreater(np.prod(1 + np.array(result["returns"]["values"])), 1.5)


def rows(frame: pd.DataFrame, settings: Settings) -> samples.Samples:
    return samples.samples_of({"M": frame}, settings)


if __name__ == "__main__":
    unittest.main()
