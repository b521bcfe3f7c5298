"""What the displays draw."""

import copy
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from sklearn.gaussian_process import GaussianProcessRegressor
from tiny import tiny, tiny_crabnet

from crabsk import CrabNetClassifier, ElemNetRegressor, RoostRegressor
from crabsk.composition import ELEMENTS
from crabsk.inspection import (
    AttentionDisplay,
    ElementContributionDisplay,
    EmbeddingDisplay,
    TrainingHistoryDisplay,
    UncertaintyDisplay,
    attention_weights,
    binary_compositions,
    element_contributions,
)
from crabsk.inspection._periodic_table import N_COLUMNS, N_ROWS, PLACES
from crabsk.inspection._plot._common import readable_on, typeset
from crabsk.metrics import confidence_curve, coverage_curve


class TestAttention:
    def test_no_such_layer(self, model):
        with pytest.raises(ValueError, match="layer=5, but there are 2 layers"):
            AttentionDisplay.from_estimator(model, "Al2O3", layer=5)

    def test_all_layers(self, model):
        display = AttentionDisplay.from_estimator(model, "Al2O3", member=1)
        assert display.axes_.shape == (2, 4)
        titles = [axes.get_title() for axes in display.axes_[0]]
        assert titles == ["head 0", "head 1", "head 2", "head 3"]
        assert [axes.get_ylabel() for axes in display.axes_[:, 0]] == ["layer 0", "layer 1"]
        assert display.figure_.get_suptitle() == "Al$_{2}$O$_{3}$"
        assert display.colorbar_.ax.get_ylabel() == "attention"
        (entry,) = attention_weights(model, ["Al2O3"], member=1)
        for place, image in np.ndenumerate(display.im_):
            # As written: aluminium first.
            assert np.array_equal(image.get_array(), entry.weights[place][::-1, ::-1])
            assert image.get_clim() == (0, 1)

    def test_symbols_stand_at_the_border(self, model):
        display = AttentionDisplay.from_estimator(model, "Al2O3")
        labels = [
            [[t.get_text() for t in axis.get_ticklabels()] for axis in (axes.xaxis, axes.yaxis)]
            for axes in display.axes_.flat
        ]
        none, both = ["", ""], ["Al", "O"]
        upper, lower = [[none, both], *[[none, none]] * 3], [[both, both], *[[both, none]] * 3]
        assert labels == upper + lower

    def test_weights_are_written(self, model):
        display = AttentionDisplay.from_estimator(model, "LiNaKO2", layer=1, colorbar=False)
        assert display.symbols == ("Li", "Na", "K", "O")
        assert display.axes_.shape == (1, 4)
        assert display.text_.shape == (1, 4, 4, 4)
        for (_, head, i, j), text in np.ndenumerate(display.text_):
            assert text.get_text() == f"{display.weights[1, head, i, j]:.2f}"
            assert text.get_position() == (j, i)
        assert display.colorbar_ is None

    def test_no_room_for_figures(self, model):
        _, ax = plt.subplots(figsize=(1, 1))
        assert AttentionDisplay.from_estimator(model, "LiNaKO2", ax=ax).text_ is None

    def test_of_many_elements_the_pattern_is_seen(self, model):
        assert AttentionDisplay.from_estimator(model, "LiNaKRbCsO").text_ is not None
        assert AttentionDisplay.from_estimator(model, "LiNaKRbCsMgO").text_ is None

    def test_mean_of_the_heads(self, model):
        display = AttentionDisplay.from_estimator(model, "LiNaKO2", average_heads=True)
        assert display.axes_.shape == display.im_.shape == (2, 1)
        for layer, image in enumerate(display.im_[:, 0]):
            np.testing.assert_allclose(image.get_array(), display.weights[layer].mean(axis=0))
            # Weights that an element gives add up to 1, their mean does, too.
            np.testing.assert_allclose(image.get_array().sum(axis=1), 1, rtol=1e-5)
        assert display.text_.shape == (2, 1, 4, 4)
        assert display.axes_[0, 0].get_title() == "mean of the heads"

    def test_into_axes(self, model):
        figure, axes = plt.subplots(2, 4)
        display = AttentionDisplay.from_estimator(model, "NaCl", ax=axes[0, 0], layer=-1)
        assert display.figure_ is figure
        assert display.axes_[0, 0].get_ylabel() == "layer 1"
        display.plot(axes)
        assert display.axes_.tolist() == axes.tolist()
        with pytest.raises(ValueError, match=r"ax holds 8 axes: pass one.* 1 x 4"):
            display.plot(axes, layer=0)

    def test_extra_features(self, learnt):
        formulas, y = learnt
        X = pd.DataFrame({"formula": formulas, "T": np.arange(len(y)) % 7})
        model = tiny_crabnet().fit(X, y)
        display = AttentionDisplay.from_estimator(model, X.iloc[[0]])
        assert display.formula == formulas[0]
        with pytest.raises(ValueError, match="formula has 2 rows"):
            AttentionDisplay.from_estimator(model, X.iloc[:2])


class TestPeriodicTable:
    def test_places(self):
        of = dict(zip(ELEMENTS, PLACES, strict=True))
        assert of["H"][:3] == (0, 0, "s")
        assert of["He"] == (0, 17, "s", 18)
        assert of["Al"] == (2, 12, "p", 13)
        assert of["Fe"] == (3, 7, "d", 8)
        assert of["Ce"] == (7.5, 3, "f", None)
        assert of["Lu"] == (7.5, 16, "d", 3)
        assert of["Hf"] == (5, 3, "d", 4)
        assert of["Og"] == (6, 17, "p", 18)
        blocks = [place.block for place in PLACES]
        assert [blocks.count(block) for block in "spdf"] == [14, 36, 40, 28]
        assert len({place[:2] for place in PLACES}) == 118
        assert all(place.column < N_COLUMNS and place.row < N_ROWS for place in PLACES)

    def test_colours_are_contributions_above_the_mean(self, model, learnt):
        X = learnt[0]
        display = ElementContributionDisplay.from_estimator(model, X, unit="eV")
        means = element_contributions(model, X).groupby("element")["contribution"].mean()
        assert display.mean_ == pytest.approx(model.predict(X).mean(), rel=1e-5)
        (patches,) = display.patches_
        np.testing.assert_allclose(patches.get_array(), means - display.mean_)
        low, high = patches.get_clim()
        assert -low == high == abs(patches.get_array()).max()
        label = display.colorbar_[0].ax.get_ylabel()
        assert label.split() == ["contribution", "above", "the", "mean", "(eV)"]

    @given(shift=st.floats(-1e3, 1e3))
    @settings(
        max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_what_all_have_in_common_changes_no_colour(self, shift, model, learnt):
        contributions = element_contributions(model, learnt[0])
        (before,) = ElementContributionDisplay(contributions=contributions).plot().patches_
        contributions["contribution"] += shift
        (after,) = ElementContributionDisplay(contributions=contributions).plot().patches_
        np.testing.assert_allclose(after.get_array(), before.get_array(), atol=1e-9)
        plt.close("all")

    def test_numbers_are_those_of_the_rows(self, model):
        X = ["NaCl", "KCl", "NaBr", "NaF", "CaF2"]
        display = ElementContributionDisplay.from_estimator(model, X)
        texts = [text.get_text() for text in display.ax_.texts]
        numbers = {texts[k]: texts[k + 1] for k in range(len(texts) - 1) if texts[k + 1].isdigit()}
        assert numbers == {"Na": "3", "Cl": "2", "K": "1", "Br": "1", "F": "2", "Ca": "1"}

    def test_only_what_occurs_is_shown(self, model):
        display = ElementContributionDisplay.from_estimator(model, ["FeNi", "FeCr", "NiCr"])
        assert {text.get_text() for text in display.ax_.texts} - {"2"} == {
            *("Cr", "Mn", "Fe", "Co", "Ni"),
        }
        left, right = display.ax_.get_xlim()
        assert right - left == pytest.approx(5.2)

    def test_one_element(self, model):
        (patches,) = ElementContributionDisplay.from_estimator(model, ["Fe"]).patches_
        assert patches.get_array().tolist() == [0]

    def test_uncertainty(self, model, learnt):
        display = ElementContributionDisplay.from_estimator(model, learnt[0], uncertainty=True)
        assert len(display.axes_) == 2
        assert display.ax_ is display.axes_[0]
        std = display.contributions.groupby("element")["std"].mean()
        assert np.array_equal(display.patches_[1].get_array(), std)
        assert display.colorbar_[1].ax.get_ylabel().split() == ["mean", "standard", "deviation"]


class TestContributions:
    def test_histogram(self, model, learnt):
        display = ElementContributionDisplay.from_estimator(
            model, learnt[0], kind="histogram", element="O", unit="eV"
        )
        values = display.contributions.query("element == 'O'")["contribution"]
        assert sum(bar.get_height() for bar in display.bars_) == len(values)
        assert display.mean_line_.get_xdata()[0] == values.mean()
        assert display.ax_.get_xlabel() == "contribution of O (eV)"
        for element in ("Rn", None):
            with pytest.raises(ValueError, match=f"element={element!r} must be one"):
                display.plot(kind="histogram", element=element)

    def test_binary(self, model):
        X = binary_compositions("Si", "O", n_points=5)
        display = ElementContributionDisplay.from_estimator(model, X, kind="binary", unit="eV")
        assert display.ax_.get_xlabel() == "x in Si$_{1-x}$O$_x$"
        assert display.ax_.get_ylabel() == "contribution (eV)"
        silicon, oxygen, mean = display.lines_
        # Not where there is none of the element.
        assert silicon.get_xdata().tolist() == [0, 0.25, 0.5, 0.75]
        assert oxygen.get_xdata().tolist() == [0.25, 0.5, 0.75, 1]
        assert mean.get_xdata().tolist() == [0, 0.25, 0.5, 0.75, 1]
        np.testing.assert_allclose(mean.get_ydata(), model.predict(X), rtol=1e-5)
        np.testing.assert_allclose(
            mean.get_ydata()[1:4], (silicon.get_ydata()[1:] + oxygen.get_ydata()[:3]) / 2
        )
        assert len(display.bands_) == 2

    def test_binary_of_known_compounds(self, model):
        X = ["TiO2", "TiO", "Ti2O3"]
        display = ElementContributionDisplay.from_estimator(model, X, kind="binary")
        for line in display.lines_:
            # In order of atomic number, since none is pure: titanium's fraction.
            np.testing.assert_allclose(line.get_xdata(), [1 / 3, 2 / 5, 1 / 2])
        with pytest.raises(ValueError, match="hold 3 elements and lie elsewhere"):
            ElementContributionDisplay.from_estimator(model, ["NaCl", "NaO", "ClO"], kind="binary")

    def test_from_an_alloy(self, model):
        X = binary_compositions("Fe3Ni", "FeCr", n_points=5)
        display = ElementContributionDisplay.from_estimator(model, X, kind="binary")
        assert display.ax_.get_xlabel().startswith("x from ")
        *elements, mean = display.lines_
        assert [line.get_label() for line in elements] == ["Cr", "Fe", "Ni"] or len(elements) == 3
        np.testing.assert_allclose(mean.get_xdata(), [0, 0.25, 0.5, 0.75, 1], atol=1e-12)
        np.testing.assert_allclose(mean.get_ydata(), model.predict(X), rtol=1e-5)
        # No line at zero: contributions hold the mean of the labels.
        assert len(display.ax_.lines) == 4

    def test_several_targets(self, learnt):
        X, y = learnt
        model = tiny_crabnet().fit(X, np.column_stack([y, y**2]))
        display = ElementContributionDisplay.from_estimator(model, X, target=1)
        np.testing.assert_allclose(
            display.contributions.groupby("row")["contribution"].mean(),
            model.predict(X)[:, 1],
            rtol=1e-5,
            atol=1e-6,
        )
        with pytest.raises(ValueError, match=r"target=None must be one of \[0, 1\]"):
            ElementContributionDisplay.from_estimator(model, X)

    def test_classes(self, classifier, model, learnt):
        X = learnt[0]
        display = ElementContributionDisplay.from_estimator(classifier, X, target="weak")
        table = element_contributions(classifier, X).query("`class` == 'weak'")
        assert np.array_equal(display.contributions["contribution"], table["contribution"])
        with pytest.raises(ValueError, match="there is only one"):
            ElementContributionDisplay.from_estimator(model, X, target=0)

    def test_transformed(self, learnt):
        X, y = learnt
        model = tiny_crabnet(target_transform="yeo-johnson").fit(X, y)
        with pytest.raises(ValueError, match="transformed=True"):
            ElementContributionDisplay.from_estimator(model, X)
        ElementContributionDisplay.from_estimator(model, X, transformed=True)

    def test_unknown_kind(self, model):
        with pytest.raises(ValueError, match="kind='pie' must be one of 'periodic_table'"):
            ElementContributionDisplay.from_estimator(model, ["NaCl"], kind="pie")

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("Si", "Si"), "must be two different compositions"),
            (("Fe2O3", "Fe4O6"), "must be two different compositions"),
            (("Si", "Xx"), "Xx"),
            (("Si", "O", 1), "n_points=1"),
        ],
    )
    def test_no_line(self, arguments, complaint):
        with pytest.raises(ValueError, match=complaint):
            binary_compositions(*arguments)


class TestUncertainty:
    @pytest.fixture
    def predictions(self):
        rng = np.random.default_rng(0)
        pred, std = rng.normal(size=300), rng.uniform(0.1, 0.5, 300)
        return rng.normal(pred, std), pred, std

    def test_coverage(self, predictions):
        display = UncertaintyDisplay.from_predictions(*predictions)
        assert np.array_equal(display.line_.get_xydata().T, coverage_curve(*predictions))
        assert display.reference_.get_xydata().tolist() == [[0, 0], [1, 1]]
        texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert texts[:2] == ["calibrated", "95 % of samples of 300"]
        assert display.ax_.get_xlim() == display.ax_.get_ylim() == (0, 1)
        assert display.ax_.get_ylabel() == "share of labels inside"

    def test_a_calibrated_curve_lies_in_the_band(self):
        rng = np.random.default_rng(1)
        inside = []
        for _ in range(40):
            pred, std = rng.normal(size=100), rng.uniform(0.1, 0.5, 100)
            display = UncertaintyDisplay.from_predictions(rng.normal(pred, std), pred, std)
            path, curve = display.band_.get_paths()[0], display.line_.get_xydata()
            # Steps of the counts apart.
            inside.append(path.contains_points(curve, radius=0.02).mean())
            plt.close("all")
        assert np.mean(inside) == pytest.approx(0.95, abs=0.04)

    def test_several_models(self, predictions):
        true, pred, std = predictions
        one = UncertaintyDisplay.from_predictions(true, pred, std, name="one")
        two = UncertaintyDisplay.from_predictions(true, pred, 2 * std, name="two", ax=one.ax_)
        assert two.reference_ is one.reference_
        assert two.band_ is None
        assert two.line_.get_color() != one.line_.get_color()
        texts = [text.get_text() for text in two.ax_.get_legend().get_texts()]
        assert [text.partition(" (")[0] for text in texts[2:]] == ["one", "two"]

    def test_the_name_is_that_of_the_class(self, model, learnt):
        assert UncertaintyDisplay.from_estimator(model, *learnt).name == "CrabNetRegressor"

    def test_error(self, predictions):
        display = UncertaintyDisplay.from_predictions(*predictions, kind="error", unit="eV")
        true, pred, std = predictions
        error = pred - true
        shown = display.scatter_.get_offsets()
        (right, top) = (display.ax_.get_xlim()[1], display.ax_.get_ylim()[1])
        beyond = (std > right) | (abs(error) > top)
        assert len(shown) == len(true)
        np.testing.assert_allclose(shown[~beyond], np.column_stack([std, error])[~beyond])
        assert len(display.bands_) == 2
        texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        for k, share, text in zip((1.96, 0.994), (95, 68), texts, strict=False):
            held = 100 * np.mean(abs(error) <= k * std)
            assert text == f"should hold {share} %, holds {held:.0f} %"
            assert held == pytest.approx(share, abs=6)
        assert display.ax_.get_ylabel() == "error of the prediction (eV)"

    def test_an_outlier_stands_at_the_border(self, predictions):
        true, pred, std = predictions
        pred = pred + np.where(np.arange(300) == 7, 1e3, 0)
        display = UncertaintyDisplay.from_predictions(true, pred, std, kind="error")
        top = display.ax_.get_ylim()[1]
        assert top < 10
        assert display.scatter_.get_offsets()[7, 1] == top
        beyond = (abs(pred - true) > top) | (std > display.ax_.get_xlim()[1])
        assert display.scatter_.get_label() == f"{beyond.sum()} beyond the axes"

    def test_confidence(self, predictions):
        display = UncertaintyDisplay.from_predictions(*predictions, kind="confidence", unit="eV")
        curve = display.line_.get_xydata().T
        whole = confidence_curve(*predictions)
        n = curve.shape[1]
        assert np.array_equal(curve, np.stack(whole)[:, :n])
        # Where twenty remain, it ends.
        assert curve[0, -1] <= 1 - 20 / 300 < whole[0][n]
        assert (display.reference_.get_ydata() <= curve[1] + 1e-12).all()
        assert display.ax_.get_ylabel() == "MAE of the remaining (eV)"

    def test_confidence_of_few(self):
        display = UncertaintyDisplay.from_predictions([1, 2], [1, 3], [1, 1], kind="confidence")
        assert display.line_.get_xdata().tolist() == [0]

    @pytest.mark.parametrize("scale", [1e-6, 1, 3700])
    def test_parity(self, predictions, scale):
        true, pred, std = (scale * values for values in predictions)
        display = UncertaintyDisplay.from_predictions(true, pred, std, kind="parity", unit="eV")
        ax = display.ax_
        points, _, (bars,) = display.errorbar_
        assert np.array_equal(points.get_xydata(), np.column_stack([true, pred]))
        lengths = [segment[1, 1] - segment[0, 1] for segment in bars.get_segments()]
        np.testing.assert_allclose(lengths, 2 * std, rtol=1e-6)
        # Both axes have the same round ticks, and hold every point.
        assert ax.get_xticks().tolist() == ax.get_yticks().tolist()
        assert ax.get_xlim() == ax.get_ylim()
        steps = np.diff(ax.get_xticks())
        mantissa = steps[0] / 10 ** np.floor(np.log10(steps[0]) + 1e-9)
        assert mantissa == pytest.approx(min([1, 2, 2.5, 5, 10], key=lambda m: abs(m - mantissa)))
        assert ax.get_xlim()[0] <= min(true.min(), pred.min())
        assert max(true.max(), pred.max()) <= ax.get_xlim()[1]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("measured (eV)", "predicted (eV)")

    def test_from_estimator(self, model, learnt):
        X, y = learnt
        y = np.where(np.arange(len(y)) < 3, np.nan, y)
        figure, ax = plt.subplots()
        display = UncertaintyDisplay.from_estimator(model, X, y, ax=ax)
        assert display.figure_ is figure
        mean, std = model.predict(X, return_std=True)
        assert np.array_equal(display.y_pred, mean[3:])
        assert np.array_equal(display.y_std, std[3:])

    def test_any_regressor(self):
        X = np.linspace(0, 1, 20)[:, None]
        process = GaussianProcessRegressor(optimizer=None).fit(X, X[:, 0])
        UncertaintyDisplay.from_estimator(process, X, X[:, 0])

    def test_several_targets(self, predictions):
        columns = [np.column_stack([values, values**2]) for values in predictions]
        display = UncertaintyDisplay.from_predictions(*columns, target=1)
        assert np.array_equal(display.y_std, predictions[2] ** 2)
        with pytest.raises(ValueError, match="y_true has 2 targets: choose one"):
            UncertaintyDisplay.from_predictions(*columns)

    def test_wrong_input(self, predictions):
        true, pred, std = predictions
        with pytest.raises(ValueError, match="inconsistent numbers"):
            UncertaintyDisplay.from_predictions(true, pred[1:], std)
        with pytest.raises(ValueError, match="kind='other'"):
            UncertaintyDisplay.from_predictions(true, pred, std, kind="other")


class TestHistory:
    def test_members(self, model):
        display = TrainingHistoryDisplay.from_estimator(model)
        for line, member in zip(display.lines_, model.history_, strict=True):
            assert line.get_xdata().tolist() == [1, 2, 3]
            assert line.get_ydata().tolist() == [epoch["train_loss"] for epoch in member]
        assert display.valid_lines_ == []
        names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert names == ["training (error and likelihood)", "learning rate"]

    @pytest.mark.parametrize("cls", [CrabNetClassifier, RoostRegressor, ElemNetRegressor])
    def test_validation(self, cls, learnt):
        X, y = learnt
        y = y < -1 if cls is CrabNetClassifier else y
        model = tiny(cls).fit(X, y, X_val=X[:9], y_val=y[:9])
        display = TrainingHistoryDisplay.from_estimator(model)
        (line,) = display.valid_lines_
        assert line.get_ydata().tolist() == [epoch["valid_loss"] for epoch in model.history_[0]]
        assert display.train_name.startswith("training")
        apart = "likelihood" in display.train_name
        assert apart == (cls is not CrabNetClassifier)
        # What is not the same quantity does not share a scale.
        assert (display.valid_ax_ is not display.ax_) == apart
        assert line.axes is display.valid_ax_

    def test_learning_rate(self, model):
        display = TrainingHistoryDisplay.from_estimator(model)
        rates = display.learning_rate_line_.get_ydata()
        assert rates[-1] == pytest.approx(0, abs=1e-12)
        assert 0 < rates[1] < rates[0] < model.learning_rate
        assert display.learning_rate_ax_.get_ylabel() == "learning rate"

    @pytest.mark.parametrize("max_epochs", [30, "auto"])
    def test_early_stopping(self, max_epochs, learnt):
        X, y = learnt
        model = tiny_crabnet(n_iter_no_change=1, max_epochs=max_epochs, learning_rate=0.3)
        display = TrainingHistoryDisplay.from_estimator(model.fit(X, y))
        assert len(display.learning_rate) == len(model.history_[0]) < 30
        assert display.learning_rate[-1] > 0

    def test_saved_before_rates_were_noted(self, model):
        older = copy.copy(model)
        older.history_ = [
            [{"train_loss": epoch["train_loss"]} for epoch in member] for member in model.history_
        ]
        assert TrainingHistoryDisplay.from_estimator(older).learning_rate_line_ is None

    def test_auto_length(self, learnt):
        X, y = learnt
        model = tiny_crabnet(max_epochs="auto").fit(X[:40], y[:40])
        assert len(TrainingHistoryDisplay.from_estimator(model).learning_rate) == 60

    def test_others_have_none(self):
        with pytest.raises(TypeError, match="GaussianProcessRegressor has no history"):
            TrainingHistoryDisplay.from_estimator(GaussianProcessRegressor())


class TestEmbedding:
    def test_blocks(self):
        display = EmbeddingDisplay.from_embedding("mat2vec")
        assert [text.get_text() for text in display.text_] == list(ELEMENTS)
        assert [points.get_label() for points in display.scatter_] == ["d", "f", "p", "s"]
        assert [len(points.get_offsets()) for points in display.scatter_] == [40, 28, 36, 14]
        assert display.colorbar_ is None
        assert "% of the variance" in display.ax_.get_xlabel()

    def test_labels_do_not_collide(self):
        display = EmbeddingDisplay.from_embedding("mat2vec", elements=ELEMENTS[:94])
        boxes = [text.get_window_extent() for text in display.text_]
        n = len(boxes)
        collisions = sum(boxes[i].overlaps(boxes[j]) for i in range(n) for j in range(i))
        # In their places, more than a hundred pairs do.
        assert collisions <= 5

    def test_gaps_are_left_out(self):
        display = EmbeddingDisplay.from_embedding("magpie")
        gaps = {"He", "Ne", "Ar", "At", "Rn", "Fr"}
        assert list(display.labels) == [e for e in ELEMENTS[:96] if e not in gaps]
        with pytest.raises(ValueError, match="lacks values of Cf"):
            EmbeddingDisplay.from_embedding("magpie", elements=["Na", "Cf"])

    def test_groups(self):
        elements = ["Li", "Ce", "Cl", "Fe"]
        display = EmbeddingDisplay.from_embedding("magpie", elements=elements, color_by="group")
        (points,) = display.scatter_
        assert points.get_array().tolist() == [1, None, 17, 8]  # masked: grey
        display.figure_.canvas.draw()
        assert to_hex(points.get_facecolor()[1]) == "#999999"
        assert display.colorbar_.ax.get_ylabel() == "group"

    def test_tsne_is_reproducible(self):
        elements = ELEMENTS[:20]
        one, other = (
            EmbeddingDisplay.from_embedding("mat2vec", elements=elements, method="tsne")
            for _ in range(2)
        )
        assert np.array_equal(one.coordinates, other.coordinates)
        assert one.ax_.get_xlabel() == "t-SNE 1"

    def test_compositions(self, model, learnt):
        X, y = learnt
        display = EmbeddingDisplay.from_estimator(model, X, y, member=1, value_name="H (eV)")
        (points,) = display.scatter_
        assert np.array_equal(points.get_array(), y)
        assert display.text_ == []
        assert display.colorbar_.ax.get_ylabel() == "H (eV)"
        # Principal components: uncorrelated, the first the widest.
        covariance = np.cov(display.coordinates.T)
        assert abs(covariance[0, 1]) < 1e-3 * covariance[1, 1] < covariance[0, 0]

    def test_classes(self, classifier, learnt):
        X = learnt[0]
        display = EmbeddingDisplay.from_estimator(classifier, X, classifier.predict(X))
        legend = display.ax_.get_legend()
        assert [text.get_text() for text in legend.get_texts()] == ["strong", "weak", "well"]
        assert legend.get_title().get_text() == "target"

    def test_without_values(self, model, learnt):
        (points,) = EmbeddingDisplay.from_estimator(model, learnt[0]).scatter_
        assert len(points.get_offsets()) == len(learnt[0])

    @pytest.mark.parametrize(
        ("settings", "complaint"),
        [
            ({"method": "umap"}, "method='umap'"),
            ({"color_by": "mood"}, "color_by='mood'"),
            ({"elements": ["Na", "Xx", "Cl"]}, "'Xx', which is not an element"),
            ({"elements": ["Na", "Cl"]}, "three samples or more"),
        ],
    )
    def test_wrong_settings(self, settings, complaint):
        with pytest.raises(ValueError, match=complaint):
            EmbeddingDisplay.from_embedding("mat2vec", **settings)

    def test_wrong_length(self, model):
        with pytest.raises(ValueError, match=r"y has shape \(2,\), but X has 3 rows"):
            EmbeddingDisplay.from_estimator(model, ["NaCl", "KCl", "MgO"], [1, 2])


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("Al2O3", "Al$_{2}$O$_{3}$"),
        ("Fe0.95O", "Fe$_{0.95}$O"),
        ("Ca10(PO4)6", "Ca$_{10}$(PO$_{4}$)$_{6}$"),
        ("CuSO4·5H2O", "CuSO$_{4}$·5H$_{2}$O"),
    ],
)
def test_typeset(formula, expected):
    assert typeset(formula) == expected


def test_text_can_be_read():
    assert [readable_on(color) for color in ((1, 1, 1), (0, 0, 0), (1, 0.9, 0.1))] == [
        "black",
        "white",
        "black",
    ]


CALLS = {
    "AttentionDisplay.from_estimator": "AttentionDisplay.from_estimator(None, 'NaCl')",
    "ElementContributionDisplay.from_estimator": (
        "ElementContributionDisplay.from_estimator(None, ['NaCl'])"
    ),
    "UncertaintyDisplay.from_predictions": "UncertaintyDisplay.from_predictions([1], [1], [1])",
    "UncertaintyDisplay.plot": "UncertaintyDisplay(y_true=1, y_pred=1, y_std=1).plot()",
    "TrainingHistoryDisplay.from_estimator": "TrainingHistoryDisplay.from_estimator(None)",
    "EmbeddingDisplay.from_embedding": "EmbeddingDisplay.from_embedding()",
    "CompositionResponseDisplay.from_estimator": (
        "CompositionResponseDisplay.from_estimator(None, 'FeNi', 'Cr')"
    ),
    "AttentionRecorder.animate": "AttentionRecorder(['NaCl']).animate()",
}


def test_without_matplotlib():
    """Each says what to install, before anything is computed."""
    program = f"""
import sys
sys.modules["matplotlib"] = None
from crabsk.inspection import *
for caller, call in {CALLS!r}.items():
    try:
        eval(call)
    except ImportError as error:
        assert str(error) == (
            f"{{caller}} requires matplotlib: install it with `pip install matplotlib`"
        ), error
    else:
        raise AssertionError(caller)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
