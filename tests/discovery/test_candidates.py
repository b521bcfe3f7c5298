"""What all streams of candidates have in common, and enumerations."""

import itertools
import pickle
import sys
from collections import Counter
from collections.abc import Sequence
from math import comb, gcd, sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smact import Element
from smact.screening import smact_filter

from crabsk import CompositionTransformer
from crabsk.composition import ELEMENTS, parse_formulas, read_compositions, reduced_formula
from crabsk.discovery import (
    Candidates,
    alloy_grid,
    enumerate_compositions,
    random_compositions,
    substitute,
)

SOME = ["Na", "Fe", "Ti", "P", "S", "O"]
STREAMS = {
    "neutral": lambda: enumerate_compositions(SOME, max_amount=5),
    "all": lambda: enumerate_compositions(
        SOME, n_elements=(1, 3), max_amount=3, charge_neutral=False
    ),
    "excluded": lambda: enumerate_compositions(SOME, max_amount=5, exclude=["Na2O", "TiO2", "S"]),
    "random": lambda: random_compositions(SOME, 100, max_amount=5, random_state=0),
    "part": lambda: enumerate_compositions(SOME, max_amount=5)[3:-7:2],
    "substitutes": lambda: substitute(["NaCl", "Fe2O3", "NaCrO2", "La0.9Sr0.1MnO3"]),
    "atoms": lambda: alloy_grid({"Fe": (0, 100), "Cr": (5, 25), "Al": (0, 30)}, step=5),
    "weight": lambda: alloy_grid({"Fe": (0, 100), "Cr": (5, 25), "C": 2}, step=1, unit="wt%"),
    "not all alloys": lambda: alloy_grid(
        {"Fe": (0, 100), "Cr": (0, 60)}, step=5, exclude=["Fe", "Fe3Cr"]
    ),
}


@pytest.fixture(params=STREAMS)
def stream(request):
    return STREAMS[request.param]()


class TestEveryStream:
    def test_is_the_sequence_of_its_formulas(self, stream):
        assert isinstance(stream, Candidates)
        assert isinstance(stream, Sequence)
        formulas = list(stream)
        assert len(formulas) == len(stream) > 10
        assert all(type(formula) is str for formula in formulas)
        assert [stream[i] for i in range(len(stream))] == formulas
        assert stream[-1] == formulas[-1]
        assert stream[np.int64(-len(stream))] == formulas[0]
        for i in (len(stream), -len(stream) - 1):
            with pytest.raises(IndexError, match=f"no candidate {i}: there are {len(stream)}"):
                stream[i]
        assert formulas[7] in stream
        assert "Xx" not in stream

    @pytest.mark.parametrize(
        "where",
        [slice(None), slice(3, 9), slice(-4, None), slice(5, 5), slice(2, 99999), slice(8, 1, -3)],
    )
    def test_slices(self, stream, where):
        part = stream[where]
        expected = list(stream)[where]
        assert isinstance(part, Candidates)
        assert len(part) == len(expected)
        assert list(part) == expected
        assert list(part[1:]) == expected[1:]
        assert list(part[::-2]) == expected[::-2]

    @pytest.mark.parametrize("size", [1, 7, 10**6])
    def test_chunks(self, stream, size):
        chunks = list(stream.chunks(size))
        formulas = list(stream)
        assert all(type(chunk) is list for chunk in chunks)
        assert [len(chunk) for chunk in chunks[:-1]] == [size] * ((len(formulas) - 1) // size)
        assert list(itertools.chain(*chunks)) == formulas

    def test_formulas_are_reduced_and_each_comes_once(self, stream):
        formulas = list(stream)
        assert reduced_formula(formulas).tolist() == formulas
        assert len(set(formulas)) == len(formulas)

    def test_pickles(self, stream):
        assert list(pickle.loads(pickle.dumps(stream))) == list(stream)
        part = stream[2:5]
        again = pickle.loads(pickle.dumps(part))
        assert list(again) == list(part)
        assert repr(again) == repr(part)

    def test_repr_says_how_many(self, stream):
        assert repr(stream).startswith(f"<Candidates: {len(stream):,} ")
        assert repr(stream[1:4]).startswith("<Candidates: 3 of the ")

    def test_arrays_hold_its_formulas(self, stream):
        np.testing.assert_array_equal(np.asarray(stream), list(stream))

    def test_is_an_X(self, stream):
        transformer = CompositionTransformer("magpie").fit(["NaCl"])
        part = stream[:12]
        np.testing.assert_array_equal(transformer.transform(part), transformer.transform([*part]))


class Squares(Candidates):
    """The least that a subclass needs."""

    def __init__(self, n):
        self.n = n
        self.n_read = []

    def __len__(self):
        return self.n

    def _formulas(self, positions):
        self.n_read.append(len(positions))
        return [f"H{i * i}" for i in positions.tolist()]

    def _described(self):
        return "squares"


class TestCandidates:
    def test_of_ones_own(self):
        squares = Squares(5)
        assert list(squares) == ["H0", "H1", "H4", "H9", "H16"]
        assert list(squares[1:4][::-1]) == ["H9", "H4", "H1"]
        assert repr(squares[:2]) == "<Candidates: 2 of the 5 squares>"

    def test_a_loop_reads_some_at_a_time(self):
        squares = Squares(150_000)
        assert sum(1 for _ in squares) == 150_000
        assert squares.n_read == [65_536, 65_536, 18_928]

    def test_a_slice_reads_nothing(self):
        squares = Squares(10**15)
        part = squares[10**14 :][5:]
        assert len(part) == 9 * 10**14 - 5
        assert not squares.n_read
        assert part[0] == f"H{(10**14 + 5) ** 2}"
        assert squares.n_read == [1]

    def test_a_stopped_run_goes_on(self):
        squares = Squares(100)
        done = list(itertools.islice(squares, 37))
        assert done + list(squares[len(done) :]) == list(squares)

    def test_abstract(self):
        with pytest.raises(TypeError, match="abstract"):
            Candidates()

    @pytest.mark.parametrize("size", [0, -1, 2.5])
    def test_size_of_chunks(self, size):
        with pytest.raises((TypeError, ValueError), match="size"):
            Squares(5).chunks(size)


def brute_force(elements, n_elements, max_amount):
    """Return all compositions as sets of pairs (symbol, amount)."""
    low, high = n_elements
    return [
        frozenset(zip(chosen, amounts, strict=True))
        for k in range(low, high + 1)
        for chosen in itertools.combinations(elements, k)
        for amounts in itertools.product(range(1, max_amount + 1), repeat=k)
        if gcd(*amounts) == 1
    ]


def by_smact(elements, n_elements, max_amount):
    low, high = n_elements
    return {
        frozenset(zip(symbols, amounts, strict=True))
        for k in range(low, high + 1)
        for chosen in itertools.combinations(elements, k)
        for symbols, _, amounts in smact_filter(
            [Element(s) for s in chosen], threshold=max_amount, species_unique=True
        )
    }


def read_back(formulas):
    """Return compositions as sets of pairs (symbol, amount), in order."""
    read = parse_formulas(formulas)
    pairs = [
        (ELEMENTS[z - 1], int(n)) for z, n in zip(read.atomic_numbers, read.amounts, strict=True)
    ]
    return [frozenset(pairs[a:b]) for a, b in itertools.pairwise(read.offsets.tolist())]


class TestEnumerateCompositions:
    def test_all_pairs_of_elements_read_back(self):
        pairs = enumerate_compositions(
            ELEMENTS, n_elements=(1, 2), max_amount=3, charge_neutral=False
        )
        formulas = list(pairs)
        expected = brute_force(ELEMENTS, (1, 2), 3)
        assert len(pairs) == len(formulas) == len(expected) == 118 + comb(118, 2) * 7
        assert set(read_back(formulas)) == set(expected)
        assert reduced_formula(formulas).tolist() == formulas

    def test_names_of_materials_get_amounts_of_one(self):
        formulas = list(
            enumerate_compositions(
                ["Y", "B", "C", "O", "F"], n_elements=(4, 5), max_amount=2, charge_neutral=False
            )
        )
        assert "Y1B1C1O1" in formulas
        assert set(read_back(formulas)) == set(brute_force("YBCOF", (4, 5), 2))
        layered = enumerate_compositions(
            ["Eu", "Ru"], n_elements=2, max_amount=1212, charge_neutral=False
        )
        assert list(layered[1210:1212]) == ["EuRu1211", "Eu1Ru1212"]

    @pytest.mark.parametrize(
        ("elements", "n_elements", "max_amount"),
        [
            (["Na", "Fe", "O"], (2, 3), 8),
            (["Cs", "Pb", "I"], (1, 3), 5),
            (["Ga", "As", "H"], (2, 3), 6),
            (["C", "Se", "S", "O"], (2, 3), 4),  # C, Se and S are nearly or quite the same
            (["Tb", "Eu", "Yb", "Cl"], (2, 4), 3),  # crabsk and SMACT disagree on Yb and Tb
            (["Na", "Mn", "P", "O"], (4, 4), 5),
            (["Li", "Al", "Cl"], (3, 3), 12),
            (["Kr", "Xe", "F"], (2, 3), 4),
            (["K", "Na", "Rb"], (2, 3), 4),
            (["Na", "K", "Mg", "P", "O"], (5, 5), 3),
        ],
    )
    def test_neutral_ones_are_those_of_smact(self, elements, n_elements, max_amount):
        candidates = enumerate_compositions(elements, n_elements=n_elements, max_amount=max_amount)
        found = read_back(candidates) if len(candidates) else []
        assert len(found) == len(candidates)
        assert set(found) == by_smact(elements, n_elements, max_amount)

    @settings(max_examples=30, deadline=None)
    @given(st.data())
    def test_any_neutral_ones_are_those_of_smact(self, data):
        known = [s for s in ELEMENTS[:94] if Element(s).oxidation_states_icsd24]
        elements = data.draw(st.lists(st.sampled_from(known), min_size=3, max_size=3, unique=True))
        max_amount = data.draw(st.integers(1, 5))
        candidates = enumerate_compositions(elements, max_amount=max_amount)
        found = read_back(candidates) if len(candidates) else []
        assert len(found) == len(candidates)
        assert set(found) == by_smact(elements, (2, 3), max_amount)

    @settings(max_examples=50, deadline=None)
    @given(st.data())
    def test_what_is_excluded_is_left_out(self, data):
        elements = data.draw(
            st.lists(st.sampled_from(ELEMENTS[:60]), min_size=4, max_size=5, unique=True)
        )
        low = data.draw(st.integers(1, 3))
        high = data.draw(st.integers(low, 4))
        arguments = {
            "n_elements": (low, high),
            "max_amount": data.draw(st.integers(1, 4)),
            "charge_neutral": data.draw(st.booleans()),
        }
        every = enumerate_compositions(elements, **arguments)
        formulas = list(every)
        if not arguments["charge_neutral"]:
            expected = brute_force(elements, (low, high), arguments["max_amount"])
            assert Counter(read_back(formulas)) == Counter(expected)
        chosen = data.draw(st.lists(st.sampled_from(formulas or ["Fe2O3"])))
        foreign = ["UCl6", "Fe0.95O", f"{elements[0]}97", f"{elements[0]}2{elements[1]}9"]
        foreign = [formula for formula in foreign if reduced_formula([formula])[0] not in formulas]
        rest = enumerate_compositions(elements, **arguments, exclude=[*chosen, *foreign])
        assert list(rest) == [formula for formula in formulas if formula not in chosen]
        assert len(rest) == len(formulas) - len(set(chosen) & set(formulas))

    @pytest.mark.parametrize(
        "exclude",
        [
            ["Fe4O6", "FeO", "Fe2O2"],
            pd.DataFrame({"formula": ["Fe2O3", "FeO"], "T": [300.0, 400.0]}),
            pd.DataFrame({"Fe": [0.4, 1.0], "O": [0.6, 1.0]}),
            read_compositions(["Fe2O3", "FeO"]),
        ],
    )
    def test_forms_of_exclude(self, exclude):
        iron_oxides = enumerate_compositions(["Fe", "O"], n_elements=2, max_amount=3)
        rest = enumerate_compositions(["Fe", "O"], n_elements=2, max_amount=3, exclude=exclude)
        assert set(iron_oxides) - set(rest) == {"Fe2O3", "FeO"}
        assert len(rest) == len(iron_oxides) - 2
        assert repr(rest).endswith("amounts up to 3, without 2 excluded>")

    def test_nothing_to_exclude(self):
        every = enumerate_compositions(["Fe", "O"], n_elements=2)
        for nothing in ([], pd.DataFrame({"formula": []}), ["NaCl", "Fe3O4"]):
            rest = enumerate_compositions(["Fe", "O"], n_elements=2, exclude=nothing)
            assert list(rest) == list(every)

    def test_order_of_elements_does_not_matter(self):
        for charge_neutral in (True, False):
            both = [
                list(enumerate_compositions(elements, max_amount=3, charge_neutral=charge_neutral))
                for elements in (SOME, reversed(SOME))
            ]
            assert both[0] == both[1]

    @pytest.mark.parametrize("charge_neutral", [True, False])
    def test_equally_electronegative_elements_are_in_one_order(self, charge_neutral):
        """Of these, two or three each have the same electronegativity: order is not to decide."""
        assert Element("Cu").pauling_eneg == Element("Si").pauling_eneg == 1.9
        elements = ["Cu", "Si", "O", "P", "B", "H"]
        how = {"max_amount": 3, "charge_neutral": charge_neutral}
        expected = enumerate_compositions(elements, **how)
        sample = random_compositions(elements, 20, random_state=0, **how)
        for others in itertools.permutations(elements):
            found = enumerate_compositions(others, **how)
            assert repr(found) == repr(expected)
            assert list(found[::7]) == list(expected[::7])
        assert list(random_compositions(others, 20, random_state=0, **how)) == list(sample)

    def test_elements_without_charges_are_in_no_neutral_composition(self):
        found = parse_formulas(enumerate_compositions(ELEMENTS, n_elements=2))
        left_out = [s for z, s in enumerate(ELEMENTS[:98], 1) if z not in found.atomic_numbers]
        assert left_out == ["He", "Ne", "Ar", "Pm", "At", "Rn", "Fr", "Ra"]
        assert found.atomic_numbers.max() == 98
        assert len(enumerate_compositions(["He", "Ne", "Og"])) == 0

    def test_one_element_is_never_neutral(self):
        assert list(enumerate_compositions(["Na", "Cl"], n_elements=1)) == []
        assert list(enumerate_compositions(["Na", "K"], n_elements=2)) == []
        elements = enumerate_compositions(["Na", "He"], n_elements=1, charge_neutral=False)
        assert list(elements) == ["Na", "He"]

    def test_all_are_counted_without_being_listed(self):
        every = enumerate_compositions(ELEMENTS, n_elements=4, charge_neutral=False)
        n_points = sum(gcd(*amounts) == 1 for amounts in itertools.product(range(1, 9), repeat=4))
        assert len(every) == comb(118, 4) * n_points
        assert every[0] == "FrCsKRb"
        assert every[-1] == "Rf8Rg8Sg8Ts7"
        middle = every[len(every) // 2 :][:1000]
        assert len(set(read_back(middle))) == 1000

    def test_eight_bytes_are_kept_for_each_set_of_elements(self):
        every = enumerate_compositions(ELEMENTS[:60], n_elements=3, max_amount=3)
        formulas = list(every[-2000:])
        stored = pickle.dumps(every)
        assert len(stored) < 8 * comb(60, 3) + 10_000
        assert list(pickle.loads(stored)[-2000:]) == formulas

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"elements": "Fe"}, "elements='Fe' is a single text"),
            ({"elements": ["Fe", "Xx", "D"]}, "elements: 'Xx', 'D' are not element symbols"),
            ({"elements": ["Fe", 8]}, "elements: 8 are not element symbols"),
            ({"elements": ["Fe", "O", "Fe"]}, "elements: 'Fe' come more than once"),
            ({"n_elements": 4}, "compositions of 4 elements, and elements has 3"),
            (
                {"elements": ["W", "B"]},
                r"n_elements=\(2, 3\) \(the default is \(2, 3\)\).*or pass n_elements=2",
            ),
            ({"elements": ["W", "B"], "max_amount": 0}, "max_amount == 0, must be >= 1"),
            ({"elements": []}, "elements has 0: add elements$"),
            ({"n_elements": (3, 2)}, r"n_elements=\(3, 2\) must be a number"),
            ({"n_elements": (0, 2)}, r"n_elements=\(0, 2\) must be a number"),
            ({"n_elements": 2.5}, "n_elements=2.5 must be a number"),
            ({"max_amount": 0}, "max_amount"),
            ({"max_amount": np.int32(300)}, "27,000,000 choices of amounts for 3 elements"),
            ({"exclude": ["Fe", "Xx"]}, "row 1: 'Xx'"),
            ({"elements": ELEMENTS[:90], "n_elements": 6}, "sets of elements are too many"),
            (
                {
                    "elements": ELEMENTS,
                    "n_elements": 20,
                    "max_amount": 2,
                    "charge_neutral": False,
                },
                r"there are 2.*e\+28 compositions",
            ),
        ],
    )
    def test_errors(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            enumerate_compositions(**{"elements": ["Na", "Fe", "O"], **arguments})

    def test_without_smact(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "smact", None)
        with pytest.raises(ImportError, match=r"SMACT: pip install smact, or pass"):
            enumerate_compositions(["Fe", "O"], n_elements=2)
        every = enumerate_compositions(["Fe", "O"], n_elements=2, charge_neutral=False)
        assert len(every) == 43


class TestRandomCompositions:
    def test_is_a_sample_of_the_enumeration(self):
        every = list(enumerate_compositions(SOME, max_amount=5))
        sample = list(random_compositions(SOME, 200, max_amount=5, random_state=0))
        places = [every.index(formula) for formula in sample]
        assert len(sample) == 200
        assert places == sorted(set(places))

    def test_same_seed_same_sample(self):
        def draw(random_state):
            return list(random_compositions(SOME, 50, random_state=random_state))

        assert draw(3) == draw(3) == draw(np.random.RandomState(3))
        assert draw(3) != draw(4)
        assert draw(None) != draw(None)

    def test_each_is_equally_likely(self):
        arguments = {"n_elements": (1, 2), "max_amount": 3, "charge_neutral": False}
        every = list(enumerate_compositions(["Fe", "O"], **arguments))
        random_state = np.random.RandomState(0)
        n_draws, n_samples = 600, 3
        drawn = Counter(
            formula
            for _ in range(n_draws)
            for formula in random_compositions(
                ["Fe", "O"], n_samples, **arguments, random_state=random_state
            )
        )
        share = n_samples / len(every)
        allowed = 5 * sqrt(n_draws * share * (1 - share))
        assert all(abs(drawn[formula] - n_draws * share) < allowed for formula in every)

    def test_all_and_more_than_all(self):
        every = enumerate_compositions(["Fe", "O"], n_elements=2, exclude=["Fe2O3"])
        n = len(every)
        arguments = {"n_elements": 2, "exclude": ["Fe2O3"], "random_state": 0}
        assert list(random_compositions(["Fe", "O"], n, **arguments)) == list(every)
        with pytest.raises(ValueError, match=f"n_samples={n + 1}, but there are {n} such"):
            random_compositions(["Fe", "O"], n + 1, **arguments)

    def test_of_more_than_a_list_could_hold(self):
        sample = random_compositions(
            ELEMENTS, 1000, n_elements=5, charge_neutral=False, random_state=0
        )
        assert len(set(read_back(sample))) == 1000

    @pytest.mark.parametrize("n_samples", [0, -1, 1.5])
    def test_n_samples(self, n_samples):
        with pytest.raises((TypeError, ValueError), match="n_samples"):
            random_compositions(SOME, n_samples)
