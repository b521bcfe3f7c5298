import pytest
import torch

from crabsk.modules import Group, PackedCompositions, mean_over_elements, spread_to_tokens


def make(lengths):
    """Composition i has tokens 100 i + 1, 100 i + 2, ...: every token tells where it is from."""
    offsets = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()])
    numbers = torch.cat([100 * i + 1 + torch.arange(n) for i, n in enumerate(lengths)])
    fractions = torch.cat([torch.full((n,), 1 / max(n, 1)) for n in lengths])
    extra = torch.arange(len(lengths), dtype=torch.float).unsqueeze(1)
    return PackedCompositions(numbers, fractions, offsets, extra)


LENGTHS = [3, 1, 0, 2, 3, 1, 5, 2]


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
def test_batches_hold_every_row_once_with_its_own_tokens(batch_size):
    compositions = make(LENGTHS)
    order = torch.tensor([5, 0, 7, 2, 1, 6, 3, 4])
    seen = []
    for rows, batch in compositions.batches(order, batch_size):
        assert len(rows) == len(batch) <= batch_size
        assert sum(m for _, m in batch.groups) == len(rows)
        assert [n for n, _ in batch.groups] == sorted({LENGTHS[i] for i in rows})
        expected = torch.cat([100 * i + 1 + torch.arange(LENGTHS[i]) for i in rows.tolist()])
        assert torch.equal(batch.atomic_numbers, expected)
        assert torch.equal(batch.extra[:, 0], rows.float())
        seen += rows.tolist()
    assert sorted(seen) == list(range(len(LENGTHS)))


def test_batches_are_of_nearly_equal_size():
    sizes = [len(rows) for rows, _ in make([2] * 65).batches(torch.arange(65), 64)]
    assert sizes in ([33, 32], [32, 33])


def test_no_rows_make_no_batches():
    assert list(make([2]).batches(torch.empty(0, dtype=torch.long), 4)) == []


def test_fraction_noise_is_normalised_and_reproducible():
    compositions = make([3] * 200)
    drawn = [
        next(
            compositions.batches(
                torch.arange(200),
                200,
                fraction_noise=0.02,
                generator=torch.Generator().manual_seed(seed),
            )
        )[1].fractions
        for seed in (0, 0, 1)
    ]
    torch.testing.assert_close(drawn[0].view(200, 3).sum(1), torch.ones(200))
    relative = drawn[0] * 3 - 1
    # Normalisation takes one of three degrees of freedom: the rest is 0.02 * sqrt(2 / 3).
    assert relative.std() == pytest.approx(0.02 * (2 / 3) ** 0.5, rel=0.1)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_noise_of_any_size_keeps_every_element():
    compositions = make([1, 2] * 500)
    _, batch = next(
        compositions.batches(
            torch.arange(1000),
            1000,
            fraction_noise=5.0,
            generator=torch.Generator().manual_seed(0),
        )
    )
    assert (batch.fractions > 0).all()
    assert (batch.fractions[:500] == 1).all()


def test_mean_and_spread():
    groups = (Group(0, 1), Group(1, 2), Group(3, 1))
    values = torch.tensor([[1.0], [2.0], [3.0], [4.0], [8.0]])
    assert mean_over_elements(values, groups).tolist() == [[0.0], [1.0], [2.0], [5.0]]
    rows = torch.tensor([[9.0], [1.0], [2.0], [3.0]])
    assert spread_to_tokens(rows, groups).tolist() == [[1.0], [2.0], [3.0], [3.0], [3.0]]


@pytest.mark.parametrize("n_parts", [1, 2, 3, 20])
def test_split_deals_out_every_composition_once(n_parts):
    _, batch = next(make(LENGTHS).batches(torch.arange(len(LENGTHS)), 100))
    parts = batch.split(n_parts)
    assert 1 <= len(parts) <= n_parts
    for rows, part in parts:
        assert torch.equal(part.extra, batch.extra[rows])
        whole = [100 * int(i) + 1 + torch.arange(LENGTHS[int(i)]) for i in part.extra[:, 0]]
        assert torch.equal(part.atomic_numbers, torch.cat(whole))
        assert sum(m for _, m in part.groups) == len(part)
    assert sorted(torch.cat([rows for rows, _ in parts]).tolist()) == list(range(len(LENGTHS)))


def test_split_shares_out_the_work():
    _, batch = next(make([2] * 64 + [5] * 64).batches(torch.arange(128), 128))
    assert [len(part.atomic_numbers) for _, part in batch.split(4)] == [112] * 4


def test_split_shares_out_odd_counts():
    lengths = [n for n, m in {2: 30, 3: 55, 4: 30, 5: 9, 6: 3, 7: 1}.items() for _ in range(m)]
    _, batch = next(make(lengths).batches(torch.arange(128), 128))
    sizes = [len(part.atomic_numbers) for _, part in batch.split(4)]
    assert max(sizes) - min(sizes) <= 5
