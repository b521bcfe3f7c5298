"""How many labels each model needs: errors with 25, 50, 100, ... and all labels.

Six properties, each with fixed test rows. The labels are drawn at random from the other rows, ten
times where they are few. "Pretrained" are networks that start from, and features beside Magpie made
by, weights that know no composition of these sets (``make_pretrained.py --benchmark``).

A run is one property, model, number of labels and draw, a row of results/label_efficiency.csv: a
benchmark that is interrupted goes on where it was. With --plot the figure is drawn into
docs/images/label_efficiency.png.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from _common import (
    BENCHMARK_WEIGHTS,
    ROOT,
    read_data_set,
    run_benchmark,
)
from _markdown import write_markdown, write_threads
from _runs import (
    Model,
    columns,
    fit_minutes,
    make_model,
    of_today,
    on_magpie,
    parse_options,
    plan,
    read_runs,
    run_all,
    runs_parser,
    seconds_per_pass,
    timed_fit,
    warm_up,
)
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GroupKFold

from crabsk import CrabNetRegressor
from crabsk.composition import reduced_formula
from crabsk.datasets import load_formation_enthalpy, matbench_folds

UNITS = {
    "expt_gap": "eV",
    "jdft2d": "meV/atom",
    "dielectric": "",
    "log_kvrh": "log10 GPa",
    "thermal_expansion": "1e-6/K",
    "formation_enthalpy": "eV/atom",
}
SIZES = (25, 50, 100, 200, 500, 1000)
ALL = 0
"""The number of labels that stands for all there are."""

TREES = {
    "random_forest": ("random forest", RandomForestRegressor),
    "extra_trees": ("extra trees", ExtraTreesRegressor),
    "boosting": ("histogram boosting", HistGradientBoostingRegressor),
}
MODELS = {
    "pretrained": Model(
        "CrabNet pretrained",
        partial(CrabNetRegressor.from_preset, "pretrained", init_from=BENCHMARK_WEIGHTS),
        3e-4,
    ),
    "scratch": Model("CrabNet from scratch", CrabNetRegressor, 3e-4),
    **{
        f"{name}_{features}": Model(
            f"{title}, Magpie{' + pretrained' if features == 'pretrained' else ''}",
            partial(
                on_magpie, kind, pretrained=BENCHMARK_WEIGHTS if features == "pretrained" else None
            ),
            2e-5,
        )
        for name, (title, kind) in TREES.items()
        for features in ("magpie", "pretrained")
    },
}
ON_MAGPIE = [name for name in MODELS if name.endswith("_magpie")]
PICTURE = ROOT / "docs" / "images" / "label_efficiency.png"


class Run(NamedTuple):
    """A fit to some labels of a property."""

    data_set: str
    model: str
    labels: int
    seed: int

    @property
    def name(self) -> str:
        """What it is called in print."""
        return f"{self.data_set}/{self.model}/{self.labels or 'all'} labels, draw {self.seed}"


class Data(NamedTuple):
    """Rows to draw labels from, and rows to score on."""

    X: np.ndarray
    y: np.ndarray
    pool: np.ndarray
    test: np.ndarray


def load(name: str, options: argparse.Namespace) -> Data:
    """Read a property; no composition is in the pool and in the test rows."""
    if name == "formation_enthalpy":
        X, y = load_formation_enthalpy(return_X_y=True)
        folds = GroupKFold(5, shuffle=True, random_state=0).split(X, groups=reduced_formula(X))
        return Data(X, y, *next(folds))
    if name == "thermal_expansion":
        frame = read_data_set(options.data, "extended/aflow__agl_thermal_expansion_300K")
        X, y = columns(frame)
        test = (frame["split"] == "test").to_numpy()
        return Data(X, 1e6 * y, np.flatnonzero(~test), np.flatnonzero(test))
    X, y = columns(read_data_set(options.data, f"matbench/{name}"))
    return Data(X, y, *next(matbench_folds(name).split(X, y)))


def measure_run(run: Run, data: Data, options: argparse.Namespace) -> list[dict]:
    order = np.random.RandomState(run.seed).permutation(len(data.pool))
    train = data.pool[order[: run.labels or None]]
    model = make_model(MODELS[run.model], run.seed, trial=options.trial)
    fitted = timed_fit(model, data.X[train], data.y[train])
    mae = mean_absolute_error(data.y[data.test], model.predict(data.X[data.test]))
    return [{"mae": mae, "n_test": len(data.test), **fitted}]


def read_results(options: argparse.Namespace) -> pd.DataFrame:
    def model_today(row: dict) -> Any:
        return make_model(MODELS[row["model"]], row["seed"], trial=options.trial)

    return of_today(read_runs(options), model_today, options)


def measure(options: argparse.Namespace) -> None:
    results = read_results(options)
    read = lru_cache(lambda name: load(name, options))
    wanted = [
        Run(name, model, labels, seed)
        for name in options.data_sets
        for labels in options.labels
        for model in options.models
        for seed in options.seeds
        if labels < len(read(name).pool)
    ]
    seconds = seconds_per_pass(results, MODELS)

    def minutes_of(run: Run) -> float:
        model = make_model(MODELS[run.model], run.seed, trial=options.trial)
        n_train = run.labels or len(read(run.data_set).pool)
        return fit_minutes(model, n_train, seconds[run.model])

    runs = plan(
        wanted,
        results,
        minutes_of,
        budget=options.budget,
        group_by=lambda run: f"{run.data_set}, {run.labels or 'all'} labels",
    )
    warm_up(make_model(MODELS[name], 0, trial=True) for name in {run.model for run in runs})
    run_all(
        runs,
        lambda run: measure_run(run, read(run.data_set), options),
        lambda rows: f"MAE {rows[0]['mae']:.4g}",
        options,
    )


# ---------------------------------------------------------------------------------------- figures


def relative_errors(results: pd.DataFrame) -> pd.DataFrame:
    """Return mean errors in units of the best trees on Magpie, a column for each model.

    Of each model, and of the trees beside it, the draws count that all of these have.
    """
    found: dict[str, dict] = defaultdict(dict)
    for key, its in results.groupby(["labels", "data_set"]):
        errors = its.pivot_table(index="seed", columns="model", values="mae")
        trees = [name for name in ON_MAGPIE if name in errors]
        if not trees:
            continue
        for model in errors:
            shared = errors[[model, *(name for name in trees if name != model)]].dropna()
            if len(shared):
                found[model][key] = shared[model].mean() / shared[trees].mean().min()
    return pd.DataFrame(found).rename_axis(index=["labels", "data_set"])


def make_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each model: how far it is from the best trees, mean over properties."""
    relative = relative_errors(results)
    rows = []
    for model, (title, *_) in MODELS.items():
        if model not in relative:
            continue
        row = {"model": title}
        for labels, its in relative[model].groupby("labels"):
            its = its.dropna()
            note = f" ({len(its)} of {len(UNITS)})" if len(its) < len(UNITS) else ""
            row[f"{labels} labels" if labels else "all"] = (
                f"{100 * (its.mean() - 1):+.0f} %{note}" if len(its) else ""
            )
        rows.append(row)
    table = pd.DataFrame(rows).fillna("")
    ends = [column for column in table if column == "all"]
    return table[[*(column for column in table if column not in ends), *ends]]


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_results(options)
    if options.plot:
        plot(results)
    draws = results.groupby("labels")["seed"].nunique()
    caption = (
        "Test MAE in relation to the best of the trees on Magpie with the same labels, as far as "
        "they were run; mean over properties (how many, if not all); threads: "
        f"{write_threads(results)}. Draws of each number of labels: up to "
        f"{', '.join(map(str, draws))}; networks have fewer."
    )
    return {"label-efficiency": f"{caption}\n\n{write_markdown(make_table(results))}"}


def plot(results: pd.DataFrame) -> None:
    """Draw the errors against the number of labels, a panel for each property."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = {
        "pretrained": ("CrabNet pretrained", "C3", "-"),
        "scratch": ("CrabNet from scratch", "C3", ":"),
        "extra_trees_pretrained": ("extra trees, Magpie + pretrained", "C0", "-"),
        "extra_trees_magpie": ("extra trees, Magpie", "C0", ":"),
    }
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
    for axis, (name, unit) in zip(axes.flat, UNITS.items(), strict=True):
        its = results[(results["data_set"] == name) & results["model"].isin(shown)]
        all_labels = its["n_train"].max()
        # Draws differ more than models do: only those count that all models have.
        errors = its.pivot_table(index=["n_train", "seed"], columns="model", values="mae").dropna()
        means = errors.groupby("n_train").mean()
        for model, (title, colour, line) in shown.items():
            mean = means[model]
            axis.plot(mean.index, mean, line, color=colour, marker="o", markersize=3, label=title)
        axis.set(title=name, xscale="log", ylabel=f"test MAE ({unit})" if unit else "test MAE")
        ticks = [n for n in (25, 100, 1000) if n < all_labels] + [all_labels]
        axis.set_xticks(ticks, map(str, ticks))
        axis.minorticks_off()
    for axis in axes[1]:
        axis.set_xlabel("labels")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), ncols=4, loc="outside lower center")
    figure.savefig(PICTURE, dpi=150)
    print(f"{PICTURE} written")


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = runs_parser(__doc__, "label_efficiency", MODELS, list(MODELS))
    parser.add_argument("--data-sets", nargs="+", choices=UNITS, default=list(UNITS))
    parser.add_argument(
        "--labels",
        type=int,
        nargs="+",
        default=[*SIZES, ALL],
        help="numbers of labels; 0 stands for all (default: %(default)s)",
    )
    parser.add_argument("--plot", action="store_true", help="draw the figure")
    return parse_options(parser, arguments)


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
