"""Runs the programs as a worker does: in a directory of their own, with a job.json, and nothing but what they leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import clm_adapter

PROGRAMS = Path(clm_adapter.__file__).parent
JOB: dict[str, Any] = {
    "contract": 1,
    "job_id": "01J00000000000000000000000",
    "program": "data",
    "model_id": "xgboost_goog_1d",
    "model_type": "xgboost",
    "symbol": "GOOG",
    "timeframe": "1d",
    "regime": None,
    "dataset_span_days": 0,
    "training_params": None,
    "feature_config": None,
    "trigger_reason": "manual",
    "triggered_by": "test",
    "parent_version": None,
    "strategy_candidate_id": None,
    "version": None,
    "hook": None,
    "results": {},
    "artifacts": {},
    "directories": {},
}


class Ended:
    """How a program ended: its exit code, its log, its answer where it left one."""

    def __init__(self, directory: Path, code: int, log: str):
        self.directory, self.code, self.log = directory, code, log
        path = directory / "result.json"
        self.result = json.loads(path.read_text()) if path.exists() else None


def run(program: str, *words: str, job: dict[str, Any] | None = None, directory: Path | None = None) -> Ended:
    """Runs one. `job` changes the usual one; None as a whole leaves no job.json."""
    directory = Path(tempfile.mkdtemp()) if directory is None else directory
    directory.mkdir(exist_ok=True)
    if job is not None:
        (directory / "job.json").write_text(json.dumps(JOB | job))
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAMS / program), *words],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As clean as a worker's: what a program needs it is given by the contract.
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=600,
    )
    return Ended(directory, ended.returncode, ended.stdout)


def chain(root: Path, prices: Path, data: list[str] = [], evaluate: list[str] = [], **job: Any) -> dict[str, Ended]:
    """All three, each with what those before it left and answered."""
    request = JOB | job | {"directories": {"data": None, "artifacts": None}, "results": {}}
    ends = {}
    for name, program, words in [
        ("data", "ohlcv.py", ["--directory", str(prices), *data]),
        ("train", "train_gbt.py", []),
        ("evaluate", "evaluate_walk_forward.py", evaluate),
    ]:
        request["program"] = name
        end = run(program, *words, job=request, directory=root / name)
        assert end.code == 0, f"{program} ended with {end.code}:\n{end.log}"
        request["directories"][{"data": "data", "train": "artifacts", "evaluate": "work"}[name]] = str(root / name)
        request["results"][name] = end.result
        ends[name] = end
    return ends
