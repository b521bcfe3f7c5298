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
"""

import argparse
import math
import re
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pandas as pd
import torch
from _common import (
    ROOT,
    Rows,
    argument_parser,
    crabsk_epochs,
    fold_0,
    in_fresh_process,
    print_table,
    read_rows,
    spread,
    three,
    write_results,
)
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error
from skorch.callbacks import Callback
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.composition import ELEMENTS, reduced_formula
from crabsk.neural_network import ConflictingTargetsWarning, _parts

PAPER_BATCH = 256
SQUARE = Counter({(2048, 2048, 2048): 1})
SGEMM_SECONDS = 1.0
SGEMM = {
    "same_sizes": "same sizes",
    "square": "square",
    "square_all_threads": "square, all threads",
}
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


class Step(NamedTuple):
    """The matrix products of one batch.

    `flops` is for all of them, `shapes` are (m, k, n) of the linear layers' and their number.
    """

    flops: int
    shapes: Counter


class MatmulCounter:
    """Counts the matrix products between `start` and `stop`, which one thread calls."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def start(self, *_: Any) -> None:
        """Begin a step; takes what a hook is given."""
        self._shapes: Counter = Counter()
        aten = torch.ops.aten
        self._mode = FlopCounterMode(
            display=False,
            custom_mapping={
                aten.mm: lambda a, b, **_: self._linear(a, b),
                aten.addmm: lambda bias, a, b, **_: self._linear(a, b),
                # torch's own list lacks the attention of the CPU.
                aten._scaled_dot_product_flash_attention_for_cpu: (
                    lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v)
                ),
                aten._scaled_dot_product_flash_attention_for_cpu_backward: (
                    lambda grad, q, k, v, *_, **__: sdpa_backward_flop_count(grad, q, k, v)
                ),
            },
        )
        self._mode.__enter__()

    def stop(self, *_: Any) -> None:
        """End the step; takes what a hook is given."""
        self._mode.__exit__(None, None, None)
        self.steps.append(Step(self._mode.get_total_flops(), self._shapes))

    def _linear(self, a: Sequence[int], b: Sequence[int]) -> int:
        shape = (*a, b[1])
        self._shapes[shape] += 1
        return 2 * math.prod(shape)


class CountMatmuls(Callback):
    """Counts the matrix products of each training step of a net."""

    def initialize(self) -> "CountMatmuls":
        """Start from nothing counted."""
        self.counter = MatmulCounter()
        return self

    def on_batch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin a step."""
        self.counter.start()

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        """End the step."""
        self.counter.stop()


class Clock(Callback):
    """Notes when a net's training starts and ends."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Note the start."""
        self.start = time.perf_counter()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Note the end."""
        self.end = time.perf_counter()


class Threads(NamedTuple):
    """How networks run: `workers` side by side, each with torch's `each`."""

    workers: int
    each: int


def median_step(steps: Sequence[Step]) -> Step:
    return sorted(steps, key=lambda step: step.flops)[len(steps) // 2]


def sgemm_rate(shapes: Counter, threads: Threads) -> float:
    """Return the FLOP a second of matrix products of these shapes, run again and again."""
    before = torch.get_num_threads()
    ready = threading.Barrier(threads.workers)

    def multiply() -> float:
        torch.set_num_threads(threads.each)
        products = [
            (torch.randn(m, k), torch.randn(k, n), torch.empty(m, n))
            for (m, k, n), number in shapes.items()
            for _ in range(number)
        ]
        flops = sum(2 * math.prod(shape) * number for shape, number in shapes.items())
        for a, b, out in products:
            torch.mm(a, b, out=out)
        ready.wait()
        start = time.perf_counter()
        rounds = 0
        while (elapsed := time.perf_counter() - start) < SGEMM_SECONDS:
            for a, b, out in products:
                torch.mm(a, b, out=out)
            rounds += 1
        return rounds * flops / elapsed

    try:
        with ThreadPoolExecutor(threads.workers) as pool:
            futures = [pool.submit(multiply) for _ in range(threads.workers)]
            return sum(future.result() for future in futures)
    finally:
        torch.set_num_threads(before)


def sgemm_rates(shapes: Counter, threads: Threads) -> dict[str, float]:
    """Return FLOP a second at these shapes and on squares, and on squares with all threads."""
    rates = [
        sgemm_rate(shapes, threads),
        sgemm_rate(SQUARE, threads),
        sgemm_rate(SQUARE, Threads(1, torch.get_num_threads())),
    ]
    return dict(zip(SGEMM, rates, strict=True))


def against_sgemm(rates: list[float], references: list[dict[str, float]]) -> dict:
    """Summarise FLOP a second of repeats beside the sgemm rates of the same repeats."""
    figures: dict = {"gflops": spread([rate / 1e9 for rate in rates])}
    for name in SGEMM:
        its = [reference[name] for reference in references]
        figures[f"sgemm_{name}_gflops"] = spread([rate / 1e9 for rate in its])
        shares = [rate / reference for rate, reference in zip(rates, its, strict=True)]
        figures[f"share_of_{name}"] = spread(shares)
    return figures


def sgemm_cells(figures: dict) -> dict[str, str]:
    cells = {"GFLOP/s": f"{figures['gflops']['median']:.1f}"}
    for name, label in SGEMM.items():
        cells[f"sgemm, {label}"] = f"{figures[f'sgemm_{name}_gflops']['median']:.1f}"
        cells[f"of {label}"] = f"{figures[f'share_of_{name}']['median']:.0%}"
    return cells


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

    rates, references, step_s = [], [], []
    for _ in tqdm(range(options.repeats), unit="repeat"):
        fitted = clone(timed).fit(*rows)
        clocks = [own[0] for own in fitted.callbacks_]
        wall = max(clock.end for clock in clocks) - min(clock.start for clock in clocks)
        rates.append(model.n_estimators * n_epochs * epoch_flops / wall)
        durations = [epoch["dur"] for member in fitted.history_ for epoch in member]
        step_s.append(float(np.median(durations)) / len(steps))
        references.append(sgemm_rates(median_step(steps).shapes, threads))
    return {
        "n_rows": len(rows.X),
        "n_estimators": model.n_estimators,
        "workers": threads.workers,
        "threads_each": threads.each,
        "steps_per_epoch": len(steps),
        "gflop_per_step": epoch_flops / len(steps) / 1e9,
        "step_ms": spread([seconds * 1e3 for seconds in step_s]),
        **against_sgemm(rates, references),
    }


def measure_efficiency(options: argparse.Namespace) -> dict:
    rows, _ = fold_0(options.data, "expt_gap")
    settings = {"device": "cpu", "random_state": 0}
    models = {
        "paper": CrabNetRegressor.from_preset("paper", batch_size=PAPER_BATCH, **settings),
        "default": CrabNetRegressor(**settings),
    }
    figures = {name: training_efficiency(model, rows, options) for name, model in models.items()}
    print_table(
        [
            {
                "training on expt_gap": name,
                "threads": f"{its['workers']} x {its['threads_each']}",
                "GFLOP/step": f"{its['gflop_per_step']:.3f}",
                "ms/step": f"{its['step_ms']['median']:.2f}",
                **sgemm_cells(its),
            }
            for name, its in figures.items()
        ]
    )
    return {
        "data_set": "expt_gap, training rows of fold 0",
        "repeats": options.repeats,
        "epochs": options.epochs,
        "torch_threads": torch.get_num_threads(),
        "models": figures,
    }


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


def predict_rate(model: CrabNetRegressor, formulas: list[str]) -> float:
    """Return formulas a second."""
    start = time.perf_counter()
    model.predict(formulas)
    return len(formulas) / (time.perf_counter() - start)


def predict_efficiency(model: CrabNetRegressor, formulas: list[str], repeats: int) -> dict:
    """Time predictions; counting their operations beforehand warms everything up."""
    counters = count_predict(model, formulas)
    steps = [step for counter in counters for step in counter.steps]
    formula_flops = sum(step.flops for step in steps) / len(formulas)
    threads = Threads(1, torch.get_num_threads())
    rates, references = [], []
    for _ in tqdm(range(repeats), unit="repeat"):
        rates.append(predict_rate(model, formulas))
        references.append(sgemm_rates(median_step(steps).shapes, threads))
    return {
        "n_formulas": len(formulas),
        "formulas_per_s": spread(rates),
        "mflop_per_formula": formula_flops / 1e6,
        "workers": threads.workers,
        "threads_each": threads.each,
        **against_sgemm([rate * formula_flops for rate in rates], references),
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
    start = time.perf_counter()
    model.predict(varied)
    seconds = time.perf_counter() - start
    peak = resident_mib("VmHWM")
    return {
        "n_formulas": n,
        "peak_mib": peak,
        "before_mib": before,
        "added_mib": peak - before,
        "formulas_per_s": n / seconds,
    }


def measure_predict(options: argparse.Namespace) -> dict:
    rows = distinct_rows(options.data)
    settings = {"max_epochs": 1, "device": "cpu", "random_state": 0}
    models = {
        "default, one member": CrabNetRegressor(n_estimators=1, **settings),
        "fast": CrabNetRegressor.from_preset("fast", **settings),
    }
    formulas = rows.X.tolist()
    figures: dict[str, dict] = {}
    for name, model in models.items():
        model.fit(rows.X[:N_FITTED], rows.y[:N_FITTED])
        figures[name] = predict_efficiency(model, formulas, options.repeats)
        figures[name]["memory"] = [
            in_fresh_process(predict_memory, model, formulas, n)
            for n in tqdm(options.memory_sizes, unit="size")
        ]
    print_table(
        [
            {
                "mp_e_form": name,
                "formulas": str(its["n_formulas"]),
                "formulas/s": three(its["formulas_per_s"], ".0f"),
                "MFLOP/formula": f"{its['mflop_per_formula']:.2f}",
                "threads": f"{its['workers']} x {its['threads_each']}",
                **sgemm_cells(its),
            }
            for name, its in figures.items()
        ]
    )
    print_table(
        [
            {
                "memory of a fresh process": name,
                "formulas": str(memory["n_formulas"]),
                "peak (MiB)": f"{memory['peak_mib']:.0f}",
                "before predict": f"{memory['before_mib']:.0f}",
                "added": f"{memory['added_mib']:.0f}",
                "formulas/s": f"{memory['formulas_per_s']:.0f}",
            }
            for name, its in figures.items()
            for memory in its["memory"]
        ]
    )
    return {
        "data_set": "mp_e_form, one formula for each composition",
        "repeats": options.repeats,
        "torch_threads": torch.get_num_threads(),
        "models": figures,
    }


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
    label: str, sizes: Sequence[int], sets: Iterator[Rows], options: argparse.Namespace
) -> dict:
    """Time epochs for growing sets, with crabsk's batch size and a fixed one; fit the slopes."""
    network = CrabNetRegressor(n_estimators=1, device="cpu", random_state=0)
    models = {
        'batch_size="auto"': network,
        f"batch_size={FIXED_BATCH}": clone(network).set_params(batch_size=FIXED_BATCH),
    }
    times: dict[str, list[float]] = {name: [] for name in models}
    for rows in tqdm(sets, total=len(sizes), unit="set"):
        for name, model in models.items():
            times[name].append(epoch_time(model, rows, options.epochs))
    slopes = {name: slope(sizes, its) for name, its in times.items()}
    lines = [*map(str, sizes), "log-log slope"]
    cells = {
        f"{name} (ms/epoch)": [*(f"{seconds * 1e3:.1f}" for seconds in its), f"{slopes[name]:.2f}"]
        for name, its in times.items()
    }
    print_table(
        [
            {label: line, **{name: column[i] for name, column in cells.items()}}
            for i, line in enumerate(lines)
        ]
    )
    return {"sizes": list(sizes), "epoch_s": times, "slope": slopes}


def measure_scaling(options: argparse.Namespace) -> dict:
    rows = distinct_rows(options.data)
    parts = (Rows(rows.X[:n], rows.y[:n]) for n in options.rows)
    synthetic = (synthetic_rows(n) for n in N_ELEMENTS)
    return {
        "epochs": options.epochs,
        "rows_of_mp_e_form": scale_up("rows", options.rows, parts, options),
        "elements_of_synthetic_compositions": {
            "n_rows": N_SYNTHETIC,
            **scale_up("elements", N_ELEMENTS, synthetic, options),
        },
    }


# gpu


def measure_device(device: str, seed: int, train: Rows, test: Rows, formulas: list[str]) -> dict:
    """Fit the default; return its times and its error."""
    start = time.perf_counter()
    model = CrabNetRegressor(device=device, random_state=seed).fit(*train)
    fit_s = time.perf_counter() - start
    predicted = model.predict(test.X)
    return {
        "fit_s": fit_s,
        "epoch_s": float(np.median([epoch["dur"] for own in model.history_ for epoch in own])),
        "mae": mean_absolute_error(test.y, predicted),
        "formulas_per_s": predict_rate(model, formulas),
    }


def measure_gpu(options: argparse.Namespace) -> dict:
    if not torch.cuda.is_available():
        sys.exit("speed.py gpu: torch finds no CUDA GPU on this machine; nothing was measured")
    train, test = fold_0(options.data, "expt_gap")
    formulas = distinct_rows(options.data).X.tolist()
    runs: dict[str, list[dict]] = {device: [] for device in DEVICES}
    for seed in tqdm(options.seeds, unit="seed"):
        for device in DEVICES:
            paper = CrabNetRegressor.from_preset(
                "paper", batch_size=PAPER_BATCH, device=device, random_state=seed
            )
            epochs = crabsk_epochs(paper, train, 1 + options.epochs)
            runs[device].append(
                {
                    **measure_device(device, seed, train, test, formulas),
                    "paper_epoch_s": float(np.mean(epochs[1:])),
                }
            )
    summary = {
        device: {key: spread([run[key] for run in its]) for key in its[0]}
        for device, its in runs.items()
    }
    print_table(
        [
            {
                "expt_gap fold 0": device,
                "paper (s/epoch)": three(its["paper_epoch_s"], ".3f"),
                "default (s/epoch)": three(its["epoch_s"], ".3f"),
                "fit (s)": three(its["fit_s"], ".1f"),
                "MAE (eV)": three(its["mae"], ".4f"),
                "formulas/s": three(its["formulas_per_s"], ".0f"),
            }
            for device, its in summary.items()
        ]
    )
    return {
        "gpu": torch.cuda.get_device_name(),
        "seeds": options.seeds,
        "n_predicted": len(formulas),
        "devices": summary,
    }


PARTS: dict[str, Callable[[argparse.Namespace], dict]] = {
    "efficiency": measure_efficiency,
    "predict": measure_predict,
    "scaling": measure_scaling,
    "gpu": measure_gpu,
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

    figures = PARTS[options.part](options)
    path = write_results(f"speed_{options.part}", figures, packages=PACKAGES)
    print(f"{path.relative_to(ROOT)} written")


if __name__ == "__main__":
    main()
