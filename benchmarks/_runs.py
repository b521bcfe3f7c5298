"""What benchmarks of many fits share: resumption, budgets and tables.

A run is a named tuple with a `name` to print. It becomes one row or more of the benchmark's CSV,
which are written as soon as it is finished. A run that is there, with the parameters that the model
has today, is not repeated: an interrupted benchmark goes on where it was. Rows of other parameters
count for nothing.

The CPU time of a fit is estimated as rows x epochs x networks (or rows x trees) times the seconds
that one of these took in the results at hand, or else the constant of the model.
"""

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from _common import argument_parser, read_data_set
from _markdown import write_time
from _results import (
    RESULTS,
    ROOT,
    append_rows,
    last_step,
    model_facts,
    n_epochs,
    n_members,
    read_defaults,
    read_table,
    stands_for,
)
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from tqdm import tqdm

from crabsk import CompositionTransformer, PretrainedTransformer
from crabsk.composition import reduced_formula
from crabsk.datasets import fetch_matbench, matbench_folds
from crabsk.neural_network import ConflictingTargetsWarning
from crabsk.neural_network._crabnet import DROPOUT

PACKAGES = ("numpy", "scikit-learn", "skorch", "torch", "elementembeddings")


class Model(NamedTuple):
    """What stands in a table: its heading, and what makes the estimator from ``random_state``.

    `seconds` is the CPU time of a row, epoch and network (or of a row and tree).
    """

    title: str
    make: Callable[..., Any]
    seconds: float


class FoldRun(NamedTuple):
    """A fit to one fold of a data set."""

    suite: str
    data_set: str
    model: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        """What it is called in print."""
        return f"{self.data_set}/{self.model}/fold{self.fold}_seed{self.seed}"


class Data(NamedTuple):
    """A data set and its splits into training and test rows."""

    X: np.ndarray
    y: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray]]


# ----------------------------------------------------------------------------------------- models


def on_magpie(
    trees: type,
    random_state: int,
    *,
    fractions: bool = False,
    species: bool = False,
    pretrained: str | None = None,
) -> Pipeline:
    """Return trees on the Magpie statistics of a formula.

    With `fractions` also on its atomic fractions; with `species` also on SkipSpecies' statistics of
    guessed oxidation states; with `pretrained` weights also on what these say.
    """
    features: Any = CompositionTransformer("magpie", missing="mean")
    if species:
        features.set_params(embedding=["magpie", "skipspecies"], oxidation_states="guess")
    if fractions:
        features.set_params(stats=(*features.stats, "fraction"))
    if pretrained:
        features = make_union(features, PretrainedTransformer(weights=pretrained))
    settings: dict[str, Any] = {"random_state": random_state}
    if "n_jobs" in trees().get_params():
        # As many threads as torch has, so that one number in a result holds for every model.
        settings |= {"n_estimators": 500, "n_jobs": torch.get_num_threads()}
    return make_pipeline(features, trees(**settings))


def make_model(model: Model, seed: int, *, trial: bool) -> Any:
    estimator = model.make(random_state=seed)
    if trial:
        last = last_step(estimator)
        length = next(n for n in ("max_epochs", "n_estimators", "max_iter") if hasattr(last, n))
        last.set_params(**{length: 1 if length == "max_epochs" else 5})
    return estimator


def warm_up(models: Iterable) -> None:
    """Do what only the first fit in a process does: late imports and element tables."""
    for model in models:
        model.fit(["NaCl", "KCl", "NaBr", "KBr"], np.array([0, 1, 0, 1]))


# -------------------------------------------------------------------------------------- data sets


def columns(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return frame["formula"].to_numpy(object), frame["target"].to_numpy(float)


def load_matbench(name: str, options: argparse.Namespace) -> Data:
    if options.fetch:
        X, y = fetch_matbench(name, return_X_y=True)
    else:
        X, y = columns(read_data_set(options.data, f"matbench/{name}"))
    return Data(X, y, list(matbench_folds(name).split(X, y)))


def load_table(name: str, options: argparse.Namespace) -> Data:
    """Read a table with columns beside the formula; no composition stands in two folds."""
    path = options.data / f"tables/{name}.csv.gz"
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    X = frame.drop(columns="target").to_numpy(object)
    folds = GroupKFold(5, shuffle=True, random_state=0)
    groups = reduced_formula(frame["formula"])
    return Data(X, frame["target"].to_numpy(float), list(folds.split(X, groups=groups)))


# ------------------------------------------------------------------------------------------- runs


def timed_fit(model: Any, X: np.ndarray, y: np.ndarray) -> dict:
    """Fit; return what every result holds beside its scores."""
    start, start_cpu = time.perf_counter(), time.process_time()
    model.fit(X, y)
    return {
        "n_train": len(X),
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - start_cpu,
        "threads": torch.get_num_threads(),
        **model_facts(model, len(X)),
    }


def read_runs(options: argparse.Namespace) -> pd.DataFrame:
    return read_table(options.results / f"{options.name}.csv")


def of_today(
    rows: pd.DataFrame,
    model_today: Callable[[dict], Any],
    options: argparse.Namespace,
    dropout: float | None = None,
) -> pd.DataFrame:
    """Return the rows that were measured of the models as they are today.

    `model_today` makes the model of a row, or None if there is no such model. `dropout` is the rate
    to take for "auto", if not today's.
    """
    known = read_defaults(options.results)

    def counts(row: dict) -> bool:
        model = model_today(row)
        return model is not None and stands_for(row, model, known, dropout)

    kept = [counts(row) for row in rows.to_dict("records")]
    if not all(kept) and dropout is None:
        print(f"{kept.count(False)} results left out: no model has their parameters today")
    return rows[kept]


def runs_in(results: pd.DataFrame, run_type: type) -> set:
    fields = list(run_type._fields)
    return {run_type(*row) for row in results.reindex(columns=fields).itertuples(index=False)}


def seconds_per_pass(results: pd.DataFrame, models: dict[str, Model]) -> dict[str, float]:
    """Return for each model the CPU seconds of one row, epoch and network (or row and tree)."""
    seconds = {name: model.seconds for name, model in models.items()}
    if len(results):
        for name, its in results.groupby("model"):
            passes = its["n_train"] * its["epochs"].fillna(1) * its["n_estimators"]
            seconds[name] = its["cpu_seconds"].sum() / passes.sum()
    return seconds


def fit_minutes(model: Any, n_train: int, seconds: float) -> float:
    """Estimate the CPU time of a fit from the seconds of a pass over a row."""
    passes = (n_epochs(model, n_train) or 1) * n_members(model)
    return n_train * passes * seconds / 60


def plan(
    wanted: list,
    results: pd.DataFrame,
    minutes_of: Callable[[Any], float],
    *,
    budget: float,
    group_by: Callable[[Any], Hashable],
) -> list:
    """Choose what is still to run, print it and return it, the cheapest group of runs first.

    `minutes_of` estimates the CPU time of a run; groups are taken whole, as many as fit.
    """
    measured = runs_in(results, type(wanted[0])) if wanted else set()
    pending = [run for run in wanted if run not in measured]
    minutes: dict[Hashable, float] = defaultdict(float)
    for run in pending:
        minutes[group_by(run)] += minutes_of(run)
    # Groups that differ by less than the estimates are good for stay in the order asked for.
    minutes = dict(sorted(minutes.items(), key=lambda item: round(item[1])))
    taken = within_budget(minutes, budget)
    print(f"{len(wanted) - len(pending)} of {len(wanted)} runs are measured already")
    if pending:
        print("estimated CPU minutes of the others:")
    for group, estimate in minutes.items():
        print(f"  {group:34}{estimate:>10.1f}  {'taken' if group in taken else 'left out'}")
    return sorted(
        (run for run in pending if group_by(run) in taken),
        key=lambda run: taken.index(group_by(run)),
    )


def within_budget(minutes: dict[Hashable, float], budget: float) -> list[Hashable]:
    """Return as many groups, in their order, as fit together."""
    n_taken = np.searchsorted(np.cumsum(list(minutes.values())), budget, side="right")
    return list(minutes)[:n_taken]


def run_all(
    runs: list,
    measure: Callable[[Any], list[dict]],
    describe: Callable[[list[dict]], str],
    options: argparse.Namespace,
) -> None:
    """Measure run by run, the rows of each written down as soon as it is done."""
    # Different structures of equal composition are part of the data sets.
    warnings.simplefilter("ignore", ConflictingTargetsWarning)
    for run in tqdm(runs, unit="fit", disable=not runs):
        rows = [{**run._asdict(), **row} for row in measure(run)]
        append_rows(options.name, rows, packages=PACKAGES, folder=options.results)
        tqdm.write(f"{run.name}: {describe(rows)}, {write_time(rows[0]['seconds'])}")


# ----------------------------------------------------------------------------------- runs of folds


def read_fold_results(
    models: dict[str, Model], options: argparse.Namespace, dropout: float | None = None
) -> pd.DataFrame:
    def model_today(row: dict) -> Any:
        if row["model"] in models:
            return make_model(models[row["model"]], row["seed"], trial=options.trial)
        return None

    return of_today(read_runs(options), model_today, options, dropout)


def read_fold_results_to_show(
    models: dict[str, Model], options: argparse.Namespace
) -> pd.DataFrame:
    """Return the results of today's models, and earlier ones where there are none yet.

    The column `remark` marks those with the dropout that did not depend on the rows.
    """
    today = read_fold_results(models, options)
    then = read_fold_results(models, options, dropout=DROPOUT)
    pair = ["data_set", "model"]
    absent = ~pd.MultiIndex.from_frame(then[pair]).isin(pd.MultiIndex.from_frame(today[pair]))
    then = then[absent].assign(remark=f"dropout {DROPOUT}")
    return pd.concat([today.assign(remark=""), then])


def plan_folds(
    wanted: list[FoldRun],
    results: pd.DataFrame,
    models: dict[str, Model],
    count_training_rows: Callable[[str, str], int],
    options: argparse.Namespace,
) -> list[FoldRun]:
    """Choose what is still to run, data set by data set; see `plan`."""
    seconds = seconds_per_pass(results, models)
    count = lru_cache(count_training_rows)

    def minutes_of(run: FoldRun) -> float:
        model = make_model(models[run.model], run.seed, trial=options.trial)
        return fit_minutes(model, count(run.suite, run.data_set), seconds[run.model])

    return plan(
        wanted, results, minutes_of, budget=options.budget, group_by=lambda run: run.data_set
    )


def run_folds(
    runs: list[FoldRun],
    models: dict[str, Model],
    load: Callable[[str, str], Data],
    score: Callable[[Any, np.ndarray, np.ndarray], dict],
    describe: Callable[[dict], str],
    options: argparse.Namespace,
) -> None:
    """Fit to the training rows of each run's fold, and score on its test rows."""
    warm_up(make_model(models[name], 0, trial=True) for name in {run.model for run in runs})
    load_once = lru_cache(maxsize=1)(load)  # runs come data set by data set

    def measure(run: FoldRun) -> list[dict]:
        data = load_once(run.suite, run.data_set)
        train, test = data.folds[run.fold]
        model = make_model(models[run.model], run.seed, trial=options.trial)
        fitted = timed_fit(model, data.X[train], data.y[train])
        scores = score(model, data.X[test], data.y[test])
        return [{"n_train": len(train), "n_test": len(test), **scores, **fitted}]

    run_all(runs, measure, lambda rows: describe(rows[0]), options)


# ---------------------------------------------------------------------------------------- options


def runs_parser(
    description: str, name: str, models: dict[str, Model], default_models: list[str]
) -> argparse.ArgumentParser:
    """Return a parser of what all these benchmarks can be told; `name` is that of the benchmark."""
    parser = argument_parser(description)
    parser.set_defaults(name=name)
    parser.add_argument(
        "--models",
        nargs="+",
        choices=models,
        default=default_models,
        metavar="NAME",
        help=f"of {', '.join(models)} (default: %(default)s)",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED")
    parser.add_argument(
        "--budget",
        type=float,
        default=np.inf,
        metavar="MINUTES",
        help="of CPU time: run the cheapest groups of runs, such as data sets, that fit together",
    )
    parser.add_argument(
        "--table-only", action="store_true", help="run nothing, print all that was measured"
    )
    parser.add_argument(
        "--trial",
        action="store_true",
        help=f"does everything run? One epoch or five trees; the results go to build/{name}.csv",
    )
    return parser


def add_fold_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fetch", action="store_true", help="download the sets of Matbench, whatever is in --data"
    )
    parser.add_argument(
        "--folds",
        type=int,
        nargs="+",
        choices=range(5),
        default=range(5),
        metavar="FOLD",
        help="from 0 to 4 (default: all)",
    )


def parse_options(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None
) -> argparse.Namespace:
    options = parser.parse_args(arguments)
    options.results = ROOT / "build" if options.trial else RESULTS
    return options
