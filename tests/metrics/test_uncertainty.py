import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import mean_absolute_error

from crabsk.metrics import (
    confidence_curve,
    coverage,
    coverage_curve,
    gaussian_nll,
    miscalibration_area,
    sharpness,
)

SCALARS = [gaussian_nll, coverage, miscalibration_area]
CURVES = [coverage_curve, confidence_curve]
HALF_LOG_2_PI = math.log(2 * math.pi) / 2
NAN = math.nan

# Errors in standard deviations at the midpoints of 2000 equally probable slices of a normal
# distribution: as calibrated as a sample can be.
N = 2000
CALIBRATED = norm.ppf((np.arange(N) + 0.5) / N)


def sample(n=50, k=None, seed=0):
    """Return labels, predictions and standard deviations, differently wrong in each target."""
    rng = np.random.default_rng(seed)
    shape = n if k is None else (n, k)
    y_pred = rng.normal(size=shape)
    y_std = rng.uniform(0.2, 2, size=shape)
    return y_pred + rng.standard_t(4, size=shape) * y_std, y_pred, y_std


samples = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        arrays(float, n, elements=st.integers(-50, 50)),
        arrays(float, n, elements=st.integers(-50, 50)),
        arrays(float, n, elements=st.integers(1, 6)),
    )
)


class TestGaussianNll:
    def test_by_hand(self):
        value = gaussian_nll([1.0, 5.0], [1.0, 2.0], [1.0, 3.0])
        assert value == pytest.approx(HALF_LOG_2_PI + (0 + math.log(3) + 0.5) / 2)
        assert isinstance(value, float)

    def test_is_scipys_density(self):
        y_true, y_pred, y_std = sample()
        expected = -norm.logpdf(y_true, loc=y_pred, scale=y_std).mean()
        assert gaussian_nll(y_true, y_pred, y_std) == pytest.approx(expected)

    def test_is_least_for_the_true_spread(self):
        zeros = np.zeros(N)
        values = [gaussian_nll(CALIBRATED, zeros, zeros + s) for s in (0.8, 0.95, 1, 1.05, 1.2)]
        assert np.argmin(values) == 2
        # The entropy of a normal distribution, bar the tails that the sample lacks.
        assert values[2] == pytest.approx(HALF_LOG_2_PI + 0.5, abs=1e-3)

    @given(samples, st.floats(0.01, 100))
    def test_another_unit_shifts_it(self, arrays, unit):
        y_true, y_pred, y_std = arrays
        shifted = gaussian_nll(y_true * unit, y_pred * unit, y_std * unit)
        assert shifted == pytest.approx(gaussian_nll(*arrays) + math.log(unit), abs=1e-9)

    def test_a_point_has_no_density(self):
        with pytest.raises(ValueError, match=r"y_std is 0 for 2 label\(s\)"):
            gaussian_nll([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [0.0, 1.0, 0.0])

    def test_a_point_without_a_label_does_no_harm(self):
        y_true, y_std = [NAN, 2.0, 3.0], [0.0, 1.0, 0.0]
        value = gaussian_nll(y_true, [1.0, 2.0, 3.0], y_std, sample_weight=[1, 1, 0])
        assert value == pytest.approx(HALF_LOG_2_PI)


class TestSharpness:
    def test_by_hand(self):
        y_std = np.array([[1.0, 3.0], [7.0, 3.0]])
        np.testing.assert_allclose(sharpness(y_std, multioutput="raw_values"), [5, 3])
        assert sharpness(y_std) == pytest.approx(4)
        assert sharpness(y_std[:, 0], sample_weight=[3, 1]) == pytest.approx(math.sqrt(52 / 4))

    def test_of_points(self):
        assert sharpness([0.0, 0.0]) == 0

    @pytest.mark.parametrize("bad", [[1.0, -1.0], [1.0, NAN], [1.0, math.inf]])
    def test_bad_values(self, bad):
        with pytest.raises(ValueError, match="y_std"):
            sharpness(bad)


class TestCoverage:
    @pytest.mark.parametrize(
        ("level", "expected"), [(0.6, 0.25), (0.7, 0.5), (0.96, 0.75), (0.999, 1)]
    )
    def test_by_hand(self, level, expected):
        """Errors of 0, 1, 2 and 3 standard deviations; 68, 95 and 99.7 % are the known levels."""
        y_pred, y_std = np.zeros(4), np.full(4, 2.0)
        assert coverage([0.0, -2.0, 4.0, 6.0], y_pred, y_std, level=level) == expected

    @pytest.mark.parametrize("level", [0.1, 0.5, 0.9, 0.99])
    def test_of_calibrated_predictions_is_the_level(self, level):
        assert coverage(CALIBRATED, np.zeros(N), np.ones(N), level=level) == pytest.approx(level)

    @pytest.mark.parametrize("level", [0.5, 0.9])
    def test_is_the_share_in_scipys_interval(self, level):
        y_true, y_pred, y_std = sample(500)
        low, high = norm.interval(level, y_pred, y_std)
        expected = np.mean((low <= y_true) & (y_true <= high))
        assert coverage(y_true, y_pred, y_std, level=level) == expected

    @pytest.mark.parametrize("level", [0, 1, -0.1, 90])
    def test_level_is_a_probability(self, level):
        with pytest.raises(ValueError, match="level"):
            coverage([1.0], [1.0], [1.0], level=level)

    def test_level_is_a_number(self):
        with pytest.raises(TypeError, match="level"):
            coverage([1.0], [1.0], [1.0], level="90%")

    def test_a_point_covers_itself(self):
        assert coverage([1.0, 2.0], [1.0, 2.5], [0.0, 0.0], level=0.999) == 0.5


class TestCoverageCurve:
    def test_by_hand(self):
        expected, observed = coverage_curve(
            [0.0, 1.0, -2.0, 3.0], np.zeros(4), np.ones(4), sample_weight=[1, 2, 4, 3], n_points=11
        )
        np.testing.assert_allclose(expected, np.arange(11) / 10)
        np.testing.assert_allclose(observed, [*[0.1] * 7, *[0.3] * 3, 1])

    def test_is_coverage_at_every_level(self):
        arrays = sample()
        levels, shares = coverage_curve(*arrays)
        assert len(levels) == 101
        expected = [coverage(*arrays, level=float(level)) for level in levels[1:-1]]
        np.testing.assert_allclose(shares[1:-1], expected)
        assert shares[-1] == 1

    def test_calibrated_is_the_diagonal(self):
        expected, observed = coverage_curve(CALIBRATED, np.zeros(N), np.ones(N))
        np.testing.assert_allclose(observed, expected, atol=1 / N)

    def test_overconfident_lies_below_the_diagonal(self):
        expected, observed = coverage_curve(CALIBRATED, np.zeros(N), np.full(N, 0.5))
        assert (observed <= expected + 1e-12).all()
        # The interval that should hold 68 % is half as wide as it ought to be.
        level = norm.cdf(1) - norm.cdf(-1)
        at_level = np.interp(level, expected, observed)
        assert at_level == pytest.approx(norm.cdf(0.5) - norm.cdf(-0.5), abs=1e-2)


class TestMiscalibrationArea:
    @pytest.mark.parametrize("error", [0, 0.3, -1, 2.5])
    def test_of_one_label_by_hand(self, error):
        """Two triangles: below the diagonal up to the label's level, above it from there."""
        level = norm.cdf(abs(error)) - norm.cdf(-abs(error))
        expected = (level**2 + (1 - level) ** 2) / 2
        assert miscalibration_area([error], [0.0], [1.0]) == pytest.approx(expected)

    def test_of_calibrated_predictions(self):
        assert miscalibration_area(CALIBRATED, np.zeros(N), np.ones(N)) < 1 / N

    @pytest.mark.parametrize("ratio", [0.1, 0.5, 0.8, 1.25, 2, 10])
    def test_of_wrong_spread(self, ratio):
        """Errors `ratio` times as wide as they ought to be have mean level 2 / pi arctan(ratio)."""
        area = miscalibration_area(ratio * CALIBRATED, np.zeros(N), np.ones(N))
        assert area == pytest.approx(abs(2 / math.pi * math.atan(ratio) - 0.5), abs=1e-3)

    def test_of_calibrated_predictions_falls_with_the_root_of_their_number(self):
        rng = np.random.default_rng(0)
        n = 400
        areas = [
            miscalibration_area(rng.normal(size=n), np.zeros(n), np.ones(n)) for _ in range(300)
        ]
        assert np.mean(areas) == pytest.approx(0.31 / math.sqrt(n), rel=0.1)

    def test_is_the_integral_of_the_curve(self):
        arrays = sample(300)
        expected, observed = coverage_curve(*arrays, n_points=200_001)
        integral = np.trapezoid(np.abs(observed - expected), expected)
        assert miscalibration_area(*arrays) == pytest.approx(integral, abs=1e-5)

    @given(samples)
    def test_bounds(self, arrays):
        assert 0 <= miscalibration_area(*arrays) <= 0.5

    def test_extremes(self):
        ones, zeros = np.ones(5), np.zeros(5)
        assert miscalibration_area(ones, ones, ones) == 0.5  # as if nothing were known
        assert miscalibration_area(ones, zeros, 1e-320 * ones) == 0.5  # the error cannot be seen
        assert miscalibration_area(ones, zeros, zeros) == 0.5
        assert miscalibration_area(ones, ones, zeros) == 0.5


class TestConfidenceCurve:
    def test_is_mean_absolute_error_of_the_rest(self):
        y_true, y_pred, y_std = sample(20)
        removed, error = confidence_curve(y_true, y_pred, y_std, n_points=20)
        np.testing.assert_allclose(removed, np.arange(20) / 20)
        certain_first = np.argsort(y_std)
        for n_removed in range(20):
            rest = certain_first[: 20 - n_removed]
            expected = mean_absolute_error(y_true[rest], y_pred[rest])
            assert error[n_removed] == pytest.approx(expected)

    def test_within_a_row(self):
        """A quarter of the weight removed: all of the row of weight 1, a half of that of 2."""
        _, error = confidence_curve(
            [3.0, 6.0, 1.0], np.zeros(3), [2.0, 3.0, 1.0], sample_weight=[2, 1, 5], n_points=4
        )
        np.testing.assert_allclose(error[1], (5 * 1 + 1 * 3) / 6)

    def test_equal_standard_deviations_tell_nothing(self):
        y_true, y_pred, y_std = sample()
        _, error = confidence_curve(y_true, y_pred, np.ones_like(y_std))
        np.testing.assert_allclose(error, mean_absolute_error(y_true, y_pred))

    def test_oracle_is_the_lowest_and_falls(self):
        y_true, y_pred, y_std = sample()
        _, error = confidence_curve(y_true, y_pred, y_std)
        _, oracle = confidence_curve(y_true, y_pred, np.abs(y_true - y_pred))
        assert (oracle <= error + 1e-12).all()
        assert (np.diff(oracle) <= 1e-12).all()
        assert oracle[0] == error[0]

    @given(samples, st.floats(0.01, 100))
    def test_unit(self, arrays, unit):
        y_true, y_pred, y_std = arrays
        _, error = confidence_curve(*arrays)
        _, scaled = confidence_curve(y_true * unit, y_pred * unit, y_std * unit)
        np.testing.assert_allclose(scaled, error * unit, atol=1e-9)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("n_points", [1, 0, -3])
def test_a_curve_has_two_points_or_more(curve, n_points):
    with pytest.raises(ValueError, match="n_points"):
        curve([1.0], [1.0], [1.0], n_points=n_points)


@given(
    arrays=samples, unit=st.sampled_from([2.0**-20, 0.5, 8.0, 2.0**30]), shift=st.integers(-9, 9)
)
def test_calibration_knows_no_unit(arrays, unit, shift):
    y_true, y_pred, y_std = arrays
    moved = (y_true + shift) * unit, (y_pred + shift) * unit, y_std * unit
    assert coverage(*moved) == coverage(*arrays)
    assert miscalibration_area(*moved) == miscalibration_area(*arrays)
    np.testing.assert_array_equal(coverage_curve(*moved), coverage_curve(*arrays))


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


def test_sharpness_weight_is_repetition():
    weights = [0, 3, 1]
    repeated = sharpness(np.repeat([1.0, 2.0, 5.0], weights))
    assert sharpness([1.0, 2.0, 5.0], sample_weight=weights) == pytest.approx(repeated)


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
