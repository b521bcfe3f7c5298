"""ApplicabilityDomain: where a model errs more, learnt from compositions left out."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from checks import names_of_checks
from fake_regressors import Linear
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import BayesianRidge, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils._testing import ignore_warnings
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_param_validation,
    parametrize_with_checks,
)
from tiny import tiny_crabnet

from crabsk import CompositionTransformer
from crabsk.composition import reduced_formula
from crabsk.discovery import ApplicabilityDomain, _domain
from crabsk.neural_network import UnseenElementsWarning

NO_TELLING = "ignore:outside of the domain errors are:UserWarning"
WITHOUT_Y = "the check passes no y, without which there are no errors to learn from"


def space():
    """A space that is computed at once."""
    return CompositionTransformer(stats="fraction")


def of_amounts(**how):
    model = make_pipeline(CompositionTransformer(stats="amount"), BayesianRidge())
    return ApplicabilityDomain(model, space=space(), cv=2, **how)


def alloys(n, rng):
    """Alloys of iron: the farther from iron, the fewer, and the less a model knows of them."""
    share = rng.exponential(0.12, size=n).clip(0, 0.6)
    others = rng.dirichlet([1, 1, 1], size=n)
    X = [
        {"Fe": 1 - a, "Ni": a * b, "Cr": a * c, "Al": a * d}
        for a, (b, c, d) in zip(share, others, strict=True)
    ]
    return X, rng.normal(size=n) * (0.1 + 2 * share)


@pytest.fixture(scope="module")
def domain():
    """Of alloys, with a model that predicts their mean."""
    X, y = alloys(300, np.random.default_rng(0))
    return ApplicabilityDomain(make_pipeline(space(), DummyRegressor()), space=space()).fit(X, y)


class TestChecks:
    @pytest.fixture(autouse=True)
    def _few_will_do(self, monkeypatch):
        """The checks fit 20 samples or 30; of trees, too, they need not many."""
        for name, few in {"_FEWEST": 2, "_N_OF_SCATTER": 5, "_N_OF_ERRORS": 5}.items():
            monkeypatch.setattr(_domain, name, few)

    @parametrize_with_checks(
        [of_amounts()],
        expected_failed_checks=lambda estimator: {
            "check_outliers_fit_predict": WITHOUT_Y,
            "check_outliers_train": WITHOUT_Y,
        },
    )
    @ignore_warnings
    def test_sklearn_checks(self, estimator, check):
        check(estimator)

    @pytest.mark.parametrize(
        "check", [check_dataframe_column_names_consistency, check_param_validation]
    )
    @ignore_warnings
    def test_checks_never_yielded(self, check):
        check("ApplicabilityDomain", of_amounts())

    def test_no_check_is_left_out(self):
        left_out = names_of_checks(IsolationForest()) - names_of_checks(of_amounts())
        known = ("sample_weight", "contamination", "spars")
        assert {name for name in left_out if not any(word in name for word in known)} == set()


def test_what_scikit_learn_asks_of_outlier_detectors(domain):
    """What the checks that pass no y would look at."""
    X, _ = alloys(500, np.random.default_rng(1))
    labels, decision, scores = (
        domain.predict(X),
        domain.decision_function(X),
        domain.score_samples(X),
    )
    assert labels.dtype.kind == "i"
    assert set(labels) == {-1, 1}
    assert decision.shape == scores.shape == (500,)
    np.testing.assert_array_equal(labels, np.where(decision > 0, 1, -1))
    np.testing.assert_allclose(decision, scores - domain.offset_)
    np.testing.assert_allclose(decision, scores + domain.threshold_)
    assert (labels == 1).mean() == pytest.approx(domain.inside_, abs=0.1)
    known = alloys(300, np.random.default_rng(0))
    np.testing.assert_array_equal(clone(domain).fit_predict(*known), domain.predict(known[0]))


def test_new_rows_outside_have_the_larger_errors(domain):
    """By the ratio that was asked for, on average over tables."""
    ratios, shares = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        with warnings.catch_warnings(action="error"):
            fitted = clone(domain).fit(*alloys(300, rng))
        X, y = alloys(3000, rng)
        squares = (fitted.estimator_.predict(X) - y) ** 2
        inside = fitted.predict(X) == 1
        assert fitted.ratio_ > 2
        shares.append(inside.mean() - fitted.inside_)
        ratios.append(np.sqrt(squares[~inside].mean() / squares[inside].mean()))
    assert np.mean(ratios) > 2
    assert np.abs(shares).max() < 0.1


def test_the_expected_error_is_in_units_of_the_target(domain):
    X, y = alloys(300, np.random.default_rng(0))
    large = clone(domain).fit(X, 1000 * y + 5)
    np.testing.assert_allclose(large.score_samples(X), 1000 * domain.score_samples(X), rtol=1e-5)
    assert large.threshold_ == pytest.approx(1000 * domain.threshold_, rel=1e-5)
    near, far = ({"Fe": 1 - x, "Ni": x} for x in (0.02, 0.5))
    expected = -domain.score_samples([near, far])
    assert 0.1 < expected[0] < 0.3 < expected[1] < 2


class TestUnseenElements:
    def test_are_outside(self, domain):
        assert domain.seen_elements_ == ["Al", "Cr", "Fe", "Ni"]
        X = [{"Fe": 1.0}, {"Fe": 1.0, "Pu": 1e-6}, "FePu"]
        assert domain.score_samples(X)[1:].tolist() == [-np.inf, -np.inf]
        assert domain.decision_function(X)[1:].tolist() == [-np.inf, -np.inf]
        assert domain.predict(X).tolist() == [1, -1, -1]

    @pytest.mark.filterwarnings(NO_TELLING)
    def test_the_model_says_nothing_of_them(self, some_formulas):
        """Folds lack elements here and there, which is no news to anybody."""
        network = tiny_crabnet(max_epochs=1)
        with warnings.catch_warnings(action="error", category=UnseenElementsWarning):
            fitted = ApplicabilityDomain(network, cv=2).fit(*some_formulas)
            assert fitted.predict(["PuO2"]).tolist() == [-1]


class TestCut:
    """Where samples that are sorted by the error that is expected of them are cut in two."""

    def cut(self, squares, ratio=2.0):
        return _domain._best_cut(np.arange(len(squares), dtype=float), squares, ratio)

    def test_is_where_the_errors_change(self):
        rng = np.random.default_rng(0)
        squares = (rng.normal(size=1000) * np.repeat([1.0, 3.0], [700, 300])) ** 2
        ratio, inside = self.cut(squares)
        assert inside == pytest.approx(0.7, abs=0.03)
        assert ratio == pytest.approx(3, rel=0.1)

    def test_prefers_cuts_that_have_the_ratio(self):
        """Errors rise by two and a half, and far out again: only there is the ratio 4."""
        squares = np.repeat([1.0, 6.0, 100.0], [600, 300, 100])
        assert self.cut(squares)[1] == pytest.approx(0.9, abs=0.01)
        assert self.cut(squares, ratio=7.0)[0] < 1.1 * 7
        _, lenient = self.cut(np.repeat([1.0, 6.0], [600, 400]), ratio=2.0)
        assert lenient == pytest.approx(0.6, abs=0.01)

    def test_larger_errors_are_outside(self):
        """A cut with the smaller errors outside would fit better."""
        ratio, inside = self.cut(np.repeat([9.0, 1.0, 16.0], [700, 240, 60]))
        assert ratio > 1
        assert inside > 0.9

    def test_lies_between_half_and_nearly_all(self):
        for change in (100, 990):
            _, inside = self.cut(np.repeat([1.0, 9.0], [change, 1000 - change]))
            assert 0.5 <= inside <= 0.95


def test_the_scatter_of_similar_samples_tells():
    """Neither distances nor the model do: targets scatter in a corner."""
    rng = np.random.default_rng(0)
    shares = rng.uniform(size=400)
    X = [{"Fe": 1 - share, "Ni": share} for share in shares]
    noisy = shares > 0.7
    y = rng.normal(size=400) * np.where(noisy, 5.0, 1.0)
    fitted = ApplicabilityDomain(
        make_pipeline(space(), DummyRegressor(strategy="constant", constant=0.0)), space=space()
    ).fit(X, y)
    grid = np.linspace(0.02, 0.98, 97)
    inside = fitted.predict([{"Fe": 1 - share, "Ni": share} for share in grid]) == 1
    assert inside[grid < 0.65].mean() > 0.9
    assert inside[grid > 0.75].mean() < 0.1


class TestNothingTells:
    def test_warns(self):
        X, _ = alloys(100, np.random.default_rng(0))
        y = np.random.default_rng(1).normal(size=100)
        model = make_pipeline(space(), DummyRegressor())
        with pytest.warns(UserWarning, match=r"errors are [01]\.\d\d times.*ratio=3 was asked for"):
            fitted = ApplicabilityDomain(model, space=space(), ratio=3.0).fit(X, y)
        assert fitted.ratio_ < 3

    def test_a_model_without_errors(self):
        """All is inside, but for elements that no sample has."""
        X, _ = alloys(60, np.random.default_rng(0))
        model = make_pipeline(space(), DummyRegressor())
        with pytest.warns(UserWarning, match=r"errors are 1\.00 times"):
            fitted = ApplicabilityDomain(model, space=space(), cv=2).fit(X, np.ones(60))
        assert (fitted.ratio_, fitted.inside_) == (1, 1)
        assert fitted.predict([*X, "Ni", "Pu"]).tolist() == [1] * 61 + [-1]

    def test_errors_that_are_all_the_same(self):
        X, _ = alloys(60, np.random.default_rng(0))
        y = np.tile([-1.0, 1.0], 30)
        model = make_pipeline(space(), DummyRegressor(strategy="constant", constant=0.0))
        with pytest.warns(UserWarning, match=r"errors are 1\.00 times"):
            fitted = ApplicabilityDomain(model, space=space(), cv=2).fit(X, y)
        assert fitted.predict([*X, "Pu"]).tolist() == [1] * 60 + [-1]
        np.testing.assert_allclose(fitted.score_samples(X), -1, rtol=1e-6)


class Spy(RegressorMixin, BaseEstimator):
    """Says when it is asked for what it was trained on."""

    asked: tuple = ()

    def fit(self, X, y):
        self.trained_ = set(reduced_formula(X))
        Spy.asked += (len(self.trained_),)
        return self

    def predict(self, X):
        assert not self.trained_ & set(reduced_formula(X))
        return np.zeros(len(X))


@pytest.mark.filterwarnings(NO_TELLING)
def test_equal_compositions_are_in_one_fold(some_formulas, monkeypatch):
    X, y = some_formulas
    monkeypatch.setattr(Spy, "asked", ())
    twice = [*X, *(f"({formula})3" for formula in X)]
    ApplicabilityDomain(Spy(), space=space(), cv=3).fit(twice, [*y, *y])
    assert Spy.asked == (40, 40, 40, 60)


class TestColumnsBesideTheFormulas:
    @pytest.fixture(scope="class")
    @staticmethod
    def table():
        rng = np.random.default_rng(0)
        X, y = alloys(200, rng)
        return pd.DataFrame({"T": rng.uniform(300, 900, 200), "composition": X}), y

    def test_they_are_kept(self, table):
        X, y = table
        model = make_pipeline(space(), Ridge())
        fitted = ApplicabilityDomain(model, cv=2, ratio=1.1).fit(X, y + X["T"] / 100)
        assert fitted.feature_names_in_.tolist() == ["T", "composition"]
        assert (fitted.n_features_in_, fitted.formula_position_) == (2, 1)
        assert set(fitted.predict(X)) <= {-1, 1}
        # A temperature is a place in the space, too.
        far = fitted.score_samples(X.assign(T=1e5))
        assert far.mean() < fitted.score_samples(X).mean()
        with pytest.raises(ValueError, match="feature names should match"):
            fitted.predict(X.rename(columns={"T": "p"}))
        with pytest.raises(ValueError, match="1 features, but ApplicabilityDomain is expecting 2"):
            fitted.predict(["Fe"])

    @pytest.mark.filterwarnings(NO_TELLING)
    def test_their_unit_does_not_matter(self, table):
        X, y = table
        kelvin, other = (
            ApplicabilityDomain(Linear(), cv=2).fit(X.assign(T=unit * X["T"]), y)
            for unit in (1, 1e4)
        )
        np.testing.assert_allclose(
            kelvin.score_samples(X), other.score_samples(X.assign(T=1e4 * X["T"])), rtol=1e-6
        )


class TestForms:
    @pytest.mark.filterwarnings(NO_TELLING)
    @pytest.mark.parametrize(
        "form",
        [
            lambda X: pd.DataFrame({"formula": X}),
            lambda X: np.asarray(X, dtype=object)[:, None],
            lambda X: CompositionTransformer(stats="amount").fit_transform(X),
        ],
        ids=["frame", "column", "amounts"],
    )
    def test_every_form_of_x(self, form, formation_enthalpy):
        X, y = (part[:80] for part in formation_enthalpy)
        expected = of_amounts().fit(X, y)
        fitted = of_amounts().fit(form(X), y)
        np.testing.assert_allclose(fitted.score_samples(form(X)), expected.score_samples(X))
        assert fitted.seen_elements_ == expected.seen_elements_

    def test_standard_deviations_tell(self):
        """Of a model that knows where it errs; distances say nothing."""
        X, _ = alloys(300, np.random.default_rng(0))
        model = Linear(seed=3).fit()
        mean, std = model.predict(X, return_std=True)
        std = (std - std.min()) ** 2

        y = mean + np.random.default_rng(1).normal(size=300) * std
        fitted = ApplicabilityDomain(model, space=space(), ratio=1.5).fit(X, y)
        ranks = (pd.Series(part).rank() for part in (-fitted.score_samples(X), std))
        assert np.corrcoef(*ranks)[0, 1] > 0.8

    def test_cloned_and_pickled(self, domain):
        X, _ = alloys(50, np.random.default_rng(1))
        again = pickle.loads(pickle.dumps(domain))
        np.testing.assert_array_equal(again.score_samples(X), domain.score_samples(X))
        assert not hasattr(clone(domain), "threshold_")
        assert not hasattr(domain.estimator[-1], "constant_"), "clones were trained"


class TestErrors:
    @pytest.mark.parametrize(
        ("how", "message"),
        [
            ({"estimator": "CrabNet"}, "'estimator' parameter.*implementing 'fit' and 'predict'"),
            ({"ratio": 1.0}, r"'ratio' parameter.*\(1.0, inf\)"),
            ({"cv": 1}, r"'cv' parameter.*\[2, inf\)"),
            ({"space": "magpie"}, "'space' parameter.*implementing 'fit' and 'transform' or None"),
        ],
    )
    def test_parameters(self, how, message):
        with pytest.raises(ValueError, match=message):
            ApplicabilityDomain(**({"estimator": Ridge()} | how)).fit(["Fe"] * 60, np.ones(60))

    @pytest.mark.parametrize(
        ("X", "y", "message"),
        [
            (["Fe"] * 49, np.ones(49), "49 samples are too few.*50 are needed"),
            (["Fe"] * 60, None, "requires y to be passed, but the target y is None"),
            (["Fe"] * 60, np.ones(59), "inconsistent numbers of samples"),
            (["Fe"] * 60, np.ones((60, 2)), "y should be a 1d array"),
            (["Fe"] * 60, [*np.ones(58), np.nan, np.inf], "y holds no number in row 58: leave"),
            (["Fe"] * 59 + ["Xx"], np.ones(60), "row 59: 'Xx'"),
            (["Fe", "Fe2"] * 30, np.ones(60), r"(?i)n_splits=5 greater than the number of groups"),
        ],
    )
    def test_samples(self, X, y, message):
        with pytest.raises(ValueError, match=message):
            ApplicabilityDomain(Linear()).fit(X, y)
