"""Known compositions with elements replaced by similar ones."""

import itertools
import math
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smact import Element
from smact.screening import pauling_test
from smact.utils.oxidation import ICSD24OxStatesFilter

from crabsk.composition import ATOMIC_NUMBERS, ELEMENTS, parse_formulas, reduced_formula
from crabsk.discovery import substitute
from crabsk.discovery._isovalence import _states

SYMBOLS = ["Na", "K", "Fe", "Co", "O", "S", "F", "Cl"]
VECTORS = dict(zip(SYMBOLS, np.random.default_rng(0).normal(size=(8, 5)), strict=True))


def similarities(vectors):
    """Return the cosines of standardised vectors."""
    matrix = np.array(list(vectors.values()))
    matrix = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    matrix /= np.sqrt((matrix**2).sum(axis=1, keepdims=True))
    return pd.DataFrame(matrix @ matrix.T, index=list(vectors), columns=list(vectors))


def brute_force(mappings, n_neighbors, n_replaced, elements):
    """Return what comes out, in order, by one look at each possibility after the other."""
    similarity = similarities(VECTORS)
    near = {
        symbol: row[[s for s in elements if s != symbol]].nlargest(n_neighbors)
        for symbol, row in similarity.iterrows()
    }
    seen = set(reduced_formula(mappings))
    found = []
    for mapping in mappings:
        options = []
        for n in range(1, min(n_replaced, len(mapping)) + 1):
            for old in itertools.combinations(sorted(mapping, key=ATOMIC_NUMBERS.get), n):
                for new in itertools.product(*(near[symbol].index for symbol in old)):
                    swap = dict(zip(old, new, strict=True))
                    result = [(swap.get(s, s), amount) for s, amount in mapping.items()]
                    if len(dict(result)) == len(mapping):
                        likeness = np.mean([near[a][b] for a, b in swap.items()])
                        rank = (n, -round(likeness, 9))
                        options.append((rank, reduced_formula([dict(result)])[0]))
        for _, formula in sorted(options, key=lambda option: option[0]):
            if formula not in seen:
                seen.add(formula)
                found.append(formula)
    return found


compositions = st.dictionaries(
    st.sampled_from(SYMBOLS), st.sampled_from([1, 2, 3, 0.25, 0.9]), min_size=1, max_size=4
)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(compositions, min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True),
)
def test_is_every_replacement_in_order(mappings, n_neighbors, n_replaced, elements):
    found = substitute(
        mappings,
        n_neighbors=n_neighbors,
        n_replaced=n_replaced,
        embedding=VECTORS,
        elements=elements,
    )
    expected = brute_force(mappings, n_neighbors, n_replaced, elements)
    assert len(found) == len(expected)
    assert list(found) == expected


def test_similar_elements_are_like_each_other():
    """The default table knows groups of the periodic table."""
    for symbol, near in {
        "O": "F S",
        "F": "Cl O",
        "Fe": "Co Ni Mn",
        "Na": "K Li",
        "La": "Nd Pr",
        "Ti": "Zr Hf Nb",
        "Si": "Ge",
        "Cl": "Br I",
        "Pb": "Tl Bi Sn",
    }.items():
        assert {*near.split()} <= {*substitute([symbol])}


def test_most_similar_first_and_rows_in_order():
    assert list(substitute(["NaCl", "K"], n_neighbors=2)) == [
        *("NaBr", "KCl", "NaI", "RbCl"),
        *("Rb", "Cs"),
    ]


def test_amounts_are_kept():
    doped = ["Sr0.85La0.15TiO3", "Ba0.85Sr0.15TiO3", "Ba0.85La0.15SrO3", "Ba0.85La0.15TiSr3"]
    found = substitute(["Ba0.85La0.15TiO3"], n_neighbors=1, elements=["Sr"])
    assert set(found) == set(reduced_formula(doped))
    irrational = substitute(["K0.12345678Cl"], n_neighbors=1, elements=["Na"])
    assert set(irrational) == set(reduced_formula(["Na0.12345678Cl", "K0.12345678Na"]))


def test_no_element_comes_twice():
    """MgAl2O4 to MgMg2O4 is none of its kind."""
    found = substitute(["MgAl2O4"], n_neighbors=3, n_replaced=3)
    assert len(found)
    assert (parse_formulas(found).lengths == 3).all()


def test_two_may_change_places():
    elements = ["Mg", "Al"]
    assert list(substitute(["MgAl2O4"], elements=elements)) == []
    swapped = substitute(["MgAl2O4"], n_replaced=2, elements=elements)
    assert reduced_formula(["AlMg2O4"])[0] in swapped


def test_isovalent_elements_alone_replace_ions():
    assert list(substitute(["Tm2O3"], n_neighbors=2, isovalent=True)) == ["Er2O3", "Lu2O3"]
    phosphates = substitute(["LiFePO4"], elements=["Na", "Ca", "Co", "V", "N", "S"], isovalent=True)
    assert set(phosphates) == set(
        reduced_formula(["NaFePO4", "LiCoPO4", "LiFePS4", "LiFeVO4", "LiFeNO4"])
    )
    # What Nd3+ brings too much is what Al3+ lacks in the place of Ti4+.
    perovskite = "Sr0.85Nd0.15Ti0.85Al0.15O3"
    doped = substitute([perovskite], elements=["Ba", "La", "Zr", "F"], isovalent=True)
    assert set(doped) == set(
        reduced_formula(
            [
                "Ba0.85Nd0.15Ti0.85Al0.15O3",
                "Sr0.85La0.15Ti0.85Al0.15O3",
                "Sr0.85Nd0.15Ti0.85La0.15O3",
                "Sr0.85Nd0.15Zr0.85Al0.15O3",
            ]
        )
    )


def test_amounts_of_dopants_may_be_rounded():
    """The charges add up to -0.01 in five atoms."""
    titanate = "Li0.36La0.56Ti0.95Al0.05O3"
    found = substitute([titanate], elements=["Si", "S"], n_neighbors=2, isovalent=True)
    assert set(found) == set(
        reduced_formula(["Li0.36La0.56Ti0.95Al0.05S3", "Li0.36La0.56Si0.95Al0.05O3"])
    )


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("NiAl", "CoAl FeAl GaAl TiAl NiGa NiFe NiCo NiTi"),
        ("Fe3O4", "Co3O4 Al3O4 Ga3O4 Ti3O4 Fe3S4"),  # Fe2+ beside Fe3+
        ("U3O8", "Fe3O8 Co3O8 Al3O8 Ga3O8 Ti3O8 S3O8 U3S8"),  # U4+ beside U6+
        ("HeF2", ""),
    ],
)
def test_where_charges_do_not_balance_a_common_state_is_enough(formula, expected):
    elements = ["Co", "Fe", "Ga", "Al", "S", "F", "Na", "Ti", "Ar"]
    found = substitute([formula], embedding="mat2vec", elements=elements, n_neighbors=9)
    kept = list(
        substitute([formula], embedding="mat2vec", elements=elements, n_neighbors=9, isovalent=True)
    )
    assert set(kept) == {reduced_formula([text])[0] for text in expected.split()}
    assert kept == [one for one in found if one in kept]


STATES = {
    element: set(map(int, states.split()))
    for element, states in ICSD24OxStatesFilter()
    .filter(commonality=5.0)
    .set_index("element")["oxidation_state"]
    .items()
}


def least_charge(composition, replaced, amounts):
    """Return the smallest sum of states that both have and that pass SMACT's second rule."""
    both = [STATES[a] & STATES[b] for a, b in zip(composition, replaced, strict=True)]
    electronegativities = [
        [Element(symbol).pauling_eneg for symbol in symbols] for symbols in (composition, replaced)
    ]
    return min(
        (
            abs(sum(state * amount for state, amount in zip(states, amounts, strict=True)))
            for states in itertools.product(*both)
            if all(pauling_test(states, values) for values in electronegativities)
        ),
        default=math.inf,
    )


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(["Li", "Na", "Fe", "Mn", "Sr", "La", "Sb", "S", "O", "F", "Te", "N"]),
        st.sampled_from([1, 2, 3, 4, 0.05, 0.25, 0.95]),
        min_size=2,
        max_size=3,
    ),
    st.integers(1, 2),
)
def test_isovalent_is_what_smact_says(composition, n_replaced):
    replacing = {"n_neighbors": 10, "n_replaced": n_replaced, "embedding": "magpie"}
    replacing["elements"] = ["K", "Mn", "Co", "Ba", "Ce", "As", "Se", "Cl", "I", "O"]
    kept = set(substitute([composition], isovalent=True, **replacing))
    amounts = list(composition.values())
    before = least_charge(composition, composition, amounts)
    balanced = before <= 0.01 * sum(amounts) + 1e-9
    expected = set()
    for others in itertools.product(*([s, *replacing["elements"]] for s in composition)):
        n_others = sum(a != b for a, b in zip(composition, others, strict=True))
        if n_others not in range(1, n_replaced + 1) or len(set(others)) < len(others):
            continue
        alike = all(
            a == b or STATES[a] & STATES[b] for a, b in zip(composition, others, strict=True)
        )
        after = least_charge(composition, others, amounts)
        if alike and (not balanced or after <= before + 1e-9):
            expected.add(reduced_formula([dict(zip(others, amounts, strict=True))])[0])
    assert kept == expected - {*reduced_formula([composition])}


@pytest.mark.parametrize("dopant", ["Fe", "Co", "Mn", "Ni"])
def test_many_compositions_are_as_one(dopant):
    """One charge of so little dopant is 0.01 in each atom, which is where balance ends."""
    X = [
        f"{rare}{metal}{1 - x:.2f}{dopant}{x:.2f}O3"
        for rare in ("La", "Nd", "Y")
        for metal in ("Al", "Ga")
        for x in (0.03, 0.05)
    ]
    found = set(substitute(X, isovalent=True))
    assert found == set(substitute(X[::-1], isovalent=True))
    alone = [set(substitute([formula], exclude=X, isovalent=True)) for formula in X]
    assert found == set().union(*alone)
    # Zn2+ in the place of Fe3+ is no rounding of amounts.
    assert not [formula for formula in found if "Zn" in formula or "Mg" in formula]


def test_many_elements_with_many_states():
    """There are 9e6 choices of states. F- is not O2-; Ba2+ leaves a charge where Na+ was."""
    metals = ["V", "Cr", "Mn", "Fe", "Co", "Ru", "Rh", "Re", "Os", "Ir", "Ni", "Pd", "Cu", "Au"]
    replacing = {"n_neighbors": 1, "elements": ["S", "F", "K", "Ba"]}
    oxide = dict.fromkeys(metals, 0.1) | {"Na": 0.1, "O": 2.15}
    found = set(substitute([oxide], isovalent=True, **replacing))
    assert {reduced_formula([oxide | {"Na": 0, "K": 0.1}])[0]} < found
    lost = set(substitute([oxide], **replacing)) - found
    assert reduced_formula([oxide | {"O": 0, "F": 2.15}])[0] in lost


def test_isovalent_without_smact(monkeypatch):
    _states.cache_clear()
    monkeypatch.setitem(sys.modules, "smact.utils.oxidation", None)
    assert len(substitute(["Fe2O3"]))
    with pytest.raises(ImportError, match="isovalent=True needs SMACT"):
        substitute(["Fe2O3"], isovalent=True)


def test_known_ones_do_not_come_out():
    X = ["NaCl", "KCl", "Na2Cl2", "NaBr"]
    every = list(substitute(["NaCl"]))
    assert {"KCl", "NaBr"} < set(every)
    found = list(substitute(X))
    assert not {*reduced_formula(X)} & {*found}
    assert len(set(found)) == len(found)
    exclude = pd.DataFrame({"formula": ["Rb3Cl3", "NaI", "UO2", "Fe2O3"], "T": [1.0, 2, 3, 4]})
    assert list(substitute(["NaCl"], exclude=exclude)) == [
        formula for formula in every if formula not in ("RbCl", "NaI")
    ]
    assert list(substitute(["NaCl"], exclude=[])) == every


@pytest.mark.parametrize(
    "X",
    [
        ["Fe4O6", "NaCl"],
        pd.DataFrame({"formula": ["Fe2O3", "NaCl"], "T": [300.0, 400.0]}),
        pd.DataFrame({"Fe": [0.4, 0], "O": [0.6, 0], "Na": [0, 1.0], "Cl": [0, 1.0]}),
    ],
)
def test_forms_of_X(X):
    assert list(substitute(X)) == list(substitute(["Fe2O3", "NaCl"]))


def test_elements_without_a_vector_are_never_suggested():
    incomplete = {**VECTORS, "Na": [np.nan, 1, 2, 3, 4], "Cl": [np.nan] * 5}
    found = substitute(["FeO"], n_neighbors=99, embedding=incomplete)
    suggested = set(parse_formulas(found).atomic_numbers)
    assert {ELEMENTS[z - 1] for z in suggested} == {"K", "Fe", "Co", "O", "S", "F"}


def test_allowed_elements_without_a_vector_are_never_suggested():
    """As those of a slice of the periodic table, of which the table of vectors lacks some."""
    for elements in (ELEMENTS[:83], {*ELEMENTS[:83]}):
        found = list(substitute(["NaCl"], n_neighbors=3, elements=elements))
        assert found == list(substitute(["NaCl"], n_neighbors=3))
    with_some = substitute(["FeO"], n_neighbors=99, embedding=VECTORS, elements=["Na", "S", "Po"])
    assert set(parse_formulas(with_some).atomic_numbers) <= {11, 16, 26, 8}
    assert len(with_some) == 4


def test_nothing_to_suggest():
    found = substitute(["FeO"], elements=["Fe", "O"])
    assert len(found) == 0
    assert list(found) == []
    assert list(found[2:]) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": ["Fe", "Xx"]}, "row 1: 'Xx'"),
        ({"X": "FeO"}, "single formula"),
        (
            {"X": ["FeO", "PoO2", "AmPo"]},
            r"'orb_v2' has no vector for Po, Am, in 2 of 3 rows \(row 1, 2\): remove these rows",
        ),
        ({"elements": ["Ne", "Po"]}, "'orb_v2' has a vector for none of 'Ne', 'Po', so that noth"),
        ({"elements": ["Fe", "Xx"]}, "elements: 'Xx' are not element symbols"),
        ({"elements": "Fe"}, "single text"),
        ({"elements": []}, "elements is empty, so that nothing can be suggested"),
        ({"embedding": "onehot"}, "'onehot' all elements are equally similar"),
        ({"embedding": {"Fe": [1.0], "O": [2.0]}}, "single feature"),
        ({"embedding": "matvec"}, "unknown embedding 'matvec'"),
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"n_replaced": 0}, "n_replaced"),
        ({"exclude": ["Xx"]}, "row 0: 'Xx'"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        substitute(**{"X": ["FeO"], **arguments})
