"""What samples leave open about elements: in closed form, and where it is added."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import BayesianRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from crabsk import CalibratedRegressorCV, CompositionTransformer
from crabsk._element_uncertainty import ElementUncertainty
from crabsk._intervals import interval_factor
from crabsk.composition import ELEMENTS, Compositions, parse_formulas
from crabsk.embeddings import load_embedding
from crabsk.metrics import coverage


@pytest.fixture(autouse=True, scope="module")
def _one_thread_in_libraries():
    """Leave the cores to the processes that run the tests side by side."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def compounds(formation_enthalpy):
    """400 compositions and their enthalpies."""
    X, y = formation_enthalpy
    rows = np.random.default_rng(0).permutation(len(X))[:400]
    return parse_formulas(X[rows]), y[rows]


def masks(n, n_models=5, seed=0):
    """Return which samples each model is trained on; each is new to one."""
    fold = np.random.default_rng(seed).permutation(n) % n_models
    return fold != np.arange(n_models)[:, None]


def learn(compositions, y, *, extra=None, trained=None, error_variance=0.04):
    if not isinstance(compositions, Compositions):
        compositions = parse_formulas(compositions)
    extra = np.empty((len(y), 0)) if extra is None else np.reshape(extra, (len(y), -1))
    trained = masks(len(y)) if trained is None else trained
    return ElementUncertainty.learn(
        compositions, np.asarray(extra, float), np.asarray(y, float), trained, error_variance
    )


def variance_of(uncertainty, formulas, extra=None):
    extra = np.empty((len(formulas), 0)) if extra is None else np.reshape(extra, (-1, 1))
    return uncertainty.variance(parse_formulas(formulas), np.asarray(extra, float))


def dense(compositions):
    table = np.zeros((len(compositions), len(ELEMENTS)))
    table[compositions.row_of_token, compositions.atomic_numbers - 1] = compositions.fractions
    return table


class BruteForce:
    """The same by Gaussian processes over samples, with matrices of all pairs of samples."""

    def __init__(self, x, y, trained, error_variance):
        vectors = load_embedding("mat2vec").values
        vectors = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
        width = np.sqrt(vectors.shape[1])
        likeness = vectors @ vectors.T / width**2
        likeness = 0.5 * likeness + 0.5 * np.exp(
            -((cdist(vectors, vectors) / width / 0.7) ** 2) / 2
        )
        likeness = np.pad(likeness, (0, x.shape[1] - len(likeness)))
        likeness[len(vectors) :, len(vectors) :] = np.eye(x.shape[1] - len(vectors))
        y = y - y.mean()

        def evidence(log_ratio):
            covariance = np.exp(log_ratio) * x @ likeness @ x.T + np.eye(len(y))
            misfit = y @ np.linalg.solve(covariance, y) / len(y)
            return -len(y) * np.log(misfit) - np.linalg.slogdet(covariance)[1], misfit

        log_ratio = max(np.linspace(-6, 8, 57), key=lambda log_ratio: evidence(log_ratio)[0])
        misfit = evidence(log_ratio)[1]
        prior = likeness * np.exp(log_ratio) * misfit
        noise = max(error_variance, 1e-6 * misfit)

        def posterior(known, new, noise, y=None):
            within = known @ prior @ known.T + noise * np.eye(len(known))
            beside = known @ prior @ new.T
            weights = np.linalg.solve(within, beside)
            mean = None if y is None else weights.T @ y
            return mean, np.diag(new @ prior @ new.T - beside.T @ weights)

        errors, stds, weights = [], [], []
        for element in np.flatnonzero(x[:, : len(ELEMENTS)].any(axis=0)):
            rows = x[:, element] > 0
            if rows.sum() > len(y) / 2:
                continue
            mean, _ = posterior(x[~rows], x[rows], misfit, y[~rows])
            errors.append(abs(mean - y[rows]))
            stds.append(np.sqrt(posterior(x[~rows], x[rows], noise)[1]))
            weights.append(np.full(rows.sum(), 1 / rows.sum()))
        parts = map(np.concatenate, (errors, stds, weights))
        self.factor = max(1.0, interval_factor(*parts, len(errors)))

        def of(new):
            return self.factor**2 * np.array(
                [posterior(x[rows], new, noise)[1] for rows in trained]
            )

        of_samples = np.where(trained, 0, of(x)).sum(axis=0) / (~trained).sum(axis=0)
        self.usual = np.quantile(of_samples, 0.9)
        self.own = np.maximum(of_samples - self.usual, 0)
        self.variance = lambda new: np.maximum(of(new).mean(axis=0) - self.usual, 0)


class TestClosedForm:
    @pytest.mark.parametrize("error_variance", [1e-3, 0.04, 4.0])
    def test_is_that_of_gaussian_processes(self, compounds, error_variance):
        compositions, y = (compounds[0].take(slice(60)), compounds[1][:60])
        trained = masks(60)
        expected = BruteForce(dense(compositions), y, trained, error_variance)
        assert expected.factor > 1
        found, own = learn(compositions, y, trained=trained, error_variance=error_variance)
        assert found.usual == pytest.approx(expected.usual, rel=1e-3)
        scale = expected.usual
        np.testing.assert_allclose(own, expected.own, rtol=1e-3, atol=1e-3 * scale)
        new = compounds[0].take(slice(60, 160))
        found = found.variance(new, np.empty((100, 0)))
        assert (found > 0).any()
        np.testing.assert_allclose(
            found, expected.variance(dense(new)), rtol=1e-3, atol=1e-3 * scale
        )

    def test_with_numbers_beside_the_compositions(self, compounds):
        compositions, y = (compounds[0].take(slice(60)), compounds[1][:60])
        extra = np.random.default_rng(0).normal(size=(60, 2)) * [1, 100] + [5, -300]
        target, trained = y + extra[:, 0], masks(60)
        standard = (extra - extra.mean(axis=0)) / extra.std(axis=0)
        expected = BruteForce(np.hstack([dense(compositions), standard]), target, trained, 0.04)
        _, own = learn(compositions, target, extra=extra, trained=trained)
        np.testing.assert_allclose(own, expected.own, rtol=1e-3, atol=1e-3 * expected.usual)


class TestElements:
    def test_nothing_is_added_to_nine_in_ten_samples(self, compounds):
        compositions, y = compounds
        found, own = learn(compositions, y)
        assert 0.9 <= (own == 0).mean() < 0.91
        # Models that were trained on them know no less.
        assert (found.variance(compositions, np.empty((len(y), 0))) == 0).mean() >= 0.9

    def test_an_absent_element_is_far_more_uncertain(self, formation_enthalpy):
        X, y = (part[:800] for part in formation_enthalpy)
        fluorides = np.array([9 in parse_formulas([x]).atomic_numbers for x in X])
        assert fluorides.sum() > 5
        without, _ = learn(X[~fluorides], y[~fluorides])
        with_all, _ = learn(X, y)
        of = X[fluorides]
        absent, present = variance_of(without, of), variance_of(with_all, of)
        assert (absent > 0).all()
        assert np.median(absent) > 10 * np.median(present)
        assert np.median(absent) > y.var() / 10

    def test_a_rare_element_is_more_uncertain_than_a_frequent_one(self, compounds):
        compositions, y = compounds
        found, _ = learn(compositions, y)
        counts = np.bincount(compositions.atomic_numbers, minlength=119)[1:]
        variances = np.diag(found.covariance)
        of = [
            variances[counts == 0],
            variances[(counts > 0) & (counts < 4)],
            variances[counts > 40],
        ]
        absent, rare, frequent = map(np.median, of)
        assert absent > rare > 3 * frequent

    def test_more_of_an_absent_element_is_more_uncertain(self, compounds):
        found, _ = learn(*compounds)
        assert 43 not in compounds[0].atomic_numbers
        variances = variance_of(found, ["Fe999Tc", "FeTc", "FeTc3", "Tc"])
        assert variances[0] == 0
        assert (np.diff(variances) > 0).all()

    def test_like_elements_tell_of_it(self, formation_enthalpy):
        """Nothing is like hydrogen; of holmium the other lanthanides tell."""
        X, y = (part[::3] for part in formation_enthalpy)
        numbers = [set(parse_formulas([x]).atomic_numbers.tolist()) for x in X]
        left = np.array([not own & {1, 67} for own in numbers])
        assert (~left).sum() > 20
        found, _ = learn(X[left], y[left])
        hydrogen, holmium = found.covariance[0, 0], found.covariance[66, 66]
        assert 0 < holmium < 0.8 * hydrogen

    def test_nothing_is_more_uncertain_than_targets_can_be(self, compounds):
        """Where a target is no sum, an element of a single sample would be, by far."""
        compositions, y = compounds
        rng = np.random.default_rng(0)
        temperature, y = rng.uniform(300, 400, len(y)), np.sign(y - np.median(y)) * y**4
        found, _ = learn(compositions, y, extra=temperature)
        largest = 9 * y.var()
        formulas = ["CaF2", "PuF6", "NpF6", "Fe"]
        assert (variance_of(found, formulas, np.full(4, 350.0)) <= largest * (1 + 1e-12)).all()
        np.testing.assert_allclose(variance_of(found, formulas, np.full(4, 1e6)), largest)

    def test_objects_of_files_from_before_the_limit(self, compounds):
        compositions, y = compounds
        found, _ = learn(compositions, y)
        expected = variance_of(found, ["CaF2", "Fe"])
        object.__delattr__(found, "most")
        np.testing.assert_array_equal(variance_of(found, ["CaF2", "Fe"]), expected)


class TestUnits:
    @pytest.fixture(scope="class")
    @staticmethod
    def some(compounds):
        return compounds[0].take(slice(100)), compounds[1][:100]

    @pytest.mark.parametrize("unit", [10.0, 1e-6, -3.0])
    def test_of_the_target(self, some, unit):
        compositions, y = some
        expected, own = learn(compositions, y)
        found, scaled = learn(compositions, unit * y, error_variance=unit**2 * 0.04)
        np.testing.assert_allclose(scaled, unit**2 * own, rtol=1e-6, atol=1e-9 * unit**2)
        np.testing.assert_allclose(
            variance_of(found, ["TcO2", "Fe"]),
            unit**2 * variance_of(expected, ["TcO2", "Fe"]),
            rtol=1e-6,
        )

    def test_a_constant_changes_nothing(self, some):
        compositions, y = some
        _, own = learn(compositions, y)
        _, shifted = learn(compositions, y + 100)
        np.testing.assert_allclose(shifted, own, rtol=1e-6, atol=1e-9)

    def test_of_numbers_beside_the_compositions(self, some):
        compositions, y = some
        T = np.random.default_rng(0).uniform(300, 900, size=len(y))
        target = y + T / 300
        answers = []
        for unit, zero in ((1, 0), (1e-3, 0), (1.8, -459.67), (1e9, 0)):
            found, own = learn(compositions, target, extra=unit * T + zero)
            new = variance_of(found, ["TcO2", "FeO"], unit * np.array([400.0, 5000.0]) + zero)
            answers.append(np.r_[own, new])
            assert new[1] > 0, "far from the temperatures of the samples"
        for other in answers[1:]:
            np.testing.assert_allclose(other, answers[0], rtol=1e-5, atol=1e-8)

    def test_a_number_that_is_the_same_in_all_samples(self, some):
        compositions, y = some
        _, expected = learn(compositions, y)
        _, own = learn(compositions, y, extra=np.full(len(y), 300.0))
        np.testing.assert_allclose(own, expected, rtol=1e-6, atol=1e-9)

    def test_order_of_the_samples(self, some):
        compositions, y = some
        trained, order = masks(len(y)), np.random.default_rng(1).permutation(len(y))
        found, own = learn(compositions, y, trained=trained)
        again, other = learn(compositions.take(order), y[order], trained=trained[:, order])
        np.testing.assert_allclose(other, own[order], rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(again.covariance, found.covariance, rtol=1e-4, atol=1e-8)


class TestUnusualSamples:
    def test_an_element_that_is_in_all(self):
        """It cannot be left out; the others can."""
        metals = ("Li", "Na", "K", "Mg", "Ca", "Al", "Zn", "Fe", "Ti", "V")
        X = [f"{metal}{n}O{m}" for metal in metals for n, m in ((1, 1), (2, 1), (1, 2))]
        found, own = learn(X, np.random.default_rng(0).normal(size=len(X)))
        assert np.isfinite(own).all()
        known, new = variance_of(found, ["LiO", "LiPu"])
        assert known < new

    @pytest.mark.parametrize("X", [["Fe"] * 20, ["Fe", "Fe2"] * 10], ids=["element", "twice"])
    def test_a_single_element(self, X):
        found, own = learn(X, np.arange(20.0))
        assert (own == 0).all()
        known, new = variance_of(found, ["Fe", "F"])
        assert known == pytest.approx(0, abs=1e-9)
        assert 0 < new < np.inf

    @pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
    def test_a_target_that_is_constant(self, compounds, value):
        compositions, _ = compounds
        found, own = learn(compositions, np.full(len(compositions), value), error_variance=0.0)
        new = variance_of(found, ["TcO2"])
        assert max(own.max(), new.max()) <= (1e-12 * value) ** 2

    def test_a_model_without_errors(self, compounds):
        """Its targets say by themselves how uncertain elements are."""
        compositions, y = compounds
        found, own = learn(compositions, y, error_variance=0.0)
        assert np.isfinite(own).all()
        assert variance_of(found, ["TcO2"])[0] > 0


class Means(RegressorMixin, BaseEstimator):
    """Predicts means, and the standard deviations of what it was fitted to."""

    def fit(self, X, y):
        self.mean_, self.std_ = np.nanmean(y, axis=0), np.nanstd(y, axis=0)
        return self

    def predict(self, X, return_std=False):
        n = (len(X), *np.shape(self.mean_))
        mean = np.broadcast_to(self.mean_, n)
        return (mean, np.broadcast_to(self.std_, n)) if return_std else mean


class TestCalibratedRegressor:
    def test_each_target_has_its_own_samples(self, formation_enthalpy):
        """Fluorides are new to a target that no fluoride has a label of."""
        X, y = (part[:600] for part in formation_enthalpy)
        fluorides = np.array([9 in parse_formulas([x]).atomic_numbers for x in X])
        both = np.column_stack([y, y])
        both[fluorides, 1] = np.nan
        model = CalibratedRegressorCV(Means(), n_estimators=4).fit(X, both)
        _, std = model.predict(X[fluorides], return_std=True)
        assert (std[:, 1] > 1.3 * std[:, 0]).all()
        alone = CalibratedRegressorCV(Means(), n_estimators=4).fit(X, y)
        np.testing.assert_allclose(std[:, 0], alone.predict(X[fluorides], return_std=True)[1])

    def test_a_model_of_numbers_is_left_alone(self, formation_enthalpy, monkeypatch):
        """Of features nobody knows which elements they are of."""
        X, y = (part[:200] for part in formation_enthalpy)
        features = CompositionTransformer("magpie", missing="mean").fit_transform(X)
        model = make_pipeline(StandardScaler(), BayesianRidge())
        monkeypatch.setattr(ElementUncertainty, "learn", None)
        fitted = CalibratedRegressorCV(model, n_estimators=4).fit(features, y)
        mean, std = fitted.predict(features, return_std=True)
        assert coverage(y, mean, std, level=0.9) > 0.85

    def test_temperatures(self, formation_enthalpy):
        """The term is that of a composition at a temperature; the columns' order is no matter."""
        X, y = (part[:200] for part in formation_enthalpy)
        T = np.random.default_rng(0).uniform(300, 900, 200)
        frame = pd.DataFrame({"T": T, "formula": X})
        model = make_pipeline(CompositionTransformer(stats="fraction"), BayesianRidge())
        fitted = CalibratedRegressorCV(model, n_estimators=4).fit(frame, y + T / 300)
        new = pd.DataFrame({"T": [600.0, 600.0], "formula": ["TcF2", X[0]]})
        _, std = fitted.predict(new, return_std=True)
        assert std[0] > 1.5 * std[1]

    def test_what_elements_account_for_is_in_no_factor(self, formation_enthalpy, monkeypatch):
        X, y = (part[:200] for part in formation_enthalpy)
        open_to_all, _ = learn(["Fe"] * 20, np.zeros(20))
        factors = []
        for variance in (0.0, y.var() / 4, 1e6):
            monkeypatch.setattr(
                ElementUncertainty,
                "learn",
                lambda *args, variance=variance: (open_to_all, np.full(len(y), variance)),
            )
            fitted = CalibratedRegressorCV(Means(), n_estimators=4).fit(X, y)
            factors.append(fitted.calibration_factor_[0])
        assert factors[1] < 0.95 * factors[0]
        assert factors[2] == 1, "nothing is left to learn from"

    def test_fluorides_are_covered_by_a_model_that_has_seen_none(
        self, formation_enthalpy, monkeypatch
    ):
        X, y = formation_enthalpy
        fluorides = np.array([9 in parse_formulas([x]).atomic_numbers for x in X])
        ridge = make_pipeline(
            CompositionTransformer("magpie", missing="mean"), StandardScaler(), BayesianRidge()
        )
        model = CalibratedRegressorCV(ridge, n_estimators=4)
        rest = X[~fluorides][::2], y[~fluorides][::2]
        new = X[~fluorides][1::2], y[~fluorides][1::2]

        def covered(X, y):
            return coverage(y, *model.predict(X, return_std=True), level=0.9)

        model.fit(*rest)
        assert covered(X[fluorides], y[fluorides]) >= 0.8
        assert covered(*new) == pytest.approx(0.9, abs=0.04)

        nothing_open, _ = learn(["Fe"] * 20, np.zeros(20))

        def nothing(compositions, extra, y, trained, error_variance):
            return nothing_open, np.zeros(len(y))

        monkeypatch.setattr(ElementUncertainty, "learn", nothing)
        model.fit(*rest)
        assert covered(X[fluorides], y[fluorides]) < 0.6
        assert covered(*new) == pytest.approx(0.9, abs=0.04)
