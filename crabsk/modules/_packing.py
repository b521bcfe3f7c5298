"""Packed batches: the elements of all compositions end to end, without padding.

Letters in shapes: T tokens (elements of all compositions of a batch), B compositions,
K targets, E extra features, d the model width.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Group(NamedTuple):
    """A run of compositions with the same number of elements.

    Examples
    --------
    >>> from crabsk.modules import Group
    >>> Group(n_elements=2, n_compositions=5)
    Group(n_elements=2, n_compositions=5)
    """

    n_elements: int
    n_compositions: int


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Compositions ordered by their number of elements, with their tokens end to end.

    Compositions of equal length are side by side. Attention and pooling work on reshaped slices of
    them, and no multiplication is spent on padding.

    Shape
    -----
    atomic_numbers : (T,), int64
    fractions : (T,), float
    groups : lengths in rising order; ``sum(n * m for n, m in groups) == T``
    extra : (B, E), float

    Examples
    --------
    A batch of rock salt and haematite, split into two parts:

    >>> import torch
    >>> from crabsk.modules import Group, PackedBatch
    >>> batch = PackedBatch(
    ...     atomic_numbers=torch.tensor([11, 17, 8, 26]),
    ...     fractions=torch.tensor([0.5, 0.5, 0.6, 0.4]),
    ...     groups=(Group(n_elements=2, n_compositions=2),),
    ...     extra=torch.empty(2, 0),
    ... )
    >>> len(batch), [part.atomic_numbers.tolist() for rows, part in batch.split(2)]
    (2, [[11, 17], [8, 26]])
    """

    atomic_numbers: Tensor
    fractions: Tensor
    groups: tuple[Group, ...]
    extra: Tensor

    def __len__(self) -> int:
        return len(self.extra)

    def to(self, device: torch.device | str) -> "PackedBatch":
        """Return the batch with its tensors on `device`."""
        return PackedBatch(
            self.atomic_numbers.to(device),
            self.fractions.to(device),
            self.groups,
            self.extra.to(device),
        )

    def split(self, n_parts: int) -> list[tuple[Tensor, "PackedBatch"]]:
        """Split the batch into parts of similar cost: each part gets a composition in turn.

        Returns
        -------
        list of (Tensor, PackedBatch)
            For each part, the numbers of its compositions in this batch, and the part itself. There
            are at most as many parts as compositions.
        """
        lengths = count_elements(self.groups)
        starts = lengths.cumsum(0) - lengths
        parts = []
        for k in range(min(n_parts, len(self))):
            rows = torch.arange(k, len(self), n_parts)
            sizes = lengths[rows]
            tokens = _positions(starts[rows], sizes)
            n_elements, n_compositions = sizes.unique(return_counts=True)
            groups = zip(n_elements.tolist(), n_compositions.tolist(), strict=True)
            part = PackedBatch(
                self.atomic_numbers[tokens],
                self.fractions[tokens],
                tuple(Group(n, m) for n, m in groups),
                self.extra[rows],
            )
            parts.append((rows, part))
        return parts


class PackedCompositions:
    """All compositions of a data set as tensors, from which batches are cut.

    Parameters
    ----------
    atomic_numbers : Tensor of shape (T,), int64
        Atomic number of each token.
    fractions : Tensor of shape (T,), float
        Atomic fraction of each token. The fractions of a composition add up to 1.
    offsets : Tensor of shape (B + 1,), int64
        Tokens ``offsets[i]:offsets[i + 1]`` belong to composition ``i``.
    extra : Tensor of shape (B, E), float, optional
        Extra features of each composition.

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import PackedCompositions
    >>> water_and_salt = PackedCompositions(
    ...     torch.tensor([1, 8, 11, 17]), torch.tensor([2 / 3, 1 / 3, 0.5, 0.5]),
    ...     torch.tensor([0, 2, 4]))
    >>> rows, batch = next(water_and_salt.batches(torch.tensor([1, 0]), batch_size=2))
    >>> batch.atomic_numbers, batch.groups
    (tensor([11, 17,  1,  8]), (Group(n_elements=2, n_compositions=2),))
    """

    def __init__(
        self,
        atomic_numbers: Tensor,
        fractions: Tensor,
        offsets: Tensor,
        extra: Tensor | None = None,
    ) -> None:
        self.atomic_numbers = atomic_numbers
        self.fractions = fractions
        self.offsets = offsets
        self.extra = fractions.new_empty(len(offsets) - 1, 0) if extra is None else extra
        self.lengths = offsets.diff()

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def batches(
        self,
        order: Tensor,
        batch_size: int,
        *,
        fraction_noise: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Iterator[tuple[Tensor, PackedBatch]]:
        """Cut the compositions at `order` into batches of nearly equal size.

        The work that does not depend on the network (gathering, noise, ordering by length) is
        done once for the whole epoch. A batch is a set of views.

        Parameters
        ----------
        order : Tensor of shape (n,), int64
            Rows to visit, in order.
        batch_size : int
            Largest number of compositions in a batch.
        fraction_noise : float, default=0.0
            Standard deviation of the noise by which each fraction is multiplied (1 + noise). The
            fractions are then normalised again. This augments the training data.
        generator : torch.Generator, optional
            Source of the noise.

        Yields
        ------
        rows : Tensor of shape (B,), int64
            The rows that the batch holds, in the order of the batch.
        batch : PackedBatch
        """
        n_rows = len(order)
        if not n_rows:
            return
        n_batches = -(-n_rows // batch_size)
        batch_of_row = torch.arange(n_rows) * n_batches // n_rows
        # Stable sort by batch, then by length within it.
        lengths = self.lengths[order]
        width = int(lengths.max()) + 1
        key, permutation = (batch_of_row * width + lengths).sort(stable=True)
        order, lengths = order[permutation], lengths[permutation]
        counts = torch.bincount(key, minlength=n_batches * width).view(n_batches, width).tolist()

        tokens = _positions(self.offsets[order], lengths)
        atomic_numbers, fractions = self.atomic_numbers[tokens], self.fractions[tokens]
        if fraction_noise:
            noise = torch.randn(fractions.shape, generator=generator, dtype=fractions.dtype)
            # Never quite to zero: the only element of a formula would be lost.
            fractions = fractions * (1 + fraction_noise * noise).clamp_min(0.01)
            row_of_token = torch.repeat_interleave(torch.arange(n_rows), lengths)
            totals = fractions.new_zeros(n_rows).index_add_(0, row_of_token, fractions)
            fractions = fractions / totals[row_of_token]
        extra = self.extra[order]

        row = token = 0
        for count in counts:
            groups = tuple(Group(n, m) for n, m in enumerate(count) if m)
            n_compositions = sum(count)
            n_tokens = sum(n * m for n, m in groups)
            yield (
                order[row : row + n_compositions],
                PackedBatch(
                    atomic_numbers[token : token + n_tokens],
                    fractions[token : token + n_tokens],
                    groups,
                    extra[row : row + n_compositions],
                ),
            )
            row += n_compositions
            token += n_tokens


def mean_over_elements(values: Tensor, groups: tuple[Group, ...]) -> Tensor:
    """Average token values over the elements of each composition.

    A composition without elements gives zeros.

    Shape
    -----
    values : (T, K)
    returns : (B, K)

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import Group, mean_over_elements
    >>> mean_over_elements(torch.tensor([[1.0], [2.0], [4.0]]), (Group(1, 1), Group(2, 1)))
    tensor([[1.],
            [3.]])
    """
    means = []
    for (n, m), tokens in zip(groups, values.split([n * m for n, m in groups]), strict=True):
        if n == 0:
            # Zeros with a gradient (of zero), for a batch that holds nothing else.
            means.append(values[:0].sum(0).expand(m, -1))
            continue
        means.append(tokens.view(m, n, -1).mean(1))
    return torch.cat(means)


def spread_to_tokens(values: Tensor, groups: tuple[Group, ...]) -> Tensor:
    """Repeat the values of each composition for each of its elements.

    Shape
    -----
    values : (B, K)
    returns : (T, K)

    Examples
    --------
    >>> import torch
    >>> from crabsk.modules import Group, spread_to_tokens
    >>> spread_to_tokens(torch.tensor([[1.0], [3.0]]), (Group(1, 1), Group(2, 1))).flatten()
    tensor([1., 3., 3.])
    """
    return values.repeat_interleave(count_elements(groups).to(values.device), dim=0)


def count_elements(groups: tuple[Group, ...]) -> Tensor:
    """Return the number of elements of each composition. **Shape**: (B,)."""
    lengths, counts = torch.tensor(groups).unbind(1)
    return lengths.repeat_interleave(counts)


def _positions(starts: Tensor, lengths: Tensor) -> Tensor:
    """Return the positions of tokens that lie in runs. **Shape**: (B,), (B,) -> (T,)."""
    before = lengths.cumsum(0) - lengths
    positions = torch.repeat_interleave(starts - before, lengths)
    return positions + torch.arange(len(positions))
