"""Networks and trees as classifiers: metal or not, and strong alloys or not.

The sets of Matbench v0.1 come with their official folds. Strong alloys are those of a table whose
yield strength is above the table's median; the temperature of the test stands beside the formula,
and the folds are by composition, as in tables.py. Every model gets the training rows of a fold and
nothing else; the settings are the package's defaults or presets. One fit is scored by

* the area under the ROC curve of its probabilities, which asks how well it ranks,
* the same area of its hard labels, 0 or 1, as the entries of Matbench were scored: the mean of
  sensitivity and specificity at one threshold, and the only figure to set beside published ones,
* accuracy, and F1 of the class 1.

A run is one data set, model, fold and seed, a row of results/classification.csv: a benchmark that
is interrupted goes on where it was. `_runs` says which results count and how costs are estimated.
"""

import argparse
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from _common import (
    BENCHMARK_WEIGHTS,
    read_published,
    run_benchmark,
)
from _markdown import write_folds, write_markdown, write_threads, write_time
from _runs import (
    Data,
    FoldRun,
    Model,
    add_fold_options,
    load_matbench,
    load_table,
    on_magpie,
    parse_options,
    plan_folds,
    read_fold_results,
    read_fold_results_to_show,
    run_folds,
    runs_parser,
)
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from crabsk import CrabNetClassifier, ElemNetClassifier, RoostClassifier
from crabsk.datasets._matbench_tasks import TASKS

N_FOLDS = 5
# Seconds from short fits on expt_is_metal, on one core of a busy x86 server.
MODELS = {
    "default": Model("CrabNet default", CrabNetClassifier, 2.4e-4),
    "fast": Model("CrabNet fast", partial(CrabNetClassifier.from_preset, "fast"), 1.2e-4),
    "accurate": Model(
        "CrabNet accurate", partial(CrabNetClassifier.from_preset, "accurate"), 2.4e-4
    ),
    "pretrained": Model(
        "CrabNet pretrained",
        partial(CrabNetClassifier.from_preset, "pretrained", init_from=BENCHMARK_WEIGHTS),
        2.4e-4,
    ),
    "roost": Model("Roost default", RoostClassifier, 7e-4),
    "elemnet": Model("ElemNet default", ElemNetClassifier, 6e-4),
    "random_forest": Model("random forest", partial(on_magpie, RandomForestClassifier), 4e-6),
    "extra_trees": Model("extra trees", partial(on_magpie, ExtraTreesClassifier), 3e-6),
    "random_forest_fractions": Model(
        "random forest, Magpie and fractions",
        partial(on_magpie, RandomForestClassifier, fractions=True),
        4e-6,
    ),
    "extra_trees_fractions": Model(
        "extra trees, Magpie and fractions",
        partial(on_magpie, ExtraTreesClassifier, fractions=True),
        3e-6,
    ),
}
SCORES = {
    "roc_auc_of_probabilities": "ROC AUC of probabilities",
    "roc_auc_of_hard_labels": "ROC AUC of hard labels",
    "accuracy": "accuracy",
    "f1": "F1",
}
PUBLISHED = {"RF": "RF published", "best_composition_only": "best published"}
CLASSIFICATION = {name: task for name, task in TASKS.items() if task.kind == "classification"}
# Data sets of rows above a table's median target.
ABOVE_MEDIAN = {"strong_alloys": "mpea_yield_strength_MPa"}
SUITES = dict.fromkeys(CLASSIFICATION, "matbench") | dict.fromkeys(ABOVE_MEDIAN, "tables")


# ------------------------------------------------------------------------------------------- runs


def load(suite: str, name: str, options: argparse.Namespace) -> Data:
    if suite == "tables":
        data = load_table(ABOVE_MEDIAN[name], options)
        return data._replace(y=(data.y > np.median(data.y)).astype(int))
    data = load_matbench(name, options)
    return data._replace(y=data.y.astype(int))


def count_training_rows(suite: str, name: str, options: argparse.Namespace) -> int:
    if suite == "matbench":  # known without a download
        n_rows = CLASSIFICATION[name].n_rows
    else:
        n_rows = len(load(suite, name, options).y)
    return n_rows * (N_FOLDS - 1) // N_FOLDS


def score(model: Any, X: np.ndarray, y: np.ndarray) -> dict:
    start = time.perf_counter()
    probability = model.predict_proba(X)[:, 1]
    predict_seconds = time.perf_counter() - start
    labels = model.predict(X)
    return {
        "roc_auc_of_probabilities": roc_auc_score(y, probability),
        "roc_auc_of_hard_labels": roc_auc_score(y, labels),
        "accuracy": accuracy_score(y, labels),
        "f1": f1_score(y, labels),
        "predict_seconds": predict_seconds,
    }


def measure(options: argparse.Namespace) -> None:
    wanted = [
        FoldRun(SUITES[name], name, model, fold, seed)
        for name in options.data_sets
        for fold in options.folds
        for seed in options.seeds
        for model in options.models
    ]
    results = read_fold_results(MODELS, options)
    run_folds(
        plan_folds(wanted, results, MODELS, partial(count_training_rows, options=options), options),
        MODELS,
        partial(load, options=options),
        score,
        lambda result: ", ".join(f"{SCORES[name]} {result[name]:.4g}" for name in SCORES),
        options,
    )


# ------------------------------------------------------------------------------------------ table


def make_table(results: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each model, and one for each figure that others published."""
    rows = []
    for model, (title, *_) in MODELS.items():
        its = results[results["model"] == model]
        if len(its):
            cells = {SCORES[name]: write_folds(its, name, N_FOLDS) for name in SCORES}
            rows.append({"model": title, **cells, "fit": write_time(its["seconds"].mean())})
    for column, title in PUBLISHED.items():
        if published[column].notna().any():
            figure = published[column].iloc[0]
            rows.append({"model": title, SCORES["roc_auc_of_hard_labels"]: f"{figure:.4g}"})
    return pd.DataFrame(rows).fillna("")


def write_section(name: str, results: pd.DataFrame, published: pd.DataFrame) -> str:
    """Write the table of a data set, with what its cells are and whose the best entry is."""
    n_rows = results["n_train"].iloc[0] + results["n_test"].iloc[0]
    if name in ABOVE_MEDIAN:
        of_set = f"rows of `{ABOVE_MEDIAN[name]}` above its median or not, folds by composition"
    else:
        of_set = "official folds of Matbench v0.1"
    caption = (
        f"`{name}`, {n_rows} rows, {of_set}. Mean over folds (folds "
        "measured, if not all; lowest–highest fold), and the mean wall time of a fit; threads: "
        f"{write_threads(results)}."
    )
    table = write_markdown(make_table(results, published))
    remarks = [
        f"- Best published from compositions alone: {best}."
        for best in published["best_name"].dropna()
    ]
    return "\n\n".join([caption, table, *remarks])


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_fold_results_to_show(MODELS, options)
    published = read_published(options.data, "ROC_AUC_of_hard_labels")
    return {
        name: write_section(name, of_data_set, published[published.index == name])
        for name, of_data_set in results.groupby("data_set")
    }


# ------------------------------------------------------------------------------------------- main


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = runs_parser(
        __doc__,
        "classification",
        MODELS,
        default_models=["default", "random_forest", "extra_trees"],
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_fold_options(parser)
    parser.add_argument(
        "--data-sets",
        nargs="+",
        choices=SUITES,
        default=["expt_is_metal"],
        metavar="NAME",
        help=f"of {', '.join(SUITES)} (default: expt_is_metal)",
    )
    options = parse_options(parser, arguments)
    there = {path.name for path in (options.data / "matbench").glob("*.csv.gz")}
    of_matbench = [name for name in options.data_sets if name in CLASSIFICATION]
    absent = [name for name in of_matbench if f"{name}.csv.gz" not in there]
    if absent and not (options.fetch or options.table_only):
        parser.error(f"no {', '.join(absent)} in {options.data}: say --data or --fetch")
    return options


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
