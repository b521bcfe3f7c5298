"""Whether what `ApplicabilityDomain` calls outside has larger errors.

Four tables with columns beside the formula, and expt_gap; five folds by composition. In each fold
the domain is learnt from the training rows alone. The model is extremely randomised trees on Magpie
features and atomic fractions, once with the standard deviation of its trees and once without any.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import benchmark_parser, read_data_set
from _markdown import write_markdown
from _results import RESULTS, append_rows, read_table
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import GroupKFold

from crabsk import CompositionTransformer
from crabsk.composition import reduced_formula
from crabsk.discovery import ApplicabilityDomain

TABLES = (
    "tables/vickers_hardness_GPa",
    "tables/mpea_yield_strength_MPa",
    "tables/obelix_log10_conductivity",
    "tables/liion_log10_conductivity",
    "matbench/expt_gap",
)
PACKAGES = ("numpy", "scikit-learn")


class Trees(RegressorMixin, BaseEstimator):
    """Extremely randomised trees."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: Any, y: np.ndarray) -> "Trees":
        self.features_ = CompositionTransformer(
            "magpie",
            stats=("mean", "avg_dev", "min", "max", "range", "mode", "fraction"),
            missing="mean",
        )
        features = self.features_.fit_transform(X)
        self.trees_ = ExtraTreesRegressor(100, random_state=self.random_state).fit(features, y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.trees_.predict(self.features_.transform(X))


class TreesWithStd(Trees):
    """The same with the standard deviation of its trees."""

    def predict(self, X: Any, return_std: bool = False) -> Any:
        features = self.features_.transform(X)
        answers = np.stack([tree.predict(features) for tree in self.trees_.estimators_])
        mean = answers.mean(axis=0)
        return (mean, answers.std(axis=0)) if return_std else mean


MODELS = {"with std": TreesWithStd, "without std": Trees}
RATIOS = {"with std": "ratio", "without std": "ratio without the trees' standard deviation"}


def measure(frame: pd.DataFrame, model: Any, fold: int) -> dict:
    X, y = frame.drop(columns="target"), frame["target"].to_numpy(float)
    groups = reduced_formula(frame[["formula"]])
    splitter = GroupKFold(5, shuffle=True, random_state=0)
    train, test = list(splitter.split(X, y, groups))[fold]
    start = time.perf_counter()
    domain = ApplicabilityDomain(model).fit(X.iloc[train], y[train])
    seconds = time.perf_counter() - start
    squares = (domain.estimator_.predict(X.iloc[test]) - y[test]) ** 2
    inside = domain.predict(X.iloc[test]) == 1
    return {
        "n_test": len(test),
        "n_outside": int((~inside).sum()),
        "squares_inside": float(squares[inside].sum()),
        "squares_outside": float(squares[~inside].sum()),
        "ratio_learnt": domain.ratio_,
        "seconds": seconds,
        "threads": torch.get_num_threads(),
    }


def make_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the root mean square errors inside and outside, over all folds."""
    rows = []
    for name, of_set in results.groupby("data_set", sort=False):
        row = {"data set": f"`{name.partition('/')[2]}`"}
        for model in MODELS:
            runs = of_set[of_set["model"] == model]
            sums = runs[["n_test", "n_outside", "squares_inside", "squares_outside"]].sum()
            inside = (sums["squares_inside"] / (sums["n_test"] - sums["n_outside"])) ** 0.5
            outside = (sums["squares_outside"] / sums["n_outside"]) ** 0.5
            if model == "with std":
                row["outside"] = f"{100 * sums['n_outside'] / sums['n_test']:.0f} %"
                row |= {"RMSE inside": f"{inside:.3g}", "RMSE outside": f"{outside:.3g}"}
            row[RATIOS[model]] = f"{outside / inside:.1f}"
        rows.append(row)
    return pd.DataFrame(rows)


def tables(options: argparse.Namespace) -> dict[str, str]:
    return {"domain": write_markdown(make_table(read_table(RESULTS / "domain.csv")))}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--data-sets", nargs="+", default=list(TABLES))
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--folds", type=int, nargs="+", default=range(5), choices=range(5))
    return parser.parse_args(arguments)


def main() -> None:
    options = read_options()
    sys.stdout.reconfigure(line_buffering=True)
    warnings.filterwarnings("ignore", message="outside of the domain")
    for name in [] if options.table_only else options.data_sets:
        frame = read_data_set(options.data, name)
        for model in options.models:
            for fold in options.folds:
                run = {"data_set": name, "model": model, "fold": fold}
                known = read_table(RESULTS / "domain.csv")
                if len(known) and (known[list(run)] == pd.Series(run)).all(axis=1).any():
                    continue
                row = measure(frame, MODELS[model](), fold)
                append_rows("domain", [{**run, **row}], packages=PACKAGES)
                print(run, row["n_outside"], row["n_test"])
    print(*tables(options).values())


if __name__ == "__main__":
    main()
