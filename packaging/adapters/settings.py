"""What a job may set (`training_params`, `feature_config`), with the defaults, checked before anything is computed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from clm_adapter import AdapterError


@dataclass(frozen=True)
class Settings:
    """One vocabulary for both libraries; gbt.py translates. Plain numbers, so that they can be varied one by one."""

    # What is predicted: `direction` (whether the price rises) or `magnitude` (by how much, as a log-return).
    label: str = "direction"
    # Over how many bars.
    horizon: int = 5
    # Over how many bars each feature looks back.
    windows: tuple[int, ...] = (5, 10, 20, 60)
    # Features that are left out, by name.
    exclude: tuple[str, ...] = ()
    # The last part of the training data: it says when to stop, and gives the validation's figures.
    validation_share: float = 0.2
    # Bars between what a model learns from and what it is tried on, beyond those that the label needs anyway.
    embargo: int = 0
    # At most so many trees; training stops when the validation has not become better for a while.
    rounds: int = 500
    early_stopping_rounds: int = 50
    max_depth: int = 4
    learning_rate: float = 0.03
    subsample: float = 0.8
    colsample: float = 0.8
    min_child_weight: float = 5.0
    reg_lambda: float = 1.0
    reg_alpha: float = 0.0
    seed: int = 17
    # More are faster, but sums in another order end in other last digits: results compare between machines only with one.
    threads: int = 1

    def as_parameters(self) -> dict[str, Any]:
        """As they are recorded with the version."""
        return asdict(self) | {"windows": list(self.windows), "exclude": list(self.exclude)}


BOUNDS: dict[str, tuple[float, float]] = {
    "horizon": (1, 1_000),
    "validation_share": (0.05, 0.5),
    "embargo": (0, 10_000),
    "rounds": (1, 20_000),
    "early_stopping_rounds": (1, 5_000),
    "max_depth": (1, 12),
    "learning_rate": (1e-4, 1.0),
    "subsample": (0.1, 1.0),
    "colsample": (0.1, 1.0),
    "min_child_weight": (0.0, 1e6),
    "reg_lambda": (0.0, 1e6),
    "reg_alpha": (0.0, 1e6),
    "seed": (0, 2**31 - 1),
    "threads": (1, 256),
}
FEATURE_KEYS = ("windows", "exclude")


def settings_of(job: dict[str, Any]) -> Settings:
    """The job's settings. A misspelt key is an error: a training that quietly ignored it would be believed."""
    asked = dict(job.get("training_params") or {})
    for key, value in (job.get("feature_config") or {}).items():
        if key not in FEATURE_KEYS:
            raise AdapterError(f"feature_config.{key} is not known; there are {', '.join(FEATURE_KEYS)}")
        asked[key] = value
    return of_parameters(asked)


def of_parameters(asked: dict[str, Any]) -> Settings:
    """Settings out of JSON."""
    known = {field.name: field for field in fields(Settings)}
    taken: dict[str, Any] = {}
    for key, value in asked.items():
        if key not in known:
            raise AdapterError(f"training_params.{key} is not known; there are {', '.join(known)}")
        taken[key] = _value(key, value)
    return replace(Settings(), **taken)


def _value(key: str, value: Any) -> Any:
    if key == "label":
        if value not in ("direction", "magnitude"):
            raise AdapterError(f"label is direction or magnitude, not {value!r}")
        return value
    if key == "windows":
        if not isinstance(value, (list, tuple)) or not all(_whole(item) and 2 <= item <= 5_000 for item in value) or not value:
            raise AdapterError("windows is a list of whole numbers from 2 to 5000")
        return tuple(sorted({int(item) for item in value}))
    if key == "exclude":
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
            raise AdapterError("exclude is a list of names of features")
        return tuple(value)
    least, most = BOUNDS[key]
    whole = isinstance(getattr(Settings, key), int)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise AdapterError(f"{key} is a number from {least:g} to {most:g}, not {value!r}")
    # Whoever varies parameters by a share of their value (10 more or less) arrives at fractions of bars and trees.
    return round(value) if whole else float(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
