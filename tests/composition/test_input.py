"""Every form that X may have, and every form that it may not."""

from collections import deque
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from hypothesis.extra import pandas as st_pandas
from pymatgen.core import Composition
from scipy import sparse

from crabsk.composition import (
    FormulaError,
    chemical_system,
    element_columns,
    find_formulas,
    find_formulas_at,
    is_dataframe,
    parse_formulas,
    read_compositions,
    reduced_formula,
)

FORMULAS = ["Fe2O3", "NaCl", "H2O"]
DICTS = [{"Fe": 2, "O": 3}, {"Na": 1, "Cl": 1}, {"H": 2, "O": 1}]
COMPOSITIONS = [Composition(formula) for formula in FORMULAS]


def kind_of(X):
    package = type(X).__module__.partition(".")[0]
    return f"{package} {type(X).__name__} {getattr(X, 'dtype', '')}"


def column_of(items):
    """Return an object array of shape (n, 1); numpy alone would take mappings apart."""
    column = np.empty((len(items), 1), dtype=object)
    for i, item in enumerate(items):
        column[i, 0] = item
    return column


def assert_holds_the_formulas(X):
    read, expected = read_compositions(X), parse_formulas(FORMULAS)
    np.testing.assert_array_equal(read.atomic_numbers, expected.atomic_numbers)
    np.testing.assert_array_equal(read.amounts, expected.amounts)
    np.testing.assert_array_equal(read.offsets, expected.offsets)


# Formulas alone


@pytest.mark.parametrize(
    "X",
    [
        FORMULAS,
        tuple(FORMULAS),
        deque(FORMULAS),
        np.array(FORMULAS),
        np.array(FORMULAS, dtype=object),
        np.array(FORMULAS, dtype=np.dtypes.StringDType()),
        pd.Series(FORMULAS),
        pd.Series(FORMULAS, dtype=object),
        pd.Series(FORMULAS, dtype="string"),
        pd.Series(FORMULAS, dtype="string[pyarrow]"),
        pd.Series(FORMULAS, dtype=pd.ArrowDtype(pa.string())),
        pd.Series(FORMULAS, dtype="category"),
        pd.Series(FORMULAS, index=[7, 7, 3]),
        pd.Index(FORMULAS),
        pd.array(FORMULAS, dtype="string"),
        pl.Series(FORMULAS),
        pl.Series(FORMULAS, dtype=pl.Categorical),
        pl.Series(FORMULAS, dtype=pl.Enum(FORMULAS)),
        pa.chunked_array([FORMULAS]),
        DICTS,
        COMPOSITIONS,
        [FORMULAS[0], DICTS[1], COMPOSITIONS[2]],
        pd.Series(DICTS),
        pd.Series(COMPOSITIONS),
        pl.Series(DICTS, dtype=pl.Object),
        column_of(DICTS)[:, 0],
        column_of(COMPOSITIONS)[:, 0],
    ],
    ids=kind_of,
)
def test_one_dimensional_forms(X):
    assert_holds_the_formulas(X)
    table = find_formulas(X)
    assert isinstance(table.formulas, list)
    assert table.extra.shape == (3, 0)
    assert (table.formula_position, table.n_columns) == (0, 1)


@pytest.mark.parametrize(
    "X",
    [
        [[formula] for formula in FORMULAS],
        [(formula,) for formula in FORMULAS],
        [np.array([formula]) for formula in FORMULAS],
        tuple([formula] for formula in FORMULAS),
        [[mapping] for mapping in DICTS],
        np.array(FORMULAS).reshape(-1, 1),
        np.array(FORMULAS, dtype=object).reshape(-1, 1),
        np.array(FORMULAS, dtype=np.dtypes.StringDType()).reshape(-1, 1),
        column_of(DICTS),
        column_of(COMPOSITIONS),
        pd.DataFrame({"formula": FORMULAS}),
        pd.DataFrame({"formula": COMPOSITIONS}),
        pd.DataFrame({0: FORMULAS}),
        pl.DataFrame({"formula": FORMULAS}),
    ],
    ids=kind_of,
)
def test_single_columns(X):
    assert_holds_the_formulas(X)
    table = find_formulas(X)
    assert table.extra.shape == (3, 0)
    assert (table.formula_position, table.n_columns) == (0, 1)


def test_the_input_is_left_alone():
    X = pd.DataFrame({"formula": FORMULAS, "T": [1, 2, 3]})
    before = X.copy(deep=True)
    read_compositions(X)
    pd.testing.assert_frame_equal(X, before)


# Formulas with numbers beside them

EXTRA = {
    "int": [1, 2, 3],
    "float": [0.5, 1.5, -2.5],
    "bool": [True, False, True],
    "decimal": [Decimal("0.1"), Decimal(2), Decimal(3)],
}


@pytest.mark.parametrize(
    "make",
    [
        pd.DataFrame,
        lambda data: pd.DataFrame(data).convert_dtypes(),
        lambda data: pd.DataFrame(data).convert_dtypes(dtype_backend="pyarrow"),
        lambda data: pd.DataFrame(data, dtype=object),
        lambda data: pd.DataFrame(data, index=[5, 5, 1]),
        pl.DataFrame,
    ],
    ids=["pandas", "nullable", "pyarrow", "object", "index", "polars"],
)
def test_frames_with_numeric_columns(make):
    X = make({"int": EXTRA["int"], "formula": FORMULAS, **EXTRA})
    assert_holds_the_formulas(X)
    table = find_formulas(X)
    assert table.formulas == FORMULAS
    assert table.extra.dtype == np.float64
    assert table.extra.tolist() == [[1, 0.5, 1, 0.1], [2, 1.5, 0, 2], [3, -2.5, 1, 3]]
    assert (table.formula_position, table.n_columns) == (1, 5)


def test_polars_frames_are_read_by_name():
    # polars has no __dataframe__ any more: a frame must not pass for a matrix without names.
    X = pl.DataFrame({"O": [3.0], "Fe": [2.0]})
    assert is_dataframe(X)
    assert read_compositions(X).atomic_numbers.tolist() == [8, 26]


@pytest.mark.parametrize(
    "X",
    [
        np.array([[300, "Fe2O3", 1.5], [400, "NaCl", 2.5], [500, "H2O", 3.5]], dtype=object),
        [[300, "Fe2O3", 1.5], [400, "NaCl", 2.5], [500, "H2O", 3.5]],
        [(300, DICTS[0], 1.5), (400, DICTS[1], 2.5), (500, COMPOSITIONS[2], 3.5)],
    ],
    ids=["array", "lists", "tuples"],
)
def test_tables_without_names(X):
    assert_holds_the_formulas(X)
    table = find_formulas(X)
    assert table.extra.tolist() == [[300, 1.5], [400, 2.5], [500, 3.5]]
    assert (table.formula_position, table.n_columns) == (1, 3)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_two_columns_of_formulas_are_an_error_that_names_them(make):
    X = make({"film": FORMULAS, "T": [1, 2, 3], "substrate": ["Si", "MgO", "Al2O3"]})
    with pytest.raises(ValueError, match="'film', 'substrate' may all hold formulas: keep one"):
        find_formulas(X)
    assert_holds_the_formulas(X[["film", "T"]])


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_a_column_of_other_text_is_an_error_that_names_it(make):
    X = make({"note": ["as grown", "B", "annealed"], "formula": FORMULAS})
    with pytest.raises(ValueError, match=r"'note' holds text that is not a formula .*'as grown'"):
        find_formulas(X)
    X = make({"note": ["as grown", "B", "annealed"], "T": [1, 2, 3]})
    with pytest.raises(
        ValueError, match=r"one column of text, and most .* not formulas: 'note': 'as"
    ):
        find_formulas(X)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_two_columns_of_other_text_are_both_shown(make):
    X = make({"note": ["as grown", "B", "quenched"], "T": [1, 2, 3], "id": ["a1", "b2", "c3"]})
    words = "2 columns of text, and most of it is not formulas: 'note': 'as grown'.*; 'id': 'a1'"
    with pytest.raises(ValueError, match=words):
        find_formulas(X)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_formulas_beside_columns_named_by_elements(make):
    # The names of phases read as formulas: B C C and F C C.
    X = make({"phase": ["BCC", "FCC"], "Fe": [0.5, 0.7], "Ni": [0.5, 0.3]})
    with pytest.raises(ValueError, match=r"in column 'phase' and columns .* \('Fe', 'Ni'\)"):
        find_formulas(X)
    renamed = make({"formula": ["NaCl", "KCl"], "Fe content": [0.5, 0.7], "Ni content": [0.5, 0.3]})
    assert find_formulas(renamed).extra.tolist() == [[0.5, 0.5], [0.7, 0.3]]
    # Pressure and volume are no elements.
    assert find_formulas(make({"f": ["Fe"], "P": [1.0], "V": [2.0]})).extra.tolist() == [[1, 2]]


def test_a_bad_row_does_not_hide_the_column_of_formulas():
    X = pd.DataFrame({"formula": ["Xx", None, *FORMULAS], "T": range(5)})
    table = find_formulas(X)
    assert table.formula_position == 0
    with pytest.raises(FormulaError, match=r"2 of 5 .*\n  row 0: 'Xx'.*\n  row 1: .*missing value"):
        parse_formulas(table.formulas)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_a_column_that_is_known_is_taken_whatever_it_holds(make):
    X = make({"a": [1.0, 2.0]})
    with pytest.raises(FormulaError, match=r"row 0: 1\.0 is of type float"):
        parse_formulas(find_formulas_at(X, 0).formulas)
    assert find_formulas_at(X, None) is None


def test_a_column_that_is_known_is_not_chosen_again():
    X = pd.DataFrame({"T": ["NaCl", "KCl"], "formula": [1.0, 2.0]})
    assert find_formulas_at(X, None).formulas == find_formulas(X).formulas == ["NaCl", "KCl"]
    with pytest.raises(ValueError, match="'T' beside the formulas must be numeric: row 0"):
        find_formulas_at(X, 1)
    # Where X has fewer columns, what is wrong is their number.
    assert find_formulas_at(X, 2).formula_position == 0


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.0, 2.0, None, np.nan]),
        pd.Series([1.0, 2.0, np.inf, -np.inf], dtype=np.float32),
        pd.Series([1, 2, None, None], dtype="Int64"),
        pd.Series([True, False, None, None], dtype="boolean"),
        pd.Series([1.5, 2, None, None], dtype="Float64"),
        pd.Series([1, 2, None, None], dtype="int64[pyarrow]"),
        pd.Series([1, 2.5, None, np.nan], dtype=object),
        pd.Series([1, True, pd.NA, pd.NaT], dtype=object),
        pd.Series([1, 2, 10**400, None], dtype=object),
        pl.Series([1, 2, None, None]),
        pl.Series([1.0, 2, float("nan"), None]),
        pl.Series([True, False, None, None]),
    ],
    ids=kind_of,
)
def test_missing_values_beside_the_formulas(column):
    formulas = [*FORMULAS, "Si"]
    make = pd.DataFrame if isinstance(column, pd.Series) else pl.DataFrame
    with pytest.raises(
        ValueError, match=r"'T' beside .* missing or infinite .* in row 2: .* these 2 rows"
    ):
        find_formulas(make({"formula": formulas, "T": column}))


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.Series(pd.to_datetime(["2020-01-01"] * 3)), "row 0 is Timestamp"),
        (pd.Series(pd.to_timedelta([1, 2, 3])), "row 0 is Timedelta"),
        (pd.Series([1j, 2, 3]), "row 0 is 1j"),
        (pd.Series([1, [2], 3]), r"row 1 is \[2\]"),
        (pl.Series(["2020-01-01"] * 3).str.to_date(), "row 0 is datetime.date"),
    ],
    ids=["datetime", "timedelta", "complex", "list", "polars date"],
)
def test_columns_that_are_not_numeric(column, words):
    make = pd.DataFrame if isinstance(column, pd.Series) else pl.DataFrame
    with pytest.raises(ValueError, match=f"'when' beside the formulas must be numeric: {words}"):
        find_formulas(make({"formula": FORMULAS, "when": column}))


def test_numbers_written_as_text_are_text():
    X = pd.DataFrame({"formula": FORMULAS, "T": ["300", "400", "500"]})
    with pytest.raises(ValueError, match=r"'T' holds numbers as text: .*to_numeric"):
        find_formulas(X)
    with pytest.raises(ValueError, match="'T' beside the formulas must be numeric: row 0 is '300'"):
        find_formulas_at(X, 0)


# What X may not be


@pytest.mark.parametrize("X", ["NaCl", "NO", DICTS[0], COMPOSITIONS[0]])
@pytest.mark.parametrize("function", [find_formulas, read_compositions])
def test_a_single_formula(function, X):
    with pytest.raises(ValueError, match="is a single formula: pass a list"):
        function(X)


@pytest.mark.parametrize(
    "X",
    [set(FORMULAS), (f for f in FORMULAS), iter(FORMULAS), map(str, FORMULAS), {1: "Fe"}.values()],
    ids=["set", "generator", "iterator", "map", "values"],
)
@pytest.mark.parametrize("function", [find_formulas, read_compositions])
def test_what_has_no_rows_to_go_back_to(function, X):
    with pytest.raises(ValueError, match="no order or can be read only once: pass a list"):
        function(X)


@pytest.mark.parametrize(
    "X", [pl.LazyFrame({"Fe": [1.0]}), pa.table({"O": [3.0], "Fe": [2.0]})], ids=["lazy", "arrow"]
)
def test_tables_of_other_libraries(X):
    # Read as a matrix without names, these columns would be hydrogen and helium.
    with pytest.raises(ValueError, match="pass a pandas or polars DataFrame"):
        find_formulas(X)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.array("NaCl"), r"one or two dimensions, got shape \(\)"),
        (np.array([[["NaCl"]]]), r"one or two dimensions, got shape \(1, 1, 1\)"),
        (np.array([b"NaCl"]), "decode"),
        ([["NaCl", 1], ["Fe"]], r"different lengths: \[1, 2\]"),
        ([["NaCl"], None], "row 1 is None"),
        ([["NaCl", "Fe"]], "0, 1 may all hold formulas"),
    ],
)
def test_misshapen_formulas(X, words):
    with pytest.raises(ValueError, match=words):
        find_formulas(X)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([1.0, 2.0], r"numbers of shape \(2,\)"),
        ([], r"numbers of shape \(0,\)"),
        (np.zeros((1, 1, 1)), r"numbers of shape \(1, 1, 1\)"),
        (5, r"numbers of shape \(\)"),
        (None, r"numbers of shape \(\)"),
        ([None, None], r"numbers of shape \(2,\)"),
        (pd.Series([pd.NA], dtype="string"), "neither formulas nor a matrix"),
        ([[1, 2], [3]], "neither formulas nor a matrix"),
        ([[1, None]], "has nan of He"),
        (np.array([[1j]]), "complex"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), "datetime"),
        (sparse.csr_array(np.eye(2)), "neither formulas nor a matrix"),
        (np.array(COMPOSITIONS[:2], dtype=object), "neither formulas nor a matrix"),
        (pd.DataFrame({"Fe": [1.0], "T": [300.0]}), "only the column 'Fe' is an element symbol"),
        (np.array([[1.0], [2.0]]), r"1 feature\(s\)"),
        (pd.DataFrame({"Fe": [1.0], "O": [-1.0]}), "row 0 has -1 of O"),
        (pd.DataFrame({"Fe": [1.0, None]}), "row 1 has nan of Fe"),
    ],
)
def test_misshapen_matrices(X, words):
    assert find_formulas(X) is None
    with pytest.raises(ValueError, match=words):
        read_compositions(X)


@pytest.mark.parametrize(
    "X", ["Fe" * 10**6, [["Fe"], "x" * 10**6], [["Fe", 1], ["Fe", "x" * 10**6]]]
)
def test_messages_about_long_texts_are_short(X):
    with pytest.raises(ValueError, match=r"x|Fe") as caught:
        read_compositions(X)
    assert len(str(caught.value)) < 1000


# Matrices of amounts


@pytest.mark.filterwarnings("ignore::crabsk.composition.TableWarning")
@pytest.mark.parametrize(
    "X",
    [
        np.eye(3),
        np.eye(3, dtype=int),
        np.eye(3, dtype=bool),
        np.eye(3, dtype=object),
        np.eye(3).tolist(),
        list(np.eye(3)),
        pd.DataFrame(np.eye(3)),
        pd.DataFrame(np.eye(3), columns=["H", "He", "Li"]),
        pd.DataFrame(np.eye(3), columns=["a", "b", "c"]),
        pd.DataFrame(np.eye(3, dtype=int), columns=["H", "He", "Li"]).convert_dtypes(),
        pl.DataFrame(np.eye(3), schema=["H", "He", "Li"]),
    ],
    ids=kind_of,
)
def test_matrices_of_amounts(X):
    assert find_formulas(X) is None
    compositions = read_compositions(X)
    assert compositions.atomic_numbers.tolist() == [1, 2, 3]
    assert compositions.lengths.tolist() == [1, 1, 1]


@pytest.mark.parametrize("X", [[1.0, 2.0], np.array([1, 2]), pd.Series([1.0, 2.0]), (1, 2), []])
def test_one_dimensional_numbers_hold_no_formulas(X):
    assert find_formulas(X) is None


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("read", [read_compositions, reduced_formula, chemical_system])
def test_a_row_of_nothing_among_named_elements(read, make):
    with pytest.raises(ValueError, match=r"row 1 has no amount above zero .*1 such rows"):
        read(make({"Na": [1.0, 0.0, 0.0], "Cl": [1.0, 0.0, 2.0]}))


def test_element_columns():
    assert element_columns(["O", "Fe", "H"], 3).tolist() == [8, 26, 1]
    assert element_columns(np.array(["O", "Fe"]), 2).tolist() == [8, 26]
    assert element_columns(["x0", "x1"], 2).tolist() == [1, 2]
    assert element_columns([0, 1], 2).tolist() == [1, 2]
    assert element_columns(None, 118).tolist() == list(range(1, 119))


def test_element_columns_beside_others():
    assert element_columns(["Fe", "T", "O", "D"], 4).tolist() == [26, 0, 8, 0]
    assert element_columns(["Fe", "Ni", *range(200)], 202).tolist() == [26, 28] + [0] * 200
    with pytest.raises(ValueError, match=r"only the column 'Fe' .*, \.\.\. \(200 in all\)"):
        element_columns(["Fe", *range(200)], 201)


def test_element_columns_that_come_twice():
    with pytest.raises(ValueError, match="more than one column is named by the element 'Fe'"):
        element_columns(["Fe", "O", "Fe"], 3)


def test_more_columns_than_elements():
    with pytest.raises(ValueError, match="X has 119 columns, but there are 118 elements"):
        element_columns(None, 119)
    with pytest.raises(ValueError, match="119 columns"):
        read_compositions(np.ones((1, 119)))


def test_a_table_of_bad_formulas_is_told_of_them():
    X = pd.DataFrame({"formula": ["Na+", "Cl-", "K+"], "T": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match=r"one column of text, and most of it.*'formula': 'Na\+'"):
        find_formulas(X)


ITEMS = st.one_of(
    st.sampled_from([*FORMULAS, *DICTS, *COMPOSITIONS, "Fe2O", "", "Xx", None, pd.NA, {}, b"NaCl"]),
    st.text(max_size=5),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.tuples(st.sampled_from(FORMULAS), st.integers()),
)
COLUMNS = [
    st_pandas.column("formula", elements=st.sampled_from([*FORMULAS, "Xx", None]), dtype=object),
    st_pandas.column("T", elements=st.floats()),
    st_pandas.column(8, elements=st.text(max_size=3), dtype=object),
]
FORMS = st.one_of(
    st.lists(ITEMS, max_size=5),
    st.lists(st.lists(ITEMS, max_size=3), max_size=3),
    st.lists(ITEMS, max_size=5).map(tuple),
    st.lists(ITEMS, max_size=5).map(lambda items: pd.Series(items, dtype=object)),
    st.lists(ITEMS, max_size=5).map(column_of),
    st_numpy.arrays(
        st.one_of(st_numpy.scalar_dtypes(), st_numpy.unicode_string_dtypes()),
        st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    st.integers(0, 2).flatmap(lambda k: st_pandas.data_frames(COLUMNS[k:])),
    st.integers(1, 3).flatmap(lambda k: st_pandas.data_frames(COLUMNS[:k])),
    ITEMS,
)


@pytest.mark.filterwarnings("ignore::crabsk.composition.TableWarning")
@settings(deadline=None)
@given(FORMS)
def test_any_form_is_read_or_refused(X):
    """What is read are compositions; everything else is a ValueError that says something."""
    refusal = None
    try:
        compositions = read_compositions(X)
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        assert 20 < len(refusal) < 2000
    else:
        assert len(compositions) == len(X)
        assert (compositions.amounts > 0).all()
        assert np.isfinite(compositions.fractions).all()
