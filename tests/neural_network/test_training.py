import pytest
import torch

from crabsk.modules import PackedCompositions
from crabsk.neural_network._training import LabelledCompositions, Targets, one_cycle


@pytest.mark.parametrize("n_steps", [1, 2, 5, 100])
def test_one_cycle_rises_and_falls(n_steps):
    shares = [one_cycle(step, n_steps) for step in range(n_steps + 1)]
    assert max(shares) <= 1
    assert shares[-1] == pytest.approx(0, abs=1e-9)
    peak = shares.index(max(shares))
    assert peak == pytest.approx(0.2 * n_steps, abs=1)
    assert shares[:peak] == sorted(shares[:peak])
    assert shares[peak:] == sorted(shares[peak:], reverse=True)


def test_split_is_disjoint_and_complete():
    n = 50
    compositions = PackedCompositions(
        torch.ones(n, dtype=torch.long), torch.ones(n), torch.arange(n + 1)
    )
    targets = Targets(torch.zeros(n, 1), torch.ones(n, 1))
    rows = torch.arange(0, n, 2)
    kept, held_out = LabelledCompositions(compositions, targets, rows).split(0.2, seed=1)
    assert len(kept) == 20
    assert sorted([*kept.rows.tolist(), *held_out.rows.tolist()]) == rows.tolist()
    assert (
        kept.rows.tolist()
        != LabelledCompositions(compositions, targets, rows).split(0.2, 2)[0].rows.tolist()
    )
