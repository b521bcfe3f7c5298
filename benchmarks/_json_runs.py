"""What older versions of the benchmarks measured, a JSON file a run, until it is in the CSVs."""

import json
from collections.abc import Iterator
from pathlib import Path

import sklearn.ensemble
from _results import defaults, differing

import crabsk

NAMES = {
    "fit_s": "seconds",
    "fit_cpu_s": "cpu_seconds",
    "predict_s": "predict_seconds",
    "n_threads": "threads",
    "sha256": "source_sha256",
}
# Parameters that are gone, at the values at which they change nothing.
GONE = {
    "calibration": False,
    "early_stopping": False,
    "formula_column": "auto",
    "mc_dropout": 0,
    "n_iter_no_change": 10,
}
ELEMNET_TABLE = "DataFrame of shape (86, 86), SHA-256 9263ed642605da07"


def read_json_runs(folder: Path) -> list[dict]:
    """Read the runs as rows of the CSV: the names of today, a row for each figure."""
    return [row for path in sorted(folder.rglob("*.json")) for row in _rows(path)]


def _rows(path: Path) -> Iterator[dict]:
    result = json.loads(path.read_text())
    old = result.pop("parameters")
    row = {NAMES.get(name, name): value for name, value in result.items()}
    row |= row.pop("versions") | row.pop("machine")
    row |= {"epochs": old.get("max_epochs"), "n_estimators": old["n_estimators"], "defaults": ""}
    row["parameters"] = json.dumps(_parameters(old))
    if path.stem.startswith("pretraining_"):
        row |= {"model": "pretraining", "pretraining": path.stem.removeprefix("pretraining_")}
    if "scores" in row:  # of several properties
        for name, score in row.pop("scores").items():
            known = {"training_labels": score.pop("n_labels")}
            yield {**row, "property": name, **known, **score}
    elif isinstance(row.get("mae"), dict):  # of ensembles of several sizes
        row["cpu_seconds"] = row.pop("cpu_s_per_member") * row["n_estimators"]
        for networks, mae in row.pop("mae").items():
            yield {**row, "networks": int(networks), "mae": mae}
    else:
        yield row


def _parameters(old: dict) -> dict:
    """Return the parameters of a run that differ from the defaults, under the names of today."""
    gone = dict(GONE)
    if old["class"].startswith("CrabNet"):
        width = old["d_model"]
        gone |= {"norm_first": True, "standardize_fractions": True, "n_heads": 4}
        gone |= {"dim_feedforward": 2 * width, "head_widths": [2 * width, width]}
    elsewhere = ("max_epochs", "random_state")
    new = {
        name: value
        for name, value in old.items()
        if name not in elsewhere and (name not in gone or value != gone[name])
    }
    if new.get("embedding") == ELEMNET_TABLE:
        new["embedding"] = "elemnet"
    if new.pop("head", "shared") == "shared":  # of which there are no experts
        new.pop("n_experts", None)
    module = crabsk if hasattr(crabsk, old["class"]) else sklearn.ensemble
    return differing(new, defaults(getattr(module, old["class"])()))
