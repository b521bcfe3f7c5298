"""How far the standard deviations and intervals of predictions can be trusted.

On expt_gap (or another regression task of Matbench), official folds. A tenth of the training rows
is held out, and a default `CrabNetRegressor(calibration=True)` trained on the others. The same
networks are then scored on the test rows with and without the factor that calibration found in the
held-out rows, and behind MAPIE's split conformal intervals, which learn from these rows as well.

Scores: coverage of the central 90 % interval, area between the coverage curve and the diagonal,
negative log likelihood, mean width of the 90 % interval, rank correlation of error and standard
deviation, and what is left of the MAE when the 20 % of rows with the largest standard deviation are
taken out.
"""

import sys
import time
import warnings

import numpy as np
import torch
from _common import Rows, argument_parser, read_rows, write_results
from mapie.conformity_scores import StdConformityScore
from mapie.regression import SplitConformalRegressor
from scipy.stats import norm, spearmanr
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from crabsk import CompositionTransformer, CrabNetRegressor
from crabsk.datasets import matbench_folds
from crabsk.metrics import coverage, gaussian_nll, miscalibration_area
from crabsk.neural_network import ConflictingTargetsWarning

LEVEL = 0.9
REMOVED = 0.2
HELD_OUT = 0.1
CONFORMITIES = {
    "MAPIE, absolute error": "absolute",
    "MAPIE, error over std": StdConformityScore(),
}
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch", "mapie")


def score_std(y: np.ndarray, mean: np.ndarray, std: np.ndarray) -> dict[str, float]:
    error = np.abs(y - mean)
    kept = np.argsort(std, kind="stable")[: round((1 - REMOVED) * len(y))]
    return {
        "coverage": coverage(y, mean, std, level=LEVEL),
        "width": float(2 * norm.ppf((1 + LEVEL) / 2) * std.mean()),
        "miscalibration_area": miscalibration_area(y, mean, std),
        "nll": gaussian_nll(y, mean, std),
        "rank_correlation": float(spearmanr(error, std).statistic),
        "mae": float(error.mean()),
        "mae_without_the_most_uncertain": float(error[kept].mean()),
    }


def score_interval(y: np.ndarray, limits: np.ndarray) -> dict[str, float]:
    lower, upper = limits[:, 0, 0], limits[:, 1, 0]
    return {
        "coverage": float(((lower <= y) & (y <= upper)).mean()),
        "width": float((upper - lower).mean()),
    }


def measure(train: Rows, test: Rows, seed: int, settings: dict) -> dict:
    X, X_held, y, y_held = train_test_split(train.X, train.y, test_size=HELD_OUT, random_state=seed)
    # MAPIE probes what it is given with zeros: amounts may be that, formulas may not.
    amounts = CompositionTransformer(stats="amount").fit(train.X)
    model = CrabNetRegressor(calibration=True, random_state=seed, **settings)
    start = time.perf_counter()
    model.fit(amounts.transform(X), y, X_val=amounts.transform(X_held), y_val=y_held)
    fit_s = time.perf_counter() - start
    behind = make_pipeline(amounts, model)
    mean, std = behind.predict(test.X, return_std=True)
    factor = float(model.calibration_factor_[0])
    scores = {
        "members as they are": score_std(test.y, mean, std / factor),
        "calibration=True": score_std(test.y, mean, std),
    }
    for name, conformity in CONFORMITIES.items():
        intervals = SplitConformalRegressor(
            behind, confidence_level=LEVEL, conformity_score=conformity
        ).conformalize(X_held, y_held)
        scores[name] = score_interval(test.y, intervals.predict_interval(test.X)[1])
    return {"fit_s": fit_s, "calibration_factor": factor, "scores": scores}


def print_scores(runs: list[dict]) -> None:
    """Print the mean of each score over the runs."""
    for method in runs[0]["scores"]:
        print(f"\n{method}")
        for name in runs[0]["scores"][method]:
            values = [run["scores"][method][name] for run in runs]
            print(f"  {name:32}{np.mean(values):8.4f}  ({min(values):.4f} - {max(values):.4f})")


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--data-set", default="expt_gap", help="of Matbench (default: %(default)s)")
    parser.add_argument("--folds", type=int, nargs="+", default=[0], choices=range(5))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--trial", action="store_true", help="does it run? One epoch, no result")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    warnings.simplefilter("ignore", ConflictingTargetsWarning)
    X, y = read_rows(options.data, options.data_set)
    folds = list(matbench_folds(options.data_set).split(X))
    runs = []
    for fold in options.folds:
        train, test = (Rows(X[rows], y[rows]) for rows in folds[fold])
        for seed in options.seeds:
            run = measure(train, test, seed, {"max_epochs": 1} if options.trial else {})
            runs.append({"fold": fold, "seed": seed, **run})
            print(f"fold {fold}, seed {seed}: {run['fit_s']:.0f} s")
    print_scores(runs)
    if not options.trial:
        figures = {"data_set": options.data_set, "n_threads": torch.get_num_threads(), "runs": runs}
        write_results(f"uncertainty/{options.data_set}", figures, packages=PACKAGES)


if __name__ == "__main__":
    main()
