"""Large networks: batches in parts, in single and in half precision."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import Callback, Freezer
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

from crabsk.modules import CrabNet
from crabsk.neural_network import _parts
from crabsk.neural_network._net import CompositionNet
from crabsk.neural_network._parts import count_parts


class TestParts:
    """Large networks cut their batches into parts that threads share."""

    @pytest.fixture
    def fit(self, some_formulas, monkeypatch):
        X, y = some_formulas
        monkeypatch.setattr(_parts, "PART_SIZE", 1)

        def fit(threads, **settings):
            torch.set_num_threads(threads)
            return tiny_crabnet(**settings).fit(X, y)

        return fit

    @pytest.mark.parametrize("n_estimators", [1, 2])
    def test_threads_change_nothing(self, fit, n_estimators, some_formulas):
        settings = {"n_estimators": n_estimators, "dropout": 0.1}
        one, two = (fit(threads, **settings).predict(some_formulas[0]) for threads in (1, 2))
        np.testing.assert_array_equal(one, two)

    def test_gradients_add_up(self, fit, some_formulas, monkeypatch):
        """But for rounding, parts and the whole make the same steps."""
        cut = fit(2, max_epochs=2)
        monkeypatch.setattr(_parts, "MAX_PARTS", 1)
        whole = fit(2, max_epochs=2)
        np.testing.assert_allclose(
            cut.predict(some_formulas[0]), whole.predict(some_formulas[0]), rtol=1e-3, atol=1e-4
        )
        assert cut.history_[0][-1]["train_loss"] == pytest.approx(
            whole.history_[0][-1]["train_loss"], rel=1e-3
        )

    def test_callbacks_see_the_whole_batch(self, fit):
        class Sizes(Callback):
            def on_batch_end(self, net, batch, training, y_pred, **kwargs):
                self.sizes = len(batch[0]), len(y_pred.mean)

        estimator = fit(2, callbacks=[Sizes(), Freezer("embed.*")], n_iter_no_change=10)
        (sizes, _) = estimator.callbacks_[0]
        assert sizes.sizes[0] == sizes.sizes[1] > 1

    def test_rows_without_elements(self, fit):
        """scikit-learn's own machinery makes rows of zeros."""
        matrix = np.zeros((5, 3))
        matrix[4, 2] = 1.0
        torch.set_num_threads(2)
        for batch_size in (1, 5):
            model = tiny_crabnet(batch_size=batch_size).fit(matrix, matrix[:, 2])
            assert np.isfinite(model.predict(matrix)).all()

    def test_extra_features(self, fit, some_formulas):
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": np.linspace(0, 1, len(X))})
        one = tiny_crabnet().fit(frame, y).predict(frame)
        torch.set_num_threads(2)
        np.testing.assert_array_equal(tiny_crabnet().fit(frame, y).predict(frame), one)

    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_every_network(self, cls, some_formulas, monkeypatch):
        """Also where some weights are not learnt, as a classifier's uncertainty."""
        X, y = some_formulas
        settings = {"fraction_noise": 0.0, "max_epochs": 2}
        labels = y if cls in REGRESSORS else y < -0.5
        whole = tiny(cls, **settings).fit(X, labels)
        monkeypatch.setattr(_parts, "PART_SIZE", 1)
        cut = tiny(cls, **settings).fit(X, labels)
        np.testing.assert_allclose(cut.encode(X), whole.encode(X), rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_what_only_training_needs_is_freed(self, fit, precision):
        class Watcher(Callback):
            def on_train_begin(self, net, **kwargs):
                self.parts = weakref.ref(net._parts)

        model = fit(2, precision=precision, callbacks=[Watcher()])
        gc.collect()
        assert model.callbacks_[0][0].parts() is None

    def test_only_large_networks_are_cut(self):
        assert count_parts(torch.nn.Linear(100, 100), 128, "float32") == 1
        assert count_parts(torch.nn.Linear(3000, 3000), 256, "float32") == 4
        assert count_parts(torch.nn.Linear(1500, 1500), 256, "float32") == 2

    def test_parts_are_larger_in_half_precision(self):
        """But two are cut where single precision has two."""
        for width, n_parts in [(100, 1), (1500, 2), (2200, 2), (5000, 2)]:
            assert count_parts(torch.nn.Linear(width, width), 256, "bfloat16") == n_parts


class Recorder(Callback):
    """Remembers the gradients of each step."""

    def initialize(self):
        self.gradients = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.gradients.append(
            {name: own.grad.clone() for name, own in named_parameters if own.grad is not None}
        )
        assert all(gradient.dtype == torch.float32 for gradient in self.gradients[-1].values())


class RoundedWeights(Callback):
    """Notes whether the weights that the optimiser moves have half precision's digits only."""

    def on_epoch_end(self, net, **kwargs):
        self.rounded = all(
            torch.equal(weight, weight.bfloat16().float()) for weight in net.online_.parameters()
        )


class TestHalfPrecision:
    """Matrices are multiplied in bfloat16 while training, and nothing else is."""

    @pytest.mark.parametrize("part_size", [1, 2**28])
    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_gradients(self, cls, part_size, some_formulas, monkeypatch):
        monkeypatch.setattr(_parts, "PART_SIZE", part_size)
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": np.linspace(0, 1, len(X))})
        labels = y if cls in REGRESSORS else y < -0.5
        (single, half) = (
            tiny(
                cls,
                fraction_noise=0.0,
                batch_size=len(X),
                max_epochs=1,
                precision=precision,
                callbacks=[Recorder()],
            )
            .fit(frame, labels)
            .callbacks_[0][0]
            .gradients[0]
            for precision in ("float32", "bfloat16")
        )
        assert half.keys() == single.keys()
        # In units of the gradient of the weight, unless that is next to none.
        least = 0.01 * max(gradient.norm() for gradient in single.values())
        differences = {
            name: float((half[name] - single[name]).norm() / max(least, single[name].norm()))
            for name in single
        }
        assert max(differences.values()) < 0.2
        assert max(differences.values()) > 1e-4

    @pytest.mark.parametrize("part_size", [1, 2**28])
    @pytest.mark.parametrize("cls", REGRESSORS)
    def test_each_step_is_of_the_weights_of_its_time(
        self, cls, part_size, some_formulas, monkeypatch
    ):
        monkeypatch.setattr(_parts, "PART_SIZE", part_size)
        X, y = some_formulas
        falls = []
        for precision in ("float32", "bfloat16"):
            model = tiny(cls, precision=precision, fraction_noise=0.0, max_epochs=20).fit(X, y)
            losses = [epoch["train_loss"] for epoch in model.history_[0]]
            falls.append(losses[0] - losses[-1])
        single, half = falls
        assert half == pytest.approx(single, rel=0.3)

    def test_threads_change_nothing(self, some_formulas, monkeypatch):
        monkeypatch.setattr(_parts, "PART_SIZE", 1)
        X, y = some_formulas
        predictions = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            model = tiny_crabnet(precision="bfloat16", dropout=0.1).fit(X, y)
            predictions.append(model.predict(X))
        np.testing.assert_array_equal(*predictions)

    def test_weights_are_of_single_precision(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(precision="bfloat16", callbacks=[RoundedWeights()]).fit(X, y)
        assert not model.callbacks_[0][0].rounded
        (net,) = model.nets_
        assert {weight.dtype for weight in net.module_.parameters()} == {torch.float32}

    def test_close_predictions_stay_apart_in_training(self, some_formulas):
        """Half precision has one digit in 256; the loss sees more."""

        class Predictions(Callback):
            def on_batch_end(self, net, batch, training, y_pred, **kwargs):
                self.mean = y_pred.mean

        X = [f"Fe{50 + k / 100:.2f}Cr{50 - k / 100:.2f}" for k in range(64)]
        y = np.arange(64.0)
        settings = {"precision": "bfloat16", "batch_size": 64, "callbacks": [Predictions()]}
        model = tiny_crabnet(**settings).fit(X, y)
        mean = model.callbacks_[0][0].mean
        assert mean.dtype == torch.float32
        assert not torch.equal(mean, mean.bfloat16().float())

    def test_frozen_weights_stay(self, some_formulas):
        X, y = some_formulas
        source = tiny_crabnet(random_state=5).fit(X, y)
        settings = {"init_from": source, "freeze": 3, "max_epochs": 3, "precision": "bfloat16"}
        model = tiny_crabnet(**settings, callbacks=[Recorder()]).fit(X, y)
        np.testing.assert_array_equal(model.encode(X), source.encode(X))
        assert not np.array_equal(model.predict(X), source.predict(X))
        assert all(name.startswith("head.") for name in model.callbacks_[0][0].gradients[0])

    def test_the_copy_is_on_the_device(self):
        network = CrabNet(torch.eye(118), d_model=16, dim_feedforward=32, head_widths=(16,))
        with ThreadPoolExecutor(1) as pool:
            net = CompositionNet(
                network,
                criterion=torch.nn.MSELoss,
                device="meta",
                precision="bfloat16",
                n_parts=2,
                pool=pool,
            ).initialize()
        for replica, gradients in zip(net._parts.replicas, net._parts._gradients, strict=True):
            assert {weight.device.type for weight in replica.parameters()} == {"meta"}
            sum(weight.sum() for weight in replica.parameters()).backward()
            assert {gradient.device.type for gradient in gradients} == {"meta"}

    def test_several_targets_with_gaps(self, some_formulas):
        X, y = some_formulas
        both = np.column_stack([y, y**2])
        both[::2, 1] = np.nan
        settings = {"n_experts": 4, "loss": "robust_l1"}
        single, half = (
            tiny_crabnet(**settings, precision=precision).fit(X, both).predict(X)
            for precision in ("float32", "bfloat16")
        )
        np.testing.assert_allclose(half, single, atol=0.05 * np.nanstd(both))
