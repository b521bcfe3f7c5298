"""What fit does: seeds, threads, warm starts, failures, members, callbacks, progress."""

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EpochScoring
from skorch.callbacks import Checkpoint as SkorchCheckpoint
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

from crabsk import CompositionTransformer, CrabNetClassifier, CrabNetRegressor


class TestTraining:
    @pytest.mark.parametrize("loss", ["absolute_error", "squared_error", "robust_l1", "robust_l2"])
    def test_learns(self, formation_enthalpy, loss):
        X, y = formation_enthalpy
        estimator = tiny_crabnet(loss=loss, d_model=32, max_epochs=15, random_state=3).fit(
            X[::2], y[::2]
        )
        assert estimator.score(X[1::2], y[1::2]) > 0.6
        mean, std = estimator.predict(X[1::2], return_std=True)
        error = np.abs(mean - y[1::2])
        assert (std > 0).all()
        # Half of the errors within about 0.3 to 1.5 standard deviations: of the right size.
        assert 0.2 < np.median(error / std) < 1.5

    def test_same_seed_same_result(self, some_formulas):
        X, y = some_formulas
        first, again, other = (
            tiny_crabnet(dropout=0.2, n_estimators=2, random_state=seed).fit(X, y).predict(X)
            for seed in (0, 0, 1)
        )
        assert np.array_equal(first, again)
        assert not np.allclose(first, other)

    @pytest.mark.parametrize("members", [1, 3])
    def test_threads_do_not_matter(self, some_formulas, members):
        X, y = some_formulas
        predictions = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            estimator = CrabNetRegressor(max_epochs=3, n_estimators=members, random_state=0)
            estimator.fit(X, y)
            assert torch.get_num_threads() == threads
            torch.set_num_threads(1)
            predictions.append(estimator.predict(X, return_std=True))
        assert np.array_equal(*predictions)

    @pytest.mark.parametrize("cls", [CrabNetRegressor, CrabNetClassifier])
    def test_a_member_does_not_tell_another_that_it_validates(self, some_formulas, cls):
        """A loss of regression is another one in validation: members must not share it."""
        X, y = some_formulas
        y = y if cls is CrabNetRegressor else y < -0.5
        histories = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            estimator = tiny(cls, n_estimators=4, max_epochs=15)
            estimator.fit(X, y, X_val=X[:3], y_val=y[:3])
            torch.set_num_threads(1)
            losses = ("train_loss", "valid_loss")
            histories.append([[e[k] for k in losses] for h in estimator.history_ for e in h])
        assert histories[0] == histories[1]

    def test_global_random_states_are_left_alone(self, some_formulas):
        X, y = some_formulas

        def states():
            return (
                random.getstate(),
                np.random.get_state()[1].tolist(),  # noqa: NPY002, the state to leave alone
                torch.get_rng_state().tolist(),
            )

        before = states()
        tiny_crabnet(dropout=0.1, random_state=None).fit(X, y).predict(X)
        after = states()
        # random_state=None draws the seed from numpy's global state, as scikit-learn does.
        assert before[0] == after[0]
        assert before[2] == after[2]
        tiny_crabnet(dropout=0.1).fit(X, y)
        assert states() == after

    def test_fits_side_by_side_do_not_disturb_each_other(self, some_formulas):
        X, y = some_formulas
        before = torch.get_rng_state()

        def predict(seed):
            return tiny_crabnet(random_state=seed).fit(X, y).predict(X)

        expected = [predict(seed) for seed in range(6)]
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(predict, range(6)))
        assert np.array_equal(got, expected)
        assert torch.equal(torch.get_rng_state(), before)

    def test_fits_side_by_side_restore_the_threads(self, some_formulas):
        """The second of them must not take the first one's limit for the user's."""
        X, y = some_formulas
        torch.set_num_threads(2)
        with ThreadPoolExecutor(2) as pool:
            for model in pool.map(lambda _: tiny_crabnet(max_epochs=20).fit(X, y), range(2)):
                assert len(model.nets_) == 1
        found = []
        thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert [*found, torch.get_num_threads()] == [2, 2]

    def test_divergence_is_told(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="training diverged"):
            tiny_crabnet(learning_rate=1e30).fit(X, y)

    def test_a_failing_member_stops_the_others(self, some_formulas):
        X, y = some_formulas

        class Fail(Callback):
            def on_epoch_end(self, net, **kwargs):
                if net.history[-1]["epoch"] == 2:
                    raise OSError("the disk is full")

        torch.set_num_threads(2)
        n_threads = threading.active_count()
        estimator = tiny_crabnet(callbacks=[Fail()], n_estimators=4, max_epochs=100_000)
        with pytest.raises(OSError, match="disk is full"):
            estimator.fit(X, y)
        assert threading.active_count() == n_threads
        with pytest.raises(NotFittedError):
            estimator.predict(X)

    def test_failed_fit_leaves_no_half_changed_model(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet().fit(X, y)
        with pytest.raises(ValueError, match="teapot"):
            estimator.set_params(device="teapot").fit(X, 100 * y)
        with pytest.raises(NotFittedError):
            estimator.predict(X)

    def test_second_fit_starts_afresh(self, some_formulas):
        X, y = some_formulas
        once = tiny_crabnet().fit(X, y).predict(X)
        twice = tiny_crabnet().fit(X, -5 * y).fit(X, y).predict(X)
        assert np.array_equal(once, twice)

    def test_warm_start_goes_on(self, some_formulas):
        X, y = some_formulas
        cold = tiny_crabnet(max_epochs=20).fit(X, y)
        warm = clone(cold).set_params(warm_start=True).fit(X, y).fit(X, y)
        assert warm.history_[0][0]["train_loss"] < cold.history_[0][0]["train_loss"]
        for changed in ({"embedding": "random_200"}, {"n_layers": 2}, {"d_model": 32}):
            with pytest.raises(ValueError, match="warm_start"):
                clone(warm).fit(X, y).set_params(**changed).fit(X, y)

    @pytest.mark.parametrize(
        "changed",
        [
            lambda X, y: ({}, np.column_stack([X.astype(object), y]), y),
            lambda X, y: ({}, X, y[:, None]),
            lambda X, y: ({}, X, np.column_stack([y, y])),
            lambda X, y: ({"target_transform": "yeo-johnson"}, X, y),
            lambda X, y: ({"embedding": "onehot"}, X, y),
            lambda X, y: ({"d_model": 32}, X, y),
            lambda X, y: ({"cbfv": None}, X, y),
            lambda X, y: ({"n_iter_no_change": 10}, X, y),
        ],
    )
    def test_a_refused_warm_start_leaves_the_model_as_it_was(self, some_formulas, changed):
        X, y = (np.asarray(part) for part in some_formulas)
        estimator = tiny_crabnet(warm_start=True).fit(X, y)
        before = estimator.predict(X)
        parameters, other_X, other_y = changed(X, y)
        with pytest.raises(ValueError, match=r"warm_start|features|shape"):
            estimator.set_params(**parameters).fit(other_X, other_y)
        assert np.array_equal(estimator.predict(X), before)
        assert estimator.n_features_in_ == 1

    def test_warm_start_holds_columns_to_their_names(self, some_formulas):
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": y[::-1]})
        estimator = tiny_crabnet(warm_start=True).fit(frame, y)
        with pytest.raises(ValueError, match="feature names"):
            estimator.fit(frame.rename(columns={"T": "p"}), y)

    def test_number_of_passes(self, some_formulas):
        assert tiny_crabnet(max_epochs=3, n_estimators=2).fit(*some_formulas).n_iter_ == 3
        assert not hasattr(tiny_crabnet(), "n_iter_")

    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_another_default_type_of_torch(self, cls, some_formulas):
        """Networks are of single precision, whatever the user's process does elsewhere."""
        X, y = some_formulas
        y = y if cls in REGRESSORS else y > 0
        torch.set_default_dtype(torch.float64)
        try:
            model = tiny(cls).fit(X, y)
            assert model.nets_[0].module_.element_vectors.dtype == torch.float32
            types = {value.dtype for value in model.nets_[0].module_.parameters()}
            assert types == {torch.float32}
            assert model.encode(X[:2]).dtype == np.float32
            expected = model.predict(X)
        finally:
            torch.set_default_dtype(torch.float32)
        np.testing.assert_allclose(model.predict(X), expected, rtol=1e-6)

    def test_warm_start_keeps_members_and_adds_some(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(warm_start=True).fit(X, y)
        first, mean = model.nets_[0], model.predict(X)
        model.set_params(n_estimators=3).fit(X, y)
        assert model.nets_[0] is first
        assert [len(member) for member in model.history_] == [3, 3, 3]
        assert len(model.callbacks_) == 3
        at_once = tiny_crabnet(n_estimators=3).fit(X, y)
        np.testing.assert_allclose(model.predict(X), at_once.predict(X), rtol=1e-6)
        assert not np.array_equal(model.predict(X), mean)

    def test_warm_start_drops_no_member(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(warm_start=True, n_estimators=2).fit(X, y)
        with pytest.raises(ValueError, match=r"2 members.*n_estimators=1 must not be below"):
            model.set_params(n_estimators=1).fit(X, y)
        assert len(model.nets_) == 2

    def test_a_column_that_is_missing_is_named(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet().fit(pd.DataFrame({"formula": X, "T": y[::-1]}), y)
        with pytest.raises(ValueError, match=r"1 features.*the columns \['formula', 'T'\]"):
            model.predict(X)

    @pytest.mark.parametrize("given", [{"X_val"}, {"y_val"}, {"sample_weight_val"}])
    def test_validation_samples_come_with_their_targets(self, some_formulas, given):
        X, y = some_formulas
        values = {"X_val": X[:5], "y_val": y[:5], "sample_weight_val": np.ones(5)}
        with pytest.raises(ValueError, match="X_val and y_val belong together"):
            tiny_crabnet().fit(X, y, **{name: values[name] for name in given})

    def test_weights_of_validation_samples(self, some_formulas):
        X, y = some_formulas
        held = {"X_val": X[40:], "y_val": y[40:]}
        weights = np.r_[np.ones(10), np.zeros(10)]
        weighted = tiny_crabnet().fit(X[:40], y[:40], **held, sample_weight_val=weights)
        half = tiny_crabnet().fit(X[:40], y[:40], X_val=X[40:50], y_val=y[40:50])
        losses = [[row["valid_loss"] for row in m.history_[0]] for m in (weighted, half)]
        np.testing.assert_allclose(*losses, rtol=1e-5)

    def test_a_pipeline_transforms_validation_samples(self, some_formulas):
        X, y = some_formulas
        with config_context(enable_metadata_routing=True):
            model = tiny_crabnet(max_epochs=2).set_fit_request(X_val=True, y_val=True)
            pipeline = make_pipeline(
                CompositionTransformer(stats="amount"), model, transform_input=["X_val"]
            )
            pipeline.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
        alone = tiny_crabnet(max_epochs=2).fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
        ours, theirs = (m.history_[0][-1]["valid_loss"] for m in (pipeline[-1], alone))
        assert ours == pytest.approx(theirs, rel=1e-4)

    def test_score_leaves_missing_labels_out(self, some_formulas):
        """So that a search with the default score does not end in NaN."""
        X, y = some_formulas
        Y = np.column_stack([y, -y])
        model = tiny_crabnet().fit(X, Y)
        predicted = model.predict(X)
        assert model.score(X, Y) == r2_score(Y, predicted)
        Y[::2, 1] = np.nan
        expected = (r2_score(y, predicted[:, 0]) + r2_score(-y[1::2], predicted[1::2, 1])) / 2
        assert model.score(X, Y) == pytest.approx(expected)
        search = GridSearchCV(tiny_crabnet(), {"d_model": [8, 16]}, cv=KFold(2))
        assert np.isfinite(search.fit(X, Y).best_score_)

    def test_callbacks_that_score_are_refused(self, some_formulas):
        with pytest.raises(ValueError, match=r"EpochScoring.*X_val and y_val"):
            tiny_crabnet(callbacks=[EpochScoring("r2")]).fit(*some_formulas)

    def test_warm_start_keeps_the_scale(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet(warm_start=True, max_epochs=20).fit(X, y)
        expected = estimator.predict(X)
        estimator.set_params(learning_rate=1e-12, max_epochs=1).fit(X[:5], 10 + y[:5])
        np.testing.assert_allclose(estimator.predict(X), expected, rtol=1e-4, atol=1e-5)

    def test_members_differ_and_widen_the_std(self, some_formulas):
        X, y = some_formulas
        ensemble = tiny_crabnet(n_estimators=3).fit(X, y)
        assert len(ensemble.nets_) == len(ensemble.history_) == 3
        weights = [net.module_.embed.weight for net in ensemble.nets_]
        assert not torch.equal(weights[0], weights[1])
        (rows, outputs), *_ = ensemble._member_outputs(X, ensemble._networks())
        mean, std = ensemble.predict(X[rows], return_std=True)
        scale = y.std()
        np.testing.assert_allclose(mean, outputs.mean[:, :, 0].mean(0) * scale + y.mean())
        variance = (outputs.sigma**2).mean(0) + outputs.mean.var(0)
        np.testing.assert_allclose(std, np.sqrt(variance[:, 0]) * scale)

    def test_dropout_is_on_in_every_epoch(self, some_formulas):
        """crabnet switches it off after the first."""
        X, y = some_formulas

        class Mode(Callback):
            def on_train_begin(self, net, **kwargs):
                self.modes = []

            def on_batch_end(self, net, training=False, **kwargs):
                self.modes.append((training, net.online_.training))

        estimator = tiny_crabnet(callbacks=[Mode()], n_iter_no_change=10).fit(X, y)
        later = [mode for training, mode in estimator.callbacks_[0][0].modes[3:] if training]
        assert later
        assert all(later)

    def test_sample_weight(self, some_formulas):
        X, y = some_formulas
        weights = np.zeros(60)
        weights[:30] = 2.5
        weighted = tiny_crabnet().fit(X, y, sample_weight=weights).predict(X)
        # Mean and scale come from the weighted samples, training from nothing else.
        poisoned = np.where(weights > 0, y, 1e6)
        np.testing.assert_allclose(
            tiny_crabnet().fit(X, poisoned, sample_weight=weights).predict(X), weighted, rtol=1e-6
        )
        heavy = np.where(np.arange(60) < 30, 1.0, 100.0)
        shifted = np.where(np.arange(60) < 30, 0.0, 1.0)
        mean = tiny_crabnet(max_epochs=1).fit(X, shifted, sample_weight=heavy).predict(X).mean()
        assert mean > 0.8

    def test_early_stopping(self, some_formulas):
        X, _ = some_formulas
        noise = np.random.default_rng(0).normal(size=60)
        estimator = tiny_crabnet(n_iter_no_change=3, max_epochs=60, validation_fraction=0.3).fit(
            X, noise
        )
        losses = [epoch["valid_loss"] for epoch in estimator.history_[0]]
        assert len(losses) < 60
        assert np.argmin(losses) == len(losses) - 4

    def test_validation_data_is_not_trained_on(self, some_formulas):
        X, y = some_formulas
        plain = tiny_crabnet().fit(X[:40], y[:40])
        validated = tiny_crabnet().fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
        assert np.array_equal(plain.predict(X), validated.predict(X))
        assert "valid_loss" in validated.history_[0][-1]
        assert "valid_loss" not in plain.history_[0][-1]

    def test_callbacks_are_cloned(self, some_formulas):
        X, y = some_formulas

        class Counter(Callback):
            def on_train_begin(self, net, **kwargs):
                self.epochs = 0

            def on_epoch_end(self, net, **kwargs):
                self.epochs += 1

        mine = Counter()
        estimator = tiny_crabnet(callbacks=[mine, ("named", Counter())], n_estimators=2).fit(X, y)
        assert not hasattr(mine, "epochs")
        assert [[c.epochs for c in member] for member in estimator.callbacks_] == [[3, 3], [3, 3]]

    def test_what_callbacks_were_made_with_is_shared(self, some_formulas, tmp_path):
        X, y = some_formulas

        class Logger(Callback):
            def __init__(self, losses, file):
                self.losses = losses
                self.file = file

            def on_epoch_end(self, net, **kwargs):
                self.losses.append(net.history[-1, "train_loss"])
                self.file.write("epoch\n")

        losses = []
        with (tmp_path / "log").open("w") as file:
            model = tiny_crabnet(callbacks=[Logger(losses, file)], n_estimators=2)
            clone(model).fit(X, y)
            cross_val_score(model, X, y, cv=3)
        assert len(losses) == 2 * 3 * (1 + 3)
        assert (tmp_path / "log").read_text() == "epoch\n" * len(losses)

    def test_files_of_members_are_apart(self, some_formulas, tmp_path):
        X, y = some_formulas
        for n_estimators in (1, 2):
            folder = tmp_path / str(n_estimators)
            checkpoint = SkorchCheckpoint(dirname=folder, monitor=None)
            model = tiny_crabnet(callbacks=[checkpoint], n_estimators=n_estimators).fit(X, y)
            assert checkpoint.dirname == folder
            names = ["params.pt"] if n_estimators == 1 else ["member0", "member1"]
            assert set(names) <= set(os.listdir(folder))
        one, other = (
            torch.load(folder / f"member{k}" / "params.pt", weights_only=True) for k in (0, 1)
        )
        assert any(not torch.equal(one[name], other[name]) for name in one)
        for saved, net in zip((one, other), model.nets_, strict=True):
            for name, value in net.module_.state_dict().items():
                assert torch.equal(saved[name], value)

    def test_progress(self, some_formulas, capsys):
        X, y = some_formulas
        tiny_crabnet().fit(X, y)
        assert capsys.readouterr() == ("", "")
        tiny_crabnet(progress=True, n_estimators=2).fit(X, y)
        shown = capsys.readouterr().err
        assert "6/6" in shown
        assert "train_loss" in shown

    def test_progress_of_a_long_prediction(self, some_formulas, capsys, monkeypatch):
        X, y = some_formulas
        model = tiny_crabnet(progress=True).fit(X, y)
        capsys.readouterr()
        model.predict(X)
        assert capsys.readouterr() == ("", ""), "it takes no seconds"
        monkeypatch.setattr("crabsk.neural_network._progress._PATIENCE", 0.0)
        monkeypatch.setattr("crabsk.neural_network._prediction.READING_CHUNK", 20)
        model.predict(X)
        assert "60.0/60.0" in capsys.readouterr().err
        model.set_params(progress=False).predict(X)
        assert capsys.readouterr() == ("", "")

    def test_writes_nothing(self, some_formulas, tmp_path, monkeypatch, capsys):
        """crabnet plots and writes files by default."""
        X, y = some_formulas
        monkeypatch.chdir(tmp_path)
        tiny_crabnet().fit(X, y).predict(X)
        assert list(tmp_path.iterdir()) == []
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize("n", [1, 2, 17])
    def test_few_samples(self, some_formulas, n):
        X, y = some_formulas
        assert np.isfinite(tiny_crabnet().fit(X[:n], y[:n]).predict(X)).all()
