"""How well training uses the machine: operations a second beside what its sgemm does.

Floating-point operations of the matrix products in a second of training, beside what the machine's
sgemm does at the same sizes and on large squares. Operations are counted as torch runs them:
2 m n k for every product, attention's included, the scores that its backward pass computes again as
well. "same sizes" are the products of the linear layers in the batch of median cost, run one after
another, on all cores at once; each counts for its share of the operations. A fit's time is that of
all its epochs, from the start of the first member's first to the end of the last member's last.

results/training_speed.csv gets a row for each model: of several repeats the median, minimum and
maximum.
"""

import argparse
import warnings
from collections.abc import Sequence
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from _common import (
    Rows,
    benchmark_parser,
    fold_0,
    run_benchmark,
    spread,
)
from _markdown import write_markdown
from _matmuls import (
    Clock,
    CountMatmuls,
    Threads,
    against_sgemm,
    median_step,
    sgemm_cells,
    sgemm_rates,
)
from _results import RESULTS, append_rows, described, of_last_commit, read_table
from sklearn.base import clone
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.neural_network import ConflictingTargetsWarning, _parts

PAPER_BATCH = 256
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch")

# Equal compositions with different targets are of no account for speed.
warnings.simplefilter("ignore", ConflictingTargetsWarning)


def training_efficiency(
    model: CrabNetRegressor, rows: Rows, options: argparse.Namespace
) -> dict[str, Any]:
    """Set the operations of a fit, all members together, against its time."""
    counting = clone(model).set_params(n_estimators=1, max_epochs=1, callbacks=[CountMatmuls()])
    # What other threads compute is not counted: here, batches are not cut into parts.
    with mock.patch.object(_parts, "MAX_PARTS", 1):
        steps = counting.fit(*rows).callbacks_[0][0].counter.steps
    epoch_flops = sum(step.flops for step in steps)
    n_epochs = 1 + options.epochs
    timed = clone(model).set_params(max_epochs=n_epochs, callbacks=[Clock()])
    # Members, or the parts of a large network's batches, keep all cores busy, one thread each.
    threads = Threads(torch.get_num_threads(), 1)

    walls, references, step_s = [], [], []
    for _ in tqdm(range(options.repeats), unit="repeat"):
        fitted = clone(timed).fit(*rows)
        clocks = [own[0] for own in fitted.callbacks_]
        wall = max(clock.end for clock in clocks) - min(clock.start for clock in clocks)
        walls.append(wall)
        durations = [epoch["dur"] for member in fitted.history_ for epoch in member]
        step_s.append(float(np.median(durations)) / len(steps))
        references.append(sgemm_rates(median_step(steps).shapes, threads))
    fit_flops = model.n_estimators * n_epochs * epoch_flops
    return {
        "n_rows": len(rows.X),
        "n_estimators": model.n_estimators,
        "epochs": n_epochs,
        "repeats": options.repeats,
        "workers": threads.workers,
        "threads_each": threads.each,
        "steps_per_epoch": len(steps),
        "gflop_per_step": epoch_flops / len(steps) / 1e9,
        "step_ms": spread([seconds * 1e3 for seconds in step_s]),
        **against_sgemm([fit_flops / wall for wall in walls], references),
        "seconds": spread(walls),
    }


def measure(options: argparse.Namespace) -> None:
    rows, _ = fold_0(options.data, "expt_gap")
    settings = {"device": "cpu", "random_state": 0}
    models = {
        "paper": CrabNetRegressor.from_preset("paper", batch_size=PAPER_BATCH, **settings),
        "default": CrabNetRegressor(**settings),
    }
    for name, model in models.items():
        row = {
            "data_set": "expt_gap, training rows of fold 0",
            "model": name,
            **training_efficiency(model, rows, options),
            **described(model),
            "threads": torch.get_num_threads(),
        }
        append_rows("training_speed", [row], packages=PACKAGES)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "training_speed.csv")
    rows = [
        {
            "training on `expt_gap`": row["model"],
            "workers x threads": f"{row['workers']} x {row['threads_each']}",
            "GFLOP a step": f"{row['gflop_per_step']:.3f}",
            "ms a step": f"{row['step_ms']:.2f}",
            **sgemm_cells(row),
        }
        for row in of_last_commit(results, ["model", "threads"]).to_dict("records")
    ]
    return {"training-speed": write_markdown(pd.DataFrame(rows))} if rows else {}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="to time, beside the first")
    return parser.parse_args(arguments)


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
