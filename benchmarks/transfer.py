"""Whether computed band gaps help to predict measured ones.

Pretraining: CrabNet on mp_gap, DFT band gaps of the Materials Project; the target of a composition
is the mean over its structures. A formula may be in both sets, with a computed gap in one and a
measured gap in the other, so that there are two pretrainings:

all       every composition of mp_gap: what a user would do, who wants the best prediction of new
          measurements and may know the computed gap
others    without the compositions of expt_gap, whatever their fold: nothing is known of the test
          formulas

Fine-tuning: expt_gap, the five official folds of Matbench v0.1, each fit on the training rows of
the fold alone. Beside training from scratch stand

prediction   the pretrained ensemble's prediction as a numeric column beside the formula
encoder      networks that start from the pretrained encoder (``init_from``)
both         both

All have the package's defaults, the ensemble included. A run is one recipe, pretraining, fold and
seed, a row of results/transfer.csv, as is each pretraining: a benchmark that is interrupted goes on
where it was. Pretrained networks lie in build/transfer; remove them to train them anew, and what
was fine-tuned from the old ones does not count any more. `_runs` says which results count besides.
"""

import argparse
import hashlib
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from _common import ROOT, read_data_set
from _results import append_rows, model_facts
from _runs import (
    PACKAGES,
    Data,
    Model,
    add_fold_options,
    columns,
    fit_minutes,
    load_matbench,
    make_model,
    of_today,
    parse_options,
    plan,
    read_runs,
    run_all,
    run_benchmark,
    runs_parser,
    seconds_per_pass,
    timed_fit,
    warm_up,
    write_folds,
    write_markdown,
    write_threads,
    write_time,
)
from sklearn.metrics import mean_absolute_error

from crabsk import CrabNetRegressor, load_model, save_model
from crabsk.composition import reduced_formula
from crabsk.datasets._matbench_tasks import TASKS

SEED = 0
N_FOLDS = 5
NETWORKS = ROOT / "build" / "transfer"
# As many networks and epochs as half an hour of a core has time for.
PRETRAINED = {"n_estimators": 4, "random_state": SEED}
PRETRAININGS = {"all": "all of mp_gap", "others": "without the compositions of expt_gap"}
# Seconds of a row, epoch and network, from short fits on one core of a busy x86 server.
MODELS = {
    "scratch": Model("from scratch", CrabNetRegressor, 2.4e-4),
    "prediction": Model("prediction as a feature", CrabNetRegressor, 2.4e-4),
    "encoder": Model("pretrained encoder", CrabNetRegressor, 2.4e-4),
    "both": Model("both", CrabNetRegressor, 2.4e-4),
}


class Run(NamedTuple):
    """A fit to one fold of expt_gap."""

    model: str
    pretraining: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        """What it is called in print."""
        return f"{self.model}/{self.pretraining}/fold{self.fold}_seed{self.seed}"


# ------------------------------------------------------------------------------------ pretraining


def computed_gaps(which: str, X: np.ndarray, options: argparse.Namespace) -> pd.Series:
    """Return the mean DFT gap of each composition; `X` are the formulas of expt_gap."""
    formulas, gaps = columns(read_data_set(options.data, "matbench/mp_gap"))
    mean = pd.Series(gaps).groupby(reduced_formula(formulas)).mean()
    return mean if which == "all" else mean[~mean.index.isin(reduced_formula(X))]


def pretrained_path(which: str, options: argparse.Namespace) -> Path:
    return (NETWORKS / "trial" if options.trial else NETWORKS) / f"{which}.crabsk"


def pretrained(which: str, X: np.ndarray, options: argparse.Namespace) -> CrabNetRegressor:
    """Return the pretrained ensemble, from its file if there is one."""
    path = pretrained_path(which, options)
    if not path.exists():
        gaps = computed_gaps(which, X, options)
        model = CrabNetRegressor(**PRETRAINED)
        if options.trial:
            gaps, model = gaps[:500], model.set_params(max_epochs=1)
        print(f"pretraining on {len(gaps)} compositions ({PRETRAININGS[which]})")
        facts = timed_fit(model, gaps.index.to_numpy(object), gaps.to_numpy())
        path.parent.mkdir(parents=True, exist_ok=True)
        save_model(model, path)
        row = {"model": "pretraining", "pretraining": which, "seed": SEED, **facts}
        row["source_sha256"] = hash_of(path)
        append_rows(options.name, [row], packages=PACKAGES, folder=options.results)
        print(f"{facts['cpu_seconds'] / 60:.0f} CPU minutes")
    return load_model(path)


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def latest_pretrainings(options: argparse.Namespace) -> dict[str, dict]:
    """Return the row of each pretraining that took place."""
    rows = read_runs(options).to_dict("records")
    return {row["pretraining"]: row for row in rows if row["model"] == "pretraining"}


# ------------------------------------------------------------------------------------------- runs


def measure(run: Run, data: Data, options: argparse.Namespace) -> list[dict]:
    train, test = data.folds[run.fold]
    model = make_model(MODELS[run.model], run.seed, trial=options.trial)
    X: Any = data.X
    if run.model != "scratch":
        source = pretrained(run.pretraining, data.X, options)
        start = time.perf_counter()
        if run.model in ("prediction", "both"):
            X = np.column_stack([X, source.predict(X)]).astype(object)
        predict_s = time.perf_counter() - start
        if run.model in ("encoder", "both"):
            model.set_params(init_from=source)
    fitted = timed_fit(model, X[train], data.y[train])
    if run.model != "scratch":
        fitted["seconds"] += predict_s
        fitted["source_sha256"] = hash_of(pretrained_path(run.pretraining, options))
    # The source is named by the run, not by what its parameters would print.
    fitted |= model_facts(model.set_params(init_from=None), len(train))
    mae = mean_absolute_error(data.y[test], model.predict(X[test]))
    return [{"mae": mae, "n_test": len(test), **fitted}]


def wanted_runs(options: argparse.Namespace) -> list[Run]:
    return [
        Run(model, pretraining, fold, seed)
        for model in options.models
        for pretraining in (["none"] if model == "scratch" else options.pretrainings)
        for fold in options.folds
        for seed in options.seeds
    ]


def read_results(options: argparse.Namespace) -> pd.DataFrame:
    """Read the fine-tunings that count: from the networks that were pretrained last."""
    rows = read_runs(options)
    rows = rows[rows["model"] != "pretraining"] if len(rows) else rows
    if rows.empty:
        return rows

    def model_today(row: dict) -> CrabNetRegressor:
        return make_model(MODELS[row["model"]], row["seed"], trial=options.trial)

    rows = rows.reindex(columns=[*rows, *({"source_sha256"} - {*rows})])
    results = of_today(rows, model_today, options)
    sources = {which: row["source_sha256"] for which, row in latest_pretrainings(options).items()}
    source = results["pretraining"].map(sources)
    return results[(results["model"] == "scratch") | (results["source_sha256"] == source)]


def measure_what_is_missing(results: pd.DataFrame, options: argparse.Namespace) -> None:
    seconds = seconds_per_pass(results, MODELS)
    n_train = TASKS["expt_gap"].n_rows * (N_FOLDS - 1) // N_FOLDS

    def minutes_of(run: Run) -> float:
        model = make_model(MODELS[run.model], run.seed, trial=options.trial)
        return fit_minutes(model, n_train, seconds[run.model])

    runs = plan(
        wanted_runs(options),
        results,
        minutes_of,
        budget=options.budget,
        group_by=lambda run: f"{run.model}, {run.pretraining}",
    )
    warm_up(make_model(MODELS[name], 0, trial=True) for name in {run.model for run in runs})
    load_once = lru_cache(maxsize=1)(partial(load_matbench, "expt_gap", options))
    run_all(
        runs,
        lambda run: measure(run, load_once(), options),
        lambda rows: f"MAE {rows[0]['mae']:.4f}",
        options,
    )


# ------------------------------------------------------------------------------------------ table


def make_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each recipe and pretraining, compared fold by fold with scratch."""
    keys = ["fold", "seed"]
    scratch = frame[frame["model"] == "scratch"].set_index(keys)["mae"]
    rows = []
    for model, (title, *_) in MODELS.items():
        for pretraining in ("none", *PRETRAININGS):
            its = frame[(frame["model"] == model) & (frame["pretraining"] == pretraining)]
            if not len(its):
                continue
            ratios = (its.set_index(keys)["mae"] / scratch).dropna()
            change = ""
            if model != "scratch" and len(ratios):
                low, high = (100 * (ratio - 1) for ratio in (ratios.min(), ratios.max()))
                together = its.set_index(keys)["mae"].loc[ratios.index].sum()
                mean = 100 * (together / scratch.loc[ratios.index].sum() - 1)
                change = f"{mean:+.1f} % ({low:+.1f} to {high:+.1f})"
            rows.append(
                {
                    "training": title,
                    "pretrained on": PRETRAININGS.get(pretraining, ""),
                    "MAE (eV)": write_folds(its, "mae", N_FOLDS),
                    "change": change,
                    "fit": write_time(its["seconds"].mean()),
                }
            )
    return pd.DataFrame(rows)


def write_tables(results: pd.DataFrame, options: argparse.Namespace) -> str:
    caption = (
        "`expt_gap`, official folds. Mean over folds (folds measured, if not all; lowest–highest), "
        "its change from scratch in the same folds (from fold to fold), and the mean wall time of "
        f"a fit after the pretraining; threads: {write_threads(results)}."
    )
    remarks = [
        f"- Pretraining, {PRETRAININGS[which]}: {row['n_train']} compositions, "
        f"{row['n_estimators']} networks, {row['epochs']:.0f} epochs, "
        f"{row['cpu_seconds'] / 60:.0f} CPU minutes."
        for which, row in sorted(latest_pretrainings(options).items())
    ]
    return "\n\n".join([caption, write_markdown(make_table(results)), "\n".join(remarks)])


# ------------------------------------------------------------------------------------------- main


def read_options() -> argparse.Namespace:
    parser = runs_parser(__doc__, "transfer", MODELS, default_models=list(MODELS))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_fold_options(parser)
    parser.add_argument(
        "--pretrainings", nargs="+", choices=PRETRAININGS, default=list(PRETRAININGS)
    )
    return parse_options(parser)


def main() -> None:
    run_benchmark(read_results, measure_what_is_missing, write_tables, read_options())


if __name__ == "__main__":
    main()
