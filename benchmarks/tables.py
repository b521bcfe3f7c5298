"""Tables as people have them: CrabNet beside forests and boosted trees, folds by composition.

Some hundred rows each: a formula, a temperature or a load beside it, a measured target. Folds are
``GroupKFold(5, shuffle=True, random_state=0)`` by reduced formula, so that no composition of a test
fold was trained on. Trees see the Magpie features of `CompositionTransformer`, or these and the
atomic fractions, and in each case the extra columns. All settings are the constructor's defaults,
but for the number of trees.

A run is one data set, model, fold and seed. A benchmark that is interrupted goes on where it was;
`_runs` says which results count. Without --table-only it measures first; then it prints the table.
"""

import argparse
import time
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
from _common import (
    BENCHMARK_WEIGHTS,
    run_benchmark,
)
from _markdown import write_folds, write_markdown, write_threads, write_time
from _runs import (
    FoldRun,
    Model,
    load_table,
    on_magpie,
    parse_options,
    plan_folds,
    read_fold_results,
    read_fold_results_to_show,
    run_folds,
    runs_parser,
)
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.metrics import mean_absolute_error

from crabsk import CrabNetRegressor

N_FOLDS = 5
UNITS = {
    "vickers_hardness_GPa": "GPa",
    "mpea_yield_strength_MPa": "MPa",
    "obelix_log10_conductivity": "log10 S/cm",
    "liion_log10_conductivity": "log10 S/cm",
}
TREES = {
    "random_forest": ("random forest", RandomForestRegressor),
    "extra_trees": ("extra trees", ExtraTreesRegressor),
    "boosting": ("histogram boosting", HistGradientBoostingRegressor),
}
# Seconds from short fits, on one core of a busy x86 server.
MODELS = {
    "fast": Model("CrabNet fast", partial(CrabNetRegressor.from_preset, "fast"), 2e-4),
    "default": Model("CrabNet default", CrabNetRegressor, 3e-4),
    "accurate": Model("CrabNet accurate", partial(CrabNetRegressor.from_preset, "accurate"), 3e-4),
    "pretrained": Model(
        "CrabNet pretrained",
        partial(CrabNetRegressor.from_preset, "pretrained", init_from=BENCHMARK_WEIGHTS),
        3e-4,
    ),
    **{
        f"{name}_{features}": Model(
            f"{title}, Magpie{' and fractions' if features == 'fractions' else ''}",
            partial(on_magpie, kind, fractions=features == "fractions"),
            2e-5,
        )
        for name, (title, kind) in TREES.items()
        for features in ("magpie", "fractions")
    },
    **{
        f"{name}_pretrained": Model(
            f"{title}, Magpie and pretrained",
            partial(on_magpie, kind, pretrained=BENCHMARK_WEIGHTS),
            2e-5,
        )
        for name, (title, kind) in TREES.items()
    },
}
# What CrabNet has to beat.
FORESTS = [
    name
    for name in MODELS
    if name.startswith(("random_forest", "extra_trees")) and not name.endswith("_pretrained")
]


# ------------------------------------------------------------------------------------------- runs


def score(model: Any, X: np.ndarray, y: np.ndarray) -> dict:
    start = time.perf_counter()
    predicted = model.predict(X)
    return {
        "predict_seconds": time.perf_counter() - start,
        "mae": mean_absolute_error(y, predicted),
    }


def measure(options: argparse.Namespace) -> None:
    load = lru_cache(lambda suite, name: load_table(name, options))
    wanted = [
        FoldRun("tables", name, model, fold, seed)
        for name in options.data_sets
        for model in options.models
        for seed in options.seeds
        for fold in options.folds
    ]
    run_folds(
        plan_folds(
            wanted,
            read_fold_results(MODELS, options),
            MODELS,
            lambda suite, name: len(load(suite, name).y) * (N_FOLDS - 1) // N_FOLDS,
            options,
        ),
        MODELS,
        load,
        score,
        lambda result: f"MAE {result['mae']:.4g}",
        options,
    )


# ------------------------------------------------------------------------------------------ table


def make_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each model: its MAE, and how far it is from the best of the forests."""
    rows = []
    means = results.groupby(["data_set", "model", "fold"])["mae"].mean()
    for model, (title, *_) in MODELS.items():
        row = {"model": title}
        for name, unit in UNITS.items():
            its = results[(results["data_set"] == name) & (results["model"] == model)]
            if its.empty:
                continue
            cell = write_folds(its, "mae", N_FOLDS)
            here = means[name]
            forests = [here[forest] for forest in FORESTS if forest in here.index]
            if forests and model not in FORESTS:
                own = here[model]
                best = min(forest.reindex(own.index).mean() for forest in forests)
                cell += f", {100 * (own.mean() / best - 1):+.1f} %"
            row |= {f"`{name}` ({unit})": cell}
            row[f"fit of {name}"] = write_time(its["seconds"].mean())
        if len(row) > 1:
            rows.append(row)
    table = pd.DataFrame(rows).fillna("")
    fits = [column for column in table if column.startswith("fit of ")]
    table["fit"] = table[fits].agg(lambda cells: ", ".join(cell for cell in cells if cell), axis=1)
    return table.drop(columns=fits)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_fold_results_to_show(MODELS, options)
    caption = (
        "Folds by composition. MAE: mean over folds (folds measured, if not all; lowest–highest "
        "fold); then the difference to the better of the forests on the same folds. The mean wall "
        f"time of a fit, table by table; threads: {write_threads(results)}; seeds: "
        f"{', '.join(map(str, sorted(results['seed'].unique())))}."
    )
    return {"tables": f"{caption}\n\n{write_markdown(make_table(results))}"}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = runs_parser(
        __doc__, "tables", MODELS, ["fast", "default", *(name for name in MODELS if "_" in name)]
    )
    parser.add_argument("--data-sets", nargs="+", choices=UNITS, default=list(UNITS))
    parser.add_argument("--folds", type=int, nargs="+", choices=range(N_FOLDS), default=range(5))
    return parse_options(parser, arguments)


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
