"""What people write that can mean two things: each kind with its right value, or its refusal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crabsk.composition import ELEMENTS, FormulaError, parse_formulas


def amounts_of(formula):
    compositions = parse_formulas([formula])
    symbols = [ELEMENTS[z - 1] for z in compositions.atomic_numbers]
    return dict(zip(symbols, compositions.amounts.tolist(), strict=True))


def refusal_of(formula):
    with pytest.raises(FormulaError) as caught:
        parse_formulas([formula])
    return caught.value


# A point: decimal, or between two compounds


@pytest.mark.parametrize(
    ("formula", "point", "divided"),
    [
        ("3Al2O3.2SiO2", "3.2", "3Al2O3·2SiO2"),
        ("Na2O.Al2O3.6SiO2", "3.6", "Na2O.Al2O3·6SiO2"),
        ("Al2O3.2SiO2", "3.2", "Al2O3·2SiO2"),
        ("2Bi2O3.3GeO2", "3.3", "2Bi2O3·3GeO2"),
        ("3Y2O3.5Al2O3", "3.5", "3Y2O3·5Al2O3"),
        ("AlF3.3NaF", "3.3", "AlF3·3NaF"),
        ("ZnCl2.2NH4Cl", "2.2", "ZnCl2·2NH4Cl"),
        # an element comes again, at other places and depths
        ("K2SO4.2MgSO4", "4.2", "K2SO4·2MgSO4"),
        ("Al2(SO4)3.3Na2SO4", "3.3", "Al2(SO4)3·3Na2SO4"),
        ("Ca3(PO4)2.2CaF2", "2.2", "Ca3(PO4)2·2CaF2"),
        ("Al2O3.2(SiO2)", "3.2", "Al2O3·2(SiO2)"),
        ("[Al2O3.2SiO2]2", "3.2", "[Al2O3·2SiO2]2"),
        ("La2O3.2SiO2.5", "3.2", "La2O3·2SiO2.5"),
        ("Nb2O5.12WO3", "5.12", "Nb2O5·12WO3"),
        # both sides are salts, without an element in common
        ("K2SO4.2MgCl2", "4.2", "K2SO4·2MgCl2"),
        ("LiF2.3BaO", "2.3", "LiF2·3BaO"),
        ("Na3PO4.2CaF2", "4.2", "Na3PO4·2CaF2"),
        ("B2O3.2LiF", "3.2", "B2O3·2LiF"),
        ("(NH4)2SO4.2CaCl2", "4.2", "(NH4)2SO4·2CaCl2"),
        ("TiB2.2SiC", "2.2", "TiB2·2SiC"),
        ("MoS2.3WSe2", "2.3", "MoS2·3WSe2"),
        ("Li3PS4.3NaCl", "4.3", "Li3PS4·3NaCl"),
        ("CaSO4·0.5H2O.2NaCl", ".2", "CaSO4·0.5H2O·2NaCl"),
        # beside other decimals
        ("Ba0.6K0.4BiO3.2KCl", "3.2", "Ba0.6K0.4BiO3·2KCl"),
        ("(NH4)0.5Fe(SO4)2.3K2SO4", "2.3", "(NH4)0.5Fe(SO4)2·3K2SO4"),
        ("Ca2.5(PO4)2.2CaF2", "2.2", "Ca2.5(PO4)2·2CaF2"),
        # a point without a digit in front
        ("CaO.2SiO2", ".2", "CaO·2SiO2"),
        ("MgO.5Al2O3", ".5", "MgO·5Al2O3"),
        ("NaCl.2KBr", ".2", "NaCl·2KBr"),
        ("K4[Fe(CN)6].3H2O", ".3", "K4[Fe(CN)6]·3H2O"),
    ],
)
def test_points_that_may_divide_compounds_are_refused(formula, point, divided):
    error = refusal_of(formula)
    assert f"'{point}' is ambiguous" in str(error)
    assert (error.kind, error.suggestion) == ("ambiguous_point", divided)
    parse_formulas([error.suggestion])


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("Sr2FeO3.5Cl", {"Sr": 2, "Fe": 1, "O": 3.5, "Cl": 1}),
        ("LaO0.5F0.5BiS2", {"La": 1, "O": 0.5, "F": 0.5, "Bi": 1, "S": 2}),
        ("Ba8Ga16Ge30.1", {"Ba": 8, "Ga": 16, "Ge": 30.1}),
        ("Na0.31CoO2•1.3H2O", {"Na": 0.31, "Co": 1, "O": 3.3, "H": 2.6}),
        ("Sr4V2O5.6Fe2As2", {"Sr": 4, "V": 2, "O": 5.6, "Fe": 2, "As": 2}),
        ("Bi2O2.5CuSe", {"Bi": 2, "O": 2.5, "Cu": 1, "Se": 1}),
        ("Li13.6Si2.8S1.2O16", {"Li": 13.6, "Si": 2.8, "S": 1.2, "O": 16}),
        ("YBa2Cu3O6.95", {"Y": 1, "Ba": 2, "Cu": 3, "O": 6.95}),
        ("Bi1.6Sb0.4Te3", {"Bi": 1.6, "Sb": 0.4, "Te": 3}),
        # other decimals say that amounts are decimal
        (
            "Li1.3Al0.3Ti1.7(PO4)2.9(SO4)0.1",
            {"Li": 1.3, "Al": 0.3, "Ti": 1.7, "P": 2.9, "S": 0.1, "O": 12},
        ),
        ("Fe1.5Co0.5O3.5F0.5", {"Fe": 1.5, "Co": 0.5, "O": 3.5, "F": 0.5}),
        # a bracket or a separator makes it plain
        ("Al2(O3.2)SiO2", {"Al": 2, "Si": 1, "O": 5.2}),
        ("3Al2O3·2SiO2", {"Al": 6, "Si": 2, "O": 13}),
        ("Na2O.Al2O3·6SiO2", {"Na": 2, "Al": 2, "Si": 6, "O": 16}),
        ("Na2O.Al2O3.SiO2", {"Na": 2, "Al": 2, "Si": 1, "O": 6}),
    ],
)
def test_plain_points_are_read(formula, amounts):
    assert amounts_of(formula) == pytest.approx(amounts)


# Numbers in front


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("0.9(Bi2Te3)0.1(Sb2Te3)", {"Bi": 1.8, "Sb": 0.2, "Te": 3}),
        ("90(TeO2)10(WO3)", {"Te": 90, "W": 10, "O": 210}),
        ("70(TeO2)20(WO3)10(K2O)", {"Te": 70, "W": 20, "K": 20, "O": 210}),
        ("0.9[Bi2Te3] 0.1[Sb2Te3]", {"Bi": 1.8, "Sb": 0.2, "Te": 3}),
        ("(0.5(NaCl)0.5(KCl))2", {"Na": 1, "K": 1, "Cl": 2}),
        ("1.0(Bi2Te3)0.0(Sb2Te3)", {"Bi": 2, "Te": 3}),
        (".5(NaCl).5(KCl)", {"Na": 0.5, "K": 0.5, "Cl": 1}),
    ],
)
def test_shares_in_front_of_brackets(formula, amounts):
    assert amounts_of(formula) == pytest.approx(amounts)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("2(Bi2Te3)3(Sb2Te3)", "numbers in front of the brackets add up to 5"),
        ("0.9(Bi2Te3)0.2(Sb2Te3)", "add up to 1.1"),
        ("80(TeO2)10(WO3)", "add up to 90"),
        ("0.9(Bi2Te3)0.1(Sb2Te3)2", "before the whole formula"),
        ("0.9(Bi2Te3)0.1Sb2Te3", "before the whole formula"),
        ("50Fe50Ni", "in front of the symbols add up to 100"),
        ("0.3Co0.3Cr0.4Ni", "add up to 1:"),
        ("(0.5Fe0.5Ni)O", "add up to 1:"),
        ("0.05Sr0.4Pr0.55Mn1O3", "is a symbol missing before the number?"),
        ("0.2La0.8Sr1FeO3", "is a symbol missing before the number?"),
        ("0.44LiI", "another part of 0.56"),
        ("0.7Li2S", "another part of 0.3"),
        ("0.5(NaCl)", "another part of 0.5"),
        ("18Cr8Ni", "an alloy whose balance is left out"),
        ("6Al4V", "an alloy whose balance is left out"),
        ("1.5Mn0.5Mo", "an alloy whose balance is left out"),
        ("6Al-4V", "the name of an alloy"),
        ("18Cr-8Ni", "the name of an alloy"),
        ("(0.44LiI)", "in the bracket changes nothing"),
        ("((2Fe2O3))", "in the bracket changes nothing"),
        ("12CaO7Al2O3", "before the whole formula changes nothing"),
        ("2Fe2O3", "before the whole formula changes nothing"),
        ("2(Fe2O3)", "before the whole formula changes nothing"),
        ("2.5H2O", "before the whole formula"),
        ("½NaCl", "does not belong"),
        (".5Fe", "'.5' before the whole formula"),
    ],
)
def test_numbers_in_front_that_lost_something_are_refused(formula, words):
    assert words in str(refusal_of(formula))


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("2CaO·SiO2", {"Ca": 2, "Si": 1, "O": 4}),
        ("2H2O", {"H": 4, "O": 2}),
        ("5 H2O", {"H": 10, "O": 5}),
        ("2(CaSO4·0.5H2O)", {"Ca": 2, "S": 2, "O": 9, "H": 2}),
        ("(0.9Bi2Te3)(0.1Sb2Te3)", {"Bi": 1.8, "Sb": 0.2, "Te": 3}),
    ],
)
def test_numbers_in_front_that_count_parts(formula, amounts):
    assert amounts_of(formula) == pytest.approx(amounts)


# Mixtures


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("0.7Li2S-0.3P2S5", {"Li": 1.4, "P": 0.6, "S": 2.2}),
        ("0.7Li2S - 0.3P2S5", {"Li": 1.4, "P": 0.6, "S": 2.2}),
        ("70Li2S–30P2S5", {"Li": 140, "P": 60, "S": 220}),
        ("0.67(0.75Li2S-0.25P2S5)-0.33LiI", {"Li": 1.335, "P": 0.335, "S": 1.34, "I": 0.33}),
        (".7Li2S-.3P2S5", {"Li": 1.4, "P": 0.6, "S": 2.2}),
        ("0.5Fe-0.5Ni", {"Fe": 0.5, "Ni": 0.5}),
        ("0.7Li2S—0.3P2S5", {"Li": 1.4, "P": 0.6, "S": 2.2}),
    ],
)
def test_mixtures_whose_parts_all_have_numbers(formula, amounts):
    assert amounts_of(formula) == pytest.approx(amounts)


@pytest.mark.parametrize(
    "formula",
    ["Li2S-P2S5", "0.7Li2S-P2S5", "Bi2Te3 - Sb2Te3", "NaCl-(KCl)2", "NaCl+KCl", "ZrO2-8Y2O3"],
)
def test_mixtures_without_numbers_are_told_of_the_separator(formula):
    error = refusal_of(formula)
    assert "write '·' between the parts" in str(error)
    # The shares are not known.
    assert (error.kind, error.suggestion) == ("mixture", None)


@pytest.mark.parametrize("formula", ["0.7Li2S-0.3P2S5·H2O", "H2O·0.7Li2S-0.3P2S5"])
def test_a_mixture_with_a_part_without_number(formula):
    assert "only if each has its number" in str(refusal_of(formula))


@pytest.mark.parametrize(
    ("formula", "kind"),
    [
        ("Fe-2O", "charge"),
        ("Li2-0.5S", "charge"),
        ("Fe3+", "charge"),
        ("SO4 2-", "charge"),
        ("La1-xSrxMnO3", "variable"),
        ("YBa2Cu3O7-x", "variable"),
        ("SrTiO3-δ", "variable"),
        ("Li3PS4-annealed", "word"),
    ],
)
def test_other_signs(formula, kind):
    assert refusal_of(formula).kind == kind


@pytest.mark.parametrize(
    "formula",
    ["Ti-6Al-4V", "Al-4.5Cu", "Fe-18Cr-8Ni", "Ti–6Al–4V", "63Sn-37Pb", "90W-7Ni-3Fe", "6Al-4V"],
)
def test_alloy_names_are_sent_to_from_weight_percent(formula):
    assert "from_weight_percent reads it if" in str(refusal_of(formula))


# D and T


@pytest.mark.parametrize(
    ("formula", "likely"),
    [
        ("TIO2", "TiO2"),
        ("DY2O3", "Dy2O3"),
        ("TH", "Th"),
        ("Sr4V2.7TI0.3O9.51", "Sr4V2.7Ti0.3O9.51"),
        ("TB4O7", "Tb4O7"),
        ("TA2O5", "Ta2O5"),
        ("BaTIO3", "BaTiO3"),
        ("Sr(TI)O3", "Sr(Ti)O3"),
    ],
)
def test_letters_that_may_be_another_element(formula, likely):
    error = refusal_of(formula)
    assert (error.kind, error.suggestion) == ("hydrogen_isotope", likely)
    assert "meant?" in str(error)


@pytest.mark.parametrize("formula", ["ND2O3", "ND4Cl", "CD3P2", "CDCl3", "PT3Co"])
def test_letters_that_may_be_deuterium_as_well(formula):
    error = refusal_of(formula)
    assert (error.kind, error.suggestion) == ("hydrogen_isotope", None)
    assert f"is {formula[:2].capitalize()} meant?" in str(error)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("Al40Cu60T", "such as Ti, Ta or Te"),
        ("DD0.25Fe1.2Co2.8Sb12", "such as Dy"),
        ("HT", "such as Ti, Ta or Te"),
        ("(T)2O", "such as Ti, Ta or Te"),
        ("TT2O", "'TT' may not be tritium"),
    ],
)
def test_letters_that_are_no_plain_isotope(formula, words):
    assert words in str(refusal_of(formula))


# Zeros


@pytest.mark.parametrize(
    ("formula", "suggestion"),
    [
        ("SnTe0.90Se010", "SnTe0.90Se0.10"),
        ("LiHf2(P04)3", "LiHf2(PO4)3"),
        ("Li3.5Si0.5P05S4", "Li3.5Si0.5PO5S4"),
        ("Ti02", "TiO2"),
        ("BaTi03", "BaTiO3"),
        ("CuSO4·05H2O", None),
        ("Fe2O03", None),
        ("Fe(OH)02", None),
        ("Fe00.5", "Fe0.5"),
        # two digits each, but no percentages
        ("Co33W07", "Co33WO7"),
        # percentages, but not of one width
        ("Fe095Cr5", None),
    ],
)
def test_leading_zeros_are_refused(formula, suggestion):
    error = refusal_of(formula)
    assert "letter O typed as zero" in str(error)
    assert (error.kind, error.suggestion) == ("leading_zero", suggestion)


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        (
            "Co33W07Al33Nb24Cr03",
            {"Co": 33, "W": 7, "Al": 33, "Nb": 24, "Cr": 3},
        ),
        ("Fe95Cr05", {"Fe": 95, "Cr": 5}),
        ("Fe95 Cr05", {"Fe": 95, "Cr": 5}),
        ("Fe090Cr005Ni005", {"Fe": 90, "Cr": 5, "Ni": 5}),
        ("Fe50Ni50Co00", {"Fe": 50, "Ni": 50}),
    ],
)
def test_percentages_padded_with_zeros(formula, amounts):
    assert amounts_of(formula) == amounts


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("Al100Ca0", {"Al": 100}),
        ("YBa2(Cu1Ni0)3O6.95", {"Y": 1, "Ba": 2, "Cu": 3, "O": 6.95}),
        ("Fe0O", {"O": 1}),
        ("Fe0.00O", {"O": 1}),
        ("(Fe)0O", {"O": 1}),
        ("[FeO2]0.0Ni", {"Ni": 1}),
        ("Fe0e5O", {"O": 1}),
        ("CuSO4·0H2O", {"Cu": 1, "S": 1, "O": 4}),
        ("Fe2 Co0 O3", {"Fe": 2, "O": 3}),
        ("La1Sr0.0MnO3", {"La": 1, "Mn": 1, "O": 3}),
    ],
)
def test_a_zero_is_an_absence(formula, amounts):
    assert amounts_of(formula) == amounts


@pytest.mark.parametrize(
    ("formula", "suggestion"),
    [("Ca(0H)2", "Ca(OH)2"), ("Al(0H)3", "Al(OH)3"), ("Fe[0H]2", "Fe[OH]2")],
)
def test_a_zero_in_front_in_a_bracket_is_the_letter(formula, suggestion):
    error = refusal_of(formula)
    assert "is it the letter O?" in str(error)
    assert error.suggestion == suggestion


@pytest.mark.parametrize(
    ("formula", "suggestion"),
    [
        ("FeSeO.5Te0.5", "FeSe0.5Te0.5"),
        ("La0.7SrO.3MnO3", "La0.7Sr0.3MnO3"),
        ("BiO.5Sb0.5", "Bi0.5Sb0.5"),
    ],
)
def test_the_letter_in_front_of_a_point_is_a_zero(formula, suggestion):
    error = refusal_of(formula)
    assert "is the letter O a zero" in str(error)
    assert error.suggestion == suggestion


@pytest.mark.parametrize("formula", ["Fe0", "Fe0O0.0", "(Fe2O3)0", "[Fe]0 O0", "(Fe0)2"])
def test_nothing_but_zeros(formula):
    error = refusal_of(formula)
    assert "no element has an amount above zero" in str(error)
    assert error.kind == "nothing"


def test_a_zero_does_not_hide_an_unknown_element():
    assert refusal_of("Xx0Fe").kind == "unknown_element"


# Oxygen of unknown amount, words, acronyms


@pytest.mark.parametrize(
    "formula", ["Bi1Sr1Cu1OY", "YBa2Cu3OY", "La2CuOY", "[YBa2Cu3]OY ", "(BiSrCuOY)2", "BiSrCuO Y"]
)
def test_oxygen_of_unknown_amount(formula):
    error = refusal_of(formula)
    assert "'OY' may be oxygen of unknown amount" in str(error)
    assert error.kind == "unknown_amount"


@pytest.mark.parametrize("formula", ["YBa2Cu3OX", "YBa2Cu3OZ", "La2CuOX"])
def test_oxygen_with_a_variable(formula):
    assert f"'{formula[-2:]}' is oxygen of unknown amount" in str(refusal_of(formula))


@pytest.mark.parametrize("formula", ["YOF", "Y2O3", "FOY1", "OFY", "Al5O12Y3", "NbOY0.5"])
def test_plain_yttrium(formula):
    assert "Y" in amounts_of(formula)


@pytest.mark.parametrize(
    ("formula", "without"),
    [
        ("PbTe NCs", "PbTe"),
        ("MoS2 NS", "MoS2"),
        ("Si NW", "Si"),
        # a word, or another compound
        ("Al2O3 MgO", None),
        ("NaCl KCl", None),
    ],
)
def test_words_behind_a_formula(formula, without):
    error = refusal_of(formula)
    assert (error.kind, error.suggestion) == ("spaces", without)


@pytest.mark.parametrize(
    ("formula", "n_elements"),
    [
        ("Co Cr Fe", 3),
        ("Al0.25 Co1 Fe1 Ni", 4),
        ("Li6.02P0.98Si0.02S5 Br", 5),
        ("(Li2O)16.6 (SiO2)83.4", 3),
        ("CuSO4 · H2O", 4),
        # a bracket that goes on behind a separator
        ("H (HH·H)1", 1),
        ("Fe [CN·NH]2", 4),
    ],
)
def test_spaces_between_symbols(formula, n_elements):
    assert len(amounts_of(formula)) == n_elements


@pytest.mark.parametrize(
    ("formula", "without"),
    [
        ("Fe2O3(s)", "Fe2O3"),
        ("H2O(l)", "H2O"),
        ("TiO2 (rutile)", "TiO2"),
        ("Fe2O3 powder", "Fe2O3"),
        ("α-Al2O3", "Al2O3"),
        ("h-BN", "BN"),
        ("CO2 in N2", "CO2"),
        ("Li7La3Zr2O12 (c)", "Li7La3Zr2O12"),
    ],
)
def test_states_phases_and_words(formula, without):
    error = refusal_of(formula)
    assert (error.kind, error.suggestion) == ("word", without)


@pytest.mark.parametrize("formula", ["NA", "n/a", "n.d.", "None", "NONE", "-", "?", "unknown"])
def test_texts_for_a_missing_formula(formula):
    assert refusal_of(formula).kind == "missing"


@pytest.mark.parametrize(
    ("formula", "words", "suggestion"),
    [
        ("La1,85Sr0,15CuO4", "decimals have a point", "La1.85Sr0.15CuO4"),
        ("(Mg,Fe)2SiO4", "write the share of each element", None),
        ("Fe$_2$O$_3$", "plain digits", "Fe2O3"),
        ("Fe<sub>2</sub>O<sub>3</sub>", "plain digits", "Fe2O3"),
        ("Pt/C", "a support, dopant or second compound", None),
        ("Y2O3:Eu", "a support, dopant or second compound", None),
    ],
)
def test_other_characters(formula, words, suggestion):
    error = refusal_of(formula)
    assert words in str(error)
    assert (error.kind, error.suggestion) == ("character", suggestion)


@pytest.mark.parametrize(
    ("formula", "without"),
    [
        ("Bi 2 Sr 2 CuO 6", "Bi2Sr2CuO6"),
        ("La 2 CuO 4", "La2CuO4"),
        ("YBa 2 Cu 3 O 6.95", "YBa2Cu3O6.95"),
        ("Ca (OH) 2", "Ca (OH)2"),
    ],
)
def test_spaces_before_amounts_get_a_hint(formula, without):
    error = refusal_of(formula)
    assert "remove spaces between symbols and amounts" in str(error)
    assert error.suggestion == without


@pytest.mark.parametrize(
    "formula",
    [
        "YBCO6.7",
        "YBCO",
        "BSCCO",
        "NBCO",
        "BSCF",
        "EuRu1212",
        "Bi2212",
        "Hg1201",
        "TlBi1223",
        "Pd(OAc)2",
        "NaOAc",
        "Ti(OPr)4",
        "KDP",
    ],
)
def test_acronyms(formula):
    assert refusal_of(formula).kind == "acronym"


@pytest.mark.parametrize(
    "formula",
    [
        "YBC",
        "Y1B1C1O6.7",
        "Ac2O3",
        "PrO2",
        "(PrO)2S",
        "YB2C2",
        "BSCo",
        "Eu1Ru1212",
        "Bi2212.5",
        "KBCO",
        "Fe1213",
    ],
)
def test_formulas_that_look_like_acronyms(formula):
    assert amounts_of(formula)


# What the field writes and pymatgen does not read


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("LiNi1/3Mn1/3Co1/3O2", {"Li": 1, "Ni": 1 / 3, "Mn": 1 / 3, "Co": 1 / 3, "O": 2}),
        ("CaSO4·1/2H2O", {"Ca": 1, "S": 1, "O": 4.5, "H": 1}),
        ("La2/3Sr1/3MnO3", {"La": 2 / 3, "Sr": 1 / 3, "Mn": 1, "O": 3}),
        ("(Fe1/2Ni1/2)3O4", {"Fe": 1.5, "Ni": 1.5, "O": 4}),
        ("LaO1/2F1/2BiS2", {"La": 1, "O": 0.5, "F": 0.5, "Bi": 1, "S": 2}),
        ("CuSO4×5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("Pb.985Bi0.015Te", {"Pb": 0.985, "Bi": 0.015, "Te": 1}),
        ("La.5Sr.5MnO3", {"La": 0.5, "Sr": 0.5, "Mn": 1, "O": 3}),
        ("LaO.5F.5BiS2", {"La": 1, "O": 0.5, "F": 0.5, "Bi": 1, "S": 2}),
        ("CaSO4·.5H2O", {"Ca": 1, "S": 1, "O": 4.5, "H": 1}),
        ("Fe２O３", {"Fe": 2, "O": 3}),
        ("Al０．５Ga0.5As", {"Al": 0.5, "Ga": 0.5, "As": 1}),
        ("Ca（OH）２", {"Ca": 1, "O": 2, "H": 2}),
        ("Fe2O3.", {"Fe": 2, "O": 3}),
        ("NaCl. ", {"Na": 1, "Cl": 1}),
        ("(FeO)2.", {"Fe": 2, "O": 2}),
    ],
)
def test_reads_what_the_field_writes(formula, amounts):
    assert amounts_of(formula) == pytest.approx(amounts)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("Fe1/0O", "divides by zero"),
        ("Fe1.5/2O", "'/' does not belong"),
        ("Fe1/2.5O", "'/' does not belong"),
        ("SiO2/25Na2O", "a fraction, or two compounds"),
        ("MoS2/3C", "a fraction, or two compounds"),
        ("80Al2O3/20ZrO2", "a fraction, or two compounds"),
        ("Fe/Pt", "'/' does not belong"),
        ("Fe2O3..", "an element is missing"),
        (".", "an element is missing"),
        ("Fe..5O", "an element is missing"),
    ],
)
def test_refuses_what_only_resembles_it(formula, words):
    assert words in str(refusal_of(formula))


# Every refusal


@settings(deadline=None)
@given(st.text("FeOTDYNaCl0123.5()-·/ ", max_size=14))
def test_a_refusal_has_a_kind_and_a_suggestion_is_another_text(text):
    refusals = []
    try:
        parse_formulas([text])
    except FormulaError as error:
        refusals.append(error)
    for error in refusals:
        assert error.kind.isidentifier()
        assert error.suggestion != text
