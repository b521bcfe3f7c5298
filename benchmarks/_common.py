"""What the benchmarks share: where the data lie, and how figures are taken."""

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from _markdown import write_spread
from sklearn.base import BaseEstimator, clone

from crabsk.composition import reduced_formula
from crabsk.datasets import matbench_folds

ROOT = Path(__file__).parents[1]
DATA = ROOT / ".." / "shared" / "data"
# What make_pretrained.py --benchmark makes; from the folder of the repository, in which benchmarks
# run, so that results name no machine's folders.
BENCHMARK_WEIGHTS = "benchmarks/weights/benchmark-1.crabsk"


PUBLISHED_COLUMNS = [
    *("split", "metric", "Roost", "CrabNet", "HotCrab", "ElemNet", "RF"),
    *("best_composition_only", "best_name"),
]


class Rows(NamedTuple):
    """Formulas and their targets."""

    X: np.ndarray
    y: np.ndarray


def argument_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--data",
        type=Path,
        default=DATA,
        help="folder of the data sets, such as matbench/mp_e_form.csv.gz in it (default: "
        "../shared/data beside the repository)",
    )
    return parser


def benchmark_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser for what `run_benchmark` takes."""
    parser = argument_parser(description)
    parser.add_argument("--table-only", action="store_true", help="measure nothing")
    return parser


def read_data_set(data: Path, name: str) -> pd.DataFrame:
    """Return the table `name`, such as "matbench/steels", of the folder `data`."""
    # Without keep_default_na=False, the formula NaN (sodium and nitrogen) would be a missing value.
    return pd.read_csv(data / f"{name}.csv.gz", keep_default_na=False)


def read_rows(data: Path, name: str) -> Rows:
    frame = read_data_set(data, f"matbench/{name}")
    return Rows(frame["formula"].to_numpy(object), frame["target"].to_numpy(float))


def read_published(data: Path, metric: str) -> pd.DataFrame:
    """Read the figures that others published in this metric, indexed by data set."""
    path = data / "published.csv"
    if not path.exists():
        print(f"{path} is not there: the tables go without published figures")
        return pd.DataFrame(columns=PUBLISHED_COLUMNS)
    published = pd.read_csv(path, index_col="dataset")
    return published[published["metric"] == metric]


def fold_0(data: Path, name: str) -> tuple[Rows, Rows]:
    """Return the training and test rows of the official fold 0."""
    X, y = read_rows(data, name)
    train, test = next(matbench_folds(name).split(X))
    return Rows(X[train], y[train]), Rows(X[test], y[test])


def distinct_rows(data: Path) -> Rows:
    """Return mp_e_form with one row for each composition, in random order."""
    X, y = read_rows(data, "mp_e_form")
    first = np.flatnonzero(~pd.Series(reduced_formula(X)).duplicated())
    kept = np.random.default_rng(0).permutation(first)
    return Rows(X[kept], y[kept])


def predict_seconds(model: BaseEstimator, formulas: list[str]) -> float:
    start = time.perf_counter()
    model.predict(formulas)
    return time.perf_counter() - start


def run_benchmark(
    measure: Callable[[argparse.Namespace], None],
    tables: Callable[[argparse.Namespace], dict[str, str]],
    options: argparse.Namespace,
) -> None:
    """Measure what is missing, unless only the tables are wanted, and print the tables."""
    # A line for each run at once, in a file as well, should the benchmark be killed.
    sys.stdout.reconfigure(line_buffering=True)
    if not options.table_only:
        measure(options)
    found = tables(options)
    print("\n", "\n\n".join(found.values()) if found else "nothing is measured yet", sep="")


def in_fresh_process(function: Callable, *args: Any) -> Any:
    """Call a function in a process of its own, with as many threads in torch as here."""
    import torch  # here, because some benchmarks measure what runs without it

    with ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(torch.get_num_threads(),),
    ) as pool:
        return pool.submit(function, *args).result()


class Work(NamedTuple):
    """What is done to each of some formulas, several times over."""

    do: Callable[[list[str]], object]
    formulas: list[str]
    passes: int = 1

    def seconds(self) -> float:
        """Do it; return the seconds of one pass."""
        start = time.perf_counter()
        for _ in range(self.passes):
            self.do(self.formulas)
        return (time.perf_counter() - start) / self.passes


def compare_rates(ours: Work, theirs: Work, repeats: int) -> dict:
    """Time the work of crabsk and of a peer by turns; return formulas a second and their ratio."""
    seconds = [(ours.seconds(), theirs.seconds()) for _ in range(repeats)]
    rates = [(len(ours.formulas) / own, len(theirs.formulas) / its) for own, its in seconds]
    return {
        "n_formulas": len(ours.formulas),
        "n_formulas_of_peer": len(theirs.formulas),
        "repeats": repeats,
        "formulas_per_s": spread([own for own, _ in rates]),
        "formulas_per_s_of_peer": spread([its for _, its in rates]),
        "ratio": spread([own / its for own, its in rates]),
        "seconds": spread([own for own, _ in seconds]),
        "threads": 1,
    }


def rates_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each peer: its last measurement."""
    return pd.DataFrame(
        [
            {
                "peer": row["peer"],
                "crabsk (formulas a second)": write_spread(row, "formulas_per_s", ",.0f"),
                "peer (formulas a second)": write_spread(row, "formulas_per_s_of_peer", ",.0f"),
                "ratio": write_spread(row, "ratio", ".1f"),
            }
            for row in results.groupby("peer", sort=False).tail(1).to_dict("records")
        ]
    )


def crabsk_epochs(model: BaseEstimator, rows: Rows, n_epochs: int) -> list[float]:
    """Train a network; return the seconds of each epoch."""
    model = clone(model).set_params(max_epochs=n_epochs).fit(*rows)
    return [epoch["dur"] for epoch in model.history_[0]]


def spread(values: list[float]) -> dict:
    return {
        "median": float(np.median(values)),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
    }


def three(figures: dict, form: str) -> str:
    """Write median, minimum and maximum."""
    return f"{figures['median']:{form}} ({figures['min']:{form}} - {figures['max']:{form}})"


def print_table(rows: list[dict[str, str]]) -> None:
    """Print rows below the names of their cells, the first to the left, the others to the right."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    print()
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join([line[0].ljust(widths[0]), *cells[1:]]))
    print()
