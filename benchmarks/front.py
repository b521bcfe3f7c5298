"""The front of accuracy against CPU time, on inner splits: what the defaults were chosen by.

The rows are the training rows of fold 0 of Matbench data sets, and the rows of extended sets
that are not the paper's test rows. Of these, a random fifth is held out to score on; the official
test rows are never looked at. Each variant changes one thing of the default.

A run is one variant, data set and split. results/front.csv has a row for each size of the ensemble;
the scores of smaller ones come from the first members of the largest. A benchmark that is
interrupted goes on where it was; `_runs` says which results count. Without --table-only it measures
first; then it prints the table, and with --plot draws it into docs/images/front.png.
"""

import argparse
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from _common import (
    ROOT,
    benchmark_parser,
    read_data_set,
    run_benchmark,
)
from _markdown import write_markdown
from _runs import (
    columns,
    of_today,
    parse_options,
    read_runs,
    run_all,
    runs_in,
    timed_fit,
)
from sklearn.metrics import mean_absolute_error

from crabsk import CrabNetRegressor
from crabsk.datasets import matbench_folds

VARIANTS = {
    "default": {"n_estimators": 6},
    "d_model 64": {"d_model": 64},
    "d_model 256": {"d_model": 256},
    "1 layer": {"n_layers": 1},
    "half the epochs": {"max_epochs": "half"},
    "twice the epochs": {"max_epochs": "twice"},
    "half the learning rate": {"learning_rate": 1e-3},
    "twice the learning rate": {"learning_rate": 4e-3},
    "no dropout": {"dropout": 0.0},
    "dropout 0.2": {"dropout": 0.2},
    "no fraction noise": {"fraction_noise": 0.0},
    "fraction noise 0.05": {"fraction_noise": 0.05},
    "weight decay 0.1": {"weight_decay": 0.1},
    "half the batch size": {"batch_size": "half"},
    "twice the batch size": {"batch_size": "twice"},
    "no composition-based features": {"cbfv": None},
    "one-hot elements": {"embedding": "onehot"},
    "Magpie elements": {"embedding": "magpie"},
    "robust L1 loss": {"loss": "robust_l1"},
    "Yeo-Johnson targets": {"target_transform": "yeo-johnson"},
    "paper's architecture": {"architecture": "paper", "cbfv": None},
}
DATA_SETS = ("steels", "jdft2d", "expt_gap", "dielectric", "log_gvrh", "aflow__Egap")
MEMBERS = (1, 2, 4, 6)
PICTURE = ROOT / "docs" / "images" / "front.png"


class Run(NamedTuple):
    """A fit to four fifths of the rows of a data set."""

    variant: str
    data_set: str
    split: int

    @property
    def name(self) -> str:
        """What it is called in print."""
        return f"{self.data_set}, {self.variant}, split {self.split}"


def load_rows(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return formulas and targets of the rows that may be looked at."""
    if (data / "matbench" / f"{name}.csv.gz").exists():
        frame = read_data_set(data, f"matbench/{name}")
        train, _ = next(matbench_folds(name).split(frame["formula"].to_numpy()))
        frame = frame.iloc[train]
    else:
        frame = read_data_set(data, f"extended/{name}")
        frame = frame[frame["split"] != "test"]
    return columns(frame)


def make_model(run: Run, n_rows: int, *, trial: bool) -> CrabNetRegressor:
    settings: dict[str, Any] = {"n_estimators": 2, "random_state": run.split}
    settings |= VARIANTS[run.variant] | ({"max_epochs": 1} if trial else {})
    default = CrabNetRegressor()
    usual = {"max_epochs": default._n_epochs(n_rows), "batch_size": default._batch_size(n_rows)}
    for name, value in usual.items():
        factor = {"half": 0.5, "twice": 2}.get(settings.get(name))
        if factor:
            settings[name] = int(factor * value)
    return CrabNetRegressor(**settings)


def measure_run(run: Run, X: np.ndarray, y: np.ndarray, *, trial: bool) -> list[dict]:
    shuffled = np.random.RandomState(run.split).permutation(len(X))
    held_out, train = np.split(shuffled, [len(X) // 5])
    model = make_model(run, len(train), trial=trial)
    fitted = timed_fit(model, X[train], y[train])
    members = list(model.nets_)
    rows = []
    for n in MEMBERS[: MEMBERS.index(len(members)) + 1]:
        model.nets_ = members[:n]
        mae = mean_absolute_error(y[held_out], model.predict(X[held_out]))
        rows.append({"networks": n, "mae": mae, **fitted})
    return rows


def read_results(options: argparse.Namespace) -> pd.DataFrame:
    def model_today(row: dict) -> CrabNetRegressor | None:
        if row["variant"] not in VARIANTS:
            return None
        run = Run(*(row[field] for field in Run._fields))
        return make_model(run, row["n_train"], trial=options.trial)

    return of_today(read_runs(options), model_today, options)


def measure(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    measured = runs_in(read_results(options), Run)
    runs = [
        run
        for name in options.data_sets
        for split in options.splits
        for variant in options.variants
        if (run := Run(variant, name, split)) not in measured
    ]
    load_once = lru_cache(maxsize=1)(load_rows)  # runs come data set by data set
    run_all(
        runs,
        lambda run: measure_run(run, *load_once(options.data, run.data_set), trial=options.trial),
        lambda rows: ", ".join(f"{row['networks']} nets {row['mae']:.4g}" for row in rows),
        options,
    )


def read_points(results: pd.DataFrame) -> pd.DataFrame:
    """Return MAE and CPU time for each data set, variant and number of networks.

    Both are means over the splits that the variant has, and beside them stand the default's
    figures on the same splits.
    """
    frame = pd.DataFrame(
        {
            "data set": results["data_set"],
            "variant": results["variant"],
            "split": results["split"],
            "networks": results["networks"],
            "MAE": results["mae"],
            "CPU s": results["cpu_seconds"] * results["networks"] / results["n_estimators"],
        }
    )
    default = frame[frame["variant"] == "default"].drop(columns="variant")
    keys = ["data set", "split", "networks"]
    paired = frame.merge(default, on=keys, suffixes=("", " of default"))
    keys = ["data set", "variant", "networks"]
    return paired.groupby(keys, sort=False).mean().drop(columns="split").reset_index()


def make_table(points: pd.DataFrame) -> pd.DataFrame:
    """Write how two networks of each variant differ from two of the default, in percent."""
    two = points[points["networks"] == 2].copy()
    two["change"] = 100 * (two["MAE"] / two["MAE of default"] - 1)
    two["cost"] = two["CPU s"] / two["CPU s of default"]
    table = two.pivot(index="variant", columns="data set", values="change")
    table = table.map(lambda change: "" if np.isnan(change) else f"{change:+.1f}")
    table["CPU time (times)"] = two.groupby("variant")["cost"].mean().map("{:.2f}".format)
    order = [name for name in VARIANTS if name in table.index and name != "default"]
    return table.loc[order].reset_index().rename_axis(columns=None)


def draw(points: pd.DataFrame) -> None:
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    names = [name for name in DATA_SETS if name in set(points["data set"])]
    measured = [name for name in VARIANTS if name in set(points["variant"])]
    numbers = {name: k for k, name in enumerate(measured) if name != "default"}
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
                fontsize=9, ha="center", va="center",
            )  # fmt: skip
        ax.update_datalim(others[["CPU s", "MAE"]].to_numpy())
        ax.set(title=name, xlabel="CPU time of the fit (s)", ylabel="MAE on held-out rows")
        ax.set_xscale("log")
        ax.margins(0.1)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
    key = ["blue: the default, 1 to 6 networks", "black: 2 networks, and"]
    key += [f"{k:>2}  {name}" for name, k in numbers.items()]
    axes.flat[-1].annotate(
        "\n".join(key), (1.05, 1), xycoords="axes fraction", fontsize=7.5, va="top"
    )
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=200)
    print(f"{PICTURE.relative_to(ROOT)} written")


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_results(options)
    if results.empty:
        return {}
    points = read_points(results)
    if options.plot:
        draw(points)
    n_splits = results.groupby("data_set")["split"].nunique().max()
    caption = (
        "Two networks of each variant beside two of the default: difference of the MAE in percent, "
        f"then CPU time. Splits measured: {n_splits} at most."
    )
    return {"front": f"{caption}\n\n{write_markdown(make_table(points))}"}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.set_defaults(name="front")
    parser.add_argument("--data-sets", nargs="+", default=DATA_SETS)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--splits", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--plot", action="store_true", help=f"draw {PICTURE.relative_to(ROOT)}")
    parser.add_argument(
        "--trial",
        action="store_true",
        help="does everything run? One epoch; the results go to build/front.csv",
    )
    return parse_options(parser, arguments)


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
