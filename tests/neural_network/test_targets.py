import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

from crabsk.neural_network._targets import TargetScaler

Y = np.array([[1.0, 10.0], [2.0, np.nan], [4.0, 30.0], [9.0, 70.0]])
WEIGHTS = np.array([1.0, 2.0, 1.0, 0.0])


def test_weighted_moments_of_what_is_labelled():
    scaler = TargetScaler().fit(Y, WEIGHTS)
    np.testing.assert_allclose(scaler.mean_, [(1 + 2 * 2 + 4) / 4, 20])
    variance = (1 * 1.25**2 + 2 * 0.25**2 + 1 * 1.75**2) / 4
    np.testing.assert_allclose(scaler.scale_, [variance**0.5, 10])
    scaled = scaler.transform(Y)
    assert np.isnan(scaled[1, 1])
    assert scaled[3, 1] == 5


@pytest.mark.parametrize("transform", [None, "log", "yeo-johnson", MinMaxScaler()], ids=str)
def test_round_trip(transform):
    scaler = TargetScaler(transform).fit(Y, np.ones(4))
    y = np.array([[1.5, 11.0], [8.0, 65.0]])
    mean, std = scaler.inverse(scaler.transform(y))
    np.testing.assert_allclose(mean, y)
    assert std is None


def test_standard_deviation_through_a_logarithm():
    """Half the distance between the images of mean + std and mean - std."""
    scaler = TargetScaler("log").fit(Y[:, :1], np.ones(4))
    mean, std = scaler.inverse(np.array([[0.0]]), np.array([[1.0]]))
    centre, scale = np.log(Y[:, 0]).mean(), np.log(Y[:, 0]).std()
    np.testing.assert_allclose(mean, np.exp(centre))
    np.testing.assert_allclose(std, np.exp(centre) * np.sinh(scale))


@pytest.mark.parametrize("value", [0.0, 7.3, 1e300, -1e-300])
def test_constant_targets_have_scale_one(value):
    scaler = TargetScaler().fit(np.full((5, 1), value), np.ones(5))
    assert scaler.scale_.tolist() == [1.0]
    assert scaler.transform(np.full((1, 1), value)) == pytest.approx(0)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_any_unit(scale):
    y = scale * np.array([[1.0], [2.0], [4.0]])
    scaled = TargetScaler().fit(y, np.ones(3)).transform(y)
    np.testing.assert_allclose(scaled.std(), 1)


def test_standard_deviation_where_one_side_has_no_image():
    y = np.array([[0.0], [0.1], [0.2], [50.0], [0.15], [0.05]])
    scaler = TargetScaler("yeo-johnson").fit(y, np.ones(6))
    edge = scaler.transform(y).max() - 1e-6
    mean, std = scaler.inverse(np.array([[edge]]), np.array([[1.0]]))
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert std > 0


def test_predictions_without_an_image_are_told():
    """Yeo-Johnson with a negative exponent has an upper bound; nothing beyond it has an inverse."""
    y = np.array([[0.0], [0.1], [0.2], [50.0], [0.15], [0.05]])
    scaler = TargetScaler("yeo-johnson").fit(y, np.ones(6))
    with pytest.warns(RuntimeWarning, match=r"1 prediction\(s\) are not finite"):
        scaler.inverse(np.array([[1e3]]))


@pytest.mark.parametrize(
    ("transform", "message"),
    [("log", r"above zero; row 0 has y = \[-1.\]"), ("yeo-johnson", None)],
)
def test_negative_targets(transform, message):
    y = np.array([[-1.0], [2.0], [3.0]])
    if message is None:
        assert np.isfinite(TargetScaler(transform).fit(y, np.ones(3)).transform(y)).all()
    else:
        with pytest.raises(ValueError, match=message):
            TargetScaler(transform).fit(y, np.ones(3))
