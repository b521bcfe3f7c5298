"""Runs that survive being killed: what a fit leaves behind after each epoch, and finds again.

A folder of checkpoints holds one folder for each run, named after a hash of everything that decides
its result. In it lie the seeds of the members and a file for each of them, which is replaced after
every epoch. The files are safetensors: numbers and JSON, nothing that could be executed.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import PicklingError
from typing import Any

import joblib
import numpy as np
import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from skorch.callbacks import Callback
from torch import Tensor

from .._files import write_whole

_KEY = "crabsk_checkpoint"
_EARLY_STOPPING = ("misses_", "dynamic_threshold_", "best_epoch_")


def hash_of(facts: dict[str, Any]) -> str:
    """Return a hash of what decides a result, the same in every process.

    Raises
    ------
    ValueError
        If something in it cannot be told from others of its kind, such as a lambda.
    """
    try:
        return joblib.hash(facts, hash_name="sha1")
    except (PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            "checkpoint= cannot tell this fit from others, because a parameter (or a callback) "
            f"has no lasting description: {error.args[0]}"
        ) from None  # joblib's own message shows all that was to be hashed


class Run:
    """The folder of one run, which this process alone works on.

    Parameters
    ----------
    folder : Path
        Where its files lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextmanager
    def opened(cls, checkpoints: str | os.PathLike, key: str) -> Iterator["Run"]:
        """Wait until no other process works on the run of that key, and hold it."""
        folder = Path(checkpoints).expanduser() / key
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            for part in folder.glob(".*.part"):
                part.unlink()  # a process was killed while it wrote
            yield cls(folder)

    def seeds(self, drawn: list[int]) -> list[int]:
        """Return the seeds that the run was started with, or start it with those drawn."""
        path = self.folder / "seeds.json"
        if not path.exists():
            write_whole(path, json.dumps(drawn).encode())
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            raise ValueError(f"{path} is damaged: remove its folder to start anew") from error

    def member(self, k: int) -> "Checkpoint":
        """Return what saves and restores the member `k`."""
        return Checkpoint(self.folder / f"member{k}.safetensors")


class Checkpoint(Callback):
    """Writes a net's whole state after each epoch, and restores it when training begins.

    Must come after all callbacks whose state it restores.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def epochs_done(self, max_epochs: int) -> int:
        """Return how many epochs need not be done any more."""
        state = _read_state(self.path)
        if state is None:
            return 0
        return max_epochs if state["finished"] else len(state["history"])

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Take up the training where it was left."""
        state = _read_state(self.path)
        if state is None:
            return
        tensors = _read_tensors(self.path)
        for row in state["history"]:
            net.history.new_epoch()
            for name, value in row.items():
                net.history.record(name, value)
        net.module_.load_state_dict(_below("average.", tensors))
        if state["finished"]:
            return
        net.online_.load_state_dict(_below("online.", tensors))
        _restore_optimizer(net.optimizer_, _below("optimizer.", tensors))
        for k, generator in enumerate(_generators(net)):
            generator.set_state(tensors[f"generator.{k}"])
        callbacks = dict(net.callbacks_)
        callbacks["crabsk_schedule"].lr_scheduler_.load_state_dict(state["schedule"])
        # The scheduler has set the rate of its own last step.
        for group, rate in zip(net.optimizer_.param_groups, state["rates"], strict=True):
            group["lr"] = rate
        stopping = callbacks.get("crabsk_early_stopping")
        if stopping is not None:
            for name, value in state["early_stopping"].items():
                setattr(stopping, name, value)
            stopping.best_model_weights_ = _below("best.", tensors) or None

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Save everything that the next epoch starts from."""
        callbacks = dict(net.callbacks_)
        tensors = {
            **_named("average.", net.module_.state_dict()),
            **_named("online.", net.online_.state_dict()),
            **_named("optimizer.", _optimizer_tensors(net.optimizer_)),
            **{f"generator.{k}": g.get_state() for k, g in enumerate(_generators(net))},
        }
        schedule = callbacks["crabsk_schedule"].lr_scheduler_.state_dict()
        state = {
            "finished": False,
            "history": _plain_history(net),
            # None leaves the function as it is.
            "schedule": {**schedule, "lr_lambdas": [None]},
            "rates": [group["lr"] for group in net.optimizer_.param_groups],
        }
        stopping = callbacks.get("crabsk_early_stopping")
        if stopping is not None:
            state["early_stopping"] = {name: getattr(stopping, name) for name in _EARLY_STOPPING}
            tensors |= _named("best.", stopping.best_model_weights_ or {})
        self._write(state, tensors)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Keep only what the finished net is."""
        state = {"finished": True, "history": _plain_history(net)}
        self._write(state, _named("average.", net.module_.state_dict()))

    def _write(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        write_whole(self.path, save(contiguous, metadata={_KEY: json.dumps(state)}))


def _read_state(path: Path) -> dict[str, Any] | None:
    """Return the JSON of a file, without reading its tensors."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()[_KEY])
        if not {"finished", "history"} <= state.keys():
            raise ValueError("it lacks its state")
        return state
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no checkpoint of crabsk: remove it to start anew") from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _generators(net: Any) -> list[torch.Generator]:
    return [net.generator, *net.dropout_generators_]


def _plain_history(net: Any) -> list[dict[str, Any]]:
    """Return the numbers and texts of the history; callbacks may have recorded anything."""
    return [
        {
            name: value.item() if isinstance(value, np.generic | Tensor) else value
            for name, value in row.items()
            if isinstance(value, bool | int | float | str | np.generic)
            or (isinstance(value, Tensor) and value.ndim == 0)
        }
        for row in net.history
    ]


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in tensors.items()}


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": value for index, own in state.items() for name, value in own.items()}


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
