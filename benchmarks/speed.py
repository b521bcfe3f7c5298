"""How fast networks train and predict, one part a run: speed.py efficiency, predict, ...

efficiency  Floating-point operations of the matrix products in a second of training, beside what
            the machine's sgemm does at the same sizes and on large squares.
predict     Formulas a second, from text to numbers, on all cores, and the memory that it takes.
scaling     Time per epoch against the number of rows and the number of elements in a formula.
gpu         Epochs, predictions and accuracy on a CUDA GPU beside the CPU.

Operations are counted as torch runs them: 2 m n k for every product, attention's included, the
scores that its backward pass computes again as well. "same sizes" are the products of the linear
layers in the batch of median cost, run one after another, on all cores at once;
each counts for its share of the operations. A fit's time is that of all its epochs, from the start
of the first member's first to the end of the last member's last.

Memory is that of a fresh process on Linux, before and at most during `predict`, which has already
predicted a few formulas; the list of formulas itself is in both.

Each part has its own results/speed_<part>.csv, which gets a row for each case as soon as it is
measured: of several repeats the median, minimum and maximum.
"""

import argparse
import math
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pandas as pd
import torch
from _common import (
    Rows,
    argument_parser,
    crabsk_epochs,
    fold_0,
    in_fresh_process,
    print_table,
    read_rows,
    spread,
    three,
)
from _matmuls import (
    Clock,
    CountMatmuls,
    MatmulCounter,
    Threads,
    against_sgemm,
    median_step,
    sgemm_cells,
    sgemm_rates,
)
from _results import append_rows, described
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.composition import ELEMENTS, reduced_formula
from crabsk.neural_network import ConflictingTargetsWarning, _parts

PAPER_BATCH = 256
FIXED_BATCH = 128
N_SYNTHETIC = 4096
N_ELEMENTS = range(1, 13)
N_FITTED = 2000  # rows for a model whose speed, not accuracy, is asked for
DEVICES = ("cuda", "cpu")
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch")

# Equal compositions with different targets are of no account for speed.
warnings.simplefilter("ignore", ConflictingTargetsWarning)


def distinct_rows(data: Path) -> Rows:
    """Return mp_e_form with one row for each composition, in random order."""
    X, y = read_rows(data, "mp_e_form")
    first = np.flatnonzero(~pd.Series(reduced_formula(X)).duplicated())
    kept = np.random.default_rng(0).permutation(first)
    return Rows(X[kept], y[kept])


# efficiency


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


def measure_efficiency(options: argparse.Namespace) -> Iterator[dict]:
    rows, _ = fold_0(options.data, "expt_gap")
    settings = {"device": "cpu", "random_state": 0}
    models = {
        "paper": CrabNetRegressor.from_preset("paper", batch_size=PAPER_BATCH, **settings),
        "default": CrabNetRegressor(**settings),
    }
    for name, model in models.items():
        case = {"data_set": "expt_gap, training rows of fold 0", "model": name}
        figures = training_efficiency(model, rows, options)
        yield {**case, **figures, **described(model)}


def print_efficiency(rows: list[dict]) -> None:
    print_table(
        [
            {
                "training on expt_gap": row["model"],
                "threads": f"{row['workers']} x {row['threads_each']}",
                "GFLOP/step": f"{row['gflop_per_step']:.3f}",
                "ms/step": f"{row['step_ms']['median']:.2f}",
                **sgemm_cells(row),
            }
            for row in rows
        ]
    )


# predict


def count_predict(model: CrabNetRegressor, formulas: list[str]) -> list[MatmulCounter]:
    """Return the matrix products of each member; a step is a chunk of formulas."""
    counters, handles = [], []
    for net in model.nets_:
        counter = MatmulCounter()
        handles.append(net.module_.register_forward_pre_hook(counter.start))
        handles.append(net.module_.register_forward_hook(counter.stop))
        counters.append(counter)
    model.predict(formulas)
    for handle in handles:
        handle.remove()
    return counters


def predict_seconds(model: CrabNetRegressor, formulas: list[str]) -> float:
    start = time.perf_counter()
    model.predict(formulas)
    return time.perf_counter() - start


def predict_efficiency(model: CrabNetRegressor, formulas: list[str], repeats: int) -> dict:
    """Time predictions; counting their operations beforehand warms everything up."""
    counters = count_predict(model, formulas)
    steps = [step for counter in counters for step in counter.steps]
    flops = sum(step.flops for step in steps)
    threads = Threads(1, torch.get_num_threads())
    seconds, references = [], []
    for _ in tqdm(range(repeats), unit="repeat"):
        seconds.append(predict_seconds(model, formulas))
        references.append(sgemm_rates(median_step(steps).shapes, threads))
    return {
        "n_formulas": len(formulas),
        "repeats": repeats,
        "formulas_per_s": spread([len(formulas) / its for its in seconds]),
        "mflop_per_formula": flops / len(formulas) / 1e6,
        "workers": threads.workers,
        "threads_each": threads.each,
        **against_sgemm([flops / its for its in seconds], references),
        "seconds": spread(seconds),
    }


def varied_formulas(formulas: list[str]) -> Iterator[str]:
    """Yield formulas without end, all different: pass p adds p hundredths of the first element."""
    parts = [re.fullmatch(r"([A-Z][a-z]?)(\d*)(.*)", formula) for formula in formulas]
    for extra in count():
        for part in parts:
            # In brackets: 12.1 before H2O would be taken for a hydrate.
            yield f"({part[1]}{int(part[2] or 1) + extra / 100:g}){part[3]}"


def resident_mib(field: str) -> float:
    """Return what Linux says of this process's memory: VmRSS now, VmHWM at most.

    `resource.getrusage` is of no use here: its maximum includes that of the parent process.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{field}:\s*(\d+) kB", status)[1]) / 1024


def predict_memory(model: CrabNetRegressor, formulas: list[str], n: int) -> dict[str, float]:
    """Return the memory before, and at most during, the prediction of `n` formulas."""
    model.predict(formulas[:100])  # what is loaded and allocated once
    varied = list(islice(varied_formulas(formulas), n))
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
    before = resident_mib("VmRSS")
    seconds = predict_seconds(model, varied)
    peak = resident_mib("VmHWM")
    return {
        "n_formulas": n,
        "peak_mib": peak,
        "before_mib": before,
        "added_mib": peak - before,
        "formulas_per_s": n / seconds,
        "seconds": seconds,
    }


def measure_predict(options: argparse.Namespace) -> Iterator[dict]:
    rows = distinct_rows(options.data)
    settings = {"max_epochs": 1, "device": "cpu", "random_state": 0}
    models = {
        "default, one member": CrabNetRegressor(n_estimators=1, **settings),
        "fast": CrabNetRegressor.from_preset("fast", **settings),
    }
    formulas = rows.X.tolist()
    for name, model in models.items():
        model.fit(rows.X[:N_FITTED], rows.y[:N_FITTED])
        case = {"model": name, **described(model)}
        data_set = "mp_e_form, one formula for each composition"
        figures = predict_efficiency(model, formulas, options.repeats)
        yield {"measured": "speed", "data_set": data_set, **case, **figures}
        for n in tqdm(options.memory_sizes, unit="size"):
            figures = in_fresh_process(predict_memory, model, formulas, n)
            yield {"measured": "memory", "data_set": f"{data_set}, varied", **case, **figures}


def print_predict(rows: list[dict]) -> None:
    print_table(
        [
            {
                "mp_e_form": row["model"],
                "formulas": str(row["n_formulas"]),
                "formulas/s": three(row["formulas_per_s"], ".0f"),
                "MFLOP/formula": f"{row['mflop_per_formula']:.2f}",
                "threads": f"{row['workers']} x {row['threads_each']}",
                **sgemm_cells(row),
            }
            for row in rows
            if row["measured"] == "speed"
        ]
    )
    print_table(
        [
            {
                "memory of a fresh process": row["model"],
                "formulas": str(row["n_formulas"]),
                "peak (MiB)": f"{row['peak_mib']:.0f}",
                "before predict": f"{row['before_mib']:.0f}",
                "added": f"{row['added_mib']:.0f}",
                "formulas/s": f"{row['formulas_per_s']:.0f}",
            }
            for row in rows
            if row["measured"] == "memory"
        ]
    )


# scaling


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
) -> Iterator[dict]:
    """Time epochs for growing sets, with crabsk's batch size and a fixed one."""
    network = CrabNetRegressor(n_estimators=1, device="cpu", random_state=0)
    for size, rows in tqdm(zip(sizes, sets, strict=True), total=len(sizes), unit="set"):
        for batch_size in ("auto", FIXED_BATCH):
            model = clone(network).set_params(batch_size=batch_size)
            yield {
                "varied": varied,
                "size": size,
                "n_rows": len(rows.X),
                "batch_size": str(batch_size),
                "seconds": epoch_time(model, rows, options.epochs),
                **described(model),
            }


def measure_scaling(options: argparse.Namespace) -> Iterator[dict]:
    rows = distinct_rows(options.data)
    parts = (Rows(rows.X[:n], rows.y[:n]) for n in options.rows)
    yield from scale_up("rows of mp_e_form", options.rows, parts, options)
    synthetic = (synthetic_rows(n) for n in N_ELEMENTS)
    yield from scale_up("elements of synthetic compositions", N_ELEMENTS, synthetic, options)


def print_scaling(rows: list[dict]) -> None:
    for varied, its in pd.DataFrame(rows).groupby("varied", sort=False):
        times = its.pivot(index="size", columns="batch_size", values="seconds")
        cells = times.map(lambda seconds: f"{seconds * 1e3:.1f}")
        cells.loc["log-log slope"] = [f"{slope(times.index, its):.2f}" for _, its in times.items()]
        print(f"\n{varied}, ms/epoch by batch size\n{cells.to_string()}")


# gpu


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


def measure_gpu(options: argparse.Namespace) -> Iterator[dict]:
    if not torch.cuda.is_available():
        sys.exit("speed.py gpu: torch finds no CUDA GPU on this machine; nothing was measured")
    train, test = fold_0(options.data, "expt_gap")
    formulas = distinct_rows(options.data).X.tolist()
    for seed in tqdm(options.seeds, unit="seed"):
        for device in DEVICES:
            case = {"data_set": "expt_gap, fold 0", "device": device, "seed": seed}
            figures = measure_device(device, seed, train, test, formulas, 1 + options.epochs)
            yield {**case, **figures, "gpu": torch.cuda.get_device_name()}


def print_gpu(rows: list[dict]) -> None:
    columns = {
        "paper (s/epoch)": ("paper_epoch_seconds", ".3f"),
        "default (s/epoch)": ("epoch_seconds", ".3f"),
        "fit (s)": ("seconds", ".1f"),
        "MAE (eV)": ("mae", ".4f"),
        "formulas/s": ("formulas_per_s", ".0f"),
    }
    print_table(
        [
            {
                "expt_gap fold 0": device,
                **{
                    title: three(spread(its[name].tolist()), form)
                    for title, (name, form) in columns.items()
                },
            }
            for device, its in pd.DataFrame(rows).groupby("device", sort=False)
        ]
    )


class Part(NamedTuple):
    """What yields the rows of a part, and what prints them."""

    measure: Callable[[argparse.Namespace], Iterator[dict]]
    print: Callable[[list[dict]], None]


PARTS = {
    "efficiency": Part(measure_efficiency, print_efficiency),
    "predict": Part(measure_predict, print_predict),
    "scaling": Part(measure_scaling, print_scaling),
    "gpu": Part(measure_gpu, print_gpu),
}


def main() -> None:
    parser = argument_parser(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--repeats", type=int, default=3, help="efficiency, predict")
    parser.add_argument("--epochs", type=int, default=2, help="in a measurement, beside the first")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="gpu")
    parser.add_argument(
        "--memory-sizes", type=int, nargs="*", default=[10**4, 10**5, 10**6], help="predict"
    )
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[250 * 2**i for i in range(9)], help="scaling"
    )
    options = parser.parse_args()

    rows = []
    for row in PARTS[options.part].measure(options):
        rows.append(row | {"threads": torch.get_num_threads()})
        append_rows(f"speed_{options.part}", rows[-1:], packages=PACKAGES)
    PARTS[options.part].print(rows)


if __name__ == "__main__":
    main()
