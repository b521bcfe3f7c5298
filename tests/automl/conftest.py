import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.pipeline import make_pipeline
from tiny import tiny_crabnet

from crabsk import CompositionTransformer


@pytest.fixture
def quick():
    """Candidates of three kinds that train in a fraction of a second."""
    return {
        "mean": DummyRegressor(),
        "trees": make_pipeline(CompositionTransformer("magpie"), ExtraTreesRegressor(5)),
        "crabnet": tiny_crabnet(random_state=None),
    }
