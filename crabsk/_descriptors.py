"""Statistics of element properties over the elements of formulas."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from .composition import N_ELEMENTS, Compositions

# Statistics of an element table, and the matrices of the elements themselves.
DESCRIPTORS = (
    "mean",
    "std",
    "variance",
    "avg_dev",
    "min",
    "max",
    "range",
    "mode",
    "sum",
    "geometric_mean",
    "harmonic_mean",
)
MATRICES = ("amount", "fraction")
STATISTICS = (*DESCRIPTORS, *MATRICES)

# Means over logarithms and reciprocals.
NOT_OF_NEGATIVES = ("geometric_mean", "harmonic_mean")

# Numbers in the largest array that a block makes (512 kB): small enough for a core's cache, large
# enough for Python's overhead to be negligible. Measured on 100,000 formulas, from 2**13 to 2**22.
_BLOCK_SIZE = 2**16


class Block:
    """Statistics of compositions that have the same number of elements.

    Parameters
    ----------
    values : ndarray of shape (n_elements, n_compositions, n_features)
        Properties. The elements come first, so that a sum over them adds up whole contiguous
        arrays; reductions over ragged rows (``np.minimum.reduceat``) take 3 times as long.
    amounts, fractions : ndarray of shape (n_elements, n_compositions)
        Weights of the elements.
    """

    def __init__(self, values: np.ndarray, amounts: np.ndarray, fractions: np.ndarray) -> None:
        self.values = values
        self.amounts = amounts
        self.fractions = fractions

    def _weighted(self, values: np.ndarray) -> np.ndarray:
        return np.einsum("er,erf->rf", self.fractions, values)

    @cached_property
    def mean(self) -> np.ndarray:
        # From the first value on: the mean of equal values is exactly that value, and their
        # deviations are exactly 0, instead of a rounding error that a tree may split on.
        return self.values[0] + self._weighted(self.values - self.values[0])

    @cached_property
    def _deviation(self) -> np.ndarray:
        return self.values - self.mean

    @cached_property
    def variance(self) -> np.ndarray:
        return self._weighted(self._deviation**2)

    @property
    def std(self) -> np.ndarray:
        return np.sqrt(self.variance)

    @property
    def avg_dev(self) -> np.ndarray:
        return self._weighted(np.abs(self._deviation))

    @cached_property
    def min(self) -> np.ndarray:
        return self.values.min(axis=0)

    @cached_property
    def max(self) -> np.ndarray:
        return self.values.max(axis=0)

    @property
    def range(self) -> np.ndarray:
        return self.max - self.min

    @property
    def mode(self) -> np.ndarray:
        # Equal within the tolerance that CBFV has, so that 0.1 + 0.2 ties with 0.3.
        abundant = np.isclose(self.fractions, self.fractions.max(axis=0))
        return np.where(abundant[:, :, None], self.values, np.inf).min(axis=0)

    @property
    def sum(self) -> np.ndarray:
        return np.einsum("er,erf->rf", self.amounts, self.values)

    @property
    def geometric_mean(self) -> np.ndarray:
        with np.errstate(divide="ignore"):  # log(0) is -inf, whose exponential is the 0 wanted
            return np.exp(self._weighted(np.log(self.values)))

    @property
    def harmonic_mean(self) -> np.ndarray:
        with np.errstate(divide="ignore", over="ignore"):  # 1 / (1 / 0) is the 0 wanted
            return 1 / self._weighted(1 / self.values)


def cut_into_blocks(
    compositions: Compositions, width: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield blocks of compositions of equal length above 0, small enough for the cache.

    Parameters
    ----------
    compositions : Compositions
        All compositions.
    width : int
        Number of values computed at once for a token.

    Yields
    ------
    rows : ndarray of shape (n_rows,)
        Indices of compositions.
    tokens : ndarray of shape (n_elements, n_rows)
        Indices of their tokens.
    """
    lengths = compositions.lengths
    for length in np.unique(lengths[lengths > 0]).tolist():
        rows_of_length = np.flatnonzero(lengths == length)
        step = max(1, _BLOCK_SIZE // (width * length))
        for start in range(0, len(rows_of_length), step):
            rows = rows_of_length[start : start + step]
            yield rows, compositions.offsets[rows] + np.arange(length)[:, None]


def sorted_by_kind(stats: list[str]) -> tuple[list[str], list[str]]:
    """Divide statistics into those of a table and those of the elements themselves."""
    return [s for s in stats if s in DESCRIPTORS], [s for s in stats if s in MATRICES]


def describe(
    compositions: Compositions,
    vectors: list[np.ndarray],
    stats: list[str],
    features: np.ndarray,
    n_jobs: int = 1,
    rows_of_vectors: np.ndarray | None = None,
) -> None:
    """Compute the features of compositions.

    Parameters
    ----------
    compositions : Compositions
        The compositions. For an empty one all features are 0.
    vectors : list of ndarray of shape (n_vectors, n_properties)
        Element tables, row ``z - 1`` for atomic number ``z``.
    stats : list of str
        Some of `STATISTICS`.
    features : ndarray of shape (n_compositions, n_features)
        Output array: for each table each descriptor of each property, then the matrices.
    n_jobs : int, default=1
        Number of threads.
    rows_of_vectors : ndarray of shape (n_tokens,), optional
        The row of each token's vector, if it does not follow from the element.
    """
    if rows_of_vectors is None:
        rows_of_vectors = compositions.atomic_numbers - 1
    descriptors, matrices = sorted_by_kind(stats)
    fractions = compositions.fractions
    features[compositions.lengths == 0] = 0

    def fill(blocks: list[tuple[np.ndarray, np.ndarray]]) -> None:
        for rows, tokens in blocks:
            columns = rows_of_vectors[tokens]
            weights = {"amount": compositions.amounts[tokens], "fraction": fractions[tokens]}
            start = 0
            for v in vectors:
                block = Block(v[columns], weights["amount"], weights["fraction"])
                for stat in descriptors:
                    end = start + v.shape[1]
                    features[rows, start:end] = getattr(block, stat)
                    start = end
            for stat in matrices:
                features[rows, start : start + N_ELEMENTS] = 0
                features[rows, start + columns] = weights[stat]
                start += N_ELEMENTS

    widest = max((v.shape[1] for v in vectors), default=1)
    blocks = list(cut_into_blocks(compositions, widest))
    if n_jobs == 1:
        # Not by Parallel, which sets the process's filters of warnings for a while: networks
        # that call this predict in several threads.
        fill(blocks)
    else:
        Parallel(n_jobs=n_jobs, require="sharedmem")(
            delayed(fill)(blocks[i::n_jobs]) for i in range(n_jobs)
        )
