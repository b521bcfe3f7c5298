"""screen: what it refuses."""

import numpy as np
import pandas as pd
import pytest
from fake_regressors import Linear, NumberOfElements
from screened import CANDIDATES, FORMULAS, never, on_fractions
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge

from crabsk.composition import FormulaError
from crabsk.discovery import ApplicabilityDomain, screen


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"goal": "max"}, ValueError, 'must be "maximize", "minimize" or a'),
        ({"goal": (3.0, 2.0)}, ValueError, r"goal=\(3.0, 2.0\): the low end of a window.*below"),
        ({"goal": (3.0, None)}, ValueError, r"\(3.0, None\) must be.*\(low, high.*np.inf\) for"),
        ({"goal": "12"}, ValueError, "goal='12' must be"),
        ({"goal": ("maximize", "minimize")}, ValueError, "for several targets, a list of the"),
        ({"goal": []}, ValueError, "needs two or more goals"),
        ({}, ValueError, "improvement upon what.*X_known and y_known, whose best it is, or be"),
        ({"acquisition": "ucb"}, ValueError, "'ucb' must be one of 'expected_improvement'.*fu"),
        (
            {"acquisition": "expected_hypervolume_improvement"},
            ValueError,
            "needs two or more goals",
        ),
        (
            {"goal": ["maximize", "minimize"]},
            ValueError,
            "improves upon what is known: pass X_known and y_known",
        ),
        (
            {"goal": ["maximize", "minimize"], "acquisition": "mean"},
            ValueError,
            "is of one target, and there are 2 goals: take",
        ),
        (
            {"goal": (0, 1), "acquisition": "expected_improvement"},
            ValueError,
            'has no window: take "probability"',
        ),
        ({"goal": (0, 1), "best": 1.0}, ValueError, "a window does not use best=.*leave it out"),
        ({"acquisition": "mean", "best": 1.0}, ValueError, "acquisition='mean' does not use best="),
        ({"acquisition": np.subtract, "best": 1.0}, ValueError, "'subtract'> does not use best="),
        ({"goal": ["maximize"] * 2, "best": 1.0}, ValueError, "best= is of one target"),
        ({"best": np.nan}, ValueError, "best must be finite"),
        ({"best": "high"}, TypeError, "best must be an instance of float"),
        ({"X_known": ["Fe"]}, ValueError, "go together: pass both, or neither"),
        ({"y_known": [1.0]}, ValueError, "go together: pass both, or neither"),
        ({"X_known": ["Fe"], "y_known": [1.0, 2.0]}, ValueError, "inconsistent numbers of sam"),
        ({"X_known": [], "y_known": []}, ValueError, "are empty: leave them out"),
        ({"X_known": ["Fe"], "y_known": [[1, 2]]}, ValueError, "has 2 target.* there are 1 go"),
        (
            {"X_known": ["Fe", "O"], "y_known": [1, np.nan]},
            ValueError,
            "y_known holds no number in row 1: leave",
        ),
        ({"X_known": ["Fe", "Xx"], "y_known": [1, 2]}, FormulaError, "row 1: 'Xx'"),
        ({"best": 0.0, "top": 0}, ValueError, "top == 0, must be >= 1"),
        ({"best": 0.0, "diversity": 1.5}, ValueError, "diversity == 1.5, must be <= 1"),
        ({"best": 0.0, "diversity": np.nan}, ValueError, "diversity must be finite"),
        ({"best": 0.0, "chunk_size": 0}, ValueError, "chunk_size == 0, must be >= 1"),
        ({"best": 0.0, "top": 2.5}, TypeError, "top must be an instance of int"),
        ({"best": 0.0, "space": "magpie"}, ValueError, "space='magpie' must be a transformer"),
        (
            {"best": 0.0, "domain": ApplicabilityDomain(Ridge())},
            NotFittedError,
            "ApplicabilityDomain instance is not fitted yet",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(model, how, error, message):
    with pytest.raises(error, match=message):
        screen(model, never(), **how)


@pytest.mark.parametrize("model", ["CrabNet", LogisticRegression()])
def test_no_regressor(model):
    with pytest.raises(ValueError, match=r"must be a fitted regressor; a classifier is one of"):
        screen(model, never(), best=0.0)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        screen(on_fractions(BayesianRidge()), CANDIDATES, best=0.0)


def test_no_standard_deviations():
    with pytest.raises(TypeError, match=r'NumberOfElements has no return_std.*acquisition="me'):
        screen(NumberOfElements(), CANDIDATES, best=0.0)


@pytest.mark.parametrize(
    "candidates",
    ["Fe2O3", {"Fe": 2, "O": 3}, None, 5],
    ids=["formula", "mapping", "none", "number"],
)
def test_no_stream(model, candidates):
    with pytest.raises(ValueError, match=r"candidates=.* be a sequence of formulas: a list"):
        screen(model, candidates, best=0.0)


def test_a_table_in_place_of_its_column(model):
    with pytest.raises(ValueError, match=r"^candidates is a DataFrame: pass its column of form"):
        screen(model, pd.DataFrame({"formula": FORMULAS}), best=0.0)


@pytest.mark.parametrize("candidates", [[], iter(()), CANDIDATES[:0]])
def test_no_candidates(model, candidates):
    with pytest.raises(ValueError, match="holds no candidates"):
        screen(model, candidates, best=0.0)


def test_another_number_of_targets(two_targets):
    with pytest.raises(ValueError, match=r"predicts 2 target.*1 goal.*one for each target"):
        screen(two_targets, CANDIDATES, best=0.0)


def test_another_shape(model):
    with pytest.raises(ValueError, match=r"returned shape \(2,\) for 9 candidates"):
        screen(model, FORMULAS[:9], acquisition=lambda mean, std: mean[:2])


def test_formulas_that_cannot_be_read_are_counted_in_the_stream(model):
    stream = [*FORMULAS[:23], "Xx2O3", "FeO", None, "NaCl", *FORMULAS]
    with pytest.raises(FormulaError) as caught:
        screen(model, iter(stream), acquisition="mean", chunk_size=10)
    message = str(caught.value)
    assert "2 of 30 formulas cannot be read" in message
    assert "row 23: 'Xx2O3', position 0: unknown element 'Xx'" in message
    assert "row 25:" in message
    assert caught.value.rows == (23, 25)


def test_other_errors_say_where_their_chunk_begins():
    class Picky(Linear):
        def predict(self, X, return_std=False):
            mean, std = super().predict(X, return_std=True)
            return np.where(np.array(X) == FORMULAS[25], np.nan, mean), std

    with pytest.raises(ValueError, match=f"a mean of nan for '{FORMULAS[25]}'") as caught:
        screen(Picky().fit(), FORMULAS, best=0.0, chunk_size=10)
    assert f"candidate 20, '{FORMULAS[20]}'" in caught.value.__notes__[0]


class Overflowing(Linear):
    """Predicts something else than a finite number for two formulas."""

    def __init__(self, part=0, value=np.inf, n_targets=1):
        super().__init__(n_targets)
        self.part = part
        self.value = value

    def predict(self, X, return_std=False):
        answer = super().predict(X, return_std=True)
        formulas = X["formula"] if isinstance(X, pd.DataFrame) else X
        answer[self.part][np.isin(list(formulas), [FORMULAS[3], FORMULAS[8]])] = self.value
        return answer if return_std else answer[0]


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize(
    ("part", "what", "how"),
    [
        (0, "mean", {"acquisition": "mean"}),
        (0, "mean", {"goal": "minimize", "acquisition": "mean"}),
        (0, "mean", {"goal": (0.0, 1.0)}),
        (0, "mean", {"acquisition": lambda mean, std: np.nan_to_num(mean)}),
        (1, "standard deviation", {"acquisition": lambda mean, std: mean}),
        (1, "standard deviation", {"acquisition": "upper_confidence_bound"}),
    ],
)
def test_predictions_that_are_not_finite(part, what, how, value):
    message = rf"Overflowing predicts a {what} of {value} for '{FORMULAS[3]}' \(2 such.*among 9\)"
    with pytest.raises(ValueError, match=message):
        screen(Overflowing(part, value).fit(), FORMULAS[:9], **how)


def test_predictions_of_several_targets_that_are_not_finite():
    with pytest.raises(ValueError, match=rf"a mean of inf, inf for '{FORMULAS[3]}'"):
        screen(
            Overflowing(n_targets=2).fit(),
            FORMULAS[:9],
            goal=["maximize", "maximize"],
            acquisition=lambda mean, std: mean[:, 0],
        )


@pytest.mark.parametrize("part", [0, 1])
def test_predictions_for_constraints_that_are_not_finite(model, part):
    constraints = [(Overflowing(part).fit(), (0.0, 1.0))]
    with pytest.raises(ValueError, match=rf"Overflowing predicts .* of inf for '{FORMULAS[3]}'"):
        screen(model, FORMULAS[:9], best=0.0, constraints=constraints)


def test_predictions_beside_a_context_that_are_not_finite():
    overflowing = Overflowing().fit()
    overflowing.feature_names_in_ = np.array(["temperature", "formula"], dtype=object)
    with pytest.raises(ValueError, match=rf"for .*'temperature': 300.*'formula': '{FORMULAS[3]}'"):
        screen(overflowing, FORMULAS[:9], best=0.0, context={"temperature": 300})
