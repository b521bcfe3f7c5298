import numpy as np
import pytest
from tiny import tiny_crabnet

from crabsk.composition import parse_formulas
from crabsk.neural_network._training import one_cycle


@pytest.mark.parametrize("n_steps", [1, 2, 5, 100])
def test_one_cycle_rises_and_falls(n_steps):
    shares = [one_cycle(step, n_steps) for step in range(n_steps + 1)]
    assert max(shares) <= 1
    assert shares[-1] == pytest.approx(0, abs=1e-9)
    peak = shares.index(max(shares))
    assert peak == pytest.approx(0.2 * n_steps, abs=1)
    assert shares[:peak] == sorted(shares[:peak])
    assert shares[peak:] == sorted(shares[peak:], reverse=True)


def test_what_is_held_out_is_disjoint_and_complete(some_formulas):
    groups = parse_formulas(some_formulas[0]).unique()[1]
    rows, y = np.arange(0, 50, 2), np.zeros((60, 1))
    model = tiny_crabnet(validation_fraction=0.2)
    kept, held_out = model._hold_out(rows, y, groups, seed=1)
    assert len(kept) == 20
    assert sorted([*kept, *held_out]) == rows.tolist()
    assert kept.tolist() != model._hold_out(rows, y, groups, seed=2)[0].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_equal_compositions_are_held_out_together(seed, some_formulas):
    # Each composition is written in two ways; the first thirty rows have no label.
    formulas = some_formulas[0][:15].tolist()
    doubled = [f"({formula})2" for formula in formulas]
    groups = parse_formulas(2 * formulas + 2 * doubled).unique()[1]
    assert len(set(groups)) == 15
    y = np.r_[np.full(30, np.nan), np.ones(30)][:, None]
    parts = tiny_crabnet(validation_fraction=0.2)._hold_out(np.arange(60), y, groups, seed)
    kept, held_out = (set(groups[part]) for part in parts)
    assert not kept & held_out
    assert len(held_out) == 3
    assert len(parts[1]) == 12
