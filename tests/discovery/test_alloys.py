"""Alloys on a grid of percentages."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crabsk.composition import ELEMENTS, from_weight_percent, parse_formulas, reduced_formula
from crabsk.discovery import alloy_grid

METALS = ["Ti", "Al", "Fe", "Cr", "Ni"]


def brute_force(ranges, step):
    """Return the percentages of all alloys, in order."""
    n_steps = round(100 / step)
    choices = [
        [k for k in range(n_steps + 1) if low <= k * step + 1e-9 and k * step - 1e-9 <= high]
        for low, high in ranges.values()
    ]
    return [
        {s: k * 100 / n_steps for s, k in zip(ranges, steps, strict=True) if k}
        for steps in itertools.product(*choices)
        if sum(steps) == n_steps
    ]


@st.composite
def grids(draw):
    step = draw(st.sampled_from([5, 10, 12.5, 20, 100 / 3]))
    n_steps = round(100 / step)
    symbols = draw(st.lists(st.sampled_from(METALS), min_size=1, max_size=4, unique=True))
    ranges = {}
    for symbol in symbols:
        low = draw(st.integers(0, n_steps))
        ranges[symbol] = (low * step, draw(st.integers(low, n_steps)) * step)
    return ranges, step


@settings(deadline=None)
@given(grids(), st.sampled_from(["at%", "wt%"]))
def test_is_all_that_adds_up_to_100(grid, unit):
    ranges, step = grid
    percentages = brute_force(ranges, step)
    if not percentages:
        with pytest.raises(ValueError, match="no percentages add up to 100"):
            alloy_grid(ranges, step=step, unit=unit)
        return
    alloys = alloy_grid(ranges, step=step, unit=unit)
    amounts = percentages if unit == "at%" else from_weight_percent(percentages)
    assert len(alloys) == len(percentages)
    assert list(alloys) == reduced_formula(amounts).tolist()


def test_a_number_fixes_an_element():
    alloys = alloy_grid({"Ti": (0, 100), "Al": 10, "V": (0, 5)}, step=2.5)
    assert list(alloys) == reduced_formula(["Ti85Al10V5", "Ti87.5Al10V2.5", "Ti90Al10"]).tolist()
    assert repr(alloys) == "<Candidates: 3 alloys of Ti, Al, V in steps of 2.5 at%>"
    assert list(alloy_grid({"Fe": 100}, step=100)) == ["Fe"]


def test_decimal_steps_are_not_missed():
    """0.1 and its multiples are no exact floats."""
    steel = alloy_grid({"C": (0.1, 0.3), "Mn": (0.7, 0.7), "Fe": (0, 100)}, step=0.1)
    assert len(steel) == 3
    assert list(steel) == reduced_formula([f"C{n}Mn7Fe{993 - n}" for n in (1, 2, 3)]).tolist()


@pytest.mark.parametrize("unit", ["at%", "wt%"])
def test_fine_steps(unit):
    """Whole amounts would take more atoms than `reduced_formula` writes."""
    ranges = {"Fe": (49.999, 50), "Cr": (0, 50), "B": (0, 0.002)}
    alloys = alloy_grid(ranges, step=0.001, unit=unit)
    percentages = [
        {"Fe": fe / 1000, "Cr": (100_000 - fe - b) / 1000, "B": b / 1000}
        for fe in (49_999, 50_000)
        for b in (2, 1, 0)
        if 100_000 - fe - b <= 50_000
    ]
    amounts = percentages if unit == "at%" else from_weight_percent(percentages)
    assert list(alloys) == reduced_formula(amounts).tolist()
    assert len(set(alloys)) == len(percentages) == 5


@pytest.mark.parametrize("symbol", ["Ra", "No", "U", "Og", "H"])
def test_every_element_has_a_weight(symbol):
    (alloy,) = alloy_grid({"Fe": 50, symbol: 50}, step=50, unit="wt%")
    read = parse_formulas([alloy])
    assert {ELEMENTS[z - 1] for z in read.atomic_numbers} == {"Fe", symbol}


def test_weights_read_back():
    """To within 1e-5 percent, the limit that the docstring states."""
    ranges = {"Ti": (80, 100), "Al": (0, 10), "V": (0, 10), "Fe": (0, 2)}
    alloys = alloy_grid(ranges, step=0.5, unit="wt%")
    read = parse_formulas(alloys[:3000])
    weights = {"Ti": 47.867, "Al": 26.982, "V": 50.942, "Fe": 55.845}
    grams = read.fractions * [weights[ELEMENTS[z - 1]] for z in read.atomic_numbers]
    percent = grams / np.bincount(read.row_of_token, grams)[read.row_of_token] * 100
    np.testing.assert_allclose(percent, np.rint(percent * 2) / 2, atol=1e-5, rtol=0)


def test_a_large_grid_costs_nothing_until_it_is_read():
    ranges = dict.fromkeys(["Al", "Cr", "Fe", "Ni", "Co", "Mn", "Cu"], (0, 100))
    alloys = alloy_grid(ranges, step=0.5)
    assert len(alloys) > 10**10
    assert alloys[0] == "Cu"
    assert alloys[-1] == "Al"
    middle = alloys[len(alloys) // 2 :][:2000]
    amounts = parse_formulas(middle)
    assert len(set(middle)) == 2000
    np.testing.assert_allclose(amounts.fractions * 200, np.rint(amounts.fractions * 200))


def test_a_grid_of_more_than_int64_in_which_few_ways_are_left():
    """Most ways to fill fewer steps are met by no alloy."""
    metals = [s for s in ELEMENTS[20:80] if s not in METALS]
    ranges = {"Ti": (99, 100), **dict.fromkeys(metals[:40], (0, 100))}
    alloys = alloy_grid(ranges, step=0.5)
    assert len(alloys) == 1 + 40 + 40 * 41 // 2
    assert len(set(alloys)) == len(alloys)
    with pytest.raises(ValueError, match=r"there are .*e\+.* alloys on the grid"):
        alloy_grid({**ranges, "Ti": (0, 100)}, step=0.5)


class TestExclude:
    @settings(deadline=None, max_examples=50)
    @given(grids(), st.sampled_from(["at%", "wt%"]), st.data())
    def test_leaves_out_what_is_on_the_grid(self, grid, unit, data):
        ranges, step = grid
        if not brute_force(ranges, step):
            return
        formulas = list(alloy_grid(ranges, step=step, unit=unit))
        chosen = data.draw(st.lists(st.sampled_from(formulas)))
        exclude = [*chosen, "Fe0.123Cr0.877", "NaCl", "CuZn"]
        rest = alloy_grid(ranges, step=step, unit=unit, exclude=exclude)
        assert list(rest) == [formula for formula in formulas if formula not in chosen]
        assert len(rest) == len(formulas) - len(set(chosen))

    def test_forms(self):
        ranges = {"Fe": (0, 100), "Cr": (0, 20)}
        every = alloy_grid(ranges, step=5)
        for known in (["Fe90Cr10"], pd.DataFrame({"Fe": [0.9], "Cr": [0.1]})):
            rest = alloy_grid(ranges, step=5, exclude=known)
            assert set(every) - set(rest) == {"CrFe9"}
        assert list(alloy_grid(ranges, step=5, exclude=[])) == list(every)

    def test_what_is_out_of_range_stays_out_of_count(self):
        rest = alloy_grid({"Fe": (80, 100), "Cr": (0, 20)}, step=10, exclude=["FeCr", "Fe9Cr"])
        assert list(rest) == ["CrFe4", "Fe"]

    def test_what_is_known_by_weight(self):
        known = from_weight_percent(["Ti-6Al-4V"])
        ranges = {"Ti": (80, 100), "Al": (0, 10), "V": (0, 10)}
        every = alloy_grid(ranges, step=1, unit="wt%")
        rest = alloy_grid(ranges, step=1, unit="wt%", exclude=known)
        assert set(every) - set(rest) == set(reduced_formula(known))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": 3}, "100 is not a whole multiple of step=3.*use a step such as 2.94.* or 3.03"),
        ({"step": 0}, "step=0 must be a percentage from 0.001 to 100"),
        ({"step": 1e-4}, "step=0.0001 must be"),
        ({"step": "5"}, "step='5' must be"),
        ({"step": float("nan")}, "step=nan must be"),
        ({"unit": "mol%"}, "unit='mol%' is not one of 'at%', 'wt%'"),
        ({"ranges": {}}, "must be a mapping"),
        ({"ranges": ["Fe", "Cr"]}, "must be a mapping"),
        ({"ranges": {"Fe": (0, 100), "Xx": (0, 5)}}, "ranges: 'Xx' are not element symbols"),
        ({"ranges": {"Fe": (0, 101)}}, r"the range of Fe, \(0, 101\), must be a percentage"),
        ({"ranges": {"Fe": (-5, 100)}}, "must be a percentage"),
        ({"ranges": {"Fe": (0, 50, 100)}}, "must be a percentage"),
        ({"ranges": {"Fe": "0-100"}}, "the range of Fe, '0-100', must be a percentage"),
        ({"ranges": {"Fe": True}}, "must be a percentage"),
        ({"ranges": {"Fe": (50, 20)}}, "the range of Fe.*lower bound above the upper"),
        (
            {"ranges": {"Fe": (0, 100), "C": (0, 2)}},
            r"the range of C, \(0, 2\), is not on the grid: 2 is no multiple.*use 0 or 5",
        ),
        ({"ranges": {"Fe": (60, 100), "C": (45, 50)}}, "lower bounds add up to 105"),
        ({"ranges": {"Fe": (0, 50), "C": 45}}, "upper bounds add up to 95$"),
        (
            {"ranges": {"W": (0, 0.2), "B": (0, 1)}, "step": 0.05},
            "add up to 1.2; amounts are in at%: multiply fractions by 100",
        ),
        ({"exclude": ["Fe", "Xx"]}, "row 1: 'Xx'"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        alloy_grid(**{"ranges": {"Fe": (0, 100), "Cr": (0, 20)}, "step": 5, **arguments})
