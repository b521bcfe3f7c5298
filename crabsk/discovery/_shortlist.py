"""The best of a stream, and a choice among them that is spread out."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_scalar

from .._text import shown
from ..composition import reduced_formula
from ._acquisition import finite_number
from ._space import make_space

# A spread-out choice is made among so many times the rows that are asked for.
_POOL = 5


def check_size(top: Any, diversity: Any) -> int:
    """Return how many rows to keep, from which `spread_out` can choose.

    Raises
    ------
    TypeError, ValueError
        If `top` is no number of rows, or `diversity` no share.
    """
    check_scalar(top, "top", Integral, min_val=1)
    check_scalar(diversity, "diversity", Real, min_val=0, max_val=1)
    # NaN is neither below 0 nor above 1.
    return int(top) * _POOL if finite_number(diversity, "diversity") else int(top)


class Shortlist:
    """The rows of a stream with the highest scores, no composition twice.

    Of equal scores, the row that came first stands first.

    Parameters
    ----------
    size : int
        How many to keep.
    left_out : set of str
        Compositions that are not wanted, as `reduced_formula` writes them.
    """

    def __init__(self, size: int, left_out: frozenset[str]) -> None:
        self.size = size
        self.left_out = left_out
        self.rows = pd.DataFrame()

    def add(self, rows: pd.DataFrame) -> None:
        """Offer a chunk of the stream, with the columns "formula" and "score"."""
        if len(rows) and len(self.rows) == self.size:
            rows = rows[rows["score"] > self.rows["score"].iloc[-1]]
        if not len(rows):
            return
        rows = rows.sort_values("score", ascending=False, kind="stable")
        # A composition that comes twice counts once. More than a few rarely come twice.
        n_read = self.size
        while n_read < len(rows) and self._are_new(rows.iloc[:n_read]).sum() < self.size:
            n_read *= 2
        rows = rows.iloc[:n_read]
        merged = pd.concat([self.rows, rows]) if len(self.rows) else rows
        merged = merged.sort_values("score", ascending=False, kind="stable")
        self.rows = merged[self._are_new(merged)].iloc[: self.size].reset_index(drop=True)

    def _are_new(self, rows: pd.DataFrame) -> np.ndarray:
        """Return which rows are wanted, and the first of their composition."""
        keys = pd.Series(reduced_formula(rows["formula"].tolist()))
        return ~(keys.duplicated() | keys.isin(self.left_out)).to_numpy()

    def check_not_empty(self, candidates: Any) -> None:
        """Refuse candidates among which there was none."""
        if not len(self.rows):
            but = " but those of X_known, which exclude_known=False keeps" if self.left_out else ""
            raise ValueError(f"candidates={shown(candidates)} holds no candidates{but}")


def spread_out(rows: pd.DataFrame, n: int, diversity: float, space: Any) -> pd.DataFrame:
    r"""Choose rows that score well and are unlike one another.

    One after the other, the row that has the highest :math:`(1 - d) r + d\,\delta` is taken, with
    the diversity :math:`d`, the rank :math:`r` of its score, from 1 for the best to 0 for the
    worst, and the distance :math:`\delta` from the nearest that was taken, over the largest from
    the best: maximal marginal relevance [1]_.

    Parameters
    ----------
    rows : DataFrame
        Rows with the column "formula", the best first.
    n : int
        How many to choose.
    diversity : float
        0 takes the best, 1 those that are farthest apart.
    space : transformer or None
        Where distances are measured; see `make_space`.

    References
    ----------
    .. [1] Carbonell, J. and Goldstein, J., "The use of MMR, diversity-based reranking for
       reordering documents and producing summaries", SIGIR 1998.
    """
    if not diversity or len(rows) <= 1:
        return rows.iloc[:n].reset_index(drop=True)
    points = make_space(space).fit_transform(rows["formula"].tolist())
    rank = np.linspace(1.0, 0.0, len(rows))
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    largest = distance.max() or 1.0
    while len(chosen) < min(n, len(rows)):
        worth = (1 - diversity) * rank + diversity * distance / largest
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return rows.iloc[chosen].reset_index(drop=True)
