"""Accuracy beside Roost, trained by aviary's own loop in the time that a CrabNet fit takes.

Both get the same training rows of the official folds of Matbench, the same threads (those of torch;
OMP_NUM_THREADS sets them) and the same seconds: on each fold `CrabNetRegressor()` is fitted and
timed first, then Roost trains for as long. Roost begins epochs while time is left, so that it gets
up to an epoch more. Formulas are parsed within the time of both.

Roost is that of aviary-models with the settings of its example: matscholar200 element vectors,
three message layers of three heads, robust L1 loss, AdamW with a constant learning rate of 3e-4,
batches of 128, one network. It learns from all training rows, and the network after the last epoch
is scored, again as in the example: the training loop of aviary-models 1.2.1 wants no validation
rows, and keeps no best epoch if given some. The seconds may be more or fewer than the example's 100
epochs take; `--epochs 100` fits a second Roost of that length, however long that takes.

aviary-models (not aviary, which is another package) wants dozens of packages; it works in a virtual
environment of its own, beside what crabsk needs. On Linux, install the CPU build of torch there
before all else (README.md says how), or gigabytes of CUDA come along:

    python -m venv ENV && ENV/bin/pip install -c constraints.txt -e .
    ENV/bin/pip install -c constraints.txt aviary-models==1.2.1
    ENV/bin/python benchmarks/against_roost.py

Each fit is a row of results/against_roost.csv, written as soon as it is measured.
"""

import argparse
import importlib.util
import json
import math
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from _common import ROOT, Rows, benchmark_parser, read_rows
from _markdown import write_markdown, write_time
from _results import RESULTS, append_rows, described, of_last_commit, read_table
from sklearn.metrics import mean_absolute_error
from torch.utils.data import DataLoader

from crabsk import CrabNetRegressor
from crabsk.datasets import matbench_folds
from crabsk.neural_network import ConflictingTargetsWarning

DATA_SETS = ("expt_gap", "jdft2d")
TITLES = {
    "crabnet": "`CrabNetRegressor()`",
    "roost_same_seconds": "Roost, as many seconds",
    "roost_100_epochs": "Roost, 100 epochs",
}
SEED = 0
TASKS = {"target": "regression"}
LOSSES = {"target": "L1"}
# aviary asks for momentum whatever the optimiser; AdamW has none.
OPTIMISER = {"optim": "AdamW", "learning_rate": 3e-4, "weight_decay": 1e-6, "momentum": 0.9}
BATCH_SIZE = 128
PACKAGES = (
    "numpy",
    "pandas",
    "scikit-learn",
    "skorch",
    "torch",
    "elementembeddings",
    "aviary-models",
    "pymatgen-core",
)


# ----------------------------------------------------------------------------------------- models


class RoostRegressor:
    """Roost with `fit` and `predict`; trains until `max_epochs` are done or `seconds` are over."""

    def __init__(self, *, seconds: float = math.inf, max_epochs: float = math.inf) -> None:
        self.seconds = seconds
        self.max_epochs = max_epochs

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Train a network, epoch by epoch."""
        from aviary.utils import init_normalizers, initialize_losses, initialize_optim

        start = time.perf_counter()
        torch.manual_seed(SEED)
        self.model_ = make_roost()
        normalizers = init_normalizers(TASKS, "cpu")
        self.normalizer_ = normalizers["target"]
        self.normalizer_.fit(torch.Tensor(y))
        optimizer, scheduler = initialize_optim(self.model_, device="cpu", **OPTIMISER)
        training = {
            "train_loader": make_loader(X, y, batch_size=BATCH_SIZE, shuffle=True),
            "val_loader": None,
            "optimizer": optimizer,
            "scheduler": scheduler,
            "loss_dict": initialize_losses(TASKS, LOSSES, robust=True),
            "normalizer_dict": normalizers,
            "model_name": "roost",
            "run_id": 0,
            "checkpoint": False,
            "verbose": False,
        }
        # Each call goes on where the one before ended: the learning rate is constant, and all
        # else that training remembers is in the model and the optimiser.
        while self.model_.epoch < self.max_epochs and time.perf_counter() - start < self.seconds:
            self.model_.fit(epochs=1, **training)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the means of the predicted distributions."""
        # aviary wants targets here as well; it gets none of the true ones to see.
        loader = make_loader(X, np.zeros(len(X)), batch_size=16 * BATCH_SIZE)
        _, (outputs,), _ = self.model_.predict(loader)
        mean, _ = outputs.unbind(dim=1)
        return self.normalizer_.denorm(mean).numpy()


def make_roost() -> Any:
    from aviary.roost.model import Roost

    # Its other defaults are the example's settings.
    return Roost(robust=True, n_targets=[1], task_dict=TASKS, device="cpu")


def make_loader(X: np.ndarray, y: np.ndarray, **options: Any) -> DataLoader:
    from aviary.roost.data import CompositionData, collate_batch

    # A formula may stand in several rows, so that it cannot be the id as well.
    frame = pd.DataFrame({"material_id": np.arange(len(X)), "composition": X, "target": y})
    return DataLoader(CompositionData(frame, TASKS), collate_fn=collate_batch, **options)


def make_crabnet(*, trial: bool) -> CrabNetRegressor:
    model = CrabNetRegressor(device="cpu", random_state=SEED)
    return model.set_params(max_epochs=1) if trial else model


def roost_settings() -> str:
    model = make_roost()
    settings = {
        "loss": LOSSES["target"],
        "batch_size": BATCH_SIZE,
        "n_parameters": model.num_params,
    }
    return json.dumps({**model.model_params, **OPTIMISER, **settings}, default=repr)


# ------------------------------------------------------------------------------------ measurement


def measure(model: Any, train: Rows, test: Rows) -> dict:
    start, start_cpu = time.perf_counter(), time.process_time()
    model.fit(*train)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    mae = mean_absolute_error(test.y, model.predict(test.X))
    return {"mae": mae, "seconds": seconds, "cpu_seconds": cpu_seconds}


def compare(train: Rows, test: Rows, options: argparse.Namespace) -> Iterator[dict]:
    """Yield what each model did on a fold, CrabNet first."""
    crabnet = make_crabnet(trial=options.trial)
    first = measure(crabnet, train, test)
    epochs = {"epochs": len(crabnet.history_[0]), "n_estimators": crabnet.n_estimators}
    yield {"model": "crabnet", **first, **epochs, **described(crabnet)}

    roosts = {"roost_same_seconds": RoostRegressor(seconds=first["seconds"])}
    if options.epochs:
        roosts[f"roost_{options.epochs}_epochs"] = RoostRegressor(max_epochs=options.epochs)
    for name, roost in roosts.items():
        its = measure(roost, train, test)
        epochs = {"epochs": roost.model_.epoch, "n_estimators": 1}
        yield {"model": name, **its, **epochs, "parameters": roost_settings()}


def warm_up() -> None:
    """Do what only the first fit in a process does: late imports and element tables."""
    X, y = np.array(["NaCl", "KCl", "NaBr", "KBr"], dtype=object), np.arange(4.0)
    for model in (make_crabnet(trial=True), RoostRegressor(max_epochs=1)):
        model.fit(X, y)


def make_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the means of each model over its folds, and of its errors over CrabNet's there."""
    rows = []
    for name, of_set in results.groupby("data_set", sort=False):
        crabnets = of_set[of_set["model"] == "crabnet"].set_index("fold")["mae"]
        for model, its in of_set.groupby("model", sort=False):
            ratio = (its["mae"] / its["fold"].map(crabnets)).mean()
            rows.append(
                {
                    "data set": f"`{name}`",
                    "model": TITLES.get(model, model),
                    "folds": str(its["fold"].nunique()),
                    "networks": f"{its['n_estimators'].iloc[0]}",
                    "epochs": f"{its['epochs'].mean():.0f}",
                    "MAE": f"{its['mae'].mean():.4g}",
                    "over CrabNet's": "" if model == "crabnet" else f"{ratio:.2f}",
                    "fit": write_time(its["seconds"].mean()),
                }
            )
    return pd.DataFrame(rows)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "against_roost.csv")
    results = of_last_commit(results, ["data_set", "model", "fold"])
    return {"against-roost": write_markdown(make_table(results))}


def run_all(options: argparse.Namespace) -> None:
    folder = ROOT / "build" if options.trial else RESULTS
    warm_up()
    for name in options.data_sets:
        X, y = read_rows(options.data, name)
        folds = list(matbench_folds(name).split(X))
        rows: list[dict] = []
        for fold in options.folds:
            train, test = (Rows(X[part], y[part]) for part in folds[fold])
            case = {"data_set": name, "fold": fold, "seed": SEED, "n_train": len(train.X)}
            for row in compare(train, test, options):
                rows.append({**case, **row, "threads": torch.get_num_threads()})
                append_rows("against_roost", rows[-1:], packages=PACKAGES, folder=folder)
                print(f"{name}, fold {fold}, {row['model']}: MAE {row['mae']:.4g}")


# ------------------------------------------------------------------------------------------- main


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--data-sets",
        nargs="+",
        choices=DATA_SETS,
        default=DATA_SETS,
        metavar="NAME",
        help=f"of {', '.join(DATA_SETS)} (default: all)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        nargs="+",
        choices=range(5),
        default=[0],
        metavar="FOLD",
        help="from 0 to 4 (default: 0)",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="fit another Roost for N epochs, without regard to time (aviary's example: 100)",
    )
    parser.add_argument(
        "--trial",
        action="store_true",
        help="does everything run? CrabNet does one epoch; the results go to build",
    )
    options = parser.parse_args(arguments)
    if options.epochs is not None and options.epochs < 1:
        parser.error("--epochs must be 1 or more")
    if not options.table_only and importlib.util.find_spec("aviary") is None:
        parser.error("aviary cannot be imported; --help says how to install it")
    return options


def main() -> None:
    options = read_options()
    # Each fold is printed at once, even into a file.
    sys.stdout.reconfigure(line_buffering=True)
    # Different structures of equal composition are part of jdft2d.
    warnings.simplefilter("ignore", ConflictingTargetsWarning)
    if not options.table_only:
        run_all(options)
    print(*tables(options).values())


if __name__ == "__main__":
    main()
