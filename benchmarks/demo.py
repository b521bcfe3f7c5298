"""`make demo`: CrabNet beside the usual baselines, cross-validated on the bundled data.

Five folds of 2135 experimental formation enthalpies. Prints one table, predicts a few formulas with
an uncertainty, draws a parity plot, lets AutoRegressor find a blend within a minute, and writes the
figures to build/demo.json.
"""

import argparse
import json
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.metrics import PredictionErrorDisplay, mean_absolute_error, r2_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from tqdm import tqdm

from crabsk import AutoRegressor, CompositionTransformer, CrabNetRegressor
from crabsk.datasets import load_formation_enthalpy

mpl.use("Agg")
import matplotlib.pyplot as plt

BUILD = Path(__file__).parents[1] / "build"
PRESET = "fast"
CRABNET = f"CrabNetRegressor ({PRESET})"
SECONDS = 60
NEW_FORMULAS = ["CaTiO3", "Li3N", "CuInSe2", "NiAl"]


def make_models() -> dict:
    return {
        CRABNET: CrabNetRegressor.from_preset(PRESET, random_state=0),
        "RandomForest on Magpie": make_pipeline(
            CompositionTransformer("magpie"),
            RandomForestRegressor(300, n_jobs=-1, random_state=0),
        ),
        "ExtraTrees on Magpie": make_pipeline(
            CompositionTransformer("magpie"),
            ExtraTreesRegressor(300, n_jobs=-1, random_state=0),
        ),
        "Dummy (mean)": DummyRegressor(),
    }


def cross_validate(models: dict, X: np.ndarray, y: np.ndarray) -> dict:
    """Return, for each model, MAE, R2 and fit time of each fold and the held-out predictions."""
    folds = list(KFold(5, shuffle=True, random_state=0).split(X))
    results = {
        name: {"mae": [], "r2": [], "fit_s": [], "predicted": np.empty(len(y))} for name in models
    }
    with tqdm(total=len(folds) * len(models), unit="fit") as bar:
        for train, test in folds:
            for name, model in models.items():
                bar.set_description(name)
                start = time.perf_counter()
                fitted = clone(model).fit(X[train], y[train])
                result = results[name]
                result["fit_s"].append(time.perf_counter() - start)
                result["predicted"][test] = predicted = fitted.predict(X[test])
                result["mae"].append(mean_absolute_error(y[test], predicted))
                result["r2"].append(r2_score(y[test], predicted))
                bar.update()
    return results


def print_table(results: dict) -> None:
    print(f"\n{'model':30}{'MAE (eV/atom)':>20}{'R2':>18}{'fit time (s)':>18}")
    for name, result in results.items():
        cells = [
            f"{np.mean(result[key]):.{digits}f} ± {np.std(result[key]):.{digits}f}"
            for key, digits in (("mae", 4), ("r2", 3), ("fit_s", 1))
        ]
        print(f"{name:30}{cells[0]:>20}{cells[1]:>18}{cells[2]:>18}")
    print("mean and standard deviation over 5 folds\n")


def draw_parity(y: np.ndarray, results: dict, path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
    for ax, name in zip(axes, (CRABNET, "RandomForest on Magpie"), strict=True):
        PredictionErrorDisplay(y_true=y, y_pred=results[name]["predicted"]).plot(
            ax=ax, kind="actual_vs_predicted", scatter_kwargs={"s": 8, "alpha": 0.4}
        )
        ax.set(
            title=f"{name}\nMAE {np.mean(results[name]['mae']):.3f} eV/atom",
            xlabel="predicted formation enthalpy (eV/atom)",
            ylabel="measured formation enthalpy (eV/atom)",
        )
    axes[1].set_ylabel("")
    figure.savefig(path, dpi=150)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    start = time.perf_counter()
    BUILD.mkdir(exist_ok=True)
    X, y = load_formation_enthalpy(return_X_y=True)
    models = make_models()
    results = cross_validate(models, X, y)
    print_table(results)

    mean, std = clone(models[CRABNET]).fit(X, y).predict(NEW_FORMULAS, return_std=True)
    print("predicted with an uncertainty, eV/atom (a network fitted to all rows):")
    for formula, value, uncertainty in zip(NEW_FORMULAS, mean, std, strict=True):
        print(f"  {formula:10}{value:8.3f} ± {uncertainty:.3f}")

    draw_parity(y, results, BUILD / "parity.png")
    print(f"\nwhat AutoRegressor finds within {SECONDS} s (scores are negative errors, eV/atom):")
    # The pretrained weights know formation energies of these compounds.
    auto = AutoRegressor(time_limit=SECONDS, weights=None, progress=True, random_state=0).fit(X, y)
    board = auto.leaderboard_
    print(board[["mean", "std", "weight", "fit_seconds", "note"]].round(4).to_string(na_rep=""))
    figures = {
        "models": {
            name: {"mae": float(np.mean(r["mae"])), "fit_s": float(np.mean(r["fit_s"]))}
            for name, r in results.items()
        },
        "automl_mae": -float(board.loc["ensemble", "mean"]),
        "wall_s": time.perf_counter() - start,
    }
    (BUILD / "demo.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\nbuild/parity.png and build/demo.json written, {figures['wall_s']:.0f} s in all")


if __name__ == "__main__":
    main()
