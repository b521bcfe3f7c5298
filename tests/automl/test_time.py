"""The time limit, and what an interruption leaves."""

import time

import numpy as np
import pytest
from automl_candidates import Interrupted, Sleeping, auto, on_amounts
from sklearn.dummy import DummyRegressor
from tiny import tiny_crabnet

from crabsk.automl import CandidateWarning
from crabsk.automl._cost import seconds_of_a_fit


class TestTime:
    def test_what_takes_too_long_is_left_out(self, some_formulas):
        X, y = some_formulas
        start = time.perf_counter()
        candidates = {"mean": on_amounts(), "slow": Sleeping()}
        model = auto(candidates, time_limit=1.0).fit(X, y)
        assert time.perf_counter() - start < 1.5
        assert "s needed" in model.leaderboard_.loc["slow", "note"]

    def test_networks_get_a_share_of_the_time(self, some_formulas, monkeypatch):
        X, y = some_formulas
        monkeypatch.setattr("crabsk.automl._search.seconds_of_a_fit", lambda *_: 20.0)
        model = auto({"crabnet": tiny_crabnet()}, time_limit=50.0).fit(X, y)
        first = model.estimators_["crabnet"][0]
        assert 10 < first.time_limit < 50 / 3
        assert model.leaderboard_.loc["crabnet", "note"] == ""  # and it was enough

    def test_a_network_that_had_too_little_says_so(self, some_formulas, monkeypatch):
        X, y = some_formulas
        monkeypatch.setattr("crabsk.automl._search.seconds_of_a_fit", lambda *_: 1.0)
        candidates = {"crabnet": tiny_crabnet(max_epochs=100_000)}
        model = auto(candidates, time_limit=6.0, cv=2).fit(X, y)
        assert "fewer epochs" in model.leaderboard_.loc["crabnet", "note"]

    @pytest.mark.filterwarnings("ignore::crabsk.neural_network.ConflictingTargetsWarning")
    def test_networks_take_less_where_equal_samples_differ(self, some_formulas, monkeypatch):
        X, y = some_formulas
        asked = []

        def recorded(*arguments):
            asked.append(seconds_of_a_fit(*arguments))
            return asked[-1]

        monkeypatch.setattr("crabsk.automl._search.seconds_of_a_fit", recorded)
        candidates = {"crabnet": tiny_crabnet(max_epochs="auto")}
        twice = np.concatenate([X, X])
        for labels in (y, np.random.default_rng(0).permutation(y)):
            model = auto(candidates, time_limit=60.0, cv=2).fit(twice, np.concatenate([y, labels]))
            assert model.leaderboard_.loc["crabnet", "note"] == ""
        usual, short = asked
        assert short < usual / 2

    def test_nothing_but_the_mean(self, some_formulas):
        X, y = some_formulas
        candidates = {"mean": DummyRegressor(), "slow": Sleeping()}
        with pytest.warns(CandidateWarning, match="nothing but 'mean' was trained"):
            auto(candidates, time_limit=0.3).fit(X, y)

    def test_too_short_for_anything(self, some_formulas):
        with pytest.raises(ValueError, match="no candidate could be trained: slow: left out"):
            auto({"slow": Sleeping()}, time_limit=0.5).fit(*some_formulas)

    def test_an_interruption_keeps_what_is_finished(self, some_formulas):
        X, y = some_formulas
        candidates = {
            "mean": DummyRegressor(),
            "ridge": on_amounts(),
            "stop": Interrupted(),
            "late": DummyRegressor(),
        }
        with pytest.warns(CandidateWarning, match="interrupted: the ensemble is made of mean, rid"):
            model = auto(candidates).fit(X, y)
        assert model.predict(X).shape == y.shape
        assert "interrupted" in model.leaderboard_.loc["late", "note"]

    def test_no_trial_begins_when_time_is_up(self, some_formulas):
        X, y = some_formulas
        candidates = {"ridge": on_amounts(), **{str(k): Sleeping() for k in range(9)}}
        start = time.perf_counter()
        auto(candidates, time_limit=1.0).fit(X, y)
        assert time.perf_counter() - start < 2.5

    def test_an_interruption_before_anything_is_finished(self, some_formulas):
        with pytest.raises(KeyboardInterrupt):
            auto({"stop": Interrupted()}).fit(*some_formulas)
        with pytest.raises(KeyboardInterrupt):
            auto({"mean": DummyRegressor(), "stop": Interrupted()}).fit(*some_formulas)
