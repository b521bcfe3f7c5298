"""Screening in parts that are files: on many machines, and resumed after a kill."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import file_digest, sha256
from numbers import Integral
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.utils import check_scalar

from .._files import write_whole
from .._text import few, shown
from ._candidates import CHUNK, Candidates
from ._screen import Screening, asked, chunks
from ._shortlist import Shortlist, check_size, spread_out
from ._surroundings import Surroundings

# What the folder of results says of itself, and what there is compared to within rounding.
_PLAN = "plan.json"
_ANSWERS = "answers of the models"
# By the answers for so many candidates, from so many parts, the models are known again; and to what
# share the answers are the same: another processor rounds differently.
_N_ANSWERS = 100
_N_PARTS = 10
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
    exclude_known: bool = True,
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
    arguments, the function does what is missing. Other arguments are refused if the parts depend on
    them: the file plan.json in the folder says what was asked.

    Parameters
    ----------
    model, goal, acquisition, X_known, y_known, exclude_known, best, top, diversity, constraints, \
context, domain, space
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
        candidates. Another screening is one of other candidates (files are compared byte by byte),
        models, goals, acquisition, incumbents, known compositions that are left out, constraints,
        context, part sizes or rows that a part keeps.

    Warns
    -----
    UserWarning
        As `screen`.

    See Also
    --------
    screen : In one process, in memory.

    Notes
    -----
    Models are known again by their answers for a hundred candidates, to within 0.1 %: models that
    differ less are taken for the same. A function as `acquisition` is known again by its scores for
    means and standard deviations of all sizes, so that it must not depend on chance.

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
    size = check_size(top, diversity)
    check_scalar(part_size, "part_size", Integral, min_val=1)
    try:
        import dask
        import pyarrow  # noqa: F401  pandas writes Parquet with it
    except ImportError as error:
        raise ImportError(
            "screen_parquet needs dask and pyarrow: pip install 'dask[dataframe]' distributed "
            "pyarrow"
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
    surroundings = Surroundings(model, X_known, exclude_known, domain, space, context)
    folder = Path(folder)
    parts = {name: (its, n) for name, its, n in _parts(candidates, part_size, folder) if n}
    if not parts:
        raise ValueError(f"candidates={shown(candidates)} holds no candidates")
    files = {name: folder / name for name in parts}
    sources = [its for its, _ in parts.values()]
    some, answers = _ask_some(screening, sources)
    plan = {
        **_question(screening),
        "candidates": [_digest(candidates, sources), some],
        "candidates in a part": {name: n for name, (_, n) in parts.items()},
        "rows that a part keeps": size,
        "known compositions": joblib.hash(sorted(surroundings.left_out)),
        _ANSWERS: answers,
    }
    folder.mkdir(parents=True, exist_ok=True)
    _agree(folder / _PLAN, plan, files.values())
    # One object for all parts, which workers get once.
    shared = dask.delayed((screening, surroundings.left_out), pure=True)
    dask.compute(
        *(
            dask.delayed(_screen_part)(shared, parts[name][0], path, size)
            for name, path in files.items()
            if not path.exists()
        )
    )
    found = Shortlist(size, surroundings.left_out)
    for path in files.values():
        found.add(pd.read_parquet(path))
    found.check_not_empty(candidates)
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


def _screen_part(
    shared: tuple[Screening, frozenset[str]], candidates: Any, path: Path, size: int
) -> None:
    """Screen a part, and leave its file."""
    screening, left_out = shared
    found = Shortlist(size, left_out)
    with _named(candidates):
        for rows in asked(screening, _formulas(candidates, CHUNK)):
            found.add(rows)
    write_whole(path, found.rows.to_parquet(index=False))


@contextmanager
def _named(candidates: Any) -> Iterator[None]:
    """Add to errors of formulas where these are."""
    try:
        yield
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


def _question(screening: Screening) -> dict[str, Any]:
    """Return what the models' answers are asked for, by which scores follow from answers."""
    scoring = screening.scoring
    return {
        "goal": screening.goals,
        "acquisition": scoring.name or _digest_of_scores(screening),
        "best known values": scoring.upon,
        "constraints": [constraint.wanted for constraint in screening.constraints],
        "context": {str(name): float(value) for name, value in screening.context.items()},
    }


def _digest_of_scores(screening: Screening) -> str:
    """Return by what a function is known again: what it returns for numbers of all sizes.

    Its scores for a few candidates would not do, because these may all be 0.
    """
    sizes = np.geomspace(1e-6, 1e9, 3500)  # in steps of 1 %
    rng = np.random.RandomState(0)
    both = np.concatenate([-sizes, sizes])
    mean = np.column_stack([rng.permutation(both) for _ in screening.goals])
    std = np.abs(mean) * rng.uniform(size=mean.shape)
    try:
        with np.errstate(all="ignore"):
            scores = screening.scoring.score(mean, std).astype(np.float32)
    except Exception as error:
        error.add_note(
            "To know the function acquisition= again when a screening is resumed, screen_parquet "
            "asks it for means from -1e9 to 1e9: it must return a score, or NaN, for each."
        )
        raise
    scores[np.isnan(scores)] = np.nan  # of one kind
    return "function " + sha256(scores.tobytes()).hexdigest()


def _digest(candidates: Any, parts: list) -> Any:
    """Return what changes with the candidates, without a look at each."""
    if isinstance(candidates, Candidates):
        # Of the parameters and positions. What is counted at the first len() has been counted.
        return joblib.hash(candidates)
    digests = {}
    for path in parts:
        with path.open("rb") as file:
            digests[path.name] = file_digest(file, "sha256").hexdigest()
    return digests


def _ask_some(screening: Screening, parts: list) -> tuple[list, list]:
    """Return a few candidates, and all numbers that the models say of each."""
    some, said = [], []
    parts = parts[:: -(-len(parts) // _N_PARTS)]
    n = -(-_N_ANSWERS // len(parts))
    for part in parts:
        spread = part[:: -(-len(part) // n)] if isinstance(part, Candidates) else part
        with _named(part):
            formulas = next(iter(_formulas(spread, n)))
            mean, std, beside = answers = screening.answers(formulas)
            screening.judge(formulas, answers)  # refuses what would be refused later
        some += formulas
        said += np.hstack([mean, *([] if std is None else [std]), *beside]).tolist()
    return some, said


def _agree(path: Path, plan: dict, files: Iterable[Path]) -> None:
    """Write the plan, or refuse to mix parts of two screenings."""
    text = json.dumps(plan, indent=1)
    if path.exists():
        found, plan = json.loads(path.read_text()), json.loads(text)
        answers = found.pop(_ANSWERS, []), plan.pop(_ANSWERS)
        differ = [name for name in plan if name not in found or found[name] != plan[name]]
        if not differ and not _are_alike(*map(np.array, answers)):
            differ = [_ANSWERS]
        if differ:
            raise ValueError(
                f"{path.parent} holds the parts of another screening, which differs in "
                f"{few(differ)}: choose another folder, or delete it"
            )
        return
    nameless = [file.name for file in files if file.exists()]
    if nameless:
        raise ValueError(
            f"{path.parent} holds {few(nameless)} and no {path.name}, which would say what these "
            "are parts of: choose another folder, or delete it"
        )
    write_whole(path, text.encode())


def _are_alike(old: np.ndarray, new: np.ndarray) -> bool:
    """Whether two tables of answers, a row for each candidate, are the same but for rounding."""
    largest = np.abs(new).max(axis=0)
    return old.shape == new.shape and np.allclose(old, new, _ROUNDING, _ROUNDING * largest)
