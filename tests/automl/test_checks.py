"""scikit-learn's own checks, in full."""

import pytest
from checks import names_of_checks
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils._testing import ignore_warnings
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_n_features_in,
    check_param_validation,
    parametrize_with_checks,
)

from crabsk import AutoClassifier, AutoRegressor, CompositionTransformer


def on_amounts(model):
    """Return a model of amounts of elements, the numbers that the checks pass."""
    return make_pipeline(CompositionTransformer(stats="amount"), model)


ESTIMATORS = [
    AutoRegressor(
        {"mean": DummyRegressor(), "ridge": on_amounts(Ridge())},
        cv=2,
        random_state=0,
    ),
    AutoClassifier(
        {"prior": DummyClassifier(), "logistic": on_amounts(LogisticRegression())},
        cv=2,
        random_state=0,
    ),
]


@parametrize_with_checks(ESTIMATORS)
@ignore_warnings
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_no_check_is_left_out(estimator):
    """With too narrow tags scikit-learn yields few checks, and a green run proves little."""
    peer = LogisticRegression() if isinstance(estimator, AutoClassifier) else Ridge()
    left_out = names_of_checks(peer) - names_of_checks(estimator)
    # What it does not claim to take.
    known = ("sample_weight", "class_weight", "spars", "array_api", "multioutput")
    assert {name for name in left_out if not any(word in name for word in known)} == set()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "check",
    [check_dataframe_column_names_consistency, check_n_features_in, check_param_validation],
    ids=lambda f: f.__name__,
)
@ignore_warnings
def test_checks_never_yielded(estimator, check):
    check(type(estimator).__name__, estimator)
