"""Packed compositions in double precision, and what networks say of all of them."""

import itertools

import torch

from crabsk.modules import Group, PackedBatch, PackedCompositions


def random_compositions(n: int = 30, n_extra: int = 2) -> PackedCompositions:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.arange(n) % 6 + 1
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])
    numbers = torch.cat([torch.randperm(118, generator=generator)[:m] + 1 for m in lengths])
    amounts = [torch.rand(m, generator=generator).double() ** 3 + 1e-4 for m in lengths]
    fractions = torch.cat([a / a.sum() for a in amounts])
    extra = torch.randn(n, n_extra, generator=generator).double()
    return PackedCompositions(numbers, fractions, offsets, extra)


def whole_batch(compositions: PackedCompositions) -> PackedBatch:
    return next(compositions.batches(torch.arange(len(compositions)), len(compositions)))[1]


@torch.no_grad()
def predict_all(network, compositions, batch_size=1000, order=None):
    order = torch.arange(len(compositions)) if order is None else order
    mean = torch.full((len(compositions), network.n_outputs), torch.nan).double()
    log_sigma = mean.clone()
    for rows, batch in compositions.batches(order, batch_size):
        mean[rows], log_sigma[rows] = network(batch)
    return mean, log_sigma


def walks(walk, network, compositions):
    """Return what `walk` says of each composition: mean and log sigma."""
    spans = itertools.pairwise(compositions.offsets)
    return [
        walk(network, compositions.atomic_numbers[i:j], compositions.fractions[i:j], extra)
        for (i, j), extra in zip(spans, compositions.extra, strict=True)
    ]


def with_elements_shuffled(compositions: PackedCompositions) -> PackedCompositions:
    order = torch.cat(
        [
            start + torch.randperm(int(n))
            for start, n in zip(compositions.offsets[:-1], compositions.lengths, strict=True)
        ]
    )
    return PackedCompositions(
        compositions.atomic_numbers[order],
        compositions.fractions[order],
        compositions.offsets,
        compositions.extra,
    )


def check_order_does_not_matter(network):
    """Of rows, batches and elements."""
    compositions = random_compositions()
    expected = predict_all(network, compositions)
    found = [
        predict_all(network, compositions, batch_size, torch.randperm(30))
        for batch_size in (1, 7, 30)
    ]
    for parts in (*found, predict_all(network, with_elements_shuffled(compositions))):
        for part, whole in zip(parts, expected, strict=True):
            torch.testing.assert_close(part, whole, atol=1e-12, rtol=1e-10)


def assert_empty_compositions_change_nothing(network, n_extra):
    """Rows without elements have finite answers and gradients, and leave the others alone."""
    full = random_compositions(12, n_extra)
    gap = torch.zeros(1, n_extra).double()
    with_gaps = PackedCompositions(
        full.atomic_numbers,
        full.fractions,
        torch.cat([full.offsets[:1], full.offsets, full.offsets[-1:]]),
        torch.cat([gap, full.extra, gap]),
    )
    for expected, got in zip(
        predict_all(network, full), predict_all(network, with_gaps), strict=True
    ):
        torch.testing.assert_close(got[1:-1], expected, atol=1e-12, rtol=1e-10)
        assert got.isfinite().all()
    only_empty = PackedBatch(
        torch.empty(0, dtype=torch.long),
        torch.empty(0).double(),
        (Group(0, 2),),
        torch.ones(2, n_extra).double(),
    )
    for batch in (only_empty, whole_batch(with_gaps)):
        network.zero_grad()
        output = network(batch)
        (output.mean + output.log_sigma).sum().backward()
        assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)
