"""Make ``crabsk/datasets/data/formation_enthalpy.csv`` from the table that pymatgen ships.

Run ``python benchmarks/make_formation_enthalpy_csv.py`` where pymatgen is installed. A test
makes the text again and compares it with the file in the package, so nothing in that file was
typed or changed by hand.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from importlib import import_module, resources
from pathlib import Path
from typing import Any

CSV_PATH = Path(__file__).parents[1] / "crabsk" / "datasets" / "data" / "formation_enthalpy.csv"
HEADER = ("formula", "formation_enthalpy", "uncertainty")
# A millionth of an eV per atom is far below what a calorimeter can tell; more digits in the source
# come from converting kJ/mol and would only make the file unreadable.
DECIMALS = 6
# Older versions of pymatgen keep the table in the second package.
HOMES = ("pymatgen.analysis.compatibility", "pymatgen.entries")


def read_source() -> list[dict[str, Any]]:
    """Read pymatgen's table of experimental formation enthalpies, in its own order."""
    for home in HOMES:
        try:
            path = resources.files(import_module(home)) / "exp_compounds.json.gz"
            return json.loads(gzip.decompress(path.read_bytes()))
        except (ModuleNotFoundError, FileNotFoundError):
            continue
    raise FileNotFoundError(
        f"exp_compounds.json.gz is in none of {', '.join(HOMES)}: "
        "install pymatgen, or add the folder that this version of it uses to HOMES."
    )


def per_atom(value: float, n_atoms: float) -> str:
    """Write a value per formula unit as one per atom; an absent one (NaN) as an empty field."""
    return "" if math.isnan(value) else repr(round(value / n_atoms, DECIMALS))


def csv_text() -> str:
    """Make the whole CSV file as text."""
    from pymatgen.core import Composition

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for entry in read_source():
        n_atoms = Composition(entry["formula"]).num_atoms
        energy = per_atom(entry["exp energy"], n_atoms)
        if not energy:
            raise ValueError(f"{entry['formula']} has no energy in pymatgen's table.")
        writer.writerow([entry["formula"], energy, per_atom(entry["uncertainty"], n_atoms)])
    return text.getvalue()


def main() -> None:
    CSV_PATH.write_text(csv_text(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
