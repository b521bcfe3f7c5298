"""Results: ``benchmarks/results/<name>.csv`` for each benchmark, a row a run.

A row holds what was measured, the figures, `seconds` and `threads`, the parameters of the model
that differ from the defaults (JSON), and what made it: commit, versions and machine. The column
`defaults` says which defaults these were; it is a key of ``defaults.csv``.
"""

import hashlib
import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

import crabsk
from crabsk._files import write_whole

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
# These have columns of their own: seed, epochs and threads.
ELSEWHERE = {"random_state", "max_epochs", "n_jobs"}


# ----------------------------------------------------------------------------------------- models


def last_step(model: Any) -> Any:
    return model[-1] if hasattr(model, "steps") else model


def settings(model: Any) -> dict:
    """Return the class and the parameters of a model as JSON gives them back."""
    last = last_step(model)
    facts = {"class": type(last).__name__, **last.get_params(deep=False)}
    facts = {name: value for name, value in facts.items() if name not in ELSEWHERE}
    if last is not model:
        facts["features"] = repr(model[0])
    return json.loads(json.dumps(facts, default=repr))


def defaults(model: Any) -> dict:
    return settings(type(last_step(model))())


def parameters(model: Any) -> str:
    """Return the parameters that differ from the defaults, as JSON."""
    return json.dumps(differing(settings(model), defaults(model)))


def described(model: Any) -> dict:
    """Return the two columns that say what a model was: its parameters, and the defaults."""
    return {"parameters": parameters(model), "defaults": defaults(model)}


def differing(known: dict, usual: dict) -> dict:
    return {name: value for name, value in known.items() if usual.get(name, ...) != value}


def n_members(model: Any) -> int:
    """Return the networks or trees of a model; of boosted trees, the rounds that there may be."""
    last = last_step(model)
    return last.n_estimators if hasattr(last, "n_estimators") else last.max_iter


def n_epochs(model: Any, n_train: int, pure_error: float = 0.0) -> int | None:
    """Return the epochs of a network for so many rows; trees have none.

    `pure_error` is the share of the variance of the targets within groups of equal samples.
    """
    return None if last_step(model) is not model else model._n_epochs(n_train, pure_error)


def rate_of_dropout(model: Any, n_train: int) -> float | None:
    """Return what dropout="auto" takes for so many rows; None where it is not "auto"."""
    last = last_step(model)
    return last._dropout_rate(n_train) if getattr(last, "dropout", None) == "auto" else None


def model_facts(model: Any, n_train: int) -> dict:
    """Return what must be equal for a result to stand for this fitted model; see `stands_for`.

    The pure error is among it only where it changed the number of epochs, and the rate of dropout
    only where the number of samples changed it.
    """
    usual = n_epochs(model, n_train)
    pure_error = getattr(model, "_pure_error", 0.0)
    epochs = n_epochs(model, n_train, pure_error)
    dropout = rate_of_dropout(model, n_train)
    return {
        "epochs": epochs,
        **({} if epochs == usual else {"pure_error": pure_error}),
        **({} if dropout == rate_of_dropout(model, 1) else {"dropout": dropout}),
        "n_estimators": n_members(model),
        **described(model),
    }


def stands_for(
    row: dict, model: Any, known_defaults: dict[str, dict], dropout: float | None = None
) -> bool:
    """Whether a row was measured with the parameters that the model has today.

    `dropout` is the rate to take for "auto", if not today's.

    A parameter that was not in the constructor then counts as standing at its default: new
    parameters come with a default that changes nothing. One that has gone since counts only where
    it did not stand at its default. A row without a `pure_error` was trained in full, and one
    without a `dropout` had the rate for few rows.
    """
    today, usual = settings(model), defaults(model)
    then = known_defaults.get(row["defaults"], {})
    known = usual | {name: value for name, value in then.items() if name in usual}
    known |= json.loads(row["parameters"])
    pure_error = row.get("pure_error")
    epochs = n_epochs(model, row["n_train"], 0.0 if pd.isna(pure_error) else pure_error)
    if known.get("dropout") == "auto":
        measured = row.get("dropout")
        for_few_rows = rate_of_dropout(type(model)(), 1)
        known["dropout"] = for_few_rows if pd.isna(measured) else measured
    if today.get("dropout") == "auto":
        rate = rate_of_dropout(model, row["n_train"])
        today["dropout"] = rate if dropout is None else dropout
    return known == today and epochs in (None, row["epochs"])


# ---------------------------------------------------------------------------------------- writing


def machine() -> dict:
    """Return what the speed of a machine depends on, and nothing that tells which one it is."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "system": platform.system(),
    }


def _commit() -> str | None:
    """Return the commit that is measured, with "-dirty" if the package differs from it."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return f"{head}-dirty" if _git("status", "--porcelain", "crabsk") else head
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


COMMIT = _commit()  # when the package is imported, whatever is committed while it is measured


def versions(*packages: str) -> dict:
    return {
        "commit": COMMIT,
        "python": platform.python_version(),
        "crabsk": crabsk.__version__,
        **{package: metadata.version(package) for package in packages},
    }


def append_rows(
    name: str, rows: list[dict], *, packages: tuple[str, ...], folder: Path = RESULTS
) -> None:
    """Add rows to ``<folder>/<name>.csv``, with what made them.

    A `spread` becomes three columns: the median's, which has its name, "..._min" and "..._max".
    """
    facts = {**versions(*packages), **machine()}
    rows = [{**row, **facts} for row in rows]
    for row in rows:
        if "defaults" in row:
            row["defaults"] = _note_defaults(row["defaults"], folder)
    _add(folder / f"{name}.csv", rows)


def _note_defaults(usual: dict, folder: Path) -> str:
    """Return the key of these defaults, and add them to ``defaults.csv`` if they are new."""
    text = json.dumps(usual)
    key = hashlib.sha256(text.encode()).hexdigest()[:8]
    if key not in read_defaults(folder):
        _add(folder / "defaults.csv", [{"defaults": key, "parameters": text}])
    return key


def _add(path: Path, rows: list[dict]) -> None:
    """Add rows to a table, which is replaced only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame([_flat(row) for row in rows]).convert_dtypes()
    locks = ROOT / "build"  # not beside the table, where git would see it
    locks.mkdir(exist_ok=True)
    with FileLock(locks / f"{path.name}.lock"):  # two benchmarks may write at the same time
        if path.exists():  # as text: what was written before stays as it is
            frame = pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False), frame])
        write_whole(path, frame.to_csv(index=False).encode())


def _flat(row: dict) -> dict:
    cells = {}
    for name, value in row.items():
        spreads = value if isinstance(value, dict) else {"median": value}
        cells |= {f"{name}_{key}".removesuffix("_median"): its for key, its in spreads.items()}
    return cells


# ---------------------------------------------------------------------------------------- reading


def read_table(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame()
    return pd.read_csv(
        path,
        keep_default_na=False,
        na_values=[""],
        dtype={"defaults": str, "commit": str},  # else some digests would be numbers
        float_precision="round_trip",
    )


def of_last_commit(results: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return of each case the rows that were measured at the commit of its last row."""
    if results.empty:
        return results
    last = results.groupby(by, dropna=False)["commit"].transform("last")
    return results[results["commit"] == last]


def read_defaults(folder: Path) -> dict[str, dict]:
    rows = read_table(folder / "defaults.csv").to_dict("records")
    return {row["defaults"]: json.loads(row["parameters"]) for row in rows}
