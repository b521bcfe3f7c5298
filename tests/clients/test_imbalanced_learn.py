"""imbalanced-learn: rare classes of formulas, drawn more often or trained in balanced bags."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from tiny import tiny

from crabsk import CrabNetClassifier

pytest.importorskip("imblearn")

from imblearn.ensemble import BalancedBaggingClassifier
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture
def rare(some_formulas):
    X, y = some_formulas
    frame = pd.DataFrame({"formula": X, "T": np.linspace(300.0, 900.0, len(X))})
    return frame, y < np.quantile(y, 0.15)


@pytest.mark.parametrize("columns", [["formula"], ["formula", "T"]])
def test_oversampling_before_a_network(rare, columns):
    X, y = rare[0][columns], rare[1]
    # Few epochs: a network that knows the samples by heart needs no rate of the classes.
    network = tiny(CrabNetClassifier, max_epochs=5)
    balanced = make_pipeline(RandomOverSampler(random_state=0), network)
    plain = clone(network).fit(X, y)
    lifted = balanced.fit(X, y).predict_proba(X)[:, 1].mean()
    assert lifted > 1.2 * plain.predict_proba(X)[:, 1].mean()


def test_balanced_bags(rare):
    X, y = rare
    bags = BalancedBaggingClassifier(tiny(CrabNetClassifier), n_estimators=2, random_state=0)
    assert bags.fit(X, y).predict_proba(X).shape == (len(y), 2)
