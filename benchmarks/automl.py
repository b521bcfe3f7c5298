"""How good AutoRegressor and AutoClassifier are, beside forests and beside their own candidates.

Tables with columns beside the formula (folds by composition), and sets of Matbench (official
folds). The pretrained weights know no composition of these sets (``make_pretrained.py
--benchmark``). A run is one fold. Each model of it is a row of results/automl.csv: the ensemble,
its candidates ("ensemble: crabnet", from the same fit), and random forest and extra trees on Magpie
features, with and without atomic fractions. In an environment that has AutoGluon, it is measured
too, on Magpie features and in the same time. A benchmark that is interrupted goes on where it was.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import BENCHMARK_WEIGHTS, benchmark_parser
from _markdown import percent, write_markdown
from _results import RESULTS, append_rows, described, read_table
from _runs import Data, load_matbench, load_table, on_magpie
from sklearn.base import BaseEstimator, is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import mean_absolute_error, roc_auc_score

from crabsk import AutoClassifier, AutoRegressor, CompositionTransformer
from crabsk.metrics import coverage
from crabsk.neural_network import ConflictingTargetsWarning

TABLES = (
    "vickers_hardness_GPa",
    "mpea_yield_strength_MPa",
    "obelix_log10_conductivity",
    "liion_log10_conductivity",
)
OF_CLASSES = ("expt_is_metal",)
MATBENCH = ("steels", "jdft2d", "expt_gap", "dielectric", "log_gvrh", "log_kvrh", *OF_CLASSES)
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch")
LEVEL = 0.9


def forests(*, of_classes: bool) -> dict[str, Any]:
    """Return what makes each forest from its seed."""
    kinds = {
        "random_forest": RandomForestClassifier if of_classes else RandomForestRegressor,
        "extra_trees": ExtraTreesClassifier if of_classes else ExtraTreesRegressor,
    }
    return {
        f"{name}_{features}": partial(on_magpie, kind, fractions=features == "fractions")
        for name, kind in kinds.items()
        for features in ("magpie", "fractions")
    }


class AutoGluon(BaseEstimator):
    """AutoGluon on Magpie features, as its page says how to use it."""

    def __init__(self, time_limit: float, *, of_classes: bool) -> None:
        self.time_limit = time_limit
        self.of_classes = of_classes

    def fit(self, X: Any, y: np.ndarray) -> "AutoGluon":
        from autogluon.tabular import TabularPredictor

        self.features_ = CompositionTransformer("magpie", missing="mean")
        table = pd.DataFrame(self.features_.fit_transform(X)).assign(target=y)
        self.predictor_ = TabularPredictor(
            "target",
            problem_type="binary" if self.of_classes else "regression",
            eval_metric="log_loss" if self.of_classes else "mean_absolute_error",
            path=tempfile.mkdtemp(),
            verbosity=0,
        ).fit(table, time_limit=self.time_limit, num_cpus=torch.get_num_threads())
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.predictor_.predict(self._table(X)).to_numpy()

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.predictor_.predict_proba(self._table(X)).to_numpy()

    def _table(self, X: Any) -> pd.DataFrame:
        return pd.DataFrame(self.features_.transform(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier" if self.of_classes else "regressor"
        return tags


def scores(model: Any, X: Any, y: np.ndarray) -> dict[str, float]:
    """Return the errors of a fitted model, and how long it takes to predict."""
    start = time.perf_counter()
    if is_classifier(model):
        shares = model.predict_proba(X)[:, 1]
        found = {
            "roc_auc": roc_auc_score(y, shares),
            "roc_auc_hard": roc_auc_score(y, shares > 0.5),
        }
    elif isinstance(model, AutoRegressor):
        mean, std = model.predict(X, return_std=True)
        found = {
            "mae": mean_absolute_error(y, mean),
            "coverage": coverage(y, mean, std, level=LEVEL),
        }
    else:
        found = {"mae": mean_absolute_error(y, model.predict(X))}
    return {**found, "predict_seconds": time.perf_counter() - start}


def timed(model: Any, X: Any, y: np.ndarray) -> dict[str, float]:
    start, start_cpu = time.perf_counter(), time.process_time()
    model.fit(X, y)
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - start_cpu,
    }


def of_candidates(auto: Any, X: Any, y: np.ndarray) -> list[dict]:
    """Return the scores of the candidates that are in an ensemble, each by its models of folds."""
    weights, rows = auto.weights_, []
    for name, weight in weights.items():
        auto.weights_ = {name: 1.0}
        found = scores(auto, X, y)
        found.pop("coverage", None)
        its = auto.leaderboard_.loc[name]
        rows.append(
            {
                "model": f"ensemble: {name}",
                "weight": weight,
                **found,
                "seconds": float(its["fit_seconds"]),
                "note": its["note"],
            }
        )
    auto.weights_ = weights
    return rows


def measure(data: Data, fold: int, seed: int, time_limit: float, *, of_classes: bool) -> list[dict]:
    """Return a row for each model."""
    train, test = data.folds[fold]
    X, y, X_test, y_test = data.X[train], data.y[train], data.X[test], data.y[test]
    kind = AutoClassifier if of_classes else AutoRegressor
    auto = kind(time_limit=time_limit, weights=BENCHMARK_WEIGHTS, random_state=seed)
    fitted = timed(auto, X, y)
    print(auto.leaderboard_[["mean", "std", "weight", "fit_seconds", "note"]].to_string())
    rows = [{"model": "ensemble", **scores(auto, X_test, y_test), **fitted, **described(auto)}]
    rows += of_candidates(auto, X_test, y_test)
    peers = {name: make(seed) for name, make in forests(of_classes=of_classes).items()}
    if find_spec("autogluon"):
        peers["autogluon"] = AutoGluon(time_limit, of_classes=of_classes)
    for name, model in peers.items():
        fitted = timed(model, X, y)
        rows.append({"model": name, **scores(model, X_test, y_test), **fitted})
    shared = {
        "fold": fold,
        "seed": seed,
        "time_limit": time_limit,
        "n_train": len(train),
        "n_test": len(test),
        "threads": torch.get_num_threads(),
    }
    return [{**shared, **row} for row in rows]


def best_single(rows: pd.DataFrame, score: str) -> float:
    """Return the score of the best candidate that is in the ensemble."""
    its = rows.loc[rows["model"].str.startswith("ensemble: "), score]
    return its.min() if score == "mae" else its.max()


def best_forest(rows: pd.DataFrame, score: str) -> float:
    its = rows.loc[rows["model"].isin(forests(of_classes=False)), score]
    return its.min() if score == "mae" else its.max()


def make_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each fold: the ensemble, and its score over that of the others."""
    rows = []
    runs = ["data_set", "fold", "seed", "time_limit"]
    for (name, fold, _, limit), its in results.groupby(runs):
        score = "mae" if its["mae"].notna().any() else "roc_auc_hard"
        ensemble = its[its["model"] == "ensemble"].iloc[0]
        others = {
            "best candidate in it": best_single(its, score),
            "best of four forests": best_forest(its, score),
            "AutoGluon": its.loc[its["model"] == "autogluon", score].mean(),
        }
        inside = ensemble["coverage"]
        rows.append(
            {
                "data set, fold": f"`{name}`, {fold}",
                "score": "MAE" if score == "mae" else "ROC AUC of hard labels",
                "AutoML": f"{ensemble[score]:.3g}",
                **{
                    title: ""
                    if np.isnan(its_score)
                    else f"{its_score:.3g} ({percent(ensemble[score] / its_score)})"
                    for title, its_score in others.items()
                },
                "inside 90 % intervals": "" if np.isnan(inside) else f"{inside:.2f}",
                "limit, threads": f"{limit:g} s, {ensemble['threads']:g}",
                "seconds": f"{ensemble['seconds']:.0f}",
                "CPU seconds": f"{ensemble['cpu_seconds']:.0f}",
            }
        )
    return pd.DataFrame(rows)


def mean_ratios(results: pd.DataFrame) -> str:
    """Write the geometric mean of the errors over those of AutoGluon and of the best forest."""
    regression = results[results["mae"].notna()]
    ratios = []
    for _, its in regression.groupby(["data_set", "fold", "seed", "time_limit"]):
        mae = its.set_index("model")["mae"]
        if "autogluon" in mae:
            ratios.append(
                [mae["ensemble"] / mae["autogluon"], mae["ensemble"] / best_forest(its, "mae")]
            )
    to_autogluon, to_forest = np.exp(np.log(ratios).mean(axis=0))
    return (
        f"Geometric mean of the MAE over {len(ratios)} folds with AutoGluon: "
        f"{percent(to_autogluon)} to "
        f"AutoGluon, {percent(to_forest)} to the best of the four forests, chosen with the test "
        "rows in sight."
    )


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "automl.csv")
    return {"automl": f"{write_markdown(make_table(results))}\n\n{mean_ratios(results)}"}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--data-sets", nargs="+", default=list(TABLES), choices=TABLES + MATBENCH)
    parser.add_argument("--folds", type=int, nargs="+", default=range(5), choices=range(5))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--time-limit", type=float, default=600, help="seconds (default: 600)")
    options = parser.parse_args(arguments)
    options.fetch = False
    return options


def main() -> None:
    options = read_options()
    warnings.simplefilter("ignore", ConflictingTargetsWarning)
    for name in [] if options.table_only else options.data_sets:
        load = load_table if name in TABLES else load_matbench
        data = load(name, options)
        for fold in options.folds:
            for seed in options.seeds:
                known = read_table(RESULTS / "automl.csv")
                run = {"data_set": name, "fold": fold, "seed": seed}
                run["time_limit"] = options.time_limit
                if len(known) and (known[list(run)] == pd.Series(run)).all(axis=1).any():
                    continue
                rows = measure(data, fold, seed, options.time_limit, of_classes=name in OF_CLASSES)
                rows = [{"data_set": name, **row} for row in rows]
                append_rows("automl", rows, packages=PACKAGES)
                score = "mae" if "mae" in rows[0] else "roc_auc_hard"
                told = ", ".join(f"{row['model']} {row[score]:.4g}" for row in rows)
                print(f"{name}, fold {fold}, seed {seed}: {told}", flush=True)
    print(*tables(options).values())


if __name__ == "__main__":
    main()
