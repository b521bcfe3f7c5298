"""Prediction intervals through MAPIE, the package that users would take for them.

`SplitConformalRegressor` asks whether an estimator is fitted by predicting a matrix of zeros, which
are no formulas: there the network stands in a pipeline behind a matrix of element amounts.
"""

import numpy as np
import pytest
from mapie.conformity_scores import StdConformityScore
from mapie.metrics.regression import regression_coverage_score
from mapie.regression import CrossConformalRegressor, SplitConformalRegressor
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from tiny import REGRESSORS, tiny, tiny_crabnet

from crabsk import CompositionTransformer

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(scope="module")
def thirds(formation_enthalpy):
    """Rows to train on, to learn the intervals from and to test them with."""
    X, y = formation_enthalpy
    X, X_test, y, y_test = train_test_split(X, y, train_size=1000, random_state=0)
    X_train, X_held, y_train, y_held = train_test_split(X, y, test_size=400, random_state=0)
    return (X_train, y_train), (X_held, y_held), (X_test, y_test)


def on_amounts(model):
    return make_pipeline(CompositionTransformer(stats="amount"), model)


@pytest.mark.parametrize("cls", REGRESSORS)
def test_split_conformal(cls, thirds):
    train, held, (X, y) = thirds
    model = on_amounts(tiny(cls, max_epochs=10, learning_rate=5e-3)).fit(*train)
    intervals = SplitConformalRegressor(model, confidence_level=0.9).conformalize(*held)
    _, limits = intervals.predict_interval(X)
    assert regression_coverage_score(y, limits)[0] == pytest.approx(0.9, abs=0.04)


def test_split_conformal_in_proportion_to_the_std(thirds):
    train, held, (X, y) = thirds
    model = on_amounts(tiny_crabnet(max_epochs=10, n_estimators=2)).fit(*train)
    intervals = SplitConformalRegressor(
        model, confidence_level=0.9, conformity_score=StdConformityScore()
    ).conformalize(*held)
    mean, limits = intervals.predict_interval(X)
    assert regression_coverage_score(y, limits)[0] == pytest.approx(0.9, abs=0.04)
    expected, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, expected)
    width = (limits[:, 1, 0] - limits[:, 0, 0]) / 2
    np.testing.assert_allclose(width / std, width[0] / std[0], rtol=1e-3)


def test_cross_conformal(thirds):
    train, _, (X, y) = thirds
    intervals = CrossConformalRegressor(
        tiny_crabnet(max_epochs=10), confidence_level=0.9, cv=3, random_state=0
    ).fit_conformalize(*train)
    _, limits = intervals.predict_interval(X[:300])
    assert regression_coverage_score(y[:300], limits)[0] == pytest.approx(0.92, abs=0.05)
