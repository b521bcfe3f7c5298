"""screen: the best of a stream."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from fake_regressors import Linear, NumberOfElements
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from screened import CANDIDATES, FORMULAS, KNOWN, best_of, on_fractions
from sklearn.gaussian_process import GaussianProcessRegressor
from tiny import tiny, tiny_crabnet

from crabsk import CalibratedRegressorCV, CrabNetClassifier
from crabsk.composition import reduced_formula
from crabsk.discovery import (
    expected_hypervolume_improvement,
    expected_improvement,
    probability_in_window,
    probability_of_improvement,
    screen,
    upper_confidence_bound,
)
from crabsk.neural_network import TraceWarning, UnseenElementsWarning


class TestAcquisition:
    Y_KNOWN = Linear().fit().predict(KNOWN)

    @pytest.mark.parametrize(
        ("goal", "how", "score"),
        [
            pytest.param(
                "maximize",
                {"X_known": KNOWN, "y_known": Y_KNOWN},
                partial(expected_improvement, best=Y_KNOWN.max()),
                id="usual",
            ),
            pytest.param(
                "minimize",
                {"X_known": KNOWN, "y_known": Y_KNOWN, "acquisition": "expected_improvement"},
                partial(expected_improvement, best=Y_KNOWN.min(), maximize=False),
                id="improvement",
            ),
            pytest.param(
                "maximize",
                {"X_known": KNOWN, "y_known": Y_KNOWN, "best": 0.5},
                partial(expected_improvement, best=0.5),
                id="best",
            ),
            pytest.param(
                "minimize",
                {"best": 0, "acquisition": "probability"},
                partial(probability_of_improvement, best=0.0, maximize=False),
                id="probability",
            ),
            pytest.param(
                "minimize",
                {"acquisition": "upper_confidence_bound"},
                partial(upper_confidence_bound, maximize=False),
                id="bound",
            ),
            pytest.param("maximize", {"acquisition": "mean"}, lambda m, s: m, id="mean"),
            pytest.param("minimize", {"acquisition": "mean"}, lambda m, s: -m, id="lowest mean"),
            pytest.param(
                (-0.2, 0.1), {}, partial(probability_in_window, low=-0.2, high=0.1), id="window"
            ),
            pytest.param(
                (-0.2, 0.1),
                {"acquisition": "mean"},
                lambda m, s: 0.15 - np.abs(m + 0.05),  # the middle is the best
                id="mean in a window",
            ),
            pytest.param(
                "maximize",
                {"acquisition": lambda m, s: m * s},
                lambda m, s: m * s,
                id="function",
            ),
        ],
    )
    def test_one_target(self, model, goal, how, score):
        found = screen(model, CANDIDATES, goal=goal, top=20, exclude_known=False, **how)
        mean, std = model.predict(FORMULAS, return_std=True)
        expected, scores = best_of(FORMULAS, score(mean, std), 20)
        assert found["formula"].tolist() == expected
        np.testing.assert_allclose(found["score"], scores)
        rows = [FORMULAS.index(formula) for formula in expected]
        np.testing.assert_allclose(found["mean"], mean[rows])
        if how.get("acquisition") == "mean":
            assert "std" not in found
        else:
            np.testing.assert_allclose(found["std"], std[rows])

    @pytest.mark.parametrize(
        ("goals", "how"),
        [
            (["maximize", "minimize"], {}),
            (["minimize", "minimize"], {"acquisition": "probability"}),
            (["minimize", (-0.5, 0.5)], {}),
        ],
        ids=["hypervolume", "probability", "with a window"],
    )
    def test_several_targets(self, two_targets, goals, how):
        y_known = two_targets.predict(KNOWN)
        how = {"X_known": KNOWN, "y_known": y_known, "exclude_known": False, **how}
        found = screen(two_targets, FORMULAS, goal=goals, top=9, **how)
        mean, std = two_targets.predict(FORMULAS, return_std=True)
        low, high = y_known.min(axis=0), y_known.max(axis=0)
        if goals[0] == "maximize":
            score = expected_hypervolume_improvement(
                mean, std, y_known, [low[0], high[1]], maximize=[True, False]
            )
        else:
            first = probability_of_improvement(mean[:, 0], std[:, 0], low[0], maximize=False)
            other = mean[:, 1], std[:, 1]
            score = first * (
                probability_of_improvement(*other, low[1], maximize=False)
                if goals[1] == "minimize"
                else probability_in_window(*other, -0.5, 0.5)
            )
        expected, scores = best_of(FORMULAS, score, 9)
        assert found["formula"].tolist() == expected
        np.testing.assert_allclose(found["score"], scores)
        rows = [FORMULAS.index(formula) for formula in expected]
        for k in range(2):
            np.testing.assert_allclose(found[f"mean_{k}"], mean[rows, k])
            np.testing.assert_allclose(found[f"std_{k}"], std[rows, k])

    def test_the_mean_in_a_window_with_an_open_end(self, model):
        found = screen(model, CANDIDATES, goal=(0.2, np.inf), acquisition="mean", top=20)
        mean = model.predict(FORMULAS)
        assert found["formula"].tolist() == best_of(FORMULAS, mean, 20)[0]
        np.testing.assert_allclose(found["score"], found["mean"] - 0.2)

    def test_a_function_of_several_targets_sees_a_table(self, two_targets):
        found = screen(
            two_targets,
            CANDIDATES,
            goal=["maximize", "maximize"],
            acquisition=lambda mean, std: mean[:, 0] - std[:, 1],
        )
        np.testing.assert_allclose(found["score"], found["mean_0"] - found["std_1"])

    def test_a_score_that_is_no_number_is_named(self, model):
        def score(mean, std):
            score = np.arange(float(len(mean)))
            score[[3, 5]] = np.nan
            return score

        with pytest.raises(ValueError, match=rf"score of '{FORMULAS[3]}' is not a.*2 such.*among"):
            screen(model, CANDIDATES, acquisition=score)

    def test_lists_of_scores(self, model):
        """A function may return integers, infinities or a list."""
        found = screen(
            model, ["Fe", "Li", "O"], acquisition=lambda mean, std: [-np.inf, 2, 1], top=2
        )
        assert found["formula"].tolist() == ["Li", "O"]


class TestModels:
    def test_gaussian_process(self, model):
        process = on_fractions(GaussianProcessRegressor(alpha=1e-4, optimizer=None))
        process.fit(FORMULAS[::5], model.predict(FORMULAS[::5]))
        found = screen(process, CANDIDATES, acquisition="upper_confidence_bound", top=5)
        mean, std = process.predict(FORMULAS, return_std=True)
        assert found["formula"].tolist() == best_of(FORMULAS, mean + 2 * std, 5)[0]

    def test_network(self, some_formulas):
        """Its standard deviations are asked for; of elements it has not seen nothing is said."""
        X, y = some_formulas
        network = tiny_crabnet(n_estimators=2).fit(X, y)
        classes = np.where(y < -1, "stable", "unstable")
        classifier = tiny(CrabNetClassifier, max_epochs=1).fit(X, classes)
        candidates = [*FORMULAS[::10], "PuO2", "UPu3"]
        with warnings.catch_warnings(action="error", category=UnseenElementsWarning):
            found = screen(
                network,
                candidates,
                goal="minimize",
                X_known=X,
                y_known=y,
                constraints=[(classifier, "stable")],
                chunk_size=7,
            )
        assert {"PuO2", "UPu3"} < set(found["formula"])
        mean, std = network.predict(found["formula"].tolist(), return_std=True)
        np.testing.assert_allclose(found["mean"], mean, atol=1e-5)
        np.testing.assert_allclose(found["std"], std, atol=1e-5)
        feasible = classifier.predict_proba(found["formula"].tolist())[:, 0]
        np.testing.assert_allclose(found["feasible"], feasible, atol=1e-5)
        assert found["score"].is_monotonic_decreasing

    @pytest.mark.parametrize("calibrated", [False, True])
    @pytest.mark.filterwarnings("ignore:calibration has")
    def test_of_traces_nothing_is_said(self, some_formulas, calibrated):
        """A warning would count rows from the beginning of a chunk."""
        X, y = some_formulas
        network = tiny_crabnet(max_epochs=1)
        if calibrated:
            network = CalibratedRegressorCV(network, n_estimators=4)
        network.fit(X, y)
        candidates = ["NaCl", "FeO", "Na0.000001Cl"]
        with warnings.catch_warnings(action="error", category=TraceWarning):
            screen(network, candidates, acquisition="mean", chunk_size=2)
        with pytest.warns(TraceWarning, match="in row 2 is"):
            network.predict(candidates)


class TestStream:
    @pytest.mark.parametrize("chunk_size", [1, 7, len(FORMULAS), 10**6])
    @pytest.mark.parametrize("diversity", [0, 0.5])
    def test_chunks_change_nothing(self, model, chunk_size, diversity):
        for one in (model, NumberOfElements()):
            how = {"acquisition": "mean", "top": 7, "diversity": diversity}
            expected = screen(one, FORMULAS, **how)
            assert_frame_equal(screen(one, FORMULAS, chunk_size=chunk_size, **how), expected)

    @pytest.mark.parametrize(
        "form",
        [iter, tuple, pd.Series, np.array, lambda formulas: (f for f in formulas), set],
        ids=["iterator", "tuple", "series", "array", "generator", "set"],
    )
    def test_every_form(self, model, form):
        expected = screen(model, CANDIDATES, acquisition="mean", top=5)
        found = screen(model, form(FORMULAS), acquisition="mean", top=5, chunk_size=13)
        assert found["formula"].tolist() == expected["formula"].tolist()
        np.testing.assert_allclose(found["score"], expected["score"])

    @settings(deadline=None, max_examples=50)
    @given(
        formulas=st.lists(
            st.sampled_from(
                ["Fe2O3", "O3Fe2", "Fe4O6", "FeO", "OFe", "LiO", "Li2O2", "Li", "Li2", "Fe", "S8"]
            ),
            min_size=1,
        ),
        top=st.integers(1, 6),
        chunk_size=st.integers(1, 12),
    )
    def test_compositions_count_once_and_ties_keep_the_earlier(self, formulas, top, chunk_size):
        found = screen(
            NumberOfElements(), formulas, acquisition="mean", top=top, chunk_size=chunk_size
        )
        first = {}
        for formula, key in zip(formulas, reduced_formula(formulas), strict=True):
            first.setdefault(key, formula)
        distinct = list(first.values())
        expected, _ = best_of(distinct, NumberOfElements().predict(distinct), top)
        assert found["formula"].tolist() == expected

    def test_mappings(self, model):
        found = screen(model, [{"Fe": 2, "O": 3}, "O3Fe2", "Li2O"], acquisition="mean")
        assert len(found) == 2

    def test_more_is_asked_for_than_there_is(self, model):
        found = screen(model, CANDIDATES, acquisition="mean", top=10**6)
        assert found["formula"].tolist() == best_of(FORMULAS, model.predict(FORMULAS), 10**6)[0]

    def test_progress(self, model, capsys):
        screen(model, CANDIDATES, acquisition="mean")
        assert not capsys.readouterr().err
        screen(model, CANDIDATES, acquisition="mean", progress=True)
        assert f"{len(FORMULAS)}/{len(FORMULAS)}" in capsys.readouterr().err
        screen(model, iter(FORMULAS), acquisition="mean", progress=True)
        assert f"{len(FORMULAS)}candidate" in capsys.readouterr().err
