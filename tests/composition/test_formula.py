"""One formula at a time: what is read, what is refused, and at what cost."""

import gc
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from long_texts import LONG_TEXTS
from pymatgen.core import Composition, Element, Species

from crabsk.composition import ELEMENTS, FormulaError, parse_formulas


def amounts_of(item):
    compositions = parse_formulas([item])
    assert len(compositions) == 1
    symbols = [ELEMENTS[z - 1] for z in compositions.atomic_numbers]
    return dict(zip(symbols, compositions.amounts.tolist(), strict=True))


def refusal_of(item):
    with pytest.raises(FormulaError) as caught:
        parse_formulas([item])
    return str(caught.value)


def outcome_of(item):
    """Return the amounts, or the message of the refusal."""
    try:
        return amounts_of(item)
    except FormulaError as error:
        return str(error)


# What is read


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("NaCl", {"Na": 1, "Cl": 1}),
        ("NaN", {"Na": 1, "N": 1}),
        ("CO", {"C": 1, "O": 1}),
        ("Co", {"Co": 1}),
        ("HHe", {"H": 1, "He": 1}),
        ("CH3CH2OH", {"C": 2, "H": 6, "O": 1}),
        ("Og", {"Og": 1}),
        # brackets
        ("(OH)2(OH)20", {"O": 22, "H": 22}),
        ("Fe(OH)(OH)2", {"Fe": 1, "O": 3, "H": 3}),
        ("[Fe]{O}", {"Fe": 1, "O": 1}),
        ("{[(Fe)2O3]2}3", {"Fe": 12, "O": 18}),
        ("Ag(AuS)2", {"Ag": 1, "Au": 2, "S": 2}),
        ("((Fe))", {"Fe": 1}),
        ("Pb[I]2", {"Pb": 1, "I": 2}),
        # hydrates and multipliers
        ("CuSO4·5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("CuSO4*5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("CuSO4•5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("CuSO₄·5H₂O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("CuSO4 · 5 H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("CuSO4. 5H2O", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("CuSO4.H2O", {"Cu": 1, "S": 1, "O": 5, "H": 2}),
        ("CuSO4.(H2O)5", {"Cu": 1, "S": 1, "O": 9, "H": 10}),
        ("CaSO4·0.5H2O", {"Ca": 1, "S": 1, "O": 4.5, "H": 1}),
        ("CaSO4·1.5H2O", {"Ca": 1, "S": 1, "O": 5.5, "H": 3}),
        ("2CaSO4·H2O", {"Ca": 2, "S": 2, "O": 9, "H": 2}),
        ("(2CaSO4·H2O)2", {"Ca": 4, "S": 4, "O": 18, "H": 4}),
        ("K4[Fe(CN)6]·3H2O", {"K": 4, "Fe": 1, "C": 6, "N": 6, "H": 6, "O": 3}),
        ("2H2O", {"H": 4, "O": 2}),
        ("2(CaSO4·0.5H2O)", {"Ca": 2, "S": 2, "O": 9, "H": 2}),
        ("2(H2O)", {"H": 4, "O": 2}),
        # digits of other scripts
        ("Fe₂O₃", {"Fe": 2, "O": 3}),
        ("Al₀.₅Ga₀.₅As", {"Al": 0.5, "Ga": 0.5, "As": 1}),
        ("Fe²O³", {"Fe": 2, "O": 3}),
        ("Fe₂O3", {"Fe": 2, "O": 3}),
        # amounts
        ("Fe0.95O", {"Fe": 0.95, "O": 1}),
        ("Fe2.0O3", {"Fe": 2, "O": 3}),
        ("Fe1e-7O", {"Fe": 1e-7, "O": 1}),
        ("Fe0.0000001O", {"Fe": 1e-7, "O": 1}),
        ("Fe1e-07O", {"Fe": 1e-7, "O": 1}),
        ("Fe1E5", {"Fe": 1e5}),
        ("Fe1e+5Es2", {"Fe": 1e5, "Es": 2}),
        ("Fe1e−3O", {"Fe": 1e-3, "O": 1}),
        ("O0.1O0.2", {"O": 0.1 + 0.2}),
        ("Fe" + "9" * 40, {"Fe": 1e40}),
        # decimals before a solvent that can only be amounts
        ("Fe0.5H2O", {"Fe": 0.5, "H": 2, "O": 1}),
        ("Fe2.05H2O", {"Fe": 2.05, "H": 2, "O": 1}),
        ("(O1.5)H2O", {"O": 2.5, "H": 2}),
        ("Ba2.5H2O4", {"Ba": 2.5, "H": 2, "O": 4}),
        ("Li1.5NH", {"Li": 1.5, "N": 1, "H": 1}),
        ("H2.5O", {"H": 2.5, "O": 1}),
        ("Fe2.5CHf", {"Fe": 2.5, "C": 1, "Hf": 1}),
        ("Br1.5C2H12I4.5N2Pb2", {"Br": 1.5, "C": 2, "H": 12, "I": 4.5, "N": 2, "Pb": 2}),
        # isotopes of hydrogen
        ("D2O", {"H": 2, "O": 1}),
        ("HDT2", {"H": 4}),
        ("LiD", {"Li": 1, "H": 1}),
        ("PdT0.7", {"Pd": 1, "H": 0.7}),
        ("NaBD4", {"Na": 1, "B": 1, "H": 4}),
        ("DCl", {"H": 1, "Cl": 1}),
        ("KD2PO4", {"K": 1, "H": 2, "P": 1, "O": 4}),
        # spaces
        (" Fe2 O3\n", {"Fe": 2, "O": 3}),
        ("( Fe O )2", {"Fe": 2, "O": 2}),
    ],
)
def test_reads(formula, amounts):
    assert amounts_of(formula) == amounts


@pytest.mark.parametrize("depth", [1000, 100_000])
def test_nesting_does_not_meet_the_recursion_limit(depth):
    assert amounts_of("(" * depth + "Fe2O3" + ")" * depth) == {"Fe": 2, "O": 3}
    assert amounts_of("[" * depth + "Fe" + "]1" * depth + "O") == {"Fe": 1, "O": 1}


def test_every_element_is_read_alone_and_together():
    assert amounts_of("".join(ELEMENTS)) == dict.fromkeys(ELEMENTS, 1)
    for symbol in ELEMENTS:
        assert amounts_of(symbol) == {symbol: 1}


@pytest.mark.parametrize(
    ("mapping", "amounts"),
    [
        ({"Fe": 2, "O": 3}, {"Fe": 2, "O": 3}),
        ({"Fe": 0, "O": 1.5}, {"O": 1.5}),
        ({"D": 1, "H": 1, "T": 1}, {"H": 3}),
        ({"Fe": np.float32(2), "O": np.int8(3)}, {"Fe": 2, "O": 3}),
        ({"Fe": Fraction(1, 4), "O": Decimal("0.1")}, {"Fe": 0.25, "O": 0.1}),
        ({Element("Fe"): 2, "O": 3}, {"Fe": 2, "O": 3}),
        (Composition("Fe2O3"), {"Fe": 2, "O": 3}),
        (Composition("Fe2O3").as_dict(), {"Fe": 2, "O": 3}),
        (Composition({Species("Fe", 3): 2, Species("O", -2): 3}), {"Fe": 2, "O": 3}),
        (
            Composition({Species("Fe", 2): 1, Species("Fe", 3): 2, Species("O", -2): 4}),
            {"Fe": 3, "O": 4},
        ),
        (Composition({"D": 2, "O": 1}), {"H": 2, "O": 1}),
    ],
)
def test_reads_mappings(mapping, amounts):
    assert amounts_of(mapping) == amounts


# What is refused


@pytest.mark.parametrize(
    ("item", "words"),
    [
        # unknown elements, by name
        ("Xx2", ["position 0", "unknown element 'Xx'"]),
        ("Vv2O5", ["unknown element 'Vv'"]),
        ("Uue", ["unknown element 'Uue'"]),
        ("FEO", ["position 1", "unknown element 'E'"]),
        ("FeOx", ["unknown element 'Ox'", "'x' stands for an unknown amount"]),
        ("fe2o3", ["position 0", "'f' cannot start an element symbol"]),
        ("nan", ["'n' cannot start an element symbol"]),
        ("AlₓGa₁₋ₓAs", ["position 2", "'ₓ' cannot start an element symbol"]),
        ("La1-xSrxMnO3", ["position 3", "'x' is a variable"]),
        # missing
        ("", ["'' is empty: expected a formula"]),
        (" \t", ["is empty"]),
        (None, ["None is a missing value"]),
        (float("nan"), ["nan is a missing value"]),
        (np.float32("nan"), ["is a missing value"]),
        (pd.NA, ["<NA> is a missing value"]),
        (pd.NaT, ["NaT is a missing value"]),
        # other types
        (5, ["5 is of type int"]),
        (b"Fe2O3", ["is of type bytes"]),
        (["Fe"], ["is of type list"]),
        (np.array([1, 2]), ["is of type ndarray"]),
        (pd.DataFrame({"Fe": [1, 2]}), ["is of type DataFrame"]),
        # charges, isotopes and oxidation states
        ("NaCl+", ["position 4", "charge"]),
        ("SO4 2-", ["position 5", "charge"]),
        ("SO4²⁻", ["charge"]),
        ("Fe3+", ["position 3", "charge"]),
        ("Fe³⁺", ["position 3", "'⁺' is a charge"]),
        ("[Fe(CN)6]3-", ["charge"]),
        ("Fe(3+)2O3", ["charge"]),
        ("H₂¹⁸O", ["position 2", "mass number"]),
        ("¹³CO2", ["position 0", "mass number"]),
        ("²H", ["position 0", "mass number"]),
        ("Fe(III)2O3", ["position 2", "'(III)' is an oxidation state"]),
        ("Cu(I)Cl", ["'(I)' is an oxidation state"]),
        ("V2(V)O5", ["'(V)' is an oxidation state"]),
        # amounts
        ("Fe-2O", ["position 2", "a difference or a mixture"]),
        ("Fe–2O", ["position 2", "a difference or a mixture"]),
        ("0Fe", ["position 0", "the number '0' before the whole formula"]),
        ("Fe1e-400O", ["position 2", "'1e-400' is too small"]),
        ("1e400", ["position 0", "'1e400' is too large"]),
        ("Fe1e400", ["'1e400' is too large"]),
        ("Fe" + "1" * 10_000, ["position 2", "10000 characters (at most 40 are read)"]),
        ("0." + "1" * 10_000 + "Fe", ["10002 characters"]),
        ("((Fe1e300)1e300)1e300", ["too large"]),
        ("((Fe1e-300)1e-300)O", ["too far apart"]),
        ("Fe1e-200(O1e200)2", ["too far apart"]),
        ("Fe٣O", ["position 2", "'٣' (ARABIC-INDIC DIGIT THREE) does not belong"]),
        ("Fe½", ["'½' (VULGAR FRACTION ONE HALF) does not belong"]),
        ("Fe\u041e", ["position 2", "(CYRILLIC CAPITAL LETTER O)"]),
        ("H₂2O", ["position 1", "'₂2' mixes plain and subscript digits"]),
        ("CuSO₄.5H₂O", ["'₄.5' mixes"]),
        ("Fe 2O3", ["position 3", "'2' follows neither a symbol nor a bracket"]),
        ("(H2O) 2", ["follows neither"]),
        ("2 2H2O", ["position 2", "follows neither"]),
        # dots
        ("50Fe50Ni", ["position 0", "add up to 100", "after their symbols"]),
        ("0.3Co0.3Cr0.4Ni", ["add up to 1:"]),
        ("CuSO4.5H2O", ["position 4", "'4.5' is ambiguous", "'4·5'"]),
        ("CuSO4.5 (H2O)", ["ambiguous"]),
        ("CuSO4.5OH2", ["ambiguous"]),
        ("CuSO4.5D2O", ["ambiguous"]),
        ("Na2CO3.10H2O", ["ambiguous"]),
        ("K4[Fe(CN)6].3H2O", ["position 11", "'.3' is ambiguous"]),
        ("MgCl2.6NH3", ["ambiguous"]),
        ("2Na2CO3.3H2O2", ["ambiguous"]),
        ("ZnCl2.2C4H8O", ["ambiguous"]),
        ("CaCl2.4CH3OH", ["ambiguous"]),
        ("CaSO4.0.5H2O", ["'4.0.5' is ambiguous"]),
        ("CaSO4 .5H2O", ["position 6", "'.5' is ambiguous"]),
        ("Fe..O", ["position 3", "an element is missing"]),
        # brackets and separators
        ("H2O)", ["position 3", "never opened"]),
        ("Fe(H2O", ["position 2", "'(' is never closed"]),
        ("(H2O]", ["position 4", "']' does not match the '(' at position 0"]),
        ("([Fe)]", ["')' does not match the '[' at position 1"]),
        ("Fe()2", ["position 3", "an element is missing"]),
        ("Fe(2)", ["an element is missing"]),
        ("2", ["position 1", "an element is missing"]),
        ("·H2O", ["position 0", "an element is missing"]),
        ("H2O·", ["position 4", "an element is missing"]),
        ("2·H2O", ["position 1", "an element is missing"]),
        # other characters
        ("Fe2O3(s)", ["position 5", "'(s)' is a state of matter"]),
        ("Fe_2O_3", ["position 2", "'_' does not belong"]),
        ("CaO:Eu", ["':' does not belong"]),
        ("Fe1,5O", ["',' does not belong"]),
        ("Fe2O3\x00", [r"'\x00' does not belong"]),
        ("\ufeffFe2O3", ["position 0", "does not belong"]),
        ("\ud800", [r"'\ud800'"]),
        # mappings
        ({}, ["{}: no element has an amount above zero"]),
        ({"Fe": 0}, ["no element has an amount above zero"]),
        ({"Xx": 1}, ["{'Xx': 1}: unknown element 'Xx'"]),
        ({26: 1}, ["unknown element 26"]),
        ({"Fe+3": 2}, ["unknown element 'Fe+3'", "species such as 'Fe3+'"]),
        ({"Fe": -1}, ["the amount of Fe is negative (-1)"]),
        ({"Fe": float("nan")}, ["the amount of Fe is nan, not a finite number"]),
        ({"Fe": float("inf")}, ["the amount of Fe is inf, not a finite number"]),
        ({"Fe": 10**400}, ["not a finite number"]),
        ({"Fe": 10**5000}, ["not a finite number"]),
        ({"Fe": Fraction(1, 10**400)}, ["too small"]),
        ({"Fe": None}, ["the amount of Fe is None, not a number"]),
        ({"Fe": "2"}, ["the amount of Fe is '2', not a number"]),
        ({"Fe": True}, ["the amount of Fe is True, not a number"]),
        ({"Fe": 1e308, "O": 1e308}, ["too large"]),
        ({"Fe": 1e-310, "O": 1}, ["too far apart"]),
        (Composition({"X": 1}), ["unknown element"]),
    ],
)
def test_refuses(item, words):
    message = refusal_of(item)
    assert "row 0: " in message
    for word in words:
        assert word in message


def test_an_error_names_row_text_and_position():
    with pytest.raises(ValueError, match=r"row 1: 'Xx2O3', position 0: unknown element 'Xx'"):
        parse_formulas(["NaCl", "Xx2O3"])


def test_of_many_bad_rows_the_first_five_and_the_count_are_shown():
    formulas = ["NaCl", None, "Fe(", "Q", "H0", "", "Fe+", "Xx", "FeO"]
    with pytest.raises(FormulaError) as caught:
        parse_formulas(formulas)
    lines = str(caught.value).splitlines()
    assert lines[0] == "7 of 9 formulas cannot be read:"
    assert [line.split(":")[0].strip() for line in lines[1:6]] == [f"row {i}" for i in range(1, 6)]
    assert lines[6:] == ["  ... and 2 more"]


def test_exactly_five_bad_rows_leave_no_rest():
    assert "more" not in str(refusal_of("Q"))
    with pytest.raises(FormulaError) as caught:
        parse_formulas(["Q"] * 5)
    assert len(str(caught.value).splitlines()) == 6


# Random formulas, with their amounts worked out apart from the reader

symbols = st.sampled_from(ELEMENTS)
# Amounts whose point cannot be a hydrate's: whole, below 1, 0 behind the point, or scientific.
plain_amounts = st.one_of(
    st.just(""),
    st.integers(1, 999).map(str),
    st.integers(1, 9999).map(lambda n: f"0.{n:04d}"),
    st.integers(1, 99).map(lambda n: f"{n}.0{n}"),
    st.tuples(st.integers(1, 99), st.sampled_from(["e-3", "E-1", "e2", "e+1"])).map(
        lambda pair: f"{pair[0]}{pair[1]}"
    ),
)


def written(inside, bracket):
    # `(III)` in round brackets is refused as an oxidation state.
    opening, closing = "[]" if set(inside) <= set("IV") else bracket
    return f"{opening}{inside}{closing}"


def scaled(amounts, factor):
    return {symbol: amount * Fraction(factor or 1) for symbol, amount in amounts.items()}


def joined(pieces, separator):
    text = separator.join(text for text, _ in pieces)
    total: dict[str, Fraction] = {}
    for _, amounts in pieces:
        for symbol, amount in amounts.items():
            total[symbol] = total.get(symbol, Fraction()) + amount
    return text, total


# A piece is a text and its amounts as exact fractions.
atoms = st.tuples(symbols, plain_amounts).map(
    lambda pair: (pair[0] + pair[1], scaled({pair[0]: Fraction(1)}, pair[1]))
)


def part_of(number, pieces, separator):
    text, amounts = joined(pieces, separator if pieces[-1][0][-1].isdigit() else "")
    # Without an amount at the end the numbers might all stand in front of their symbols.
    number = number if text[-1].isdigit() else ""
    return number + text, scaled(amounts, number)


def parts_of(pieces, numbers=plain_amounts):
    runs = st.lists(pieces, min_size=1, max_size=4)
    # A last word of letters would be refused, as in `PbTe NCs`.
    return st.builds(part_of, numbers, runs, st.sampled_from(["", " "]))


def formulas_of(pieces):
    separators = st.sampled_from(["·", "*", "•", " · ", " . "])
    return st.one_of(
        # A number in front of a single part would change nothing.
        parts_of(pieces, numbers=st.just("")),
        st.builds(joined, st.lists(parts_of(pieces), min_size=2, max_size=3), separators),
    )


def bracketed(pieces):
    return st.tuples(formulas_of(pieces), st.sampled_from(["()", "[]", "{}"]), plain_amounts).map(
        lambda triple: (
            written(triple[0][0], triple[1]) + triple[2],
            scaled(triple[0][1], triple[2]),
        )
    )


nested = formulas_of(st.recursive(atoms, bracketed, max_leaves=8))

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@settings(deadline=None)
@given(nested, st.booleans())
def test_random_formulas_are_read_back(piece, as_subscripts):
    text, expected = piece
    assume(not text.endswith("OY"))  # read as oxygen of unknown amount
    read = amounts_of(text.translate(SUBSCRIPTS) if as_subscripts else text)
    assert read == pytest.approx({s: float(n) for s, n in expected.items()}, rel=1e-12, abs=0)


any_amounts = st.one_of(
    st.just(""),
    st.integers(1, 999).map(str),
    st.decimals("0.000", "99", places=3).map(str),
    st.sampled_from(["0", "04", "1212", "2212", ".5"]),
    st.integers(1, 99).map(lambda n: str(n / 10)),
)
flat = st.lists(
    st.tuples(st.sampled_from([*ELEMENTS, "D", "T"]), any_amounts), min_size=1, max_size=6
)


@settings(deadline=None)
@example("H1.100H0.000")
@given(
    st.one_of(
        flat.map(lambda terms: "".join(symbol + amount for symbol, amount in terms)),
        st.text("HOCNDFYBS2350.e", max_size=12),
    )
)
def test_the_fast_and_the_careful_path_agree(text):
    # A leading space sends a formula down the careful path.
    fast, careful = outcome_of(text), outcome_of(f" {text}")
    if isinstance(fast, str):
        assert isinstance(careful, str)
    else:
        assert careful == fast


@settings(deadline=None)
@given(st.data())
def test_the_order_of_elements_does_not_matter(data):
    terms = data.draw(
        st.lists(
            st.tuples(st.sampled_from(ELEMENTS), plain_amounts),
            min_size=1,
            max_size=6,
            unique_by=lambda term: term[0],
        )
    )
    shuffled = data.draw(st.permutations(terms))
    texts = ["".join(symbol + amount for symbol, amount in t) for t in (terms, shuffled)]
    one, other = (parse_formulas([text]) for text in texts)
    np.testing.assert_array_equal(one.atomic_numbers, other.atomic_numbers)
    np.testing.assert_array_equal(one.amounts, other.amounts)
    assert (np.diff(one.atomic_numbers) > 0).all()


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            # pymatgen keeps D and T apart from H.
            st.sampled_from(ELEMENTS),
            st.one_of(st.just(""), st.integers(1, 99).map(str), st.just("0.25"), st.just("1.05")),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["", "2", "0.5"]),
)
def test_agrees_with_pymatgen_on_plain_formulas(terms, multiple):
    inside = "".join(symbol + amount for symbol, amount in terms)
    assume(not inside.endswith("OY"))
    for text in (inside, f"{written(inside, '()')}{multiple}H"):
        theirs = Composition(text).get_el_amt_dict()
        assert amounts_of(text) == pytest.approx(theirs, rel=1e-12)


@settings(deadline=None)
@given(st.one_of(st.text(), st.text("HeFOI0123456789.eE+-()[]{}·* ₂²ₓ–"), st.characters()))
def test_any_text_is_read_or_refused(text):
    outcome = outcome_of(text)
    if isinstance(outcome, str):
        assert "row 0: " in outcome
        assert len(outcome) < 1000
    else:
        fractions = parse_formulas([text]).fractions
        assert (fractions > 0).all()
        assert fractions.sum() == pytest.approx(1)


@settings(deadline=None)
@given(
    st.dictionaries(
        # D and T would be merged into H.
        st.one_of(st.sampled_from(ELEMENTS), st.text(max_size=2), st.integers()).filter(
            lambda key: key not in ("D", "T")
        ),
        st.one_of(st.floats(), st.integers(), st.none(), st.booleans(), st.text(max_size=2)),
        max_size=4,
    )
)
def test_any_mapping_is_read_or_refused(mapping):
    outcome = outcome_of(mapping)
    if not isinstance(outcome, str):
        # Amounts are 64-bit floats, also of larger integers.
        assert outcome == {symbol: float(n) for symbol, n in mapping.items() if n > 0}


# Cost


def seconds_for(text):
    # As timeit does: a collection looks through all that the other tests have loaded.
    gc.disable()
    try:
        start = time.perf_counter()
        outcome_of(text)
        return time.perf_counter() - start
    finally:
        gc.enable()


@pytest.mark.parametrize("name", LONG_TEXTS)
def test_time_grows_with_length_not_with_its_square(name):
    short, long = (LONG_TEXTS[name](n) for n in (10_000, 40_000))
    # Four times the text; sixteen times the time would be its square. A busy machine can spoil
    # a measurement, hardly five.
    ratios = []
    for _ in range(5):
        ratios.append(seconds_for(long) / seconds_for(short))
        if ratios[-1] < 12:
            return
    pytest.fail(f"time ratios for 4 times the text: {ratios}")


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG_TEXTS)
def test_messages_about_long_texts_are_short(name):
    assert len(outcome_of(LONG_TEXTS[name](200_000))) < 1000


@pytest.mark.parametrize(
    "item",
    [
        {"Fe" * 10**6: 1},
        {"Fe": "1" * 10**6},
        {f"X{i}": 1 for i in range(10**5)},
        ["Fe"] * 10**5,
        b"1" * 10**6,
    ],
    ids=["key", "amount", "keys", "list", "bytes"],
)
def test_messages_about_large_items_are_short(item):
    assert len(refusal_of(item)) < 1000
