"""The bundled formation enthalpies: values, shapes, provenance."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crabsk.datasets import load_formation_enthalpy

ROOT = Path(__file__).parents[2]
KJ_PER_MOL = 1 / 96.485332  # eV


@pytest.fixture(scope="module")
def script():
    path = ROOT / "benchmarks" / "make_formation_enthalpy_csv.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Standard enthalpies of formation from common tables (CRC Handbook), in kJ/mol of formula units.
@pytest.mark.parametrize(
    ("formula", "enthalpy", "n_atoms"),
    [
        ("NaCl", -411.2, 2),
        ("Al2O3", -1675.7, 5),
        ("MgO", -601.6, 2),
        ("SiO2", -910.7, 3),
        ("TiO2", -944.0, 3),
        ("CaF2", -1228.0, 3),
        ("CaCO3", -1207.6, 5),
        ("Fe2O3", -824.2, 5),
        ("ZnS", -206.0, 2),
        ("Ag2O", -31.1, 3),
        ("Fe3C", 25.1, 4),
    ],
)
def test_well_known_compounds(formula, enthalpy, n_atoms):
    X, y = load_formation_enthalpy(return_X_y=True)
    (value,) = y[np.equal(X, formula)]
    assert value == pytest.approx(enthalpy * KJ_PER_MOL / n_atoms, abs=0.02)


def test_bunch():
    bunch = load_formation_enthalpy()
    assert bunch.data.shape == bunch.target.shape == bunch.uncertainty.shape == (2135,)
    assert bunch.data.dtype == object
    assert {type(formula) for formula in bunch.data} == {str}
    assert bunch.target.dtype == bunch.uncertainty.dtype == np.float64
    assert bunch.feature_names == ["formula"]
    assert bunch.target_names == ["formation_enthalpy"]
    assert bunch.frame is None
    assert Path(bunch.filename).is_file()


def test_as_frame():
    arrays, bunch = load_formation_enthalpy(), load_formation_enthalpy(as_frame=True)
    assert list(bunch.frame.columns) == ["formula", "formation_enthalpy"]
    assert list(bunch.data.columns) == ["formula"]
    pd.testing.assert_frame_equal(bunch.frame[["formula"]], bunch.data)
    pd.testing.assert_series_equal(bunch.frame["formation_enthalpy"], bunch.target)
    np.testing.assert_array_equal(bunch.data["formula"], arrays.data)
    np.testing.assert_array_equal(bunch.target, arrays.target)
    np.testing.assert_array_equal(bunch.uncertainty, arrays.uncertainty)


def test_return_X_y():
    bunch = load_formation_enthalpy()
    X, y = load_formation_enthalpy(return_X_y=True)
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)
    X, y = load_formation_enthalpy(return_X_y=True, as_frame=True)
    assert isinstance(X, pd.Series)
    assert (X.name, y.name) == ("formula", "formation_enthalpy")
    np.testing.assert_array_equal(X, bunch.data)


def test_each_call_gives_its_own_copy():
    load_formation_enthalpy().target[:] = 0
    assert load_formation_enthalpy().target[0] == -0.873708


def test_numbers_told_in_description_and_docstring():
    bunch = load_formation_enthalpy()
    elements = {symbol for text in bunch.data for symbol in re.findall(r"[A-Z][a-z]?", text)}
    n_elements = [len(set(re.findall(r"[A-Z][a-z]?", text))) for text in bunch.data]
    assert len(set(bunch.data)) == 2135
    assert len(elements) == 79
    assert np.bincount(n_elements).tolist() == [0, 0, 1491, 592, 52]
    assert np.isnan(bunch.uncertainty).sum() == 301
    assert (bunch.uncertainty == 0).sum() == 5
    assert (bunch.target > 0).sum() == 7
    assert bunch.data[bunch.target.argmin()] == "CeF3"
    assert bunch.data[bunch.target.argmax()] == "CuCN"
    assert bunch.target.min() == -4.489283
    assert bunch.target.max() == 0.328202
    assert bunch.target.mean() == pytest.approx(-1.013134, abs=5e-7)
    for told in ("2135", "1491", "592", "52", "79", "-4.489283", "0.328202", "1834", "301"):
        assert told in bunch.DESCR
    assert "Copyright (c) 2011-2012 MIT" in bunch.DESCR
    assert "eV per atom" in bunch.DESCR


def test_formulas_differ_after_reduction():
    from pymatgen.core import Composition

    reduced = {Composition(text).reduced_formula for text in load_formation_enthalpy().data}
    assert len(reduced) == 2135


def test_file_is_what_the_script_makes(script):
    assert script.CSV_PATH.read_bytes() == script.csv_text().encode()
    assert script.CSV_PATH.stat().st_size < 500_000


def test_values_are_those_of_pymatgen(script):
    from pymatgen.core import Composition

    bunch = load_formation_enthalpy()
    source = script.read_source()
    n_atoms = np.array([Composition(entry["formula"]).num_atoms for entry in source])
    assert bunch.data.tolist() == [entry["formula"] for entry in source]
    for ours, theirs in ((bunch.target, "exp energy"), (bunch.uncertainty, "uncertainty")):
        values = np.array([entry[theirs] for entry in source])
        np.testing.assert_allclose(ours, values / n_atoms, rtol=0, atol=5.1e-7)


def test_script_says_where_it_looked(script, monkeypatch):
    monkeypatch.setattr(script, "HOMES", ("no_such_package",))
    with pytest.raises(FileNotFoundError, match=r"no_such_package.*install pymatgen"):
        script.read_source()


def test_script_refuses_a_missing_energy(script, monkeypatch):
    entry = {"formula": "NaCl", "exp energy": float("nan"), "uncertainty": 0.1}
    monkeypatch.setattr(script, "read_source", lambda: [entry])
    with pytest.raises(ValueError, match="NaCl has no energy"):
        script.csv_text()


def test_script_writes_the_file(script, monkeypatch, tmp_path):
    monkeypatch.setattr(script, "CSV_PATH", tmp_path / "made.csv")
    monkeypatch.setattr(
        script, "read_source", lambda: [{"formula": "NaN", "exp energy": 1.0, "uncertainty": 0.5}]
    )
    script.main()
    made = (tmp_path / "made.csv").read_bytes()
    assert made == b"formula,formation_enthalpy,uncertainty\nNaN,0.5,0.25\n"


def test_sodium_nitride_is_a_formula(monkeypatch, tmp_path):
    """No bundled formula reads as a missing value today; one that did would not be lost."""
    from crabsk.datasets import _formation_enthalpy

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "formation_enthalpy.csv").write_text(
        "formula,formation_enthalpy,uncertainty\nNaN,0.5,\nNA,0.25,0.1\n"
    )
    monkeypatch.setattr(_formation_enthalpy.resources, "files", lambda package: tmp_path)
    monkeypatch.setattr(_formation_enthalpy, "read_descr", lambda name: "")
    bunch = load_formation_enthalpy()
    assert bunch.data.tolist() == ["NaN", "NA"]
    np.testing.assert_array_equal(bunch.uncertainty, [np.nan, 0.1])


def test_loading_imports_nothing_heavy():
    code = (
        "import sys; from crabsk import datasets; "
        "heavy = {'torch', 'matplotlib', 'pymatgen', 'skorch'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); "
        "datasets.load_formation_enthalpy(); datasets.matbench_folds('steels'); "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
