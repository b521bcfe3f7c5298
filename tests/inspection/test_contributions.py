"""Contributions of elements: additive, in the right units, with the right uncertainty."""

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import REGRESSORS, tiny, tiny_crabnet

from crabsk import CrabNetClassifier
from crabsk.inspection import element_contributions
from crabsk.neural_network import _prediction


def row_means(table, *more):
    return table.groupby(["row", *more], sort=False)["contribution"].mean().to_numpy()


class TestAdditive:
    def test_rows_average_to_the_prediction(self, model, learnt):
        X = learnt[0]
        np.testing.assert_allclose(
            row_means(element_contributions(model, X)), model.predict(X), rtol=1e-5
        )

    def test_several_targets(self, learnt):
        X, y = learnt
        model = tiny_crabnet(n_estimators=2, n_experts=4).fit(X, np.column_stack([y, 1e3 * y**2]))
        table = element_contributions(model, X)
        assert table["target"].unique().tolist() == [0, 1]
        means = row_means(table, "target").reshape(-1, 2)
        # Single precision is relative to the scale of a target.
        scale = np.ptp(means, axis=0)
        np.testing.assert_allclose(means / scale, model.predict(X) / scale, rtol=1e-5, atol=1e-6)

    def test_extra_features(self, learnt):
        formulas, y = learnt
        X = pd.DataFrame({"formula": formulas, "T": np.arange(len(y)) % 7.0})
        model = tiny_crabnet().fit(X, y)
        np.testing.assert_allclose(
            row_means(element_contributions(model, X)), model.predict(X), rtol=1e-5
        )

    def test_logits_of_two_classes(self, learnt):
        X, y = learnt
        model = tiny(CrabNetClassifier, n_estimators=2).fit(X, y < np.median(y))
        table = element_contributions(model, X)
        assert "class" not in table
        logits = next(model._member_outputs(X, model._networks()))[1].mean.mean(axis=0)[:, 0]
        np.testing.assert_allclose(row_means(table), logits, rtol=1e-5, atol=1e-6)

    def test_logits_of_more_classes(self, classifier, learnt):
        X = learnt[0]
        table = element_contributions(classifier, X)
        assert table["class"].unique().tolist() == ["strong", "weak", "well"]
        logits = next(classifier._member_outputs(X, classifier._networks()))[1].mean.mean(axis=0)
        np.testing.assert_allclose(
            row_means(table, "class").reshape(-1, 3), logits, rtol=1e-5, atol=1e-6
        )

    def test_several_labels(self, learnt):
        X, y = learnt
        model = tiny(CrabNetClassifier).fit(X, np.column_stack([y < -1, y < -2]).astype(int))
        table = element_contributions(model, X)
        means = row_means(table, "class").reshape(-1, 2)
        np.testing.assert_allclose(means, model.decision_function(X), rtol=1e-5, atol=1e-6)


class TestTransformedTargets:
    @pytest.fixture
    def transformed(self, learnt):
        X, y = learnt
        return tiny_crabnet(target_transform="log", n_estimators=2).fit(X, -np.minimum(y, -0.01))

    def test_refused_unless_asked(self, transformed):
        with pytest.raises(ValueError, match=r"target_transform='log'.*transformed=True"):
            element_contributions(transformed, ["NaCl"])

    def test_add_up_before_the_transform_is_undone(self, transformed, learnt):
        table = element_contributions(transformed, learnt[0], transformed=True)
        np.testing.assert_allclose(
            np.exp(row_means(table)), transformed.predict(learnt[0]), rtol=1e-5
        )

    def test_asked_without_need(self, model):
        pd.testing.assert_frame_equal(
            element_contributions(model, ["NaCl"]),
            element_contributions(model, ["NaCl"], transformed=True),
        )


class TestStd:
    """That of a pure element is that of the prediction."""

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"n_estimators": 1},
            {"loss": "robust_l1"},
            {"n_estimators": 2, "dropout": 0.3},
            {"target_transform": "yeo-johnson"},
        ],
    )
    def test_of_pure_elements(self, settings, learnt):
        X, y = learnt
        model = tiny_crabnet(**{"n_estimators": 3, **settings}).fit(X, y)
        elements = ["Fe", "Al", "O"]
        draws = {"mc_dropout": 5} if model.dropout else {}
        table = element_contributions(model, elements, transformed=True, **draws)
        scaler = model._scaler
        scaled = (table["contribution"].to_numpy() - scaler.mean_) / scaler.scale_
        back = scaler.inverse(scaled[:, None], table[["std"]].to_numpy() / scaler.scale_)
        for found, predicted in zip(
            back, model.predict(elements, return_std=True, **draws), strict=True
        ):
            np.testing.assert_allclose(found[:, 0], predicted, rtol=1e-5)

    def test_in_compounds(self, model):
        """Computed here from the networks, member by member."""
        packed = model._pack(next(model._stream(["Al2O3"]))[1])
        _, batch = next(packed.batches(torch.tensor([0]), 1))
        with torch.no_grad():
            said = [network.contributions(batch) for network in model._networks()]
        value = np.array([mean[:, 0].numpy() for mean, _ in said]) * model._scaler.scale_
        sigma = np.exp([s[:, 0].numpy() for _, s in said]) * model._scaler.scale_
        expected = np.sqrt((sigma**2).mean(axis=0) + value.var(axis=0))
        table = element_contributions(model, ["Al2O3"])
        np.testing.assert_allclose(table["std"], expected, rtol=1e-5)

    def test_of_a_classifier_is_the_members_scatter(self, classifier):
        table = element_contributions(classifier, ["Fe"])
        logits = next(classifier._member_outputs(["Fe"], classifier._networks()))[1].mean
        np.testing.assert_allclose(table["std"], logits.std(axis=0)[0], rtol=1e-4)


class TestTable:
    def test_tidy(self, model, formulas):
        table = element_contributions(model, formulas)
        assert table.columns.to_list() == [
            "row",
            "formula",
            "element",
            "fraction",
            "contribution",
            "std",
        ]
        assert table["row"].is_monotonic_increasing
        alumina = table[table["row"] == 2]
        assert alumina["formula"].tolist() == ["Al2O3"] * 2
        assert dict(zip(alumina["element"], alumina["fraction"], strict=True)) == {
            "O": 0.6,
            "Al": 0.4,
        }

    def test_batch_is_single(self, model, formulas):
        batch = element_contributions(model, formulas)
        single = pd.concat([element_contributions(model, [text]) for text in formulas])
        for column in ("contribution", "std"):
            np.testing.assert_allclose(batch[column], single[column], rtol=1e-6, atol=1e-6)

    def test_chunks(self, model, learnt, monkeypatch):
        whole = element_contributions(model, learnt[0])
        monkeypatch.setattr(_prediction, "READING_CHUNK", 7)
        monkeypatch.setattr(_prediction, "PREDICTION_CHUNK", 3)
        pd.testing.assert_frame_equal(
            whole, element_contributions(model, learnt[0]), rtol=1e-5, atol=1e-6
        )

    def test_equal_compositions(self, model, formulas):
        table = element_contributions(model, formulas)
        one, other = (table.loc[table["row"] == row, "contribution"] for row in (2, 4))
        assert np.array_equal(one, other)

    def test_empty_compositions_have_no_rows(self):
        amounts = np.array([[1.0, 0, 2], [0, 0, 0]])
        model = tiny_crabnet().fit(amounts, [1.0, 2.0])
        table = element_contributions(model, amounts)
        assert table["element"].tolist() == ["H", "Li"]
        assert table["formula"].tolist() == ["Li2H"] * 2


@pytest.mark.parametrize("cls", REGRESSORS[1:])
def test_other_networks(cls, learnt):
    X, y = learnt
    with pytest.raises(TypeError, match="does not make its prediction of contributions"):
        element_contributions(tiny(cls).fit(X, y), X)
