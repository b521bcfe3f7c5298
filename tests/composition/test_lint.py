"""check_formulas: problems, suspicions, suggestions, and dropping rows by it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crabsk.composition import FormulaError, check_formulas, parse_formulas
from crabsk.datasets import load_formation_enthalpy

BAD = ["NaCl", "Xx2O3", None, "TIO2", "Fe2O3"]


def row_of(formula):
    return check_formulas([formula]).iloc[0]


def test_one_row_for_each_row():
    report = check_formulas(BAD)
    assert report.columns.tolist() == [
        "row", "formula", "problem", "kind", "suspicion", "suggestion",
    ]  # fmt: skip
    assert report["row"].tolist() == [0, 1, 2, 3, 4]
    assert report["formula"].tolist() == BAD
    assert report["problem"].isna().tolist() == [True, False, False, False, True]
    assert report["kind"].tolist() == [
        None, "unknown_element", "missing", "hydrogen_isotope", None,
    ]  # fmt: skip
    assert report["suggestion"].tolist() == [None, None, None, "TiO2", None]
    assert report.loc[0, "problem"] is None


def test_problems_are_what_the_reader_refuses():
    report = check_formulas(BAD)
    with pytest.raises(FormulaError) as caught:
        parse_formulas(BAD)
    assert report.index[report["problem"].notna()].tolist() == list(caught.value.rows)
    for row in caught.value.rows:
        assert f"row {row}: {report.loc[row, 'problem']}" in str(caught.value)


def test_rows_are_dropped_by_a_mask_also_where_labels_repeat():
    X = pd.DataFrame({"formula": BAD, "T": range(5)}, index=[7, 7, 7, 3, 7])
    report = check_formulas(X)
    assert report.index.equals(X.index)
    readable = X.loc[report["problem"].isna().to_numpy()]
    assert readable["formula"].tolist() == ["NaCl", "Fe2O3"]
    assert readable["T"].tolist() == [0, 4]


@pytest.mark.parametrize(
    "X",
    [
        BAD,
        tuple(BAD),
        np.array(BAD, dtype=object),
        np.array(BAD, dtype=object).reshape(-1, 1),
        pd.Series(BAD),
        pd.DataFrame({"formula": BAD}),
        pl.Series(BAD),
        pl.DataFrame({"T": range(5), "formula": BAD}),
    ],
    ids=lambda X: type(X).__module__.split(".")[0] + type(X).__name__,
)
def test_forms_of_X(X):
    assert check_formulas(X)["kind"].fillna("").tolist() == [
        "", "unknown_element", "missing", "hydrogen_isotope", "",
    ]  # fmt: skip


def test_a_raw_table_with_other_text():
    X = pd.DataFrame({"sample": ["as cast", "rolled"], "formula": ["NaCl", "Fe2O3"], "T": [1, 2]})
    assert check_formulas(X)["formula"].tolist() == ["NaCl", "Fe2O3"]
    # All formulas may be bad, if the column is named or the only one of text.
    X["formula"] = ["Fe3+", "Na+"]
    assert check_formulas(X[["formula", "T"]])["kind"].tolist() == ["charge", "charge"]
    assert check_formulas(X, formula_column="formula")["kind"].tolist() == ["charge", "charge"]
    # The name tells which it is; S1 is sulphur.
    X["sample"] = ["S1", "S2"]
    assert check_formulas(X)["kind"].tolist() == ["charge", "charge"]
    with pytest.raises(ValueError, match="Name one as formula_column=: 'sample', 'what'"):
        check_formulas(X.rename(columns={"formula": "what"}).assign(what=["NaCl", "KCl"]))
    with pytest.raises(ValueError, match="names 0 columns of X"):
        check_formulas(X, formula_column="composition")


@pytest.mark.parametrize("X", [np.eye(3), [1.0, 2.0]])
def test_numbers_hold_no_formulas(X):
    with pytest.raises(ValueError, match="X holds no formulas"):
        check_formulas(X)


@pytest.mark.parametrize("X", [[], [None, None], pd.Series([None, float("nan")], dtype=object)])
def test_nothing_but_missing_formulas(X):
    assert check_formulas(X)["kind"].tolist() == ["missing"] * len(X)


def test_columns_of_mappings():
    X = pd.DataFrame({"f": [{"Fe": 1}, {"Xx": 1}], "id": ["a1", "b2"], "T": [1, 2]})
    assert check_formulas(X)["kind"].tolist() == [None, "unknown_element"]


def test_a_single_formula_is_refused():
    with pytest.raises(ValueError, match="single formula"):
        check_formulas("NaCl")


def test_mappings_are_checked():
    report = check_formulas([{"Fe": 1}, {"Xx": 1}, {"Fe": -1}])
    assert report["kind"].tolist() == [None, "unknown_element", "amount"]


@pytest.mark.parametrize(
    ("formula", "kind", "suggestion"),
    [
        # the letter O typed as zero, a point lost
        ("YBa2Cu307", "outlying_amount", "YBa2Cu3O7"),
        ("Li7La3Zr2O120", "outlying_amount", "Li7La3Zr2O1.20"),
        ("NB205", "outlying_amount", "Nb2O5"),
        ("Y1Ba2Cu3O6050", "outlying_amount", "Y1Ba2Cu3O6.050"),
        ("La2Cu104", "outlying_amount", "La2Cu1O4"),
        ("Bi2Sr2Ca1Cu2O8150", "outlying_amount", "Bi2Sr2Ca1Cu2O8.150"),
        ("Fe203", "zero_for_oxygen", "Fe2O3"),
        ("Fe200", "outlying_amount", None),
        # capitals
        ("MnSI1.75", "upper_case", "MnSi1.75"),
        ("SNO2", "upper_case", "SnO2"),
        ("LINbO3", "unknown_element", "LiNbO3"),
        ("LaNIO3", "upper_case", "LaNiO3"),
        ("PBTe", "upper_case", "PbTe"),
        ("LaCOO3", "upper_case", "LaCoO3"),
        ("CO3O4", "upper_case", "Co3O4"),
        ("COFe2O4", "upper_case", "CoFe2O4"),
        ("HFO2", "upper_case", "HfO2"),
        ("NICO2O4", "upper_case", "NiCo2O4"),
        # the letter l
        ("NaCI", "chlorine", "NaCl"),
        ("CaC12", "chlorine", "CaCl2"),
        ("LiC1O4", "chlorine", "LiClO4"),
        # zeros
        ("H20", "zero_for_oxygen", "H2O"),
        ("MgSO4·7H20", "zero_for_oxygen", "MgSO4·7H2O"),
        ("CuSO4.5H20", "zero_for_oxygen", "CuSO4·5H2O"),
        ("Na0H", "zero_for_oxygen", "NaOH"),
        ("Bi0Cl", "zero_for_oxygen", "BiOCl"),
        ("Na20", "zero_for_oxygen", "Na2O"),
        # alloys in percent by weight, shares
        ("Ti6Al4V", "alloy_name", None),
        ("AlSi10Mg", "alloy_name", None),
        ("0.7Li2S-0.2P2S5", "shares", None),
        # too many atoms of a non-metal
        ("CS30", "non_metal_count", None),
        ("TiO45", "non_metal_count", None),
        ("Li2F30", "non_metal_count", None),
        # names of phases
        ("TiO2(B)", "phase_label", "TiO2"),
        ("TiO2 B", "phase_label", "TiO2"),
        ("VO2 (B)", "phase_label", "VO2"),
        ("SiC(4H)", "phase_label", "SiC"),
        ("MoS2(2H)", "phase_label", "MoS2"),
        ("Fe(BCC)", "phase_label", "Fe"),
    ],
)
def test_suspicions(formula, kind, suggestion):
    row = row_of(formula)
    assert (row["kind"], row["suggestion"]) == (kind, suggestion)
    assert row["suspicion" if row["problem"] is None else "problem"]


@pytest.mark.parametrize(
    "formula",
    [
        "KNO3", "CaCO3", "H3PO4", "KSCN", "Ca(HCOO)2", "Al2(SO4)3·18H2O", "C60",
        "Na8Al23Si23", "Al100Ca0",
        "Co Cr Fe", "Al0.25 Co Fe Ni", "Fe0.95C0.0001", "Al99.9Fe0.1", "(FeCo)", "Ba8Ga16Ge30",
        "CoO", "YB66", "COS", "COCl2", "HCOONa", "Co3O4", "Mg2(OH)3Cl", "0.7Li2S-0.3P2S5",
        "Fe0Ni100", "BN", "HfO2", "Na2SO4·10H2O", "CH4",
    ],
)  # fmt: skip
def test_nothing_to_suspect(formula):
    row = row_of(formula)
    assert row[["problem", "kind", "suspicion", "suggestion"]].isna().all()


@pytest.mark.parametrize(
    ("formula", "suggestion"),
    [
        ("CuSO4.5H2O", "CuSO4·5H2O"),
        ("Al2O3.2SiO2", "Al2O3·2SiO2"),
        ("Li2S-P2S5", None),
        ("Bi 2 Sr 2 CuO 6", "Bi2Sr2CuO6"),
        ("LiHf2(P04)3", "LiHf2(PO4)3"),
        ("fe2o3", "Fe2O3"),
        ("Fe2O3(s)", "Fe2O3"),
        ("PbTe NCs", "PbTe"),
        ("2Fe2O3", None),
        ("Zn(CH3COO)2.2H2O", "Zn(CH3COO)2·2H2O"),
        ("K2O.3Al2O3.6SiO2", "K2O·3Al2O3·6SiO2"),
        ("AL203", "Al2O3"),
        ("La0.7SrO.3MnO3", "La0.7Sr0.3MnO3"),
        ("ND4Cl", None),
        ("NA", None),
        ("co2", None),
        ("4H-SiC", None),
        ("TiO2-P25", None),
        ("V2O5.nH2O", None),
        ("NMC811", None),
        ("La1-xSrxMnO3", None),
        ("Fe3+", None),
        ("Xx2O3", None),
    ],
)
def test_suggestions_for_problems(formula, suggestion):
    row = row_of(formula)
    assert row["problem"]
    assert row["suggestion"] == suggestion


@settings(deadline=None)
@given(st.lists(st.one_of(st.text("FeONaBSiTD0123.5()-· ", max_size=10), st.none()), min_size=1))
def test_any_texts_are_checked_and_suggestions_can_be_read(texts):
    report = check_formulas(np.array([*texts, "Fe"], dtype=object))
    assert len(report) == len(texts) + 1
    for suggestion in report["suggestion"].dropna():
        parse_formulas([suggestion])
    readable = report.loc[report["problem"].isna(), "formula"].tolist()
    parse_formulas(readable)
    # A row has a problem or a suspicion, and then a kind.
    assert (report["problem"].isna() | report["suspicion"].isna()).all()
    found = report["problem"].notna() | report["suspicion"].notna()
    assert (report["kind"].notna() == found).all()


def test_bundled_data_are_clean():
    report = check_formulas(load_formation_enthalpy().data)
    assert report["problem"].isna().all()
    assert report["suspicion"].notna().mean() < 0.002
