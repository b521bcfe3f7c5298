"""What was trained before a fit was killed, in a folder."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch

from .._files import write_whole
from .._validation import CompositionTable
from .._version import __version__
from ..neural_network import hash_of
from ..pretrained import resolve
from ._fitting import FoldFit
from ._folds import Folds
from ._portfolio import Candidate
from ._storage import dump, load


class Checkpoints:
    """The finished folds of a fit, told apart from those of other fits.

    Parameters
    ----------
    folder : Path or None
        Where they lie; None to keep nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @classmethod
    def opened(
        cls, estimator: Any, table: CompositionTable, y: np.ndarray, groups: np.ndarray
    ) -> "Checkpoints":
        """Return those of the fits with these parameters and samples."""
        if estimator.checkpoint is None:
            return cls(None)
        compositions = table.compositions
        facts = {
            "versions": (__version__, sklearn.__version__, torch.__version__),
            "kind": type(estimator).__name__,
            "random_state": estimator.random_state,
            "form": (
                estimator.formula_position_,
                list(getattr(estimator, "feature_names_in_", ())),
            ),
            "weights": _digest_of(estimator.weights),
            "X": (
                compositions.atomic_numbers,
                compositions.amounts,
                compositions.offsets,
                table.extra,
            ),
            "y": y,
            "groups": groups,
        }
        folder = Path(estimator.checkpoint).expanduser() / hash_of(facts)
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    def seed(self, drawn: int) -> int:
        """Return the seed that the first of these fits drew."""
        if self._folder is None:
            return drawn
        path = self._folder / "seed"
        if not path.exists():
            write_whole(path, str(drawn).encode())
        return int(path.read_text())

    def of(self, folds: Folds) -> "Checkpoints":
        """Return those of the fits with these folds."""
        if self._folder is None:
            return self
        folder = self._folder / hash_of({"folds": folds})[:16]
        folder.mkdir(exist_ok=True)
        return Checkpoints(folder)

    def read(self, candidate: Candidate, n_folds: int, *, whole: bool) -> list[FoldFit]:
        """Return the first folds of a candidate, as far as they were finished.

        With `whole`, what was shortened for want of time does not count. Nor does what cannot be
        read, as a model of another package.
        """
        fits: list[FoldFit] = []
        if self._folder is None:
            return fits
        for k in range(n_folds):
            path = self._path(candidate, k)
            if not path.exists():
                break
            try:
                fit = FoldFit(**load(path, dict))
            except ValueError:
                break
            if whole and fit.shortened:
                break
            fits.append(fit)
        return fits

    def write(self, candidate: Candidate, fold: int, fit: FoldFit) -> None:
        """Note a finished fold."""
        if self._folder is not None:
            write_whole(self._path(candidate, fold), dump(vars(fit)))

    def _path(self, candidate: Candidate, fold: int) -> Path:
        assert self._folder is not None
        key = hash_of({"features": candidate.features_key, "estimator": candidate.estimator})
        return self._folder / f"{key[:16]}-{fold}.skops"


def _digest_of(weights: Any) -> str | None:
    """Return what tells pretrained weights from others, whatever their file is called."""
    return None if weights is None else hashlib.sha256(resolve(weights).read_bytes()).hexdigest()
