"""What the benchmarks share: where the data lie, and how figures are written down."""

import argparse
import json
import os
import platform
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

import crabsk

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DATA = ROOT / ".." / "shared" / "data"


def argument_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--data",
        type=Path,
        default=DATA,
        help="folder of the data sets, such as matbench/mp_e_form.csv.gz in it (default: "
        "../shared/data beside the repository)",
    )
    return parser


def read_data_set(data: Path, name: str) -> pd.DataFrame:
    """Return the table `name`, such as "matbench/steels", of the folder `data`."""
    # Without keep_default_na=False, the formula NaN (sodium and nitrogen) would be a missing value.
    return pd.read_csv(data / f"{name}.csv.gz", keep_default_na=False)


def machine() -> dict:
    """Return what the speed of a machine depends on, and nothing that tells which one it is."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "system": platform.system(),
    }


def versions(*packages: str) -> dict:
    return {
        "python": platform.python_version(),
        "crabsk": crabsk.__version__,
        **{package: metadata.version(package) for package in packages},
    }


def spread(values: list[float]) -> dict:
    return {
        "median": float(np.median(values)),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
    }


def write_results(
    name: str, figures: dict, *, packages: tuple[str, ...], folder: Path = RESULTS
) -> Path:
    """Write ``<folder>/<name>.json``: the figures, the machine and the versions of `packages`.

    The file appears under its name only when it is whole.
    """
    path = folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {**figures, "versions": versions(*packages), "machine": machine()}
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(facts, indent=2) + "\n")
    os.replace(part, path)
    return path
