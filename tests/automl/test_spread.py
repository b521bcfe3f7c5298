import numpy as np
import pytest

from crabsk.automl._spread import Spread


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_finds_what_the_variance_depends_on(rng):
    disagreement, own = rng.exponential(size=(2, 20_000))
    std = np.sqrt(0.5 + 2.0 * disagreement)
    errors = rng.laplace(scale=std / np.sqrt(2))
    found = Spread.learn(errors, disagreement, own, np.ones(len(errors)))
    assert found.constant == pytest.approx(0.5, rel=0.15)
    assert found.of_disagreement == pytest.approx(2.0, rel=0.15)
    assert found.of_own < 0.1
    assert found.std(disagreement, own) == pytest.approx(std, rel=0.1)


def test_one_model_that_says_nothing_of_itself(rng):
    errors = rng.laplace(size=1000)
    nothing = np.zeros(1000)
    found = Spread.learn(errors, nothing, nothing, np.ones(1000))
    assert found.std(nothing, nothing)[0] == pytest.approx(np.sqrt(2), rel=0.1)


def test_no_errors():
    nothing = np.zeros(3)
    found = Spread.learn(nothing, nothing, nothing, np.ones(3))
    assert found.std(nothing, np.ones(3)).tolist() == [1, 1, 1]
