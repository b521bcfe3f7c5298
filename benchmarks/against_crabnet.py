"""How fast crabsk trains, beside the public crabnet 2.0.8.

passes      Training passes: seconds of an epoch's pass over the training rows, and nothing else.
            crabsk's time is the "dur" of `history_`. The first epoch is not counted.
fits        Whole fits, as users call them: seconds from the call of `fit` to its return, for each
            of its epochs. Both have the same random nine tenths of the rows to train on and the
            other tenth to validate on. All that `fit` does counts, also what it does once, such as
            reading formulas; the packages are imported before. crabsk computes the validation loss
            after each epoch.

Both are of the paper's architecture, with the batch size that crabnet chooses, on the training rows
of expt_gap, and on these mixed with those of steels, which crabnet pads to 13 elements; crabsk
trains once in single precision, as crabnet does, and once with ``precision="bfloat16"``, which
crabnet has not. They take turns, each time in a fresh process, with as many threads set in torch.

`_crabnet` says how crabnet is installed and timed. Each fit is a row of
results/against_crabnet.csv, written as soon as it is measured.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from _common import Rows, benchmark_parser, crabsk_epochs, fold_0, in_fresh_process, spread, three
from _crabnet import (
    FIT_EPOCHS,
    SILENT,
    check_installed,
    crabnet_batch_size,
    crabnet_fit,
    crabnet_passes,
    facts_of_fit,
    facts_of_passes,
    hold_out_a_tenth,
)
from _markdown import write_markdown
from _results import RESULTS, append_rows, described, of_last_commit, read_table
from sklearn.base import clone
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.composition import parse_formulas
from crabsk.neural_network import ConflictingTargetsWarning

PRECISIONS = ("float32", "bfloat16")
PACKAGES = ("numpy", "scikit-learn", "skorch", "torch", "crabnet")

# Equal compositions with different targets are of no account for speed.
warnings.simplefilter("ignore", ConflictingTargetsWarning)


def standardise(y: np.ndarray) -> np.ndarray:
    return (y - y.mean()) / y.std()


def mix(first: Rows, second: Rows) -> Rows:
    return Rows(
        np.concatenate([first.X, second.X]),
        np.concatenate([standardise(first.y), standardise(second.y)]),
    )


def training_sets(options: argparse.Namespace) -> dict[str, Rows]:
    gaps, _ = fold_0(options.data, "expt_gap")
    steels, _ = fold_0(options.data, "steels")
    return {"expt_gap": gaps, "expt_gap and steels": mix(gaps, steels)}


def paper_model(n_rows: int, precision: str) -> CrabNetRegressor:
    return CrabNetRegressor.from_preset(
        "paper",
        batch_size=crabnet_batch_size(n_rows),
        max_epochs=FIT_EPOCHS,
        device="cpu",
        precision=precision,
        random_state=0,
    )


def crabsk_fit(model: CrabNetRegressor, train: Rows, validation: Rows) -> float:
    """Return the seconds of a whole fit of crabsk."""
    model = clone(model)
    start = time.perf_counter()
    model.fit(*train, X_val=validation[0], y_val=validation[1])
    return time.perf_counter() - start


def facts_of_rows(rows: Rows) -> dict:
    n_elements = np.diff(parse_formulas(rows.X.tolist()).offsets)
    return {
        "n_train": len(rows.X),
        "mean_elements": float(n_elements.mean()),
        "max_elements": int(n_elements.max()),
    }


def take_turns(case: dict, measurements: dict[str, tuple], repeats: int) -> None:
    """Measure each model, again and again, in processes of their own.

    A measurement is a function, its arguments, what makes facts of its result, and what the model
    was.
    """
    for repeat in tqdm(range(repeats), unit="repeat"):
        for model, (function, arguments, facts_of, its_parameters) in measurements.items():
            facts = facts_of(in_fresh_process(function, *arguments))
            note({**case, "model": model, "repeat": repeat, **facts, **its_parameters})


def measure_passes(options: argparse.Namespace) -> None:
    n_epochs = 1 + options.epochs
    for name, rows in training_sets(options).items():
        measurements = {"crabnet": (crabnet_passes, (rows, n_epochs), facts_of_passes, SILENT)}
        for precision in PRECISIONS:
            model = paper_model(len(rows.X), precision)
            arguments = (model, rows, n_epochs)
            measurements[f"crabsk, {precision}"] = (
                *(crabsk_epochs, arguments, facts_of_passes, described(model)),
            )
        case = {"part": "passes", "data_set": name, **facts_of_rows(rows)}
        take_turns(case, measurements, options.repeats)


def measure_fits(options: argparse.Namespace) -> None:
    for name, rows in training_sets(options).items():
        held_out = train, _ = hold_out_a_tenth(rows)
        measurements = {"crabnet": (crabnet_fit, held_out, facts_of_fit, SILENT)}
        for precision in PRECISIONS:
            model = paper_model(len(train.X), precision)
            measurements[f"crabsk, {precision}"] = (
                *(crabsk_fit, (model, *held_out), facts_of_fit, described(model)),
            )
        case = {"part": "fits", "data_set": name, **facts_of_rows(train)}
        take_turns(case, measurements, options.fit_repeats)


def note(row: dict) -> None:
    row = {**row, "threads": torch.get_num_threads()}
    append_rows("against_crabnet", [row], packages=PACKAGES)


PARTS: dict[str, Callable] = {"passes": measure_passes, "fits": measure_fits}


def make_table(results: pd.DataFrame) -> pd.DataFrame:
    table = []
    for (part, name, threads), its in results.groupby(["part", "data_set", "threads"], sort=False):
        seconds = its.pivot(index="repeat", columns="model", values="seconds_per_epoch")
        first = its.iloc[0]
        table += [
            {
                "what": part,
                "data set": name,
                "elements, mean and most": f"{first['mean_elements']:.2f}, {first['max_elements']}",
                "threads": str(threads),
                "model": model,
                "seconds an epoch": three(spread(seconds[model].tolist()), ".1f"),
                "crabnet's over these": three(
                    spread((seconds["crabnet"] / seconds[model]).tolist()), ".2f"
                ),
            }
            for model in seconds
        ]
    return pd.DataFrame(table)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "against_crabnet.csv")
    results = of_last_commit(results, ["part", "data_set", "threads"])
    return {"against-crabnet": write_markdown(make_table(results))}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=3, help="passes")
    parser.add_argument("--epochs", type=int, default=6, help="passes: beside the first")
    parser.add_argument("--fit-repeats", type=int, default=3, help="fits")
    return parser.parse_args(arguments)


def main() -> None:
    options = read_options()
    if not options.table_only:
        check_installed()
        for part in options.parts:
            PARTS[part](options)
    print(*tables(options).values())


if __name__ == "__main__":
    main()
