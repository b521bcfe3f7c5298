"""Tables of numbers: what is refused, and what is doubted aloud."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from crabsk import CompositionTransformer
from crabsk.composition import (
    TableWarning,
    chemical_system,
    compositions_from_components,
    read_compositions,
    reduced_formula,
)

READ = [
    read_compositions,
    reduced_formula,
    chemical_system,
    lambda X: CompositionTransformer(stats="fraction").fit(X),
]


@pytest.mark.parametrize("read", READ, ids=["read", "formula", "system", "fit"])
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["SiO2", "Na2O", "CaO"], "'SiO2', 'Na2O', 'CaO'.*amounts of components.*from_components"),
        (["MgO", "CaO", "FeO"], "'MgO', 'CaO', 'FeO'.*amounts of components"),
        (["SiO2", "Na2O", "temperature"], "'SiO2', 'Na2O'.*amounts of components"),
        (["MgO", "CaO", "temperature"], "'MgO', 'CaO'.*amounts of components"),
        (["NaCl", "KCl", "T"], "'NaCl', 'KCl'.*amounts of components"),
        (["Fe", "C", "SiO2"], "'SiO2'.*amounts of components"),
        (["Fe (wt%)", "C (wt%)", "Mn (wt%)"], r"with a unit \('Fe \(wt%\)'"),
        (["c (wt%)", "mn (wt%)", "T"], r"with a unit \('c \(wt%\)', 'mn \(wt%\)'\)"),
        (["Fe_at%", "Cr_at%", "T"], "with a unit .'Fe_at%', 'Cr_at%'"),
        (["Si wt.%", "Fe", "C"], "with a unit .'Si wt.%'"),
        (["SiO2 mol%", "Na2O mol%", "T"], "with a unit .'SiO2 mol%', 'Na2O mol%'"),
        (["c", "mn", "si"], r"'c', 'mn', 'si' may be .*str\.capitalize.*from_weight_percent"),
        (["c", "n", "o"], "'c', 'n', 'o' may be element symbols in the wrong case"),
        (["cr", "ni", "temperature"], "'cr', 'ni' may be element symbols in the wrong case"),
        (["FE", "NI", "CR"], "'FE', 'NI', 'CR' may be element symbols in the wrong case"),
        (["Fe", "Ni", " Cr"], "' Cr' may be element symbols in the wrong case"),
    ],
)
def test_columns_that_are_components(read, make, columns, words):
    X = make(dict(zip(columns, [[70.0, 60.0], [20.0, 30.0], [10.0, 10.0]], strict=True)))
    with pytest.raises(ValueError, match=words):
        read(X)


def test_components_are_converted_on_request():
    X = pd.DataFrame({"SiO2": [70.0], "Na2O": [20.0], "CaO": [10.0]})
    amounts = compositions_from_components(X, unit="mol%")
    assert reduced_formula(amounts).tolist() == ["Na4CaSi7O17"]
    np.testing.assert_array_equal(
        read_compositions(amounts).amounts,
        read_compositions(["Si70O170Na40Ca10"]).amounts,
    )


@pytest.mark.parametrize("read", READ, ids=["read", "formula", "system", "fit"])
@pytest.mark.parametrize(
    "X",
    [
        np.array([[3], [1], [2]]),
        np.array([[0.5], [1.5]]),
        pd.DataFrame({"label": [3, 1, 2]}),
        pd.DataFrame({0: [3.0, 1.0]}),
    ],
)
def test_a_single_column_of_numbers_is_refused(read, X):
    with pytest.raises(ValueError, match=r"1 feature\(s\).*turn formulas into numbers"):
        read(X)


def test_a_single_column_named_by_an_element_is_that_element():
    assert reduced_formula(pd.DataFrame({"Fe": [1.0, 2.0]})).tolist() == ["Fe", "Fe"]


@pytest.mark.parametrize("read", READ, ids=["read", "formula", "system", "fit"])
@pytest.mark.parametrize(
    ("X", "doubt"),
    [
        (np.array([[300.0, 1.0], [400.5, 2.0]]), "add up to neither 1 nor 100"),
        (np.random.default_rng(0).uniform(size=(100, 5)), "add up to neither 1 nor 100"),
        (CompositionTransformer(stats="mean").fit_transform(["NaCl", "Fe2O3"]), "add up to"),
        (np.eye(5)[[0, 1, 2, 3, 4, 0]], "single number above zero"),
        (np.array([[300, 1], [400, 2]] * 6), "it contains no zeros"),
        (pd.DataFrame({"a": [0.5, 1.0], "b": [0.5, 0.0]}), "not named by elements"),
    ],
    ids=["T and p", "random", "magpie", "one-hot", "whole T and p", "named otherwise"],
)
def test_numbers_that_may_be_no_amounts_warn(read, X, doubt):
    with pytest.warns(TableWarning, match=f"{doubt}.*read as amounts of H, He, Li"):
        read(X)


@pytest.mark.parametrize(
    "X",
    [
        np.array([[0.5, 0.5, 0.0], [0.2, 0.2, 0.6]]),
        np.array([[0.333, 0.667], [0.5, 0.499]]),
        np.array([[50.0, 50.0, 0.0], [33.3, 33.3, 33.3]]),
        np.array([[2, 3, 0], [1, 0, 1]]),
        np.array([[2, 1]]),
        np.zeros((3, 2)),
        CompositionTransformer(stats="amount").fit_transform(["Fe0.95O", "NaCl"]),
        CompositionTransformer(stats="amount")
        .set_output(transform="pandas")
        .fit_transform(["Fe0.95O", "NaCl"]),
    ],
)
def test_numbers_that_can_be_amounts_do_not_warn(X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_compositions(X)


# Amounts beside extra features


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_amounts_beside_features(make):
    X = make({"T": [300.0, 400.0], "Fe": [0.7, 0.5], "Ni": [0.3, 0.5], "p": [1.0, -2.0]})
    with pytest.warns(TableWarning, match=r"'Fe', 'Ni' are read as amounts .* 'T', 'p' as extra"):
        assert reduced_formula(X).tolist() == ["Fe7Ni3", "FeNi"]
    transformer = CompositionTransformer(stats="fraction")
    with pytest.warns(TableWarning, match="'T', 'p' as extra features"):
        features = transformer.fit_transform(X)
    assert transformer.get_feature_names_out()[-2:].tolist() == ["T", "p"]
    assert features[:, -2:].tolist() == [[300, 1], [400, -2]]
    assert features[:, 25].tolist() == [0.7, 0.5]


def test_negative_amounts_beside_features():
    X = pd.DataFrame({"T": [300.0, 400.0], "Fe": [0.7, -0.5], "Ni": [0.3, 0.5]})
    with pytest.raises(ValueError, match="Negative values"):
        CompositionTransformer(stats="fraction").fit(X)
    with (
        pytest.raises(ValueError, match=r"row 1 has -0\.5 of Fe"),
        pytest.warns(TableWarning, match="read as amounts"),
    ):
        read_compositions(X)


def test_quantities_named_by_single_letters():
    X = pd.DataFrame({"P": [1.0, 2.5], "V": [22.3, 11.0], "T": [300.0, 400.0]})
    with pytest.raises(ValueError, match="'P', 'V' may be amounts of elements or other quantities"):
        reduced_formula(X)
    with pytest.raises(ValueError, match="only the column 'P' is an element symbol"):
        reduced_formula(X[["P", "T"]])
    # Amounts by their sums, by being whole, or by having oxygen.
    for table in (
        {"C": [2, 1], "H": [6, 4], "T": [300.0, 400.0]},
        {"C": [0.2, 0.3], "N": [0.8, 0.7], "T": [300.0, 400.0]},
        {"B": [20.5, 10.5], "O": [80.0, 75.0], "T": [300.0, 400.0]},
    ):
        with pytest.warns(TableWarning, match="read as amounts of elements"):
            read_compositions(pd.DataFrame(table))


# The target among the features


@pytest.mark.parametrize(
    "leak",
    [lambda y: y, lambda y: 2 * y + 1, np.log, lambda y: -y, np.round],
    ids=["equal", "scaled", "log", "negative", "rounded"],
)
def test_the_target_among_the_features(leak):
    y = np.random.default_rng(0).permutation(np.arange(1.0, 31.0))
    X = pd.DataFrame({"formula": ["NaCl", "KCl", "LiCl"] * 10, "T": y[::-1], "x": leak(y)})
    with pytest.warns(TableWarning, match="column 'x' of X equals y, or rises or falls with it"):
        CompositionTransformer(stats="mean").fit(X, y)


def test_few_samples_may_be_in_order_by_chance():
    X = pd.DataFrame({"formula": ["NaCl"] * 5, "T": [1.0, 2, 3, 4, 5]})
    y = np.array([2.0, 4, 5, 7, 9])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CompositionTransformer(stats="mean").fit(X, y)
        CompositionTransformer(stats="mean").fit(X, np.ones(5))
    with pytest.warns(TableWarning, match="'T' of X equals y"):
        CompositionTransformer(stats="mean").fit(X, X["T"])


def test_the_target_among_several_and_with_gaps():
    y = np.random.default_rng(0).normal(size=(20, 2))
    X = pd.DataFrame({"formula": ["NaCl"] * 20, "x": y[:, 1]})
    y[::3, 1] = np.nan
    with pytest.warns(TableWarning, match="'x' of X equals y"):
        CompositionTransformer(stats="mean").fit(X, y)


def test_the_target_named_like_an_element():
    y = np.linspace(10, 90, 12)[np.random.default_rng(0).permutation(12)]
    X = pd.DataFrame({"Fe": 60.0, "Ni": 40.0, "Tc": y})
    with pytest.warns(TableWarning, match="the column 'Tc' of X equals y"):
        CompositionTransformer(stats="fraction").fit(X, y)
    # The amount of an element may well rise with the target.
    alloys = pd.DataFrame({"Fe": 100 - y, "Ni": y})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CompositionTransformer(stats="fraction").fit(alloys, 2 * y)


@pytest.mark.parametrize("y", [None, 5, "a", ["a", "b"], [[1], [2, 3]], [1.0], np.array(3)])
def test_other_targets_are_ignored(y):
    CompositionTransformer(stats="mean").fit(["NaCl", "KCl"], y)


# Names


def test_quantities_that_read_like_formulas_are_features():
    X = pd.DataFrame({"Fe": [0.7], "Ni": [0.3], "HV": [200.0], "YS": [1.0], "RH": [50.0]})
    with pytest.warns(TableWarning, match="'HV', 'YS', 'RH' as extra features"):
        assert reduced_formula(X).tolist() == ["Fe7Ni3"]


def test_names_that_are_no_text():
    X = pd.DataFrame({"Fe": [0.7], "Ni": [0.3], 3: [1.0]})
    with pytest.raises(ValueError, match="some column names are not text"):
        reduced_formula(X)


def test_missing_amounts_of_pandas():
    X = pd.DataFrame({"Fe": [0.7, None], "Ni": [0.3, 1.0]}).convert_dtypes()
    with pytest.raises(ValueError, match="row 1 has nan of Fe"):
        reduced_formula(X)


def test_text_beside_amounts():
    X = pd.DataFrame({"Fe": [0.7], "Ni": [0.3], "route": ["as cast"]})
    with pytest.raises(ValueError, match="columns such as 'Fe', 'Ni', drop or encode the text"):
        reduced_formula(X)


# Where and how often it is said


def test_it_is_said_at_the_users_line_and_once(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np, pandas as pd\n"
        "from sklearn.dummy import DummyRegressor\n"
        "from sklearn.model_selection import cross_val_score\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from crabsk import CompositionTransformer\n"
        "X = pd.DataFrame({'Fe': [0.7, 0.5] * 5, 'Ni': [0.3, 0.5] * 5, 'T': range(10)})\n"
        "model = make_pipeline(CompositionTransformer(), DummyRegressor())\n"
        "cross_val_score(model, X, np.arange(10.0)[::-1] % 3, cv=5)\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    warned = [line for line in done.stderr.splitlines() if "TableWarning" in line]
    assert len(warned) == 1
    assert warned[0].startswith(f"{script}:8: TableWarning: X holds no formulas")
