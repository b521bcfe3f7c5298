"""How far standard deviations can be trusted where the test compounds differ from the training's.

On the bundled formation enthalpies, with `CalibratedRegressorCV` of single networks. The
test rows of a run are all compounds of an element ("F"), which no training row holds; a fold of
compounds ("random", KFold); or a fold of chemical systems ("systems", GroupKFold). A run that is in
the table is not repeated.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from _markdown import write_markdown
from _results import RESULTS, append_rows, described, read_table
from scipy.stats import norm
from sklearn.model_selection import GroupKFold, KFold

from crabsk import CalibratedRegressorCV, CrabNetRegressor
from crabsk.composition import chemical_system
from crabsk.datasets import load_formation_enthalpy
from crabsk.metrics import coverage

ELEMENTS = ("F", "Ti", "Li", "S", "Eu", "H")
FOLDS = {"random": KFold, "systems": GroupKFold}
WHAT = {"random": "a fifth at random", "systems": "a fifth of the systems"}
LEVEL = 0.9
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch")


def test_rows(systems: np.ndarray, left_out: str, fold: int) -> np.ndarray:
    if left_out in FOLDS:
        splitter = FOLDS[left_out](5, shuffle=True, random_state=0)
        return list(splitter.split(systems, groups=systems))[fold][1]
    return np.flatnonzero([left_out in system.split("-") for system in systems])


def measure(X: np.ndarray, y: np.ndarray, test: np.ndarray, preset: str, seed: int) -> dict:
    train = np.setdiff1d(np.arange(len(X)), test)
    single = CrabNetRegressor.from_preset(preset, n_estimators=1, random_state=seed)
    model = CalibratedRegressorCV(single, n_jobs=torch.get_num_threads())
    start = time.perf_counter()
    model.fit(X[train], y[train])
    seconds = time.perf_counter() - start
    mean, std = model.predict(X[test], return_std=True)
    return {
        "mae": float(np.abs(y[test] - mean).mean()),
        "coverage": coverage(y[test], mean, std, level=LEVEL),
        "width": float(2 * norm.ppf((1 + LEVEL) / 2) * std.mean()),
        "factor": float(model.calibration_factor_[0]),
        "n_test": len(test),
        "seconds": seconds,
        "threads": torch.get_num_threads(),
        **described(single),
    }


def make_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each kind of test rows: before and after, mean of the runs of a commit."""
    rows = []
    for (preset, left_out), its in results.groupby(["preset", "left_out"], sort=False):
        commits = list(dict.fromkeys(its["commit"]))
        before = its[its["commit"] == commits[0]] if len(commits) > 1 else None
        now = its[its["commit"] == commits[-1]]
        row = {
            "networks": f"“{preset}”",
            "left out": WHAT.get(left_out, left_out),
            "compounds": f"{now['n_test'].mean():.0f}",
            "MAE": f"{now['mae'].mean():.2g}",
        }
        for name, title, form in (
            ("coverage", "inside the 90 % interval", ".2f"),
            ("width", "mean width", ".2f"),
        ):
            row[f"{title}, before"] = "" if before is None else f"{before[name].mean():{form}}"
            row[f"{title}, now"] = f"{now[name].mean():{form}}"
        rows.append(row)
    return pd.DataFrame(rows)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "unseen_elements.csv")
    return {"unseen-elements": write_markdown(make_table(results))}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", nargs="+", default=["default"])
    parser.add_argument("--left-out", nargs="+", default=[*ELEMENTS, *FOLDS])
    parser.add_argument("--folds", type=int, nargs="+", default=[0], help="of random and systems")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--again", action="store_true", help="also what another commit measured")
    parser.add_argument("--table-only", action="store_true", help="print what was measured")
    return parser.parse_args(arguments)


def main() -> None:
    options = read_options()
    sys.stdout.reconfigure(line_buffering=True)
    # Of commits that have it.
    warnings.filterwarnings("ignore", message=r"[\s\S]*no training composition held")
    X, y = load_formation_enthalpy(return_X_y=True)
    X, y = np.asarray(X, dtype=object), np.asarray(y)
    systems = chemical_system(X)
    runs = [
        {"left_out": left_out, "fold": fold, "preset": preset, "seed": seed}
        for preset in options.presets
        for seed in options.seeds
        for left_out in options.left_out
        for fold in (options.folds if left_out in FOLDS else [0])
    ]
    for run in [] if options.table_only else runs:
        known = read_table(RESULTS / "unseen_elements.csv")
        if (
            not options.again
            and len(known)
            and (known[list(run)] == pd.Series(run)).all(axis=1).any()
        ):
            continue
        test = test_rows(systems, run["left_out"], run["fold"])
        scores = measure(X, y, test, run["preset"], run["seed"])
        print(run, {name: round(scores[name], 3) for name in ("mae", "coverage", "width")})
        append_rows("unseen_elements", [{**run, **scores}], packages=PACKAGES)
    print(*tables(options).values())


if __name__ == "__main__":
    main()
