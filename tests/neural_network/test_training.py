import numpy as np
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
    labelled = LabelledCompositions(compositions, targets, torch.arange(0, n, 2), np.arange(n))
    kept, held_out = labelled.split(0.2, seed=1)
    assert len(kept) == 20
    assert sorted([*kept.rows.tolist(), *held_out.rows.tolist()]) == list(range(0, n, 2))
    assert kept.rows.tolist() != labelled.split(0.2, seed=2)[0].rows.tolist()


def test_split_keeps_equal_compositions_together():
    n = 60
    compositions = PackedCompositions(
        torch.ones(n, dtype=torch.long), torch.ones(n), torch.arange(n + 1)
    )
    weights = torch.ones(n, 1)
    weights[:30] = 0
    groups = np.tile(np.arange(30) // 2, 2)
    labelled = LabelledCompositions(
        compositions, Targets(torch.zeros(n, 1), weights), torch.arange(n), groups
    )
    for seed in range(5):
        kept, held_out = labelled.split(0.2, seed)
        apart = [set(groups[part.rows.numpy()]) for part in (kept, held_out)]
        assert not apart[0] & apart[1]
        assert len(apart[1]) == 3
        assert weights[held_out.rows].sum() == 6
