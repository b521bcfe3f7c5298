"""screen: constraints, and columns beside the formulas."""

import warnings

import numpy as np
import pandas as pd
import pytest
from fake_regressors import Linear, NumberOfElements
from pandas.testing import assert_frame_equal
from screened import CANDIDATES, FORMULAS, best_of, never, on_fractions
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import BayesianRidge, LogisticRegression

from crabsk.discovery import expected_improvement, probability_in_window, screen


@pytest.fixture(scope="module")
def table():
    """Formulas behind a temperature, on which the target depends."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"temperature": rng.uniform(300, 900, 40), "formula": FORMULAS[::3][:40]})
    return X, Linear().fit().predict(X["formula"]) + X["temperature"].to_numpy() / 300


@pytest.fixture(scope="module")
def with_temperature(table):
    return on_fractions(BayesianRidge()).fit(*table)


@pytest.fixture(scope="module")
def classifier():
    X = FORMULAS[::4]
    classes = np.where(Linear(seed=1).fit().predict(X) > 0, "stable", "unstable")
    return on_fractions(LogisticRegression()).fit(X, classes)


class TestConstraints:
    def test_probabilities_are_multiplied(self, model, classifier):
        other = Linear(seed=2).fit()
        found = screen(
            model,
            CANDIDATES,
            best=0.0,
            constraints=[(classifier, "unstable"), (other, (-0.5, np.inf))],
            top=15,
            chunk_size=50,
        )
        feasible = classifier.predict_proba(FORMULAS)[:, 1] * probability_in_window(
            *other.predict(FORMULAS, return_std=True), -0.5, np.inf
        )
        score = expected_improvement(*model.predict(FORMULAS, return_std=True), 0.0) * feasible
        expected, scores = best_of(FORMULAS, score, 15)
        assert found["formula"].tolist() == expected
        np.testing.assert_allclose(found["score"], scores)
        rows = [FORMULAS.index(formula) for formula in expected]
        np.testing.assert_allclose(found["feasible"], feasible[rows])

    def test_of_the_mean_alone(self, classifier):
        """A model without standard deviations can be held to a constraint, too."""
        found = screen(
            NumberOfElements(), CANDIDATES, acquisition="mean", constraints=[(classifier, "stable")]
        )
        np.testing.assert_allclose(found["score"], found["mean"] * found["feasible"])

    def test_negative_scores(self, model, classifier):
        with pytest.raises(ValueError, match=r"no sense of scores below 0: take an expected impro"):
            screen(model, CANDIDATES, acquisition="mean", constraints=[(classifier, "stable")])

    @pytest.mark.parametrize(
        ("constraint", "error", "message"),
        [
            (lambda c: (c, "maybe"), ValueError, "'maybe' is no class of Pipeline.*'stable', 'uns"),
            (lambda c: (Linear().fit(), "stable"), ValueError, "Linear is a regr.*not to 'stable'"),
            (lambda c: (Linear().fit(), (2, 1)), ValueError, r"constraints: \(2, 1\): the low end"),
            (lambda c: (NumberOfElements(), (0, 1)), TypeError, "NumberOfElements has no return_s"),
            (lambda c: ("stable", c), ValueError, "'stable' must be a fitted classifier"),
            (lambda c: (Linear(2).fit(), (0, 1)), ValueError, "Linear predicts 2 targets"),
            (lambda c: (LogisticRegression(), 1), NotFittedError, "not fitted"),
        ],
    )
    def test_errors(self, model, classifier, constraint, error, message):
        with pytest.raises(error, match=message):
            screen(model, CANDIDATES, best=0.0, constraints=[constraint(classifier)])

    def test_pairs_are_wanted(self, model, classifier):
        with pytest.raises(ValueError, match="constraints must be pairs of a fitted model and"):
            screen(model, CANDIDATES, best=0.0, constraints=(classifier, "stable"))


class TestContext:
    def test_columns_beside_the_formulas(self, with_temperature):
        means = []
        for temperature in (300, 900):
            found = screen(
                with_temperature,
                CANDIDATES,
                acquisition="upper_confidence_bound",
                context={"temperature": temperature},
                top=10,
                chunk_size=20,
            )
            X = pd.DataFrame({"temperature": temperature, "formula": FORMULAS})
            mean, std = with_temperature.predict(X, return_std=True)
            assert found["formula"].tolist() == best_of(FORMULAS, mean + 2 * std, 10)[0]
            means.append(found["mean"].mean())
        assert means[1] > means[0] + 1

    def test_models_beside_take_what_they_know_of_it(self, with_temperature, table):
        """A constraint and a domain of formulas alone, and of formulas at a temperature."""
        X, y = table
        formulas = X["formula"].tolist()
        alone = on_fractions(BayesianRidge()).fit(formulas, y)
        domain = IsolationForest(n_estimators=5, random_state=0)
        beside = {
            "formulas": (alone, on_fractions(clone(domain)).fit(formulas), FORMULAS),
            "table": (
                with_temperature,
                on_fractions(clone(domain)).fit(X),
                pd.DataFrame({"temperature": 400.0, "formula": FORMULAS}),
            ),
        }
        for constraint, own_domain, X_own in beside.values():
            found = screen(
                with_temperature,
                CANDIDATES,
                goal=(0, 2),
                constraints=[(constraint, (1, 2))],
                domain=own_domain,
                context={"temperature": 400.0},
                top=len(CANDIDATES),
            ).set_index("formula")
            feasible = probability_in_window(*constraint.predict(X_own, return_std=True), 1, 2)
            np.testing.assert_allclose(found.loc[FORMULAS, "feasible"], feasible)
            inside = own_domain.predict(X_own) == 1
            assert found.loc[FORMULAS, "in_domain"].tolist() == inside.tolist()

    def test_a_domain_that_lacks_a_column(self, with_temperature, table):
        X, _ = table
        domain = on_fractions(IsolationForest(n_estimators=5))
        domain.fit(X.assign(pressure=np.arange(40.0)))
        with pytest.raises(ValueError, match="'pressure': context= must give a number for each"):
            screen(with_temperature, never(), best=0.0, context={"temperature": 1}, domain=domain)

    @pytest.mark.parametrize(
        ("context", "message"),
        [
            (None, r"columns 'temperature', 'formula': context= must give a number.*gives none"),
            ({"pressure": 1}, "'temperature', 'formula': context= must.*gives 'pressure'"),
            ({"temperature": 1, "pressure": 1}, "gives 'temperature', 'pressure'"),
        ],
    )
    def test_wrong_columns(self, with_temperature, context, message):
        with pytest.raises(ValueError, match=message):
            screen(with_temperature, CANDIDATES, best=0.0, context=context)

    @pytest.mark.parametrize(
        "value", [[300.0, 900.0, 600.0], np.array([300.0] * 3), "300", None, np.nan, np.inf]
    )
    def test_a_column_has_one_number(self, with_temperature, value):
        """A list would be spread over the candidates where its length is theirs by chance."""
        for candidates in (FORMULAS[:3], never()):
            with pytest.raises(ValueError, match=r"for the column 'temperature', which must have"):
                screen(with_temperature, candidates, best=0.0, context={"temperature": value})

    @pytest.mark.parametrize("acquisition", [None, "probability"])
    def test_the_best_is_that_in_the_context(self, with_temperature, table, acquisition):
        X, y = table
        X = X.assign(temperature=np.repeat(np.float32([300.1, 900.3]), 20))
        how = {"acquisition": acquisition, "context": {"temperature": 300.1}, "top": 10}
        found = screen(with_temperature, CANDIDATES[60:], X_known=X, y_known=y, **how)
        expected = screen(with_temperature, CANDIDATES[60:], best=y[:20].max(), **how)
        assert y[:20].max() < y[20:].max()
        assert_frame_equal(found[expected.columns], expected)

    def test_the_front_is_that_in_the_context(self, table):
        X, y = table
        X = X.assign(temperature=np.repeat([300, 900], 20))
        Y = np.column_stack([y, -y[::-1]])
        model = Linear(n_targets=2).fit()
        model.feature_names_in_ = np.array(["temperature", "formula"], dtype=object)
        how = {"goal": ["maximize", "minimize"], "context": {"temperature": 900}, "top": 10}
        found = screen(model, CANDIDATES, X_known=X, y_known=Y, **how)
        expected = screen(model, CANDIDATES, X_known=X[20:], y_known=Y[20:], **how)
        np.testing.assert_allclose(found["score"], expected["score"])
        with pytest.raises(ValueError, match=r"temperature=301, .*: pass such rows"):
            screen(model, never(), X_known=X, y_known=Y, **how | {"context": {"temperature": 301}})

    @pytest.mark.parametrize(
        ("form", "message"),
        [
            (lambda X: X["formula"].tolist(), "no DataFrame with the columns.*'temperature'"),
            (lambda X: X[["formula"]], "no DataFrame with the columns.*'temperature'"),
            (lambda X: X, "has no row with temperature=555, .*: pass best=, or take another"),
        ],
        ids=["list", "no column", "no row"],
    )
    def test_nothing_is_known_in_the_context(self, with_temperature, table, form, message):
        X, y = table
        how = {"X_known": form(X), "y_known": y, "context": {"temperature": 555}}
        with pytest.raises(ValueError, match=message):
            screen(with_temperature, never(), **how)
        for enough in ({"best": 0.0}, {"acquisition": "mean"}, {"goal": (0, 1)}):
            screen(with_temperature, CANDIDATES, **how, **enough)

    @pytest.mark.parametrize("temperature", [-3.0, 5000.0])
    def test_beyond_what_is_known(self, with_temperature, table, temperature):
        X, y = table
        how = {"X_known": X, "y_known": y, "context": {"temperature": temperature}, "best": 0.0}
        with pytest.warns(UserWarning, match=f"gives {temperature:g} for .*, and X_known has") as w:
            screen(with_temperature, CANDIDATES, **how)
        assert w[0].filename == __file__
        with warnings.catch_warnings(action="error"):
            ends = X["temperature"].agg(["min", "max"])
            for inside in ends:
                screen(with_temperature, CANDIDATES, **how | {"context": {"temperature": inside}})

    def test_many_are_nearly_in_the_context(self, with_temperature, table):
        X, y = table
        X = X.assign(temperature=np.r_[[300.0] * 3, [306.0] * 37])
        how = {"X_known": X, "y_known": y, "context": {"temperature": 300.0}}
        with pytest.warns(
            UserWarning, match=r"3 row\(s\) of X_known with temp.*, and 40 rows are w"
        ):
            screen(with_temperature, CANDIDATES, **how)
        with warnings.catch_warnings(action="error"):
            screen(with_temperature, CANDIDATES, **how, best=0.0)
            X["temperature"] = np.r_[[300.0] * 20, [306.0] * 20]
            screen(with_temperature, CANDIDATES, **how)

    def test_columns_that_tell_of_no_range(self, with_temperature, table):
        X, y = table
        how = {"context": {"temperature": 300.0}, "best": 0.0}
        with pytest.raises(ValueError, match="X_known and y_known are empty"):
            screen(with_temperature, never(), X_known=X[:0], y_known=y[:0], **how)
        with pytest.raises(ValueError, match="column 'temperature', and X_known has something"):
            screen(
                with_temperature, never(), X_known=X.assign(temperature="cold"), y_known=y, **how
            )

    def test_what_is_known_in_the_context_is_left_out(self, with_temperature, table):
        X, y = table
        X = X.assign(temperature=np.repeat([300, 900], 20))
        how = {"X_known": X, "y_known": y, "context": {"temperature": 900}, "top": 10**4}
        found = set(screen(with_temperature, CANDIDATES, **how)["formula"])
        assert found == set(FORMULAS) - set(X["formula"][20:])
        found = screen(with_temperature, CANDIDATES, exclude_known=False, **how)
        assert set(found["formula"]) == set(FORMULAS)

    def test_not_fitted(self):
        model = on_fractions(BayesianRidge())
        with pytest.raises(NotFittedError):
            screen(model, CANDIDATES, best=0.0, context={"temperature": 300})

    def test_without_columns(self, model):
        with pytest.raises(ValueError, match="context= gives 'temperature', but the model was not"):
            screen(model, CANDIDATES, best=0.0, context={"temperature": 300})
