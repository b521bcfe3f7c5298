"""Compositions as points, and how far they are from one another."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from .._text import shown
from ..feature_extraction import CompositionTransformer

# Decimals from which on points are one: what differs beyond is rounding.
_DIGITS = 6


def make_space(space: Any) -> Pipeline:
    """Return what turns X into points: a transformer and a scaler, not yet fitted.

    By default the points are statistics of Magpie's element properties and atomic fractions.

    Raises
    ------
    ValueError
        If `space` is no transformer.
    """
    if space is not None and not (hasattr(space, "fit") and hasattr(space, "transform")):
        raise ValueError(
            f"space={shown(space)} must be a transformer of formulas, such as "
            'CompositionTransformer("magpie"), or None'
        )
    if space is None:
        space = CompositionTransformer(
            "magpie", stats=("mean", "std", "min", "max", "fraction"), missing="mean"
        )
    return make_pipeline(clone(space), StandardScaler()).set_output(transform="default")


class Neighbours:
    """The known compositions in a space, in which the nearest of others are looked up.

    Distances are in units of the median distance of a known row from its nearest row that is
    elsewhere: 1 is as far as the known are from one another. Where all known rows are one point,
    nothing gives such a unit, and distances are those in the space.

    Parameters
    ----------
    space : transformer or None
        See `make_space`.
    X : any form that the space reads
        The known compositions.
    scaled : bool
        Whether to standardise what the space returns.

    Attributes
    ----------
    points : ndarray of shape (n_known, n_columns)
        Where the known compositions are.
    has_unit : bool
        Whether the known rows are more than one point.
    """

    def __init__(self, space: Any, X: Any, *, scaled: bool = True) -> None:
        self.space = make_space(space) if scaled else clone(space).set_output(transform="default")
        self.space.fit(X)
        self.points = self.place(X)
        self._index = NearestNeighbors(n_neighbors=1).fit(self.points)
        _, first = np.unique(self.points.round(_DIGITS), axis=0, return_index=True)
        distinct = self.points[first]
        self.unit = 1.0
        self.has_unit = len(distinct) > 1
        if self.has_unit:
            among = NearestNeighbors(n_neighbors=2).fit(distinct).kneighbors(distinct)[0][:, 1]
            self.unit = float(np.median(among))

    def place(self, X: Any) -> np.ndarray:
        """Return where compositions are, shape (n_samples, n_columns)."""
        return self.space.transform(X)

    def nearest(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return for each row of X the distance of the nearest known row, and which that is."""
        distances, rows = self._look_up(self.place(X), 1)
        return distances[:, 0], rows[:, 0]

    def distances(self, points: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return for each point the distance of the nearest known row, and the mean of `n`."""
        distances, _ = self._look_up(points, min(n, len(self.points)))
        return distances[:, 0], distances.mean(axis=1)

    def _look_up(self, points: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._index.kneighbors(points, n, return_distance=False)
        # Anew: the look-up rounds, so that even a known one would be at some distance from itself.
        distances = [np.linalg.norm(points - self.points[own], axis=1) for own in rows.T]
        return np.column_stack(distances) / self.unit, rows
