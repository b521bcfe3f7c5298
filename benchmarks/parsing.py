"""How fast formulas are read: crabsk's `parse_formulas` beside pymatgen's `Composition`.

Both read the distinct formulas of Matbench's mp_e_form, by turns, in one process. pymatgen keeps
the last 512 formulas that it has parsed; every formula comes once in a repeat and that cache is
emptied before each, so none of its figures is a look-up of a formula. Its cache of elements stays
warm. crabsk remembers terms such as `Fe2` within one call and nothing between calls. crabsk returns
all compositions in one batch; pymatgen's objects are made one by one and dropped, so that it does
not pay for keeping them.
"""

import argparse
from collections import deque
from collections.abc import Sequence

import pymatgen.core.composition
from _common import (
    Work,
    benchmark_parser,
    compare_rates,
    rates_table,
    read_data_set,
    run_benchmark,
)
from _markdown import write_markdown
from _results import RESULTS, append_rows, read_table
from pymatgen.core import Composition

from crabsk.composition import parse_formulas

DATA_SET = "matbench/mp_e_form"
REPEATS = 5


def read_with_pymatgen(formulas: list[str]) -> None:
    # A private name: a version without it is taken to have no cache of formulas.
    cached = getattr(pymatgen.core.composition, "_parse_formula_cached", None)
    if cached is not None:
        cached.cache_clear()
    deque(map(Composition, formulas), maxlen=0)


def tables(options: argparse.Namespace) -> dict[str, str]:
    results = read_table(RESULTS / "parsing.csv")
    return {"parsing": write_markdown(rates_table(results))} if len(results) else {}


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = benchmark_parser(__doc__)
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> None:
    formulas = read_data_set(options.data, DATA_SET)["formula"].unique().tolist()
    for read in (parse_formulas, read_with_pymatgen):  # imports and element tables, once
        read(formulas[:1000])
    rates = compare_rates(
        Work(parse_formulas, formulas), Work(read_with_pymatgen, formulas), REPEATS
    )
    row = {"data_set": DATA_SET, "peer": "pymatgen", **rates, "parameters": "{}"}
    append_rows("parsing", [row], packages=("numpy", "pymatgen"))


def main() -> None:
    run_benchmark(measure, tables, read_options())


if __name__ == "__main__":
    main()
