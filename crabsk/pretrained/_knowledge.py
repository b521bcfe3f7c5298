"""Which properties of which compositions pretrained weights have seen, in a compact form.

Each composition is stored as a hash, each property as a rank from 1 to 8. That is enough to tell
what was seen, and whether a target is a property that was learnt.
"""

import hashlib
import io
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from .._files import write_whole
from ..composition import Compositions

# Of a million compositions that were not seen, fewer than one is mistaken for a seen one.
HASH_BYTES = 5
N_RANKS = 8
# Fewer compositions may be in the same order by chance.
ENOUGH_TO_RANK = 20
# If the rank correlation is at least this share of the largest possible one, a target is taken to
# be the property, or nearly the same.
SAME_RANKS = 0.95


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What pretrained weights have seen.

    Parameters
    ----------
    properties : list of str
        Names of the P properties.
    hashes : ndarray of shape (n_compositions,), uint64
        Hashes of the compositions, ascending.
    ranks : ndarray of shape (n_compositions, P), uint8
        Rank of each value among all values of the property, from 1 to 8; 0 if none was seen.
    """

    properties: list[str]
    hashes: np.ndarray
    ranks: np.ndarray

    @classmethod
    def of(cls, properties: list[str], X: Compositions, values: np.ndarray) -> "Knowledge":
        """Return the knowledge of weights trained on distinct compositions.

        Parameters
        ----------
        properties : list of str
            Names of the P properties.
        X : Compositions
            Distinct compositions.
        values : ndarray of shape (n_compositions, P)
            Their properties, NaN where missing.
        """
        hashes = hashes_of(X)
        order = np.argsort(hashes)
        ranks = np.zeros(values.shape, dtype=np.uint8)
        for k, column in enumerate(values.T):
            there = ~np.isnan(column)
            share = (rankdata(column[there]) - 0.5) / there.sum()
            ranks[there, k] = 1 + np.floor(N_RANKS * share).astype(np.uint8)
        return cls(list(properties), hashes[order], ranks[order])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Knowledge)
            and self.properties == other.properties
            and np.array_equal(self.hashes, other.hashes)
            and np.array_equal(self.ranks, other.ranks)
        )

    __hash__ = None  # type: ignore[assignment]

    def ranks_of(self, X: Compositions) -> np.ndarray:
        """Return the ranks of compositions, 0 for what was not seen, (n_compositions, P)."""
        hashes = hashes_of(X)
        where = np.searchsorted(self.hashes, hashes) % len(self.hashes)
        seen = self.hashes[where] == hashes
        return np.where(seen[:, None], self.ranks[where], 0)

    def known_targets(self, X: Compositions, y: np.ndarray) -> dict[int, str]:
        """Return which columns of y (n_compositions, K) have the ranking of which property."""
        # A composition counts once: six compounds at four temperatures may rank alike by chance.
        first, _ = X.unique()
        ranks = self.ranks_of(X)[first]
        found = {}
        for k, target in enumerate(y[first].T):
            alike = [_correlation(known, target) for known in ranks.T]
            # Of those as near as these ranks can tell, the one that tells most.
            near = [size if size >= SAME_RANKS * most else 0.0 for size, most in alike]
            if max(near, default=0):
                found[k] = self.properties[int(np.argmax(near))]
        return found

    def write(self, path: Path) -> None:
        """Write a compressed archive of arrays."""
        file = io.BytesIO()
        np.savez_compressed(
            file,
            properties=np.array(self.properties, dtype=str),
            # Differences are smaller numbers, and compress better.
            gaps=np.diff(self.hashes, prepend=np.uint64(0)),
            ranks=self.ranks,
        )
        write_whole(path, file.getvalue())

    @classmethod
    def read(cls, path: Path) -> "Knowledge":
        """Read what `write` wrote. Such a file may hold only numbers and text."""
        with np.load(path, allow_pickle=False) as arrays:
            hashes = np.cumsum(arrays["gaps"], dtype=np.uint64)
            return cls(arrays["properties"].tolist(), hashes, arrays["ranks"])


def hashes_of(X: Compositions) -> np.ndarray:
    """Return a hash of each composition, the same for all multiples and on all machines."""
    tokens = np.empty(len(X.atomic_numbers), dtype=[("z", "<u2"), ("amount", "<f8")])
    tokens["z"], tokens["amount"] = X.atomic_numbers, X.reduced_amounts
    text, size = tokens.tobytes(), tokens.itemsize
    ends = (size * X.offsets).tolist()
    digests = (
        hashlib.blake2b(text[a:b], digest_size=HASH_BYTES).digest() for a, b in pairwise(ends)
    )
    return np.array([int.from_bytes(digest) for digest in digests], dtype=np.uint64)


def _correlation(known: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Return the size of the rank correlation of a target with what is known, and its limit.

    Eight ranks show the order within a narrow range only in part. The limit is the correlation of
    a target with the same ranking. Both are 0 if too few values are known, or all have one rank.
    """
    both = (known > 0) & ~np.isnan(target)
    a, b = rankdata(known[both]), rankdata(target[both])
    # Of classes, a few in the smaller one are in some order, too.
    n_ordered = both.sum() - np.unique(b, return_counts=True)[1].max(initial=0) + 1
    if n_ordered < ENOUGH_TO_RANK or a.std() == 0 or b.std() == 0:
        return 0.0, 0.0
    size, most = (np.corrcoef(*pair)[0, 1] for pair in ((a, b), (np.sort(a), np.sort(b))))
    return float(abs(size)), float(most)
