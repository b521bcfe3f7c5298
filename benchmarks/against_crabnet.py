"""How fast crabsk trains, and gets accurate, beside the public crabnet 2.0.8, in three parts.

passes      Training passes: seconds of an epoch's pass over the training rows, and nothing else.
fits        Whole fits, as users call them: seconds from the call of `fit` to its return, for each
            of its epochs.
accuracy    Seconds to the MAE that is published for CrabNet on expt_gap (official fold 0), with
            ensembles of several sizes.

Passes and fits are of the paper's architecture, with the batch size that crabnet chooses, on the
training rows of expt_gap, and on these mixed with those of steels, which crabnet pads to 13
elements; crabsk trains once in single precision, as crabnet does, and once with
``precision="bfloat16"``, which crabnet has not. Each fit is a row of results/against_crabnet.csv,
written as soon as it is measured.

crabnet wants Python < 3.11 and many packages; it works in a virtual environment of its own, beside
what crabsk needs:

    python -m venv ENV && ENV/bin/pip install -c constraints.txt -e . matplotlib seaborn
    ENV/bin/pip install --no-deps --ignore-requires-python crabnet==2.0.8
    ENV/bin/python benchmarks/against_crabnet.py --parts passes

How it is made to be fair: crabnet and crabsk take turns, each time in a fresh process (with torch
2.13, crabnet cannot be fitted twice in one), with as many threads set in torch. crabnet has the
defaults of its constructor, with messages, plots and the saving of weights switched off. It drops
out only in its first epoch (after its first prediction it never returns to training mode), so that
the other epochs are spared that work.

Passes: crabnet's time is that of its method `_train`. Its evaluations between epochs are left out,
and its validation set, which `_train` predicts after every batch of each twentieth epoch, is one
row, the fewest it takes; what it says of that row does not stop it early. crabsk's time is the
"dur" of `history_`. Both include shuffling, noise and the optimiser. The first epoch is not
counted.

Fits: both have the same random nine tenths of the rows to train on and the other tenth to validate
on, for 20 epochs, the fewest that crabnet trains for. All that `fit` does counts, also what it does
once, such as reading formulas; the packages are imported before. crabnet predicts all rows after
the first and each twentieth epoch, and the validation rows after every batch of each twentieth;
crabsk computes the validation loss after each epoch.

Accuracy: crabnet's time is extrapolated to its 300 epochs, once from a fit of 20 as above, so that
what it does once counts fifteen times, and once from `--long-epochs` training passes (with 300,
nothing is extrapolated there). Both suppose that it does not stop early, which it may, after 80
epochs at the soonest. Its own error is not measured. crabsk's time is that of a fit to all training
rows with all defaults but `n_estimators`, which reaches the published MAE or not on the test rows
of the fold. The smallest ensemble that does with every seed is thus found by looking at test rows:
it says which time is enough here, not how many networks to use elsewhere.
"""

import argparse
import contextlib
import importlib.util
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

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
    spread,
    three,
)
from _results import append_rows, described
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from crabsk import CrabNetRegressor
from crabsk.composition import parse_formulas
from crabsk.neural_network import ConflictingTargetsWarning

CRABNET_EPOCHS = 300  # crabnet's default
CRABNET_SETTINGS = {
    "compute_device": "cpu",
    "verbose": False,
    "save": False,
    "losscurve": False,
    "learningcurve": False,
}
SILENT = {"parameters": json.dumps(CRABNET_SETTINGS)}
FIT_EPOCHS = 20  # crabnet rounds up to multiples of this
PUBLISHED_MAE = 0.3476  # CrabNet on fold 0 of expt_gap, matbench_v0.1
PRECISIONS = ("float32", "bfloat16")
DEFAULT_ENSEMBLE = CrabNetRegressor().n_estimators
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


def hold_out_a_tenth(rows: Rows) -> tuple[Rows, Rows]:
    """Return the rows to train on and those to validate on."""
    train_X, other_X, train_y, other_y = train_test_split(*rows, test_size=0.1, random_state=0)
    return Rows(train_X, train_y), Rows(other_X, other_y)


def thread_counts(options: argparse.Namespace) -> Iterator[int]:
    """Yield the numbers of threads asked for, and set torch to each."""
    for threads in options.threads:
        torch.set_num_threads(threads)
        yield threads


# crabnet


class EnoughEpochs(Exception):
    """Ends crabnet's training when all epochs asked for have been timed."""


def crabnet_batch_size(n_rows: int) -> int:
    return int(np.clip(2 ** round(np.log2(n_rows) - 4), 2**7, 2**12))


def crabnet_table(rows: Rows) -> pd.DataFrame:
    return pd.DataFrame({"formula": rows.X, "target": rows.y})


@contextlib.contextmanager
def room_for_crabnet() -> Iterator[None]:
    """Give crabnet a folder to write its losses to, and silence what it warns of.

    That is pinned memory and older versions of torch.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def check_batches(model: Any, rows: Rows) -> None:
    n = len(rows.X)
    if (model.train_len, model.batch_size) != (n, crabnet_batch_size(n)):
        raise RuntimeError("crabnet was not trained on the same rows in the same batches")


def crabnet_passes(rows: Rows, n_epochs: int) -> list[float]:
    """Train crabnet; return the seconds of each epoch's pass over the training rows."""
    from crabnet.crabnet_ import CrabNet

    durations: list[float] = []

    class TimedCrabNet(CrabNet):
        def _train(self) -> None:
            start = time.perf_counter()
            super()._train()
            durations.append(time.perf_counter() - start)
            if len(durations) == n_epochs:
                raise EnoughEpochs
            # One row to validate on is no reason to stop early.
            self.optimizer.discard_count = 0

    model = TimedCrabNet(**CRABNET_SETTINGS)
    train = crabnet_table(rows)
    with room_for_crabnet(), contextlib.suppress(EnoughEpochs):
        model.fit(train, train.head(1).copy())
    check_batches(model, rows)
    return durations


def crabnet_fit(train: Rows, validation: Rows) -> float:
    """Return the seconds of a whole fit of crabnet."""
    from crabnet.crabnet_ import CrabNet

    model = CrabNet(epochs=FIT_EPOCHS, **CRABNET_SETTINGS)
    tables = crabnet_table(train), crabnet_table(validation)
    with room_for_crabnet():
        start = time.perf_counter()
        model.fit(*tables)
        seconds = time.perf_counter() - start
    check_batches(model, train)
    if model.epochs != FIT_EPOCHS:
        raise RuntimeError(f"crabnet trained for {model.epochs} epochs, not for {FIT_EPOCHS}")
    return seconds


# crabsk


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


def crabsk_fit_and_error(model: CrabNetRegressor, train: Rows, test: Rows) -> tuple[float, float]:
    """Return the seconds of a fit with all rows, and its error."""
    model = clone(model)
    start = time.perf_counter()
    model.fit(*train)
    seconds = time.perf_counter() - start
    return seconds, mean_absolute_error(test.y, model.predict(test.X))


# rows


def note(row: dict) -> dict:
    """Append the row of a fit to the results; return it."""
    row = {**row, "threads": torch.get_num_threads()}
    append_rows("against_crabnet", [row], packages=PACKAGES)
    return row


def facts_of_passes(epochs: list[float]) -> dict:
    """Return what is written down of training passes; the first is not counted."""
    per_epoch = float(np.mean(epochs[1:]))
    return {"epochs": len(epochs), "seconds": sum(epochs), "seconds_per_epoch": per_epoch}


def facts_of_fit(seconds: float) -> dict:
    return {"epochs": FIT_EPOCHS, "seconds": seconds, "seconds_per_epoch": seconds / FIT_EPOCHS}


def facts_of_rows(rows: Rows) -> dict:
    n_elements = np.diff(parse_formulas(rows.X.tolist()).offsets)
    return {
        "n_train": len(rows.X),
        "mean_elements": float(n_elements.mean()),
        "max_elements": int(n_elements.max()),
    }


# passes and fits


def take_turns(case: dict, measurements: dict[str, tuple], repeats: int) -> Iterator[dict]:
    """Measure each model, again and again, in processes of their own.

    A measurement is a function, its arguments, what makes facts of its result, and what the model
    was.
    """
    for repeat in tqdm(range(repeats), unit="repeat"):
        for model, (function, arguments, facts_of, its_parameters) in measurements.items():
            facts = facts_of(in_fresh_process(function, *arguments))
            yield note({**case, "model": model, "repeat": repeat, **facts, **its_parameters})


def measure_passes(options: argparse.Namespace) -> Iterator[dict]:
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
        yield from take_turns(case, measurements, options.repeats)


def measure_fits(options: argparse.Namespace) -> Iterator[dict]:
    for name, rows in training_sets(options).items():
        held_out = train, _ = hold_out_a_tenth(rows)
        measurements = {"crabnet": (crabnet_fit, held_out, facts_of_fit, SILENT)}
        for precision in PRECISIONS:
            model = paper_model(len(train.X), precision)
            measurements[f"crabsk, {precision}"] = (
                *(crabsk_fit, (model, *held_out), facts_of_fit, described(model)),
            )
        case = {"part": "fits", "data_set": name, **facts_of_rows(train)}
        yield from take_turns(case, measurements, options.fit_repeats)


def print_epochs(rows: pd.DataFrame, options: argparse.Namespace) -> None:
    table = []
    for (threads, name), its in rows.groupby(["threads", "data_set"], sort=False):
        seconds = its.pivot(index="repeat", columns="model", values="seconds_per_epoch")
        first = its.iloc[0]
        table += [
            {
                first["part"]: name,
                "threads": str(threads),
                "rows": str(first["n_train"]),
                "mean elements": f"{first['mean_elements']:.2f}",
                "most": str(first["max_elements"]),
                "model": model,
                "s/epoch": three(spread(seconds[model].tolist()), ".2f"),
                "crabnet / it": three(
                    spread((seconds["crabnet"] / seconds[model]).tolist()), ".2f"
                ),
            }
            for model in seconds
        ]
    print_table(table)


# accuracy


def measure_accuracy(options: argparse.Namespace) -> Iterator[dict]:
    """Fit crabnet, which is not seeded, and ensembles of each size by turns, for each seed."""
    train, test = fold_0(options.data, "expt_gap")
    case = {"part": "accuracy", "data_set": "expt_gap, fold 0"}
    if options.long_epochs:
        epochs = in_fresh_process(crabnet_passes, train, options.long_epochs)
        facts = {"n_train": len(train.X), **facts_of_passes(epochs), **SILENT}
        yield note({**case, "model": "crabnet's passes", **facts})
    held_out = hold_out_a_tenth(train)
    for seed in tqdm(options.seeds, unit="seed"):
        facts = facts_of_fit(in_fresh_process(crabnet_fit, *held_out))
        facts |= {"n_train": len(held_out[0].X), **SILENT}
        yield note({**case, "model": "crabnet", "seed": seed, **facts})
        for n in options.ensembles:
            model = CrabNetRegressor(n_estimators=n, device="cpu", random_state=seed)
            seconds, mae = in_fresh_process(crabsk_fit_and_error, model, train, test)
            facts = {"n_train": len(train.X), "seconds": seconds, "mae": mae}
            facts |= {"n_estimators": n, **described(model)}
            yield note({**case, "model": "crabsk", "seed": seed, **facts})


def extrapolated(rows: pd.DataFrame) -> pd.Series:
    """Return the seconds of all of crabnet's epochs, by seed."""
    seconds = rows["seconds"] + (CRABNET_EPOCHS - rows["epochs"]) * rows["seconds_per_epoch"]
    return seconds.set_axis(rows["seed"])


def print_accuracy(rows: pd.DataFrame, options: argparse.Namespace) -> None:
    for threads, its in rows.groupby("threads", sort=False):
        whole = extrapolated(its[its["model"] == "crabnet"])
        passes = extrapolated(its[its["model"] == "crabnet's passes"]).tolist()
        print(
            f"\nexpt_gap fold 0, {threads} threads, published MAE {PUBLISHED_MAE}\n"
            f"crabnet, {CRABNET_EPOCHS} epochs, extrapolated from fits of {FIT_EPOCHS}: "
            f"{three(spread(whole.tolist()), '.0f')} s"
        )
        if passes:
            print(f"the same, from {options.long_epochs} training passes: {passes[0]:.0f} s")
        ours = its[its["model"] == "crabsk"]
        print_table(
            [
                ensemble_cells(int(n), fits.set_index("seed"), whole, passes)
                for n, fits in ours.groupby("n_estimators")
            ]
        )


def ensemble_cells(
    n: int, fits: pd.DataFrame, whole: pd.Series, passes: list[float]
) -> dict[str, str]:
    """Return a line about the fits of one size, beside the seconds of crabnet's."""
    seconds = fits["seconds"]
    cells = {
        "networks": f"{n} (default)" if n == DEFAULT_ENSEMBLE else str(n),
        "fit (s)": three(spread(seconds.tolist()), ".1f"),
        "MAE (eV)": three(spread(fits["mae"].tolist()), ".4f"),
        "seeds that reach it": f"{(fits['mae'] <= PUBLISHED_MAE).sum()} of {len(fits)}",
        "crabnet's fit / crabsk": three(spread((whole / seconds).tolist()), ".1f"),
    }
    if passes:
        cells["crabnet's passes / crabsk"] = three(spread((passes[0] / seconds).tolist()), ".1f")
    return cells


PARTS: dict[str, tuple[Callable, Callable]] = {
    "passes": (measure_passes, print_epochs),
    "fits": (measure_fits, print_epochs),
    "accuracy": (measure_accuracy, print_accuracy),
}


def parse_options() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=[torch.get_num_threads()],
        help="of torch, for both (default: as torch has)",
    )
    parser.add_argument("--repeats", type=int, default=3, help="passes")
    parser.add_argument("--epochs", type=int, default=6, help="passes: beside the first")
    parser.add_argument("--fit-repeats", type=int, default=3, help="fits")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="accuracy")
    parser.add_argument(
        "--ensembles",
        type=int,
        nargs="+",
        default=[2, 4, DEFAULT_ENSEMBLE],
        help="accuracy: sizes of crabsk's",
    )
    parser.add_argument(
        "--long-epochs",
        type=int,
        default=20,
        help="accuracy: crabnet's training passes to extrapolate from; 0 leaves that out",
    )
    options = parser.parse_args()
    if options.long_epochs not in (0, *range(2, CRABNET_EPOCHS + 1)):
        parser.error(f"--long-epochs must be 0, or from 2 to {CRABNET_EPOCHS}")
    return options


def main() -> None:
    options = parse_options()
    if importlib.util.find_spec("crabnet") is None:
        sys.exit("crabnet cannot be imported; against_crabnet.py --help says how to install it")
    for part in options.parts:
        measure, show = PARTS[part]
        rows = [row for _ in thread_counts(options) for row in measure(options)]
        show(pd.DataFrame(rows), options)


if __name__ == "__main__":
    main()
