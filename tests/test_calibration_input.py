"""CalibratedRegressorCV: which samples it takes for one composition, and what it hands on."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import BayesianRidge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tiny import tiny_crabnet

from crabsk import CalibratedRegressorCV, CompositionTransformer
from crabsk.composition import FormulaError
from crabsk.neural_network import UnseenElementsWarning

FRACTIONS = CompositionTransformer(stats="fraction")


def amounts(X):
    """Return a table of amounts, its columns named by elements."""
    return CompositionTransformer(stats="amount").set_output(transform="pandas").fit_transform(X)


def beside_temperatures(X):
    table = amounts(X)
    return table.assign(T=np.linspace(300, 400, len(table)))


def untouched(model, X, y, *spoilt, **settings):
    """Return how many clones are the same if the labels of some rows are far off, for each set."""
    before = clone(model).fit(X, y, **settings).estimators_
    same = []
    for rows in spoilt:
        labels = y.copy()
        labels[rows] += 50
        after = clone(model).fit(X, labels, **settings).estimators_
        pairs = zip(before, after, strict=True)
        same.append(sum(np.array_equal(one.predict(X), other.predict(X)) for one, other in pairs))
    return same


@pytest.fixture
def twice(some_formulas):
    """Each formula, then twice as much of it."""
    X, y = some_formulas
    return [*X[:30], *(f"({formula})2" for formula in X[:30])], np.r_[y[:30], y[:30]]


PAIRS = [[k, k + 30] for k in (3, 7, 11, 20)]


class TestEqualCompositions:
    """A label of one moves no clone that has not seen the other: two of five."""

    @pytest.mark.filterwarnings("ignore:X holds no formulas. the columns")
    @pytest.mark.parametrize("form", [amounts, beside_temperatures])
    @pytest.mark.parametrize(
        "estimator",
        [
            BayesianRidge(),
            make_pipeline(StandardScaler(), BayesianRidge()),
            make_pipeline("passthrough", tiny_crabnet(max_epochs=1)),
        ],
        ids=["ridge", "pipeline", "network"],
    )
    def test_of_columns_named_by_elements(self, estimator, form, twice):
        X, y = form(twice[0]), twice[1]
        model = CalibratedRegressorCV(estimator, n_estimators=5)
        assert untouched(model, X, y, *PAIRS) == [2] * 4

    @pytest.mark.parametrize(
        "estimator",
        [
            make_pipeline("passthrough", tiny_crabnet(max_epochs=1)),
            make_pipeline(
                FunctionTransformer(),
                make_pipeline(FunctionTransformer(), tiny_crabnet(max_epochs=1)),
            ),
            make_pipeline(FRACTIONS, BayesianRidge()),
            make_pipeline(FeatureUnion([("fractions", FRACTIONS)]), BayesianRidge()),
        ],
        ids=["network", "nested", "transformer", "union"],
    )
    def test_of_numbers_without_names(self, estimator, twice):
        X, y = amounts(twice[0]).to_numpy(), twice[1]
        model = CalibratedRegressorCV(estimator, n_estimators=5)
        assert untouched(model, X, y, *PAIRS) == [2] * 4

    def test_whatever_the_groups(self, twice):
        """Groups join compositions; they do not part what is equal."""
        X, y = twice
        model = CalibratedRegressorCV(make_pipeline(FRACTIONS, BayesianRidge()), n_estimators=5)
        assert untouched(model, X, y, *PAIRS, groups=np.arange(60)) == [2] * 4
        # Row 8 is in a group with row 7, and row 38 has its composition.
        groups = np.where(np.arange(60) == 8, 7, np.arange(60))
        assert untouched(model, X, y, [7, 37, 8, 38], groups=groups) == [2]

    @pytest.mark.parametrize("name", ["V", "P"])
    def test_one_column_called_like_an_element_is_a_feature(self, name):
        frame = pd.DataFrame({name: np.arange(20.0), "length": np.arange(20.0) % 7})
        for X in (frame, frame[[name]]):
            model = CalibratedRegressorCV(BayesianRidge(), n_estimators=4).fit(X, np.arange(20.0))
            assert not hasattr(model, "formula_position_")

    def test_columns_that_may_be_amounts_or_not(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.uniform(1, 2, (20, 3)), columns=["P", "V", "density"])
        model = CalibratedRegressorCV(BayesianRidge(), n_estimators=4)
        with pytest.raises(ValueError, match=r"pass groups= \(.*pressure and volume.*rename"):
            model.fit(X, np.arange(20.0))
        model.fit(X, np.arange(20.0), groups=np.arange(20))
        assert np.isfinite(model.predict(X, return_std=True)).all()

    def test_elements_that_no_sample_held(self, some_formulas):
        """Of a table of amounts they are known, whatever the estimator and its names later."""
        X, y = some_formulas
        table = clone(FRACTIONS).set_output(transform="pandas").fit_transform(X)
        model = CalibratedRegressorCV(BayesianRidge(), n_estimators=4).fit(table, y)
        new = amounts([X[0], "PuTc"])
        new = new.div(new.sum(axis=1), axis=0)
        with pytest.warns(UnseenElementsWarning, match="1 composition"):
            _, std = model.predict(new, return_std=True)
        assert std[1] > 1.5 * std[0]
        with (
            pytest.warns(UnseenElementsWarning),
            pytest.warns(UserWarning, match="does not have valid feature names"),
        ):
            _, again = model.predict(new.to_numpy(), return_std=True)
        np.testing.assert_array_equal(again, std)


class TestGroups:
    @pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
    @pytest.mark.parametrize("form", [list, lambda X: FRACTIONS.fit_transform(X)])
    def test_missing(self, missing, form, some_formulas):
        X, y = some_formulas
        estimator = make_pipeline(FRACTIONS, BayesianRidge()) if form is list else BayesianRidge()
        groups = [*range(40), missing, *range(19)]
        with pytest.raises(ValueError, match="first in row 40: give such samples a group of their"):
            CalibratedRegressorCV(estimator, n_estimators=4).fit(form(X), y, groups=groups)

    def test_numbers_and_texts(self, some_formulas):
        X, y = some_formulas
        mixed = [f"g{k}" if k % 2 else k for k in range(60)]
        model = CalibratedRegressorCV(make_pipeline(FRACTIONS, BayesianRidge()), n_estimators=4)
        one, two = (clone(model).fit(X, y, groups=own).predict(X) for own in (mixed, range(60)))
        np.testing.assert_array_equal(one, two)


class TestWeights:
    @pytest.mark.parametrize(
        "estimator",
        [
            make_pipeline(FRACTIONS, BayesianRidge()),
            make_pipeline(FRACTIONS, make_pipeline(StandardScaler(), BayesianRidge())),
            make_pipeline("passthrough", tiny_crabnet(max_epochs=1)),
        ],
        ids=["pipeline", "nested", "network"],
    )
    def test_reach_the_last_step(self, estimator, some_formulas):
        X, y = some_formulas
        weight = np.r_[np.ones(50), np.zeros(10)]
        model = CalibratedRegressorCV(estimator, n_estimators=4)
        left_out = np.arange(50, 60)
        assert untouched(model, X, y, left_out, sample_weight=weight) == [4]
        assert untouched(model, X, y, left_out) == [0]

    def test_with_routing(self, some_formulas):
        X, y = some_formulas
        weight = np.linspace(0.1, 2, 60)
        expected = CalibratedRegressorCV(make_pipeline(FRACTIONS, BayesianRidge()))
        expected.fit(X, y, sample_weight=weight)
        with config_context(enable_metadata_routing=True):
            ridge = BayesianRidge().set_fit_request(sample_weight=True)
            ridge.set_predict_request(return_std=True)
            model = CalibratedRegressorCV(make_pipeline(FRACTIONS, ridge))
            model.fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(model.predict(X), expected.predict(X))

    def test_where_none_are_taken(self, some_formulas):
        X, y = some_formulas
        model = CalibratedRegressorCV(make_pipeline(FRACTIONS, GaussianProcessRegressor()))
        with pytest.raises(TypeError, match="GaussianProcessRegressor takes no sample_weight"):
            model.fit(X, y, sample_weight=np.ones(60))


class Constant(RegressorMixin, BaseEstimator):
    """Takes anything for X, as a pipeline that reads names may."""

    def fit(self, X, y):
        self.mean_ = np.mean(y)
        return self

    def predict(self, X, return_std=False):
        mean = np.full(len(X), self.mean_)
        return (mean, np.ones(len(X))) if return_std else mean


class TestWhatCannotBeRead:
    @pytest.mark.parametrize("groups", [None, np.arange(60)])
    @pytest.mark.parametrize(
        "estimator", [tiny_crabnet(), make_pipeline("passthrough", FRACTIONS, BayesianRidge())]
    )
    def test_a_bad_formula_is_named_by_its_row(self, estimator, groups, some_formulas):
        X, y = some_formulas
        X[41] = "Xx2O3"
        with pytest.raises(FormulaError, match=r"row 41: 'Xx2O3'") as error:
            CalibratedRegressorCV(estimator, n_estimators=4).fit(X, y, groups=groups)
        assert "groups" not in str(error.value)
        assert error.value.rows == (41,)

    def test_among_formulas_for_whatever_estimator(self, some_formulas):
        X, y = some_formulas
        X[41] = "Xx2O3"
        model = CalibratedRegressorCV(Constant(), n_estimators=4)
        with pytest.raises(FormulaError, match=r"row 41: 'Xx2O3'"):
            model.fit(X, y)
        step = make_column_transformer((FRACTIONS, ["formula"]))
        model = CalibratedRegressorCV(make_pipeline(step, BayesianRidge()), n_estimators=4)
        with pytest.raises(FormulaError, match=r"row 41: 'Xx2O3'"):
            model.fit(pd.DataFrame({"formula": X}), y)

    def test_texts_that_are_no_formulas(self):
        X, y = [f"alloy {k}" for k in range(20)], np.arange(20.0)
        model = CalibratedRegressorCV(Constant(), n_estimators=4)
        with pytest.raises(ValueError, match=r"(?s)pass groups=.*'alloy 0'"):
            model.fit(X, y)
        assert (model.fit(X, y, groups=X).predict(X, return_std=True)[1] > 0).all()


class TestAttributes:
    @pytest.mark.parametrize(
        "estimator", [tiny_crabnet(max_epochs=1), make_pipeline(FRACTIONS, BayesianRidge())]
    )
    def test_of_an_earlier_fit_are_forgotten(self, estimator, some_formulas):
        X, y = some_formulas
        frame = pd.DataFrame({"f": X, "T": np.linspace(300, 400, 60)})
        model = CalibratedRegressorCV(estimator, n_estimators=4).fit(frame, y)
        assert model.feature_names_in_.tolist() == ["f", "T"]
        assert (model.n_features_in_, model.formula_position_) == (2, 0)
        model.fit(list(X), y)
        assert not hasattr(model, "feature_names_in_")
        assert (model.n_features_in_, model.formula_position_) == (1, 0)
        model.predict(list(X), return_std=True)

    def test_of_features(self, some_formulas):
        X, y = some_formulas
        model = CalibratedRegressorCV(make_pipeline(FRACTIONS, BayesianRidge()), n_estimators=4)
        model.fit(list(X), y)
        features = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=[*"abc"])
        model.set_params(estimator=BayesianRidge()).fit(features, y)
        assert model.feature_names_in_.tolist() == [*"abc"]
        assert model.n_features_in_ == 3
        model.fit(features.to_numpy(), y)
        assert not hasattr(model, "feature_names_in_")
        assert not hasattr(model, "formula_position_")
