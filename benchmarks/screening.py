"""Screening: candidates a second beside plain predictions, and the memory that millions take.

A "fast" CrabNet, fitted to the bundled formation enthalpies, is asked for charge-neutral
compositions of three elements. Plain predictions are asked for the same formulas, as a list that is
there already. Both ask for means and standard deviations. Peak memory is that of a process of its
own, with all else that it holds.
"""

import argparse
import resource
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from _common import (
    in_fresh_process,
    run_benchmark,
    spread,
)
from _markdown import write_markdown, write_spread
from _results import RESULTS, append_rows, read_table

from crabsk import CrabNetRegressor
from crabsk.composition import ELEMENTS
from crabsk.datasets import load_formation_enthalpy
from crabsk.discovery import enumerate_compositions, screen

PACKAGES = ("numpy", "scikit-learn", "skorch", "torch", "smact")


def make_model() -> Any:
    X, y = load_formation_enthalpy(return_X_y=True)
    return CrabNetRegressor.from_preset("fast", max_epochs=5, random_state=0).fit(X, y)


def make_candidates() -> Any:
    gases = ("He", "Ne", "Ar", "Kr", "Xe")
    elements = [symbol for symbol in ELEMENTS[:83] if symbol not in gases]
    return enumerate_compositions(elements, n_elements=3, max_amount=12)


def rates(n: int, repeats: int) -> dict:
    """Return candidates a second of screening, of plain predictions, and their ratio."""
    model, candidates = make_model(), make_candidates()[:n]
    formulas = list(candidates)
    own, plain = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        screen(model, candidates, goal="minimize", best=-4.0)
        own.append(n / (time.perf_counter() - start))
        start = time.perf_counter()
        model.predict(formulas, return_std=True)
        plain.append(n / (time.perf_counter() - start))
    return {
        "candidates_per_s": spread(own),
        "predictions_per_s": spread(plain),
        "ratio": spread([a / b for a, b in zip(own, plain, strict=True)]),
        "seconds": n / min(own),
    }


def peak(n: int) -> dict:
    """Return the peak memory of screening so many candidates, in MB, and what it took."""
    model, candidates = make_model(), make_candidates()
    if len(candidates) < n:
        raise ValueError(f"there are {len(candidates)} candidates")
    start = time.perf_counter()
    screen(model, candidates[:n], goal="minimize", best=-4.0)
    seconds = time.perf_counter() - start
    return {
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "seconds": seconds,
    }


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "screening.csv")
    rates = [
        {
            "candidates": f"{row['n']:,}",
            "candidates a second": write_spread(row, "candidates_per_s", ",.0f"),
            "predictions a second": write_spread(row, "predictions_per_s", ",.0f"),
            "ratio": write_spread(row, "ratio", ".2f"),
            "threads": row["threads"],
        }
        for row in results[results["what"] == "rate"].to_dict("records")
    ]
    memory = [
        {
            "candidates": f"{row['n']:,}",
            "peak memory (MB)": f"{row['peak_mb']:.0f}",
            "seconds": f"{row['seconds']:.0f}",
            "threads": row["threads"],
        }
        for row in results[results["what"] == "memory"].to_dict("records")
    ]
    return {
        "screening-rate": write_markdown(pd.DataFrame(rates)),
        "screening-memory": write_markdown(pd.DataFrame(memory)),
    }


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=500_000, help="candidates to time; 0: none")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--table-only", action="store_true", help="measure nothing")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> None:
    threads = torch.get_num_threads()
    if options.rate:
        found = in_fresh_process(rates, options.rate, options.repeats)
        row = {"n": options.rate, "what": "rate", "threads": threads, **found}
        append_rows("screening", [row], packages=PACKAGES)
    for n in options.memory:
        row = {"n": n, "what": "memory", "threads": threads, **in_fresh_process(peak, n)}
        print(row)
        append_rows("screening", [row], packages=PACKAGES)


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
