"""The programs one after the other, as a job runs them, and the contract that they keep."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

import bars
import clm_adapter
import data
import gbt
import program
import samples
import settings
from clm_adapter import AdapterError

FAST = {"rounds": 30, "early_stopping_rounds": 10}


class Temporary(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)


class Chain(Temporary):
    def test_real_prices_become_a_model_and_an_evaluation_twice_the_same(self):
        prices = data.sample("GOOG").parent
        for library, file in [("xgboost", "model.json"), ("lightgbm", "model.txt")]:
            with self.subTest(library):
                runs = []
                for name in ["once", "again"]:
                    root = self.root / library / name
                    root.mkdir(parents=True)
                    runs.append(program.chain(root, prices, ["--max-gap-days", "10"], ["--folds", "3"],
                                              model_type=library, training_params=FAST))
                once, again = runs
                self.check_train(once["train"], library, file)
                self.check_evaluation(once["evaluate"].result)
                for step in once:
                    self.assertEqual(once[step].result, again[step].result, step)
                both = [(run["train"].directory / file).read_bytes() for run in runs]
                self.assertEqual(both[0], both[1], "the model is the same to the byte")

    def check_train(self, end: program.Ended, library: str, file: str):
        result = end.result
        self.assertEqual(result["artifacts"], [file, "metadata.json"])
        metadata = json.loads((end.directory / "metadata.json").read_text())
        self.assertEqual(result["feature_count"], len(metadata["features"]))
        self.assertEqual(set(result["feature_importances"]), set(metadata["features"]))
        self.assertTrue(all(value >= 0 for value in result["feature_importances"].values()))
        self.assertGreater(sum(result["feature_importances"].values()), 0)
        self.assertEqual(result["parameters"]["rounds"], 30)
        for part in ["train_metrics", "validation_metrics"]:
            self.assertEqual(set(result[part]), {"accuracy", "base_rate", "log_loss", "auc"})
        self.assertEqual(result["data_range"]["until"], "2013-03-01T00:00:00Z")
        # Whoever reads the file predicts what was predicted here, by the columns that metadata.json names.
        frames = {"GOOG": data.goog()}
        rows = samples.samples_of(frames, settings.Settings())
        model, _, _ = gbt.fit(library, rows, settings.of_parameters(FAST))
        self.assertEqual(metadata["features"], rows.names)
        if library == "xgboost":
            import xgboost

            saved = xgboost.Booster(model_file=str(end.directory / file))
            predicted = saved.predict(xgboost.DMatrix(rows.features, feature_names=rows.names))
        else:
            import lightgbm

            predicted = lightgbm.Booster(model_file=str(end.directory / file)).predict(rows.features)
        np.testing.assert_allclose(predicted, model.predict(rows.features), rtol=1e-5)

    def check_evaluation(self, result: dict):
        self.assertEqual(result["kind"], "walk_forward")
        # The first half is only learnt from.
        self.assertEqual(result["returns"]["first_day"], "2009-01-08")
        self.assertTrue(all(-1 <= value <= 10 for value in result["returns"]["values"]))
        self.assertTrue(all(trade["closed_at"] >= "2009-01-08" for trade in result["trades"]))
        self.assertGreater(len(result["trades"]), 0)
        self.assertTrue(all(0.5 <= one["confidence"] <= 1 for one in result["predictions"]))
        # Each bar but the last, which nothing follows, was predicted, and all but the last six have an outcome.
        self.assertEqual(len(result["predictions"]), 2088 - 1044 - 6)

    def test_several_symbols_and_magnitudes(self):
        prices = self.root / "prices"
        prices.mkdir()
        data.momentum(1_200, 1).to_csv(prices / "A.csv")
        data.momentum(900, 2).drop(columns="volume").to_csv(prices / "B_1h.csv")
        ends = program.chain(self.root, prices, [], ["--folds", "3", "--side", "long"], symbol=None, timeframe="1h",
                             model_type="xgboost", training_params=FAST | {"label": "magnitude", "horizon": 2})
        self.assertEqual(ends["data"].result["symbols"], ["A", "B"])
        self.assertFalse([name for name in ends["train"].result["feature_importances"] if name.startswith("volume")])
        self.assertEqual(set(ends["train"].result["validation_metrics"]), {"rmse", "rank_correlation"})
        evaluation = ends["evaluate"].result
        self.assertNotIn("predictions", evaluation)
        self.assertEqual({trade["side"] for trade in evaluation["trades"]}, {"long"})
        self.assertTrue(all("confidence" not in trade for trade in evaluation["trades"]))

    def test_the_evaluation_judges_what_the_training_used(self):
        ends = program.chain(self.root, data.sample("GOOG").parent, evaluate=["--folds", "2"],
                             training_params=FAST | {"horizon": 9})
        # A training program with other defaults says what it used; the job itself says nothing.
        job = json.loads((self.root / "evaluate" / "job.json").read_text()) | {"training_params": None}
        again = program.run("evaluate_walk_forward.py", "--folds", "2", job=job, directory=self.root / "again")
        self.assertEqual(again.result, ends["evaluate"].result)


class Contract(Temporary):
    def test_without_a_job_or_of_another_contract(self):
        for job, sentence in [(None, "there is no job.json in"), ({"contract": 2}, "of contract 2, this program knows 1")]:
            end = program.run("train_gbt.py", job=job, directory=self.root / f"{job is None}")
            self.assertEqual((end.code, end.result), (1, None))
            self.assertIn(sentence, end.log)

    def test_programs_that_lack_what_came_before_say_so(self):
        for name in ["train_gbt.py", "evaluate_walk_forward.py"]:
            end = program.run(name, job={}, directory=self.root)
            self.assertEqual((end.code, end.result), (1, None))
            self.assertIn("error: job.json names no directory of `data`", end.log)
        end = program.run("train_gbt.py", job={"directories": {"data": str(self.root)}}, directory=self.root)
        self.assertIn("there is no bars.csv", end.log)

    def test_settings_that_do_not_fit_are_refused_by_name(self):
        for asked, sentence in [
            ({"training_params": {"max_dept": 3}}, "training_params.max_dept is not known; there are label, horizon"),
            ({"training_params": {"max_depth": 99}}, "max_depth is a number from 1 to 12, not 99"),
            ({"training_params": {"max_depth": True}}, "max_depth is a number"),
            ({"training_params": {"label": "price"}}, "label is direction or magnitude"),
            ({"feature_config": {"rounds": 3}}, "feature_config.rounds is not known"),
            ({"feature_config": {"windows": [1]}}, "windows is a list of whole numbers from 2"),
            ({"feature_config": {"windows": []}}, "windows is a list"),
        ]:
            with self.subTest(asked), self.assertRaises(AdapterError) as refused:
                settings.settings_of(asked)
            self.assertIn(sentence, str(refused.exception))
        varied = settings.settings_of({"training_params": {"max_depth": 4.4, "learning_rate": 0.033}})
        self.assertEqual((varied.max_depth, varied.learning_rate), (4, 0.033))
        with self.assertRaisesRegex(AdapterError, "exclude: no feature nonsense"):
            samples.samples_of({"G": data.goog()}, settings.Settings(exclude=("nonsense",)))

    def test_too_little_data_is_said(self):
        few = {"R": data.random_walk(120)}
        with self.assertRaisesRegex(AdapterError, "50 and 10 are needed"):
            gbt.fit("xgboost", samples.samples_of(few, settings.Settings()), settings.Settings())

    def test_answers_are_whole_and_numbers(self):
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.root)
        clm_adapter.answer({"a": 1})
        with self.assertRaises(ValueError):
            clm_adapter.answer({"a": float("nan")})
        self.assertEqual(json.loads(Path("result.json").read_text()), {"a": 1})
        data.quietly(clm_adapter.progress, 1.7, "beyond")
        self.assertEqual(json.loads(Path("progress.json").read_text()), {"progress": 1.0, "message": "beyond"})

    def test_a_secret_comes_from_its_file(self):
        path = self.root / "key"
        path.write_text("hush\n")
        with mock.patch.dict(os.environ, {"API_KEY_FILE": str(path)}):
            self.assertEqual(clm_adapter.secret("API_KEY"), "hush")
        with self.assertRaisesRegex(AdapterError, "the secret OTHER is not there"):
            clm_adapter.secret("OTHER")


class Figures(unittest.TestCase):
    def test_metrics_by_hand(self):
        predicted, true = np.array([0.9, 0.6, 0.4, 0.2]), np.array([1.0, 0.0, 1.0, 0.0])
        found = gbt.metrics("direction", predicted, true)
        self.assertEqual((found["accuracy"], found["base_rate"], found["auc"]), (0.5, 0.5, 0.75))
        self.assertAlmostEqual(found["log_loss"], -np.mean(np.log([0.9, 0.4, 0.4, 0.8])))
        # Ties share their ranks: all the same is no knowledge.
        self.assertEqual(gbt.metrics("direction", np.full(4, 0.5), true)["auc"], 0.5)
        self.assertAlmostEqual(gbt.metrics("magnitude", np.array([1.0, 2, 3]), np.array([1.0, 4, 9]))["rank_correlation"], 1.0)

    def test_importances_are_what_the_model_listens_to(self):
        frame = data.momentum(1_500)
        rows = samples.samples_of({"M": frame}, settings.Settings(horizon=1))
        for library in ["xgboost", "lightgbm"]:
            model, _, tried = gbt.fit(library, rows, settings.of_parameters(FAST))
            first = next(iter(model.importances(tried.features)))
            self.assertIn(first, ["return_1", "body"], f"{library}: the last step is what the next one follows")


if __name__ == "__main__":
    unittest.main()
