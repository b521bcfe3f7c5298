"""How fast networks predict, from text to numbers, and the memory that it takes.

Formulas a second on all cores, and the operations of the matrix products beside what the machine's
sgemm does at the same sizes and on large squares, counted as in training_speed.py. The formulas are
those of Matbench's mp_e_form, one for each composition.

Memory is that of a fresh process on Linux, before and at most during `predict`, which has already
predicted a few formulas; the list of formulas itself is in both.

results/prediction_speed.csv gets a row for each case as soon as it is measured.
"""

import argparse
import re
import warnings
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import pandas as pd
import torch
from _common import (
    benchmark_parser,
    distinct_rows,
    in_fresh_process,
    predict_seconds,
    run_benchmark,
    spread,
)
from _markdown import write_markdown, write_spread
from _matmuls import (
    MatmulCounter,
    Threads,
    against_sgemm,
    median_step,
    sgemm_cells,
    sgemm_rates,
)
from _results import RESULTS, append_rows, described, of_last_commit, read_table
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.neural_network import ConflictingTargetsWarning

N_FITTED = 2000  # rows for a model whose speed, not accuracy, is asked for
DATA_SET = "mp_e_form, one formula for each composition"
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch")

# Equal compositions with different targets are of no account for speed.
warnings.simplefilter("ignore", ConflictingTargetsWarning)


def count_predict(model: CrabNetRegressor, formulas: list[str]) -> list[MatmulCounter]:
    """Return the matrix products of each member; a step is a chunk of formulas."""
    counters, handles = [], []
    for net in model.nets_:
        counter = MatmulCounter()
        handles.append(net.module_.register_forward_pre_hook(counter.start))
        handles.append(net.module_.register_forward_hook(counter.stop))
        counters.append(counter)
    # Side by side, batches would be counted as one; with one thread they come one by one.
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model.predict(formulas)
    torch.set_num_threads(n_threads)
    for handle in handles:
        handle.remove()
    return counters


def predict_efficiency(model: CrabNetRegressor, formulas: list[str], repeats: int) -> dict:
    """Time predictions; counting their operations beforehand warms everything up."""
    counters = count_predict(model, formulas)
    steps = [step for counter in counters for step in counter.steps]
    flops = sum(step.flops for step in steps)
    threads = Threads(torch.get_num_threads(), 1)
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


def measure(options: argparse.Namespace) -> None:
    rows = distinct_rows(options.data)
    settings = {"max_epochs": 1, "device": "cpu", "random_state": 0}
    models = {
        "default, one member": CrabNetRegressor(n_estimators=1, **settings),
        "fast": CrabNetRegressor.from_preset("fast", **settings),
    }
    formulas = rows.X.tolist()

    def note(measured: str, data_set: str, model: str, figures: dict) -> None:
        row = {"measured": measured, "data_set": data_set, "model": model, **figures}
        row |= {"threads": torch.get_num_threads(), **described(models[model])}
        append_rows("prediction_speed", [row], packages=PACKAGES)

    for name, model in models.items():
        model.fit(rows.X[:N_FITTED], rows.y[:N_FITTED])
        note("speed", DATA_SET, name, predict_efficiency(model, formulas, options.repeats))
        for n in tqdm(options.memory_sizes, unit="size"):
            figures = in_fresh_process(predict_memory, model, formulas, n)
            note("memory", f"{DATA_SET}, varied", name, figures)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "prediction_speed.csv")
    if results.empty:
        return {}
    results = of_last_commit(results, ["measured", "model", "n_formulas", "threads"])
    speed = [
        {
            "network": row["model"],
            "formulas": f"{row['n_formulas']:,}",
            "formulas a second": write_spread(row, "formulas_per_s", ",.0f"),
            "MFLOP a formula": f"{row['mflop_per_formula']:.2f}",
            "threads": row["threads"],
            **sgemm_cells(row),
        }
        for row in results[results["measured"] == "speed"].to_dict("records")
    ]
    memory = [
        {
            "network": row["model"],
            "formulas": f"{row['n_formulas']:,}",
            "peak (MiB)": f"{row['peak_mib']:.0f}",
            "before `predict`": f"{row['before_mib']:.0f}",
            "formulas a second": f"{row['formulas_per_s']:,.0f}",
        }
        for row in results[results["measured"] == "memory"].to_dict("records")
    ]
    return {
        "prediction-speed": write_markdown(pd.DataFrame(speed)),
        "prediction-memory": write_markdown(pd.DataFrame(memory)),
    }


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory-sizes", type=int, nargs="*", default=[10**4, 10**5, 10**6])
    return parser.parse_args(arguments)


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
