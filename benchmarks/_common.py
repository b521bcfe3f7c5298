"""What the benchmarks share: where the data lie, how figures are taken, and how written down."""

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

import crabsk
from crabsk.datasets import matbench_folds

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DATA = ROOT / ".." / "shared" / "data"


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


def read_data_set(data: Path, name: str) -> pd.DataFrame:
    """Return the table `name`, such as "matbench/steels", of the folder `data`."""
    # Without keep_default_na=False, the formula NaN (sodium and nitrogen) would be a missing value.
    return pd.read_csv(data / f"{name}.csv.gz", keep_default_na=False)


def read_rows(data: Path, name: str) -> Rows:
    frame = read_data_set(data, f"matbench/{name}")
    return Rows(frame["formula"].to_numpy(object), frame["target"].to_numpy(float))


def fold_0(data: Path, name: str) -> tuple[Rows, Rows]:
    """Return the training and test rows of the official fold 0."""
    X, y = read_rows(data, name)
    train, test = next(matbench_folds(name).split(X))
    return Rows(X[train], y[train]), Rows(X[test], y[test])


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


def crabsk_epochs(model: BaseEstimator, rows: Rows, n_epochs: int) -> list[float]:
    """Train a network; return the seconds of each epoch."""
    model = clone(model).set_params(max_epochs=n_epochs).fit(*rows)
    return [epoch["dur"] for epoch in model.history_[0]]


def machine() -> dict:
    """Return what the speed of a machine depends on, and nothing that tells which one it is."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "system": platform.system(),
    }


def _commit() -> str | None:
    """Return the commit that is measured, with "-dirty" if the package differs from it."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return f"{head}-dirty" if _git("status", "--porcelain", "crabsk") else head
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def versions(*packages: str) -> dict:
    return {
        "python": platform.python_version(),
        "crabsk": crabsk.__version__,
        "commit": _commit(),
        **{package: metadata.version(package) for package in packages},
    }


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


def append_rows(name: str, rows: list[dict], *, packages: tuple[str, ...]) -> Path:
    """Add rows to ``benchmarks/results/<name>.csv``: one a run, with what made it."""
    path = RESULTS / f"{name}.csv"
    facts = {**versions(*packages), **machine()}
    frame = pd.DataFrame([{**row, **facts} for row in rows])
    if path.exists():
        frame = pd.concat([pd.read_csv(path, keep_default_na=False), frame])
    part = path.with_name(f"{path.name}.part")
    frame.to_csv(part, index=False)
    os.replace(part, path)
    return path


def write_results(
    name: str, figures: dict, *, packages: tuple[str, ...], folder: Path = RESULTS
) -> Path:
    """Write ``<folder>/<name>.json``: the figures, the machine and the versions of `packages`.

    The file appears under its name only when it is whole.
    """
    path = folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {**figures, "versions": versions(*packages), "machine": machine()}
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(facts, indent=2) + "\n")
    os.replace(part, path)
    return path
