"""What every data set shares: reading its files and making its Bunch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def read_descr(name: str) -> str:
    """Read a description from the package, for example ``"matbench.rst"``."""
    return resources.files(__package__).joinpath("descr", name).read_text(encoding="utf-8")


def read_columns(text: str) -> dict[str, list[str]]:
    """Read the columns of a CSV file by their names, every value as text.

    pandas is not used because it guesses: the formula NaN would be a missing value, and the last
    digit of a number depends on its version.
    """
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def make_bunch(
    formulas: Sequence[str],
    target: np.ndarray,
    target_column: str,
    *,
    return_X_y: bool,
    as_frame: bool,
    per_row: Mapping[str, np.ndarray] | None = None,
    **facts: Any,
) -> Bunch | tuple[Any, Any]:
    """Return formulas and their target as scikit-learn's own loaders do.

    Parameters
    ----------
    formulas : sequence of str of length n

    target : ndarray of shape (n,)

    target_column : str
        Name of the target in a table.

    return_X_y, as_frame : bool
        As in the public functions.

    per_row : mapping of str to ndarray of shape (n,), default=None
        Further entries of the Bunch that become Series with `as_frame`.

    **facts
        Further entries of the Bunch, given as they are.

    Returns
    -------
    Bunch or (X, y)
        X has shape (n,), the form that every estimator here takes. With `as_frame`, ``data`` of the
        Bunch is a table of one column, as scikit-learn's loaders have it.
    """
    from sklearn.utils import Bunch

    columns = {"formula": np.array(formulas, dtype=object), target_column: target}
    if not as_frame:
        X, y = columns.values()
        if return_X_y:
            return X, y
        return Bunch(
            data=X, target=y, frame=None, feature_names=["formula"], **(per_row or {}), **facts
        )

    import pandas as pd

    frame = pd.DataFrame(columns).astype({"formula": str})
    if return_X_y:
        return frame["formula"], frame[target_column]
    return Bunch(
        data=frame[["formula"]],
        target=frame[target_column],
        frame=frame,
        feature_names=["formula"],
        **{name: pd.Series(values, name=name) for name, values in (per_row or {}).items()},
        **facts,
    )
