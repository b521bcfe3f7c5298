"""Networks and trees on the data sets on which CrabNet was published, beside published figures.

Two suites: the regression tasks of Matbench v0.1 with their five official folds, and the extended
sets of the CrabNet paper with the paper's split, whose train and val rows are trained on and whose
test rows serve for the score alone. Every model gets these training rows and nothing else; the
settings are the package's defaults or presets. docs/benchmarks.md says how these were chosen.

A run is one data set, model, fold and seed, a row of results/accuracy.csv: a benchmark that is
interrupted goes on where it was. `_runs` says which results count and how costs are estimated.
"""

import argparse
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from _common import (
    BENCHMARK_WEIGHTS,
    read_data_set,
    read_published,
    run_benchmark,
)
from _markdown import write_folds, write_markdown, write_threads, write_time
from _runs import (
    Data,
    FoldRun,
    Model,
    add_fold_options,
    columns,
    load_matbench,
    on_magpie,
    parse_options,
    plan_folds,
    read_fold_results,
    read_fold_results_to_show,
    run_folds,
    runs_parser,
)
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.metrics import mean_absolute_error

from crabsk import CrabNetRegressor, ElemNetRegressor, RoostRegressor
from crabsk.datasets._matbench_tasks import TASKS


class Suite(NamedTuple):
    """A table: what it says of itself, and which split of published.csv it stands beside."""

    title: str
    n_folds: int
    published: str


# Seconds from short fits on expt_gap (256 to 4096 rows), on one core of a busy x86 server.
MODELS = {
    "default": Model("CrabNet default", partial(CrabNetRegressor.from_preset, "default"), 2.4e-4),
    "fast": Model("CrabNet fast", partial(CrabNetRegressor.from_preset, "fast"), 1.2e-4),
    "accurate": Model(
        "CrabNet accurate", partial(CrabNetRegressor.from_preset, "accurate"), 2.4e-4
    ),
    "paper": Model("CrabNet paper", partial(CrabNetRegressor.from_preset, "paper"), 6e-3),
    "hotcrab": Model("CrabNet one-hot", partial(CrabNetRegressor, embedding="onehot"), 2.4e-4),
    "roost_paper": Model("Roost paper", partial(RoostRegressor.from_preset, "paper"), 8e-4),
    "roost_single": Model(
        "Roost paper, one network",
        partial(RoostRegressor.from_preset, "paper", n_estimators=1),
        8e-4,
    ),
    "elemnet_paper": Model(
        "ElemNet paper", partial(ElemNetRegressor.from_preset, "paper", missing="zero"), 8e-4
    ),
    "random_forest": Model("random forest", partial(on_magpie, RandomForestRegressor), 3e-5),
    "extra_trees": Model("extra trees", partial(on_magpie, ExtraTreesRegressor), 1e-5),
    "extra_trees_species": Model(
        "extra trees, Magpie and species",
        partial(on_magpie, ExtraTreesRegressor, species=True),
        1e-4,
    ),
    "pretrained": Model(
        "CrabNet pretrained",
        partial(CrabNetRegressor.from_preset, "pretrained", init_from=BENCHMARK_WEIGHTS),
        2.4e-4,
    ),
    "shipped": Model(
        "CrabNet, shipped weights",
        partial(CrabNetRegressor.from_preset, "pretrained"),
        2.4e-4,
    ),
}
SUITES = {
    "matbench": Suite("Matbench v0.1, official folds", 5, "matbench_v0.1"),
    "extended": Suite("Extended sets of the CrabNet paper, its split", 1, "paper"),
}
MATBENCH_REGRESSION = {name: task for name, task in TASKS.items() if task.kind == "regression"}
# The CrabNet paper gives none.
UNITS = {
    **{name: task.unit for name, task in MATBENCH_REGRESSION.items()},
    "aflow__Egap": "eV",
    "aflow__ael_bulk_modulus_vrh": "GPa",
    "aflow__ael_shear_modulus_vrh": "GPa",
    "aflow__agl_thermal_expansion_300K": "1/K",
    "aflow__energy_atom": "eV/atom",
    "CritExam__Ed": "eV/atom",
    "CritExam__Ef": "eV/atom",
    "mp_e_hull": "eV/atom",
    "mp_mu_b": "Bohr magnetons",
    "mp_shear_modulus": "GPa",
    "OQMD_Bandgap": "eV",
    "OQMD_Energy_per_atom": "eV/atom",
    "OQMD_Formation_Enthalpy": "eV/atom",
    "OQMD_Volume_per_atom": "Å³/atom",
}
PUBLISHED = {
    "CrabNet": "CrabNet published",
    "best_composition_only": "best published",
    "HotCrab": "HotCrab published",
    "Roost": "Roost published",
    "ElemNet": "ElemNet published",
    "RF": "RF published",
}
# The models of the first two tables, and those of the third.
CRABNETS = ("default", "fast", "accurate", "pretrained")
OTHERS = tuple(name for name in MODELS if name not in CRABNETS)


# -------------------------------------------------------------------------------------- data sets


def choose_data_sets(options: argparse.Namespace) -> dict[str, str]:
    """Return the suite of each data set that is there and asked for."""
    there = {
        path.name.removesuffix(".csv.gz"): suite
        for suite in SUITES
        for path in sorted((options.data / suite).glob("*.csv.gz"))
        if suite == "extended" or path.name.removesuffix(".csv.gz") in MATBENCH_REGRESSION
    }
    if options.fetch:
        there |= dict.fromkeys(MATBENCH_REGRESSION, "matbench")
    if not there:
        raise ValueError(f"there are no data sets in {options.data}: say --data or --fetch")
    chosen = options.data_sets or there
    if unknown := set(chosen) - set(there):
        raise ValueError(f"no data set {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    return {name: there[name] for name in chosen}


def load(suite: str, name: str, options: argparse.Namespace) -> Data:
    if suite == "extended":
        frame = read_data_set(options.data, f"extended/{name}")
        test = (frame["split"] == "test").to_numpy()
        return Data(*columns(frame), [(np.flatnonzero(~test), np.flatnonzero(test))])
    return load_matbench(name, options)


def count_training_rows(suite: str, name: str, options: argparse.Namespace) -> int:
    if suite == "matbench":  # known without a download
        return MATBENCH_REGRESSION[name].n_rows * 4 // 5
    return len(load(suite, name, options).folds[0][0])


# ------------------------------------------------------------------------------------------- runs


def score(model: Any, X: np.ndarray, y: np.ndarray) -> dict:
    start = time.perf_counter()
    predicted = model.predict(X)
    return {
        "mae": mean_absolute_error(y, predicted),
        "predict_seconds": time.perf_counter() - start,
    }


def measure(options: argparse.Namespace) -> None:
    wanted = [
        FoldRun(suite, name, model, fold, seed)
        for name, suite in options.suites.items()
        for fold in options.folds
        for seed in options.seeds
        for model in options.models
        if fold < SUITES[suite].n_folds
    ]
    results = read_fold_results(MODELS, options)
    runs = plan_folds(
        wanted, results, MODELS, partial(count_training_rows, options=options), options
    )
    run_folds(
        runs,
        MODELS,
        partial(load, options=options),
        score,
        lambda result: f"MAE {result['mae']:.4g}",
        options,
    )


# ----------------------------------------------------------------------------------------- tables


def make_table(
    results: pd.DataFrame, published: pd.DataFrame, models: Sequence[str], n_folds: int
) -> pd.DataFrame:
    """Return a row for each data set: our errors, those published, the CPU times of our fits."""
    rows = []
    for name, of_data_set in results.groupby("data_set"):
        unit = UNITS.get(name)
        n_rows = of_data_set["n_train"].iloc[0] + of_data_set["n_test"].iloc[0]
        row = {"data set": f"`{name}`" + (f" ({unit})" if unit else ""), "rows": n_rows}
        its = {model: of_data_set[of_data_set["model"] == model] for model in models}
        its = {MODELS[model].title: runs for model, runs in its.items() if len(runs)}
        row |= {title: write_folds(runs, "mae", n_folds) for title, runs in its.items()}
        for column, title in PUBLISHED.items():
            mae = published[column].get(name, np.nan)
            row[title] = None if np.isnan(mae) else f"{mae:.4g}"
        row |= {
            f"CPU time, {title}": write_time(runs["cpu_seconds"].mean())
            for title, runs in its.items()
        }
        rows.append(row)
    table = pd.DataFrame(rows).sort_values("rows", kind="stable")
    table = table.dropna(axis="columns", how="all").fillna("")
    ours = [f"{start}{MODELS[model].title}" for start in ("", "CPU time, ") for model in models]
    fits = [column for column in ours if column.startswith("CPU time, ")]
    order = [column for column in table if column not in ours]
    order[2:2] = [column for column in ours if column not in fits]
    return table[[column for column in [*order, *fits] if column in table]]


def write_best(results: pd.DataFrame, published: pd.DataFrame) -> str:
    best = published["best_name"].dropna()
    return "\n".join(
        f"- Best published on `{name}` from compositions alone: {best[name]}."
        for name in sorted(set(results["data_set"]) & set(best.index))
    )


def write_section(
    suite: Suite, results: pd.DataFrame, published: pd.DataFrame, models: Sequence[str]
) -> str:
    """Write the table of a suite, with what its cells are."""
    results = results[results["model"].isin(models)]
    caption = (
        f"{suite.title}. MAE: mean over folds (folds measured, if not all; lowest–highest fold). "
        f"CPU time of one fit; threads: {write_threads(results)}; seeds: "
        f"{', '.join(map(str, sorted(results['seed'].unique())))}."
    )
    return f"{caption}\n\n{write_markdown(make_table(results, published, models, suite.n_folds))}"


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_fold_results_to_show(MODELS, options)
    published = read_published(options.data, "MAE")
    found = {}
    for name, suite in SUITES.items():
        its = results[results["suite"] == name]
        beside = published[published["split"] == suite.published]
        for title, models in ((name, CRABNETS), (f"{name}-others", OTHERS)):
            if its["model"].isin(models).any():
                found[title] = write_section(suite, its, beside, models)
        if best := write_best(its, beside):
            found[f"{name}-best"] = best
    return found


# ------------------------------------------------------------------------------------------- main


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = runs_parser(
        __doc__, "accuracy", MODELS, default_models=["default", "random_forest", "extra_trees"]
    )
    add_fold_options(parser)
    parser.add_argument(
        "--data-sets",
        nargs="+",
        metavar="NAME",
        help="such as steels (default: all there are); the extended sets have fold 0 only",
    )
    options = parse_options(parser, arguments)
    try:
        options.suites = {} if options.table_only else choose_data_sets(options)
    except ValueError as error:
        parser.error(str(error))
    return options


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
