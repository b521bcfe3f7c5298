"""The thirteen tasks of Matbench v0.1, as formulas.

The data folder holds two files for each task: the official one, which is compared with its SHA-256
whenever it is read, and a table of formula and target made from it, which is small and quick.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import time
import warnings
from http.client import HTTPException
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import numpy as np

from .._files import write_whole
from ._base import make_bunch, read_columns, read_descr
from ._matbench_json import Rows, read_rows
from ._matbench_tasks import TASKS, Task

if TYPE_CHECKING:
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.utils import Bunch

# Part of the name of the stored table: raise it when the way a formula is written changes.
_TABLE_VERSION = 1
_TIMEOUT = 60.0  # seconds that the server may stay silent
_CHUNK = 1 << 20


def fetch_matbench(
    name: str,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[Any, Any]:
    """Load a task of Matbench v0.1 as formulas and targets, downloading it if necessary.

    =================  ======  ==============  ===========  ============
    name                 rows  task            made from    unit
    =================  ======  ==============  ===========  ============
    ``steels``            312  regression      composition  MPa
    ``jdft2d``            636  regression      structure    meV/atom
    ``phonons``          1265  regression      structure    1/cm
    ``expt_gap``         4604  regression      composition  eV
    ``dielectric``       4764  regression      structure    unitless
    ``expt_is_metal``    4921  classification  composition
    ``glass``            5680  classification  composition
    ``log_gvrh``        10987  regression      structure    log10(GPa)
    ``log_kvrh``        10987  regression      structure    log10(GPa)
    ``perovskites``     18928  regression      structure    eV/unit cell
    ``mp_gap``         106113  regression      structure    eV
    ``mp_is_metal``    106113  classification  structure
    ``mp_e_form``      132752  regression      structure    eV/atom
    =================  ======  ==============  ===========  ============

    Rows keep their official order, on which the official folds depend, and no row is left out. A
    composition is the text in the official file. A structure is reduced to the contents of its
    cell: elements in alphabetical order, each with its amount (``K4Mn4O8``). Partly occupied sites
    count by their occupancies, and oxidation states are left out. Different structures may thus
    have equal formulas.

    The first call for a task downloads its official file, checks it and stores a small table beside
    it. Later calls read that table. For the three tasks of over 100 000 structures, the first call
    needs about half a minute after the download, and 3 GB of memory.

    Parameters
    ----------
    name : str
        A name from the table above, with or without ``matbench_`` in front.

    data_home : str or path-like, default=None
        Folder in which to keep files, as in :func:`sklearn.datasets.get_data_home`; its subfolder
        ``crabsk/matbench`` is used. On a computer without a network, copy the official file
        (``matbench_<name>.json.gz``) there, or the table and its checksum.

    download_if_missing : bool, default=True
        If False, raise an OSError if the data are not in `data_home`.

    return_X_y : bool, default=False
        Return ``(X, y)`` instead of a Bunch.

    as_frame : bool, default=False
        Return pandas objects instead of NumPy arrays.

    n_retries : int, default=3
        Number of further tries if a download fails.

    delay : float, default=1.0
        Seconds between tries.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        A dictionary with attributes:

        data : ndarray of str objects of shape (n,)
            Formulas. With `as_frame`, a DataFrame with one column ``formula``.
        target : ndarray of shape (n,)
            The property in `unit`, as floats. For classification, the integers 0 and 1, where 1 is
            True in the official file. With `as_frame`, a Series named after the official column.
        feature_names : list of str
            ``["formula"]``.
        target_names : list of str
            The official name of the target; for classification, the names of the classes 0 and 1.
        task : str
            ``"regression"`` or ``"classification"``.
        unit : str or None
            Unit of the target; None for classification.
        frame : DataFrame of shape (n, 2) or None
            ``data`` and ``target`` side by side; None without `as_frame`.
        DESCR : str
            What the task is and whom to cite.
        filename : str
            Path of the official file, whether or not it exists.

    (X, y) : tuple if `return_X_y`
        Formulas and target, both of shape (n,): two ndarrays, or with `as_frame` two Series.

    Raises
    ------
    ValueError
        If no task has this name, if `n_retries` or `delay` is negative, or if the official file
        does not have the expected content.

    OSError
        If the data are neither in `data_home` nor available from the network, or if the downloaded
        file has the wrong checksum. The message says which file to put where.

    Warns
    -----
    UserWarning
        For every failed try that is followed by another. Also if a file in `data_home` is damaged,
        and therefore not used, or cannot be written.

    See Also
    --------
    matbench_folds : The official split of a task.

    Examples
    --------
    >>> from crabsk.datasets import fetch_matbench
    >>> steels = fetch_matbench("steels")  # doctest: +SKIP
    >>> steels.target[:3], steels.unit  # doctest: +SKIP
    (array([2411.5, 1123.1, 1736.3]), 'MPa')
    """
    short, task = _find_task(name)
    if n_retries < 0 or delay < 0:
        raise ValueError(
            f"n_retries and delay must not be negative, got n_retries={n_retries}, delay={delay}."
        )
    from sklearn.datasets import get_data_home

    folder = Path(get_data_home(data_home)) / "crabsk" / "matbench"
    official = folder / f"matbench_{short}.json.gz"
    table = _table_path(folder, short, task)

    rows = _read_table(table, task)
    if rows is None:
        raw = _read_official(official, task)
        if raw is None:
            if not download_if_missing:
                raise OSError(
                    f"Matbench task {short!r} is not in {folder} and download_if_missing=False. "
                    + _by_hand(official, task)
                )
            raw = _download(official, task, n_retries, delay)
        rows = read_rows(raw, short, task)
        _write_table(table, *rows)

    return make_bunch(
        *rows,
        task.column,
        return_X_y=return_X_y,
        as_frame=as_frame,
        target_names=list(task.classes) or [task.column],
        task=task.kind,
        unit=task.unit,
        DESCR=_describe(short, task),
        filename=str(official),
    )


def matbench_folds(name: str) -> KFold | StratifiedKFold:
    """Return the official split of a task of Matbench v0.1.

    Parameters
    ----------
    name : str
        Name of a task as in :func:`fetch_matbench`, with or without ``matbench_`` in front.

    Returns
    -------
    splitter : KFold or StratifiedKFold
        Five shuffled folds, stratified for classification, with Matbench's ``random_state``. These
        are the official folds only if all rows of the task are split, in their official order.

    Raises
    ------
    ValueError
        If no task has this name.

    See Also
    --------
    fetch_matbench : The rows to split.

    Examples
    --------
    >>> from crabsk.datasets import matbench_folds
    >>> matbench_folds("expt_gap")
    KFold(n_splits=5, random_state=18012019, shuffle=True)
    >>> matbench_folds("matbench_glass")
    StratifiedKFold(n_splits=5, random_state=18012019, shuffle=True)
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    _, task = _find_task(name)
    splitter = StratifiedKFold if task.classes else KFold
    return splitter(n_splits=5, shuffle=True, random_state=18012019)


def _find_task(name: str) -> tuple[str, Task]:
    short = str(name).removeprefix("matbench_")
    if short not in TASKS:
        raise ValueError(
            f"Matbench v0.1 has no task {name!r}. Its tasks are: {', '.join(TASKS)} "
            "(with or without 'matbench_' in front)."
        )
    return short, TASKS[short]


def _describe(short: str, task: Task) -> str:
    target = ", ".join(f"{number} = {label}" for number, label in enumerate(task.classes))
    return Template(read_descr("matbench.rst")).substitute(
        title=f"matbench_{short}",
        rule="-" * len(f"matbench_{short}"),
        what=task.what,
        n_rows=task.n_rows,
        inputs=task.inputs,
        column=task.column,
        kind=task.kind,
        target=target or f"real, in {task.unit}",
        url=task.url,
        sha256=task.sha256,
        references="\n".join(f"- {reference}" for reference in task.references),
    )


# ------------------------------------------------------------------------------ the official file


def _by_hand(official: Path, task: Task) -> str:
    return f"Download {task.url} elsewhere and put it, as it is, at {official}."


def _read_official(official: Path, task: Task) -> bytes | None:
    """Read the official file; return None if it is missing or damaged.

    The bytes that were checked are the bytes that are used: the file is not opened again.
    """
    try:
        raw = official.read_bytes()
    except FileNotFoundError:
        return None
    found = hashlib.sha256(raw).hexdigest()
    if found == task.sha256:
        return raw
    warnings.warn(
        f"{official} is not the official file and is not used: its SHA-256 is {found}, it should "
        f"be {task.sha256}.",
        stacklevel=3,
    )
    return None


def _download(official: Path, task: Task, n_retries: int, delay: float) -> bytes:
    official.parent.mkdir(parents=True, exist_ok=True)
    for left in range(n_retries, -1, -1):
        try:
            raw = _get(task.url)
            break
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            if not left:
                raise OSError(
                    f"Could not download {task.url} ({error}). {_by_hand(official, task)}"
                ) from error
            warnings.warn(
                f"Could not download {task.url} ({error}); trying again in {delay:g} s, "
                f"{left} more time{'s' if left > 1 else ''}.",
                stacklevel=3,
            )
            time.sleep(delay)
    found = hashlib.sha256(raw).hexdigest()
    if found != task.sha256:
        raise OSError(
            f"What {task.url} sent has the SHA-256 {found}, it should be {task.sha256}. It was not "
            f"kept: it may have been damaged or changed in transit. {_by_hand(official, task)}"
        )
    write_whole(official, raw)
    return raw


def _get(url: str) -> bytes:
    try:
        with urlopen(url, timeout=_TIMEOUT) as response:
            promised = response.headers.get("Content-Length")
            raw = b"".join(iter(lambda: response.read(_CHUNK), b""))
    except HTTPError as error:
        error.close()  # it holds the connection
        raise
    # Reading in chunks, http.client takes a connection that was cut for the end of the file.
    if promised is not None and len(raw) < int(promised):
        raise URLError(f"the connection ended after {len(raw)} of {promised} bytes")
    return raw


# ----------------------------------------------------------------------------- the small table


def _table_path(folder: Path, short: str, task: Task) -> Path:
    """Return where a table is stored; by its source's checksum it is not taken for another's."""
    return folder / f"matbench_{short}-{task.sha256[:16]}-v{_TABLE_VERSION}.csv.gz"


def _checksum_path(table: Path) -> Path:
    return table.with_name(f"{table.name}.sha256")


def _read_table(table: Path, task: Task) -> Rows | None:
    """Read the stored table; return None if it is missing or damaged."""
    try:
        packed = table.read_bytes()
        expected = _checksum_path(table).read_bytes().split()[:1]
    except FileNotFoundError:
        return None
    if [hashlib.sha256(packed).hexdigest().encode()] != expected:
        warnings.warn(
            f"{table} is damaged: it does not match its checksum. It is made again from the "
            "official file.",
            stacklevel=3,
        )
        return None
    columns = read_columns(gzip.decompress(packed).decode())
    return columns["formula"], np.array(columns["target"], dtype=float).astype(task.dtype)


def _write_table(table: Path, formulas: list[str], targets: np.ndarray) -> None:
    """Store a table and, only when it is whole, its checksum as ``sha256sum`` would write it.

    Equal tables give equal bytes (no time of day in the gzip header), so that two processes that
    store the same task at once do not hurt each other.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["formula", "target"])
    writer.writerows(zip(formulas, targets.tolist(), strict=True))
    packed = gzip.compress(text.getvalue().encode(), mtime=0)
    try:
        write_whole(table, packed)
        digest = hashlib.sha256(packed).hexdigest()
        write_whole(_checksum_path(table), f"{digest}  {table.name}\n".encode())
    except OSError as error:
        # A data folder that is shared and read-only serves all the same, only more slowly.
        warnings.warn(
            f"Could not store {table} ({error}): the next call will read the official file again.",
            stacklevel=3,
        )
