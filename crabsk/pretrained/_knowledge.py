"""Which properties of which compositions pretrained weights have seen, in a compact form.

Of a composition it holds a hash; of its properties, ranks in eight steps. That is enough to tell
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

# Of a million compositions that were not seen, less than one is taken for one that was.
HASH_BYTES = 5
N_RANKS = 8
# Fewer compositions may be in the same order by chance.
ENOUGH_TO_RANK = 20
# From this rank correlation on, a target is taken for the property, or for nearly the same.
SAME_RANKS = 0.95


@dataclass(frozen=True)
class Knowledge:
    """What pretrained weights have seen.

    Parameters
    ----------
    properties : list of str
        Names of the P properties.
    hashes : ndarray of shape (n_compositions,), uint64
        Of the compositions, ascending.
    ranks : ndarray of shape (n_compositions, P), uint8
        From 1 to 8, where the value lies among all of the property; 0 where none was seen.
    """

    properties: list[str]
    hashes: np.ndarray
    ranks: np.ndarray

    @classmethod
    def of(cls, properties: list[str], X: Compositions, values: np.ndarray) -> "Knowledge":
        """Return what training on distinct compositions teaches.

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

    def ranks_of(self, X: Compositions) -> np.ndarray:
        """Return the ranks of compositions, 0 for what was not seen, (n_compositions, P)."""
        hashes = hashes_of(X)
        where = np.searchsorted(self.hashes, hashes) % len(self.hashes)
        seen = self.hashes[where] == hashes
        return np.where(seen[:, None], self.ranks[where], 0)

    def known_targets(self, X: Compositions, y: np.ndarray) -> dict[int, str]:
        """Return which columns of y (n_compositions, K) are in the order of which property."""
        ranks = self.ranks_of(X)
        found = {}
        for k, target in enumerate(y.T):
            alike = [_likeness(known, target) for known in ranks.T]
            if max(alike, default=0) >= SAME_RANKS:
                found[k] = self.properties[int(np.argmax(alike))]
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
        """Read what `write` wrote. Numbers and texts are all that such a file may hold."""
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


def _likeness(known: np.ndarray, target: np.ndarray) -> float:
    """Return the size of the rank correlation of a target with what is known; 0 if of too few."""
    both = (known > 0) & ~np.isnan(target)
    if both.sum() < ENOUGH_TO_RANK:
        return 0.0
    a, b = rankdata(known[both]), rankdata(target[both])
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(abs(np.corrcoef(a, b)[0, 1]))
