"""Whether training on several properties at once helps, and where one of them has few labels.

The AFLOW sets of the CrabNet paper, joined on the reduced formula: bulk modulus, shear modulus and
thermal expansion, and for the models "..._large" band gap and energy as well, of the formulas that
the first three have. Where a set has several rows of a formula, the label is their mean, and it is
a test label if any of these rows is of the paper's test split.

A test label is never trained on. What else is known of the test formulas makes two variants:

other_properties_known  labels of other properties are trained on, where these have the formula
                        among their own training rows
new_formulas            a formula with a test label of any of the three first sets is not trained
                        on at all, whatever the property; a model of one target learns from the
                        same labels of this target as the others do

Compared are models of one target with models of all, by the error on the test labels of each of
the first three properties: with all training labels, and with those of this one property, and no
other, reduced to a few at random. All have equal ensembles and the package's defaults, and go
through their rows as often as the default would go through all rows of the three. That makes for
fewer steps where there are fewer rows: the model "single_long" repeats its few rows until it has
taken as many steps as a model of three targets.

A run is one variant, reduction, model, size of the ensemble and seed. results/multitask.csv has a
row for each property that it is scored on. A benchmark that is interrupted goes on where it was;
`_runs` says which results count and how costs are estimated.
"""

import argparse
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from _common import (
    read_data_set,
    run_benchmark,
)
from _markdown import write_markdown, write_threads
from _runs import (
    Model,
    fit_minutes,
    make_model,
    of_today,
    parse_options,
    plan,
    read_runs,
    run_all,
    runs_parser,
    seconds_per_pass,
    timed_fit,
    warm_up,
)
from sklearn.metrics import mean_absolute_error

from crabsk import CrabNetRegressor
from crabsk.composition import reduced_formula

SETS = {
    "bulk_modulus": "aflow__ael_bulk_modulus_vrh",
    "shear_modulus": "aflow__ael_shear_modulus_vrh",
    "thermal_expansion": "aflow__agl_thermal_expansion_300K",
    "band_gap": "aflow__Egap",
    "energy": "aflow__energy_atom",
}
PROPERTIES = list(SETS)
SMALL = PROPERTIES[:3]
UNITS = {"bulk_modulus": "GPa", "shear_modulus": "GPa", "thermal_expansion": "1/K"}
VARIANTS = {
    "other_properties_known": "Other properties of the test formulas are known",
    "new_formulas": "Nothing is known of the test formulas",
}
EVERY = "every"

# Seconds from short fits on expt_gap (2048 rows), on one core of a busy x86 server.
MODELS = {
    "single": Model("one target", CrabNetRegressor, 2.4e-4),
    "single_long": Model("one target, as many steps", CrabNetRegressor, 2.4e-4),
    "shared": Model("three targets, shared head", CrabNetRegressor, 2.4e-4),
    "mmoe": Model(
        "three targets, mixture of experts", partial(CrabNetRegressor, n_experts=4), 3.5e-4
    ),
    "shared_large": Model("five targets, shared head", CrabNetRegressor, 2.4e-4),
    "mmoe_large": Model(
        "five targets, mixture of experts", partial(CrabNetRegressor, n_experts=4), 3.6e-4
    ),
}


class Run(NamedTuple):
    """A fit; `task` is the property whose labels are reduced, and the only one that is scored.

    With `n_labels` 0 nothing is reduced, and a model of several targets is scored on every task.
    """

    variant: str
    task: str
    n_labels: int
    model: str
    n_estimators: int
    seed: int

    @property
    def name(self) -> str:
        """What it is called in print."""
        reduction = f"{self.task}_{self.n_labels or 'all'}"
        return f"{self.variant}/{reduction}/{self.model}_x{self.n_estimators}/seed{self.seed}"

    @property
    def targets(self) -> list[str]:
        """What the model learns to predict, in the order of its columns."""
        if self.model.startswith("single"):
            return [self.task]
        return PROPERTIES if self.model.endswith("_large") else SMALL

    @property
    def scored(self) -> list[str]:
        """The properties whose test labels it is scored on."""
        return SMALL if self.task == EVERY else [self.task]


class Table(NamedTuple):
    """The sets joined: labels (n, 5), NaN where there is none, and which of them are for tests."""

    formulas: np.ndarray
    labels: np.ndarray
    test: np.ndarray


# ------------------------------------------------------------------------------------------- data


def read_set(data: Path, name: str) -> pd.DataFrame:
    """Return label and whether it is a test label, indexed by reduced formula."""
    frame = read_data_set(data, f"extended/{name}")
    frame["formula"] = reduced_formula(frame["formula"].to_numpy(object))
    frame["test"] = frame["split"] == "test"
    return frame.groupby("formula").agg({"target": "mean", "test": "any"})


def read_table(data: Path, *, trial: bool) -> Table:
    """Join the sets on the formulas that the small ones have; for a trial, on a tenth of these."""
    sets = [read_set(data, name) for name in SETS.values()]
    formulas = sorted(set().union(*(its.index for its in sets[: len(SMALL)])))
    if trial:
        formulas = formulas[::10]
    sets = [its.reindex(formulas) for its in sets]
    return Table(
        np.array(formulas, dtype=object),
        np.column_stack([its["target"] for its in sets]),
        np.column_stack([its["test"].eq(True) for its in sets]),
    )


def training_labels(table: Table, run: Run) -> np.ndarray:
    """Return the labels (n, 5) that a run may train on, NaN where there is none."""
    labels = np.where(table.test, np.nan, table.labels)
    if run.variant == "new_formulas":
        labels[table.test[:, : len(SMALL)].any(axis=1)] = np.nan
    if run.n_labels:
        column = labels[:, PROPERTIES.index(run.task)]
        labelled = np.flatnonzero(~np.isnan(column))
        shuffled = np.random.RandomState(run.seed).permutation(labelled)
        column[shuffled[run.n_labels :]] = np.nan
    return labels


def labels_of(labels: np.ndarray, properties: list[str]) -> np.ndarray:
    return labels[:, [PROPERTIES.index(name) for name in properties]]


def labelled_rows(labels: np.ndarray, properties: list[str]) -> np.ndarray:
    return np.flatnonzero(~np.isnan(labels_of(labels, properties)).all(axis=1))


# ------------------------------------------------------------------------------------------- runs


def make_estimator(run: Run, n_train: int, n_joint: int, *, trial: bool) -> CrabNetRegressor:
    """Make the estimator of a run; `n_joint` is the number of rows for three targets."""
    model = make_model(MODELS[run.model], run.seed, trial=trial)
    n_epochs = model._n_epochs(n_joint)
    model.set_params(n_estimators=run.n_estimators, max_epochs=n_epochs)
    if run.model == "single_long":
        n_steps = n_epochs * steps_an_epoch(model, n_joint)
        model.set_params(max_epochs=round(n_steps / steps_an_epoch(model, n_train)))
    return model


def steps_an_epoch(model: CrabNetRegressor, n_rows: int) -> int:
    return math.ceil(n_rows / model._batch_size(n_rows))


def measure_run(run: Run, table: Table, *, trial: bool) -> list[dict]:
    labels = training_labels(table, run)
    rows = labelled_rows(labels, run.targets)
    n_joint = len(labelled_rows(labels, SMALL))
    y = labels_of(labels, run.targets)[rows]
    model = make_estimator(run, len(rows), n_joint, trial=trial)
    fitted = timed_fit(model, table.formulas[rows], y if y.shape[1] > 1 else y[:, 0])
    predicted = pd.DataFrame(
        model.predict(table.formulas).reshape(len(table.formulas), -1), columns=run.targets
    )
    return [
        {**score(name, labels, predicted[name].to_numpy(), table), "n_joint": n_joint, **fitted}
        for name in run.scored
    ]


def score(name: str, labels: np.ndarray, predicted: np.ndarray, table: Table) -> dict:
    """Return the error on the test labels of a property, and what was known for it."""
    k = PROPERTIES.index(name)
    test = table.test[:, k]
    return {
        "property": name,
        "mae": mean_absolute_error(table.labels[test, k], predicted[test]),
        "training_labels": int((~np.isnan(labels[:, k])).sum()),
        "n_test": int(test.sum()),
    }


def wanted_runs(options: argparse.Namespace) -> list[Run]:
    return [
        Run(variant, task, n_labels, model, options.n_estimators, seed)
        for seed in options.seeds
        for variant in options.variants
        for n_labels in options.labels
        for model in options.models
        for task in scored_tasks(model, n_labels, options)
    ]


def scored_tasks(model: str, n_labels: int, options: argparse.Namespace) -> list[str]:
    """Return the tasks that a model is fitted for, once each."""
    if n_labels:
        return options.tasks
    if model == "single_long":  # with all labels it is as good as "single"
        return []
    return options.tasks if model == "single" else [EVERY]


def read_results(options: argparse.Namespace) -> pd.DataFrame:
    def model_today(row: dict) -> CrabNetRegressor | None:
        if row["model"] not in MODELS:
            return None
        run = Run(*(row[field] for field in Run._fields))
        return make_estimator(run, row["n_train"], row["n_joint"], trial=options.trial)

    return of_today(read_runs(options), model_today, options)


def measure(options: argparse.Namespace) -> None:
    results = read_results(options)
    table = read_table(options.data, trial=options.trial)
    seconds = seconds_per_pass(results, MODELS)

    def minutes_of(run: Run) -> float:
        labels = training_labels(table, run)
        n_train = len(labelled_rows(labels, run.targets))
        n_joint = len(labelled_rows(labels, SMALL))
        model = make_estimator(run, n_train, n_joint, trial=options.trial)
        return fit_minutes(model, n_train, seconds[run.model])

    runs = plan(
        wanted_runs(options),
        results,
        minutes_of,
        budget=options.budget,
        group_by=lambda run: f"seed {run.seed}",
    )
    warm_up(make_model(MODELS[name], 0, trial=True) for name in {run.model for run in runs})
    run_all(runs, partial(measure_run, table=table, trial=options.trial), describe, options)


def describe(rows: list[dict]) -> str:
    errors = [f"{row['property']} {row['mae']:.4g}" for row in rows]
    return f"MAE {', '.join(errors)}"


# ------------------------------------------------------------------------------------------ table


def write_cell(errors: pd.Series, of_single: pd.Series | None) -> str:
    """Write MAE (lowest–highest seed), and how it differs from one target's on the same seeds."""
    text = f"{errors.mean():.4g}"
    if len(errors) > 1:
        text += f" ({errors.min():.4g}–{errors.max():.4g})"
    if of_single is not None and len(ratios := (errors / of_single).dropna()):
        text += f", {100 * (ratios.mean() - 1):+.1f} %"
    return text


def make_table(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    # From many labels to few.
    ordered = frame.assign(reduced=frame["n_labels"] > 0).sort_values(
        ["property", "reduced", "training_labels"], ascending=[True, True, False]
    )
    for (name, reduced, n_labels), group in ordered.groupby(
        ["property", "reduced", "training_labels"], sort=False
    ):
        errors = {model: its.set_index("seed")["mae"] for model, its in group.groupby("model")}
        of_single = errors.get("single")
        rows.append(
            {
                "property": f"{name.replace('_', ' ')} ({UNITS[name]})",
                "training labels": f"{n_labels}{'' if reduced else ' (all)'}",
                **{
                    model.title: write_cell(errors[key], None if key == "single" else of_single)
                    for key, model in MODELS.items()
                    if key in errors
                },
            }
        )
    columns = ["property", "training labels", *(model.title for model in MODELS.values())]
    table = pd.DataFrame(rows)
    return table[[name for name in columns if name in table]].fillna("")


def write_section(variant: str, frame: pd.DataFrame, n_estimators: int) -> str:
    caption = (
        f"{VARIANTS[variant]}. MAE on the test rows: mean over seeds (lowest–highest, of "
        f"{frame['seed'].nunique()} at most), and its difference from one target's on the same "
        f"seeds. Networks in each ensemble: {n_estimators}; threads: {write_threads(frame)}."
    )
    return f"{caption}\n\n{write_markdown(make_table(frame))}"


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_results(options)
    if results.empty:
        return {}
    n_estimators = options.n_estimators
    frame = results[results["n_estimators"] == n_estimators]
    sections = [
        write_section(variant, frame[frame["variant"] == variant], n_estimators)
        for variant in VARIANTS
        if variant in set(frame["variant"])
    ]
    return {"multitask": "\n\n".join(sections)}


# ------------------------------------------------------------------------------------------- main


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = runs_parser(
        __doc__,
        "multitask",
        MODELS,
        default_models=["single", "single_long", "shared", "mmoe"],
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for name, choices, what in (
        ("--variants", list(VARIANTS), "what is known of the test formulas"),
        ("--tasks", SMALL, "which properties are learnt alone, or have their labels reduced"),
    ):
        parser.add_argument(
            name,
            nargs="+",
            choices=choices,
            default=choices,
            metavar="NAME",
            help=f"{what}: of {', '.join(choices)} (default: all)",
        )
    parser.add_argument(
        "--labels",
        type=int,
        nargs="+",
        default=[0, 500, 100],
        metavar="N",
        help="training labels to reduce a property to, 0 for no reduction (default: %(default)s)",
    )
    parser.add_argument(
        "--n-estimators",
        type=int,
        default=2,
        metavar="N",
        help="networks in each ensemble (default: %(default)s)",
    )
    options = parse_options(parser, arguments)
    if min(options.labels) < 0 or options.n_estimators < 1:
        parser.error("--labels must be 0 or more, --n-estimators 1 or more")
    return options


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
