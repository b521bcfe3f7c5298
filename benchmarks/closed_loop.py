"""How fast a model leads to the best compounds of a table: discovery, played on known tables.

Twenty rows, drawn at random, are labelled to start with. In each of twenty rounds the five rows
that score highest are labelled, and the model is fitted again. What counts is the share of the
table's true top 5 % that is found. Rows with the same formula and the same other columns are one,
with the mean of their labels. More is better in all tables.

Forests and Gaussian processes look at Magpie features and the other columns. "Blend" is the mean of
the two, which also look at what a pretrained network knows (`PretrainedTransformer("both")`). "EI"
is the expected improvement, "mean" the prediction alone. The blend and "mean" were chosen on other
sets, jdft2d and 1500 rows of log_gvrh.

The pretrained weights know no composition of the sets of Matbench (``make_pretrained.py
--benchmark``); what the tables hold, no pretraining property is.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from _common import BENCHMARK_WEIGHTS, benchmark_parser, read_data_set
from _markdown import write_markdown, write_threads
from _results import RESULTS, append_rows, read_table
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.preprocessing import StandardScaler

from crabsk import CompositionTransformer, PretrainedTransformer
from crabsk.discovery import expected_improvement

TABLES = (
    "tables/vickers_hardness_GPa",
    "tables/mpea_yield_strength_MPa",
    "tables/obelix_log10_conductivity",
    "tables/liion_log10_conductivity",
    "matbench/expt_gap",
    "matbench/dielectric",
)
N_START, N_BATCH, N_ROUNDS = 20, 5, 20
SHARE = 0.05
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch")


class Forest(BaseEstimator):
    """A random forest, with the standard deviation of its trees."""

    def __init__(self, random_state: int) -> None:
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Forest":
        self.forest_ = RandomForestRegressor(100, random_state=self.random_state).fit(X, y)
        return self

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        answers = np.stack([tree.predict(X) for tree in self.forest_.estimators_])
        return answers.mean(axis=0), answers.std(axis=0)


class Process(BaseEstimator):
    """A Gaussian process on standardised features."""

    def __init__(self, random_state: int) -> None:
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Process":
        self.scaler_ = StandardScaler().fit(X)
        length = X.shape[1] ** 0.5
        kernel = ConstantKernel() * Matern(length, (0.1 * length, 100 * length), nu=2.5)
        self.process_ = GaussianProcessRegressor(
            kernel + WhiteKernel(0.1, (1e-4, 10.0)),
            normalize_y=True,
            random_state=self.random_state,
        ).fit(self.scaler_.transform(X), y)
        return self

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.process_.predict(self.scaler_.transform(X), return_std=True)


class Blend(BaseEstimator):
    """The mean of a forest and a Gaussian process, and the standard deviation of their mixture."""

    def __init__(self, random_state: int) -> None:
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Blend":
        self.parts_ = [kind(self.random_state).fit(X, y) for kind in (Forest, Process)]
        return self

    def predict(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        means, stds = (
            np.stack(part) for part in zip(*(m.predict(X) for m in self.parts_), strict=True)
        )
        return means.mean(axis=0), np.sqrt((stds**2).mean(axis=0) + means.var(axis=0))


def magpie(X: pd.DataFrame) -> np.ndarray:
    return np.asarray(CompositionTransformer("magpie", missing="mean").fit_transform(X))


def with_pretrained(X: pd.DataFrame) -> np.ndarray:
    """Return Magpie features, and the pretrained network's properties and vector."""
    known = PretrainedTransformer("both", weights=BENCHMARK_WEIGHTS).fit_transform(X[["formula"]])
    return np.hstack([magpie(X), known])


def mean_alone(mean: np.ndarray, std: np.ndarray, best: float) -> np.ndarray:
    return mean


class Way(NamedTuple):
    """What a model looks at, the model, and what it is asked for."""

    look: Callable
    make: Callable
    score: Callable = expected_improvement


WAYS: dict[str, Way | None] = {
    "random": None,
    "forest, EI": Way(magpie, Forest),
    "process, EI": Way(magpie, Process),
    "forest, mean": Way(magpie, Forest, mean_alone),
    "blend + pretrained, EI": Way(with_pretrained, Blend),
    "blend + pretrained, mean": Way(with_pretrained, Blend, mean_alone),
}


def play(features: Any, way: Way | None, y: np.ndarray, seed: int) -> list[float]:
    """Return the share of the best that is found at the start and after each round."""
    random_state = np.random.RandomState(seed)
    best = np.zeros(len(y), dtype=bool)
    best[np.argsort(-y, kind="stable")[: max(1, round(SHARE * len(y)))]] = True
    known = random_state.permutation(len(y))[:N_START]
    shares = [best[known].sum() / best.sum()]
    for _ in range(N_ROUNDS):
        rest = np.setdiff1d(np.arange(len(y)), known)
        if way is None:
            chosen = random_state.permutation(rest)[:N_BATCH]
        else:
            model = way.make(random_state.randint(2**31 - 1)).fit(features[known], y[known])
            mean, std = model.predict(features[rest])
            score = way.score(mean, std, y[known].max())
            chosen = rest[np.argsort(-score, kind="stable")[:N_BATCH]]
        known = np.concatenate([known, chosen])
        shares.append(best[known].sum() / best.sum())
    return shares


def read(data: Path, name: str) -> tuple[pd.DataFrame, np.ndarray]:
    frame = read_data_set(data, name)
    columns = [column for column in frame.columns if column != "target"]
    frame = frame.groupby(columns, as_index=False, sort=True)["target"].mean()
    return frame[columns], frame["target"].to_numpy(float)


def make_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the share found by each way, and its mean ratios to two of the ways."""
    last = f"share_{N_START + N_BATCH * N_ROUNDS}"
    means = results.pivot_table(index="data_set", columns="way", values=last)[list(WAYS)]
    means = means.loc[[name for name in TABLES if name in means.index]]
    rows = [
        {"table": f"`{name.partition('/')[2]}`", **{way: f"{its:.2g}" for way, its in row.items()}}
        for name, row in means.iterrows()
    ]
    overall = means.mean()
    rows.append({"table": "mean", **{way: f"{its:.2f}" for way, its in overall.items()}})
    for other in ("random", "forest, EI"):
        for what, ratios in {
            "mean of the ratios": means.div(means[other], axis=0).mean(),
            "ratio of the means": overall / overall[other],
        }.items():
            cells = {way: f"{its:.2f}" for way, its in ratios.items()}
            rows.append({"table": f"to “{other}”, {what}", **cells})
    return pd.DataFrame(rows)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "closed_loop.csv")
    seeds = results.groupby(["data_set", "way"])["seed"].nunique()
    caption = (
        f"Share of the true top {100 * SHARE:g} % found after {N_START + N_BATCH * N_ROUNDS} "
        f"labels, mean of {seeds.min()} seeds; threads: {write_threads(results)}."
    )
    return {"closed-loop": f"{caption}\n\n{write_markdown(make_table(results))}"}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--data-sets", nargs="+", default=list(TABLES))
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=range(10))
    return parser.parse_args(arguments)


def main() -> None:
    options = read_options()
    sys.stdout.reconfigure(line_buffering=True)
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name in [] if options.table_only else options.data_sets:
        X, y = read(options.data, name)
        for way in options.ways:
            known = read_table(RESULTS / "closed_loop.csv")
            if len(known):
                known = known[(known["data_set"] == name) & (known["way"] == way)]
            seeds = [s for s in options.seeds if not len(known) or s not in set(known["seed"])]
            if not seeds:
                continue
            played = WAYS[way]
            features = None if played is None else played.look(X)
            found = []
            for seed in seeds:
                start = time.perf_counter()
                shares = play(features, played, y, seed)
                row = {
                    "data_set": name,
                    "way": way,
                    "seed": seed,
                    "rows": len(y),
                    "seconds": time.perf_counter() - start,
                    "threads": torch.get_num_threads(),
                    **{f"share_{N_START + k * N_BATCH}": x for k, x in enumerate(shares)},
                }
                append_rows("closed_loop", [row], packages=PACKAGES)
                found.append(shares[-1])
            print(f"{name}, {way}: {np.mean(found):.3f}, mean of {len(found)} seeds")
    print(*tables(options).values())


if __name__ == "__main__":
    main()
