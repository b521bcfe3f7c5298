"""Make pretrained weights from public data sets of computed properties.

``python benchmarks/make_pretrained.py`` makes those that ship with the package:
``crabsk/pretrained/data/pretrained-1.crabsk``, the networks, and ``pretrained-1.npz``, what they
have seen. With ``--benchmark`` it makes those for published figures, in ``benchmarks/weights``: no
composition of the evaluated sets is in their training, whatever the property. Interrupted, it goes
on where it was.

All compositions are reduced, and a property of a composition is the median over its structures.
Values that are errors of a data set are left out (`PROPERTIES` says which). A target weighs as the
square root of the number of its labels: all alike, the few labels of a small set would be learnt by
heart; by number, only those of large sets would be learnt.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from _common import ROOT, argument_parser, read_data_set
from _pretrained_errors import latest_errors, measure_errors
from skorch.callbacks import Callback

from crabsk import CrabNetRegressor, load_model
from crabsk.composition import ELEMENTS, parse_formulas, reduced_formula
from crabsk.datasets import load_formation_enthalpy
from crabsk.neural_network import write_estimator
from crabsk.pretrained import LATEST, Knowledge

# What pretrained networks are scored on; the formation enthalpies that ship with crabsk, too.
EVALUATED = (
    "matbench/expt_gap",
    "matbench/expt_is_metal",
    "matbench/steels",
    "matbench/jdft2d",
    "matbench/dielectric",
    "matbench/log_gvrh",
    "matbench/log_kvrh",
    "extended/aflow__agl_thermal_expansion_300K",
    "tables/vickers_hardness_GPa",
    "tables/mpea_yield_strength_MPa",
    "tables/obelix_log10_conductivity",
    "tables/liion_log10_conductivity",
)
SHIPPED = ROOT / "crabsk" / "pretrained" / "data"
FOR_BENCHMARKS = ROOT / "benchmarks" / "weights"
BUILD = ROOT / "build" / "pretrained"

CC_BY = "CC-BY-4.0"
MP = "Materials Project (Jain et al. 2013)"
OQMD = "OQMD (Kirklin et al. 2015)"
AFLOW = "AFLOW (Curtarolo et al. 2012), as the CrabNet paper published it"


class Property(NamedTuple):
    """A property that is learnt.

    `least` and `most` are in its unit; values beyond them are errors of the data set.
    """

    name: str
    title: str
    unit: str
    data_set: str
    source: str
    licence: str = CC_BY
    log10: bool = False
    least: float = -np.inf
    most: float = np.inf


PROPERTIES = (
    Property(
        "formation_energy_mp_eV_per_atom",
        "formation energy per atom",
        "eV/atom",
        "matbench/mp_e_form",
        MP,
    ),
    Property("band_gap_mp_eV", "band gap (PBE)", "eV", "matbench/mp_gap", MP),
    Property("metal_mp", "1 for a metal (PBE), 0 for none", "", "matbench/mp_is_metal", MP),
    Property(
        "energy_above_hull_mp_eV_per_atom",
        "energy above the convex hull per atom",
        "eV/atom",
        "extended/mp_e_hull",
        MP,
    ),
    Property(
        "magnetic_moment_mp_mu_B",
        "magnetic moment of the cell",
        "Bohr magnetons",
        "extended/mp_mu_b",
        MP,
    ),
    Property(
        "log10_shear_modulus_mp_GPa",
        "log10 of the shear modulus (Voigt-Reuss-Hill) in GPa",
        "log10 GPa",
        "matbench/log_gvrh",
        MP,
    ),
    Property(
        "log10_bulk_modulus_mp_GPa",
        "log10 of the bulk modulus (Voigt-Reuss-Hill) in GPa",
        "log10 GPa",
        "matbench/log_kvrh",
        MP,
    ),
    Property(
        "decomposition_energy_mp_eV_per_atom",
        "decomposition energy of the ground state per atom",
        "eV/atom",
        "extended/CritExam__Ed",
        f"{MP}, by Bartel et al. 2020",
    ),
    Property(
        "ground_state_formation_energy_mp_eV_per_atom",
        "formation energy of the ground state per atom",
        "eV/atom",
        "extended/CritExam__Ef",
        f"{MP}, by Bartel et al. 2020",
    ),
    Property(
        "formation_energy_perovskite_eV",
        "heat of formation of the cubic perovskite with this composition",
        "eV per formula unit",
        "matbench/perovskites",
        "Castelli et al. 2012",
    ),
    Property(
        "band_gap_aflow_eV", "band gap (PBE)", "eV", "extended/aflow__Egap", AFLOW, "none stated"
    ),
    Property(
        "energy_aflow_eV_per_atom",
        "total energy per atom (PBE)",
        "eV/atom",
        "extended/aflow__energy_atom",
        AFLOW,
        "none stated",
        most=5.0,
    ),
    Property(
        "log10_bulk_modulus_aflow_GPa",
        "log10 of the bulk modulus (Voigt-Reuss-Hill) in GPa",
        "log10 GPa",
        "extended/aflow__ael_bulk_modulus_vrh",
        AFLOW,
        "none stated",
        log10=True,
    ),
    Property(
        "log10_shear_modulus_aflow_GPa",
        "log10 of the shear modulus (Voigt-Reuss-Hill) in GPa",
        "log10 GPa",
        "extended/aflow__ael_shear_modulus_vrh",
        AFLOW,
        "none stated",
        log10=True,
    ),
    Property(
        "log10_thermal_expansion_aflow_per_K",
        "log10 of the thermal expansion at 300 K in 1/K",
        "log10 1/K",
        "extended/aflow__agl_thermal_expansion_300K",
        AFLOW,
        "none stated",
        log10=True,
    ),
    Property("band_gap_oqmd_eV", "band gap (PBE)", "eV", "extended/OQMD_Bandgap", OQMD),
    Property(
        "energy_oqmd_eV_per_atom",
        "total energy per atom (PBE)",
        "eV/atom",
        "extended/OQMD_Energy_per_atom",
        OQMD,
        least=-20.0,
        most=5.0,
    ),
    Property(
        "formation_energy_oqmd_eV_per_atom",
        "formation energy per atom",
        "eV/atom",
        "extended/OQMD_Formation_Enthalpy",
        OQMD,
        least=-6.0,
        most=6.0,
    ),
    Property(
        "log10_volume_oqmd_A3_per_atom",
        "log10 of the volume per atom in cubic angstroms",
        "log10 A^3/atom",
        "extended/OQMD_Volume_per_atom",
        OQMD,
        log10=True,
    ),
)


class Pretraining(CrabNetRegressor):
    """CrabNet whose targets weigh as the square root of the number of their labels."""

    def _encode_targets(self, y: np.ndarray, weights: np.ndarray, *, fit: bool) -> Any:
        targets = super()._encode_targets(y, weights, fit=fit)
        share = (~np.isnan(y)).sum(axis=0) / len(y)
        of_target = torch.from_numpy(share**0.5 / np.mean(share**0.5)).float()
        return replace(targets, weights=targets.weights * of_target)


class Losses(Callback):
    """Prints a line for each pass."""

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        last = net.history[-1]
        print(f"pass {len(net.history)}: loss {last['train_loss']:.4f}, {last['dur']:.0f} s")


# ------------------------------------------------------------------------------------------- data


def read_property(wanted: Property, data: Path) -> pd.Series:
    """Return the property of each reduced composition."""
    frame = read_data_set(data, wanted.data_set)
    values = frame["target"].to_numpy(float)
    sound = (values >= wanted.least) & (values <= wanted.most) & ~(wanted.log10 & (values <= 0))
    frame, values = frame[sound], values[sound]
    print(f"{wanted.name}: {len(values)} values; {(~sound).sum()} left out as errors")
    if wanted.log10:
        values = np.log10(values)
    return pd.Series(values).groupby(reduced_formula(frame["formula"])).median()


def read_all(options: argparse.Namespace) -> pd.DataFrame:
    """Return all properties, a row for each composition."""
    wanted = [p for p in PROPERTIES if p.name not in options.without]
    return pd.DataFrame({p.name: read_property(p, options.data) for p in wanted})


def excluded(options: argparse.Namespace) -> set[str]:
    """Return the reduced formulas that are not to be trained on."""
    formulas: list[str] = []
    for path in options.exclude:
        formulas += [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if options.benchmark:
        for name in EVALUATED:
            formulas += read_data_set(options.data, name)["formula"].tolist()
        formulas += load_formation_enthalpy(return_X_y=True)[0].tolist()
    return set(reduced_formula(formulas)) if formulas else set()


# --------------------------------------------------------------------------------------- training


def train(table: pd.DataFrame, options: argparse.Namespace) -> CrabNetRegressor:
    model = Pretraining(
        n_estimators=options.networks,
        max_epochs=options.passes,
        batch_size=256,
        dropout=0.1,
        random_state=0,
        checkpoint=BUILD / f"{options.name}.checkpoint",
        callbacks=[Losses()],
    )
    start = time.perf_counter()
    model.fit(table.index.to_numpy(object), table.to_numpy())
    print(f"trained for {time.perf_counter() - start:.0f} s")
    # What reads the file knows no Pretraining.
    model.__class__ = CrabNetRegressor
    return model.set_params(checkpoint=None, callbacks=None)


# ------------------------------------------------------------------------------------------ files


def write(
    model: CrabNetRegressor,
    table: pd.DataFrame,
    elements: list[str],
    knowledge: Knowledge,
    path: Path,
) -> None:
    known = latest_errors()["error"]
    about = [
        {
            "name": p.name,
            "title": p.title,
            "unit": p.unit,
            "n_compositions": int(table[p.name].notna().sum()),
            "error": known.get(p.name),
            "source": p.source,
            "licence": p.licence,
        }
        for p in PROPERTIES
        if p.name in table
    ]
    write_estimator(model, path, weights=torch.bfloat16, properties=about, elements=elements)
    knowledge.write(path.with_suffix(".npz"))
    for file in (path, path.with_suffix(".npz")):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def read_options() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--name",
        help="of the files (default: pretrained-1, benchmark-1 with --benchmark, or own with "
        "--exclude, --without or --rows)",
    )
    parser.add_argument(
        "--benchmark",
        action="store_true",
        help="leave out all compositions of the sets that pretrained networks are scored on",
    )
    parser.add_argument(
        "--exclude",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="texts with a formula a line, compositions of which are not to be trained on",
    )
    parser.add_argument(
        "--without",
        nargs="+",
        default=[],
        choices=[p.name for p in PROPERTIES],
        metavar="PROPERTY",
        help="properties that are not to be learnt",
    )
    parser.add_argument("--networks", type=int, default=2)
    parser.add_argument("--passes", type=int, default=12)
    parser.add_argument("--rows", type=int, help="compositions to train on, for a trial")
    parser.add_argument(
        "--out",
        type=Path,
        help="folder (default: that of the package for pretrained-1, benchmarks/weights for "
        "benchmark-1, build/pretrained for others)",
    )
    options = parser.parse_args()
    if options.name is None:
        is_own = options.exclude or options.without or options.rows
        options.name = "own" if is_own else "benchmark-1" if options.benchmark else LATEST
    if options.out is None:
        options.out = {LATEST: SHIPPED, "benchmark-1": FOR_BENCHMARKS}.get(options.name, BUILD)
    return options


def main() -> None:
    options = read_options()
    options.out.mkdir(parents=True, exist_ok=True)
    table = read_all(options)
    kept = ~table.index.isin(excluded(options))
    left_out, table = table[~kept], table[kept]
    if options.rows:
        table = table.sample(options.rows, random_state=0)
    # Properties that only what is left out has cannot be learnt.
    table = table.loc[:, table.notna().sum() >= 500]
    table = table[table.notna().any(axis=1)]
    print(f"{len(table)} compositions, {int(table.notna().sum().sum())} values")
    path = options.out / f"{options.name}.crabsk"
    X = parse_formulas(table.index.to_numpy(object))
    knowledge = Knowledge.of(list(table), X, table.to_numpy())
    if not path.exists():
        model = train(table, options)
    elif Knowledge.read(path.with_suffix(".npz")) == knowledge:
        print(f"{path} was trained on these data: remove it to train anew")
        model = load_model(path)
    else:
        raise SystemExit(f"{path} was trained on other data: remove it, or give another --name")
    elements = [ELEMENTS[z - 1] for z in np.unique(X.atomic_numbers)]
    write(model, table, elements, knowledge, path)
    if options.benchmark and options.name == "benchmark-1":
        measure_errors(path, left_out[table.columns], table)
        # Now with these errors in it.
        write(model, table, elements, knowledge, path)


if __name__ == "__main__":
    main()
