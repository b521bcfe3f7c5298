from collections.abc import Sequence

import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.pipeline import make_pipeline
from tiny import tiny_crabnet

from crabsk import CompositionTransformer


class Computed(Sequence):
    """Formulas that are computed all at once, or one by one at a price, as `Candidates` are."""

    def __init__(self, formulas):
        self.formulas = list(formulas)
        self.n_asked = 0

    def __len__(self):
        return len(self.formulas)

    def __iter__(self):
        return iter(self.formulas)

    def __getitem__(self, index):
        self.n_asked += 1
        return self.formulas[index]


@pytest.fixture
def computed():
    return Computed


@pytest.fixture
def quick():
    """Candidates of three kinds that train in a fraction of a second."""
    return {
        "mean": DummyRegressor(),
        "trees": make_pipeline(CompositionTransformer("magpie"), ExtraTreesRegressor(5)),
        "crabnet": tiny_crabnet(random_state=None),
    }
