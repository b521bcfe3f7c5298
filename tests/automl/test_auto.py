"""AutoRegressor and AutoClassifier: leaderboard, blend, candidates, report, predictions."""

import zlib

import numpy as np
import pandas as pd
import polars as pl
import pytest
from automl_candidates import Answering, Failing, Interrupted, Pointing, auto, on_amounts
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_info

from crabsk import AutoClassifier, AutoRegressor, CompositionTransformer
from crabsk._validation import validate_compositions
from crabsk.automl import CandidateWarning
from crabsk.metrics import coverage
from crabsk.neural_network import BaseCompositionNetwork


class TestLeaderboard:
    def test_rows(self, some_formulas, quick):
        X, y = some_formulas
        board = auto(quick).fit(X, y).leaderboard_
        assert board.index[0] == "ensemble"
        assert sorted(board.index[1:]) == sorted(quick)
        assert board["mean"][1:].is_monotonic_decreasing
        folds = [f"fold_{k}" for k in range(3)]
        np.testing.assert_allclose(board[folds].mean(axis=1), board["mean"])
        assert board["weight"][1:].sum() == pytest.approx(1)
        assert (board[["fit_seconds", "predict_seconds"]] >= 0).all(axis=None)

    def test_scores_are_those_of_cross_validation(self, some_formulas):
        X, y = some_formulas
        cv = KFold(3)
        model = auto({"mean": DummyRegressor()}, cv=cv).fit(X, y)
        expected = cross_val_score(DummyRegressor(), X, y, cv=cv, scoring="neg_mean_absolute_error")
        found = model.leaderboard_.loc["mean", ["fold_0", "fold_1", "fold_2"]]
        np.testing.assert_allclose(found.astype(float), expected)

    def test_the_ensemble_is_scored_on_what_it_has_not_seen(self, monkeypatch):
        """Of twenty models of noise, some fit the samples left out; on new ones none does."""
        rng = np.random.default_rng(0)
        X, y = [f"Na{k}Cl" for k in range(1, 41)], rng.normal(size=40)

        class Noise(DummyRegressor):
            def predict(self, X):
                seeds = [zlib.crc32(f"{text} {self.constant}".encode()) for text in X]
                return np.array([np.random.default_rng(seed).normal() for seed in seeds])

        noise = {f"noise {k}": Noise(constant=k) for k in range(20)}
        model = auto(noise, cv=8).fit(X, y)
        dishonest = sum(weight * noise[name].predict(X) for name, weight in model.weights_.items())
        flattered = -mean_absolute_error(y, dishonest)
        assert model.leaderboard_.loc["ensemble", "mean"] < flattered - 0.05
        assert model.leaderboard_["mean"].iloc[1] <= flattered + 1e-9

    def test_scoring(self, some_formulas, quick):
        X, y = some_formulas
        board = auto(quick, scoring="r2").fit(X, y).leaderboard_
        assert board.loc["trees", "mean"] > 0 > board.loc["mean", "mean"]

    def test_equal_compositions_are_in_one_fold(self, some_formulas):
        X, y = some_formulas
        n = len(X)
        model = auto({"mean": DummyRegressor()}, cv=None).fit([*X, *X], [*y, *y])
        out_of_fold = model.out_of_fold_
        np.testing.assert_allclose(out_of_fold[:n], out_of_fold[n:])


class TestBlend:
    def test_predictions_are_the_weighted_mean(self, some_formulas, quick):
        X, y = some_formulas
        model = auto(quick).fit(X, y)
        expected = 0
        for name, weight in model.weights_.items():
            made = CompositionTransformer("magpie").fit_transform(X) if name == "trees" else X
            said = np.mean([one.predict(made) for one in model.estimators_[name]], axis=0)
            expected = expected + weight * said
        np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5)
        np.testing.assert_allclose(model.predict(X, return_std=True)[0], expected, rtol=1e-5)

    def test_same_seed_same_model(self, some_formulas, quick):
        X, y = some_formulas
        first, second = (auto(quick, time_limit=None).fit(X, y) for _ in range(2))
        np.testing.assert_array_equal(first.predict(X), second.predict(X))

    def test_the_users_estimators_are_left_alone(self, some_formulas, quick):
        X, y = some_formulas
        before = {name: str(model.get_params()) for name, model in quick.items()}
        auto(quick).fit(X, y)
        assert {name: str(model.get_params()) for name, model in quick.items()} == before
        assert not hasattr(quick["crabnet"], "nets_")

    def test_intervals_cover(self, formation_enthalpy):
        X, y = formation_enthalpy
        model = auto(["extra_trees", "mean"]).fit(X[::2], y[::2])
        mean, std = model.predict(X[1::2], return_std=True)
        assert 0.85 < coverage(y[1::2], mean, std, level=0.9) < 0.95

    def test_extra_columns(self, some_formulas, quick):
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": np.linspace(0, 1, len(X))})
        model = auto(quick).fit(frame, y + 10 * frame["T"])
        assert model.predict(frame).shape == y.shape
        with pytest.raises(ValueError, match="2 features"):
            model.predict(X)

    def test_folds_side_by_side(self, some_formulas, quick):
        X, y = some_formulas
        one, two = (auto(quick, time_limit=None, n_jobs=n).fit(X, y) for n in (None, 2))
        np.testing.assert_allclose(one.predict(X), two.predict(X), rtol=1e-5)


class TestCandidates:
    def test_unknown_names(self, some_formulas):
        with pytest.raises(ValueError, match="no candidate 'crabby': the names are mean, "):
            auto(["mean", "crabby"]).fit(*some_formulas)

    def test_names_twice(self, some_formulas):
        with pytest.raises(ValueError, match="two candidates are called 'mean'"):
            auto(["mean", "mean"]).fit(*some_formulas)

    def test_something_else(self, some_formulas):
        with pytest.raises(TypeError, match="not 3"):
            auto([3]).fit(*some_formulas)

    def test_none(self, some_formulas):
        with pytest.raises(ValueError, match="empty"):
            auto([]).fit(*some_formulas)

    def test_without_pretrained_weights(self, some_formulas):
        with pytest.raises(ValueError, match="no candidate 'crabnet_pretrained'"):
            auto(["crabnet_pretrained"], weights=None).fit(*some_formulas)

    def test_weights_that_are_not_there(self, some_formulas):
        with pytest.raises(ValueError, match="pretrainde"):
            auto(["mean"], weights="pretrainde").fit(*some_formulas)

    def test_one_that_fails_is_left_out_and_named(self, some_formulas):
        X, y = some_formulas
        with pytest.warns(CandidateWarning, match="'bad' is left out: RuntimeError: no luck"):
            model = auto({"ridge": on_amounts(), "bad": Failing()}).fit(X, y)
        assert "no luck" in model.leaderboard_.loc["bad", "note"]
        assert list(model.weights_) == ["ridge"]

    def test_models_of_numbers_are_told_what_they_lack(self, some_formulas):
        X, y = some_formulas
        with pytest.warns(CandidateWarning, match="make_pipeline.CompositionTransformer"):
            auto({"ridge": on_amounts(), "bad": Ridge()}).fit(X, y)

    @pytest.mark.filterwarnings("ignore::crabsk.automl.CandidateWarning")
    def test_one_that_predicts_no_numbers(self, some_formulas):
        X, y = some_formulas

        class Nothing(DummyRegressor):
            def predict(self, X):
                return np.full(len(X), np.nan)

        model = auto({"ridge": on_amounts(), "nan": Nothing()}).fit(X, y)
        assert "no finite number" in model.leaderboard_.loc["nan", "note"]

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (Answering(std=np.nan), "standard deviations that are no finite numbers"),
            (Answering((2,)), r"the shape \(\d+, 2\) for \d+ samples"),
            (Answering(std_shape=(2,)), r"the shape \(\d+, 2\) for \d+ samples"),
            (Pointing((2,)), r"the shape \(\d+, 2\) for \d+ samples"),
            (Pointing((1, 1)), r"the shape \(\d+, 1, 1\) for \d+ samples"),
        ],
    )
    def test_answers_that_are_no_number_for_each_sample(self, model, message, some_formulas):
        X, y = some_formulas
        with pytest.warns(CandidateWarning, match=f"'bad' is left out: ValueError: .*{message}"):
            fitted = auto({"ridge": on_amounts(), "bad": model}).fit(X, y)
        assert np.isfinite(fitted.predict(X, return_std=True)).all()

    @pytest.mark.parametrize("kind", [Answering, Pointing])
    def test_columns_of_answers_are_taken(self, kind, some_formulas):
        X, y = some_formulas
        flat, column = (
            auto({"own": kind(shape, std_shape=shape)}).fit(X, y).predict(X, return_std=True)
            for shape in ((), (1,))
        )
        np.testing.assert_array_equal(flat, column)

    @pytest.mark.filterwarnings("ignore:nothing but:crabsk.automl.CandidateWarning")
    def test_one_that_the_scorer_refuses_is_left_out_and_named(self, some_formulas):
        X, y = some_formulas
        below = DummyRegressor(strategy="constant", constant=-1.0)
        candidates = {"mean": DummyRegressor(), "bad": below}
        model = auto(candidates, scoring="neg_mean_gamma_deviance")
        with pytest.warns(CandidateWarning, match="'bad' is left out: ValueError: .*positive"):
            model.fit(X, np.exp(y))
        assert "positive" in model.leaderboard_.loc["bad", "note"]
        assert list(model.weights_) == ["mean"]

    def test_a_scorer_that_refuses_all_stops_the_search(self, some_formulas):
        X, y = some_formulas
        candidates = {"mean": DummyRegressor(), "late": Interrupted()}
        with pytest.raises(ValueError, match="continuous is not supported"):
            auto(candidates, scoring="accuracy").fit(X, y)

    @pytest.mark.filterwarnings("ignore::crabsk.automl.CandidateWarning")
    def test_all_fail(self, some_formulas):
        with pytest.raises(ValueError, match=r"no candidate could be trained: bad: .*no luck"):
            auto({"bad": Failing()}).fit(*some_formulas)

    def test_the_portfolio(self, some_formulas, monkeypatch):
        """All of it, but with networks that train in a fraction of a second."""
        X, y = some_formulas
        y = np.random.default_rng(0).permutation(y)  # which the pretrained weights do not know
        monkeypatch.setattr(BaseCompositionNetwork, "_n_epochs", lambda *_: 1)
        board = AutoRegressor(cv=2, random_state=0).fit(X[:60], y[:60]).leaderboard_
        assert {"crabnet_pretrained", "crabnet", "roost", "boosting"} < set(board.index)
        assert board["mean"].notna().all()
        labels = np.where(y > np.median(y), "high", "low")
        board = AutoClassifier(cv=2, random_state=0).fit(X[:60], labels[:60]).leaderboard_
        assert {"prior", "crabnet_pretrained", "logistic_regression"} < set(board.index)
        assert board["mean"].notna().all()


class TestReport:
    def test_plots(self, some_formulas, quick):
        X, y = some_formulas
        model = auto(quick).fit(X, y)
        display = model.plot()
        labels = [text.get_text() for text in display.axes_[0].get_yticklabels()]
        assert labels[-1] == "ensemble"
        assert len(labels) == len(model.leaderboard_) - 1  # without the mean
        assert len(display.axes_[1].collections[0].get_offsets()) == len(X)

    def test_plots_of_classes(self, some_formulas):
        X, y = some_formulas
        model = AutoClassifier(["prior", "extra_trees"], cv=2, random_state=0)
        display = model.fit(X, np.digitize(y, [-1.5, -0.5])).plot()
        assert len(display.axes_) == 3
        assert display.figure_ is not None

    def test_html(self, some_formulas):
        X, y = some_formulas
        model = auto({"only_one": DummyRegressor()})
        assert "fold_0" not in model._repr_html_()
        assert "fold_0" in model.fit(X, y)._repr_html_()


class TestClassifier:
    def test_probabilities(self, some_formulas):
        X, y = some_formulas
        labels = np.array(["low", "middle", "high"])[np.digitize(y, [-1.5, -0.5])]
        model = AutoClassifier(["prior", "extra_trees"], cv=3, random_state=0)
        model.fit(X, labels)
        shares = model.predict_proba(X)
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        assert model.classes_.tolist() == ["high", "low", "middle"]
        np.testing.assert_array_equal(model.predict(X), model.classes_[shares.argmax(axis=1)])
        assert model.score(X, labels) > 0.8

    def test_a_class_that_a_fold_lacks(self):
        """One sample is the only one of its class: the fold that holds it is trained without."""
        X = ["NaCl", "KCl", "NaBr", "KBr", "MgO", "CaO", "Cu"]
        y = ["a", "a", "a", "b", "b", "b", "c"]
        model = AutoClassifier(["prior", "extra_trees"], cv=KFold(3), random_state=0)
        assert model.fit(X, y).predict_proba(X).shape == (7, 3)

    @pytest.mark.parametrize("kind", [int, float, str, bool])
    def test_rare_classes_are_in_short_trials(self, kind):
        """The trials that tell how long a fit takes draw few rows, here all of the other class."""
        n = 300
        X, y = [f"Na{k}Cl" for k in range(1, n + 1)], np.zeros(n, dtype=bool)
        y[np.random.RandomState(0).permutation(n)[-4:]] = True
        own = make_pipeline(CompositionTransformer(stats="amount"), LogisticRegression())
        model = AutoClassifier({"own": own}, cv=3, random_state=0).fit(X, y.astype(kind))
        assert model.leaderboard_.loc["own", "note"] == ""

    @pytest.mark.filterwarnings("ignore:nothing but:crabsk.automl.CandidateWarning")
    def test_probabilities_of_another_shape(self):
        class Half(DummyClassifier):
            def predict_proba(self, X):
                return super().predict_proba(X)[:, :1]

        X, y = ["NaCl", "KCl", "NaBr", "KBr"], ["a", "b", "a", "b"]
        model = AutoClassifier({"prior": DummyClassifier(), "bad": Half()}, cv=2, random_state=0)
        with pytest.warns(CandidateWarning, match=r"'bad' is left out: .*\(2, 1\) for 2 samples"):
            model.fit(X, y)

    def test_one_class(self):
        with pytest.raises(ValueError, match="1 class"):
            AutoClassifier().fit(["NaCl", "KCl"], ["a", "a"])


def test_predictions_in_chunks(some_formulas, quick, monkeypatch):
    X, y = some_formulas
    model = auto(quick).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    monkeypatch.setattr("crabsk.automl._base._CHUNK", 7)
    np.testing.assert_allclose(model.predict(X), mean, rtol=1e-5)
    np.testing.assert_allclose(model.predict(X, return_std=True)[1], std, rtol=1e-4)


def test_chunks_of_a_table(some_formulas, monkeypatch):
    X, y = some_formulas
    frame = pd.DataFrame({"formula": X, "T": np.linspace(0, 1, len(X))}, index=range(7, 67))
    model = auto(["extra_trees"]).fit(frame, y)
    expected = model.predict(frame, return_std=True)
    monkeypatch.setattr("crabsk.automl._base._CHUNK", 7)
    np.testing.assert_allclose(model.predict(frame, return_std=True), expected, rtol=1e-5)
    polars = pl.from_pandas(frame)
    np.testing.assert_allclose(model.predict(polars, return_std=True), expected, rtol=1e-5)


def test_formulas_are_not_computed_one_by_one(some_formulas, computed, monkeypatch):
    X, y = computed(some_formulas[0]), some_formulas[1]
    monkeypatch.setattr("crabsk.automl._base._CHUNK", 7)
    model = auto({"ridge": on_amounts()}).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), model.predict(X.formulas))
    assert X.n_asked < 10  # scikit-learn looks at the first


def test_predictions_read_X_once(some_formulas, monkeypatch):
    X, y = some_formulas
    model = auto({"mean": DummyRegressor()}).fit(X, y)
    reads = []

    def counted(*args, **settings):
        reads.append(args)
        return validate_compositions(*args, **settings)

    for module in ("_base", "_regressor"):
        monkeypatch.setattr(f"crabsk.automl.{module}.validate_compositions", counted)
    model.predict(X, return_std=True)
    assert len(reads) == 1


def test_threads_of_libraries_are_left_alone(some_formulas):
    X, y = some_formulas
    before = [pool["num_threads"] for pool in threadpool_info()]
    auto({"ridge": on_amounts(), "two": on_amounts()}, n_jobs=2).fit(X, y)
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_in_a_pipeline_and_cross_validated(some_formulas, quick):
    X, y = some_formulas
    scores = cross_val_score(make_pipeline(auto(quick)), X, y, cv=2)
    assert np.isfinite(scores).all()


def test_several_targets_are_refused(some_formulas):
    X, y = some_formulas
    with pytest.raises(ValueError, match="MultiOutputRegressor"):
        auto(["mean"]).fit(X, np.column_stack([y, y]))
