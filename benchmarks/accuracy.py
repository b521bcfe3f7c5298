"""Networks and trees on the data sets on which CrabNet was published, beside published figures.

Two suites: the regression tasks of Matbench v0.1 with their five official folds, and the extended
sets of the CrabNet paper with the paper's split, whose train and val rows are trained on and whose
test rows serve for the score alone. Every model gets these training rows and nothing else; the
settings are the package's defaults or presets. docs/benchmarks.md says how these were chosen.

A run is one data set, model, fold and seed, and has its own file in results/accuracy. A run whose
file is there, with the parameters that the model has today, is not repeated: an interrupted
benchmark goes on where it was. Results of other parameters count for nothing.

The CPU time of a fit is estimated as rows x epochs x networks (or rows x trees) times the seconds
that one of these took in the results at hand, or else the constant in MODELS.
"""

import argparse
import json
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from _common import RESULTS, ROOT, argument_parser, read_data_set, write_results
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import Pipeline, make_pipeline
from tqdm import tqdm

from crabsk import CompositionTransformer, CrabNetRegressor
from crabsk.datasets import fetch_matbench, matbench_folds
from crabsk.datasets._matbench import _TASKS
from crabsk.neural_network import ConflictingTargetsWarning


class Model(NamedTuple):
    """A column of the table: its heading, and what makes the estimator from ``random_state``.

    `seconds` is the CPU time of a row, epoch and network (or of a row and tree).
    """

    title: str
    make: Callable[..., Any]
    seconds: float


class Suite(NamedTuple):
    """A table: what it says of itself, and which split of published.csv it stands beside."""

    title: str
    n_folds: int
    published: str


class Run(NamedTuple):
    """What one file of results is about."""

    suite: str
    data_set: str
    model: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        """Where the result lies, and what it is called in print."""
        return f"{self.data_set}/{self.model}/fold{self.fold}_seed{self.seed}"


class Data(NamedTuple):
    """A data set and its splits into training and test rows."""

    X: np.ndarray
    y: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]


def on_magpie(trees: type, random_state: int) -> Pipeline:
    # As many threads as torch has, so that one number in a result holds for every model.
    return make_pipeline(
        CompositionTransformer("magpie", missing="mean"),
        trees(500, n_jobs=torch.get_num_threads(), random_state=random_state),
    )


# Seconds from short fits on expt_gap (256 to 4096 rows), on one core of a busy x86 server.
MODELS = {
    "default": Model("CrabNet default", partial(CrabNetRegressor.from_preset, "default"), 2.4e-4),
    "fast": Model("CrabNet fast", partial(CrabNetRegressor.from_preset, "fast"), 1.2e-4),
    "accurate": Model("CrabNet accurate", partial(CrabNetRegressor.from_preset, "accurate"), 7e-4),
    "paper": Model("CrabNet paper", partial(CrabNetRegressor.from_preset, "paper"), 6e-3),
    "random_forest": Model("random forest", partial(on_magpie, RandomForestRegressor), 3e-5),
    "extra_trees": Model("extra trees", partial(on_magpie, ExtraTreesRegressor), 1e-5),
}
SUITES = {
    "matbench": Suite("Matbench v0.1, official folds", 5, "matbench_v0.1"),
    "extended": Suite("Extended sets of the CrabNet paper, its split", 1, "paper"),
}
MATBENCH_REGRESSION = {name: task for name, task in _TASKS.items() if task.kind == "regression"}
PUBLISHED = {
    "CrabNet": "CrabNet published",
    "HotCrab": "HotCrab published",
    "Roost": "Roost published",
    "ElemNet": "ElemNet published",
    "RF": "RF published",
    "best_composition_only": "best published",
}
MARKERS = ("<!-- accuracy table: begin -->", "<!-- accuracy table: end -->")
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch", "elementembeddings")


# ----------------------------------------------------------------------------------------- models


def make_model(name: str, seed: int, *, trial: bool) -> Any:
    model = MODELS[name].make(random_state=seed)
    if trial:
        last = last_step(model)
        last.set_params(
            **({"max_epochs": 1} if hasattr(last, "max_epochs") else {"n_estimators": 5})
        )
    return model


def last_step(model: Any) -> Any:
    return model[-1] if isinstance(model, Pipeline) else model


def parameters(model: Any, n_train: int) -> dict:
    """Return what must be equal for a result to stand for this model, as JSON gives it back.

    The length of training stands as it is for so many rows, also where it is left to the model.
    """
    last = last_step(model)
    facts = {"class": type(last).__name__}
    if isinstance(model, Pipeline):
        facts |= {"features": repr(model[0]), "n_estimators": last.n_estimators}
    else:
        facts |= last.get_params(deep=False) | {"max_epochs": last._n_epochs(n_train)}
    return json.loads(json.dumps(facts, default=repr))


def passes(parameters: dict) -> int:
    """Return how often a fit goes through its rows."""
    return parameters.get("max_epochs", 1) * parameters["n_estimators"]


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
    if options.fetch:
        X, y = fetch_matbench(name, return_X_y=True)
    else:
        X, y = columns(read_data_set(options.data, f"matbench/{name}"))
    return Data(X, y, list(matbench_folds(name).split(X)))


def columns(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return frame["formula"].to_numpy(object), frame["target"].to_numpy(float)


def count_training_rows(suite: str, name: str, options: argparse.Namespace) -> int:
    if suite == "matbench":  # known without a download
        return MATBENCH_REGRESSION[name].n_rows * 4 // 5
    return len(load(suite, name, options).folds[0][0])


# ------------------------------------------------------------------------------------------- runs


def measure(run: Run, data: Data, *, trial: bool) -> dict:
    train, test = data.folds[run.fold]
    model = make_model(run.model, run.seed, trial=trial)
    start, start_cpu = time.perf_counter(), time.process_time()
    model.fit(data.X[train], data.y[train])
    fit_s, fit_cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    start = time.perf_counter()
    predicted = model.predict(data.X[test])
    predict_s = time.perf_counter() - start
    return {
        **run._asdict(),
        "n_train": len(train),
        "n_test": len(test),
        "mae": mean_absolute_error(data.y[test], predicted),
        "fit_s": fit_s,
        "fit_cpu_s": fit_cpu_s,
        "predict_s": predict_s,
        "n_threads": torch.get_num_threads(),
        "parameters": parameters(model, len(train)),
    }


def read_results(folder: Path, *, trial: bool) -> dict[Run, dict]:
    """Read what was measured of the models as they are today."""
    results = {}
    n_stale = 0
    for path in sorted(folder.glob("*/*/*.json")):
        result = json.loads(path.read_text())
        run = Run(*(result[field] for field in Run._fields))
        if run.model in MODELS and result["parameters"] == parameters(
            make_model(run.model, run.seed, trial=trial), result["n_train"]
        ):
            results[run] = result
        else:
            n_stale += 1
    if n_stale:
        print(f"{n_stale} results left out: no model has their parameters today")
    return results


def seconds_per_pass(results: dict[Run, dict]) -> dict[str, float]:
    """Return for each model the CPU seconds of one row, epoch and network (or row and tree)."""
    seconds, rows = defaultdict(float), defaultdict(int)
    for run, result in results.items():
        seconds[run.model] += result["fit_cpu_s"]
        rows[run.model] += result["n_train"] * passes(result["parameters"])
    return {
        name: seconds[name] / rows[name] if name in rows else model.seconds
        for name, model in MODELS.items()
    }


def estimate_minutes(
    runs: list[Run], results: dict[Run, dict], options: argparse.Namespace
) -> dict[str, float]:
    """Return the CPU minutes of each data set, from cheap to dear."""
    n_train = {
        name: count_training_rows(suite, name, options)
        for suite, name in {(run.suite, run.data_set) for run in runs}
    }
    seconds = seconds_per_pass(results)
    minutes: dict[str, float] = defaultdict(float)
    for run in runs:
        model = make_model(run.model, run.seed, trial=options.trial)
        n = n_train[run.data_set]
        fit_s = n * passes(parameters(model, n)) * seconds[run.model]
        minutes[run.data_set] += fit_s / 60
    return dict(sorted(minutes.items(), key=lambda item: item[1]))


def within_budget(minutes: dict[str, float], budget: float) -> list[str]:
    """Return as many data sets, the cheapest first, as fit together."""
    n_taken = np.searchsorted(np.cumsum(list(minutes.values())), budget, side="right")
    return list(minutes)[:n_taken]


def plan(results: dict[Run, dict], options: argparse.Namespace) -> list[Run]:
    """Choose what is still to run, print it and return it, the cheapest data set first."""
    wanted = [
        Run(suite, name, model, fold, seed)
        for name, suite in options.suites.items()
        for fold in options.folds
        for seed in options.seeds
        for model in options.models
        if fold < SUITES[suite].n_folds
    ]
    pending = [run for run in wanted if run not in results]
    minutes = estimate_minutes(pending, results, options)
    taken = within_budget(minutes, options.budget)
    print(f"{len(wanted) - len(pending)} of {len(wanted)} runs are measured already")
    if pending:
        print("estimated CPU minutes of the others:")
    for name, estimate in minutes.items():
        print(f"  {name:34}{estimate:>10.1f}  {'taken' if name in taken else 'left out'}")
    return sorted(
        (run for run in pending if run.data_set in taken),
        key=lambda run: taken.index(run.data_set),
    )


def warm_up(models: set[str]) -> None:
    """Do what only the first fit in a process does: late imports and element tables."""
    for name in models:
        make_model(name, 0, trial=True).fit(["NaCl", "KCl", "NaBr", "KBr"], np.arange(4.0))


def run_all(runs: list[Run], options: argparse.Namespace) -> dict[Run, dict]:
    warm_up({run.model for run in runs})
    results = {}
    with tqdm(total=len(runs), unit="fit") as bar:
        for (suite, name), group in groupby(runs, key=lambda run: (run.suite, run.data_set)):
            data = load(suite, name, options)
            for run in group:
                results[run] = result = measure(run, data, trial=options.trial)
                write_results(run.name, result, packages=PACKAGES, folder=options.results)
                tqdm.write(f"{run.name}: MAE {result['mae']:.4g}, {write_time(result['fit_s'])}")
                bar.update()
    return results


# ------------------------------------------------------------------------------------------ table


def write_time(seconds: float) -> str:
    if seconds >= 600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def write_cell(results: pd.DataFrame, n_folds: int) -> str:
    """Write MAE (folds measured if not all; lowest to highest fold) and the time of a fit."""
    folds = results.groupby("fold")["mae"].mean()
    notes = []
    if len(folds) < n_folds:
        notes.append(f"{len(folds)}/{n_folds}")
    if len(folds) > 1:
        notes.append(f"{folds.min():.4g}–{folds.max():.4g}")
    inside = f" ({'; '.join(notes)})" if notes else ""
    return f"{folds.mean():.4g}{inside}, {write_time(results['fit_s'].mean())}"


def read_published(data: Path) -> pd.DataFrame:
    """Read the errors that others published, indexed by data set."""
    path = data / "published.csv"
    if not path.exists():
        print(f"{path} is not there: the tables go without published figures")
        return pd.DataFrame(columns=["split", "metric", *PUBLISHED, "best_name"])
    return pd.read_csv(path, index_col="dataset").query("metric == 'MAE'")


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


def write_markdown(table: pd.DataFrame) -> str:
    rows = [list(table.columns), *table.astype(str).to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows)


def write_section(suite: Suite, results: pd.DataFrame, published: pd.DataFrame) -> str:
    """Write the table of a suite, with what its cells are and whose the best entries are."""
    threads = " or ".join(map(str, sorted(results["n_threads"].unique())))
    caption = (
        f"{suite.title}. MAE: mean over folds (folds measured, if not all; lowest–highest fold). "
        f"Then the mean wall time of a fit; threads: {threads}."
    )
    best = published["best_name"].dropna()
    remarks = [
        f"- Best published on `{name}` from compositions alone: {best[name]}."
        for name in sorted(set(results["data_set"]) & set(best.index))
    ]
    table = write_markdown(make_table(results, published, suite.n_folds))
    return "\n\n".join(filter(None, [caption, table, "\n".join(remarks)]))


def write_tables(results: dict[Run, dict], published: pd.DataFrame) -> str:
    frame = pd.DataFrame(list(results.values()))
    return "\n\n".join(
        write_section(suite, of_suite, published[published["split"] == suite.published])
        for name, suite in SUITES.items()
        if len(of_suite := frame[frame["suite"] == name])
    )


def put_between_markers(path: Path, tables: str) -> str:
    """Return the text of a file with `tables` in the place of what stands between the markers."""
    begin, end = MARKERS
    before, found_begin, rest = path.read_text(encoding="utf-8").partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"{path} lacks {begin} or, after it, {end}")
    return f"{before}{begin}\n\n{tables}\n\n{end}{after}"


# ------------------------------------------------------------------------------------------- main


def read_options() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--fetch", action="store_true", help="download the sets of Matbench, whatever is in --data"
    )
    parser.add_argument(
        "--data-sets", nargs="+", metavar="NAME", help="such as steels (default: all there are)"
    )
    parser.add_argument(
        "--models",
        nargs="+",
        choices=MODELS,
        default=["default", "random_forest", "extra_trees"],
        metavar="NAME",
        help=f"of {', '.join(MODELS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        nargs="+",
        choices=range(5),
        default=range(5),
        metavar="FOLD",
        help="from 0 to 4 (default: all); the extended sets have fold 0 only",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED")
    parser.add_argument(
        "--budget",
        type=float,
        default=np.inf,
        metavar="MINUTES",
        help="of CPU time: run the cheapest data sets that fit into it together",
    )
    parser.add_argument(
        "--table-only", action="store_true", help="run nothing, print all that was measured"
    )
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="PATH",
        help=f"put the tables into this file, too, between {' and '.join(MARKERS)}",
    )
    parser.add_argument(
        "--trial",
        action="store_true",
        help="does everything run? One epoch or five trees; the results go to build/accuracy",
    )
    options = parser.parse_args()
    options.results = (ROOT / "build" if options.trial else RESULTS) / "accuracy"
    try:
        options.suites = {} if options.table_only else choose_data_sets(options)
        if options.markdown:  # looked at before hours of measurement, not after
            put_between_markers(options.markdown, "")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return options


def main() -> None:
    options = read_options()
    # A line for each run at once, in a file as well, should the benchmark be killed.
    sys.stdout.reconfigure(line_buffering=True)
    # Different structures of equal composition are part of these data sets.
    warnings.simplefilter("ignore", ConflictingTargetsWarning)

    results = read_results(options.results, trial=options.trial)
    if not options.table_only:
        runs = plan(results, options)
        if runs:
            results |= run_all(runs, options)
    if not results:
        print("nothing is measured yet")
        return
    tables = write_tables(results, read_published(options.data))
    print(f"\n{tables}")
    if options.markdown:
        text = put_between_markers(options.markdown, tables)
        options.markdown.write_text(text, encoding="utf-8")
        print(f"\n{options.markdown} written")


if __name__ == "__main__":
    main()
