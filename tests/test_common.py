"""scikit-learn's own checks, in full, on every estimator."""

import pytest
from checks import names_of_checks
from sklearn.base import is_classifier
from sklearn.datasets import make_blobs
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import estimator_checks
from sklearn.utils._testing import ignore_warnings
from sklearn.utils.estimator_checks import (
    check_class_weight_classifiers,
    check_dataframe_column_names_consistency,
    check_decision_proba_consistency,
    check_param_validation,
    parametrize_with_checks,
)
from tiny import REGRESSORS, tiny

from crabsk import CrabNetClassifier, ElemNetClassifier, RoostClassifier

# Enough steps to pass scikit-learn's accuracy checks on its numeric toy data.
ESTIMATORS = [
    *(tiny(cls, max_epochs=40, fraction_noise=0.0) for cls in REGRESSORS),
    tiny(CrabNetClassifier, max_epochs=40, fraction_noise=0.0),
    # Their tags say that they score poorly on numbers that are no compositions.
    tiny(RoostClassifier, max_epochs=20, learning_rate=2e-2, fraction_noise=0.0),
    tiny(ElemNetClassifier, max_epochs=20, learning_rate=2e-2, fraction_noise=0.0),
]

NEGATIVE = "the check feeds negative numbers to an estimator whose tag is positive_only"
EXPECTED_FAILED_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "mini-batches: repeating a sample changes the make-up of the batches, weighting it does not"
    ),
}
# Run below on numbers that are none.
ON_NEGATIVE_NUMBERS = {
    "check_class_weight_classifiers": NEGATIVE,
    "check_decision_proba_consistency": NEGATIVE,
}


def expected_failed_checks(estimator):
    return EXPECTED_FAILED_CHECKS | (ON_NEGATIVE_NUMBERS if is_classifier(estimator) else {})


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failed_checks)
@ignore_warnings
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_no_check_is_left_out(estimator):
    """With too narrow tags scikit-learn yields few checks, and a green run proves little."""
    peer = MLPClassifier() if is_classifier(estimator) else MLPRegressor()
    left_out = names_of_checks(peer) - names_of_checks(estimator)
    # X is no sparse matrix.
    assert left_out == {"check_sample_weight_equivalence_on_sparse_data"}


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(
    "check",
    [
        # Never yielded by parametrize_with_checks; scikit-learn calls them by name, too.
        check_dataframe_column_names_consistency,
        check_param_validation,
    ],
    ids=lambda f: f.__name__,
)
@ignore_warnings
def test_checks_never_yielded(estimator, check):
    check(type(estimator).__name__, estimator)


@pytest.mark.parametrize(
    "estimator", [e for e in ESTIMATORS if is_classifier(e)], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize(
    "check",
    [check_class_weight_classifiers, check_decision_proba_consistency],
    ids=lambda f: f.__name__,
)
@ignore_warnings
def test_checks_on_amounts(estimator, check, monkeypatch):
    """The checks that scikit-learn runs on negative numbers, whatever the tags say."""

    def make_amounts(*args, **kwargs):
        X, y = make_blobs(*args, **kwargs)
        return X - X.min(), y

    monkeypatch.setattr(estimator_checks, "make_blobs", make_amounts)
    check(type(estimator).__name__, estimator)
