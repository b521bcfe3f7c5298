"""The tables of README: the figures of accuracy.py, classification.py and tables.py in short."""

import argparse
from collections.abc import Sequence

import accuracy
import classification
import pandas as pd
import tables as of_tables
from _common import benchmark_parser, read_published
from _markdown import write_folds, write_markdown, write_time
from _results import RESULTS
from _runs import read_fold_results_to_show

PAIR = ("default", "pretrained")
SCORE, METRIC = "roc_auc_of_hard_labels", "ROC AUC of classes"


def named(name: str, options: argparse.Namespace) -> argparse.Namespace:
    """Return the options with which the results of another benchmark are read."""
    return argparse.Namespace(**{**vars(options), "name": name})


def row_of_set(
    title: str, metric: str, results: pd.DataFrame, score: str, n_folds: int, published: pd.Series
) -> dict[str, str]:
    """Return a row: ours, then what was published, then the CPU time of a fit."""
    ours = {model: results[results["model"] == model] for model in PAIR}
    cells = {
        model: write_folds(its, score, n_folds, form=".3g", spread=False) if len(its) else ""
        for model, its in ours.items()
    }
    times = {
        model: write_time(its["cpu_seconds"].mean()) if len(its) else ""
        for model, its in ours.items()
    }
    best = published["best_composition_only"]
    crabnet = published["CrabNet"]
    return {
        "data set": title,
        "metric": metric,
        "from scratch": cells["default"],
        "pretrained": cells["pretrained"],
        "CrabNet published": "" if pd.isna(crabnet) else f"{crabnet:.3g}",
        "best published": "" if pd.isna(best) else f"{best:.3g}",
        "CPU time, from scratch": times["default"],
        "CPU time, pretrained": times["pretrained"],
    }


def published_sets(options: argparse.Namespace) -> pd.DataFrame:
    errors = read_fold_results_to_show(accuracy.MODELS, named("accuracy", options))
    published = read_published(options.data, "MAE")
    rows = []
    for suite, its_suite in accuracy.SUITES.items():
        of_split = published[published["split"] == its_suite.published]
        of_suite = errors[(errors["suite"] == suite) & errors["model"].isin(PAIR)]
        n_folds = its_suite.n_folds
        sizes = of_suite.groupby("data_set")["n_train"].max().sort_values(kind="stable")
        for name in sizes.index:
            its = of_suite[of_suite["data_set"] == name]
            unit = accuracy.UNITS.get(name, "")
            metric = f"MAE ({unit})" if unit else "MAE"
            rows.append(row_of_set(f"`{name}`", metric, its, "mae", n_folds, of_split.loc[name]))
        if suite == "matbench":
            found = read_fold_results_to_show(
                classification.MODELS, named("classification", options)
            )
            of_labels = read_published(options.data, "ROC_AUC_of_hard_labels")
            for name in classification.CLASSIFICATION:
                its = found[(found["data_set"] == name) & found["model"].isin(PAIR)]
                if len(its):
                    beside = of_labels.loc[name]
                    rows.append(row_of_set(f"`{name}`", METRIC, its, SCORE, n_folds, beside))
    return pd.DataFrame(rows)


def own_tables(options: argparse.Namespace) -> pd.DataFrame:
    results = read_fold_results_to_show(of_tables.MODELS, named("tables", options))
    rows = []
    for name, unit in of_tables.UNITS.items():
        its = results[results["data_set"] == name]
        # Means of folds first: seeds differ in number.
        means = its.groupby(["model", "fold"])["mae"].mean().groupby("model").mean()
        seconds = its.groupby("model")["cpu_seconds"].mean()
        rows.append(
            {
                "table": f"`{name}`",
                "metric": f"MAE ({unit})",
                '`"fast"`': f"{means['fast']:.3g}",
                "default": f"{means['default']:.3g}",
                "best of four forests": f"{means[list(of_tables.FORESTS)].min():.3g}",
                'CPU time, `"fast"`': write_time(seconds["fast"]),
                "CPU time, default": write_time(seconds["default"]),
            }
        )
    return pd.DataFrame(rows)


def tables(options: argparse.Namespace) -> dict[str, str]:
    return {
        "headline": write_markdown(published_sets(options)),
        "headline-tables": write_markdown(own_tables(options)),
    }


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.set_defaults(trial=False, results=RESULTS)
    return parser.parse_args(arguments)


def main() -> None:
    print(*tables(read_options()).values(), sep="\n\n")


if __name__ == "__main__":
    main()
