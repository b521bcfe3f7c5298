"""Screening in parts that are files: on many machines, and resumed after a kill."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.utils import check_scalar

from .._files import write_whole
from .._text import shown
from ._candidates import CHUNK, Candidates
from ._screen import POOL, Screening, chunks, described
from ._shortlist import Shortlist, spread_out

# What the folder of results says of itself.
_PLAN = "plan.json"


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
    size = top * POOL if diversity else top
    parts = dict(_parts(candidates, part_size))
    if not parts:
        raise ValueError(f"candidates={shown(candidates)} holds no candidates")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plan = {
        "parts": list(parts),
        "size": size,
        "candidates": repr(candidates),
        "answers": _fingerprint(screening, next(iter(parts.values()))),
    }
    _agree(folder / _PLAN, plan)
    files = {name: folder / name for name in parts}
    # One object for all parts, which workers get once.
    shared = dask.delayed(screening, pure=True)
    dask.compute(
        *(
            dask.delayed(_screen_part)(shared, parts[name], path, size)
            for name, path in files.items()
            if not path.exists()
        )
    )
    found = Shortlist(size)
    for path in files.values():
        found.add(pd.read_parquet(path))
    chosen = spread_out(found.rows, top, diversity, space)
    return described(chosen, screening, X_known, domain, space)


def _parts(candidates: Any, part_size: int) -> Iterator[tuple[str, Any]]:
    """Yield the name of each part's file, and the candidates in it."""
    if isinstance(candidates, Candidates):
        starts = range(0, len(candidates), part_size)
        for number, start in enumerate(starts):
            yield f"part-{number:06d}.parquet", candidates[start : start + part_size]
        return
    if not isinstance(candidates, str | Path):
        raise ValueError(
            f"candidates={shown(candidates)} must be what enumerate_compositions, "
            "random_compositions, substitute or alloy_grid returns, or the path of Parquet files"
        )
    path = Path(candidates)
    if not path.exists():
        raise ValueError(f"candidates: there is no file or folder {str(path)!r}")
    for file in sorted(path.glob("*.parquet")) if path.is_dir() else [path]:
        yield file.name, file


def _screen_part(screening: Screening, candidates: Any, path: Path, size: int) -> None:
    """Screen a part, and leave its file."""
    found = Shortlist(size)
    for formulas in _formulas(candidates):
        found.add(screening.ask(formulas))
    write_whole(path, found.rows.to_parquet(index=False))


def _formulas(candidates: Any) -> Iterable[list]:
    if not isinstance(candidates, Path):
        yield from chunks(candidates, CHUNK)
        return
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(candidates) as file:
        if "formula" not in file.schema_arrow.names:
            raise ValueError(f'{candidates} has no column "formula"')
        for batch in file.iter_batches(CHUNK, columns=["formula"]):
            yield batch.column(0).to_pylist()


def _fingerprint(screening: Screening, part: Any) -> str:
    """Return what changes if the model, or what is asked of it, does."""
    first = next(iter(_formulas(part)))[:20]
    return hashlib.sha256(screening.ask(first).to_json().encode()).hexdigest()


def _agree(path: Path, plan: dict) -> None:
    """Write the plan, or refuse to mix parts of two screenings."""
    if path.exists():
        if json.loads(path.read_text()) != plan:
            raise ValueError(
                f"{path.parent} holds the parts of another screening (other candidates, model or "
                "settings): choose another folder, or delete it"
            )
        return
    write_whole(path, json.dumps(plan, indent=1).encode())
