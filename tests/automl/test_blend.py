import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crabsk.automl._blend import greedy_weights


def blend_of(predictions, y):
    weights = greedy_weights(predictions, lambda blend: -np.abs(blend - y).mean())
    return weights, np.tensordot(weights, predictions, axes=1)


@given(st.integers(0, 1000), st.integers(1, 6))
def test_never_worse_than_the_best(seed, n_models):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=30)
    predictions = y + rng.normal(size=(n_models, 30)) * rng.uniform(0.1, 2, (n_models, 1))
    weights, blend = blend_of(predictions, y)
    assert np.isclose(weights.sum(), 1)
    assert (weights >= 0).all()
    best = np.abs(predictions - y).mean(axis=1).min()
    assert np.abs(blend - y).mean() <= best + 1e-12


def test_a_perfect_model_takes_all():
    y = np.arange(5.0)
    weights, _ = blend_of(np.stack([y + 1, y, y - 2]), y)
    assert weights.tolist() == [0, 1, 0]


def test_scores_that_are_no_numbers():
    with pytest.raises(ValueError, match="NaN"):
        greedy_weights(np.zeros((2, 3)), lambda _: np.nan)
