"""Screening: candidates a second beside plain predictions, and the memory that millions take.

A "fast" CrabNet, fitted to the bundled formation enthalpies, is asked for charge-neutral
compositions of three elements. Plain predictions are asked for the same formulas, as a list that is
there already. Both ask for means and standard deviations. Peak memory is that of a process of its
own, with all else that it holds.
"""

import argparse
import resource
import sys
import time
from typing import Any

import torch
from _common import in_fresh_process, spread
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=500_000, help="candidates to time; 0: none")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[1_000_000, 10_000_000])
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    threads = torch.get_num_threads()
    if options.rate:
        found = in_fresh_process(rates, options.rate, options.repeats)
        flat = {
            f"{name}_{which}": value
            for name, three_of in found.items()
            if name != "seconds"
            for which, value in three_of.items()
        }
        row = {"n": options.rate, "what": "rate", "threads": threads, **flat}
        append_rows("screening", [{**row, "seconds": found["seconds"]}], packages=PACKAGES)
    for n in options.memory:
        row = {"n": n, "what": "memory", "threads": threads, **in_fresh_process(peak, n)}
        print(row)
        append_rows("screening", [row], packages=PACKAGES)
    results = read_table(RESULTS / "screening.csv")
    print(results.iloc[:, :14].to_string(index=False))


if __name__ == "__main__":
    main()
