"""Gradient-boosted trees, by XGBoost or LightGBM, with one vocabulary of settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clm_adapter import AdapterError
from samples import Samples, cut
from settings import Settings


@dataclass(frozen=True)
class Model:
    """A trained model. `rounds` is the number of trees that did best on the validation; only those are used."""

    library: str
    booster: Any
    names: list[str]
    rounds: int

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The probability of a rise (`direction`), or the expected log-return (`magnitude`)."""
        if self.library == "xgboost":
            return self.booster.predict(_matrix(features, None, self.names), iteration_range=(0, self.rounds))
        return self.booster.predict(features, num_iteration=self.rounds)

    def importances(self, features: np.ndarray) -> dict[str, float]:
        """Mean |SHAP| of each feature over these rows, largest first.

        Both libraries compute the exact values for trees themselves (Lundberg et al. 2020, TreeSHAP). The last column is
        the model's expectation, which belongs to no feature.
        """
        if self.library == "xgboost":
            matrix = _matrix(features, None, self.names)
            values = self.booster.predict(matrix, pred_contribs=True, iteration_range=(0, self.rounds))
        else:
            values = self.booster.predict(features, pred_contrib=True, num_iteration=self.rounds)
        means = np.abs(values[:, :-1]).mean(axis=0)
        return {name: float(mean) for name, mean in sorted(zip(self.names, means), key=lambda pair: (-pair[1], pair[0]))}

    def save(self, directory: Path) -> str:
        """Writes the trees that are used, in the library's own format, and says the file's name."""
        if self.library == "xgboost":
            self.booster[: self.rounds].save_model(directory / "model.json")
            return "model.json"
        self.booster.save_model(directory / "model.txt", num_iteration=self.rounds)
        return "model.txt"


def version_of(library: str) -> str:
    """Which version of the library made the model, because only a like one is sure to read it."""
    return __import__(library).__version__


def fit(library: str, samples: Samples, settings: Settings) -> tuple[Model, Samples, Samples]:
    """Learns from the earlier samples and stops by the later ones; says which were which."""
    learnt, tried = cut(samples, settings)
    if settings.label == "direction" and len(np.unique(learnt.labels)) < 2:
        raise AdapterError("the price only ever rose, or never did: there is no direction to learn")
    if library == "xgboost":
        return _xgboost(learnt, tried, settings), learnt, tried
    if library == "lightgbm":
        return _lightgbm(learnt, tried, settings), learnt, tried
    raise AdapterError(f"model type {library}: this program trains xgboost and lightgbm")


def _matrix(features: np.ndarray, labels: np.ndarray | None, names: list[str], threads: int = 1) -> Any:
    import xgboost

    return xgboost.DMatrix(features, label=labels, feature_names=names, nthread=threads)


def _xgboost(learnt: Samples, tried: Samples, settings: Settings) -> Model:
    import xgboost

    direction = settings.label == "direction"
    parameters = {
        "objective": "binary:logistic" if direction else "reg:squarederror",
        "eval_metric": "logloss" if direction else "rmse",
        "tree_method": "hist",
        "max_depth": settings.max_depth,
        "learning_rate": settings.learning_rate,
        "subsample": settings.subsample,
        "colsample_bytree": settings.colsample,
        "min_child_weight": settings.min_child_weight,
        "reg_lambda": settings.reg_lambda,
        "reg_alpha": settings.reg_alpha,
        "seed": settings.seed,
        "nthread": settings.threads,
    }
    booster = xgboost.train(
        parameters,
        _matrix(learnt.features, learnt.labels, learnt.names, settings.threads),
        settings.rounds,
        evals=[(_matrix(tried.features, tried.labels, tried.names, settings.threads), "validation")],
        early_stopping_rounds=settings.early_stopping_rounds,
        verbose_eval=False,
    )
    return Model("xgboost", booster, learnt.names, booster.best_iteration + 1)


def _lightgbm(learnt: Samples, tried: Samples, settings: Settings) -> Model:
    import lightgbm

    direction = settings.label == "direction"
    parameters = {
        "objective": "binary" if direction else "regression",
        "metric": "binary_logloss" if direction else "rmse",
        "max_depth": settings.max_depth,
        "num_leaves": 2**settings.max_depth,
        "learning_rate": settings.learning_rate,
        "bagging_fraction": settings.subsample,
        "bagging_freq": 1,
        "feature_fraction": settings.colsample,
        "min_sum_hessian_in_leaf": settings.min_child_weight,
        "lambda_l2": settings.reg_lambda,
        "lambda_l1": settings.reg_alpha,
        "seed": settings.seed,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(learnt.features, learnt.labels, feature_name=learnt.names)
    booster = lightgbm.train(
        parameters,
        data,
        settings.rounds,
        valid_sets=[data.create_valid(tried.features, tried.labels)],
        callbacks=[lightgbm.early_stopping(settings.early_stopping_rounds, verbose=False)],
    )
    return Model("lightgbm", booster, learnt.names, booster.best_iteration)


def metrics(label: str, predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """How well predictions fit. `base_rate` is what one gets by always saying the same: the accuracy to beat."""
    if label == "magnitude":
        return {
            "rmse": float(np.sqrt(np.mean((predicted - true) ** 2))),
            "rank_correlation": _correlation(_ranks(predicted), _ranks(true)),
        }
    sure = np.clip(predicted.astype("float64"), 1e-7, 1 - 1e-7)
    up = true > 0.5
    ranks = _ranks(predicted)
    pairs = int(up.sum()) * int((~up).sum())
    result = {
        "accuracy": float(np.mean((predicted > 0.5) == up)),
        "base_rate": float(max(up.mean(), 1 - up.mean())),
        "log_loss": float(-np.mean(np.where(up, np.log(sure), np.log1p(-sure)))),
    }
    if pairs:
        # The share of pairs of a rise and a fall that are in the right order (Mann and Whitney).
        result["auc"] = float((ranks[up].sum() - up.sum() * (up.sum() + 1) / 2) / pairs)
    return result


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
