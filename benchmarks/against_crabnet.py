"""How fast crabsk trains, and gets accurate, beside the public crabnet 2.0.8, in three parts.

passes      Training passes: seconds of an epoch's pass over the training rows, and nothing else.
fits        Whole fits, as users call them: seconds from the call of `fit` to its return, for each
            of its epochs.
accuracy    Seconds to the MAE that is published for CrabNet on expt_gap (official fold 0), with
            ensembles of several sizes.

Passes and fits are of the paper's architecture, with the batch size that crabnet chooses, on the
training rows of expt_gap, and on these mixed with those of steels, which crabnet pads to 13
elements; crabsk trains once in single precision, as crabnet does, and once with
``precision="bfloat16"``, which crabnet has not. Each part is written to results/against_crabnet as
soon as it is measured, with its own versions and machine.

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
    RESULTS,
    ROOT,
    Rows,
    argument_parser,
    crabsk_epochs,
    fold_0,
    in_fresh_process,
    print_table,
    spread,
    three,
    write_results,
)
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


def crabsk_fit_and_error(model: CrabNetRegressor, train: Rows, test: Rows) -> dict[str, float]:
    model = clone(model)
    start = time.perf_counter()
    model.fit(*train)
    fit_s = time.perf_counter() - start
    return {"fit_s": fit_s, "mae": mean_absolute_error(test.y, model.predict(test.X))}


# passes and fits


def take_turns(measurements: dict[str, tuple], repeats: int) -> dict[str, list]:
    """Call each function with its arguments, again and again, in processes of their own."""
    runs: dict[str, list] = {name: [] for name in measurements}
    for _ in tqdm(range(repeats), unit="repeat"):
        for name, (function, *args) in measurements.items():
            runs[name].append(in_fresh_process(function, *args))
    return runs


def compare_epochs(train: Rows, epoch_s: dict[str, list[float]]) -> dict:
    """Summarise the seconds of an epoch in each repeat, and say what was trained on."""
    n_elements = np.diff(parse_formulas(train.X.tolist()).offsets)
    crabnet_s = epoch_s["crabnet"]
    return {
        "n_rows": len(train.X),
        "batch_size": crabnet_batch_size(len(train.X)),
        "mean_elements": float(n_elements.mean()),
        "max_elements": int(n_elements.max()),
        "crabnet_epoch_s": spread(crabnet_s),
        "crabsk": {
            precision: {
                "epoch_s": spread(epoch_s[precision]),
                "ratio": spread(
                    [t / o for o, t in zip(epoch_s[precision], crabnet_s, strict=True)]
                ),
            }
            for precision in PRECISIONS
        },
    }


def compare_passes(rows: Rows, options: argparse.Namespace) -> dict:
    n_epochs = 1 + options.epochs
    measurements: dict[str, tuple] = {
        precision: (crabsk_epochs, paper_model(len(rows.X), precision), rows, n_epochs)
        for precision in PRECISIONS
    }
    measurements["crabnet"] = (crabnet_passes, rows, n_epochs)
    runs = take_turns(measurements, options.repeats)
    means = {name: [float(np.mean(run[1:])) for run in its] for name, its in runs.items()}
    return {**compare_epochs(rows, means), "all_epochs_s": runs}


def compare_fits(rows: Rows, options: argparse.Namespace) -> dict:
    train, validation = hold_out_a_tenth(rows)
    measurements: dict[str, tuple] = {
        precision: (crabsk_fit, paper_model(len(train.X), precision), train, validation)
        for precision in PRECISIONS
    }
    measurements["crabnet"] = (crabnet_fit, train, validation)
    runs = take_turns(measurements, options.fit_repeats)
    means = {name: [seconds / FIT_EPOCHS for seconds in its] for name, its in runs.items()}
    return {
        **compare_epochs(train, means),
        "n_validation_rows": len(validation.X),
        "all_fits_s": runs,
    }


def compare_on_all_sets(
    compare: Callable[[Rows, argparse.Namespace], dict], label: str, options: argparse.Namespace
) -> dict:
    """Compare on both sets, with each number of threads; print the table."""
    sets = training_sets(options)
    figures = {
        threads: {name: compare(rows, options) for name, rows in sets.items()}
        for threads in thread_counts(options)
    }
    print_table(
        [
            {
                label: name,
                "threads": str(threads),
                "rows": str(its["n_rows"]),
                "mean elements": f"{its['mean_elements']:.2f}",
                "most": str(its["max_elements"]),
                "precision": precision,
                "crabsk (s/epoch)": three(own["epoch_s"], ".2f"),
                "crabnet (s/epoch)": three(its["crabnet_epoch_s"], ".2f"),
                "crabnet / crabsk": three(own["ratio"], ".2f"),
            }
            for threads, both in figures.items()
            for name, its in both.items()
            for precision, own in its["crabsk"].items()
        ]
    )
    return figures


def measure_passes(options: argparse.Namespace) -> dict:
    return {
        "repeats": options.repeats,
        "epochs": options.epochs,
        "threads": compare_on_all_sets(compare_passes, "training passes", options),
    }


def measure_fits(options: argparse.Namespace) -> dict:
    return {
        "repeats": options.fit_repeats,
        "epochs": FIT_EPOCHS,
        "threads": compare_on_all_sets(compare_fits, "whole fits", options),
    }


# accuracy


def crabnet_long_passes(rows: Rows, n_epochs: int) -> float:
    """Return the seconds of all of crabnet's training passes, extrapolated from `n_epochs`."""
    first, *others = in_fresh_process(crabnet_passes, rows, n_epochs)
    return first + (CRABNET_EPOCHS - 1) * float(np.mean(others))


def time_both(
    train: Rows, test: Rows, options: argparse.Namespace
) -> tuple[list[float], dict[int, list[dict]]]:
    """Fit crabnet and ensembles of each size by turns, once for each seed.

    Returns
    -------
    crabnet_s : list of float
        Seconds of crabnet's fit, which is not seeded, at each seed's turn.
    fits : dict of list of dict
        For each size and seed crabsk's fit.
    """
    held_out = hold_out_a_tenth(train)
    crabnet_s: list[float] = []
    fits: dict[int, list[dict]] = {n: [] for n in options.ensembles}
    for seed in tqdm(options.seeds, unit="seed"):
        crabnet_s.append(in_fresh_process(crabnet_fit, *held_out))
        for n, its in fits.items():
            model = CrabNetRegressor(n_estimators=n, device="cpu", random_state=seed)
            fit = in_fresh_process(crabsk_fit_and_error, model, train, test)
            its.append({"seed": seed, **fit})
    return crabnet_s, fits


def summarise_ensemble(
    fits: list[dict], crabnet_fit_s: list[float], crabnet_passes_s: float | None
) -> dict:
    """Summarise the fits of one size beside crabnet's."""
    seconds = [fit["fit_s"] for fit in fits]
    summary = {
        "fit_s": spread(seconds),
        "mae": spread([fit["mae"] for fit in fits]),
        "n_seeds_that_reach_it": sum(fit["mae"] <= PUBLISHED_MAE for fit in fits),
        "crabnet_fit_ratio": spread([t / o for o, t in zip(seconds, crabnet_fit_s, strict=True)]),
        "fits": fits,
    }
    if crabnet_passes_s is not None:
        summary["crabnet_passes_ratio"] = spread([crabnet_passes_s / own for own in seconds])
    return summary


def compare_time_to_accuracy(train: Rows, test: Rows, options: argparse.Namespace) -> dict:
    passes_s = None
    if options.long_epochs:
        passes_s = crabnet_long_passes(train, options.long_epochs)
    crabnet_s, fits = time_both(train, test, options)
    whole_s = [seconds * CRABNET_EPOCHS / FIT_EPOCHS for seconds in crabnet_s]
    ensembles = {n: summarise_ensemble(fits[n], whole_s, passes_s) for n in sorted(fits)}
    enough = (
        n for n, its in ensembles.items() if its["n_seeds_that_reach_it"] == len(options.seeds)
    )
    return {
        "crabnet_measured_fits_s": crabnet_s,
        "crabnet_extrapolated_fit_s": spread(whole_s),
        "crabnet_extrapolated_passes_s": passes_s,
        "crabsk_ensembles": ensembles,
        "smallest_that_reaches_it": next(enough, None),
    }


def print_time_to_accuracy(figures: dict, threads: int, options: argparse.Namespace) -> None:
    seconds = three(figures["crabnet_extrapolated_fit_s"], ".0f")
    print(
        f"\nexpt_gap fold 0, {threads} threads, published MAE {PUBLISHED_MAE}\n"
        f"crabnet, {CRABNET_EPOCHS} epochs, extrapolated from fits of {FIT_EPOCHS}: {seconds} s"
    )
    if options.long_epochs:
        print(
            f"crabnet, {CRABNET_EPOCHS} epochs, extrapolated from {options.long_epochs} training "
            f"passes: {figures['crabnet_extrapolated_passes_s']:.0f} s"
        )
    print(
        f"smallest ensemble that reaches it with every seed: {figures['smallest_that_reaches_it']}"
    )
    print_table([ensemble_cells(n, its, options) for n, its in figures["crabsk_ensembles"].items()])


def ensemble_cells(n: int, its: dict, options: argparse.Namespace) -> dict[str, str]:
    cells = {
        "networks": f"{n} (default)" if n == DEFAULT_ENSEMBLE else str(n),
        "fit (s)": three(its["fit_s"], ".1f"),
        "MAE (eV)": three(its["mae"], ".4f"),
        "seeds that reach it": f"{its['n_seeds_that_reach_it']} of {len(options.seeds)}",
        "crabnet's fit / crabsk": three(its["crabnet_fit_ratio"], ".1f"),
    }
    if options.long_epochs:
        cells["crabnet's passes / crabsk"] = three(its["crabnet_passes_ratio"], ".1f")
    return cells


def measure_accuracy(options: argparse.Namespace) -> dict:
    train, test = fold_0(options.data, "expt_gap")
    figures = {}
    for threads in thread_counts(options):
        figures[threads] = compare_time_to_accuracy(train, test, options)
        print_time_to_accuracy(figures[threads], threads, options)
    return {
        "data_set": "expt_gap, fold 0",
        "published_mae": PUBLISHED_MAE,
        "seeds": options.seeds,
        "crabnet_epochs": CRABNET_EPOCHS,
        "crabnet_fit_epochs_measured": FIT_EPOCHS,
        "crabnet_passes_measured": options.long_epochs,
        "threads": figures,
    }


PARTS: dict[str, Callable[[argparse.Namespace], dict]] = {
    "passes": measure_passes,
    "fits": measure_fits,
    "accuracy": measure_accuracy,
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
        figures = PARTS[part](options)
        path = write_results(part, figures, packages=PACKAGES, folder=RESULTS / "against_crabnet")
        print(f"{path.relative_to(ROOT)} written")


if __name__ == "__main__":
    main()
