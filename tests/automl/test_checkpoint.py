"""What a run that is killed leaves, and how it goes on."""

import subprocess
import sys

import numpy as np
from automl_candidates import Sleeping, auto, on_amounts
from sklearn.model_selection import KFold
from tiny import tiny_crabnet

from crabsk import CompositionTransformer
from crabsk.automl._storage import dump, load


class TestCheckpoint:
    def test_finished_folds_are_kept(self, some_formulas, quick, tmp_path, monkeypatch):
        X, y = some_formulas
        model = auto(quick, checkpoint=tmp_path).fit(X, y)
        monkeypatch.setattr("crabsk.automl._search.fit_fold", None)
        again = auto(quick, checkpoint=tmp_path).fit(X, y)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))

    def test_another_fit_has_its_own(self, some_formulas, quick, tmp_path, monkeypatch):
        X, y = some_formulas
        auto(quick, checkpoint=tmp_path).fit(X, y)
        other = auto(quick, checkpoint=tmp_path).fit(X, -y)
        assert (np.sign(other.predict(X)) != np.sign(y)).mean() > 0.8

    def test_other_folds_are_another_fit(self, some_formulas, quick, tmp_path):
        X, y = some_formulas
        for _ in range(2):  # whose folds differ, though the parameters are the same
            model = auto(quick, cv=KFold(3, shuffle=True), checkpoint=tmp_path).fit(X, y)
            assert model.leaderboard_.loc["trees", "mean"] > model.leaderboard_.loc["mean", "mean"]

    def test_another_form_of_X_is_another_fit(self, some_formulas, tmp_path):
        X, y = some_formulas
        amounts = CompositionTransformer(stats="amount").fit_transform(X)
        for form in (X, amounts):
            model = auto({"ridge": on_amounts()}, checkpoint=tmp_path).fit(form, y)
            assert model.predict(form).shape == y.shape

    def test_what_cannot_be_read_is_trained_again(self, some_formulas, tmp_path):
        X, y = some_formulas
        for _ in range(2):
            model = auto({"own": Sleeping(), "r": on_amounts()}, checkpoint=tmp_path).fit(X, y)
            assert model.leaderboard_["mean"].notna().all()

    def test_without_a_limit_shortened_networks_are_trained_again(self, some_formulas, tmp_path):
        X, y = some_formulas
        settings = {"checkpoint": tmp_path, "cv": 2}
        candidates = {"crabnet": tiny_crabnet(max_epochs=30)}
        short = auto(candidates, time_limit=600.0, **settings).fit(X, y)
        path = next(tmp_path.glob("*/*/*-0.skops"))
        fit = load(path, dict)
        path.write_bytes(dump(fit | {"shortened": True, "predicted": fit["predicted"] + 100}))
        again = auto(candidates, time_limit=600.0, **settings).fit(X, y)
        assert "fewer epochs" in again.leaderboard_.loc["crabnet", "note"]
        whole = auto(candidates, time_limit=None, **settings).fit(X, y)
        assert whole.leaderboard_["note"].iloc[1] == ""
        np.testing.assert_allclose(whole.predict(X), short.predict(X), rtol=1e-5)

    def test_the_seed_that_was_drawn_is_kept(self, some_formulas, quick, tmp_path):
        X, y = some_formulas
        first, second = (
            auto(quick, checkpoint=tmp_path, random_state=None).fit(X, y) for _ in range(2)
        )
        np.testing.assert_array_equal(first.predict(X), second.predict(X))

    def test_kill_and_resume(self, tmp_path):
        """SIGKILL between two folds: the second call trains what is missing only."""
        script = (
            "import os, sys\n"
            "from sklearn.dummy import DummyRegressor\n"
            "from crabsk import AutoRegressor\n"
            "import crabsk.automl._search as work\n"
            "n, fit = [0], work.fit_fold\n"
            "def counted(*args, **kwargs):\n"
            "    n[0] += 1\n"
            "    if n[0] > int(sys.argv[1]):\n"
            "        os.kill(os.getpid(), 9)\n"
            "    return fit(*args, **kwargs)\n"
            "work.fit_fold = counted\n"
            "X, y = ['NaCl', 'KCl', 'MgO', 'CaO', 'ZnS', 'GaAs'], [1.0, 2, 3, 4, 5, 6]\n"
            "auto = AutoRegressor({'mean': DummyRegressor()}, cv=3, random_state=0,\n"
            "                     checkpoint='runs').fit(X, y)\n"
            "print(n[0], auto.predict(['NaCl'])[0])\n"
        )

        def run(most):
            return subprocess.run(
                [sys.executable, "-c", script, str(most)],
                capture_output=True, text=True, cwd=tmp_path, check=False,
            )  # fmt: skip

        assert run(2).returncode == -9
        done = run(9)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[0] == "1"
