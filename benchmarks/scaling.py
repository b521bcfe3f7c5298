"""How the time of an epoch grows with the number of rows, and of elements in a formula.

One network of the default, in its own batch size and in a fixed one, on growing parts of Matbench's
mp_e_form (a formula for each composition), and on random compositions of 1 to 12 elements.

results/scaling.csv gets a row for each size as soon as it is measured.
"""

import argparse
import math
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from _common import (
    Rows,
    benchmark_parser,
    crabsk_epochs,
    distinct_rows,
    run_benchmark,
)
from _markdown import write_markdown
from _results import RESULTS, append_rows, described, of_last_commit, read_table
from sklearn.base import clone
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.composition import ELEMENTS
from crabsk.neural_network import ConflictingTargetsWarning

FIXED_BATCH = 128
N_SYNTHETIC = 4096
N_ELEMENTS = range(1, 13)
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch")

# Equal compositions with different targets are of no account for speed.
warnings.simplefilter("ignore", ConflictingTargetsWarning)


def synthetic_rows(n_elements: int) -> Rows:
    """Return random compositions, the same number of elements in each; y is the mean number."""
    rng = np.random.default_rng(n_elements)
    numbers = rng.random((N_SYNTHETIC, 83)).argsort(axis=1)[:, :n_elements] + 1
    amounts = rng.integers(1, 10, size=numbers.shape)
    formulas = [
        "".join(f"{ELEMENTS[z - 1]}{amount}" for z, amount in zip(*row, strict=True))
        for row in zip(numbers.tolist(), amounts.tolist(), strict=True)
    ]
    means = (numbers * amounts).sum(axis=1) / amounts.sum(axis=1)
    return Rows(np.array(formulas, object), means.round(6))


def epoch_time(model: CrabNetRegressor, rows: Rows, n_epochs: int) -> float:
    """Return the median time of an epoch after the first, over at least 8,000 rows."""
    n_epochs = max(n_epochs, math.ceil(8000 / len(rows.X)))
    return float(np.median(crabsk_epochs(model, rows, 1 + n_epochs)[1:]))


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def scale_up(
    varied: str, sizes: Sequence[int], sets: Iterator[Rows], options: argparse.Namespace
) -> None:
    """Time epochs for growing sets, with crabsk's batch size and a fixed one."""
    network = CrabNetRegressor(n_estimators=1, device="cpu", random_state=0)
    for size, rows in tqdm(zip(sizes, sets, strict=True), total=len(sizes), unit="set"):
        for batch_size in ("auto", FIXED_BATCH):
            model = clone(network).set_params(batch_size=batch_size)
            row = {
                "varied": varied,
                "size": size,
                "n_rows": len(rows.X),
                "batch_size": str(batch_size),
                "seconds": epoch_time(model, rows, options.epochs),
                "threads": torch.get_num_threads(),
                **described(model),
            }
            append_rows("scaling", [row], packages=PACKAGES)


def measure(options: argparse.Namespace) -> None:
    rows = distinct_rows(options.data)
    parts = (Rows(rows.X[:n], rows.y[:n]) for n in options.rows)
    scale_up("rows", options.rows, parts, options)
    synthetic = (synthetic_rows(n) for n in N_ELEMENTS)
    scale_up("elements in a formula", N_ELEMENTS, synthetic, options)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "scaling.csv")
    if results.empty:
        return {}
    results = of_last_commit(results, ["varied", "size", "batch_size", "threads"])
    rows = []
    for (varied, batch), its in results.groupby(["varied", "batch_size"], sort=False):
        first, last = its.iloc[0], its.iloc[-1]
        rows.append(
            {
                "grows": varied,
                "batches": "as the default" if batch == "auto" else f"of {batch}",
                "from": f"{first['size']:,}",
                "to": f"{last['size']:,}",
                "seconds an epoch": f"{first['seconds']:.2f} to {last['seconds']:.2f}",
                "power of the size": f"{slope(its['size'], its['seconds']):.2f}",
            }
        )
    return {"scaling": write_markdown(pd.DataFrame(rows))}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--epochs", type=int, default=2, help="to time, beside the first")
    parser.add_argument("--rows", type=int, nargs="+", default=[250 * 2**i for i in range(9)])
    return parser.parse_args(arguments)


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
