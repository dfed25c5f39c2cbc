"""Data program: bars from a directory of CSV and Parquet files, or from a command that prints CSV.

    ohlcv.py --directory /srv/prices                       one file a symbol: GOOG.csv, BTCUSDT_1h.csv.gz, ethusdt-1h.parquet
    ohlcv.py -- fetch-bars {symbol} {timeframe} {days}     CSV on stdout, with a column `symbol` where there are several
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
from pathlib import Path

import pandas as pd

import bars
from clm_adapter import AdapterError, answer, progress, read_job, run

SUFFIXES = (".csv", ".csv.gz", ".parquet")


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, help="where the files lie")
    parser.add_argument("--timeframe", help="instead of the job's")
    parser.add_argument("--as-they-are", action="store_true", help="take bars of whatever period the files have")
    parser.add_argument("--span-days", type=int, help="instead of the job's dataset_span_days; 0: everything there is")
    parser.add_argument("--min-rows", type=int, default=200, help="fewer bars of a symbol are refused (%(default)s)")
    parser.add_argument("--max-gap-days", type=float, default=10, help="longer holes are refused (%(default)s)")
    parser.add_argument("--max-age-days", type=float, help="data that ends longer ago is refused")
    parser.add_argument("command", nargs="*", help="instead of --directory, behind `--`")
    options = parser.parse_args(words)
    if (options.directory is None) == (not options.command):
        parser.error("either --directory or a command behind `--`")
    return options


def main() -> None:
    options = arguments()
    job = read_job()
    timeframe = options.timeframe or job["timeframe"]
    span = job["dataset_span_days"] if options.span_days is None else options.span_days
    period = bars.period_of(timeframe)
    if options.command:
        raw = from_command(options.command, job["symbol"], timeframe, span)
    else:
        raw = from_directory(options.directory, job["symbol"], timeframe)

    found: dict[str, pd.DataFrame] = {}
    for number, (symbol, table) in enumerate(sorted(raw.items())):
        progress(number / len(raw), f"{symbol}: {len(table)} rows")
        found[symbol] = ready(bars.normal(table, symbol), symbol, None if options.as_they_are else period, span, options)
    bars.write(found)
    begins = min(frame.index[0] for frame in found.values())
    until = max(frame.index[-1] for frame in found.values())
    answer(
        {
            "data_range": {"from": instant(begins), "until": instant(until)},
            "rows": sum(map(len, found.values())),
            "files": [bars.FILE],
            "symbols": sorted(found),
        }
    )


def ready(
    table: pd.DataFrame, symbol: str, period: pd.Timedelta | None, span_days: int, options: argparse.Namespace
) -> pd.DataFrame:
    """The bars as they are trained on: of one period, finished ones only, of the asked span, enough and without holes."""
    if len(table) < 2:
        raise AdapterError(f"{symbol}: {len(table)} bars; {options.min_rows} are needed")
    table = bars.resample(table, period, symbol) if period is not None else table
    now = pd.Timestamp.now(tz="UTC")
    # An exchange gives the bar of the present, too. It is not over, and its close is a price that no model will see.
    table = table[table.index + (period or bars.usual_distance(table)) <= now]
    if len(table) and span_days > 0:
        table = table[table.index > table.index[-1] - pd.Timedelta(days=span_days)]
    if len(table) < options.min_rows:
        raise AdapterError(
            f"{symbol}: {len(table)} bars in {span_days or 'all'} days; {options.min_rows} are needed: "
            f"ask for more dataset_span_days (train --days N), bring more data, or lower --min-rows"
        )
    if options.max_age_days is not None and now - table.index[-1] > pd.Timedelta(days=options.max_age_days):
        raise AdapterError(f"{symbol}: the newest bar is of {table.index[-1]}, older than --max-age-days allows")
    bars.check_gaps(table, pd.Timedelta(days=options.max_gap_days), symbol)
    return table


def from_directory(directory: Path, symbol: str | None, timeframe: str) -> dict[str, pd.DataFrame]:
    """The file of the symbol; those of all symbols for a model of several."""
    if not directory.is_dir():
        raise AdapterError(f"there is no directory {directory}")
    files: dict[str, Path] = {}
    for path in sorted(directory.iterdir()):
        name = named(path, timeframe)
        if name is None or (symbol is not None and name != symbol.upper()):
            continue
        if name in files:
            raise AdapterError(f"{name}: both {files[name].name} and {path.name} are there; which one is meant?")
        files[name] = path
    if not files:
        wanted = symbol.upper() if symbol else "<SYMBOL>"
        raise AdapterError(f"{directory} has no file {wanted}.csv, {wanted}_{timeframe}.csv or the like ({', '.join(SUFFIXES)})")
    return {name: read_file(path) for name, path in files.items()}


def named(path: Path, timeframe: str) -> str | None:
    """The symbol that a file is of: `BTCUSDT` of `btcusdt_1h.csv`, unless it is of another timeframe."""
    suffix = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)
    if suffix is None or not path.is_file():
        return None
    stem = path.name[: -len(suffix)]
    found = re.fullmatch(r"(.+?)[_-](\d+[mhdw])", stem)
    if found is None:
        return stem.upper()
    return found[1].upper() if found[2] == timeframe else None


def read_file(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            # pandas keeps the times of its own Parquet files as the index.
            return table if isinstance(table.index, pd.RangeIndex) else table.reset_index(names="time")
        return pd.read_csv(path)
    except ImportError:
        raise AdapterError(f"{path}: Parquet needs requirements-parquet.txt (setup-adapters --parquet)") from None
    except (OSError, ValueError) as error:
        raise AdapterError(f"{path}: {error}") from None


def from_command(command: list[str], symbol: str | None, timeframe: str, days: int) -> dict[str, pd.DataFrame]:
    """What a command prints. No shell: the words are its arguments, and only `{symbol}`, `{timeframe}`, `{days}` are filled in."""
    filled = {"{symbol}": symbol or "", "{timeframe}": timeframe, "{days}": str(days)}
    words = [re.sub(r"\{(symbol|timeframe|days)\}", lambda found: filled[found[0]], word) for word in command]
    try:
        # Its stderr goes to the log as it comes.
        ended = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    except OSError as error:
        raise AdapterError(f"{words[0]} cannot be run: {error}") from None
    except subprocess.CalledProcessError as error:
        raise AdapterError(f"{words[0]} ended with {error.returncode}") from None
    try:
        table = pd.read_csv(io.BytesIO(ended.stdout))
    except ValueError as error:
        raise AdapterError(f"what {words[0]} printed is no CSV: {error}") from None
    column = next((name for name in table.columns if str(name).strip().lower() == "symbol"), None)
    if column is None:
        if symbol is None:
            raise AdapterError(f"what {words[0]} printed has no column `symbol`, and the model is of several")
        return {symbol.upper(): table}
    parts = {str(name).upper(): part.reset_index(drop=True) for name, part in table.groupby(column)}
    if symbol is not None:
        parts = {name: part for name, part in parts.items() if name == symbol.upper()}
    if not parts:
        raise AdapterError(f"{words[0]} printed no bars of {symbol or 'any symbol'}")
    return parts


def instant(time: pd.Timestamp) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    run(main)
