"""A fit that is killed goes on where it was, and ends where it would have."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from skorch.callbacks import Callback
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

from crabsk import CrabNetRegressor, load_model
from crabsk.composition import Compositions


class Killed(Exception):
    """Ends a training as a failure would."""


class DieAfter(Callback):
    """Fails when so many epochs have been trained in this process."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_train_begin(self, net, **kwargs):
        self.left_ = self.n_epochs

    def on_epoch_begin(self, net, **kwargs):
        if not self.left_:
            raise Killed
        self.left_ -= 1


class Records(Callback):
    """Puts what JSON lacks into the history."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("tensor", torch.tensor(1.0))
        net.history.record("many", torch.ones(3))


def fit_with_deaths(model, X, y, *, every, **fit_params):
    """Fit again and again until a fit comes to its end; return it and how often it died."""
    for deaths in range(100):
        model = clone(model).set_params(callbacks=[DieAfter(every)])
        try:
            return model.fit(X, y, **fit_params), deaths
        except Killed:
            continue
    raise AssertionError("never came to an end")


def weights(model):
    return [
        {name: value.numpy().tobytes() for name, value in net.module_.state_dict().items()}
        for net in model.nets_
    ]


def states(folder):
    """Return when the files of members were written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/member*.safetensors")}


class TestGoesOn:
    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_every_network(self, cls, some_formulas, tmp_path):
        X, y = some_formulas
        y = y if cls in REGRESSORS else y < -0.5
        settings = {"max_epochs": 7, "n_estimators": 2}
        whole = tiny(cls, **settings, callbacks=[DieAfter(100)]).fit(X, y)
        model, deaths = fit_with_deaths(tiny(cls, **settings, checkpoint=tmp_path), X, y, every=2)
        assert deaths >= 3
        assert weights(model) == weights(whole)
        assert np.array_equal(model.predict(X), whole.predict(X))

    @pytest.mark.parametrize(
        "settings",
        [
            {"dropout": 0.2},
            {"n_iter_no_change": 2, "max_epochs": 60},
            {"n_iter_no_change": 10, "validation_fraction": 0.2},
            {"batch_size": 7, "weight_decay": 0.3},
            {"n_experts": 4, "loss": "robust_l1"},
            {"target_transform": "yeo-johnson"},
            {"precision": "bfloat16", "dropout": 0.2},
        ],
    )
    def test_settings(self, settings, some_formulas, tmp_path):
        X, y = some_formulas
        settings = {"max_epochs": 9, "n_estimators": 2, **settings}
        whole = tiny_crabnet(**settings).fit(X, y)
        model, deaths = fit_with_deaths(
            tiny_crabnet(**settings, checkpoint=tmp_path), X, y, every=3
        )
        assert deaths
        assert weights(model) == weights(whole)
        assert np.array_equal(model.predict(X, return_std=True), whole.predict(X, return_std=True))
        for ours, theirs in zip(model.history_, whole.history_, strict=True):
            assert [row["train_loss"] for row in ours] == [row["train_loss"] for row in theirs]

    def test_batches_in_parts(self, some_formulas, tmp_path, monkeypatch):
        """Each part of a large network's batches has dropout of its own."""
        monkeypatch.setattr("crabsk.neural_network._parts.PART_SIZE", 1000)
        X, y = some_formulas
        settings = {"dropout": 0.2, "max_epochs": 6}
        whole = tiny_crabnet(**settings).fit(X, y)
        model, deaths = fit_with_deaths(
            tiny_crabnet(**settings, checkpoint=tmp_path), X, y, every=2
        )
        assert deaths
        assert weights(model) == weights(whole)

    def test_frozen_encoder(self, some_formulas, tmp_path):
        X, y = some_formulas
        source = tiny_crabnet(random_state=5).fit(X, y)
        settings = {"init_from": source, "freeze": 4, "max_epochs": 8}
        whole = tiny_crabnet(**settings).fit(X, y)
        model, deaths = fit_with_deaths(
            tiny_crabnet(**settings, checkpoint=tmp_path), X, y, every=3
        )
        assert deaths
        assert weights(model) == weights(whole)

    def test_validation_data(self, some_formulas, tmp_path):
        X, y = some_formulas
        held = {"X_val": X[50:], "y_val": y[50:]}
        settings = {"max_epochs": 7, "n_iter_no_change": 3}
        whole = tiny_crabnet(**settings).fit(X[:50], y[:50], **held)
        model, _ = fit_with_deaths(
            tiny_crabnet(**settings, checkpoint=tmp_path), X[:50], y[:50], every=2, **held
        )
        assert weights(model) == weights(whole)

    def test_without_a_seed_the_first_one_is_kept(self, some_formulas, tmp_path):
        X, y = some_formulas
        model = tiny_crabnet(random_state=None, max_epochs=5, checkpoint=tmp_path)
        first, deaths = fit_with_deaths(model, X, y, every=2)
        assert deaths
        assert weights(clone(first).fit(X, y)) == weights(first)

    def test_warm_start(self, some_formulas, tmp_path):
        X, y = some_formulas
        models = [
            tiny_crabnet(warm_start=True, checkpoint=folder).fit(X, y).fit(X, y)
            for folder in (None, tmp_path)
        ]
        assert weights(models[0]) == weights(models[1])
        assert len(os.listdir(tmp_path)) == 2

    @pytest.mark.slow
    def test_a_real_process_killed_twice(self, some_formulas, tmp_path):
        X, y = some_formulas
        program = (
            "import sys, json, time, torch; torch.set_num_threads(1)\n"
            "from skorch.callbacks import Callback\n"
            "from crabsk import CrabNetRegressor, save_model\n"
            "class Slowly(Callback):\n"
            "    def on_batch_end(self, net, **kwargs): time.sleep(0.01)\n"
            "X, y, settings = json.load(open(sys.argv[1]))\n"
            "model = CrabNetRegressor(**settings, checkpoint=sys.argv[2], callbacks=[Slowly()])\n"
            "model.fit(X, y).set_params(callbacks=None, checkpoint=None)\n"
            "save_model(model, sys.argv[3])\n"
        )
        settings = tiny_crabnet(max_epochs=60, n_estimators=2, dropout=0.1).get_params(deep=False)
        del settings["checkpoint"], settings["callbacks"]
        task, model_path = tmp_path / "task.json", tmp_path / "model"
        task.write_text(json.dumps([X.tolist(), y.tolist(), settings]))
        command = [sys.executable, "-c", program, task, tmp_path / "runs", model_path]
        rng = random.Random(0)
        for _ in range(2):
            before = states(tmp_path)
            process = subprocess.Popen(command)
            while states(tmp_path) == before:
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert not model_path.exists()
        subprocess.run(command, check=True)
        whole = tiny_crabnet(max_epochs=60, n_estimators=2, dropout=0.1).fit(X, y)
        assert weights(load_model(model_path)) == weights(whole)


class TestRuns:
    def test_a_finished_run_is_returned(self, some_formulas, tmp_path):
        X, y = some_formulas
        first = tiny_crabnet(checkpoint=tmp_path).fit(X, y)
        again = tiny_crabnet(checkpoint=tmp_path, callbacks=None).fit(X, y)
        assert weights(first) == weights(again)
        assert [row["dur"] for row in first.history_[0]] == [
            row["dur"] for row in again.history_[0]
        ]

    @pytest.mark.parametrize(
        "changed",
        [
            {"random_state": 1},
            {"learning_rate": 0.02},
            {"embedding": "magpie"},
            {"n_estimators": 2},
            {"n_experts": 2},
        ],
    )
    def test_other_settings_are_another_run(self, changed, some_formulas, tmp_path):
        X, y = some_formulas
        tiny_crabnet(checkpoint=tmp_path).fit(X, y)
        model = tiny_crabnet(checkpoint=tmp_path, **changed).fit(X, y)
        assert len(os.listdir(tmp_path)) == 2
        assert weights(model) == weights(tiny_crabnet(**changed).fit(X, y))

    def test_other_samples_are_another_run(self, some_formulas, tmp_path):
        X, y = some_formulas
        model = tiny_crabnet(checkpoint=tmp_path)
        model.fit(X, y)
        model.fit(X, -y)
        model.fit(X[::-1], y)
        model.fit(X, y, sample_weight=np.arange(1.0, 61))
        model.fit(X[:50], y[:50], X_val=X[50:], y_val=y[50:])
        model.fit(X[:50], y[:50], X_val=X[50:], y_val=-y[50:])
        assert len(os.listdir(tmp_path)) == 6

    @pytest.mark.filterwarnings("ignore::crabsk.neural_network.ConflictingTargetsWarning")
    def test_the_grouping_counts(self, some_formulas, tmp_path, monkeypatch):
        """What is held out depends on which compositions are the same."""
        X, y = some_formulas
        model = tiny_crabnet(checkpoint=tmp_path, n_iter_no_change=10)
        model.fit(X, y)
        with monkeypatch.context() as patch:
            patch.setattr(
                Compositions, "unique", lambda self, beside=None: (None, np.arange(len(self)) // 2)
            )
            model.fit(X, y)
        assert len(os.listdir(tmp_path)) == 2

    def test_what_is_shown_does_not_count(self, some_formulas, tmp_path):
        X, y = some_formulas
        for progress in (False, True):
            tiny_crabnet(checkpoint=tmp_path, progress=progress).fit(X, y)
        assert len(os.listdir(tmp_path)) == 1

    def test_a_home_folder(self, some_formulas, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        tiny_crabnet(checkpoint="~/runs").fit(*some_formulas)
        assert os.listdir(tmp_path) == ["runs"]

    def test_classes_and_labels_are_two_runs(self, some_formulas, tmp_path):
        X, y = some_formulas
        classes = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
        model = tiny(CLASSIFIERS[0], checkpoint=tmp_path)
        model.fit(X, classes).fit(X, np.eye(3, dtype=int)[classes])
        assert len(os.listdir(tmp_path)) == 2

    def test_parameters_of_callbacks_count(self, some_formulas, tmp_path):
        X, y = some_formulas
        for n_epochs in (50, 60):
            tiny_crabnet(checkpoint=tmp_path, callbacks=[DieAfter(n_epochs)]).fit(X, y)
        assert len(os.listdir(tmp_path)) == 2
        with pytest.raises(ValueError, match="no lasting description"):
            tiny_crabnet(checkpoint=tmp_path, callbacks=[DieAfter(lambda: 3)]).fit(X, y)

    def test_scale_that_a_warm_start_keeps_counts(self, some_formulas, tmp_path):
        X, y = some_formulas
        settings = {"warm_start": True, "target_transform": None}
        kept = [
            tiny_crabnet(checkpoint=folder, **settings).fit(X, 4 * y).fit(X, y + 1)
            for folder in (None, tmp_path)
        ]
        tiny_crabnet(checkpoint=tmp_path, **settings).fit(X, y).fit(X, y + 1)
        again = tiny_crabnet(checkpoint=tmp_path, **settings).fit(X, 4 * y).fit(X, y + 1)
        assert weights(kept[0]) == weights(kept[1]) == weights(again)

    def test_a_shared_random_state_goes_on(self, some_formulas, tmp_path):
        X, y = some_formulas

        def two_fits(folder):
            shared = np.random.RandomState(0)
            return [
                weights(tiny_crabnet(random_state=shared, checkpoint=folder).fit(X, y))
                for _ in range(2)
            ]

        plain, first, second = two_fits(None), two_fits(tmp_path), two_fits(tmp_path)
        assert plain == first == second
        assert plain[0] != plain[1]

    def test_callbacks_may_record_anything(self, some_formulas, tmp_path):
        tiny_crabnet(checkpoint=tmp_path, callbacks=[Records()]).fit(*some_formulas)

    def test_a_search_shares_the_folder(self, some_formulas, tmp_path):
        X, y = some_formulas
        grid = {"learning_rate": [1e-3, 1e-2]}
        plain, kept = (
            GridSearchCV(tiny_crabnet(checkpoint=folder), grid, cv=2, n_jobs=2).fit(X, y)
            for folder in (None, tmp_path)
        )
        assert np.array_equal(
            plain.cv_results_["mean_test_score"], kept.cv_results_["mean_test_score"]
        )
        assert len(os.listdir(tmp_path)) == 5

    def test_equal_fits_at_once(self, some_formulas, tmp_path):
        """One works, the other waits for it and takes what it made."""
        X, y = some_formulas
        with ThreadPoolExecutor(2) as pool:
            models = list(
                pool.map(
                    lambda _: tiny_crabnet(max_epochs=20, checkpoint=tmp_path).fit(X, y), range(2)
                )
            )
        assert weights(models[0]) == weights(models[1])
        assert len(os.listdir(tmp_path)) == 1

    def test_finished_runs_keep_no_state_of_the_optimizer(self, some_formulas, tmp_path):
        X, y = some_formulas
        tiny_crabnet(checkpoint=tmp_path).fit(X, y)
        (path,) = tmp_path.glob("*/member0.safetensors")
        assert b"optimizer" not in path.read_bytes()

    def test_what_a_killed_writer_left_is_removed(self, some_formulas, tmp_path):
        X, y = some_formulas
        tiny_crabnet(checkpoint=tmp_path).fit(X, y)
        (run,) = (path for path in tmp_path.iterdir() if path.is_dir())
        (run / ".member0.safetensors.0123.part").write_bytes(b"half a state")
        tiny_crabnet(checkpoint=tmp_path).fit(X, y)
        assert not list(run.glob(".*.part"))

    def test_spoilt_file(self, some_formulas, tmp_path):
        X, y = some_formulas
        tiny_crabnet(checkpoint=tmp_path).fit(X, y)
        (path,) = tmp_path.glob("*/member0.safetensors")
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(ValueError, match="no checkpoint of crabsk: remove it"):
            tiny_crabnet(checkpoint=tmp_path).fit(X, y)

    def test_spoilt_seeds(self, some_formulas, tmp_path):
        X, y = some_formulas
        tiny_crabnet(checkpoint=tmp_path).fit(X, y)
        (path,) = tmp_path.glob("*/seeds.json")
        path.write_text("{")
        with pytest.raises(ValueError, match=r"seeds\.json is damaged: remove its folder"):
            tiny_crabnet(checkpoint=tmp_path).fit(X, y)

    def test_a_file_without_a_state(self, some_formulas, tmp_path):
        X, y = some_formulas
        tiny_crabnet(checkpoint=tmp_path).fit(X, y)
        (path,) = tmp_path.glob("*/member0.safetensors")
        save_file({"x": torch.zeros(1)}, path, metadata={"crabsk_checkpoint": "{}"})
        with pytest.raises(ValueError, match="no checkpoint of crabsk: remove it"):
            tiny_crabnet(checkpoint=tmp_path).fit(X, y)

    def test_nothing_is_written_unasked(self, some_formulas, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        tiny_crabnet().fit(*some_formulas)
        assert not os.listdir(tmp_path)

    def test_in_cross_validation(self, some_formulas, tmp_path):
        X, y = some_formulas
        scores = cross_val_score(tiny_crabnet(checkpoint=str(tmp_path)), X, y, cv=3)
        assert np.array_equal(scores, cross_val_score(tiny_crabnet(), X, y, cv=3))


def test_progress_counts_what_was_done_before(some_formulas, tmp_path, capsys):
    X, y = some_formulas
    model = CrabNetRegressor(**tiny_crabnet(max_epochs=6, checkpoint=tmp_path).get_params())
    with pytest.raises(Killed):
        clone(model).set_params(callbacks=[DieAfter(4)]).fit(X, y)
    capsys.readouterr()
    clone(model).set_params(callbacks=[DieAfter(4)], progress=True).fit(X, y)
    shown = capsys.readouterr().err
    assert "6/6" in shown  # two of them now
