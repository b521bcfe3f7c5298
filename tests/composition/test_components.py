"""Tables of components, weight percent and alloy names: what they mean, and what is refused."""

import re
import warnings
from collections import deque
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Element

from crabsk.composition import (
    ELEMENTS,
    FormulaError,
    compositions_from_components,
    from_weight_percent,
    parse_formulas,
    read_compositions,
    reduced_formula,
)
from crabsk.composition._atomic_weights import ATOMIC_WEIGHTS

GLASSES = {"SiO2": [70.0, 75.0], "Na2O": [20.0, 15.0], "CaO": [10.0, 10.0]}
STEELS = {"Fe": [98.0, 71.0], "C": [2.0, 0.0], "Cr": [0.0, 18.0], "Ni": [0.0, 11.0]}
WEIGHT = dict(zip(ELEMENTS, ATOMIC_WEIGHTS, strict=True))

STANDARD = [s for s, weight in WEIGHT.items() if not weight.is_integer()]
"""Elements that have a standard atomic weight."""


def refusal(call, *args, **kwargs):
    with pytest.raises(ValueError, match=r"\w") as caught:
        call(*args, **kwargs)
    return str(caught.value)


def about(item, **options):
    """Return what is said of one item of a list, without the lines in front."""
    with pytest.raises(FormulaError) as caught:
        from_weight_percent(["Ti-6Al-4V", item], **options)
    assert caught.value.rows == (1,)
    head, _, text = str(caught.value).partition("\n  row 1: ")
    assert head == "1 of 2 formulas cannot be read:"
    return text


# Atomic weights

# pymatgen has values of about 2007. IUPAC has revised zinc since, and counts other isotopes as the
# longest-lived.
REVISED = {"Zn", "Tc", "Po", "Rn", "Hs", "Mt", "Fl"}


@pytest.mark.parametrize("symbol", ELEMENTS)
def test_atomic_weights_are_those_of_pymatgen(symbol):
    tolerance = 0.011 if symbol in REVISED else 2e-4
    assert WEIGHT[symbol] == pytest.approx(float(Element(symbol).atomic_mass), rel=tolerance)


def test_atomic_weights():
    assert len(ATOMIC_WEIGHTS) == 118
    assert {s: WEIGHT[s] for s in ("H", "C", "Ar", "Fe", "Zn", "Pb", "U")} == {
        "H": 1.008,
        "C": 12.011,
        "Ar": 39.95,
        "Fe": 55.845,
        "Zn": 65.38,
        "Pb": 207.2,
        "U": 238.03,
    }
    assert len(STANDARD) == 84
    assert WEIGHT["Tc"] == 97


# Right values


def test_mole_percent_of_oxides():
    table = compositions_from_components(pd.DataFrame(GLASSES), unit="mol%")
    assert table.columns.tolist() == ["Si", "O", "Na", "Ca"]
    assert table.to_numpy().tolist() == [[70, 170, 40, 10], [75, 175, 30, 10]]
    assert (table.dtypes == np.float64).all()


def test_weight_percent_of_oxides():
    glass = pd.DataFrame({"SiO2": [73.0], "Na2O": [14.0], "CaO": [9.0], "MgO": [4.0]})
    (amounts,) = compositions_from_components(glass, unit="wt%").to_dict("records")
    # Moles per 100 g: 73 / 60.083 of SiO2, 14 / 61.979 of Na2O and so on.
    assert amounts == pytest.approx(
        {"Si": 1.214986, "O": 2.915594, "Na": 0.451766, "Ca": 0.160494, "Mg": 0.099246}, abs=2e-6
    )
    (percent,) = from_weight_percent(glass).to_dict("records")
    assert percent == pytest.approx(
        {"Si": 25.0922, "O": 60.2136, "Na": 9.3300, "Ca": 3.3146, "Mg": 2.0496}, abs=1e-4
    )


def test_atomic_percent_of_elements():
    table = compositions_from_components(pd.DataFrame(STEELS), unit="mol%")
    assert table.columns.tolist() == ["Fe", "C", "Cr", "Ni"]
    assert table.to_numpy().tolist() == pd.DataFrame(STEELS).to_numpy().tolist()


def test_weight_percent_of_elements():
    table = compositions_from_components(pd.DataFrame(STEELS), unit="wt%")
    assert table["Fe"].tolist() == pytest.approx([98 / 55.845, 71 / 55.845])
    assert table["C"].tolist() == pytest.approx([2 / 12.011, 0])


def test_components_of_the_same_element_are_added():
    table = compositions_from_components(
        pd.DataFrame({"FeO": [50.0], "Fe2O3": [30.0], "Fe": [20.0]}), unit="mol%"
    )
    assert table.to_dict("records") == [{"Fe": 130.0, "O": 140.0}]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ti-6Al-4V", {"Ti": 86.2046, "Al": 10.1953, "V": 3.6000}),
        ("Fe-18Cr-8Ni", {"Fe": 73.3078, "Cr": 19.1516, "Ni": 7.5406}),
        ("Al-4.5Cu-1.5Mg", {"Al": 96.3352, "Cu": 1.9582, "Mg": 1.7066}),
        (
            "Ti-6Al-2Sn-4Zr-2Mo",
            {"Ti": 85.5319, "Al": 10.5863, "Sn": 0.8021, "Zr": 2.0875, "Mo": 0.9923},
        ),
        ("Sn-3.0Ag-.5Cu", {"Sn": 95.7954, "Ag": 3.2774, "Cu": 0.9272}),
        ("18Cr-8Ni-Fe", {"Fe": 73.3078, "Cr": 19.1516, "Ni": 7.5406}),
        ("W", {"W": 100.0}),
    ],
)
def test_alloy_names(name, expected):
    (percent,) = from_weight_percent([name])
    assert percent == pytest.approx(expected, abs=1e-4)
    assert sum(percent.values()) == pytest.approx(100)
    assert next(iter(percent)) == next(iter(expected))


@pytest.mark.parametrize(
    "name",
    [
        "Ti–6Al–4V",
        "Ti—6Al—4V",
        "Ti‐6Al‑4V",
        "Ti−6Al−4V",
        " Ti - 6Al - 4V ",
        "Ti-6 Al-4 V",
        "Ti-6%Al-4%V",
        "Ti-6wt%Al-4 wt.% V",
        "Ti-6Al-4V (wt%)",
        "Ti-6Al-4V wt.%",
        "Ti-6.0Al-4.00V",
    ],
)
def test_spellings_of_alloy_names(name):
    assert from_weight_percent([name]) == from_weight_percent(["Ti-6Al-4V"])


def test_mappings_and_names_agree():
    mapping = {"Ti": 90, "Al": 6.0, "V": Decimal("4")}
    from_mapping, from_name, from_balance = (
        *from_weight_percent([mapping, "Ti-6Al-4V"]),
        *from_weight_percent([{"Al": 6, "V": 4}], balance="Ti"),
    )
    assert from_mapping == pytest.approx(from_name, rel=1e-12)
    assert from_balance == pytest.approx(from_name, rel=1e-12)


def test_mappings_may_hold_compounds_and_units():
    (percent,) = from_weight_percent([{"SiO2 (wt%)": 60.0, "CaO": 40.0, "MgO": 0}])
    table = from_weight_percent(pd.DataFrame({"SiO2": [60.0], "CaO": [40.0]}))
    assert percent == pytest.approx(table.to_dict("records")[0], rel=1e-12)


def test_mappings_of_pymatgen():
    composition = Composition("Fe2O3")
    weights = {element: 100 * composition.get_wt_fraction(element) for element in composition}
    (percent,) = from_weight_percent([weights])
    assert percent == pytest.approx({"Fe": 40, "O": 60}, abs=1e-2)


def test_fractions_are_as_good_as_percent():
    percent, fractions = from_weight_percent([{"Fe": 98, "C": 2}, {"Fe": 0.98, "C": 0.02}])
    assert percent == pytest.approx(fractions, rel=1e-12)


WEIGHTS = st.dictionaries(
    st.sampled_from(STANDARD), st.floats(0.01, 100), min_size=1, max_size=8
).map(lambda amounts: {s: 100 * a / sum(amounts.values()) for s, a in amounts.items()})


@settings(deadline=None)
@given(WEIGHTS)
def test_weights_convert_as_in_pymatgen(weights):
    expected = Composition.from_weight_dict(weights)
    for percent in (
        from_weight_percent([weights])[0],
        from_weight_percent(pd.DataFrame([weights])).to_dict("records")[0],
    ):
        assert sum(percent.values()) == pytest.approx(100, rel=1e-12)
        for symbol, value in percent.items():
            assert value == pytest.approx(100 * expected.get_atomic_fraction(symbol), rel=2e-3)


@settings(deadline=None)
@given(WEIGHTS)
def test_round_trip(atomic):
    """Atomic percent, turned into weight percent by hand, comes back."""
    weights = {s: a * WEIGHT[s] for s, a in atomic.items()}
    total = sum(weights.values())
    weights = {s: 100 * w / total for s, w in weights.items()}
    assert from_weight_percent([weights])[0] == pytest.approx(atomic, rel=1e-9)
    table = pd.DataFrame([weights])
    assert from_weight_percent(table).to_dict("records")[0] == pytest.approx(atomic, rel=1e-9)
    moles = compositions_from_components(table, unit="wt%").iloc[0]
    assert (moles / moles.sum() * 100).to_dict() == pytest.approx(atomic, rel=1e-9)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["SiO2", "Na2O", "CaO", "Al2O3", "Ca(OH)2", "Fe", "CaSO4·2H2O", "TiC"]),
        st.floats(0.5, 100),
        min_size=1,
    ).map(lambda amounts: {s: 100 * a / sum(amounts.values()) for s, a in amounts.items()})
)
def test_mole_and_weight_percent_of_the_same_glass(moles):
    masses = {}
    for formula, n in moles.items():
        read = parse_formulas([formula])
        weights = np.array(ATOMIC_WEIGHTS)[read.atomic_numbers - 1]
        masses[formula] = n * (weights * read.amounts).sum()
    total = sum(masses.values())
    weights = {formula: 100 * mass / total for formula, mass in masses.items()}
    by_mole = compositions_from_components(pd.DataFrame([moles]), unit="mol%")
    by_weight = compositions_from_components(pd.DataFrame([weights]), unit="wt%")
    assert by_mole.columns.tolist() == by_weight.columns.tolist()
    np.testing.assert_allclose(by_weight * total / 100, by_mole, rtol=1e-9)


# Forms


def test_the_index_is_kept():
    table = pd.DataFrame(GLASSES, index=pd.Index(["a", "a"], name="sample"))
    before = table.copy(deep=True)
    for result in (
        compositions_from_components(table, unit="mol%"),
        compositions_from_components(table, unit="wt%", balance="MgO"),
        from_weight_percent(table),
    ):
        pd.testing.assert_index_equal(result.index, table.index)
    pd.testing.assert_frame_equal(table, before)
    series = pd.Series(["W", {"Fe": 100}], index=[7, 7], name="alloy")
    result = from_weight_percent(series)
    pd.testing.assert_index_equal(result.index, series.index)
    assert result.name == "alloy"
    assert result.tolist() == [{"W": 100.0}, {"Fe": 100.0}]


@pytest.mark.parametrize(
    "make",
    [
        pd.DataFrame,
        lambda data: pd.DataFrame(data, dtype=np.float32),
        lambda data: pd.DataFrame(data).astype(int),
        lambda data: pd.DataFrame(data).convert_dtypes(),
        lambda data: pd.DataFrame(data).convert_dtypes(dtype_backend="pyarrow"),
        lambda data: pd.DataFrame(data).astype(object),
        lambda data: pd.DataFrame(data).map(Decimal),
        lambda data: pd.DataFrame(data, columns=pd.Index(list(data), dtype=object)),
        pl.DataFrame,
        lambda data: pl.DataFrame(data).cast(pl.Int8),
        lambda data: pl.DataFrame(data).cast(pl.Decimal(6, 2)),
    ],
)
def test_kinds_of_tables(make):
    expected = compositions_from_components(pd.DataFrame(GLASSES), unit="mol%")
    result = compositions_from_components(make(GLASSES), unit="mol%")
    pd.testing.assert_frame_equal(result, expected)
    assert isinstance(result.index, pd.RangeIndex)
    pd.testing.assert_frame_equal(
        from_weight_percent(make(GLASSES)), from_weight_percent(pd.DataFrame(GLASSES))
    )


def test_a_table_without_rows():
    table = pd.DataFrame({"SiO2": [], "CaO": []}, dtype=float)
    for result in (
        compositions_from_components(table, unit="mol%", balance="Na2O"),
        from_weight_percent(table, balance="Na2O"),
    ):
        assert result.shape == (0, 4)
        assert result.columns.tolist() == ["Si", "O", "Ca", "Na"]
    assert from_weight_percent([]) == []


@pytest.mark.parametrize(
    "X",
    [
        ["Ti-6Al-4V", "W"],
        ("Ti-6Al-4V", "W"),
        deque(["Ti-6Al-4V", "W"]),
        np.array(["Ti-6Al-4V", "W"]),
        np.array(["Ti-6Al-4V", "W"], dtype=object),
        np.array(["Ti-6Al-4V", "W"], dtype=np.dtypes.StringDType()),
        pd.Index(["Ti-6Al-4V", "W"]),
        pd.array(["Ti-6Al-4V", "W"], dtype="string"),
    ],
    ids=lambda X: type(X).__name__,
)
def test_sequences_give_lists(X):
    result = from_weight_percent(X)
    assert isinstance(result, list)
    assert result == from_weight_percent(["Ti-6Al-4V", "W"])


@pytest.mark.parametrize(
    "X",
    [
        pd.Series(["Ti-6Al-4V", "W"]),
        pd.Series(["Ti-6Al-4V", "W"], dtype="string"),
        pd.Series(["Ti-6Al-4V", "W"], dtype="category"),
        pl.Series(["Ti-6Al-4V", "W"]),
        pl.Series(["Ti-6Al-4V", {"W": 100}], dtype=pl.Object),
    ],
    ids=lambda X: f"{type(X).__module__[:6]} {X.dtype}",
)
def test_series_give_series(X):
    result = from_weight_percent(X)
    assert isinstance(result, pd.Series)
    assert result.index.tolist() == [0, 1]
    assert result.tolist() == from_weight_percent(["Ti-6Al-4V", "W"])


def test_equal_rows_stay_equal():
    values = np.random.default_rng(0).dirichlet(np.ones(5), 7) * 100
    table = pd.DataFrame(np.tile(values, (50, 1)), columns=["SiO2", "Na2O", "CaO", "MgO", "B2O3"])
    for result in (compositions_from_components(table, unit="wt%"), from_weight_percent(table)):
        assert len(np.unique(result.to_numpy(), axis=0)) == 7


def test_results_are_read_by_everything_else():
    table = compositions_from_components(pd.DataFrame(GLASSES), unit="mol%")
    assert (
        reduced_formula(table).tolist()
        == reduced_formula(["Si7O17Na4Ca", "Si15O35Na6Ca2"]).tolist()
    )
    read = read_compositions(table)
    expected = parse_formulas(["Si70O170Na40Ca10", "Si75O175Na30Ca10"])
    np.testing.assert_array_equal(read.atomic_numbers, expected.atomic_numbers)
    np.testing.assert_array_equal(read.amounts, expected.amounts)

    steels = pd.DataFrame({"Cr": [18.0, 0.0], "Ni": [8.0, 9.0]})
    as_table = from_weight_percent(steels, balance="Fe")
    as_dicts = from_weight_percent(["Fe-18Cr-8Ni", "Fe-9Ni"])
    np.testing.assert_allclose(
        read_compositions(as_table).amounts, parse_formulas(as_dicts).amounts, rtol=1e-12
    )
    assert read_compositions(as_table).lengths.tolist() == [3, 2]

    beside = pd.concat([pd.Series(reduced_formula(table)), pd.Series([900, 950])], axis=1)
    assert len(read_compositions(beside)) == 2


# Names of columns


@pytest.mark.parametrize(
    "name",
    """SiO2 (wt%)|SiO2 wt%|SiO2_wt%|SiO2 [wt.%]|SiO2 (wt. %)|SiO2 wt.-%|SiO2 (mass%)|SiO2 mass-%
    SiO2 {wt%}|SiO2(wt%)|SiO2wt%|SiO2, wt%|SiO2/wt%|SiO2: wt %|SiO2 in wt%|SiO2 (in wt.%)|SiO2-wt%
    SiO2 weight percent|SiO2_weight_percent|SiO2 (weight %)|SiO2 (Wt%)|SiO2 WT%|SiO2_wt_pct|SiO2_wt
    SiO2 (wt)|SiO2 (w%)|SiO2 m%|SiO2 Gew.-%|SiO2 (Ma.-%)|SiO2 (weight per cent)|wt% SiO2|wt.%SiO2
    (wt%) SiO2|mass% SiO2|SiO2 (mass fraction)|  SiO2 (wt%) """.replace("\n", "|").split("|"),
)
def test_names_that_carry_weight_percent(name):
    name = name.strip() if "  SiO2" not in name else name
    table = pd.DataFrame({name: [60.0], "CaO": [40.0]})
    expected = compositions_from_components(
        pd.DataFrame({"SiO2": [60.0], "CaO": [40.0]}), unit="wt%"
    )
    pd.testing.assert_frame_equal(compositions_from_components(table, unit="wt%"), expected)
    assert repr(name) in refusal(compositions_from_components, table, unit="mol%")


@pytest.mark.parametrize(
    "name",
    """Fe (at%)|Fe at%|Fe_at%|Fe [at.%]|Fe (at. %)|Feat%|Fe atomic percent|Fe atom%|Fe (At.-%)
    Fe (mol%)|Fe mole %|Fe mol.%|Fe_mol_pct|Fe_mol|Fe molar fraction|Fe (mole percent)|at% Fe
    Fe (MOL%)|Fe Mol-%""".replace("\n", "|").split("|"),
)
def test_names_that_carry_mole_percent(name):
    table = pd.DataFrame({name.strip(): [60.0], "Ni": [40.0]})
    result = compositions_from_components(table, unit="mol%")
    assert result.to_dict("records") == [{"Fe": 60.0, "Ni": 40.0}]
    message = refusal(compositions_from_components, table, unit="wt%")
    assert f"say mol% or at%: {name.strip()!r}" in message
    assert "read as wt%" in refusal(from_weight_percent, table)


@pytest.mark.parametrize("unit", ["mol%", "wt%"])
@pytest.mark.parametrize(
    "name", ["Sm%", "Sm %", "Sm (%)", "Sm [%]", "Sm_%", "%Sm", "% Sm", "Sm pct"]
)
def test_percent_without_a_word_goes_with_both_units(name, unit):
    # And it is samarium, not sulphur in m%.
    table = pd.DataFrame({name: [100.0]})
    assert compositions_from_components(table, unit=unit).columns.tolist() == ["Sm"]


@pytest.mark.parametrize("name", ["Ca(OH)2", "K4[Fe(CN)6]", "CaSO4·2H2O", "At", "Mo", "WC", "BN"])
def test_formulas_that_end_like_units(name):
    table = compositions_from_components(pd.DataFrame({name: [100.0]}), unit="mol%")
    np.testing.assert_allclose(
        np.sort(table.to_numpy()[0]), 100 * np.sort(parse_formulas([name]).amounts)
    )


@pytest.mark.parametrize("unit", ["at%", "wt", "mol", "%", None, "weight"])
def test_unknown_units(unit):
    with pytest.raises(ValueError, match=r"unit=.* is not one of 'mol%', 'wt%'"):
        compositions_from_components(pd.DataFrame(GLASSES), unit=unit)


def test_the_unit_has_no_default():
    with pytest.raises(TypeError, match="unit"):
        compositions_from_components(pd.DataFrame(GLASSES))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_columns_that_are_no_components(make):
    table = make({"SiO2": [70.0], "T_liq": [900.0], "CaO": [30.0], "density": [2.5]})
    message = refusal(compositions_from_components, table, unit="mol%")
    assert message.startswith("2 of 4 columns are not named by a component: 'T_liq', 'density'.")
    assert "df[['SiO2', 'CaO']]" in message
    assert "rename" not in message


def test_many_columns_that_are_no_components():
    table = pd.DataFrame({f"x{i}": [1.0] for i in range(200)})
    message = refusal(compositions_from_components, table, unit="mol%")
    assert message.startswith("200 of 200 columns")
    assert "'x4', ... (200 in all)" in message
    assert "'x5'" not in message
    assert "df[[...]]" in message
    table = pd.DataFrame({**{s: [1.0] for s in ELEMENTS}, "y" * 10**6: [1.0]})
    message = refusal(compositions_from_components, table, unit="mol%")
    assert "df[['H', 'He', 'Li', 'Be', 'B', ...]]" in message
    assert len(message) < 1000


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("D2O", "D would be an isotope"),
        ("HV", "Vickers hardness?"),
        ("No", "a running number?"),
        ("Ra", "surface roughness?"),
        ("B (ppm)", "convert parts per million"),
        ("N_wppm", "convert parts per million"),
        (0, "not text"),
        (("a", "b"), "not text"),
        ("NO", "a running number?"),
        ("CO", "Co? If not, write 'C1O'"),
        ("SI (wt%)", "Si? If not, write 'S1I'"),
        ("SIO2", "SiO2? If not, write 'S1IO2'"),
        ("NB2O5", "Nb2O5? If not, write 'N1B2O5'"),
    ],
)
def test_names_that_would_be_misread(name, words):
    table = pd.DataFrame([[50.0, 50.0]])
    table.columns = pd.Index(["Fe", name], dtype=object, tupleize_cols=False)
    message = refusal(compositions_from_components, table, unit="wt%")
    assert f"1 of 2 columns are not named by a component: {name!r} ({words}" in message


def test_what_they_may_be_called_instead():
    for name, symbols in {
        "No (wt%)": ["No"],
        "YS mol%": ["Y", "S"],
        "C1O": ["C", "O"],
        "S1IO2": ["S", "I", "O"],
    }.items():
        unit = "wt%" if "wt" in name else "mol%"
        table = compositions_from_components(pd.DataFrame({name: [100.0]}), unit=unit)
        assert table.columns.tolist() == symbols


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["c", "mn", "si"], "df.rename(columns=str.capitalize)"),
        (["C", "MN", "SI"], "df.rename(columns=str.capitalize)"),
        (["c (wt%)", "mn (wt%)"], "df.rename(columns=str.capitalize)"),
        (["SiO2", "fe"], "df.rename(columns={'fe': 'Fe'})"),
        (["SiO2", "fe_wt%"], "df.rename(columns={'fe_wt%': 'Fe_wt%'})"),
    ],
)
def test_symbols_in_the_wrong_case(names, words):
    table = pd.DataFrame([np.full(len(names), 100 / len(names))], columns=names)
    message = refusal(compositions_from_components, table, unit="wt%")
    assert words in message
    assert "Select" not in message
    renamed = table.rename(columns=str.capitalize if "str" in words else {names[1]: "Fe"})
    assert len(compositions_from_components(renamed, unit="wt%")) == 1


def test_oxides_in_capitals():
    oxides = ["SiO2", "Al2O3", "CaO", "MgO", "Fe2O3", "Na2O", "PbO", "K2O", "B2O3", "P2O5"]
    table = pd.DataFrame([np.full(10, 10.0)], columns=[name.upper() for name in oxides])
    message = refusal(compositions_from_components, table, unit="wt%")
    assert message.startswith("7 of 10 columns")
    assert "{'SIO2': 'SiO2', 'AL2O3': 'Al2O3', 'CAO': 'CaO', 'MGO': 'MgO', 'FE2O3'" in message
    assert "Select" not in message
    renamed = table.set_axis(oxides, axis=1)
    assert len(compositions_from_components(renamed, unit="wt%")) == 1


def test_other_columns_in_capitals():
    # Nothing is known to be meant: not UTs (with tennessine), Co2 or Ra.
    table = pd.DataFrame([[98.0, 500.0, 2.0, 1.0]], columns=["Fe", "UTS", "co2", "RA"])
    message = refusal(compositions_from_components, table, unit="wt%")
    assert "'UTS', 'co2', 'RA'. Select the columns of components: df[['Fe']]" in message


def test_symbols_in_the_wrong_case_in_polars():
    table = pl.DataFrame({"c": [2.0], "mn": [98.0]})
    message = refusal(compositions_from_components, table, unit="wt%")
    assert "df.rename(str.capitalize)" in message
    assert len(compositions_from_components(table.rename(str.capitalize), unit="wt%")) == 1


@pytest.mark.parametrize(
    "names",
    [["Fe", "Fe (wt%)"], ["SiO2", "SiO₂"], ["CaCO3", "CCaO3"], ["Fe", "Fe"]],
)
def test_components_that_come_twice(names):
    table = pd.DataFrame([[50.0, 50.0]], columns=names)
    message = refusal(compositions_from_components, table, unit="wt%")
    assert f"{names[0]!r} and {names[1]!r} are the same component" in message


def test_a_column_of_alloy_names_is_pointed_on():
    message = refusal(from_weight_percent, pd.DataFrame({"alloy": ["Ti-6Al-4V"]}))
    assert "For a column of alloy names, pass it alone" in message


# Values


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "row 1 has no value for 'Fe (wt%)' (1 missing in all): .* df.fillna(0)"),
        (-0.5, "row 1 has -0.5 of 'Fe (wt%)': .* not negative"),
        (np.inf, "row 1 has inf of 'Fe (wt%)': .* finite"),
    ],
)
@pytest.mark.parametrize("call", [compositions_from_components, from_weight_percent])
def test_values_that_are_no_percents(call, value, words):
    table = pd.DataFrame({"C": [1.0, 2.0, 1.0], "Fe (wt%)": [99.0, value, 99.0]})
    options = {"unit": "wt%"} if call is compositions_from_components else {}
    message = refusal(call, table, **options)
    assert re.match(re.escape(words).replace(r"\.\*", ".*"), message)


def test_what_is_advised_for_missing_values_works():
    table = pd.DataFrame({"C": [1.0, None], "Fe": [99.0, 100.0]})
    assert len(compositions_from_components(table.fillna(0), unit="wt%")) == 2
    table = pl.DataFrame({"C": [1.0, None, float("nan")], "Fe": [99, 100, 100]})
    message = refusal(compositions_from_components, table, unit="wt%")
    assert "row 1 has no value for 'C' (2 missing in all)" in message
    assert "df.fill_nan(0).fill_null(0)" in message
    filled = table.fill_nan(0).fill_null(0)
    assert compositions_from_components(filled, unit="wt%")["C"].tolist()[1:] == [0, 0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["bal.", "bal."], "row 0 is 'bal.' (drop the column and pass balance='Fe')"),
        ([98.0, " Balance "], "row 1 is ' Balance ' (drop the column and pass balance='Fe')"),
        (["<0.1", 1.0], "row 0 is '<0.1' (replace it by a number; pandas.to_numeric"),
        ([True, False], "row 0 is True"),
        ([1j, 2], "row 0 is 1j"),
        ([[1], [2]], "row 0 is [1]"),
        (pd.to_datetime(["2020-01-01"] * 2), "row 0 is Timestamp"),
        (pd.Series(["1", "2"], dtype="category"), "row 0 is '1'"),
    ],
)
def test_columns_that_are_not_numeric(values, words):
    table = pd.DataFrame({"C": [1.0, 2.0], "Fe_wt%": values})
    message = refusal(compositions_from_components, table, unit="wt%")
    assert f"column 'Fe_wt%' must be numeric: {words}" in message


def test_polars_columns_that_are_not_numeric():
    table = pl.DataFrame({"C": [1.0], "Fe": [True]})
    assert "'Fe' must be numeric" in refusal(compositions_from_components, table, unit="wt%")
    table = pl.DataFrame({"C": [1.0], "Fe": ["bal"]})
    assert "balance='Fe'" in refusal(compositions_from_components, table, unit="wt%")


def test_missing_and_huge_numbers_among_objects():
    table = pd.DataFrame({"C": [pd.NA, 1], "Fe": [99, 99]}, dtype=object)
    assert "no value for 'C'" in refusal(compositions_from_components, table, unit="wt%")
    table = pd.DataFrame({"C": [10**400, 1], "Fe": [99, 99]}, dtype=object)
    assert "inf of 'C'" in refusal(compositions_from_components, table, unit="wt%")


@pytest.mark.parametrize("row", [[1e308, 1e308], [5e-324, 0]])
def test_sums_out_of_range(row):
    table = pd.DataFrame([row], columns=["Fe", "C"])
    assert "too large or too small" in refusal(compositions_from_components, table, unit="wt%")


def test_a_row_of_nothing():
    table = pd.DataFrame({"Fe": [100.0, 0.0, 0.0], "C": [0.0, 0.0, 0.0]})
    message = refusal(compositions_from_components, table, unit="wt%")
    assert "row 1 has no component above zero (2 such rows in all)" in message
    pure = from_weight_percent(pd.DataFrame({"C": [0.0, 2.0]}), balance="Fe")
    assert pure.iloc[0].to_dict() == {"C": 0.0, "Fe": 100.0}


@pytest.mark.parametrize("df", [[{"Fe": 100}], np.eye(2), {"Fe": [100]}, None, pl.LazyFrame()])
def test_tables_that_are_no_dataframes(df):
    message = refusal(compositions_from_components, df, unit="wt%")
    assert f"of type {type(df).__name__}: pass a pandas or polars DataFrame" in message


def test_tables_without_columns():
    for table in (pd.DataFrame(index=[0, 1]), pl.DataFrame()):
        assert "no columns" in refusal(compositions_from_components, table, unit="wt%")


# The balance


def test_balance():
    table = pd.DataFrame({"Cr": [18.0, 100.0], "Ni": [8.0, 0.0]}, index=["x", "y"])
    result = compositions_from_components(table, unit="mol%", balance="Fe")
    expected = pd.DataFrame({"Cr": [18.0, 100], "Ni": [8.0, 0], "Fe": [74.0, 0]}, index=["x", "y"])
    pd.testing.assert_frame_equal(result, expected)
    glass = pd.DataFrame({"Na2O": [20.0], "CaO": [10.0]})
    result = compositions_from_components(glass, unit="mol%", balance="SiO2 (mol%)")
    assert result.to_dict("records") == [{"Na": 40, "O": 170, "Ca": 10, "Si": 70}]


def test_the_balance_is_rounded_where_nothing_is_left():
    table = pd.DataFrame({"A": [0.1] * 3, "B": [99.9, 99.9 + 1e-9, 99.9 - 1e-9]})
    table.columns = ["C", "Ni"]
    result = compositions_from_components(table, unit="wt%", balance="Fe")
    assert result["Fe"].tolist() == [0, 0, 0]
    (mapping,) = from_weight_percent([{"C": 0.1, "Ni": 99.9 + 1e-9}], balance="Fe")
    assert set(mapping) == {"C", "Ni"}


@pytest.mark.parametrize("call", [compositions_from_components, from_weight_percent])
def test_sums_above_100_leave_no_balance(call):
    options = {"unit": "wt%"} if call is compositions_from_components else {}
    table = pd.DataFrame({"Cr": [18.0, 99.0, 99.0], "Ni": [8.0, 1.00002, 8.0]})
    message = refusal(call, table, balance="Fe", **options)
    assert "row 1 adds up to 100.00002, which leaves nothing" in message
    assert "(2 such rows in all)" in message


def test_a_balance_that_is_a_column():
    for values in ([98.0], [0.0]):
        table = pd.DataFrame({"C": [2.0], "Fe (wt%)": values})
        message = refusal(compositions_from_components, table, unit="wt%", balance="Fe")
        assert "is a column of the table: drop 'Fe (wt%)'" in message


@pytest.mark.parametrize(
    ("balance", "words"),
    [
        ("iron", "balance='iron' is not a component"),
        ("fe", "balance='fe' is not a component"),
        ("T", "balance='T' is not a component"),
        ("D", "balance='D' is not a component"),
        (26, "balance=26 is not a component"),
        ("Fe (at%)", "is in mol%, the rest in wt%"),
        ("", "is empty"),
    ],
)
def test_balances_that_are_no_components(balance, words):
    table = pd.DataFrame({"C": [2.0]})
    assert words in refusal(compositions_from_components, table, unit="wt%", balance=balance)
    assert words in refusal(from_weight_percent, [{"C": 2.0}], balance=balance)


# Warnings


@pytest.mark.parametrize("total", [98.0, 100.0, 102.0, 0.98, 1.0, 1.02])
def test_sums_that_are_whole(total):
    table = pd.DataFrame({"Fe": [0.9 * total], "C": [0.1 * total]})
    compositions_from_components(table, unit="wt%")
    from_weight_percent(table)
    from_weight_percent(table.to_dict("records"))


@pytest.mark.parametrize("total", [0.5, 0.97, 1.03, 10, 97.9, 102.1, 1000])
def test_sums_that_are_not_whole(total):
    table = pd.DataFrame({"Fe": [90.0, 0.9 * total, 0.9 * total], "C": [10.0] + [0.1 * total] * 2})
    words = rf"2 of 3 rows add up to neither 100 nor 1\. The first is row 1: {total:g}\..*balance"
    for call in (
        lambda: compositions_from_components(table, unit="wt%"),
        lambda: from_weight_percent(table),
        lambda: from_weight_percent(table.to_dict("records")),
    ):
        with pytest.warns(UserWarning, match=words) as caught:
            call()
        assert [w.filename for w in caught] == [__file__]


def test_rows_of_warnings_are_those_of_the_list():
    with pytest.warns(UserWarning, match=r"1 of 2 rows .* row 3: 2"):
        from_weight_percent(["W", "W", {"Fe": 100}, {"C": 2}])


def test_fractions_with_a_balance():
    table = pd.DataFrame({"Cr": [0.18, 0.2], "Ni": [0.08, 0.1]})
    for call in (
        lambda: compositions_from_components(table, unit="wt%", balance="Fe"),
        lambda: from_weight_percent(table, balance="Fe"),
        lambda: from_weight_percent(table.to_dict("records"), balance="Fe"),
    ):
        with pytest.warns(UserWarning, match=r"more than 0\.3 .* fractions") as caught:
            call()
        assert [w.filename for w in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_weight_percent(pd.DataFrame({"Cr": [0.18, 1.1]}), balance="Fe")
        from_weight_percent(pd.DataFrame({"Cr": [0.0]}), balance="Fe")


# Lists


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("AISI 304", "no composition can be read from it .* trade name or grade"),
        ("Inconel 718", "no composition can be read from it .* trade name or grade"),
        ("6061-T6", "no composition can be read"),
        ("C-276", "no composition can be read"),
        ("Ti-6-4", "'6' is not a term such as 6Al"),
        ("Ti-6Al-4V ELI", "'4V ELI' is not a term"),
        ("Ti-6Al4V", "'6Al4V' is not a term"),
        ("Ti--6Al", "'' is not a term"),
        ("Ti-6,5Al", "'6,5Al' is not a term"),
        ("Al2O3-13TiO2", "'Al2O3' is not a term"),
        ("Ti" + "-6Al" * 10**5, "Al comes twice"),
        ("9" * 10**5 + "-Al", "not a term"),
        ("Ti-" + "9" * 10**5 + "Al", "leaves nothing for Ti"),
        ("IN718", "grade or a formula"),
        ("AlSi10Mg", "grade or a formula"),
        ("CoCrFeNi", "grade or a formula"),
        ("60Fe-30Ni", "every element has a number"),
        ("Nd-Fe-B", "the elements Nd, Fe, B have no number"),
        ("Ti-6Al-V", "the elements Ti, V have no number"),
        ("Fe-60Cr-40Ni", "add up to 100, which leaves nothing for Fe"),
        ("Fe-60Cr-41Ni", "add up to 101"),
        ("Ti-6Al-2Al", "Al comes twice"),
        ("Ti-6Al-6Ti", "Ti comes twice"),
        ("Ti-0Al", "an amount of zero"),
        ("Ti-6AL-4V", r"unknown element 'AL' \(write Al\)"),
        ("ti-6Al", r"unknown element 'ti' \(write Ti\)"),
        ("Ti-6Xx", "unknown element 'Xx'$"),
        ("Ti-6T", "unknown element 'T'$"),
        ("Ti-6Al-4V (at%)", "atomic percent, not weight percent"),
        ("", "is empty"),
        ("  ", "is empty"),
        (None, "None is a missing value"),
        (np.nan, "nan is a missing value"),
        (1.5, "of type float: expected a mapping element -> weight percent or an alloy name"),
        (b"Ti", "of type bytes"),
        (["Ti-6Al-4V"], "of type list"),
        ({}, "no element has an amount above zero"),
        ({"Fe": 0}, "no element has an amount above zero"),
        ({"Fe": -1}, "the amount of Fe is negative"),
        ({"Fe": None}, "None, not a number"),
        ({"Fe": np.nan}, "not a finite number"),
        ({"Fe": "98"}, "'98', not a number"),
        ({"Xx": 1}, "'Xx' is not a component such as 'Fe' or 'SiO2'$"),
        ({"fe": 1}, r"'fe' is not a component such as 'Fe' or 'SiO2' \(Fe\?\)"),
        ({26: 1}, "26 is not a component"),
        ({"T": 1}, "'T' is not a component"),
        ({"D2O": 1}, "an isotope"),
        ({"AL": 1}, r"'AL' is not a component such as 'Fe' or 'SiO2' \(Al\?\)"),
        ({"NI": 1}, r"'NI' is not a component .* \(Ni\? If not, write 'N1I'\)"),
        ({"Fe (at%)": 1}, "is not weight percent"),
        ({"Fe": 1e308, "C": 1e308, "Si": 1e308, "H": 1e308, "He": 1e308}, "too large"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_items_that_are_refused(item, words):
    text = about(item)
    assert re.search(words, text)
    assert len(text) < 400


def test_kinds_of_problems():
    def problem(*items):
        with pytest.raises(FormulaError) as caught:
            from_weight_percent(list(items))
        return caught.value.kind, caught.value.suggestion

    assert problem("Ti-6AL-4V", None) == ("unknown_element", "Ti-6Al-4V")
    assert problem("W", None, "Ti-6AL") == ("missing", None)
    assert problem("") == ("empty", None)
    assert problem(1) == ("type", None)
    assert problem({}) == ("nothing", None)
    assert problem({"Fe": -1}) == ("amount", None)
    assert problem("AISI 304") == ("unreadable", None)


def test_many_bad_items():
    with pytest.raises(FormulaError) as caught:
        from_weight_percent(["W", *["AISI 304"] * 7, "Ti", None])
    assert caught.value.rows == (1, 2, 3, 4, 5, 6, 7, 9)
    lines = str(caught.value).splitlines()
    assert lines[0] == "8 of 10 formulas cannot be read:"
    assert len(lines) == 7
    assert lines[-1] == "  ... and 3 more"


def test_balance_of_items():
    options = {"balance": "Ti"}
    assert re.search("its balance is Fe, not", about("Fe-18Cr", **options))
    assert re.search("'Ti' is the balance", about({"Ti": 90, "Al": 10}, **options))
    assert re.search("adds up to 101, which leaves", about({"Al": 101}, **options))
    assert re.search("above zero", about({}, **options))
    assert from_weight_percent([{"Al": 0}], **options) == [{"Ti": 100.0}]
    percents = from_weight_percent(["Ti-6Al-4V", {"Al": 6, "V": 4}], **options)
    assert percents[0] == pytest.approx(percents[1])


@pytest.mark.parametrize("X", ["Ti-6Al-4V", {"Fe": 98, "C": 2}, Composition("Fe2O3")])
def test_a_single_composition(X):
    assert "is a single composition: pass a list" in refusal(from_weight_percent, X)


@pytest.mark.parametrize(
    "X", [{"W"}, iter(["W"]), (x for x in "W"), 5, None, pl.LazyFrame({"Fe": [1]})]
)
def test_what_is_no_sequence(X):
    assert "pass a DataFrame, or a list" in refusal(from_weight_percent, X)


@pytest.mark.parametrize("X", [np.eye(2), np.array([1.0]), np.array([["W"]]), np.array("W")])
def test_arrays_without_names(X):
    assert "whose columns have no names" in refusal(from_weight_percent, X)


# Anything at all

NAMES = st.one_of(
    st.sampled_from(["Fe", "SiO2", "T", "HV", "fe", "Fe (wt%)", "C at%", "%C", "No", "CO"]),
    st.text(max_size=8),
    st.text("FeSiOCat wm%()_-.0123ol", max_size=12),
    st.integers(),
)


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4), st.sampled_from(["mol%", "wt%"]), NAMES)
def test_any_names_are_read_or_refused(names, unit, balance):
    table = pd.DataFrame([np.full(len(names), 50 / len(names))])
    table.columns = pd.Index(names, dtype=object)
    try:
        result = compositions_from_components(table, unit=unit, balance=balance)
    except ValueError as error:
        assert 20 < len(str(error)) < 2000  # noqa: PT017
    else:
        assert set(result.columns) <= set(ELEMENTS)
        assert len(read_compositions(result)) == 1


ITEMS = st.one_of(
    st.sampled_from(["Ti-6Al-4V", "W", "AISI 304", None, pd.NA, {}, {"Fe": 100}, {"SiO2": 100.0}]),
    st.text("TiAlFeV-–0123456789. %wt", max_size=12),
    st.text(max_size=5),
    st.floats(),
    st.dictionaries(NAMES, st.one_of(st.floats(), st.integers(), st.none()), max_size=3),
)


@settings(deadline=None)
@given(st.lists(ITEMS, max_size=4))
def test_any_items_are_read_or_refused(items):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of sums
            result = from_weight_percent(items)
    except FormulaError as error:
        assert 20 < len(str(error)) < 3000  # noqa: PT017
        assert error.rows  # noqa: PT017
    else:
        assert len(parse_formulas(result)) == len(items)
        assert all(sum(percent.values()) == pytest.approx(100) for percent in result)
