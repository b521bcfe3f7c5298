"""How far the standard deviations and intervals of predictions can be trusted, and what that costs.

On regression tasks of Matbench, official folds. In each run three ensembles of eight networks of
the default are trained:

* on all training rows (`CrabNetRegressor()`): their standard deviations as they are;
* each network on another three quarters (`CalibratedRegressorCV()`): scaled to the errors on the
  compositions that two of the networks have not seen;
* on nine tenths: the last tenth teaches one factor (``error / std``) or one width (``error``), by
  MAPIE's split conformal intervals.

Scores on the test rows: MAE, coverage and mean width of the 90 % interval; of standard deviations
also the negative log likelihood, the miscalibration area, the rank correlation with the error, and
the MAE that is left when the 20 % of rows with the largest are taken out.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from _common import BENCHMARK_WEIGHTS, Rows, benchmark_parser, print_table, read_rows
from _markdown import write_markdown
from _results import RESULTS, append_rows, described, read_table
from mapie.conformity_scores import StdConformityScore
from mapie.regression import SplitConformalRegressor
from scipy.stats import norm, spearmanr
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from crabsk import CalibratedRegressorCV, CompositionTransformer, CrabNetRegressor
from crabsk.datasets import matbench_folds
from crabsk.metrics import coverage, gaussian_nll, miscalibration_area
from crabsk.neural_network import ConflictingTargetsWarning

LEVEL = 0.9
REMOVED = 0.2
HELD_OUT = 0.1
CONFORMITIES = {"error": "absolute", "error / std": StdConformityScore()}
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch", "mapie")


def score_std(y: np.ndarray, mean: np.ndarray, std: np.ndarray) -> dict[str, float]:
    error = np.abs(y - mean)
    kept = np.argsort(std, kind="stable")[: round((1 - REMOVED) * len(y))]
    return {
        "mae": float(error.mean()),
        "coverage": coverage(y, mean, std, level=LEVEL),
        "width": float(2 * norm.ppf((1 + LEVEL) / 2) * std.mean()),
        "nll": gaussian_nll(y, mean, std),
        "miscalibration_area": miscalibration_area(y, mean, std),
        "rank_correlation": float(spearmanr(error, std).statistic),
        "mae_without_the_most_uncertain": float(error[kept].mean()),
    }


def score_interval(y: np.ndarray, mean: np.ndarray, limits: np.ndarray) -> dict[str, float]:
    lower, upper = limits[:, 0, 0], limits[:, 1, 0]
    return {
        "mae": float(np.abs(y - mean).mean()),
        "coverage": float(((lower <= y) & (y <= upper)).mean()),
        "width": float((upper - lower).mean()),
    }


def measure(train: Rows, test: Rows, seed: int, settings: dict, *, pretrained: bool) -> list[dict]:
    """Return the scores of each way, with the seconds of its fit.

    Pretrained networks are measured in one way, that of `CalibratedRegressorCV`.
    """
    prefix = "pretrained, " if pretrained else ""
    if pretrained:
        start = CrabNetRegressor.presets["pretrained"]
        settings = {**start, "init_from": BENCHMARK_WEIGHTS, **settings}
    rows = []

    def fit(model: object, X: np.ndarray, y: np.ndarray) -> float:
        start = time.perf_counter()
        model.fit(X, y)
        return time.perf_counter() - start

    def note(way: str, network: CrabNetRegressor, seconds: float, scores: dict) -> None:
        its = {"threads": torch.get_num_threads(), **described(network)}
        rows.append({"way": way, **scores, "seconds": seconds, **its})

    single = CrabNetRegressor(n_estimators=1, random_state=seed, **settings)
    calibrated = CalibratedRegressorCV(single, n_jobs=torch.get_num_threads())
    seconds = fit(calibrated, *train)
    scores = score_std(test.y, *calibrated.predict(test.X, return_std=True))
    scores["factor"] = float(calibrated.calibration_factor_[0])
    note(f"{prefix}CalibratedRegressorCV", single, seconds, scores)
    if pretrained:
        return rows

    plain = CrabNetRegressor(random_state=seed, **settings)
    seconds = fit(plain, *train)
    scores = score_std(test.y, *plain.predict(test.X, return_std=True))
    note("as they are", plain, seconds, scores)

    X, X_held, y, y_held = train_test_split(train.X, train.y, test_size=HELD_OUT, random_state=seed)
    # MAPIE probes what it is given with zeros: amounts may be that, formulas may not.
    network = CrabNetRegressor(random_state=seed, **settings)
    behind = make_pipeline(CompositionTransformer(stats="amount"), network)
    seconds = fit(behind, X, y)
    for name, conformity in CONFORMITIES.items():
        intervals = SplitConformalRegressor(
            behind, confidence_level=LEVEL, conformity_score=conformity
        ).conformalize(X_held, y_held)
        scores = score_interval(test.y, *intervals.predict_interval(test.X))
        note(f"a tenth held out, {name}", network, seconds, scores)
    return rows


def write_runs(values: pd.Series, form: str) -> str:
    """Write the mean of some runs, and the lowest and highest if there are several."""
    if values.isna().all():
        return ""
    low, high = f"{values.min():{form}}", f"{values.max():{form}}"
    return f"{values.mean():{form}}" + (f" ({low}–{high})" if low != high else "")


def make_table(results: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (data_set, way), runs in results.groupby(["data_set", "way"], sort=False):
        rows.append(
            {
                "data set": f"`{data_set}`",
                "way": way,
                "runs": str(len(runs)),
                "MAE": write_runs(runs["mae"], ".3g"),
                "inside the 90 % interval": write_runs(runs["coverage"], ".2f"),
                "mean width": write_runs(runs["width"], ".3g"),
                "NLL (nats)": write_runs(runs["nll"], ".2g"),
            }
        )
    return pd.DataFrame(rows)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "uncertainty.csv")
    return {"uncertainty": write_markdown(make_table(results))}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--data-sets", nargs="+", default=["steels", "jdft2d", "expt_gap"])
    parser.add_argument("--folds", type=int, nargs="+", default=[0], choices=range(5))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--pretrained",
        action="store_true",
        help="networks that start from weights which know none of these compositions",
    )
    parser.add_argument("--trial", action="store_true", help="does it run? One epoch, no result")
    return parser.parse_args(arguments)


def main() -> None:
    options = read_options()
    sys.stdout.reconfigure(line_buffering=True)
    warnings.simplefilter("ignore", ConflictingTargetsWarning)
    for name in [] if options.table_only else options.data_sets:
        X, y = read_rows(options.data, name)
        folds = list(matbench_folds(name).split(X))
        for fold in options.folds:
            train, test = (Rows(X[rows], y[rows]) for rows in folds[fold])
            for seed in options.seeds:
                run = {"data_set": name, "fold": fold, "seed": seed}
                settings = {"max_epochs": 1} if options.trial else {}
                scores = measure(train, test, seed, settings, pretrained=options.pretrained)
                rows = [{**run, **one} for one in scores]
                print(f"{name}, fold {fold}, seed {seed}")
                print_table(
                    [
                        {
                            "way": one["way"],
                            **{key: f"{one[key]:.3f}" for key in ("mae", "coverage", "width")},
                        }
                        for one in rows
                    ]
                )
                if not options.trial:
                    append_rows("uncertainty", rows, packages=PACKAGES)
    if not options.trial:
        print(*tables(options).values())


if __name__ == "__main__":
    main()
