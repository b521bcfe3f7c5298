"""How fast formulas are read: crabsk's `parse_formulas` beside pymatgen's `Composition`.

Both read the distinct formulas of Matbench's mp_e_form, by turns, in one process. pymatgen keeps
the last 512 formulas that it has parsed; every formula comes once in a repeat and that cache is
emptied before each, so none of its figures is a look-up of a formula. Its cache of elements stays
warm. crabsk remembers terms such as `Fe2` within one call and nothing between calls. crabsk returns
all compositions in one batch; pymatgen's objects are made one by one and dropped, so that it does
not pay for keeping them.
"""

import time
from collections import deque
from collections.abc import Callable

import pymatgen.core.composition
from _common import ROOT, argument_parser, read_data_set, spread, write_results
from pymatgen.core import Composition

from crabsk.composition import parse_formulas

DATA_SET = "matbench/mp_e_form"
REPEATS = 5


def read_with_pymatgen(formulas: list[str]) -> None:
    deque(map(Composition, formulas), maxlen=0)


def empty_pymatgen_cache() -> None:
    # A private name: a version without it is taken to have no cache of formulas.
    cached = getattr(pymatgen.core.composition, "_parse_formula_cached", None)
    if cached is not None:
        cached.cache_clear()


def formulas_per_second(read: Callable, formulas: list[str]) -> float:
    start = time.perf_counter()
    read(formulas)
    return len(formulas) / (time.perf_counter() - start)


def main() -> None:
    data = argument_parser(__doc__).parse_args().data
    formulas = read_data_set(data, DATA_SET)["formula"].unique().tolist()
    for read in (parse_formulas, read_with_pymatgen):  # imports and element tables, once
        read(formulas[:1000])

    crabsk, pymatgen_ = [], []
    for _ in range(REPEATS):
        crabsk.append(formulas_per_second(parse_formulas, formulas))
        empty_pymatgen_cache()
        pymatgen_.append(formulas_per_second(read_with_pymatgen, formulas))
    ratios = [ours / theirs for ours, theirs in zip(crabsk, pymatgen_, strict=True)]

    figures = {
        "crabsk_per_s": spread(crabsk),
        "pymatgen_per_s": spread(pymatgen_),
        "ratio": spread(ratios),
    }
    print(f"{len(formulas)} distinct formulas of {DATA_SET}, {REPEATS} repeats by turns\n")
    print(f"{'':26}{'median':>10}{'min':>10}{'max':>10}")
    for label, key, digits in (
        ("crabsk, formulas/s", "crabsk_per_s", 0),
        ("pymatgen, formulas/s", "pymatgen_per_s", 0),
        ("crabsk / pymatgen", "ratio", 2),
    ):
        cells = "".join(f"{figures[key][k]:>10.{digits}f}" for k in ("median", "min", "max"))
        print(f"{label:26}{cells}")
    path = write_results(
        "parsing",
        {"data_set": DATA_SET, "n_formulas": len(formulas), "repeats": REPEATS, **figures},
        packages=("numpy", "pymatgen"),
    )
    print(f"\n{path.relative_to(ROOT)} written")


if __name__ == "__main__":
    main()
