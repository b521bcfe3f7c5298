import importlib.util
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from crabsk.composition import ATOMIC_NUMBERS, ELEMENTS, parse_formulas
from crabsk.embeddings import embedding_names, load_embedding

PEERS_NAMES = [name for name in embedding_names() if name not in ("onehot", "elemnet")]

# What has a value in elementembeddings' tables but none in their sources: in Magpie's own files,
# and in elementembeddings' and CBFV's `oliynyk.csv`.
FILLED = {
    "magpie": {
        "MeltingT": "He Fr",
        "CovalentRadius": "Bk",
        "Electronegativity": "He Ne Ar Rn",
        "SpaceGroupNumber": "At Rn Fr",
    },
    "oliynyk": {
        "Miracle_Radius_[pm]": "H He F Ne Cl Ar Br Kr I Xe",
        "crystal_radius": "Kr",
        "MB_electonegativity": "Kr",
        "Mulliken_EN": "Kr Xe",
    },
}


@pytest.fixture(scope="module")
def load_data():
    """elementembeddings' own loader."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from elementembeddings.core import Embedding
    return Embedding.load_data


def gaps(name):
    """Return the places of the values that were filled in, as rows and columns."""
    source = name.removesuffix("_sc")
    names = load_embedding(source).feature_names
    places = [
        (ATOMIC_NUMBERS[symbol] - 1, names.index(feature))
        for feature, symbols in FILLED.get(source, {}).items()
        for symbol in symbols.split()
    ]
    return tuple(np.array(places, dtype=int).reshape(-1, 2).T)


def of(table, symbol):
    return table.values[ATOMIC_NUMBERS[symbol] - 1]


def test_names(load_data):
    from elementembeddings.utils.config import DEFAULT_ELEMENT_EMBEDDINGS

    assert len(PEERS_NAMES) == 20
    assert set(embedding_names()) == {*DEFAULT_ELEMENT_EMBEDDINGS, "onehot", "elemnet"}


@pytest.mark.parametrize("name", PEERS_NAMES)
def test_equals_elementembeddings(load_data, name):
    peer = load_data(name)
    table = load_embedding(name)
    vectors = dict(peer.embeddings)
    if name == "random_200":
        vectors["Nh"], vectors["Mc"] = vectors.pop("Uut"), vectors.pop("Uup")
        del vectors["Uuh"]  # Lv's old name; the table has Lv, too
    expected = np.full((118, peer.dim), np.nan)
    for symbol, vector in vectors.items():
        expected[ATOMIC_NUMBERS[symbol] - 1] = vector
    expected[gaps(name)] = np.nan
    np.testing.assert_array_equal(table.values, expected)
    assert table.name == name
    assert table.feature_names == tuple(map(str, peer.feature_labels))


def test_filled_values_of_magpie_are_medians(load_data):
    """A later elementembeddings with other values here may need fewer gaps."""
    vectors = load_data("magpie").embeddings
    values = load_embedding("magpie").values
    assert len(gaps("magpie")[0]) == 10
    for row, column in zip(*gaps("magpie"), strict=True):
        assert vectors[ELEMENTS[row]][column] == np.nanmedian(values[:, column])


@pytest.mark.parametrize("package", ["elementembeddings", "CBFV"])
def test_filled_values_of_oliynyk_are_empty_in_its_source(package):
    folder = {"elementembeddings": "data/element_representations", "CBFV": "element_properties"}
    spec = importlib.util.find_spec(package)  # imports nothing
    (root,) = spec.submodule_search_locations
    source = pd.read_csv(Path(root, folder[package], "oliynyk.csv"), index_col=0)
    np.testing.assert_array_equal(
        load_embedding("oliynyk").values, source.reindex(list(ELEMENTS)).to_numpy()
    )
    assert source.isna().sum().sum() == 14


@pytest.mark.parametrize(
    ("name", "formula", "described"),
    [
        ("magpie", "He", "He (in 'MeltingT', 'Electronegativity')"),
        ("magpie_sc", "He", "He (in '3', '7')"),
        ("oliynyk", "NaF", "F (in 'Miracle_Radius_[pm]')"),
        ("oliynyk_sc", "NaF", "F (in '11')"),
    ],
)
def test_filled_values_are_gaps(name, formula, described):
    table = load_embedding(name)
    compositions = parse_formulas(["Fe2S3", formula])
    message = f"{name!r} has no values for {described}, in 1 of 2 rows (row 1): remove these rows"
    with pytest.raises(ValueError, match=re.escape(message)):
        table.fill(compositions)
    filled = table.fill(compositions, "mean")[gaps(name)]
    np.testing.assert_array_equal(filled, np.nanmean(table.values, axis=0)[gaps(name)[1]])


@pytest.mark.parametrize("name", ["magpie", "megnet16", "mod_petti", "random_200", "mat2vec"])
def test_embedding_object(load_data, name):
    embedding = load_data(name)
    before = {symbol: vector.copy() for symbol, vector in embedding.embeddings.items()}
    table = load_embedding(embedding)
    for symbol in ("H", "He", "Fe"):  # with the values that were filled in
        np.testing.assert_array_equal(of(table, symbol), before[symbol])
    rest = np.delete(np.arange(118), gaps(name)[0])
    np.testing.assert_array_equal(table.values[rest], load_embedding(name).values[rest])
    assert table.name == name
    assert table.feature_names == load_embedding(name).feature_names
    assert embedding.embeddings.keys() == before.keys()
    assert all((embedding.embeddings[s] == vector).all() for s, vector in before.items())


def test_onehot():
    table = load_embedding("onehot")
    np.testing.assert_array_equal(table.values, np.eye(118))
    assert table.feature_names == ELEMENTS


def test_elements_of_elemnet():
    """86 up to plutonium, without some noble gases and short-lived elements."""
    table = load_embedding("elemnet")
    lacking = np.isnan(table.values).all(axis=1)
    noble_or_radioactive = [2, 10, 18, 84, 85, 86, 87, 88]
    assert (np.flatnonzero(lacking) + 1).tolist() == [*noble_or_radioactive, *range(95, 119)]
    np.testing.assert_array_equal(table.values[~lacking], np.eye(86))
    assert table.feature_names == tuple(np.array(ELEMENTS)[~lacking])


def test_named_tables_are_shared_and_safe():
    table = load_embedding("magpie")
    assert load_embedding("magpie") is table
    with pytest.raises(ValueError, match="read-only"):
        table.values[0] = 0
    filled = table.fill(parse_formulas(["Og"]), "mean")
    with pytest.raises(ValueError, match="read-only"):
        filled[0] = 0
    assert np.isnan(of(table, "Og")).all()


def test_own_frame():
    frame = pd.DataFrame(
        {"radius": [66, 132], 7: [3.44, 1.83], "metal": [False, True]}, index=["O", "Fe"]
    )
    before = frame.copy()
    table = load_embedding(frame)
    assert table.name == "custom"
    assert table.feature_names == ("radius", "7", "metal")
    np.testing.assert_array_equal(of(table, "Fe"), [132, 1.83, 1])
    assert np.isnan(table.values).all(axis=1).sum() == 116
    frame.loc["Fe", "radius"] = 0
    assert of(table, "Fe")[0] == 132
    frame.loc["Fe", "radius"] = 132
    pd.testing.assert_frame_equal(frame, before)


def test_own_frame_of_nullable_numbers():
    frame = pd.DataFrame({"a": [1, None], "b": [2, 3]}, index=["O", "Fe"], dtype="Int64")
    np.testing.assert_array_equal(of(load_embedding(frame), "Fe"), [np.nan, 3])


def test_own_mapping():
    table = load_embedding({"Fe": [1, 2.5], "O": np.array([3, 4]), "H": (5, np.nan)})
    assert table.feature_names == ("0", "1")
    np.testing.assert_array_equal(of(table, "Fe"), [1, 2.5])
    np.testing.assert_array_equal(of(table, "H"), [5, np.nan])


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        ("mat3vec", r"unknown embedding 'mat3vec': the names are atomic, .*, onehot, .*xenonpy"),
        ({"Fe": [1.0], "Xx": [2.0]}, r"rows that are no element symbols: 'Xx' \(a DataFrame must"),
        (pd.DataFrame({"a": [1.0, 2.0]}), r"no element symbols: 0, 1 \(a DataFrame must be index"),
        (pd.DataFrame({"a": [1, 2]}, index=["Fe", "Fe"]), "has elements more than once: 'Fe'"),
        (pd.DataFrame([[1, 2]], index=["Fe"], columns=[1, "1"]), "features more than once: '1'"),
        (pd.DataFrame({"a": ["1"], "b": [1]}, index=["Fe"]), "features that are no numbers: 'a'"),
        (pd.DataFrame({"a": [1j]}, index=["Fe"]), "features that are no numbers: 'a'"),
        (pd.DataFrame({"a": [np.inf], "b": [1]}, index=["Fe"]), "infinite values in 'a'"),
        ({"Fe": [1, np.nan], "O": [2, np.nan]}, "'custom' has no value at all in '1': drop it"),
        ({"Fe": [1, 2], "O": [1]}, r"vectors have different lengths: \[1, 2\]"),
        ({"Fe": 1.5}, r"vector of 'Fe' must be a 1-D .* is a vector of length 1\), got 1.5"),
        ({"Fe": [[1.0]]}, r"vector of 'Fe' must be a 1-D sequence of numbers .* got \[\[1.0\]\]"),
        ({"Fe": ["1", "2"]}, "vector of 'Fe' must be a 1-D sequence of numbers"),
        ({"Fe": [1, None]}, r"vector of 'Fe' must be .*NaN where a value is unknown"),
        ({}, r"embedding 'custom' is empty: its shape is \(0, 0\)"),
        (pd.DataFrame(index=["Fe"]), r"embedding 'custom' is empty: its shape is \(1, 0\)"),
    ],
)
def test_bad_tables(embedding, message):
    with pytest.raises(ValueError, match=message):
        load_embedding(embedding)


@pytest.mark.parametrize("embedding", [None, 3, ["magpie"], pl.DataFrame({"a": [1]})])
def test_other_types(embedding):
    with pytest.raises(TypeError, match=r"an embedding is a name, a pandas .*, not <class '"):
        load_embedding(embedding)


def test_missing_element_is_named():
    compositions = parse_formulas(["Fe2O3", "OgO2", "NaCl", "TsOg"])
    with pytest.raises(ValueError, match="embedding 'magpie' has no values for Ts, Og, in 2 of 4"):
        load_embedding("magpie").fill(compositions)
    with pytest.raises(ValueError, match=r"rows \(row 1, 3\): remove these rows, choose an embed"):
        load_embedding("magpie").fill(compositions)
    many = parse_formulas(["Og"] * 10)
    with pytest.raises(ValueError, match=r"in 10 of 10 rows \(row 0, 1, 2, 3, 4, \.\.\.\)"):
        load_embedding("magpie").fill(many)


def test_elements_that_are_not_asked_for_may_lack():
    table = load_embedding("magpie")
    assert table.fill(parse_formulas(["Fe2O3"])) is table.values


def test_value_that_is_missing_in_part():
    """An element with a gap is refused, too; a fill leaves what it has as it is."""
    table = load_embedding({"Fe": [1, np.nan, 8], "O": [3, 4, 2], "H": [5, 6, 2]})
    compositions = parse_formulas(["H2O", "FeO"])
    with pytest.raises(ValueError, match=r"no values for Fe \(in '1'\), in 1 of 2 rows \(row 1\)"):
        table.fill(compositions, "error")
    mean = table.fill(compositions, "mean")
    np.testing.assert_array_equal(mean[26 - 1], [1, 5, 8])
    np.testing.assert_array_equal(mean[118 - 1], [3, 5, 4])
    zero = table.fill(compositions, "zero")
    np.testing.assert_array_equal(zero[26 - 1], [1, 0, 8])
    np.testing.assert_array_equal(zero[118 - 1], [0, 0, 0])
    with pytest.raises(ValueError, match="missing='median' must be one of 'error', 'mean', 'zero'"):
        table.fill(compositions, "median")


def test_imports_no_plotting_stack():
    program = (
        "import sys, crabsk.embeddings, crabsk.feature_extraction\n"
        "for name in crabsk.embeddings.embedding_names(): crabsk.embeddings.load_embedding(name)\n"
        "print(*{'umap', 'openTSNE', 'numba', 'matplotlib', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [], done.stdout
    assert done.returncode == 0, done.stderr
