"""Which test compositions of Matbench have labels elsewhere: in its other tasks, or in training.

For each official fold of a task: the share of its test rows whose composition (reduced formula) is
among the training rows of another task's fold of the same number, or of its own. A model that
trains on several tasks at once has seen these labels. A row of results/leaks.csv for each pair and
fold.
"""

import argparse
import time
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from _common import (
    benchmark_parser,
    read_data_set,
    run_benchmark,
)
from _markdown import write_markdown
from _results import RESULTS, append_rows, read_table

from crabsk.composition import reduced_formula
from crabsk.datasets import matbench_folds

N_FOLDS = 5
# A task, and one whose labels tell something of it.
PAIRS = (
    ("expt_gap", "expt_is_metal"),
    ("expt_is_metal", "expt_gap"),
    ("log_gvrh", "log_kvrh"),
    ("log_kvrh", "log_gvrh"),
    ("mp_gap", "mp_is_metal"),
    ("dielectric", "mp_gap"),
    ("jdft2d", "mp_e_form"),
    ("log_kvrh", "mp_e_form"),
    *((name, name) for name in ("steels", "expt_gap", "jdft2d", "dielectric", "log_kvrh")),
    *((name, name) for name in ("perovskites", "mp_gap", "mp_e_form")),
)


def measure(options: argparse.Namespace) -> None:
    @lru_cache
    def folds(name: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the compositions of the training rows and of the test rows of each fold."""
        frame = read_data_set(options.data, f"matbench/{name}")
        X, y = frame["formula"].to_numpy(object), frame["target"].to_numpy()
        reduced = np.asarray(reduced_formula(X), dtype=object)
        return [(reduced[train], reduced[test]) for train, test in matbench_folds(name).split(X, y)]

    rows = []
    for tested, trained in PAIRS:
        for fold in range(N_FOLDS):
            start = time.perf_counter()
            known, asked = set(folds(trained)[fold][0]), folds(tested)[fold][1]
            share = float(np.mean([formula in known for formula in asked]))
            row = {"tested": tested, "trained": trained, "fold": fold, "n_test": len(asked)}
            row |= {"share": share, "seconds": time.perf_counter() - start, "threads": 1}
            rows.append(row)
    append_rows("leaks", rows, packages=("numpy",))


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "leaks.csv")
    rows = []
    for (tested, trained), its in results.groupby(["tested", "trained"], sort=False):
        low, mean, high = (100 * its["share"].agg(how) for how in ("min", "mean", "max"))
        rows.append(
            {
                "test rows of": f"`{tested}`",
                "have labels in the training rows of": f"`{trained}`"
                if trained != tested
                else "the same task",
                "share (lowest–highest fold)": f"{mean:.0f} % ({low:.0f}–{high:.0f})",
            }
        )
    return {"leaks": write_markdown(pd.DataFrame(rows))}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    return parser.parse_args(arguments)


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
