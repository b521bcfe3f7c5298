"""screen: the best of a stream, and what is said of them."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from fake_regressors import Linear, NumberOfElements
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tiny import tiny, tiny_crabnet

from crabsk import CompositionTransformer, CrabNetClassifier
from crabsk.composition import FormulaError, reduced_formula
from crabsk.discovery import (
    ApplicabilityDomain,
    alloy_grid,
    enumerate_compositions,
    expected_hypervolume_improvement,
    expected_improvement,
    probability_in_window,
    probability_of_improvement,
    screen,
    upper_confidence_bound,
)
from crabsk.neural_network import UnseenElementsWarning

CANDIDATES = enumerate_compositions(["Li", "Fe", "O", "S"], max_amount=3, charge_neutral=False)
FORMULAS = list(CANDIDATES)
KNOWN = ["Fe2O3", "Li2O", "FeS2", "Fe", "Li2S"]
FRACTIONS = CompositionTransformer(stats="fraction")


@pytest.fixture(scope="module")
def model():
    return Linear().fit()


@pytest.fixture(scope="module")
def two_targets():
    return Linear(n_targets=2).fit()


@pytest.fixture(scope="module")
def table():
    """Formulas behind a temperature, on which the target depends."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"temperature": rng.uniform(300, 900, 40), "formula": FORMULAS[::3][:40]})
    return X, Linear().fit().predict(X["formula"]) + X["temperature"].to_numpy() / 300


@pytest.fixture(scope="module")
def with_temperature(table):
    return on_fractions(BayesianRidge()).fit(*table)


def on_fractions(estimator):
    """Return a model of atomic fractions, and of numbers beside them."""
    return make_pipeline(CompositionTransformer(stats="fraction"), estimator)


def never():
    """Candidates that nothing should ask for."""
    raise AssertionError("asked for a candidate")
    yield


@pytest.fixture(scope="module")
def classifier():
    X = FORMULAS[::4]
    classes = np.where(Linear(seed=1).fit().predict(X) > 0, "stable", "unstable")
    return on_fractions(LogisticRegression()).fit(X, classes)


def best_of(formulas, score, top):
    """Return the best formulas and their scores; of equal ones the first."""
    order = np.argsort(-score, kind="stable")[:top]
    return np.array(formulas, dtype=object)[order].tolist(), score[order]


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
                lambda m, s: -np.maximum(np.maximum(-0.2 - m, m - 0.1), 0),
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
        found = screen(model, CANDIDATES, goal=goal, top=20, **how)
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
        found = screen(
            two_targets, FORMULAS, goal=goals, X_known=KNOWN, y_known=y_known, top=9, **how
        )
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


class TestDiversity:
    def test_doublings_of_one_alloy_are_spread(self, model):
        """The best are all one alloy; other alloys, less good, are taken only if it is asked."""
        alloys = list(alloy_grid({"Fe": (49, 51), "Li": (49, 51)}, step=0.2))
        others = [f"{symbol}Fe" for symbol in ("O", "S", "Cu", "Mg", "Ti")]

        def score(mean, std):
            return -np.arange(float(len(mean)))

        found, spread, farthest = (
            screen(model, alloys + others, acquisition=score, top=6, diversity=diversity)
            for diversity in (0, 0.6, 1)
        )
        assert found["formula"].tolist() == alloys[:6]
        for some in (spread, farthest):
            assert some["formula"][0] == alloys[0]
            assert len(set(some["formula"])) == 6
        assert set(farthest["formula"][1:]) == set(others)
        assert 3 <= len(set(spread["formula"]) & set(others)) <= 5

    @pytest.mark.parametrize("diversity", [0.2, 0.7, 1.0])
    def test_is_maximal_marginal_relevance(self, model, diversity):
        found = screen(
            model, CANDIDATES, acquisition="mean", top=10, diversity=diversity, space=FRACTIONS
        )
        pool, _ = best_of(FORMULAS, model.predict(FORMULAS), 50)
        x = FRACTIONS.fit_transform(pool)
        scale = x.std(axis=0)
        x = x / np.where(scale > 0, scale, 1)
        rank = 1 - np.arange(50) / 49
        apart = cdist(x, x)
        chosen = [0]
        while len(chosen) < 10:
            near = apart[:, chosen].min(axis=1) / apart[0].max()
            worth = {
                k: (1 - diversity) * rank[k] + diversity * near[k]
                for k in range(50)
                if k not in chosen
            }
            chosen.append(max(worth, key=worth.get))
        assert found["formula"].tolist() == [pool[k] for k in chosen]

    def test_equal_points(self, model):
        """A space that tells nothing apart takes the best."""
        space = FunctionTransformer(lambda X: np.zeros((len(X), 2)))
        found = screen(model, CANDIDATES, acquisition="mean", top=3, diversity=0.5, space=space)
        assert found["formula"].tolist() == best_of(FORMULAS, model.predict(FORMULAS), 3)[0]


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
            (lambda c: (Linear().fit(), (2, 1)), ValueError, r"window \(low, high\).*\(2, 1\)"),
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
            ({"temperature": np.nan}, "missing or infinite|NaN"),
        ],
    )
    def test_wrong_columns(self, with_temperature, context, message):
        with pytest.raises(ValueError, match=message):
            screen(with_temperature, CANDIDATES, best=0.0, context=context)

    def test_without_columns(self, model):
        with pytest.raises(ValueError, match="context= gives 'temperature', but the model was not"):
            screen(model, CANDIDATES, best=0.0, context={"temperature": 300})


class TestSurroundings:
    @pytest.mark.parametrize(
        "form",
        [
            list,
            lambda X: pd.DataFrame({"temperature": 300.0, "formula": X}),
            lambda X: CompositionTransformer(stats="amount").fit_transform(X),
        ],
        ids=["list", "table", "amounts"],
    )
    def test_nearest(self, model, form):
        found = screen(
            model,
            [*CANDIDATES, "PuO2", "Pu2SU3"],
            X_known=form(KNOWN),
            y_known=model.predict(KNOWN),
            top=10**4,
            space=FRACTIONS,
        ).set_index("formula")
        x = FRACTIONS.fit_transform(KNOWN)
        scale = np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
        among = cdist(x / scale, x / scale)
        unit = np.median(np.where(among > 0, among, np.inf).min(axis=1))
        apart = cdist(FRACTIONS.transform(found.index.tolist()) / scale, x / scale) / unit
        np.testing.assert_allclose(found["distance"], apart.min(axis=1), atol=1e-9)
        names = reduced_formula(KNOWN)[apart.argmin(axis=1)]
        clear = np.sort(apart, axis=1)[:, :2] @ [-1, 1] > 1e-6
        assert clear.mean() > 0.5
        assert (reduced_formula(found["nearest"].tolist()) == names)[clear].all()
        assert (found.loc[[f for f in KNOWN if f in found.index], "distance"] == 0).all()
        assert found["unseen_elements"].drop(["PuO2", "Pu2SU3"]).eq("").all()
        assert found["unseen_elements"][["PuO2", "Pu2SU3"]].tolist() == ["Pu", "U, Pu"]

    def test_a_known_one_is_at_no_distance(self, formation_enthalpy):
        """In the usual space, and however it is written."""
        X, y = formation_enthalpy
        model = Linear().fit()
        candidates = [f"({formula})2" for formula in X[:50]]
        found = screen(model, candidates, X_known=X, y_known=y, top=50)
        np.testing.assert_allclose(found["distance"], 0, atol=1e-12)
        assert (reduced_formula(found["nearest"]) == reduced_formula(found["formula"])).all()

    @pytest.mark.parametrize("known", [["Fe2O3"], ["Fe2O3", "Fe4O6", "Fe0.02O0.03"]])
    def test_one_known_composition(self, model, known):
        """Written in other ways, it is elsewhere by a rounding error, which is no unit."""
        found = screen(
            model, ["O3Fe2", "FeO"], X_known=known, y_known=np.zeros(len(known)), space=FRACTIONS
        )
        distance = found.set_index("formula")["distance"]
        assert distance["O3Fe2"] == pytest.approx(0, abs=1e-9)
        assert 0.1 < distance["FeO"] < 10

    def test_domain(self, model, formation_enthalpy):
        X, y = (part[:300] for part in formation_enthalpy)
        domain = ApplicabilityDomain(on_fractions(Ridge(1e-3)), space=FRACTIONS)
        found = screen(model, [*X[:60], "PuO2"], best=0.0, domain=domain.fit(X, y))
        inside = domain.predict(found["formula"].tolist()) == 1
        assert found["in_domain"].tolist() == inside.tolist()
        assert 0 < inside.sum() < len(found)
        assert not found.set_index("formula")["in_domain"]["PuO2"]


class TestErrors:
    @pytest.mark.parametrize(
        ("how", "error", "message"),
        [
            ({"goal": "max"}, ValueError, 'must be "maximize", "minimize" or a'),
            ({"goal": (3.0, 2.0)}, ValueError, r"goal=\(3.0, 2.0\) must be.*a window \(low, high"),
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
            ({"goal": (0, 1), "best": 1.0}, ValueError, "best= is what.*leave it out"),
            ({"acquisition": "mean", "best": 1.0}, ValueError, "best= is what.*leave it out"),
            ({"acquisition": np.subtract, "best": 1.0}, ValueError, "best= is what.*leave it out"),
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
    def test_what_is_wrong_is_said_before_anything_is_asked(self, model, how, error, message):
        with pytest.raises(error, match=message):
            screen(model, never(), **how)

    @pytest.mark.parametrize("model", ["CrabNet", LogisticRegression()])
    def test_no_regressor(self, model):
        with pytest.raises(ValueError, match=r"must be a fitted regressor; a classifier is one of"):
            screen(model, never(), best=0.0)

    def test_not_fitted(self):
        with pytest.raises(NotFittedError):
            screen(on_fractions(BayesianRidge()), CANDIDATES, best=0.0)

    def test_no_standard_deviations(self):
        with pytest.raises(TypeError, match=r'NumberOfElements has no return_std.*acquisition="me'):
            screen(NumberOfElements(), CANDIDATES, best=0.0)

    @pytest.mark.parametrize(
        "candidates",
        ["Fe2O3", {"Fe": 2, "O": 3}, pd.DataFrame({"formula": FORMULAS}), None, 5],
        ids=["formula", "mapping", "table", "none", "number"],
    )
    def test_no_stream(self, model, candidates):
        with pytest.raises(ValueError, match=r"candidates=.* be a sequence of formulas: a list"):
            screen(model, candidates, best=0.0)

    @pytest.mark.parametrize("candidates", [[], iter(()), CANDIDATES[:0]])
    def test_no_candidates(self, model, candidates):
        with pytest.raises(ValueError, match="holds no candidates"):
            screen(model, candidates, best=0.0)

    def test_another_number_of_targets(self, two_targets):
        with pytest.raises(ValueError, match=r"predicts 2 target.*1 goal.*one for each target"):
            screen(two_targets, CANDIDATES, best=0.0)

    def test_another_shape(self, model):
        with pytest.raises(ValueError, match=r"returned shape \(2,\) for 9 candidates"):
            screen(model, FORMULAS[:9], acquisition=lambda mean, std: mean[:2])

    def test_formulas_that_cannot_be_read_are_counted_in_the_stream(self, model):
        stream = [*FORMULAS[:23], "Xx2O3", "FeO", None, "NaCl", *FORMULAS]
        with pytest.raises(FormulaError) as caught:
            screen(model, iter(stream), acquisition="mean", chunk_size=10)
        message = str(caught.value)
        assert "2 of 30 formulas cannot be read" in message
        assert "row 23: 'Xx2O3', position 0: unknown element 'Xx'" in message
        assert "row 25:" in message
        assert caught.value.rows == (23, 25)

    def test_other_errors_say_where_their_chunk_begins(self):
        class Picky(Linear):
            def predict(self, X, return_std=False):
                mean, std = super().predict(X, return_std=True)
                return np.where(np.array(X) == FORMULAS[25], np.nan, mean), std

        with pytest.raises(ValueError, match="mean must be finite: row 5 is nan") as caught:
            screen(Picky().fit(), FORMULAS, best=0.0, chunk_size=10)
        assert f"candidate 20, '{FORMULAS[20]}'" in caught.value.__notes__[0]
