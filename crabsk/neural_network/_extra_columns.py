"""Numeric columns beside the composition, cut into ranges.

A tree separates loads of 0.5 N and 1 N even if other loads are 50 N. A network hardly does. The
networks therefore get each column both as a value and range by range.
"""

import numpy as np

# Ranges of a column.
N_RANGES = 8
# With more columns than this, none is given range by range. Many columns are mostly descriptors.
# Their ranges add little information, and hide the columns that matter.
MOST_COLUMNS = 16


def range_edges(columns: np.ndarray) -> np.ndarray:
    """Return the edges of ranges that hold equal shares of the distinct values.

    Distinct values are counted, not samples: if most samples are at room temperature, the other
    temperatures would share a range or two.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, n_columns)
        The columns of the training samples.

    Returns
    -------
    ndarray of shape (n_columns, N_RANGES + 1)
        Rising. All equal, so that ranges say nothing, where a column has two values or fewer, or
        where there are more than `MOST_COLUMNS`.
    """
    edges = np.zeros((columns.shape[1], N_RANGES + 1))
    if columns.shape[1] > MOST_COLUMNS:
        return edges
    for column, its in zip(columns.T, edges, strict=True):
        values = np.unique(column)
        if len(values) > 2:
            its[:] = np.quantile(values, np.linspace(0, 1, N_RANGES + 1))
    return edges


def encode_ranges(columns: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return piecewise linear encodings [1]_: how far each value has come through each range.

    A value beyond the edges has the encoding of the edge. A range without width is 0.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, n_columns)
        Columns.
    edges : ndarray of shape (n_columns, N_RANGES + 1)
        From `range_edges`.

    Returns
    -------
    ndarray of shape (n_samples, n_columns * N_RANGES)
        From 0 below a range to 1 above it, column by column; none if no range has a width.

    References
    ----------
    .. [1] Gorishniy, Rubachev, Babenko, "On embeddings for numerical features in tabular deep
       learning", NeurIPS 2022, equation 1.
    """
    lower, width = edges[:, :-1], np.diff(edges, axis=1)
    # Edges such as 1e308 and -1e308 have no finite width: such ranges say nothing either.
    usable = np.isfinite(width) & (width > 0)
    if not usable.any():
        return np.empty((len(columns), 0))
    with np.errstate(over="ignore"):
        risen = (columns[:, :, None] - lower) / np.where(usable, width, 1.0)
    return np.where(usable, risen.clip(0, 1), 0.0).reshape(len(columns), -1)
