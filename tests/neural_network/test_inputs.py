"""The forms of X that estimators take, and the features beside the formulas."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pymatgen.core import Composition
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from tiny import tiny_crabnet

from crabsk import CompositionTransformer
from crabsk._validation import validate_compositions
from crabsk.composition import FormulaError, TableWarning
from crabsk.embeddings import load_embedding
from crabsk.neural_network import ConflictingTargetsWarning


class TestForms:
    """The four forms of X give the same model."""

    @pytest.fixture
    def expected(self, some_formulas):
        X, y = some_formulas
        return tiny_crabnet().fit(list(X), y).predict(list(X))

    @pytest.mark.parametrize(
        "form",
        [
            tuple,
            np.array,
            lambda X: np.array(X, dtype=str),
            lambda X: pd.Series(X, index=range(7, 7 + len(X))),
            lambda X: pd.Series(X, dtype="string"),
            lambda X: pd.Series(X, dtype="string[pyarrow]"),
            lambda X: pd.Series(X, dtype="category"),
            lambda X: pl.Series("f", list(X)),
            lambda X: np.array(X, dtype=object).reshape(-1, 1),
            lambda X: [[x] for x in X],
            lambda X: pd.DataFrame({"formula": X}),
            lambda X: pl.DataFrame({"formula": list(X)}),
            lambda X: [Composition(x) for x in X],
            lambda X: [dict(Composition(x).get_el_amt_dict()) for x in X],
            lambda X: CompositionTransformer(stats="amount").fit_transform(X),
            lambda X: (
                CompositionTransformer(stats="amount")
                .set_output(transform="pandas")
                .fit_transform(X)
            ),
        ],
        ids=[
            "tuple",
            "object",
            "str",
            "series",
            "string-series",
            "arrow-series",
            "category",
            "polars-series",
            "column",
            "nested-lists",
            "frame",
            "polars-frame",
            "pymatgen",
            "dicts",
            "amounts",
            "named-amounts",
        ],
    )
    def test_same_model(self, form, some_formulas, expected):
        X, y = some_formulas
        estimator = tiny_crabnet().fit(form(X), y)
        np.testing.assert_allclose(estimator.predict(form(X)), expected, rtol=1e-5, atol=1e-6)

    def test_series_at_fit_and_frame_at_predict(self, some_formulas):
        X, y = some_formulas
        estimator = tiny_crabnet().fit(pd.Series(X), y)
        assert estimator.n_features_in_ == 1
        assert not hasattr(estimator, "feature_names_in_")
        expected = estimator.predict(X)
        assert np.array_equal(estimator.predict(pd.DataFrame({"formula": X})), expected)
        framed = tiny_crabnet().fit(pd.DataFrame({"formula": X}), y)
        assert framed.feature_names_in_.tolist() == ["formula"]
        assert np.array_equal(framed.predict(X), expected)

    def test_switching_between_formulas_and_amounts_raises(self, some_formulas):
        X, y = some_formulas
        amounts = CompositionTransformer(stats="amount").fit_transform(X)
        with pytest.raises(ValueError, match="was fitted on formulas"):
            tiny_crabnet().fit(X, y).predict(amounts)
        with pytest.raises(ValueError, match="was fitted on a matrix"):
            tiny_crabnet().fit(amounts, y).predict(X)

    def test_named_amounts_in_any_order(self):
        columns = pd.DataFrame({"O": [3.0, 1, 1, 0], "Fe": [2.0, 1, 0, 1], "Mg": [0.0, 0, 1, 1]})
        y = [1.0, 2.0, 3.0, 4.0]
        formulas = ["Fe2O3", "FeO", "MgO", "FeMg"]
        np.testing.assert_allclose(
            tiny_crabnet().fit(columns, y).predict(columns),
            tiny_crabnet().fit(formulas, y).predict(formulas),
            rtol=1e-5,
        )

    def test_amounts_beside_extra_features(self):
        table = pd.DataFrame(
            {"temperature": [300, 400, 500, 600], "Fe": [0.7, 0.5, 1, 0], "Ni": [0.3, 0.5, 0, 1]}
        )
        formulas = pd.DataFrame(
            {"temperature": table["temperature"], "formula": ["Fe7Ni3", "FeNi", "Fe", "Ni"]}
        )
        y = [1.0, 3.0, 2.0, 4.0]
        with pytest.warns(TableWarning, match=r"'Fe', 'Ni' are read as amounts.*'temperature' as"):
            model = tiny_crabnet().fit(table, y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # once, at fit, is enough
            predictions = model.predict(table)
        expected = tiny_crabnet().fit(formulas, y).predict(formulas)
        np.testing.assert_allclose(predictions, expected, rtol=1e-5)
        assert model._extra_names() == ["temperature"]

    def test_encoded_formulas_warn(self, some_formulas):
        X, y = some_formulas
        codes = OrdinalEncoder().fit_transform(np.array(X).reshape(-1, 1))
        with pytest.raises(ValueError, match="did an earlier step turn formulas into numbers"):
            tiny_crabnet().fit(codes, y)
        one_hot = OneHotEncoder(sparse_output=False).fit_transform(np.array(X).reshape(-1, 1))
        with pytest.warns(TableWarning, match="each row has a single number above zero"):
            tiny_crabnet().fit(one_hot, y)

    def test_the_target_among_the_features_warns(self, some_formulas):
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": np.arange(60.0), "target": y})
        with pytest.warns(TableWarning, match="'target' of X equals y"):
            tiny_crabnet().fit(frame, frame["target"])
        with warnings.catch_warnings():
            warnings.simplefilter("error", TableWarning)
            tiny_crabnet().fit(frame[["formula", "T"]], y)

    def test_a_row_of_nothing_among_named_elements(self):
        amounts = pd.DataFrame({"Na": [1.0, 1.0, 0.0], "Cl": [1.0, 0.0, 2.0]})
        nothing = amounts.mul([1, 0, 1], axis=0)
        model = tiny_crabnet().fit(amounts, [1.0, 2.0, 3.0])
        with pytest.raises(ValueError, match="row 1 has no amount above zero"):
            model.predict(nothing)
        with pytest.raises(ValueError, match="row 1 has no amount above zero"):
            model.fit(nothing, [1.0, 2.0, 3.0])

    def test_numbers_that_are_no_amounts_warn(self):
        table = pd.DataFrame({"temperature": [300.0, 600.0], "pressure": [1.0, 3.0]})
        with pytest.warns(UserWarning, match=r"'temperature'.*amounts of H, He"):
            tiny_crabnet().fit(table, [1.0, 2.0])

    def test_bad_formulas_are_named(self, some_formulas):
        X, y = some_formulas
        X[3] = "Xx2O3"
        with pytest.raises(FormulaError, match=r"row 3: 'Xx2O3'.*unknown element 'Xx'"):
            tiny_crabnet().fit(X, y)

    def test_does_not_write_into_the_callers_frame(self, some_formulas):
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": np.arange(60.0)})
        before = frame.copy(deep=True)
        tiny_crabnet().fit(frame, y).predict(frame)
        pd.testing.assert_frame_equal(frame, before)


class TestExtraFeatures:
    @pytest.fixture
    def measured(self, some_formulas):
        """The same compounds at two temperatures, between which the target doubles."""
        X, y = some_formulas
        frame = pd.DataFrame({"T": np.repeat([300, 600], 60), "formula": np.tile(X, 2)})
        return frame, np.concatenate([y, 2 * y])

    def test_they_count(self, measured):
        X, y = measured
        settings = {"max_epochs": 100, "d_model": 32, "random_state": 1}
        informed = tiny_crabnet(**settings).fit(X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConflictingTargetsWarning)
            blind = tiny_crabnet(**settings).fit(X["formula"], y)
        assert (
            np.abs(informed.predict(X) - y).mean()
            < 0.7 * np.abs(blind.predict(X["formula"]) - y).mean()
        )
        assert (informed.predict(X)[:60] != informed.predict(X)[60:]).all()

    def test_cbfv_is_mean_and_std_of_the_elements(self, some_formulas):
        X, y = some_formulas
        expected = CompositionTransformer(
            "oliynyk", stats=["mean", "std"], missing="mean"
        ).fit_transform(X)
        model = tiny_crabnet(cbfv="oliynyk").fit(X, y)
        features = model._with_features(validate_compositions(model, X, reset=False)).extra
        assert np.array_equal(features, expected)
        blind = tiny_crabnet(cbfv=None).fit(X, y)
        assert not np.allclose(model.predict(X), blind.predict(X))

    def test_cbfv_stands_beside_other_features_and_validation(self, measured):
        X, y = measured
        model = tiny_crabnet(cbfv="magpie", n_iter_no_change=10)
        model.fit(X[:90], y[:90], X_val=X[90:], y_val=y[90:])
        assert (model.predict(X)[:60] != model.predict(X)[60:]).all()
        assert model.n_features_in_ == 2

    @pytest.mark.parametrize("missing", ["error", "mean", "zero"])
    def test_cbfv_of_an_element_without_properties(self, some_formulas, missing):
        """It has the mean over the table's elements, which says nothing about it."""
        X, y = some_formulas
        model = tiny_crabnet(cbfv="magpie", embedding="onehot", missing=missing)
        assert np.isfinite(model.fit([*X, "OgO2"], [*y, 0.0]).predict(["OgO2"])).all()
        features = model._with_features(validate_compositions(model, ["Og"], reset=False)).extra
        means = np.nanmean(load_embedding("magpie").values, axis=0)
        np.testing.assert_allclose(features[0, : len(means)], means)
        np.testing.assert_allclose(features[0, len(means) :], 0)

    def test_position_is_fixed_at_fit_for_arrays(self, measured):
        X, y = measured
        expected = tiny_crabnet().fit(X, y).predict(X)
        array = X.to_numpy(dtype=object)
        estimator = tiny_crabnet().fit(array, y)
        np.testing.assert_allclose(estimator.predict(array), expected)
        assert estimator.formula_position_ == 1
        with pytest.raises(ValueError, match="must be numeric"):
            estimator.predict(array[:, ::-1])

    def test_missing_values_are_refused(self, measured):
        X, y = measured
        X["T"] = X["T"].astype(float)
        X.loc[5, "T"] = np.nan
        with pytest.raises(ValueError, match=r"column 'T' .* missing .* row 5"):
            tiny_crabnet().fit(X, y)

    @pytest.mark.parametrize("value", [0.1, 300.0, 1e200])
    def test_constant_columns_do_no_harm(self, some_formulas, value):
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": value})
        estimator = tiny_crabnet().fit(frame, y)
        assert estimator._extra_scale[-1] == 1.0
        assert np.isfinite(estimator.predict(frame)).all()

    def test_missing_column_is_refused(self, measured):
        X, y = measured
        estimator = tiny_crabnet().fit(X, y)
        with pytest.raises(ValueError, match="Feature names must be in the same order"):
            estimator.predict(X[["formula", "T"]])
        with pytest.raises(ValueError, match="now missing"):
            estimator.predict(X[["formula"]])

    def test_two_columns_of_formulas_are_refused(self, measured):
        X, y = measured
        with pytest.raises(ValueError, match="'formula', 'other'"):
            tiny_crabnet().fit(X.assign(other="NaCl"), y)


@pytest.mark.parametrize("named", [False, True])
def test_amounts_after_formulas(named, some_formulas):
    """A table of amounts is no column of formulas; the message says how to make it one."""
    X, y = some_formulas
    model = tiny_crabnet().fit(pd.DataFrame({"formula": X}) if named else X, y)
    amounts = pd.DataFrame({"Ni": [1.0, 3.0], "Al": [1.0, 1.0], "O": [0.0, 2.0]})
    with pytest.raises(ValueError, match=r"columns 'Ni', 'Al', 'O'.*X\.to_dict\(\"records\"\)"):
        model.predict(amounts)
    with pytest.raises(ValueError, match=r"X\.to_dicts\(\)"):
        model.predict(pl.from_pandas(amounts))
    with pytest.raises(ValueError, match="mappings such as"):
        model.predict(amounts.to_numpy())
    expected = model.predict(["NiAl", "Ni3AlO2"])
    np.testing.assert_allclose(model.predict(amounts.to_dict("records")), expected, rtol=1e-6)
