import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from uncertain import CALIBRATED, N, sample, samples

from crabsk.metrics import coverage, coverage_curve, miscalibration_area


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
        assert 0 <= miscalibration_area(*arrays) <= 0.5 + 1e-12

    def test_extremes(self):
        ones, zeros = np.ones(5), np.zeros(5)
        assert miscalibration_area(ones, ones, ones) == 0.5  # as if nothing were known
        assert miscalibration_area(ones, zeros, 1e-320 * ones) == 0.5  # the error cannot be seen
        assert miscalibration_area(ones, zeros, zeros) == 0.5
        assert miscalibration_area(ones, ones, zeros) == 0.5


@given(
    arrays=samples, unit=st.sampled_from([2.0**-20, 0.5, 8.0, 2.0**30]), shift=st.integers(-9, 9)
)
def test_calibration_knows_no_unit(arrays, unit, shift):
    y_true, y_pred, y_std = arrays
    moved = (y_true + shift) * unit, (y_pred + shift) * unit, y_std * unit
    assert coverage(*moved) == coverage(*arrays)
    assert miscalibration_area(*moved) == miscalibration_area(*arrays)
    np.testing.assert_array_equal(coverage_curve(*moved), coverage_curve(*arrays))
