"""Train program of the model types xgboost and lightgbm: what ohlcv.py loaded becomes a model file.

    [adapters.xgboost]
    train = ["…/bin/python", "…/train_gbt.py"]

What it learns with is the job's: `training_params` and `feature_config` (settings.py, docs/ADAPTERS.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import bars
import gbt
from clm_adapter import answer, directory_of, progress, read_job, run, write_json
from samples import samples_of
from settings import settings_of

# SHAP values of so many rows say what those of all would; the newest are taken.
EXPLAINED_ROWS = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    job = read_job()
    settings = settings_of(job)
    library = job["model_type"]

    progress(0.05, "features and labels")
    frames = bars.read(directory_of(job, "data"))
    samples = samples_of(frames, settings)
    progress(0.2, f"training on {len(samples)} samples of {len(frames)} symbols, {len(samples.names)} features")
    model, learnt, tried = gbt.fit(library, samples, settings)
    progress(0.8, f"{model.rounds} trees; learnt from {len(learnt)} samples, validated with {len(tried)}")

    file = model.save(Path("."))
    parameters = settings.as_parameters()
    # What a service needs to use the model as it was trained: these columns, in this order, and what they predict.
    write_json(
        "metadata.json",
        {
            "library": library,
            "library_version": gbt.version_of(library),
            "features": model.names,
            "parameters": parameters,
            "rounds": model.rounds,
            "symbols": sorted(frames),
            "timeframe": job["timeframe"],
            "learnt_until": instant(learnt.ends.max()),
        },
    )
    # The validation said when to stop, so the model has seen it, too: the data's range covers both, and only what lies
    # after its end is out of sample.
    used = np.concatenate([learnt.ends, tried.ends])
    answer(
        {
            "artifacts": [file, "metadata.json"],
            "train_metrics": gbt.metrics(settings.label, model.predict(learnt.features), learnt.labels),
            "validation_metrics": gbt.metrics(settings.label, model.predict(tried.features), tried.labels),
            "feature_count": len(model.names),
            "data_range": {"from": instant(learnt.times.min()), "until": instant(used.max())},
            "feature_importances": model.importances(tried.features[-EXPLAINED_ROWS:]),
            "importance_method": "mean |SHAP|",
            "parameters": parameters,
            "extra": {"library": f"{library} {gbt.version_of(library)}", "rounds": model.rounds, "symbols": sorted(frames)},
        }
    )


def instant(time: np.datetime64) -> str:
    return f"{np.datetime_as_string(time, unit='s')}Z"


if __name__ == "__main__":
    run(main)
