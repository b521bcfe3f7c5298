"""CrabNetRegressor and tree baselines on Matbench data sets, official folds.

Prints and writes the MAE of each fold, model and seed with its time to fit, beside the published
figures. Every model gets the training rows of the official fold and nothing else; the settings are
the package's defaults or presets. Their sizes go back to trial runs that had looked at fold 0 of
expt_gap; nothing was chosen on the other folds and data sets.
"""

import time

import numpy as np
import pandas as pd
from _common import ROOT, argument_parser, read_data_set, spread, write_results
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from tqdm import tqdm

from crabsk import CompositionTransformer, CrabNetRegressor
from crabsk.datasets import matbench_folds

TREES = {
    "ExtraTrees(500) on Magpie": ExtraTreesRegressor,
    "RandomForest(500) on Magpie": RandomForestRegressor,
}


def make_model(name: str, seed: int):
    if name in TREES:
        trees = TREES[name](500, n_jobs=-1, random_state=seed)
        return make_pipeline(CompositionTransformer("magpie", missing="mean"), trees)
    return CrabNetRegressor.from_preset(name, random_state=seed)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--data-set", default="expt_gap", help="a regression task of Matbench")
    parser.add_argument("--folds", type=int, nargs="+", default=[0], help="of the five, from 0")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--models", nargs="+", default=["default", *TREES], help="presets of CrabNet, and trees"
    )
    options = parser.parse_args()

    frame = read_data_set(options.data, f"matbench/{options.data_set}")
    X, y = frame["formula"].to_numpy(object), frame["target"].to_numpy(float)
    folds = list(matbench_folds(options.data_set).split(X))
    runs = [
        (model, fold, seed)
        for fold in options.folds
        for seed in options.seeds
        for model in options.models
    ]
    rows = []
    for model, fold, seed in tqdm(runs, unit="fit"):
        train, test = folds[fold]
        start = time.perf_counter()
        fitted = make_model(model, seed).fit(X[train], y[train])
        fit_s = time.perf_counter() - start
        mae = mean_absolute_error(y[test], fitted.predict(X[test]))
        rows.append({"model": model, "fold": fold, "seed": seed, "mae": mae, "fit_s": fit_s})
        tqdm.write(f"{model}, fold {fold}, seed {seed}: MAE {mae:.4f}, fit {fit_s:.0f} s")

    table = pd.DataFrame(rows)
    published = pd.read_csv(options.data / "published.csv")
    published = published[published["dataset"] == options.data_set]
    summary = {
        model: {
            "mae_mean": float(group["mae"].mean()),
            "mae": spread(group["mae"].tolist()),
            "fit_s": spread(group["fit_s"].tolist()),
        }
        for model, group in table.groupby("model", sort=False)
    }
    print(f"\n{options.data_set}, folds {options.folds}, seeds {options.seeds}\n")
    print(f"{'model':30}{'MAE mean':>10}{'min':>9}{'max':>9}{'fit (s)':>9}")
    for model, figures in summary.items():
        print(
            f"{model:30}{figures['mae_mean']:>10.4f}{figures['mae']['min']:>9.4f}"
            f"{figures['mae']['max']:>9.4f}{figures['fit_s']['median']:>9.0f}"
        )
    print("\npublished (matbench_v0.1: mean of five folds):")
    print(published.drop(columns=["dataset", "metric"]).to_string(index=False))
    name = f"accuracy_{options.data_set}"
    path = write_results(
        name,
        {"data_set": options.data_set, "summary": summary, "runs": rows},
        packages=("numpy", "scikit-learn", "skorch", "torch"),
    )
    print(f"\n{path.relative_to(ROOT)} written; {np.sum(table['fit_s']):.0f} s of fits")


if __name__ == "__main__":
    main()
