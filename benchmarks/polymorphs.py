"""The error that equal compositions with different labels force on every model of compositions.

A data set of structures can list several for one composition (reduced formula). A model that reads
compositions gives one value to all of them. For a property, the floor is the mean absolute
difference between the label of a row and the median label of its composition. For a class, it is
the share of rows that are not of their composition's more frequent class. The medians are those of
the rows at hand, so the true floor is higher where a composition has few rows. A row of
results/polymorphs.csv for each data set.
"""

import argparse
import time
from collections.abc import Sequence

import pandas as pd
from _common import benchmark_parser, read_data_set, read_published, run_benchmark
from _markdown import write_markdown
from _results import RESULTS, append_rows, read_table
from accuracy import UNITS

from crabsk.composition import reduced_formula


def measure(options: argparse.Namespace) -> None:
    for suite in ("matbench", "extended"):
        for path in sorted((options.data / suite).glob("*.csv.gz")):
            name = path.name.removesuffix(".csv.gz")
            start = time.perf_counter()
            facts = floor(read_data_set(options.data, f"{suite}/{name}"))
            row = {"suite": suite, "data_set": name, **facts}
            row |= {"seconds": time.perf_counter() - start, "threads": 1}
            append_rows("polymorphs", [row], packages=("numpy", "pandas"))
            print(f"{name}: floor {row['floor']:.4g}")


def floor(frame: pd.DataFrame) -> dict:
    """Return how many rows share a composition, and the lowest error on all of them."""
    compositions = pd.Series(reduced_formula(frame["formula"].to_numpy(object)))
    # Classes as 0 and 1 have a median, too; a tie at 0.5 costs half, as either class would.
    target = frame["target"].astype(float)
    of_composition = target.groupby(compositions)
    return {
        "n_rows": len(frame),
        "n_compositions": compositions.nunique(),
        "share_of_rows": float((of_composition.transform("size") > 1).mean()),
        "floor": float((target - of_composition.transform("median")).abs().mean()),
    }


def tables(options: argparse.Namespace) -> dict[str, str]:
    path = RESULTS / "polymorphs.csv"
    results = read_table(path).drop_duplicates(["suite", "data_set"], keep="last")
    published = read_published(options.data, "MAE")
    best = published.loc[published["split"] == "matbench_v0.1", "best_composition_only"]
    rows = []
    for row in results[results["floor"] > 0].sort_values("n_rows").to_dict("records"):
        name = row["data_set"]
        unit = UNITS.get(name)
        rows.append(
            {
                "data set": f"`{name}`" + (f" ({unit})" if unit else ""),
                "shared rows": f"{100 * row['share_of_rows']:.1f} %",
                "floor of the error": f"{round(row['floor'], 4):g}",
                "best published": "" if (mae := best.get(name)) is None else f"{mae:.4g}",
            }
        )
    return {"polymorphs": write_markdown(pd.DataFrame(rows))}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    return parser.parse_args(arguments)


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
