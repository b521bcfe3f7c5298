"""How predictions change along a line of compositions, and the picture of it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from tiny import tiny_crabnet

from crabsk import CompositionTransformer
from crabsk.composition import reduced_formula
from crabsk.inspection import CompositionResponseDisplay, composition_response
from crabsk.inspection._composition_lines import atomic_fractions, mixed


class TestNumbers:
    def test_begins_at_the_base(self, model):
        table = composition_response(model, "Al2O3", "Mg", n_points=5)
        assert table["added"].tolist() == [0, 0.05, 0.1, 0.15000000000000002, 0.2]
        mean, std = model.predict(["Al2O3"], return_std=True)
        np.testing.assert_allclose(table.loc[0, ["mean", "std"]].astype(float), [mean[0], std[0]])
        mean, std = model.predict(table["formula"], return_std=True)
        assert np.array_equal(table["mean"], mean)
        assert np.array_equal(table["std"], std)

    def test_the_rest_keeps_its_proportions(self, model):
        table = composition_response(model, "Al2O3", "Mg", max_fraction=0.5, n_points=3)
        last = atomic_fractions(table["formula"].iloc[-1])
        assert last == pytest.approx({"Al": 0.2, "O": 0.3, "Mg": 0.5})

    def test_more_of_what_is_there(self, model):
        table = composition_response(model, "Al2O3", "Al", max_fraction=0.5, n_points=2)
        assert atomic_fractions(table["formula"].iloc[-1]) == pytest.approx({"Al": 0.7, "O": 0.3})

    def test_exchange(self, model):
        table = composition_response(model, "MgAl2O4", "Na", replacing="Mg", n_points=3)
        assert table["added"].tolist() == pytest.approx([0, 1 / 14, 1 / 7])
        assert atomic_fractions(table["formula"].iloc[-1]) == pytest.approx(
            {"Na": 1 / 7, "Al": 2 / 7, "O": 4 / 7}
        )

    def test_exchange_for_one_that_is_there(self, model):
        table = composition_response(model, "MgAl2O4", "Al", replacing="Mg", n_points=2)
        assert atomic_fractions(table["formula"].iloc[-1]) == pytest.approx(
            {"Al": 3 / 7, "O": 4 / 7}
        )

    def test_columns_beside_the_formula(self, learnt):
        formulas, y = learnt
        X = pd.DataFrame({"formula": formulas, "T": np.arange(len(y)) % 7.0})
        model = tiny_crabnet().fit(X, y)
        table = composition_response(model, "Al2O3", "Mg", context={"T": 3.0}, n_points=2)
        row = pd.DataFrame({"formula": ["Al2O3"], "T": [3.0]})
        assert table["mean"][0] == pytest.approx(model.predict(row)[0])

    def test_models_without_a_standard_deviation(self, learnt):
        forest = make_pipeline(CompositionTransformer("magpie"), RandomForestRegressor(5))
        table = composition_response(forest.fit(*learnt), "NaCl", "K")
        assert table.columns.tolist() == ["added", "formula", "mean"]

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            ({"element": "Xx"}, "element='Xx' is not an element symbol"),
            ({"replacing": "Mg"}, "replacing='Mg' must be another element of Al2O3"),
            ({"replacing": "O", "element": "O"}, "replacing='O' must be another"),
            ({"max_fraction": 0.0}, "max_fraction=0.0 must be above 0 and at most 1"),
            ({"replacing": "Al", "max_fraction": 0.5}, "at most 0.4"),
            ({"n_points": 1}, "n_points=1"),
        ],
    )
    def test_wrong_questions(self, model, arguments, complaint):
        with pytest.raises(ValueError, match=complaint):
            composition_response(model, "Al2O3", **({"element": "Na"} | arguments))

    def test_classifiers(self, classifier):
        with pytest.raises(TypeError, match="CrabNetClassifier is not a regressor"):
            composition_response(classifier, "Al2O3", "Na")

    def test_several_targets(self, learnt):
        X, y = learnt
        model = tiny_crabnet().fit(X, np.column_stack([y, y]))
        with pytest.raises(ValueError, match="predicts several targets"):
            composition_response(model, "Al2O3", "Na")


class TestDisplay:
    def test_intervals(self, model):
        display = CompositionResponseDisplay.from_estimator(
            model, "Al2O3", "Mg", level=0.68, n_points=4, unit="eV"
        )
        table = display.response
        assert np.array_equal(display.line_.get_xdata(), 100 * table["added"])
        assert np.array_equal(display.line_.get_ydata(), table["mean"])
        (path,) = display.band_.get_paths()
        half = 0.99445788 * table["std"]
        assert path.get_extents().ymax == pytest.approx((table["mean"] + half).max())
        assert display.ax_.get_xlabel() == "Mg added to Al$_{2}$O$_{3}$ (at. %)"
        assert display.ax_.get_ylabel() == "prediction (eV)"

    def test_several_elements(self, model):
        few = {"replacing": "Al", "n_points": 3}
        one = CompositionResponseDisplay.from_estimator(model, "Al2O3", "Mg", **few)
        two = CompositionResponseDisplay.from_estimator(
            model, "Al2O3", "Na", **few, max_fraction=0.2, ax=one.ax_
        )
        assert two.line_.get_color() != one.line_.get_color()
        assert two.ax_.get_xlabel() == "element in place of Al in Al$_{2}$O$_{3}$ (at. %)"
        assert two.ax_.get_xlim() == pytest.approx((0, 40))

    def test_a_long_base_leaves_the_label(self, model):
        """That of a steel is longer than its picture is wide."""
        table = composition_response(model, "Al2O3", "Mg")
        base = "Al0.38123Si0.00123Ca0.00234O0.61520"
        label = {None: "Mg added (at. %)", "Al": "Mg in place of Al (at. %)"}
        for replacing, text in label.items():
            display = CompositionResponseDisplay(
                response=table, base=base, element="Mg", replacing=replacing
            )
            assert display.plot().ax_.get_xlabel() == text

    def test_without_intervals(self, model):
        table = composition_response(model, "Al2O3", "Mg").drop(columns="std")
        display = CompositionResponseDisplay(response=table, base="Al2O3", element="Mg").plot()
        assert display.band_ is None

    def test_no_level(self, model):
        with pytest.raises(ValueError, match="level=1 must be between 0 and 1"):
            CompositionResponseDisplay.from_estimator(model, "Al2O3", "Mg", level=1)


amounts = st.dictionaries(
    st.sampled_from(["Fe", "Ni", "Cr", "O", "C"]), st.floats(0.01, 1), min_size=1
)


@given(start=amounts, end=amounts, x=st.floats(0, 1))
def test_lines_keep_sums(start, end, x):
    between = mixed(start, end, x)
    total = (1 - x) * sum(start.values()) + x * sum(end.values())
    assert sum(between.values()) == pytest.approx(total)


@pytest.mark.parametrize("formula", ["Fe3Ni", "NiFe3", "Ca10(PO4)6(OH)2"])
def test_fractions_are_in_the_order_of_the_formula(formula):
    fractions = atomic_fractions(formula)
    assert sum(fractions.values()) == pytest.approx(1)
    assert list(fractions) == sorted(fractions, key=formula.index)
    assert reduced_formula([fractions]) == reduced_formula([formula])
