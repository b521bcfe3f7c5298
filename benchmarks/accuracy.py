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
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from _common import BENCHMARK_WEIGHTS, read_data_set
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
    read_published,
    run_benchmark,
    run_folds,
    runs_parser,
    write_folds,
    write_markdown,
    write_threads,
    write_time,
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
        "CrabNet pretrained, test compositions unknown",
        partial(CrabNetRegressor.from_preset, "pretrained", init_from=BENCHMARK_WEIGHTS),
        2.4e-4,
    ),
    "shipped": Model(
        "CrabNet pretrained, as shipped",
        partial(CrabNetRegressor.from_preset, "pretrained"),
        2.4e-4,
    ),
}
SUITES = {
    "matbench": Suite("Matbench v0.1, official folds", 5, "matbench_v0.1"),
    "extended": Suite("Extended sets of the CrabNet paper, its split", 1, "paper"),
}
MATBENCH_REGRESSION = {name: task for name, task in TASKS.items() if task.kind == "regression"}
PUBLISHED = {
    "CrabNet": "CrabNet published",
    "HotCrab": "HotCrab published",
    "Roost": "Roost published",
    "ElemNet": "ElemNet published",
    "RF": "RF published",
    "best_composition_only": "best published",
}


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


def measure_what_is_missing(results: pd.DataFrame, options: argparse.Namespace) -> None:
    wanted = [
        FoldRun(suite, name, model, fold, seed)
        for name, suite in options.suites.items()
        for fold in options.folds
        for seed in options.seeds
        for model in options.models
        if fold < SUITES[suite].n_folds
    ]
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


# ------------------------------------------------------------------------------------------ table


def write_cell(results: pd.DataFrame, n_folds: int) -> str:
    return f"{write_folds(results, 'mae', n_folds)}, {write_time(results['seconds'].mean())}"


def make_table(results: pd.DataFrame, published: pd.DataFrame, n_folds: int) -> pd.DataFrame:
    rows = []
    for name, of_data_set in results.groupby("data_set"):
        row = {
            "data set": f"`{name}`",
            "rows": of_data_set["n_train"].iloc[0] + of_data_set["n_test"].iloc[0],
            "unit": MATBENCH_REGRESSION[name].unit if name in MATBENCH_REGRESSION else None,
        }
        for column, title in PUBLISHED.items():
            mae = published[column].get(name, np.nan)
            row[title] = None if np.isnan(mae) else f"{mae:.4g}"
        for model, (title, *_) in MODELS.items():
            of_model = of_data_set[of_data_set["model"] == model]
            row[title] = None if of_model.empty else write_cell(of_model, n_folds)
        rows.append(row)
    table = pd.DataFrame(rows).sort_values("rows", kind="stable")
    return table.dropna(axis="columns", how="all").fillna("")


def write_section(suite: Suite, results: pd.DataFrame, published: pd.DataFrame) -> str:
    """Write the table of a suite, with what its cells are and whose the best entries are."""
    caption = (
        f"{suite.title}. MAE: mean over folds (folds measured, if not all; lowest–highest fold). "
        f"Then the mean wall time of a fit; threads: {write_threads(results)}."
    )
    best = published["best_name"].dropna()
    remarks = [
        f"- Best published on `{name}` from compositions alone: {best[name]}."
        for name in sorted(set(results["data_set"]) & set(best.index))
    ]
    table = write_markdown(make_table(results, published, suite.n_folds))
    return "\n\n".join(filter(None, [caption, table, "\n".join(remarks)]))


def write_tables(results: pd.DataFrame, options: argparse.Namespace) -> str:
    published = read_published(options.data, "MAE")
    return "\n\n".join(
        write_section(suite, of_suite, published[published["split"] == suite.published])
        for name, suite in SUITES.items()
        if len(of_suite := results[results["suite"] == name])
    )


# ------------------------------------------------------------------------------------------- main


def read_options() -> argparse.Namespace:
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
    options = parse_options(parser)
    try:
        options.suites = {} if options.table_only else choose_data_sets(options)
    except ValueError as error:
        parser.error(str(error))
    return options


def main() -> None:
    read = partial(read_fold_results, MODELS)
    run_benchmark(read, measure_what_is_missing, write_tables, read_options())


if __name__ == "__main__":
    main()
