"""Standard deviations: calibrated, and drawn by dropout."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split
from tiny import REGRESSORS, tiny, tiny_crabnet

from crabsk import CrabNetRegressor, ElemNetRegressor
from crabsk.metrics import coverage, gaussian_nll
from crabsk.neural_network._targets import calibration_factor


@pytest.fixture(scope="module")
def split(formation_enthalpy):
    """800 rows to train on and 400 others."""
    X, y = formation_enthalpy
    return train_test_split(X, y, train_size=800, test_size=400, random_state=0)


@pytest.fixture(scope="module")
def calibrated(split):
    X, _, y, _ = split
    settings = {"max_epochs": 15, "n_estimators": 2, "validation_fraction": 0.25}
    return tiny_crabnet(calibration=True, **settings).fit(X, y)


class TestCalibration:
    def test_factor_multiplies_the_std(self, calibrated, split):
        _, X, _, _ = split
        mean, std = calibrated.predict(X, return_std=True)
        factor = calibrated.calibration_factor_
        assert factor.shape == (1,)
        assert factor[0] != 1
        calibrated.calibration_factor_ = np.ones(1)
        plain_mean, plain_std = calibrated.predict(X, return_std=True)
        calibrated.calibration_factor_ = factor
        assert np.array_equal(mean, plain_mean)
        np.testing.assert_allclose(std, factor * plain_std)

    def test_unseen_rows_are_covered(self, calibrated, split):
        _, X, _, y = split
        mean, std = calibrated.predict(X, return_std=True)
        assert coverage(y, mean, std, level=0.9) == pytest.approx(0.9, abs=0.06)
        assert gaussian_nll(y, mean, std) < gaussian_nll(y, mean, std / 4)

    def test_validation_data_take_the_place_of_held_out_rows(self, split):
        X, X_held, y, y_held = split
        model = tiny_crabnet(calibration=True).fit(X, y, X_val=X_held, y_val=y_held)
        assert np.array_equal(tiny_crabnet().fit(X, y).predict(X), model.predict(X))
        mean, std = model.predict(X_held, return_std=True)
        assert coverage(y_held, mean, std, level=0.9) == pytest.approx(0.9, abs=0.01)

    def test_held_out_rows_are_not_trained_on(self, some_formulas):
        """The same rows for all members, so that no network has seen them."""
        X, y = some_formulas
        settings = {"calibration": True, "validation_fraction": 0.5, "n_estimators": 2}
        model = tiny_crabnet(**settings).fit(X, y)
        ignored = 0
        for row in range(0, 60, 6):
            changed = y.copy()
            changed[row], changed[row - 1] = y[row - 1], y[row]
            both = tiny_crabnet(**settings).fit(X, changed)
            ignored += np.array_equal(both.predict(X), model.predict(X))
        assert 0 < ignored < 10

    @pytest.mark.parametrize("settings", [{"calibration": True}, {"early_stopping": True}])
    def test_nothing_is_fitted_to_what_is_held_out(self, split, settings):
        """A label or a temperature far off changes no prediction, if its row is held out."""
        X, _, y, _ = split
        X, y = X[:60], y[:60]
        T = np.linspace(300, 400, 60)
        settings = {**settings, "max_epochs": 1, "validation_fraction": 0.3}

        def predictions(T, y):
            model = tiny_crabnet(**settings).fit(np.column_stack([X, T]).astype(object), y)
            at_350 = np.column_stack([X, np.full(60, 350.0)]).astype(object)
            return model.predict(at_350)

        expected = predictions(T, y)
        far = np.eye(60)[::3] * 50
        of_labels = [np.array_equal(predictions(T, y + row), expected) for row in far]
        of_features = [np.array_equal(predictions(T + row, y), expected) for row in far]
        assert of_labels == of_features
        assert 2 <= sum(of_labels) <= 12

    def test_each_target_has_its_own_factor(self, split):
        X, _, y, _ = split
        noise = np.random.default_rng(0).normal(size=len(y))
        both = np.column_stack([y, noise])
        both[::3, 1] = np.nan
        model = tiny_crabnet(calibration=True).fit(X, both)
        assert model.calibration_factor_.shape == (2,)
        assert model.calibration_factor_[0] != model.calibration_factor_[1]

    def test_coverage_is_in_the_unit_of_the_target(self, split):
        """Behind an exponential, half the distance between two images is no normal width."""
        X, X_held, y, y_held = split
        model = tiny_crabnet(calibration=True, target_transform="log").fit(
            X, np.exp(2 * y), X_val=X_held, y_val=np.exp(2 * y_held)
        )
        mean, std = model.predict(X_held, return_std=True)
        covered = (np.abs(np.exp(2 * y_held) - mean) <= 1.644854 * std).mean()
        assert 0.9 <= covered < 0.9 + 2 / len(y_held) + 0.01

    def test_an_error_that_is_no_number_is_the_largest(self):
        errors, ones = np.full((30, 1), np.nan), np.ones((30, 1))
        errors[3:] = 1.0
        assert np.isinf(calibration_factor(errors, ones, ones, np.arange(30))[0])
        errors[1:] = 1.0
        assert calibration_factor(errors, ones, ones, np.arange(30))[0] == pytest.approx(
            1 / 1.644854
        )

    def test_factor(self):
        rng = np.random.default_rng(0)
        ratios = np.column_stack([np.abs(3 * rng.normal(size=20_000)), np.full(20_000, 2.0)])
        weights = np.ones((20_000, 2))
        weights[9:, 1] = 0
        normal, single = calibration_factor(
            ratios, np.ones_like(ratios), weights, np.arange(20_000)
        )
        assert normal == pytest.approx(3, rel=0.02)
        assert single == pytest.approx(2 / 1.645, rel=1e-3)
        weights[:10_000, 0] = 0
        ratios[:10_000, 0] = 1e6
        (factor, _) = calibration_factor(ratios, np.ones_like(ratios), weights, np.arange(20_000))
        assert factor == pytest.approx(3, rel=0.03)

    def test_too_few_labels_warn(self):
        ratios = np.arange(1.0, 9.0)[:, None]
        with pytest.warns(UserWarning, match="8 compositions with a label of target 0"):
            factor = calibration_factor(ratios, np.ones((8, 1)), np.ones((8, 1)), np.arange(8))
        assert factor == pytest.approx(8 / 1.644854)

    @pytest.mark.parametrize("settings", [{"calibration": True}, {"early_stopping": True}])
    def test_a_target_without_held_out_labels_is_refused(self, split, settings):
        X, _, y, _ = split
        sparse = np.column_stack([y, np.where(np.arange(len(y)) == 7, y, np.nan)])
        with pytest.raises(ValueError, match=r"no label of target 1 to (train on|hold out)"):
            tiny_crabnet(**settings).fit(X, sparse)

    @pytest.mark.parametrize("settings", [{"calibration": True}, {"early_stopping": True}])
    def test_a_warm_start_would_hold_out_what_was_trained_on(self, split, settings):
        X, X_held, y, y_held = split
        model = tiny_crabnet(warm_start=True, max_epochs=1, **settings).fit(X, y)
        with pytest.raises(ValueError, match="give X_val and y_val"):
            model.fit(X, y)
        model.fit(X, y, X_val=X_held, y_val=y_held)

    def test_a_compound_is_held_out_at_all_temperatures(self, split):
        """Else the factor would be that of compounds that are known at other temperatures."""
        X, X_new, y, y_new = split
        T = np.tile([0.0, 1.0, 2.0, 3.0], 150)
        long, y_long = np.repeat(X[:150], 4), np.repeat(y[:150], 4) + 0.1 * T
        rows = np.column_stack([long, T]).astype(object)
        settings = {"max_epochs": 40, "d_model": 64, "validation_fraction": 0.25}
        model = tiny_crabnet(calibration=True, **settings).fit(rows, y_long)
        mean, std = model.predict(
            np.column_stack([X_new, np.ones(len(X_new))]).astype(object), return_std=True
        )
        assert coverage(y_new + 0.1, mean, std, level=0.9) > 0.8

    def test_factor_of_few_labels_is_the_conformal_quantile(self):
        """Of 19 errors the 18th: new ones exceed it with a probability of a tenth."""
        ratios = np.arange(1.0, 20)[:, None]
        factor = calibration_factor(ratios, np.ones((19, 1)), np.ones((19, 1)), np.arange(19))
        assert factor[0] == pytest.approx(18 / 1.644854)

    def test_compositions_count_and_not_their_rows(self):
        """Nineteen compounds at fifty temperatures are nineteen: their own errors are alike."""
        rng = np.random.default_rng(0)
        covered = []
        for _ in range(2000):
            own, new = (
                np.abs(rng.normal(size=(n, 1)) + 0.2 * rng.normal(size=50)) for n in (19, 1)
            )
            ratios, ones = own.reshape(-1, 1), np.ones((19 * 50, 1))
            (factor,) = calibration_factor(ratios, ones, ones, np.repeat(np.arange(19), 50))
            covered.append((new <= 1.644854 * factor).mean())
        assert 0.9 <= np.mean(covered) < 0.95

    def test_few_compositions_with_many_rows_warn(self, split):
        X, _, y, _ = split
        T = np.tile(np.arange(50.0), 10)
        rows = np.column_stack([np.repeat(X[:10], 50), T]).astype(object)
        with pytest.warns(UserWarning, match="1 compositions with a label of target 0"):
            tiny_crabnet(calibration=True, max_epochs=1).fit(rows, np.repeat(y[:10], 50) + T)


class TestDropout:
    @pytest.fixture
    def model(self, some_formulas):
        return tiny_crabnet(dropout=0.2, mc_dropout=20).fit(*some_formulas)

    def test_widens_the_std_and_leaves_the_mean(self, model, some_formulas):
        X, y = some_formulas
        plain = tiny_crabnet(dropout=0.2).fit(X, y)
        mean, std = model.predict(X, return_std=True)
        plain_mean, plain_std = plain.predict(X, return_std=True)
        assert np.array_equal(mean, plain_mean)
        assert np.array_equal(mean, model.predict(X))
        assert (std > plain_std).all()

    def test_does_not_depend_on_the_rows_beside_it(self, model, some_formulas):
        X, _ = some_formulas
        whole = model.predict(X, return_std=True)[1]
        np.testing.assert_allclose(model.predict(X[:7], return_std=True)[1], whole[:7], rtol=1e-4)
        assert np.array_equal(model.predict(X, return_std=True)[1], whole)

    def test_rows_without_elements(self, model):
        """All-zero rows may come first, and alone."""
        amounts = np.zeros((9, 3))
        amounts[8, 0] = 1.0
        fitted = tiny_crabnet(dropout=0.2, mc_dropout=5).fit(amounts[7:], [1.0, 3.0])
        _, std = fitted.predict(amounts, return_std=True)
        assert np.isfinite(std).all()
        _, alone = fitted.predict(amounts[:1], return_std=True)
        assert np.isfinite(alone).all()

    def test_shares_the_weights(self, model):
        (network,) = model._networks()
        first, second = model._sampled_networks()[:2]
        for name, weight in network.state_dict().items():
            assert first.state_dict()[name].data_ptr() == weight.data_ptr()
            assert second.state_dict()[name].data_ptr() == weight.data_ptr()

    def test_calibrated_for_another_number_of_draws(self, some_formulas):
        X, y = some_formulas
        settings = {"calibration": True, "validation_fraction": 0.2, "dropout": 0.2}
        model = tiny_crabnet(**settings).fit(X, y)
        model.predict(X, return_std=True)
        with pytest.warns(UserWarning, match="learnt with mc_dropout=0, and now it is 4"):
            model.set_params(mc_dropout=4).predict(X, return_std=True)

    def test_for_elemnet(self, some_formulas):
        X, y = some_formulas
        plain = tiny(ElemNetRegressor, dropout=(0.3,)).fit(X, y)
        _, without = plain.predict(X, return_std=True)
        _, std = plain.set_params(mc_dropout=10).predict(X, return_std=True)
        assert (std > without).all()

    def test_networks_that_drop_nothing_do_not_scatter(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(dropout=0.0, mc_dropout=5).fit(X, y)
        with pytest.warns(UserWarning, match="mc_dropout=5 draws the same network each time"):
            _, std = model.predict(X, return_std=True)
        _, plain = model.set_params(mc_dropout=0).predict(X, return_std=True)
        np.testing.assert_array_equal(std, plain)


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
