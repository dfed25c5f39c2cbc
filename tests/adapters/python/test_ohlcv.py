"""The loader: what people have in their files, and what is wrong with them at times."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path

import pandas as pd

import bars
import data
import ohlcv
import program
from clm_adapter import AdapterError


class Formats(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.bars = data.random_walk(300)

    def load(self, *words: str, **job) -> pd.DataFrame:
        request = {"symbol": "R", "timeframe": "1h", **job}
        end = program.run("ohlcv.py", "--directory", str(self.directory), *words, job=request)
        self.addCleanup(shutil.rmtree, end.directory)
        self.assertEqual(end.code, 0, end.log)
        return bars.read(end.directory)["R"]

    def same(self, loaded: pd.DataFrame):
        pd.testing.assert_frame_equal(loaded, self.bars, check_freq=False, check_index_type=False)

    def test_names_times_and_kinds_of_file(self):
        table = self.bars.reset_index()
        milliseconds = table.assign(time=table["time"].astype("datetime64[ms, UTC]").astype("int64"))
        writers = {
            "R.csv": lambda path: self.bars.to_csv(path, index_label=""),
            "r_1h.csv.gz": lambda path: table.rename(columns=str.title).to_csv(path, index=False),
            "R-1h.csv": lambda path: milliseconds.rename(columns={"time": "Open time"}).to_csv(path, index=False),
            "R.parquet": lambda path: self.bars.to_parquet(path),
            "R_1h.parquet": lambda path: table.rename(columns={"time": "Timestamp"}).to_parquet(path, index=False),
        }
        for name, write in writers.items():
            with self.subTest(name):
                write(self.directory / name)
                self.same(self.load())
                (self.directory / name).unlink()

    def test_text_without_a_zone_is_utc_and_another_zone_is_turned(self):
        for form in ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00"]:
            self.bars.to_csv(self.directory / "R.csv", date_format=form)
            self.same(self.load())
        berlin = self.bars.tz_convert("Europe/Berlin")
        berlin.to_csv(self.directory / "R.csv")
        self.same(self.load())

    def test_a_command_is_run_without_a_shell_and_filled_in(self):
        self.bars.assign(symbol="R").to_csv(self.directory / "all.csv")
        script = f"import sys; assert sys.argv[1:] == ['R', '1h', '0;x'], sys.argv; print(open('{self.directory}/all.csv').read())"
        end = program.run(
            "ohlcv.py", "--", "python3", "-c", script, "{symbol}", "{timeframe}", "{days};x",
            job={"symbol": "R", "timeframe": "1h"},
        )
        self.assertEqual(end.code, 0, end.log)
        self.same(bars.read(end.directory)["R"])

    def test_a_span_counts_from_the_newest_bar(self):
        self.bars.to_csv(self.directory / "R.csv")
        self.assertEqual(len(self.load("--min-rows", "10", dataset_span_days=2)), 48)
        self.assertEqual(len(self.load(dataset_span_days=5_000)), 300)
        self.assertEqual(len(self.load("--span-days", "0", dataset_span_days=2)), 300)

    def test_bars_are_put_together(self):
        self.bars.to_csv(self.directory / "R.csv")
        four = self.load("--min-rows", "10", timeframe="4h")
        self.assertEqual(len(four), 75)
        first = self.bars.iloc[:4]
        self.assertEqual(
            list(four.iloc[0]),
            [first["open"].iloc[0], first["high"].max(), first["low"].min(), first["close"].iloc[-1], first["volume"].sum()],
        )

    def test_the_bar_of_the_present_is_not_over_and_left_out(self):
        now = pd.Timestamp.now(tz="UTC").floor("h")
        self.bars.index = pd.date_range(end=now, periods=300, freq="1h", name="time")
        self.bars.to_csv(self.directory / "R.csv")
        loaded = self.load()
        self.assertEqual(len(loaded), 299)
        self.assertLess(loaded.index[-1], now)

    def test_all_symbols_for_a_model_of_several_and_no_other_timeframe(self):
        self.bars.to_csv(self.directory / "A_1h.csv")
        self.bars.to_csv(self.directory / "B-1h.csv")
        self.bars.to_csv(self.directory / "C_1d.csv")
        end = program.run("ohlcv.py", "--directory", str(self.directory), job={"symbol": None, "timeframe": "1h"})
        self.assertEqual(end.result["symbols"], ["A", "B"], end.log)
        self.assertEqual(end.result["rows"], 600)


class RealOnes(unittest.TestCase):
    def test_the_samples_load_as_they_are(self):
        rows = {"GOOG": ("1d", [], 2148), "EURUSD": ("1h", [], 5000), "BTCUSD": ("1d", ["--as-they-are", "--min-rows", "100"], 156)}
        for name, (timeframe, words, count) in rows.items():
            with self.subTest(name):
                directory = str(data.sample(name).parent)
                end = program.run(
                    "ohlcv.py", "--directory", directory, *words, job={"symbol": name, "timeframe": timeframe}
                )
                self.assertEqual(end.code, 0, end.log)
                self.assertEqual((end.result["rows"], end.result["symbols"]), (count, [name]))


class Malformed(unittest.TestCase):
    """Each is refused, and the sentence says what and where."""

    GOOD = "time,open,high,low,close,volume\n" + "".join(
        f"2024-01-{day:02}T{hour:02}:00:00Z,10,11,9,10.5,100\n" for day in range(1, 11) for hour in range(24)
    )
    LINE = "2024-01-03T05:00:00Z,10,11,9,10.5,100\n"
    CASES = {
        "no header": (lambda good: good.split("\n", 1)[1], "no column for open"),
        "no close": (lambda good: good.replace("close", "klose"), "no column for close"),
        "price zero": (lambda good: good.replace("T05:00:00Z,10,", "T05:00:00Z,0,", 1), "zero or below at 2024-01-01 05:00"),
        "price below": (lambda good: good.replace("T05:00:00Z,10,", "T05:00:00Z,-3,", 1), "zero or below at 2024-01-01 05"),
        "no price": (lambda good: good.replace("T05:00:00Z,10,", "T05:00:00Z,,", 1), "missing or no number at 2024-01-01 05"),
        "text": (lambda good: good.replace("T05:00:00Z,10,", "T05:00:00Z,ten,", 1), "missing or no number"),
        "infinite": (lambda good: good.replace("10.5", "inf", 1), "missing or no number"),
        "upside down": (lambda good: good.replace("10,11,9", "10,8,9", 1), "the high is below the low"),
        "volume below": (lambda good: good.replace(",100\n", ",-1\n", 1), "a volume is missing or below zero"),
        "no time": (lambda good: good.replace("2024-01-03T05:00:00Z", "", 1), "has no time"),
        "times of nothing": (lambda good: good.replace("2024-01-03T05:00:00Z", "yesterday", 1), "ISO 8601"),
        "one time twice": (lambda good: good + Malformed.LINE.replace("10.5", "10.6"), "two bars that differ at 2024-01-03 05"),
        "a hole": (
            lambda good: good + good.split("\n", 1)[1].replace("2024-01", "2024-03"),
            "no bars from 2024-01-10 23:00:00+00:00 to 2024-03-01",
        ),
        "too few": (lambda good: "\n".join(good.split("\n")[:100]), "99 bars in all days; 200 are needed"),
        "one": (lambda good: "\n".join(good.split("\n")[:2]), "1 bars; 200 are needed"),
        "empty": (lambda good: "", "No columns"),
        "header only": (lambda good: good.split("\n")[0] + "\n", "0 bars"),
        "binary": (lambda good: "\x00\x01\x02" * 50, "no column for"),
    }

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def options(self, *words: str):
        return ohlcv.arguments(["--directory", str(self.directory), *words])

    def load(self, text: str, *words: str) -> pd.DataFrame:
        (self.directory / "X.csv").write_text(text)
        raw = ohlcv.from_directory(self.directory, "X", "1h")["X"]
        return ohlcv.ready(bars.normal(raw, "X"), "X", bars.period_of("1h"), 0, self.options(*words))

    def test_each_is_refused_with_its_place(self):
        self.assertEqual(len(data.quietly(self.load, self.GOOD)), 240)
        for name, (spoil, sentence) in self.CASES.items():
            with self.subTest(name), self.assertRaises(AdapterError) as refused:
                data.quietly(self.load, spoil(self.GOOD))
            self.assertIn(sentence, str(refused.exception), name)

    def test_what_is_harmless_is_mended_and_said(self):
        shuffled = self.GOOD.split("\n")[0] + "\n" + "\n".join(reversed(self.GOOD.strip().split("\n")[1:])) + "\n"
        for text in [shuffled, self.GOOD + self.LINE]:
            loaded = data.quietly(self.load, text)
            self.assertEqual(len(loaded), 240)
            self.assertTrue(loaded.index.is_monotonic_increasing and loaded.index.is_unique)

    def test_other_refusals(self):
        with self.assertRaisesRegex(AdapterError, "older than --max-age-days"):
            data.quietly(self.load, self.GOOD, "--max-age-days", "30")
        with self.assertRaisesRegex(AdapterError, "its bars are 0 days 01:00:00 apart, and the job asks for 0 days 00:15:00"):
            bars.resample(data.random_walk(300), bars.period_of("15m"), "X")
        with self.assertRaisesRegex(AdapterError, "the timeframe '1x'"):
            bars.period_of("1x")
        with self.assertRaisesRegex(AdapterError, "has no file NONE.csv"):
            ohlcv.from_directory(self.directory, "none", "1h")
        (self.directory / "X_1h.csv").write_text(self.GOOD)
        (self.directory / "X.csv").write_text(self.GOOD)
        with self.assertRaisesRegex(AdapterError, "both X.csv and X_1h.csv are there"):
            ohlcv.from_directory(self.directory, "X", "1h")

    def test_a_program_that_refuses_ends_with_1_and_a_sentence_and_no_answer(self):
        (self.directory / "X.csv").write_text(self.GOOD.replace("10.5", "-1", 1))
        end = program.run("ohlcv.py", "--directory", str(self.directory), job={"symbol": "X", "timeframe": "1h"})
        self.assertEqual((end.code, end.result), (1, None))
        self.assertTrue(end.log.strip().endswith("error: X: a price is zero or below at 2024-01-01 00:00:00+00:00 (1 such bars)"), end.log)

    def test_commands_that_fail(self):
        for words, sentence in [
            (["false"], "false ended with 1"),
            (["no-such-program"], "no-such-program cannot be run"),
            (["true"], "what true printed is no CSV"),
            (["printf", "symbol,open\nY,1\n"], "printed no bars of X"),
        ]:
            with self.subTest(words), self.assertRaisesRegex(AdapterError, sentence):
                ohlcv.from_command(words, "X", "1h", 5)


if __name__ == "__main__":
    unittest.main()
