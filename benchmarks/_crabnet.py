"""The public crabnet 2.0.8: how it is trained and timed, in the defaults of its constructor.

crabnet wants Python < 3.11 and many packages; it works in a virtual environment of its own, beside
what crabsk needs:

    python -m venv ENV && ENV/bin/pip install -c constraints.txt -e . matplotlib seaborn
    ENV/bin/pip install --no-deps --ignore-requires-python crabnet==2.0.8
    ENV/bin/python benchmarks/against_crabnet.py

Messages, plots and the saving of weights are switched off. crabnet drops out only in its first
epoch (after its first prediction it never returns to training mode), so that the other epochs are
spared that work. With torch 2.13 it cannot be fitted twice in one process.

`crabnet_passes` is the time of its method `_train`, that is shuffling, noise and the optimiser. Its
evaluations between epochs are left out. Its validation set, which `_train` predicts after every
batch of each twentieth epoch, is one row, the fewest it takes; what it says of that row does not
stop it early. `crabnet_fit` is the time of a whole `fit` as users call it: it predicts all rows
after the first and each twentieth epoch, and the validation rows after every batch of each
twentieth.
"""

import contextlib
import importlib.util
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from _common import Rows
from sklearn.model_selection import train_test_split

CRABNET_SETTINGS = {
    "compute_device": "cpu",
    "verbose": False,
    "save": False,
    "losscurve": False,
    "learningcurve": False,
}
SILENT = {"parameters": json.dumps(CRABNET_SETTINGS)}
FIT_EPOCHS = 20  # crabnet rounds up to multiples of this


def check_installed() -> None:
    if importlib.util.find_spec("crabnet") is None:
        sys.exit("crabnet cannot be imported; benchmarks/_crabnet.py says how to install it")


def hold_out_a_tenth(rows: Rows) -> tuple[Rows, Rows]:
    """Return the rows to train on and those to validate on."""
    train_X, other_X, train_y, other_y = train_test_split(*rows, test_size=0.1, random_state=0)
    return Rows(train_X, train_y), Rows(other_X, other_y)


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


def facts_of_passes(epochs: list[float]) -> dict:
    """Return what is written down of training passes; the first is not counted."""
    per_epoch = float(np.mean(epochs[1:]))
    return {"epochs": len(epochs), "seconds": sum(epochs), "seconds_per_epoch": per_epoch}


def facts_of_fit(seconds: float) -> dict:
    return {"epochs": FIT_EPOCHS, "seconds": seconds, "seconds_per_epoch": seconds / FIT_EPOCHS}
