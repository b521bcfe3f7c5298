"""Screening in parts that are files: on many machines, and resumed after a kill."""

import json
import warnings
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_scalar

from .._files import write_whole
from .._text import few, shown
from ..neural_network import UnseenElementsWarning
from ._candidates import CHUNK, Candidates
from ._screen import POOL, Screening, asked, chunks
from ._shortlist import Shortlist, spread_out
from ._surroundings import Surroundings

# What the folder of results says of itself.
_PLAN = "plan.json"
# Candidates of the first and the last part by whose answers a screening is known again, and to
# what share these are the same: another processor rounds differently.
_N_ANSWERS = 10
_ROUNDING = 1e-3


def screen_parquet(
    model: Any,
    candidates: Any,
    folder: str | Path,
    *,
    goal: Any = "maximize",
    acquisition: Any = None,
    X_known: Any = None,
    y_known: Any = None,
    best: float | None = None,
    top: int = 100,
    diversity: float = 0.0,
    constraints: Sequence = (),
    context: Mapping[str, float] | None = None,
    domain: Any = None,
    space: Any = None,
    part_size: int = 1_000_000,
) -> pd.DataFrame:
    """Screen candidates in parts, each of which leaves a Parquet file.

    Dask spreads the parts: on threads, or on the workers of the `distributed.Client` that is open.
    A part's file appears when the part is done. Called again after a kill, with the same
    arguments, the function does what is missing.

    Parameters
    ----------
    model, goal, acquisition, X_known, y_known, best, top, diversity, constraints, context, \
domain, space
        As in `screen`.
    candidates : Candidates, or path of a Parquet file or of a folder of them
        A file has the column "formula". Each file is a part, with the name that it has.
    folder : path
        Where the parts go: files with the best `top` of each part (with `diversity` five times
        as many), with the columns "formula", "mean", "std" and "score".
    part_size : int, default=1000000
        Candidates in a part, of a `Candidates`.

    Returns
    -------
    DataFrame
        As `screen` returns it, of all parts together.

    Raises
    ------
    ImportError
        If dask or pyarrow is not installed.
    ValueError
        As `screen`; if the folder holds the parts of another screening; or if there are no
        candidates.

    See Also
    --------
    screen : In one process, in memory.

    Examples
    --------
    >>> import tempfile
    >>> from crabsk import CrabNetRegressor
    >>> from crabsk.datasets import load_formation_enthalpy
    >>> from crabsk.discovery import enumerate_compositions, screen_parquet
    >>> X, y = load_formation_enthalpy(return_X_y=True)
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=2, random_state=0).fit(X[:80], y[:80])
    >>> oxides = enumerate_compositions(["Ca", "Ti", "O"], max_amount=3, charge_neutral=False)
    >>> folder = tempfile.mkdtemp()
    >>> found = screen_parquet(model, oxides, folder, acquisition="mean", top=3, part_size=20)
    >>> found.columns.tolist()
    ['formula', 'mean', 'score']
    """
    check_scalar(top, "top", Integral, min_val=1)
    check_scalar(part_size, "part_size", Integral, min_val=1)
    try:
        import dask
        import pyarrow  # noqa: F401  pandas writes Parquet with it
    except ImportError as error:
        raise ImportError(
            "screen_parquet needs dask and pyarrow: pip install 'crabsk[dask]' pyarrow"
        ) from error
    screening = Screening(
        model,
        goal=goal,
        acquisition=acquisition,
        X_known=X_known,
        y_known=y_known,
        best=best,
        constraints=constraints,
        context=context,
    )
    surroundings = Surroundings(X_known, domain, space, context)
    size = top * POOL if diversity else top
    folder = Path(folder)
    parts = {name: (its, n) for name, its, n in _parts(candidates, part_size, folder) if n}
    if not parts:
        raise ValueError(f"candidates={shown(candidates)} holds no candidates")
    files = {name: folder / name for name in parts}
    plan = {
        "parts": {name: n for name, (_, n) in parts.items()},
        "size": size,
        "answers": _answers(screening, [its for its, _ in parts.values()]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    _agree(folder / _PLAN, plan, files.values())
    # One object for all parts, which workers get once.
    shared = dask.delayed(screening, pure=True)
    # Here, because threads that set and reset filters of warnings get into each other's way.
    with warnings.catch_warnings(action="ignore", category=UnseenElementsWarning):
        dask.compute(
            *(
                dask.delayed(_screen_part)(shared, parts[name][0], path, size)
                for name, path in files.items()
                if not path.exists()
            )
        )
    found = Shortlist(size)
    for path in files.values():
        found.add(pd.read_parquet(path))
    return surroundings.describe(spread_out(found.rows, top, diversity, space))


def _parts(candidates: Any, part_size: int, folder: Path) -> Iterator[tuple[str, Any, int]]:
    """Yield the name of each part's file, the candidates in it, and how many they are."""
    if isinstance(candidates, Candidates):
        starts = range(0, len(candidates), part_size)
        for number, start in enumerate(starts):
            part = candidates[start : start + part_size]
            yield f"part-{number:06d}.parquet", part, len(part)
        return
    if not isinstance(candidates, str | Path):
        raise ValueError(
            f"candidates={shown(candidates)} must be what enumerate_compositions, "
            "random_compositions, substitute or alloy_grid returns, or the path of Parquet files"
        )
    path = Path(candidates)
    if not path.exists():
        raise ValueError(f"candidates: there is no file or folder {str(path)!r}")
    if folder.resolve() == (path if path.is_dir() else path.parent).resolve():
        raise ValueError(
            f"folder={str(folder)!r} is that of the candidates, whose files have the names that "
            "the parts will have: choose another"
        )
    for file in sorted(path.glob("*.parquet")) if path.is_dir() else [path]:
        yield file.name, file, _n_formulas(file)


def _n_formulas(path: Path) -> int:
    """Return how many formulas a file holds."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        if "formula" not in names:
            raise ValueError(
                f'{path} has no column "formula", but {few(names)}: rename the one of the formulas'
            )
        return file.metadata.num_rows


def _screen_part(screening: Screening, candidates: Any, path: Path, size: int) -> None:
    """Screen a part, and leave its file."""
    found = Shortlist(size)
    for rows in _asked(screening, candidates, CHUNK):
        found.add(rows)
    write_whole(path, found.rows.to_parquet(index=False))


def _asked(screening: Screening, candidates: Any, chunk_size: int) -> Iterator[pd.DataFrame]:
    try:
        yield from asked(screening, _formulas(candidates, chunk_size))
    except ValueError as error:
        error.add_note(f"The candidates are those of {candidates}.")
        raise


def _formulas(candidates: Any, size: int) -> Iterable[list]:
    if not isinstance(candidates, Path):
        yield from chunks(candidates, size)
        return
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(candidates) as file:
        for batch in file.iter_batches(size, columns=["formula"]):
            yield batch.column(0).to_pylist()


def _answers(screening: Screening, parts: list) -> dict[Hashable, list]:
    """Return what is said of a few candidates, which changes if the model or the question does."""
    rows = [next(_asked(screening, part, _N_ANSWERS)) for part in (parts[0], parts[-1])]
    return pd.concat(rows).to_dict("list")


def _agree(path: Path, plan: dict, files: Iterable[Path]) -> None:
    """Write the plan, or refuse to mix parts of two screenings."""
    if path.exists():
        found = json.loads(path.read_text())
        answers = found.pop("answers", {}), plan["answers"]
        rest = {name: value for name, value in plan.items() if name != "answers"}
        if found != rest or not _are_alike(*map(pd.DataFrame, answers)):
            raise ValueError(
                f"{path.parent} holds the parts of another screening (other candidates, model or "
                "settings): choose another folder, or delete it"
            )
        return
    nameless = [file.name for file in files if file.exists()]
    if nameless:
        raise ValueError(
            f"{path.parent} holds {few(nameless)} and no {path.name}, which would say what these "
            "are parts of: choose another folder, or delete it"
        )
    write_whole(path, json.dumps(plan, indent=1).encode())


def _are_alike(old: pd.DataFrame, new: pd.DataFrame) -> bool:
    """Whether two tables of answers are the same but for rounding."""
    if list(old) != list(new) or old["formula"].tolist() != new["formula"].tolist():
        return False
    a, b = (table.drop(columns="formula").to_numpy(dtype=np.float64) for table in (old, new))
    largest = np.abs(np.nan_to_num(b, posinf=0.0, neginf=0.0)).max(axis=0)
    return np.allclose(a, b, rtol=_ROUNDING, atol=_ROUNDING * largest)
