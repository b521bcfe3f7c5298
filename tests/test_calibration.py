"""CalibratedRegressorCV: standard deviations held to errors on samples that were not seen."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from tiny import REGRESSORS, tiny, tiny_crabnet

from crabsk import CalibratedRegressorCV, CompositionTransformer, CrabNetRegressor
from crabsk._intervals import calibration_factor
from crabsk.composition import chemical_system
from crabsk.metrics import coverage, gaussian_nll


@pytest.fixture(scope="module")
def split(formation_enthalpy):
    """800 rows to train on and 400 others."""
    X, y = formation_enthalpy
    return train_test_split(X, y, train_size=800, test_size=400, random_state=0)


def factor_of(errors, stds, weights, groups):
    """The factor of two clones that agree, and err so."""
    means = np.zeros((2, *errors.shape))
    return calibration_factor(errors, means, np.stack([stds, stds]), weights, groups, 8)


@pytest.mark.filterwarnings("ignore:calibration has")
@parametrize_with_checks(
    [CalibratedRegressorCV(BayesianRidge(), n_estimators=4)],
    expected_failed_checks=lambda estimator: {
        "check_dtype_object": "BayesianRidge itself fails at standard deviations of such an array"
    },
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


class TestCoverage:
    def test_unseen_rows_are_covered(self, split):
        X, X_new, y, y_new = split
        model = CalibratedRegressorCV(tiny_crabnet(max_epochs=15), n_estimators=5).fit(X, y)
        mean, std = model.predict(X_new, return_std=True)
        assert coverage(y_new, mean, std, level=0.9) == pytest.approx(0.9, abs=0.05)
        assert gaussian_nll(y_new, mean, std) < gaussian_nll(y_new, mean, std / 4)

    @pytest.mark.parametrize(
        "estimator",
        [
            make_pipeline(CompositionTransformer("magpie", missing="mean"), BayesianRidge()),
            make_pipeline(
                CompositionTransformer(stats="amount"),
                GaussianProcessRegressor(alpha=1e-2, normalize_y=True, optimizer=None),
            ),
        ],
        ids=["ridge", "gaussian process"],
    )
    def test_other_peoples_regressors(self, estimator, split):
        """A Gaussian process on raw features is far too sure of itself, or far too little."""
        X, X_new, y, y_new = split
        model = CalibratedRegressorCV(estimator).fit(X, y)
        mean, std = model.predict(X_new, return_std=True)
        assert coverage(y_new, mean, std, level=0.9) == pytest.approx(0.9, abs=0.05)

    def test_a_compound_is_left_out_at_all_temperatures(self, split, monkeypatch):
        """Else the factor would be that of compounds that are known at other temperatures."""
        X, X_new, y, y_new = split
        T = np.tile([0.0, 1.0, 2.0, 3.0], 100)
        frame = pd.DataFrame({"formula": np.repeat(X[:100], 4), "T": T})
        model = CalibratedRegressorCV(tiny_crabnet(max_epochs=25), n_estimators=4)

        def covered():
            model.fit(frame, np.repeat(y[:100], 4) + 0.1 * T)
            mean, std = model.predict(pd.DataFrame({"formula": X_new, "T": 1.0}), return_std=True)
            return coverage(y_new + 0.1, mean, std, level=0.9)

        by_composition = covered()
        monkeypatch.setattr(
            "crabsk.calibration.group_numbers", lambda table, groups: np.arange(400)
        )
        by_row = covered()
        assert by_composition > 0.7
        assert by_composition > by_row + 0.1

    def test_over_many_draws(self):
        """Twelve compounds at ten temperatures: their own errors are alike, new ones are not."""
        rng = np.random.default_rng(0)
        covered = []
        for _ in range(300):
            offset = rng.normal(size=60)
            x = rng.normal(size=(60, 10))
            y = x + offset[:, None] + 0.2 * rng.normal(size=(60, 10))
            groups = np.repeat(np.arange(12), 10)
            model = CalibratedRegressorCV(BayesianRidge(), n_estimators=4)
            model.fit(x[:12].reshape(-1, 1), y[:12].ravel(), groups=groups)
            mean, std = model.predict(x[12:].reshape(-1, 1), return_std=True)
            covered.append(coverage(y[12:].ravel(), mean, std, level=0.9))
        assert 0.88 <= np.mean(covered) < 0.97


class TestEnsemble:
    def test_total_variance(self, some_formulas):
        X, y = some_formulas
        model = CalibratedRegressorCV(tiny_crabnet(), n_estimators=4).fit(X, y)
        mean, std = model.predict(X, return_std=True)
        means, stds = zip(
            *(one.predict(X, return_std=True) for one in model.estimators_), strict=True
        )
        assert model.calibration_factor_.shape == (1,)
        np.testing.assert_allclose(mean, np.mean(means, axis=0))
        variance = np.mean(np.square(stds), axis=0) + np.var(means, axis=0, ddof=1)
        own = model.calibration_factor_[0] * np.sqrt(variance)
        assert (std > own * (1 - 1e-9)).all()
        assert np.isclose(std, own).mean() > 0.8, "elements add to it where they are rare"
        np.testing.assert_array_equal(model.predict(X), mean)

    def test_what_is_left_out_is_seen_by_nothing(self, some_formulas):
        """A label, or a temperature, far off moves no clone that was trained without its row."""
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": np.linspace(300.0, 400.0, 60)})
        far = frame.assign(T=frame["T"] + np.eye(60)[7] * 1e4)
        model = CalibratedRegressorCV(tiny_crabnet(), n_estimators=4)
        expected = [one.predict(frame) for one in clone(model).fit(frame, y).estimators_]
        for changed in (
            clone(model).fit(frame, y + np.eye(60)[7] * 50).estimators_,
            clone(model).fit(far, y).estimators_,
        ):
            same = [
                np.array_equal(one.predict(frame), before)
                for one, before in zip(changed, expected, strict=True)
            ]
            assert sum(same) == 2, "the two clones that were trained without it"

    def test_equal_compositions_are_left_out_together(self, some_formulas):
        """In one notation or another: a label of one moves no clone that has not seen the other."""
        X, y = some_formulas
        twice = np.r_[X[:30], [f"({formula})2" for formula in X[:30]]]
        target = np.r_[y[:30], y[:30]]
        spoilt = target.copy()
        spoilt[[7, 37]] += 50
        model = CalibratedRegressorCV(tiny_crabnet(max_epochs=1), n_estimators=5)
        before, after = (clone(model).fit(twice, t).estimators_ for t in (target, spoilt))
        same = [
            np.array_equal(one.predict(X), other.predict(X))
            for one, other in zip(before, after, strict=True)
        ]
        assert sum(same) == 2

    def test_groups_of_ones_own(self, split):
        X, _, y, _ = split
        X, y = X[:120], y[:120]
        systems = chemical_system(X)
        groups = np.unique(systems, return_inverse=True)[1]
        model = CalibratedRegressorCV(tiny_crabnet(max_epochs=1), n_estimators=4)
        by_name, by_number = (clone(model).fit(X, y, groups=g) for g in (systems, groups))
        assert np.array_equal(by_name.predict(X), by_number.predict(X))
        with pytest.raises(ValueError, match="4 folds cannot be cut from 3 composition"):
            clone(model).fit(X, y, groups=np.arange(120) % 3)

    def test_seeds(self, some_formulas):
        X, y = some_formulas
        model = CalibratedRegressorCV(tiny_crabnet(random_state=3), n_estimators=4)
        one, two = (clone(model).fit(X, y) for _ in range(2))
        assert np.array_equal(one.predict(X), two.predict(X))
        assert len({own.random_state for own in one.estimators_}) == 4
        piped = CalibratedRegressorCV(make_pipeline("passthrough", tiny_crabnet()), n_estimators=4)
        assert len({own[-1].random_state for own in piped.fit(X, y).estimators_}) == 4

    def test_side_by_side(self, some_formulas):
        X, y = some_formulas
        here, there = (
            CalibratedRegressorCV(tiny_crabnet(), n_estimators=4, n_jobs=n).fit(X, y)
            for n in (1, 2)
        )
        np.testing.assert_allclose(here.predict(X), there.predict(X), rtol=1e-6)


class TestForms:
    @pytest.mark.parametrize("cls", REGRESSORS)
    def test_several_targets_with_gaps(self, cls, split):
        X, _, y, _ = split
        both = np.column_stack([y, np.random.default_rng(0).normal(size=len(y))])
        both[::3, 1] = np.nan
        model = CalibratedRegressorCV(tiny(cls, max_epochs=2), n_estimators=4).fit(
            X[:300], both[:300]
        )
        mean, std = model.predict(X[:5], return_std=True)
        assert mean.shape == std.shape == (5, 2)
        assert model.calibration_factor_.shape == (2,)
        assert model.calibration_factor_[0] != model.calibration_factor_[1]

    def test_samples_of_weight_zero_decide_nothing(self, some_formulas):
        X, y = some_formulas
        weight = np.r_[np.ones(50), np.zeros(10)]
        spoilt = np.r_[y[:50], y[50:] + 100]
        one, two = (
            CalibratedRegressorCV(tiny_crabnet(), n_estimators=4).fit(X, t, sample_weight=weight)
            for t in (y, spoilt)
        )
        assert np.array_equal(one.predict(X), two.predict(X))
        assert one.calibration_factor_ == two.calibration_factor_

    @pytest.mark.parametrize(
        "form",
        [
            list,
            lambda X: pd.DataFrame({"formula": X}),
            lambda X: np.asarray(X, dtype=object)[:, None],
            lambda X: CompositionTransformer(stats="amount").fit_transform(X),
        ],
        ids=["list", "frame", "column", "amounts"],
    )
    def test_every_form_of_x(self, form, some_formulas):
        X, y = some_formulas
        expected = CalibratedRegressorCV(tiny_crabnet(), n_estimators=4).fit(X, y).predict(X)
        model = CalibratedRegressorCV(tiny_crabnet(), n_estimators=4).fit(form(X), y)
        np.testing.assert_allclose(model.predict(form(X)), expected, rtol=1e-3, atol=1e-4)

    def test_cross_validated_and_saved(self, some_formulas):
        X, y = some_formulas
        model = CalibratedRegressorCV(tiny_crabnet(max_epochs=1), n_estimators=4)
        assert np.isfinite(cross_val_score(model, X, y, cv=2)).all()
        data = skops.io.dumps(model.fit(X, y))
        types = skops.io.get_untrusted_types(data=data)
        assert types == [
            "crabsk._element_uncertainty.ElementUncertainty",
            "crabsk.calibration.CalibratedRegressorCV",
            "crabsk.neural_network._crabnet_regression.CrabNetRegressor",
        ]
        again = skops.io.loads(data, trusted=types)
        assert np.array_equal(again.predict(X, return_std=True), model.predict(X, return_std=True))

    def test_the_default_calibrates_single_crabnets(self):
        inner = CalibratedRegressorCV()._estimator()
        assert isinstance(inner, CrabNetRegressor)
        assert inner.n_estimators == 1

    def test_without_standard_deviations(self, some_formulas):
        X, y = some_formulas
        forest = RandomForestRegressor()
        with pytest.raises(TypeError, match="predict of RandomForestRegressor has no return_std"):
            CalibratedRegressorCV(forest).fit(X, y)

    def test_a_missing_label_is_named_by_its_row(self, some_formulas):
        X, y = some_formulas
        y = np.where(np.arange(60) == 41, np.nan, y)
        with pytest.raises(ValueError, match="y contains NaN in row 41"):
            CalibratedRegressorCV(tiny_crabnet(), n_estimators=4).fit(X, y)


class Silent(RegressorMixin, BaseEstimator):
    """A ridge whose standard deviations are 0, or no number, for some of the samples."""

    def __init__(self, share=1.0, std=0.0):
        self.share = share
        self.std = std

    def fit(self, X, y):
        self.ridge_ = BayesianRidge().fit(X, y)
        return self

    def predict(self, X, return_std=False):
        if not return_std:
            return self.ridge_.predict(X)
        mean, std = self.ridge_.predict(X, return_std=True)
        return mean, np.where(X[:, 0] <= np.quantile(X[:, 0], self.share), self.std, std)


class TestStandardDeviationsOfZero:
    """The clones disagree, but no factor makes intervals of 0 cover anything."""

    X = np.random.default_rng(0).normal(size=(60, 3))
    y = X.sum(axis=1) + np.random.default_rng(1).normal(size=60)

    @pytest.mark.parametrize("share", [0.4, 1.0])
    @pytest.mark.parametrize("std", [0.0, np.nan])
    def test_are_refused(self, share, std):
        model = CalibratedRegressorCV(Silent(share, std), n_estimators=4)
        match = (
            r"target 0 to the errors: for \d+ of 60 samples, the first in row \d+, clones that "
            "have not seen them predict a standard deviation of 0, or no number. Take an estimator"
        )
        with pytest.raises(ValueError, match=match):
            model.fit(self.X, self.y)

    def test_of_few_samples_do_no_harm(self):
        model = CalibratedRegressorCV(Silent(0.05), n_estimators=4).fit(self.X, self.y)
        mean, std = model.predict(self.X, return_std=True)
        assert (std > 0).all(), "the clones differ"
        assert coverage(self.y, mean, std, level=0.9) >= 0.85

    def test_without_errors_there_is_nothing_to_cover(self):
        model = CalibratedRegressorCV(Silent(), n_estimators=4).fit(self.X, np.ones(60))
        assert (model.predict(self.X, return_std=True)[1] == 0).all()


class TestFactor:
    @pytest.mark.parametrize("n_clones", [4, 8, 40])
    def test_of_clones_that_scatter(self, n_clones):
        """Normal errors, of which the clones' scatter is a known part: the exact factor."""
        rng = np.random.default_rng(0)
        n, noise, scatter = 100_000, 1.5, 1.0
        y = noise * rng.normal(size=(n, 1))
        clones = scatter * rng.normal(size=(n_clones, n, 1))
        ones = np.ones((n, 1))
        (factor,) = calibration_factor(
            y, clones[:2], np.stack([ones, ones]), ones, np.arange(n), n_clones
        )
        std = factor * np.sqrt(1 + clones.var(axis=0, ddof=1).mean())
        assert coverage(y, clones.mean(axis=0), std * ones, level=0.9) == pytest.approx(
            0.9, abs=0.005
        )

    def test_an_error_that_is_no_number_is_the_largest(self):
        errors, ones = np.full((30, 1), np.nan), np.ones((30, 1))
        errors[3:] = 1.0
        assert np.isinf(factor_of(errors, ones, ones, np.arange(30))[0])
        errors[1:] = 1.0
        assert factor_of(errors, ones, ones, np.arange(30))[0] == pytest.approx(1 / 1.644854)

    def test_factor(self):
        rng = np.random.default_rng(0)
        ratios = np.column_stack([np.abs(3 * rng.normal(size=20_000)), np.full(20_000, 2.0)])
        weights = np.ones((20_000, 2))
        weights[9:, 1] = 0
        normal, single = factor_of(ratios, np.ones_like(ratios), weights, np.arange(20_000))
        assert normal == pytest.approx(3, rel=0.02)
        assert single == pytest.approx(2 / 1.645, rel=1e-3)
        weights[:10_000, 0] = 0
        ratios[:10_000, 0] = 1e6
        (factor, _) = factor_of(ratios, np.ones_like(ratios), weights, np.arange(20_000))
        assert factor == pytest.approx(3, rel=0.03)

    def test_too_few_labels_warn(self):
        ratios = np.arange(1.0, 9.0)[:, None]
        with pytest.warns(UserWarning, match="8 compositions with a label of target 0"):
            factor = factor_of(ratios, np.ones((8, 1)), np.ones((8, 1)), np.arange(8))
        assert factor == pytest.approx(8 / 1.644854)

    def test_factor_of_few_labels_is_the_conformal_quantile(self):
        """Of 19 errors the 18th: new ones exceed it with a probability of a tenth."""
        ratios = np.arange(1.0, 20)[:, None]
        factor = factor_of(ratios, np.ones((19, 1)), np.ones((19, 1)), np.arange(19))
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
            (factor,) = factor_of(ratios, ones, ones, np.repeat(np.arange(19), 50))
            covered.append((new <= 1.644854 * factor).mean())
        assert 0.9 <= np.mean(covered) < 0.95
