"""The contract of docs/ADAPTERS.md for programs in Python. Nothing but the standard library: copy it beside your own.

A program finds `job.json` in its working directory, may say how far it is in `progress.json`, leaves its answer in
`result.json`, and exits 0. What it prints is the job's log.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Callable

CONTRACT = 1


class AdapterError(Exception):
    """Something that the operator can mend, in a sentence: the log's last line, and the step has failed."""


def read_job() -> dict[str, Any]:
    """What is asked (`job.json`)."""
    try:
        job = json.loads(Path("job.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AdapterError(f"there is no job.json in {Path.cwd()}: run this by `quantum-clm adapter check`") from None
    if job.get("contract") != CONTRACT:
        raise AdapterError(f"job.json is of contract {job.get('contract')!r}, this program knows {CONTRACT}")
    return job


def directory_of(job: dict[str, Any], what: str) -> Path:
    """Where things are: `data`, what the data program left; `artifacts`, the version's files (evaluate)."""
    directory = (job.get("directories") or {}).get(what)
    if directory is None:
        raise AdapterError(f"job.json names no directory of `{what}`: is there a program in [adapters] that makes it?")
    return Path(directory)


def secret(name: str) -> str:
    """A secret of `[adapters.<type>] secrets`: its file is named by the variable NAME_FILE, never its value."""
    path = os.environ.get(f"{name}_FILE")
    if path is None:
        raise AdapterError(f"the secret {name} is not there: add it to `secrets` of [adapters.<type>]")
    return Path(path).read_text(encoding="utf-8").strip()


def progress(share: float, message: str) -> None:
    """Says how far the program is, 0 to 1. Silence for longer than `no_progress` ends it."""
    _replace("progress.json", {"progress": min(max(share, 0.0), 1.0), "message": message})
    print(f"{share:4.0%} {message}")


def answer(result: dict[str, Any]) -> None:
    """Leaves the answer, whole or not at all: a program that dies while it writes has not answered."""
    _replace("result.json", result)


def write_json(path: str | Path, value: Any) -> None:
    """A file of JSON. Infinity and NaN are refused here, because no other reader takes them."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())


def run(program: Callable[[], None]) -> None:
    """Runs a program: its errors become one plain sentence and exit code 1, its lines reach the log as they come."""
    sys.stdout.reconfigure(line_buffering=True)
    try:
        program()
    except AdapterError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def _replace(path: str, value: Any) -> None:
    write_json(f"{path}.tmp", value)
    os.replace(f"{path}.tmp", path)
