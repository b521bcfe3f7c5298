"""Attention weights, and their means over a data set."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from tiny import REGRESSORS, tiny, tiny_crabnet

from crabsk import CrabNetRegressor
from crabsk.composition import ATOMIC_NUMBERS
from crabsk.inspection import attention_importance, attention_weights
from crabsk.neural_network import _prediction


class TestWeights:
    def test_one_entry_for_each_row(self, model, formulas):
        found = attention_weights(model, formulas)
        assert [entry.row for entry in found] == list(range(7))
        assert [entry.formula for entry in found] == formulas
        assert found[3].symbols == ("O", "Ca", "Ti")
        for entry in found:
            n = len(entry.symbols)
            assert entry.weights.shape == (2, 4, n, n)

    def test_rows_sum_to_one(self, model, formulas):
        for entry in attention_weights(model, formulas):
            np.testing.assert_allclose(entry.weights.sum(axis=-1), 1, atol=1e-6)
            assert (entry.weights >= 0).all()

    def test_batch_is_single(self, model, learnt):
        X = learnt[0][:60]
        for entry in attention_weights(model, X, member=1):
            (alone,) = attention_weights(model, [entry.formula], member=1)
            assert alone.symbols == entry.symbols
            np.testing.assert_allclose(alone.weights, entry.weights, atol=1e-6)

    def test_chunks(self, model, learnt, monkeypatch):
        whole = attention_weights(model, learnt[0])
        monkeypatch.setattr(_prediction, "READING_CHUNK", 7)
        monkeypatch.setattr(_prediction, "PREDICTION_CHUNK", 3)
        for one, other in zip(whole, attention_weights(model, learnt[0]), strict=True):
            assert one[:3] == other[:3]
            np.testing.assert_allclose(one.weights, other.weights, atol=1e-6)

    def test_equal_compositions(self, model, formulas):
        found = attention_weights(model, formulas)
        assert np.array_equal(found[2].weights, found[4].weights)

    def test_members_differ(self, model):
        one, other = (attention_weights(model, ["NaCl"], member=k)[0].weights for k in (0, 1))
        assert not np.allclose(one, other)
        with pytest.raises(IndexError):
            attention_weights(model, ["NaCl"], member=3)

    def test_is_what_the_network_computes(self, model):
        """Put together from the queries and keys of the first layer."""
        network = model._networks()[0]
        (entry,) = attention_weights(model, ["Al2O3"])
        seen = []
        attention = network.encoder[0].attention
        hook = attention.query_key_value.register_forward_hook(
            lambda module, args, out: seen.append(out[:2].detach())
        )
        model.predict(["Al2O3"])
        hook.remove()
        query, key, _ = seen[0].view(2, 3, 4, 4).permute(1, 2, 0, 3)
        weights = attention.fraction_weights(torch.tensor([0.6, 0.4])).detach()  # O, Al
        expected = (query @ key.transpose(1, 2) / 4**0.5 + weights.T.unsqueeze(1)).softmax(-1)
        np.testing.assert_allclose(entry.weights[0], expected, atol=1e-6)

    def test_classifier(self, classifier, formulas):
        assert attention_weights(classifier, formulas)[1].weights.shape == (1, 4, 2, 2)

    def test_extra_features_change_it(self, learnt):
        formulas, y = learnt
        X = pd.DataFrame({"formula": formulas, "T": np.arange(len(y)) % 7})
        model = tiny_crabnet().fit(X, y)
        cold, hot = attention_weights(model, pd.DataFrame({"formula": ["NaCl"] * 2, "T": [0, 90]}))
        assert (cold.formula, cold.symbols) == ("NaCl", ("Na", "Cl"))
        assert not np.allclose(cold.weights, hot.weights)

    def test_mappings_and_amounts(self, model):
        (entry,) = attention_weights(model, [{"Al": 4, "O": 6}])
        assert entry.formula == "Al2O3"
        amounts = np.array([[1.0, 0, 2], [0, 0, 0]])
        on_amounts = tiny_crabnet().fit(amounts, [1.0, 2.0])
        some, none = attention_weights(on_amounts, amounts)
        assert (some.formula, some.symbols) == ("Li2H", ("H", "Li"))
        assert none.symbols == ()
        assert none.weights.shape == (1, 4, 0, 0)


class TestImportance:
    def test_is_the_mean_over_everything(self, model, formulas):
        table = attention_importance(model, formulas).set_index(["source", "target"])
        expected = [
            entry.weights[:, :, entry.symbols.index("O"), entry.symbols.index("Al")].mean()
            for member in range(3)
            for entry in attention_weights(model, formulas, member=member)
            if {"O", "Al"} <= set(entry.symbols)
        ]
        assert table.loc[("O", "Al"), "weight"] == pytest.approx(np.mean(expected), rel=1e-5)
        assert table.loc[("O", "Al"), "count"] == 3
        assert table.loc[("Fe", "Fe"), "weight"] == pytest.approx(1)

    def test_chosen_ones(self, model, formulas):
        table = attention_importance(model, formulas[1:2], layer=-1, head=0, member=[0, 2])
        weights = [attention_weights(model, ["NaCl"], member=k)[0].weights[-1, 0] for k in (0, 2)]
        np.testing.assert_allclose(table["weight"], np.mean(weights, axis=0).ravel(), rtol=1e-5)

    @pytest.mark.parametrize("wrong", [{"layer": 2}, {"head": [0, -5]}, {"member": []}])
    def test_no_such_one(self, model, wrong):
        with pytest.raises(IndexError, match=f"{next(iter(wrong))}=.*there are"):
            attention_importance(model, ["NaCl"], **wrong)

    def test_tidy(self, model, formulas):
        table = attention_importance(model, formulas)
        assert table.columns.to_list() == ["source", "target", "weight", "count"]
        z = table[["source", "target"]].map(ATOMIC_NUMBERS.get)
        assert z.equals(z.sort_values(["source", "target"], ignore_index=True))
        assert not table.duplicated(["source", "target"]).any()

    def test_chunks(self, model, learnt, monkeypatch):
        whole = attention_importance(model, learnt[0])
        monkeypatch.setattr(_prediction, "READING_CHUNK", 7)
        monkeypatch.setattr(_prediction, "PREDICTION_CHUNK", 3)
        pd.testing.assert_frame_equal(whole, attention_importance(model, learnt[0]), rtol=1e-5)


@pytest.mark.parametrize("function", [attention_weights, attention_importance])
class TestRefused:
    @pytest.mark.parametrize("cls", REGRESSORS[1:])
    def test_other_networks(self, function, cls, learnt):
        X, y = learnt
        with pytest.raises(TypeError, match=r"no attention among the elements.*Roost's messages"):
            function(tiny(cls).fit(X, y), X)

    def test_pipelines(self, function, model):
        with pytest.raises(TypeError, match="the last step of a pipeline"):
            function(make_pipeline(model), ["NaCl"])

    def test_unfitted(self, function):
        with pytest.raises(NotFittedError):
            function(CrabNetRegressor(), ["NaCl"])

    def test_no_layers(self, function, learnt):
        X, y = learnt
        with pytest.raises(ValueError, match="n_layers=0"):
            function(tiny_crabnet(n_layers=0).fit(X, y), X)

    def test_no_formula(self, function, model):
        with pytest.raises(ValueError, match="row 1: 'Xx'"):
            function(model, ["NaCl", "Xx"])
