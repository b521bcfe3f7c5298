"""What a search costs in two processes, beside one.

The same grid of CrabNetRegressor is searched one fit after the other and with ``n_jobs=2``. Fits
use as many threads as torch has, one of them or two. With one, two processes should take half the
time of one. With two, they have nothing to gain over members that train side by side, and should
lose nothing: the threads of nested parallelism must not get into each other's way. The worker
processes are started, and have imported everything, before the clock runs. The scores must be the
same.

Ratios are those of two searches next to each other, in several repeats.
"""

import argparse
import json
import time
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from _common import (
    run_benchmark,
    spread,
)
from _markdown import write_markdown, write_spread
from _results import RESULTS, append_rows, of_last_commit, read_table
from sklearn.model_selection import GridSearchCV
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.datasets import load_formation_enthalpy

GRID = {"learning_rate": [5e-4, 1e-3], "dropout": [0.0, 0.1]}
SETTINGS = {"n_estimators": 2}
N_ROWS = 1000
LIMITS = {1: 0.65, 2: 1.05}  # of the time of n_jobs=1, for each number of threads


def search(n_jobs: int, threads: int, max_epochs: int) -> tuple[float, np.ndarray]:
    """Return the seconds that a search takes, and its scores."""
    X, y = load_formation_enthalpy(return_X_y=True)
    torch.set_num_threads(threads)
    model = CrabNetRegressor(**SETTINGS, max_epochs=max_epochs, random_state=0)
    grid = GridSearchCV(model, GRID, cv=2, n_jobs=n_jobs, refit=False)
    start = time.perf_counter()
    grid.fit(X[:N_ROWS], y[:N_ROWS])
    return time.perf_counter() - start, grid.cv_results_["mean_test_score"]


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "searching.csv")
    rows = [
        {
            "threads of torch": row["threads"],
            "`n_jobs=1` (s)": write_spread(row, "seconds", ".1f"),
            "`n_jobs=2` (s)": write_spread(row, "seconds_of_two_processes", ".1f"),
            "ratio": write_spread(row, "ratio", ".2f"),
            "asked for": f"at most {LIMITS[row['threads']]}",
            "scores differ by": f"{row['largest_difference_of_scores']:.0e}",
        }
        for row in of_last_commit(results, ["threads"]).to_dict("records")
    ]
    return {"searching": write_markdown(pd.DataFrame(rows))} if rows else {}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--max-epochs", type=int, default=6)
    parser.add_argument("--table-only", action="store_true", help="measure nothing")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> None:
    # Noted by the fits, of no account here: equal formulas with different targets.
    warnings.simplefilter("ignore")
    search(2, 1, 1)
    for threads in LIMITS:
        seconds: dict[int, list[float]] = {1: [], 2: []}
        difference = 0.0
        for _ in tqdm(range(options.repeats), desc=f"{threads} threads"):
            scores = {}
            for n_jobs, times in seconds.items():
                elapsed, scores[n_jobs] = search(n_jobs, threads, options.max_epochs)
                times.append(elapsed)
            difference = max(difference, float(abs(scores[1] - scores[2]).max()))
        row = {
            "repeats": options.repeats,
            "epochs": options.max_epochs,
            "seconds": spread(seconds[1]),
            "seconds_of_two_processes": spread(seconds[2]),
            "ratio": spread([b / a for a, b in zip(seconds[1], seconds[2], strict=True)]),
            "largest_difference_of_scores": difference,
            "threads": threads,
            "parameters": json.dumps(SETTINGS),
        }
        append_rows("searching", [row], packages=("numpy", "scikit-learn", "joblib", "torch"))


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
