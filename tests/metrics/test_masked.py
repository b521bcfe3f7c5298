import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from tiny import tiny_crabnet

from crabsk.metrics import (
    masked_mean_absolute_error,
    masked_neg_mean_absolute_error_scorer,
    masked_neg_root_mean_squared_error_scorer,
    masked_r2_score,
    masked_r2_scorer,
    masked_root_mean_squared_error,
)

PAIRS = [
    (masked_mean_absolute_error, mean_absolute_error),
    (masked_root_mean_squared_error, root_mean_squared_error),
    (masked_r2_score, r2_score),
]
MASKED = [masked for masked, _ in PAIRS]
SCORERS = {
    "mae": (masked_neg_mean_absolute_error_scorer, -1, masked_mean_absolute_error),
    "rmse": (masked_neg_root_mean_squared_error_scorer, -1, masked_root_mean_squared_error),
    "r2": (masked_r2_scorer, 1, masked_r2_score),
}
NAN = float("nan")

values = st.floats(-100, 100, width=32)
tables = st.tuples(st.integers(2, 12), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(
        arrays(float, shape, elements=values),
        arrays(float, shape, elements=values),
        arrays(float, shape[0], elements=st.integers(1, 5)),
        arrays(bool, shape),
    )
)


@pytest.mark.parametrize(("masked", "plain"), PAIRS)
@pytest.mark.parametrize("multioutput", ["raw_values", "uniform_average"])
@given(table=tables)
def test_nothing_missing(masked, plain, multioutput, table):
    y_true, y_pred, weights, _ = table
    for sample_weight in (None, weights):
        settings = {"sample_weight": sample_weight, "multioutput": multioutput}
        ours, theirs = masked(y_true, y_pred, **settings), plain(y_true, y_pred, **settings)
        np.testing.assert_allclose(ours, theirs)
        assert type(ours) is type(theirs)


@pytest.mark.parametrize(("masked", "plain"), PAIRS)
@given(table=tables)
def test_target_by_target_on_labelled_rows(masked, plain, table):
    y_true, y_pred, weights, missing = table
    missing[:2] = False  # R² needs two labels
    y_true[missing] = NAN
    expected = [
        plain(y_true[rows, k], y_pred[rows, k], sample_weight=weights[rows])
        for k, rows in enumerate(~missing.T)
    ]
    settings = {"sample_weight": weights}
    raw = masked(y_true, y_pred, multioutput="raw_values", **settings)
    np.testing.assert_allclose(raw, expected)
    assert masked(y_true, y_pred, **settings) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(("masked", "plain"), PAIRS)
def test_one_dimensional(masked, plain):
    y_true, y_pred = [1.0, NAN, 3.0, 7.0], [2.0, 5.0, 3.5, 6.0]
    expected = plain([1.0, 3.0, 7.0], [2.0, 3.5, 6.0])
    assert masked(y_true, y_pred) == pytest.approx(expected)
    np.testing.assert_allclose(masked(y_true, y_pred, multioutput="raw_values"), [expected])


@pytest.mark.parametrize("masked", MASKED)
def test_target_without_a_label(masked):
    y_true = np.array([[1.0, NAN, 4.0], [3.0, NAN, NAN], [4.0, NAN, 7.0]])
    y_pred = np.array([[2.0, 0.0, 4.0], [3.0, 0.0, 0.0], [6.0, 0.0, 6.0]])
    with pytest.warns(UndefinedMetricWarning, match=r"target\(s\) \[1\]") as record:
        raw = masked(y_true, y_pred, multioutput="raw_values")
    assert record[0].filename == __file__
    np.testing.assert_array_equal(np.isnan(raw), [False, True, False])
    np.testing.assert_allclose(
        raw[[0, 2]], masked(y_true[:, [0, 2]], y_pred[:, [0, 2]], multioutput="raw_values")
    )
    with pytest.warns(UndefinedMetricWarning):
        assert masked(y_true, y_pred) == pytest.approx(raw[[0, 2]].mean())


@pytest.mark.parametrize("masked", MASKED)
def test_labels_of_weight_zero_are_none(masked):
    y_true = np.array([[1.0, 1.0], [3.0, NAN], [4.0, NAN]])
    y_pred = np.array([[9.0, 0.0], [3.0, 0.0], [6.0, 0.0]])
    with pytest.warns(UndefinedMetricWarning, match=r"target\(s\) \[1\]"):
        weighted = masked(y_true, y_pred, sample_weight=[0, 1, 1])
    assert weighted == masked(y_true[1:, 0], y_pred[1:, 0])


def test_r2_of_a_single_label():
    y_true = np.array([[1.0, 4.0], [3.0, NAN], [4.0, NAN]])
    y_pred = np.array([[2.0, 4.0], [3.0, 0.0], [6.0, 0.0]])
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        raw = masked_r2_score(y_true, y_pred, multioutput="raw_values")
    assert np.isnan(raw).tolist() == [False, True]
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert masked_r2_score(y_true, y_pred) == raw[0]
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert np.isnan(masked_r2_score(y_true[:1], y_pred[:1]))


@pytest.mark.parametrize("masked", MASKED)
@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 2)])
def test_no_label_at_all(masked, shape):
    with pytest.raises(ValueError, match="y_true has no label"):
        masked(np.full(shape, NAN), np.zeros(shape))


@pytest.mark.parametrize("masked", MASKED)
class TestRefusals:
    @pytest.mark.parametrize("bad", [NAN, np.inf])
    def test_prediction_not_finite(self, masked, bad):
        """Nor where the label is missing: a network that predicts NaN is broken."""
        with pytest.raises(ValueError, match="y_pred contains"):
            masked([[1.0, 2.0], [3.0, NAN]], [[1.0, 2.0], [3.0, bad]])

    def test_infinite_label(self, masked):
        with pytest.raises(ValueError, match="y_true contains infinity"):
            masked([1.0, np.inf], [1.0, 2.0])

    def test_shapes(self, masked):
        with pytest.raises(ValueError, match=r"y_pred has 3 rows of 1 target\(s\), but y_true"):
            masked(np.zeros((3, 2)), np.zeros(3))
        with pytest.raises(ValueError, match="y_pred has 4 rows"):
            masked(np.zeros(3), np.zeros(4))

    def test_negative_weight(self, masked):
        with pytest.raises(ValueError, match=r"Negative values .* `sample_weight`"):
            masked([1.0, 2.0], [1.0, 2.0], sample_weight=[1, -1])

    def test_multioutput(self, masked):
        with pytest.raises(ValueError, match="multioutput must be one of"):
            masked([1.0, 2.0], [1.0, 2.0], multioutput="variance_weighted")


@pytest.fixture
def two_properties(some_formulas):
    """Formulas and two properties, of which some labels are missing."""
    X, y = some_formulas
    y = np.column_stack([y, np.abs(y) * 100])
    y[::3, 0] = NAN
    y[1::4, 1] = NAN
    return X, y


class TestScorers:
    @pytest.mark.parametrize("name", SCORERS)
    def test_are_the_metrics_with_their_sign(self, name, two_properties):
        scorer, sign, metric = SCORERS[name]
        _, y = two_properties
        X = np.zeros((len(y), 1))
        model = DummyRegressor().fit(X, np.nan_to_num(y))
        weights = np.linspace(0, 1, len(y))
        y_pred = model.predict(X)
        assert scorer(model, X, y) == sign * metric(y, y_pred)
        assert scorer(model, X, y, sample_weight=weights) == sign * metric(
            y, y_pred, sample_weight=weights
        )

    @pytest.mark.parametrize("name", SCORERS)
    def test_pickle(self, name, two_properties):
        scorer = SCORERS[name][0]
        _, y = two_properties
        X = np.zeros((len(y), 1))
        model = DummyRegressor().fit(X, np.nan_to_num(y))
        copy = pickle.loads(pickle.dumps(scorer))
        assert copy(model, X, y) == scorer(model, X, y)

    def test_cross_validate(self, two_properties):
        X, y = two_properties
        cv = KFold(2)
        scoring = {name: scorer for name, (scorer, _, _) in SCORERS.items()}
        result = cross_validate(
            tiny_crabnet(),
            X,
            y,
            cv=cv,
            scoring=scoring,
            return_estimator=True,
            return_indices=True,
            error_score="raise",
        )
        for fold, (model, test) in enumerate(
            zip(result["estimator"], result["indices"]["test"], strict=True)
        ):
            y_pred = model.predict(X[test])
            for name, (_, sign, metric) in SCORERS.items():
                expected = sign * metric(y[test], y_pred)
                assert result[f"test_{name}"][fold] == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_grid_search(self, two_properties, n_jobs):
        X, y = two_properties
        search = GridSearchCV(
            tiny_crabnet(),
            {"max_epochs": [1, 8]},
            cv=2,
            scoring=masked_neg_mean_absolute_error_scorer,
            error_score="raise",
            n_jobs=n_jobs,
        )
        search.fit(X, y)
        scores = search.cv_results_["mean_test_score"]
        assert (scores < 0).all()
        assert len(set(scores)) == 2
        assert search.best_score_ == scores.max()
        assert search.score(X, y) == pytest.approx(
            -masked_mean_absolute_error(y, search.predict(X))
        )
        for k, epochs in enumerate([1, 8]):
            alone = cross_val_score(
                tiny_crabnet(max_epochs=epochs),
                X,
                y,
                cv=2,
                scoring=masked_neg_mean_absolute_error_scorer,
            )
            assert scores[k] == pytest.approx(alone.mean(), rel=1e-5)
