"""The formulas of real data sets, where they are at hand: none is refused, none read otherwise."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Composition

from crabsk.composition import ELEMENTS, check_formulas, parse_formulas

DATA = Path(__file__).parents[3] / "shared" / "data"
FILES = sorted(DATA.glob("*/*.csv.gz"))
# The files of `extended` are computed compounds, written by programs and in several files the
# same. People wrote the others: those are what the default suite reads.
SLOW_WHERE_COMPUTED = [
    pytest.param(path, marks=pytest.mark.slow if path.parent.name == "extended" else ())
    for path in FILES
]

pytestmark = pytest.mark.skipif(not FILES, reason="the data sets are not at hand")


def formulas_of(path):
    table = pd.read_csv(path, keep_default_na=False, usecols=lambda name: name != "target")
    names = [name for name in ("formula", "composition") if name in table]
    return table[names[0] if names else table.columns[0]].drop_duplicates().tolist()


@pytest.mark.parametrize(
    "path", SLOW_WHERE_COMPUTED, ids=lambda path: path.name.removesuffix(".csv.gz")
)
def test_every_formula_is_read(path):
    formulas = formulas_of(path)
    compositions = parse_formulas(formulas)
    assert len(compositions) == len(formulas)
    # One in 100 formulas at most looks like a slip.
    part = formulas[:: max(1, len(formulas) // 2000)]
    assert check_formulas(part)["kind"].notna().mean() < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".csv.gz"))
def test_as_pymatgen_reads_them(path):
    formulas = formulas_of(path)
    compositions = parse_formulas(formulas)
    numbers = {symbol: z for z, symbol in enumerate(ELEMENTS, start=1)}
    for row, formula in enumerate(formulas):
        theirs = Composition(formula).get_el_amt_dict()
        tokens = slice(compositions.offsets[row], compositions.offsets[row + 1])
        assert compositions.atomic_numbers[tokens].tolist() == sorted(map(numbers.get, theirs))
        ours = dict(
            zip(compositions.atomic_numbers[tokens], compositions.amounts[tokens], strict=True)
        )
        for symbol, amount in theirs.items():
            assert np.isclose(ours[numbers[symbol]], amount, rtol=1e-9), formula
