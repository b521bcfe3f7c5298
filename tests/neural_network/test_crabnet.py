"""What is CrabNet's own: alloys, presets, what its parameters do."""

import numpy as np
import pytest
import torch
from tiny import tiny_crabnet

from crabsk import CrabNetClassifier, CrabNetRegressor
from crabsk.modules import CrabNet
from crabsk.neural_network import _crabnet


class TestAlloys:
    """Steels that differ by a percent: fractions are standardised element by element."""

    @pytest.fixture
    def steels(self):
        carbon = np.linspace(1e-4, 2e-2, 40)
        X = np.array([f"Fe{0.8 - c:.5f}Cr0.2C{c:.5f}" for c in carbon], dtype=object)
        return X, carbon * 1e4

    def test_only_the_architecture_of_crabsk_standardises(self, steels):
        own, paper = (
            tiny_crabnet(architecture=name).fit(*steels).nets_[0].module_
            for name in ("crabsk", "paper")
        )
        assert own.standardized is not None
        assert paper.standardized is None

    def test_a_trend_within_two_percent_is_learnt(self, steels):
        X, y = steels
        model = tiny_crabnet(max_epochs=60, dropout=0.0).fit(X[::2], y[::2])
        assert model.score(X[1::2], y[1::2]) > 0.9

    def test_warm_start_keeps_the_statistics(self, steels):
        X, y = steels
        estimator = tiny_crabnet(warm_start=True).fit(X, y)
        before = estimator.nets_[0].module_.standardized.mean.clone()
        estimator.fit(X[:5], y[:5])
        assert torch.equal(estimator.nets_[0].module_.standardized.mean, before)

    def test_samples_of_weight_zero_do_not_count(self, steels):
        X, y = steels
        other = X.copy()
        other[:10] = "Fe0.1Cr0.9"
        weights = np.r_[np.zeros(10), np.ones(30)]
        means = [
            tiny_crabnet()
            .fit(formulas, y, sample_weight=weights)
            .nets_[0]
            .module_.standardized.mean
            for formulas in (X, other)
        ]
        assert torch.equal(*means)


class TestParameters:
    def test_embeddings_give_different_models(self, some_formulas):
        """crabnet accepts elem_prop and uses mat2vec all the same."""
        X, y = some_formulas
        predictions = [
            tiny_crabnet(embedding=e).fit(X, y).predict(X) for e in ("mat2vec", "magpie", "onehot")
        ]
        assert not np.allclose(predictions[0], predictions[1])
        assert not np.allclose(predictions[0], predictions[2])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("d_model", 24),
            ("n_layers", 2),
            ("architecture", "paper"),
            ("cbfv", None),
            ("dropout", 0.3),
            ("fraction_noise", 0.2),
            ("loss", "squared_error"),
            ("target_transform", "yeo-johnson"),
            ("max_epochs", 4),
            ("batch_size", 16),
            ("learning_rate", 1e-3),
            ("weight_decay", 0.5),
            ("n_estimators", 2),
            ("precision", "bfloat16"),
            ("random_state", 1),
        ],
    )
    def test_every_parameter_matters(self, some_formulas, name, value):
        """crabnet accepts out_hidden, bias and others, and ignores them."""
        X, y = some_formulas
        plain = tiny_crabnet().fit(X, y).predict(X)
        changed = tiny_crabnet(**{name: value}).fit(X, y).predict(X)
        assert not np.allclose(plain, changed, rtol=1e-6)

    def test_training_length_falls_with_the_number_of_samples(self, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(max_epochs="auto").fit(X, y)
        assert len(model.history_[0]) == 60
        lengths = [model._n_epochs(n) for n in (10_000, 40_000, 250_000)]
        assert lengths == [60, 30, 12]

    @pytest.mark.parametrize("cls", [CrabNetRegressor, CrabNetClassifier])
    def test_dropout_falls_with_the_number_of_samples(self, cls):
        rates = [cls()._dropout_rate(n) for n in (5, 120_000, 160_000, 200_000, 300_000)]
        assert rates == pytest.approx([0.1, 0.1, 0.05, 0, 0])
        assert cls(dropout=0.3)._dropout_rate(250_000) == 0.3

    @pytest.mark.parametrize(("dropout", "rate"), [("auto", 0.1), (0.3, 0.3), (0, 0)])
    def test_networks_have_the_dropout_asked_for(self, some_formulas, dropout, rate):
        model = tiny_crabnet(dropout=dropout).fit(*some_formulas)
        assert model.nets_[0].module_.settings["dropout"] == rate

    def test_warm_start_keeps_the_dropout(self, some_formulas, monkeypatch):
        X, y = some_formulas
        model = tiny_crabnet(dropout="auto", warm_start=True).fit(X, y)
        monkeypatch.setattr(_crabnet, "DROPOUT", 0.2)
        model.set_params(n_estimators=2).fit(X, y)
        assert [net.module_.settings["dropout"] for net in model.nets_] == [0.1, 0.1]

    def test_batches_grow_with_the_number_of_samples(self):
        for model, sizes in (
            (CrabNetRegressor(), [4, 32, 64, 64, 256, 256]),
            (CrabNetRegressor(architecture="paper"), [32, 32, 32, 32, 128, 512]),
        ):
            numbers = (5, 250, 600, 1000, 4000, 50_000)
            assert [model._batch_size(n) for n in numbers] == sizes

    def test_fit_changes_no_parameter(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet()
        before = repr(estimator.get_params())
        estimator.fit(X, y)
        assert repr(estimator.get_params()) == before

    def test_presets(self):
        paper = CrabNetRegressor.from_preset("paper", random_state=3)
        assert paper.random_state == 3
        settings = {"n_outputs": 1, "n_extra": 0, **paper._network_settings()}
        network = paper._build_network(torch.zeros(118, 200), settings)
        assert isinstance(network, CrabNet)
        assert sum(p.numel() for p in network.parameters()) == 11_987_206
        default = CrabNetRegressor.from_preset("default")
        assert default.get_params() == CrabNetRegressor().get_params()
        with pytest.raises(ValueError, match="'accurate', 'default', 'fast', 'paper'"):
            CrabNetRegressor.from_preset("best")

    @pytest.mark.filterwarnings("ignore::crabsk.pretrained.KnownTargetWarning")
    @pytest.mark.parametrize("name", CrabNetRegressor.presets)
    def test_presets_fit(self, some_formulas, name):
        X, y = some_formulas
        estimator = CrabNetRegressor.from_preset(name, max_epochs=1, n_estimators=1)
        assert np.isfinite(estimator.fit(X, y).predict(X)).all()

    def test_unknown_device(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="teapot"):
            tiny_crabnet(device="teapot").fit(X, y)

    def test_absent_gpu(self, some_formulas, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(ValueError, match="no CUDA GPU here"):
            tiny_crabnet(device="cuda").fit(*some_formulas)
