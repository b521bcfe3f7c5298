"""What all metrics of standard deviations make of their input."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning
from uncertain import sample, samples

from crabsk.metrics import (
    confidence_curve,
    coverage,
    coverage_curve,
    gaussian_nll,
    miscalibration_area,
)

SCALARS = [gaussian_nll, coverage, miscalibration_area]
CURVES = [coverage_curve, confidence_curve]
NAN = math.nan


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("n_points", [1, 0, -3])
def test_a_curve_has_two_points_or_more(curve, n_points):
    with pytest.raises(ValueError, match="n_points"):
        curve([1.0], [1.0], [1.0], n_points=n_points)


@pytest.mark.parametrize("metric", [*SCALARS, *CURVES])
@given(arrays=samples, seed=st.integers(0, 1000))
def test_order_of_rows_does_not_matter(metric, arrays, seed):
    shuffled = np.random.default_rng(seed).permutation(len(arrays[0]))
    np.testing.assert_allclose(
        metric(*(array[shuffled] for array in arrays)), metric(*arrays), atol=1e-12
    )


@pytest.mark.parametrize("metric", [*SCALARS, *CURVES])
@given(arrays=samples, data=st.data())
def test_weight_is_repetition(metric, arrays, data):
    n = len(arrays[0])
    weights = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any))
    repeated = metric(*(np.repeat(array, weights) for array in arrays))
    np.testing.assert_allclose(metric(*arrays, sample_weight=weights), repeated, atol=1e-12)


@pytest.mark.parametrize("metric", SCALARS)
def test_targets_one_by_one(metric):
    """Each target counts on its labelled rows, and alike in the average."""
    y_true, y_pred, y_std = sample(40, 3)
    y_true[:30, 1] = NAN
    y_true[5, 2] = NAN
    weights = np.linspace(0, 1, 40)
    raw = metric(y_true, y_pred, y_std, sample_weight=weights, multioutput="raw_values")
    expected = [
        metric(*(a[rows, k] for a in (y_true, y_pred, y_std)), sample_weight=weights[rows])
        for k, rows in enumerate(~np.isnan(y_true.T))
    ]
    np.testing.assert_allclose(raw, expected)
    assert len(set(raw)) == 3
    average = metric(y_true, y_pred, y_std, sample_weight=weights)
    assert average == pytest.approx(raw.mean())
    assert isinstance(average, float)


@pytest.mark.parametrize("curve", CURVES)
def test_curves_of_targets_one_by_one(curve):
    y_true, y_pred, y_std = sample(40, 3)
    y_true[:30, 1] = NAN
    x, curves = curve(y_true, y_pred, y_std)
    assert curves.shape == (len(x), 3)
    for k, rows in enumerate(~np.isnan(y_true.T)):
        _, alone = curve(*(a[rows, k] for a in (y_true, y_pred, y_std)))
        assert alone.shape == x.shape
        np.testing.assert_allclose(curves[:, k], alone)


@pytest.mark.parametrize("metric", SCALARS)
def test_target_without_a_label(metric):
    y_true, y_pred, y_std = sample(9, 2)
    y_true[:, 1] = NAN
    with pytest.warns(UndefinedMetricWarning, match=r"target\(s\) \[1\]") as record:
        raw = metric(y_true, y_pred, y_std, multioutput="raw_values")
    assert record[0].filename == __file__
    assert np.isnan(raw).tolist() == [False, True]
    with pytest.warns(UndefinedMetricWarning):
        assert metric(y_true, y_pred, y_std) == raw[0]


@pytest.mark.parametrize("curve", CURVES)
def test_curve_of_a_target_without_a_label(curve):
    y_true, y_pred, y_std = sample(9, 2)
    y_true[:, 1] = NAN
    with pytest.warns(UndefinedMetricWarning, match=r"target\(s\) \[1\]") as record:
        _, curves = curve(y_true, y_pred, y_std)
    assert record[0].filename == __file__
    assert np.isnan(curves[:, 1]).all()
    assert not np.isnan(curves[:, 0]).any()


@pytest.mark.parametrize("metric", [*SCALARS, *CURVES])
class TestInput:
    def test_containers(self, metric):
        arrays = sample(12, 2)
        expected = metric(*arrays)
        np.testing.assert_equal(metric(*map(np.ndarray.tolist, arrays)), expected)
        np.testing.assert_equal(metric(*map(pd.DataFrame, arrays)), expected)

    def test_series(self, metric):
        arrays = sample(12)
        shifted = [pd.Series(a, index=range(k, k + 12)) for k, a in enumerate(arrays)]
        np.testing.assert_array_equal(metric(*shifted), metric(*arrays))

    def test_one_column_is_one_target(self, metric):
        y_true, y_pred, y_std = sample(12)
        np.testing.assert_array_equal(
            metric(y_true, y_pred[:, None], y_std), metric(y_true, y_pred, y_std)
        )

    @pytest.mark.parametrize("position", [1, 2])
    def test_shapes(self, metric, position):
        name = ("y_true", "y_pred", "y_std")[position]
        for other in (sample(11, 2), sample(12, 3), sample(12)):
            arrays = list(sample(12, 2))
            arrays[position] = other[position]
            with pytest.raises(ValueError, match=f"{name} has .* but y_true has 12 of 2"):
                metric(*arrays)

    @pytest.mark.parametrize(
        ("position", "value", "message"),
        [
            (0, math.inf, "y_true contains infinity"),
            (1, NAN, "y_pred contains NaN"),
            (1, -math.inf, "y_pred contains infinity"),
            (2, NAN, "y_std contains NaN"),
            (2, math.inf, "y_std contains infinity"),
            (2, -1e-9, "Negative values in data passed to y_std"),
        ],
    )
    def test_values(self, metric, position, value, message):
        arrays = sample(12, 2)
        arrays[position][3, 1] = value
        with pytest.raises(ValueError, match=message):
            metric(*arrays)

    @pytest.mark.parametrize("weights", [np.full(12, -1.0), np.ones(11), np.full(12, NAN)])
    def test_weights(self, metric, weights):
        with pytest.raises(ValueError, match=r"sample_weight"):
            metric(*sample(12), sample_weight=weights)

    def test_no_label_at_all(self, metric):
        _, y_pred, y_std = sample(3, 2)
        with pytest.raises(ValueError, match="y_true has no label"):
            metric(np.full((3, 2), NAN), y_pred, y_std)
        y_true = [[1.0, NAN], [NAN, NAN], [NAN, NAN]]
        with pytest.raises(ValueError, match="y_true has no label with a weight above 0"):
            metric(y_true, y_pred, y_std, sample_weight=[0, 1, 1])

    def test_leaves_its_input_alone(self, metric):
        arrays = sample(12, 2)
        copies = [array.copy() for array in arrays]
        metric(*arrays)
        for array, copy in zip(arrays, copies, strict=True):
            np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("multioutput", ["variance_weighted", "mean", [0.5, 0.5], None])
@pytest.mark.parametrize("metric", SCALARS)
def test_multioutput(metric, multioutput):
    with pytest.raises(ValueError, match="multioutput must be one of"):
        metric(*sample(12, 2), multioutput=multioutput)
