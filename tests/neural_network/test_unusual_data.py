"""X and y in the forms and with the values that real tables have: read, or refused with reasons."""

import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import cross_val_predict
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

from crabsk.composition import ELEMENTS
from crabsk.inspection import attention_importance, attention_weights, element_contributions


@pytest.fixture(scope="module")
def expected(formation_enthalpy):
    X, y = formation_enthalpy
    return tiny_crabnet().fit(X[:60], y[:60]).predict(X[:60])


def read_only(values):
    values = np.array(values)
    values.flags.writeable = False
    return values


def shuffled_index(values):
    index = np.random.default_rng(0).permutation(len(values)) + 1000
    return pd.Series(values, index=index)


class TestTargets:
    @pytest.mark.parametrize(
        "form",
        [
            list,
            read_only,
            shuffled_index,
            lambda y: y.astype(object),
            lambda y: np.array([Decimal(repr(float(value))) for value in y]),
            lambda y: pd.Series(y, dtype="Float64"),
            lambda y: pd.Series(y, dtype="float64[pyarrow]"),
            lambda y: pl.Series(y).to_numpy(),
            lambda y: y[::-1][::-1],
        ],
    )
    def test_forms(self, form, formation_enthalpy, expected):
        X, y = (part[:60] for part in formation_enthalpy)
        model = tiny_crabnet().fit(X, form(y))
        np.testing.assert_allclose(model.predict(X), expected, atol=1e-6)

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, bool])
    def test_lower_precision(self, dtype, some_formulas):
        X, y = some_formulas
        y = (10 * y).astype(dtype)
        model = tiny_crabnet().fit(X, y)
        same = tiny_crabnet().fit(X, y.astype(np.float64))
        assert model.predict(X).dtype == np.float64
        np.testing.assert_array_equal(model.predict(X), same.predict(X))

    @pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_what_is_no_number(self, cls, bad, some_formulas):
        X, y = some_formulas
        y = (y > y.mean()).astype(float) if cls in CLASSIFIERS else y
        y[7] = bad
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            tiny(cls).fit(X, y)


class TestFormulas:
    @pytest.mark.parametrize(
        "form",
        [
            list,
            tuple,
            read_only,
            shuffled_index,
            lambda X: pd.Series(X, dtype="category"),
            lambda X: pd.Series(X, dtype="string"),
            lambda X: pd.Series(X, dtype="string[pyarrow]"),
            lambda X: pl.Series(X.tolist()),
            lambda X: shuffled_index(X).to_frame("formula"),
        ],
    )
    def test_forms(self, form, formation_enthalpy, expected):
        X, y = (part[:60] for part in formation_enthalpy)
        model = tiny_crabnet().fit(form(X), y)
        np.testing.assert_allclose(model.predict(form(X)), expected, atol=1e-6)

    def test_a_generator_could_be_read_but_once(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="list"):
            tiny_crabnet().fit((formula for formula in X), y)

    def test_all_elements_in_one(self, some_formulas):
        X, y = some_formulas
        every = "".join(ELEMENTS)
        model = tiny_crabnet(embedding="onehot").fit([*X, every], [*y, 0.0])
        assert np.isfinite(model.predict([every, "NaCl"])).all()

    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_elements_that_training_never_saw(self, cls):
        model = tiny(cls).fit(["NaCl", "KCl", "NaBr", "KBr"], [0, 1, 0, 1])
        answers = getattr(model, "predict_proba", model.predict)(["Fe2O3", "U", "NaCl"])
        assert np.isfinite(answers).all()


@pytest.mark.parametrize(
    ("cls", "method"),
    [
        *((cls, method) for cls in REGRESSORS for method in ("predict", "encode")),
        *((cls, method) for cls in CLASSIFIERS for method in ("predict_proba", "encode")),
    ],
)
def test_no_answer_that_is_not_a_number(cls, method, some_formulas):
    """A temperature of 1e300 overflows in the network; the rows around it do not."""
    X, y = some_formulas
    table = pd.DataFrame({"formula": X, "T": np.linspace(200, 400, 60), "p": 1.0})
    model = tiny(cls).fit(table, y > y.mean() if cls in CLASSIFIERS else y)
    table.loc[41, "T"] = 1e300
    with pytest.raises(ValueError, match=r"row 41: .* column 'T' holds 1e\+300; .* had 300 "):
        getattr(model, method)(table)
    assert len(getattr(model, method)(table.drop(41))) == 59


@pytest.mark.parametrize(
    "look_into", [element_contributions, attention_weights, attention_importance]
)
def test_no_contribution_that_is_not_a_number(look_into, some_formulas):
    X, y = some_formulas
    table = pd.DataFrame({"T": np.linspace(200, 400, 60), "formula": X})
    model = tiny_crabnet(cbfv="magpie").fit(table, y)
    table.loc[41, "T"] = 1e30
    with pytest.raises(ValueError, match=r"row 41: .* column 'T' holds 1e\+30; .* had 300 "):
        look_into(model, table)


def test_networks_that_overflow_on_everything():
    """Whether training ends with weights that are still numbers depends on the machine."""
    X = ["NaCl", "KCl", "NaBr", "KBr"]
    with pytest.raises(ValueError, match=r"learning_rate"):
        tiny_crabnet(learning_rate=1e4).fit(X, [1, 2, 3, 4]).predict(X)


def test_validation_data_that_overflow(some_formulas):
    X, y = some_formulas
    table = pd.DataFrame({"formula": X, "T": np.linspace(200, 400, 60)})
    with pytest.raises(ValueError, match="validation loss is not finite"):
        tiny_crabnet().fit(table, y, X_val=table.assign(T=1e300), y_val=y)


PROGRAM = """
import sys
from tiny import tiny_crabnet
from crabsk.datasets import load_formation_enthalpy
X, y = (part[:60] for part in load_formation_enthalpy(return_X_y=True))
model = tiny_crabnet(n_estimators=2, dropout=0.1).fit(X, y)
sys.stdout.write(model.predict(X).tobytes().hex())
"""


def test_two_processes_agree(pytestconfig):
    run = {
        "capture_output": True,
        "text": True,
        "check": True,
        "cwd": pytestconfig.rootpath / "tests",
    }
    outputs = {subprocess.run([sys.executable, "-c", PROGRAM], **run).stdout for _ in range(2)}
    assert len(outputs) == 1
    assert len(outputs.pop()) == 60 * 16


def test_parallel_folds_agree(some_formulas):
    X, y = some_formulas
    one, two = (cross_val_predict(tiny_crabnet(), X, y, cv=2, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one, two)
