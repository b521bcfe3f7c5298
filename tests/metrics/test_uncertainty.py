import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import mean_absolute_error
from uncertain import CALIBRATED, N, sample, samples

from crabsk.metrics import confidence_curve, gaussian_nll, sharpness

HALF_LOG_2_PI = math.log(2 * math.pi) / 2
NAN = math.nan


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


def test_sharpness_weight_is_repetition():
    weights = [0, 3, 1]
    repeated = sharpness(np.repeat([1.0, 2.0, 5.0], weights))
    assert sharpness([1.0, 2.0, 5.0], sample_weight=weights) == pytest.approx(repeated)


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

    def test_oracle_is_the_lowest(self):
        y_true, y_pred, y_std = sample(20)
        errors = np.abs(y_true - y_pred)
        curves = [
            confidence_curve(y_true, y_pred, uncertainty, n_points=20)[1]
            for uncertainty in (errors, y_std, errors.max() - errors)
        ]
        smallest_first = np.cumsum(np.sort(errors)) / np.arange(1, 21)
        np.testing.assert_allclose(curves[0], smallest_first[::-1])
        # With nothing removed all are the mean of all errors.
        np.testing.assert_allclose([curve[0] for curve in curves], errors.mean())
        assert (np.diff(curves, axis=0)[:, 1:] > 0).all()

    @given(samples, st.floats(0.01, 100))
    def test_unit(self, arrays, unit):
        y_true, y_pred, y_std = arrays
        _, error = confidence_curve(*arrays)
        _, scaled = confidence_curve(y_true * unit, y_pred * unit, y_std * unit)
        np.testing.assert_allclose(scaled, error * unit, atol=1e-9)
