"""Epochs, predictions and accuracy on a CUDA GPU beside the CPU.

The default and the paper's architecture on the official fold 0 of expt_gap. results/gpu.csv gets a
row for each device and seed.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from _common import (
    Rows,
    benchmark_parser,
    crabsk_epochs,
    distinct_rows,
    fold_0,
    predict_seconds,
    run_benchmark,
    spread,
    three,
)
from _markdown import write_markdown
from _results import RESULTS, append_rows, described, of_last_commit, read_table
from sklearn.metrics import mean_absolute_error
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.neural_network import ConflictingTargetsWarning

PAPER_BATCH = 256
DEVICES = ("cuda", "cpu")
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch")

# Equal compositions with different targets are of no account for speed.
warnings.simplefilter("ignore", ConflictingTargetsWarning)


def measure_device(
    device: str, seed: int, train: Rows, test: Rows, formulas: list[str], n_epochs: int
) -> dict:
    """Fit the default; return its times and its error, and the paper's seconds an epoch."""
    start = time.perf_counter()
    model = CrabNetRegressor(device=device, random_state=seed).fit(*train)
    seconds = time.perf_counter() - start
    paper = CrabNetRegressor.from_preset(
        "paper", batch_size=PAPER_BATCH, device=device, random_state=seed
    )
    epochs = [epoch["dur"] for own in model.history_ for epoch in own]
    return {
        "epoch_seconds": float(np.median(epochs)),
        "mae": mean_absolute_error(test.y, model.predict(test.X)),
        "n_predicted": len(formulas),
        "formulas_per_s": len(formulas) / predict_seconds(model, formulas),
        "paper_epoch_seconds": float(np.mean(crabsk_epochs(paper, train, n_epochs)[1:])),
        "seconds": seconds,
        **described(model),
    }


def measure(options: argparse.Namespace) -> None:
    if not torch.cuda.is_available():
        sys.exit("gpu.py: torch finds no CUDA GPU on this machine; nothing was measured")
    train, test = fold_0(options.data, "expt_gap")
    formulas = distinct_rows(options.data).X.tolist()
    for seed in tqdm(options.seeds, unit="seed"):
        for device in DEVICES:
            row = {
                "data_set": "expt_gap, fold 0",
                "device": device,
                "seed": seed,
                **measure_device(device, seed, train, test, formulas, 1 + options.epochs),
                "gpu": torch.cuda.get_device_name(),
                "threads": torch.get_num_threads(),
            }
            append_rows("gpu", [row], packages=PACKAGES)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "gpu.csv")
    if results.empty:
        return {}
    columns = {
        "paper (s an epoch)": ("paper_epoch_seconds", ".3f"),
        "default (s an epoch)": ("epoch_seconds", ".3f"),
        "fit (s)": ("seconds", ".1f"),
        "MAE (eV)": ("mae", ".4f"),
        "formulas a second": ("formulas_per_s", ",.0f"),
    }
    rows = [
        {
            "device": device,
            **{
                title: three(spread(its[name].tolist()), form)
                for title, (name, form) in columns.items()
            },
        }
        for device, its in of_last_commit(results, ["device"]).groupby("device", sort=False)
    ]
    return {"gpu": write_markdown(pd.DataFrame(rows))}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--epochs", type=int, default=2, help="to time, beside the first")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser.parse_args(arguments)


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
