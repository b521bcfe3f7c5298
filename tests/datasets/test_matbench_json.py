"""Official files of Matbench tasks, read as plain data."""

import dataclasses
import json

import pytest
from matbench_files import pack, simple, site, structure

from crabsk.datasets._matbench_json import read_rows
from crabsk.datasets._matbench_tasks import TASKS


def parse_one(value, name="jdft2d", target=1.0):
    """Read a file of one row."""
    task = dataclasses.replace(TASKS[name], n_rows=1)
    raw = pack([task.inputs, task.column], [[value, target]])
    (formula,), (number,) = read_rows(raw, name, task)
    return formula, number


@pytest.mark.parametrize(
    ("value", "formula"),
    [
        (simple("O K Mn O K Mn O O"), "K2Mn2O4"),
        (simple("C"), "C1"),
        # disordered: shares add up over sites
        (structure(site(("Fe", 0.5), ("Co", 0.5)), site(("Fe", 1))), "Co0.5Fe1.5"),
        (structure(site(("Li", 0.25)), site(("O", 1.0))), "Li0.25O1"),
        (structure(*[site(("Na", 1 / 3), ("K", 2 / 3))] * 3), "K2Na1"),
        (structure(*[site(("Na", 0.1))] * 3), "Na0.3"),
        (structure(site(("Na", 0.00001))), "Na0.00001"),
        (structure(site(("Na", 0.1), ("K", 0.2), ("Li", 0.7))), "K0.2Li0.7Na0.1"),
        # oxidation states do not count
        (structure(site(("Fe3+", 1)), site(("Fe2+", 1)), site(("O2-", 1))), "Fe2O1"),
        (structure(site(("Fe2.5+", 1)), site(("Cu0+", 1)), site(("Cl-", 1))), "Cl1Cu1Fe1"),
        (structure(site(("Fe3+", 0.5), ("Fe2+", 0.5))), "Fe1"),
    ],
)
def test_formula_of_a_structure(value, formula):
    assert parse_one(value) == (formula, 1.0)


def test_formula_is_that_of_pymatgen():
    from pymatgen.core import Composition, Lattice, Structure

    made = Structure(
        Lattice.cubic(4.2),
        [{"Fe3+": 0.75, "Al3+": 0.25}, {"Na+": 0.9}, "O2-", "O2-"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0]],
    )
    formula, _ = parse_one(json.loads(json.dumps(made.as_dict())))
    assert formula == "Al0.25Fe0.75Na0.9O2"
    assert Composition(formula).almost_equals(made.composition.element_composition)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the structure is None"),
        ("K2Mn2O4", "the structure is 'K2Mn2O4'"),
        ({"@class": "Structure"}, "the structure is {'@class': 'Structure'}"),
        ({"sites": []}, "no sites"),
        ({"sites": None}, "no sites"),
        ({"sites": {"a": 1}}, "no sites"),
        (structure(site(("K", 1)), {}), "site 1 does not say"),
        (structure({"species": []}), "site 0 does not say"),
        (structure({"species": "K"}), "site 0 does not say"),
        (structure({"species": [{"element": "K"}]}), "site 0 does not say"),
        (structure("K"), "site 0 does not say"),
        (structure(site(("", 1))), "''.* not an element"),
        (structure(site(("fe", 1))), "'fe'.* not an element"),
        (structure(site(("Fe3", 1))), "'Fe3'.* not an element"),
        (structure(site(("Fe3+;", 1))), "'Fe3.;'.* not an element"),
        (structure(site((["Fe"], 1))), "not an element"),
        (structure(site(("Fe", 0))), "occupancy 0"),
        (structure(site(("Fe", -0.5))), "occupancy -0.5"),
        (structure(site(("Fe", float("nan")))), "occupancy nan"),
        (structure(site(("Fe", "1"))), "occupancy '1'"),
        (structure(site(("Fe", True))), "occupancy True"),
        (structure(site(("Fe", None))), "occupancy None"),
        (structure(site(("Fe", float("inf")))), "more than once"),
        (structure(site(("Fe", 10**400))), "more than once"),
        (structure(site(("Fe", 0.6), ("Co", 0.6))), "site 0 is occupied more than once"),
        (structure(site(("Fe", 1e-12))), "too small"),
    ],
)
def test_unreadable_structure(value, message):
    with pytest.raises(ValueError, match=rf"matbench_jdft2d cannot be read at row 0: .*{message}"):
        parse_one(value)


@pytest.mark.parametrize("value", [None, "", "  ", 3, ["Fe"], {"Fe": 1}, simple("Fe")])
def test_unreadable_composition(value):
    with pytest.raises(ValueError, match="cannot be read at row 0: the composition is"):
        parse_one(value, name="steels")


def test_composition_is_the_official_text():
    assert parse_one("Fe0.620C0.000953", name="steels")[0] == "Fe0.620C0.000953"


@pytest.mark.parametrize(
    "target", [None, "1.0", True, float("nan"), float("inf"), 10**400, [1.0], {"a": 1}]
)
def test_unreadable_number(target):
    with pytest.raises(ValueError, match=r"cannot be read at row 0: "):
        parse_one("Fe", name="steels", target=target)


@pytest.mark.parametrize("target", [None, "True", 2, 0.5, float("nan"), [True]])
def test_unreadable_class(target):
    with pytest.raises(ValueError, match=r"row 0: 'gfa' is .*, not true or false"):
        parse_one("Fe", name="glass", target=target)


@pytest.mark.parametrize(("target", "expected"), [(True, 1), (False, 0), (1, 1), (0.0, 0)])
def test_classes(target, expected):
    assert parse_one("Fe", name="glass", target=target)[1] == expected


def test_long_values_are_cut_in_messages():
    with pytest.raises(ValueError, match=r"not a finite number") as caught:
        parse_one("Fe", name="steels", target="x" * 10_000)
    assert len(str(caught.value)) < 250


def test_bad_row_is_named():
    rows = [["Fe", 1.0]] * 4 + [["Fe", None]]
    task = dataclasses.replace(TASKS["steels"], n_rows=5)
    with pytest.raises(ValueError, match="at row 4: 'yield strength' is None"):
        read_rows(pack([task.inputs, task.column], rows), "steels", task)


def test_columns_are_found_by_name():
    task = dataclasses.replace(TASKS["steels"], n_rows=1)
    raw = pack(["yield strength", "id", "composition"], [[1.5, 7, "Fe"]])
    formulas, targets = read_rows(raw, "steels", task)
    assert (formulas, targets.tolist()) == (["Fe"], [1.5])
