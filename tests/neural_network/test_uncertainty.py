"""Standard deviations: those of the members, and drawn by dropout."""

import numpy as np
import pytest
from tiny import REGRESSORS, tiny, tiny_crabnet

from crabsk import CrabNetRegressor, ElemNetRegressor, RoostRegressor


class TestDropout:
    @pytest.fixture
    def model(self, some_formulas):
        return tiny_crabnet(dropout=0.2).fit(*some_formulas)

    def test_widens_the_std_and_leaves_the_mean(self, model, some_formulas):
        X, _ = some_formulas
        mean, std = model.predict(X, return_std=True, mc_dropout=20)
        plain_mean, plain_std = model.predict(X, return_std=True)
        assert np.array_equal(mean, plain_mean)
        assert np.array_equal(mean, model.predict(X))
        assert (std > plain_std).all()

    def test_does_not_depend_on_the_rows_beside_it(self, model, some_formulas):
        X, _ = some_formulas
        draws = {"return_std": True, "mc_dropout": 20}
        whole = model.predict(X, **draws)[1]
        np.testing.assert_allclose(model.predict(X[:7], **draws)[1], whole[:7], rtol=1e-4)
        assert np.array_equal(model.predict(X, **draws)[1], whole)

    def test_rows_without_elements(self, model):
        """All-zero rows may come first, and alone."""
        amounts = np.zeros((9, 3))
        amounts[8, 0] = 1.0
        fitted = tiny_crabnet(dropout=0.2).fit(amounts[7:], [1.0, 3.0])
        _, std = fitted.predict(amounts, return_std=True, mc_dropout=5)
        assert np.isfinite(std).all()
        _, alone = fitted.predict(amounts[:1], return_std=True, mc_dropout=5)
        assert np.isfinite(alone).all()

    def test_shares_the_weights(self, model):
        (network,) = model._networks()
        first, second = model._sampled_networks(2)
        for name, weight in network.state_dict().items():
            assert first.state_dict()[name].data_ptr() == weight.data_ptr()
            assert second.state_dict()[name].data_ptr() == weight.data_ptr()

    def test_for_elemnet(self, some_formulas):
        X, y = some_formulas
        plain = tiny(ElemNetRegressor, dropout=(0.3,)).fit(X, y)
        _, without = plain.predict(X, return_std=True)
        _, std = plain.predict(X, return_std=True, mc_dropout=10)
        assert (std > without).all()

    @pytest.mark.parametrize("cls", [CrabNetRegressor, RoostRegressor])
    def test_networks_that_drop_nothing_are_refused(self, cls, some_formulas):
        X, y = some_formulas
        model = tiny(cls).fit(X, y)
        with pytest.raises(ValueError, match="mc_dropout=5 would draw the same network each time"):
            model.predict(X, return_std=True, mc_dropout=5)

    @pytest.mark.parametrize("draws", [-1, 1001, 2.5])
    def test_wrong_numbers(self, model, draws):
        with pytest.raises((ValueError, TypeError), match="mc_dropout"):
            model.predict(["NaCl"], return_std=True, mc_dropout=draws)

    def test_without_a_standard_deviation(self, model):
        with pytest.raises(ValueError, match="ask for them with return_std=True"):
            model.predict(["NaCl"], mc_dropout=5)


@pytest.mark.parametrize("cls", REGRESSORS)
def test_total_variance(cls, some_formulas):
    X, y = some_formulas
    model = tiny(cls, n_estimators=3).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    members = list(model.nets_)
    alone = []
    for member in members:
        model.nets_ = [member]
        alone.append(model.predict(X, return_std=True))
    means, stds = np.array(alone).transpose(1, 0, 2)
    np.testing.assert_allclose(means.mean(axis=0), mean, rtol=1e-6)
    np.testing.assert_allclose(np.sqrt((stds**2).mean(axis=0) + means.var(axis=0)), std, rtol=1e-6)


def test_paper_preset_learns_the_uncertainty_with_the_mean():
    assert CrabNetRegressor.from_preset("paper").loss == "robust_l1"
