"""Matrix products: those of a network, in what time, and the rate of the machine's sgemm."""

import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import torch
from _common import spread
from skorch.callbacks import Callback
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

SQUARE = Counter({(2048, 2048, 2048): 1})
SGEMM_SECONDS = 1.0
SGEMM = {
    "same_sizes": "same sizes",
    "square": "square",
    "square_all_threads": "square, all threads",
}


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


def sgemm_cells(row: dict) -> dict[str, str]:
    """Return cells of a row of results: operations a second, and their share of sgemm's."""
    cells = {"GFLOP/s": f"{row['gflops']:.0f}"}
    for name, label in SGEMM.items():
        cells[f"of sgemm, {label}"] = f"{row[f'share_of_{name}']:.0%}"
    return cells
