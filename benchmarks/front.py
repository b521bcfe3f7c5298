"""The front of accuracy against CPU time, on inner splits: what the defaults were chosen by.

The rows are the training rows of fold 0 of Matbench data sets, and the rows of extended sets
that are not the paper's test rows. Of these, a random fifth is held out to score on; the official
test rows are never looked at. Each variant changes one thing of the default.

A run is one variant, data set and split, and has its own file in results/front; a run whose file is
there, with the parameters that the variant has today, is not repeated, and other files count for
nothing. The scores of smaller ensembles come from the first members of the largest. Without
--table-only it measures first; then it prints the table, and with --plot draws it into
docs/images/front.png.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _common import RESULTS, ROOT, argument_parser, read_data_set, write_results
from _runs import PACKAGES, parameters, stands_for
from sklearn.metrics import mean_absolute_error
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.datasets import matbench_folds
from crabsk.neural_network import ConflictingTargetsWarning

VARIANTS = {
    "default": {"n_estimators": 8},
    "d_model 64": {"d_model": 64, "dim_feedforward": 128, "head_widths": (128, 64)},
    "d_model 256": {"d_model": 256, "dim_feedforward": 512},
    "1 layer": {"n_layers": 1},
    "half the epochs": {"max_epochs": "half"},
    "twice the epochs": {"max_epochs": "twice"},
    "half the learning rate": {"learning_rate": 5e-4},
    "twice the learning rate": {"learning_rate": 2e-3},
    "no dropout": {"dropout": 0.0},
    "dropout 0.2": {"dropout": 0.2},
    "no fraction noise": {"fraction_noise": 0.0},
    "fraction noise 0.05": {"fraction_noise": 0.05},
    "weight decay 0.1": {"weight_decay": 0.1},
    "half the batch size": {"batch_size": "half"},
    "twice the batch size": {"batch_size": "twice"},
    "one-hot elements": {"embedding": "onehot"},
    "Magpie elements": {"embedding": "magpie"},
    "robust L1 loss": {"loss": "robust_l1"},
    "Yeo-Johnson targets": {"target_transform": "yeo-johnson"},
    "post-norm": {"norm_first": False},
}
DATA_SETS = ("steels", "jdft2d", "expt_gap", "dielectric", "log_gvrh", "aflow__Egap")
MEMBERS = (1, 2, 4, 8)
PICTURE = ROOT / "docs" / "images" / "front.png"


def load_rows(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return formulas and targets of the rows that may be looked at."""
    if (data / "matbench" / f"{name}.csv.gz").exists():
        frame = read_data_set(data, f"matbench/{name}")
        train, _ = next(matbench_folds(name).split(frame["formula"].to_numpy()))
        frame = frame.iloc[train]
    else:
        frame = read_data_set(data, f"extended/{name}")
        frame = frame[frame["split"] != "test"]
    return frame["formula"].to_numpy(object), frame["target"].to_numpy(float)


def make_model(variant: str, n_rows: int, seed: int) -> CrabNetRegressor:
    settings = {"n_estimators": 2, **VARIANTS[variant], "random_state": seed}
    default = CrabNetRegressor()
    usual = {"max_epochs": default._n_epochs(n_rows), "batch_size": default._batch_size(n_rows)}
    for name, value in usual.items():
        factor = {"half": 0.5, "twice": 2}.get(settings.get(name))
        if factor:
            settings[name] = int(factor * value)
    return CrabNetRegressor(**settings)


def measure(variant: str, name: str, split: int, X: np.ndarray, y: np.ndarray) -> dict:
    shuffled = np.random.RandomState(split).permutation(len(X))
    held_out, train = np.split(shuffled, [len(X) // 5])
    model = make_model(variant, len(train), split)
    start = time.process_time()
    model.fit(X[train], y[train])
    cpu_s = time.process_time() - start
    members = list(model.nets_)
    errors = {}
    for n in MEMBERS:
        if n <= len(members):
            model.nets_ = members[:n]
            errors[n] = mean_absolute_error(y[held_out], model.predict(X[held_out]))
    model.nets_ = members
    return {
        "variant": variant,
        "data_set": name,
        "split": split,
        "n_train": len(train),
        "mae": errors,
        "cpu_s_per_member": cpu_s / len(members),
        "parameters": parameters(model, len(train)),
    }


def result_path(variant: str, name: str, split: int) -> str:
    return f"{name}/{variant.replace(' ', '_')}/split{split}"


def run_all(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    runs = [
        (variant, name, split)
        for name in options.data_sets
        for split in options.splits
        for variant in options.variants
    ]
    for variant, name, split in tqdm(runs, unit="fit"):
        path = RESULTS / "front" / f"{result_path(variant, name, split)}.json"
        X, y = load_rows(options.data, name)
        n = len(X) - len(X) // 5
        if path.exists() and stands_for(
            json.loads(path.read_text())["parameters"], make_model(variant, n, split), n
        ):
            continue
        result = measure(variant, name, split, X, y)
        write_results(
            result_path(variant, name, split), result, packages=PACKAGES, folder=RESULTS / "front"
        )
        scores = ", ".join(f"{n} nets {mae:.4g}" for n, mae in result["mae"].items())
        tqdm.write(f"{name}, {variant}, split {split}: {scores}")


def read_results() -> list[dict]:
    """Read what was measured of the variants as they are today."""
    results = []
    for path in sorted((RESULTS / "front").glob("*/*/*.json")):
        result = json.loads(path.read_text())
        model = make_model(result["variant"], result["n_train"], result["split"])
        if stands_for(result["parameters"], model, result["n_train"]):
            results.append(result)
    return results


def read_points(results: list[dict]) -> pd.DataFrame:
    """Return MAE and CPU time for each data set, variant and number of networks.

    Both are means over the splits that the variant has, and beside them stand the default's
    figures on the same splits.
    """
    frame = pd.DataFrame(
        {
            "data set": result["data_set"],
            "variant": result["variant"],
            "split": result["split"],
            "networks": int(n),
            "MAE": mae,
            "CPU s": result["cpu_s_per_member"] * int(n),
        }
        for result in results
        for n, mae in result["mae"].items()
    )
    default = frame[frame["variant"] == "default"].drop(columns="variant")
    keys = ["data set", "split", "networks"]
    paired = frame.merge(default, on=keys, suffixes=("", " of default"))
    keys = ["data set", "variant", "networks"]
    return paired.groupby(keys, sort=False).mean().drop(columns="split").reset_index()


def make_table(points: pd.DataFrame) -> pd.DataFrame:
    """Return how two networks of each variant differ from two of the default, in percent."""
    two = points[points["networks"] == 2].copy()
    two["change"] = 100 * (two["MAE"] / two["MAE of default"] - 1)
    two["cost"] = two["CPU s"] / two["CPU s of default"]
    table = two.pivot(index="variant", columns="data set", values="change")
    table["CPU time (times)"] = two.groupby("variant")["cost"].mean()
    return table.loc[[name for name in VARIANTS if name in table.index]]


def draw(points: pd.DataFrame) -> None:
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    names = [name for name in DATA_SETS if name in set(points["data set"])]
    numbers = {name: k for k, name in enumerate(VARIANTS) if name != "default"}
    figure, axes = plt.subplots(
        1, len(names), figsize=(3.2 * len(names) + 2, 3.4), squeeze=False, layout="constrained"
    )
    for ax, name in zip(axes.flat, names, strict=True):
        here = points[points["data set"] == name]
        ensembles = here[here["variant"] == "default"].sort_values("networks")
        others = here[(here["variant"] != "default") & (here["networks"] == 2)]
        ax.plot(ensembles["CPU s"], ensembles["MAE"], "o-", color="#0072b2", label="default")
        for _, point in ensembles.iterrows():
            ax.annotate(
                f"{point['networks']}", (point["CPU s"], point["MAE"]), (5, 5),
                textcoords="offset points", fontsize=9, color="#0072b2",
            )  # fmt: skip
        for _, point in others.iterrows():
            ax.text(
                point["CPU s"], point["MAE"], f"{numbers[point['variant']]}",
                fontsize=7, ha="center", va="center",
            )  # fmt: skip
        ax.update_datalim(others[["CPU s", "MAE"]].to_numpy())
        ax.set(title=name, xlabel="CPU time of the fit (s)", ylabel="MAE on held-out rows")
        ax.set_xscale("log")
        ax.margins(0.1)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    key = ["blue: the default, 1 to 8 networks", "black: 2 networks, and"]
    key += [f"{k:>2}  {name}" for name, k in numbers.items()]
    axes.flat[-1].annotate(
        "\n".join(key), (1.05, 1), xycoords="axes fraction", fontsize=7.5, va="top"
    )
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=150)
    print(f"{PICTURE.relative_to(ROOT)} written")


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--data-sets", nargs="+", default=DATA_SETS)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--table-only", action="store_true", help="measure nothing")
    parser.add_argument("--plot", action="store_true", help=f"draw {PICTURE.relative_to(ROOT)}")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    warnings.simplefilter("ignore", ConflictingTargetsWarning)
    if not options.table_only:
        run_all(options)
    if not (results := read_results()):
        print("nothing is measured yet")
        return
    points = read_points(results)
    print(make_table(points).round(1).to_string())
    if options.plot:
        draw(points)


if __name__ == "__main__":
    main()
