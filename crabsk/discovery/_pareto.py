"""Several targets at once: what no other beats, and the volume that it dominates."""

from math import inf

import numpy as np
from numpy.typing import ArrayLike

from .._text import shown
from ._acquisition import as_numbers, check_normal, expected_excess, refuse_rows

# Fewer rows are compared all with all: dividing them further takes longer.
_FEW_ROWS = 64
# Floats in each array of a chunk of expected_hypervolume_improvement: 16 MiB.
_CHUNK = 2**21


def pareto_front(values: ArrayLike, *, maximize: ArrayLike = True) -> np.ndarray:
    """Find the rows that no other row beats.

    A row beats another if it is at least as good in all targets and better in one.

    Parameters
    ----------
    values : array-like of shape (n_samples, n_targets)
        Targets, each in its unit; infinities are values like others.
    maximize : bool or array-like of shape (n_targets,), default=True
        Whether a high target is good: one answer for all, or one for each target.

    Returns
    -------
    ndarray of shape (n_samples,), dtype bool
        True for the rows on the front. Equal rows are on it together.

    Raises
    ------
    ValueError
        If `values` is no matrix, has no targets or holds NaN, or `maximize` is neither one bool
        nor one for each target. The message shows the first row with a NaN.

    Notes
    -----
    Divide and conquer [1]_: a million rows of two or three targets take seconds, even if all are
    on the front.

    References
    ----------
    .. [1] H. T. Kung, F. Luccio, F. P. Preparata. On Finding the Maxima of a Set of Vectors.
       Journal of the ACM 22, 469 (1975). https://doi.org/10.1145/321906.321910

    Examples
    --------
    >>> from crabsk.discovery import pareto_front
    >>> hardness_and_density = [[9.0, 4.0], [9.0, 5.0], [7.0, 3.0], [6.0, 3.5]]
    >>> pareto_front(hardness_and_density, maximize=[True, False])
    array([ True, False,  True, False])
    """
    matrix = as_numbers(values, "values", "n_samples", "n_targets")
    if not matrix.shape[1]:
        raise ValueError("values must have one target or more")
    refuse_rows(matrix, np.isnan(matrix), "values must not be NaN")
    return _on_front(matrix * _signs(maximize, matrix.shape[1]))


def hypervolume(values: ArrayLike, reference: ArrayLike, *, maximize: ArrayLike = True) -> float:
    """Volume between a reference point and the rows that beat it.

    The volume of all points that are better than `reference` in every target, and that some row
    reaches or beats [1]_: one figure for how far a set of candidates goes.

    Parameters
    ----------
    values : array-like of shape (n_samples, n_targets)
        Targets, each in its unit. Rows that are not better than `reference` in every target add
        nothing. There may be no rows.
    reference : array-like of shape (n_targets,)
        Values that are just not good enough, in the units of the targets. Volumes for different
        references cannot be compared.
    maximize : bool or array-like of shape (n_targets,), default=True
        Whether a high target is good: one answer for all, or one for each target.

    Returns
    -------
    float
        In the product of the targets' units, 0 or more; higher is better. It is exact.

    Raises
    ------
    ValueError
        If the shapes do not fit, something is not finite, or `maximize` is neither one bool nor
        one for each target. The message shows the first such row.

    Notes
    -----
    Volumes are added one exclusive part after the other, one target less at each depth [2]_. The
    time rises steeply with the number of targets.

    References
    ----------
    .. [1] E. Zitzler, L. Thiele. Multiobjective Optimization Using Evolutionary Algorithms: A
       Comparative Case Study. PPSN V (1998). https://doi.org/10.1007/BFb0056872
    .. [2] L. While, L. Bradstreet, L. Barone. A Fast Way of Calculating Exact Hypervolumes. IEEE
       Transactions on Evolutionary Computation 16, 86 (2012).
       https://doi.org/10.1109/TEVC.2010.2077298

    Examples
    --------
    >>> from crabsk.discovery import hypervolume
    >>> hypervolume([[3.0, 1.0], [2.0, 2.0]], reference=[0.0, 0.0])
    5.0
    """
    zero = _reference(reference)
    return _volume(_heights(values, "values", zero, _signs(maximize, len(zero))))


def expected_hypervolume_improvement(
    mean: ArrayLike,
    std: ArrayLike,
    front: ArrayLike,
    reference: ArrayLike,
    *,
    maximize: ArrayLike = True,
) -> np.ndarray:
    r"""Mean growth of the hypervolume when a candidate is added.

    Expected improvement for several targets. The errors of the targets are taken as independent
    and normal.

    Parameters
    ----------
    mean : array-like of shape (n_samples, n_targets)
        Predictions of two targets or more, each in its unit.
    std : array-like of shape (n_samples, n_targets)
        Standard deviations of the predictions, in the same units, 0 or more.
    front : array-like of shape (n_front, n_targets)
        What is known so far. Rows that others beat, or that are not better than `reference` in
        every target, change nothing. There may be no rows.
    reference : array-like of shape (n_targets,)
        Values that are just not good enough, in the units of the targets.
    maximize : bool or array-like of shape (n_targets,), default=True
        Whether a high target is good: one answer for all, or one for each target.

    Returns
    -------
    ndarray of shape (n_samples,)
        In the product of the targets' units, 0 or more; higher is better. Where all `std` are 0,
        the growth itself.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is one target only, something is not finite, `std` is
        negative, or `maximize` is neither one bool nor one for each target. The message shows the
        first such row.

    Notes
    -----
    The region that is better than the reference and that no row of the front reaches is divided
    into boxes. In a box from :math:`l` to :math:`u`, the expected growth is

    .. math:: \prod_j \left( E[\max(y_j - l_j, 0)] - E[\max(y_j - u_j, 0)] \right)

    and each expectation is an expected improvement. It is exact [1]_ [2]_. :math:`n` rows on the
    front give :math:`n + 1` boxes for two targets and at most :math:`2n + 1` for three, and many
    more beyond.

    References
    ----------
    .. [1] M. T. M. Emmerich, A. H. Deutz, J. W. Klinkenberg. Hypervolume-based expected
       improvement: Monotonicity properties and exact computation. IEEE Congress on Evolutionary
       Computation (2011). https://doi.org/10.1109/CEC.2011.5949880
    .. [2] K. Yang, M. Emmerich, A. Deutz, T. Bäck. Efficient computation of expected hypervolume
       improvement using box decomposition algorithms. Journal of Global Optimization 75, 3
       (2019). https://doi.org/10.1007/s10898-019-00798-7

    Examples
    --------
    >>> from crabsk.discovery import expected_hypervolume_improvement
    >>> expected_hypervolume_improvement(
    ...     mean=[[3.0, 2.0], [1.0, 1.0]],
    ...     std=[[0.0, 0.0], [1.0, 1.0]],
    ...     front=[[3.0, 1.0], [2.0, 2.0]],
    ...     reference=[0.0, 0.0],
    ... ).round(4)
    array([1.    , 0.1224])
    """
    zero = _reference(reference)
    signs = _signs(maximize, len(zero))
    if len(zero) < 2:
        raise ValueError("reference has one target: use expected_improvement")
    centre, deviation = check_normal(mean, std, "n_samples", "n_targets")
    if centre.shape[1] != len(zero):
        raise ValueError(f"mean has {centre.shape[1]} target(s), but reference has {len(zero)}")
    gain = (centre - zero) * signs
    heights = _heights(front, "front", zero, signs)
    levels, ranks = [], np.empty(heights.shape, dtype=np.int64)
    for j, column in enumerate(heights.T):
        level, rank = np.unique(column, return_inverse=True)
        levels.append(np.concatenate([[0.0], level]))
        ranks[:, j] = rank + 1
    boxes = np.array(_boxes(ranks, [len(level) for level in levels]))
    chunk = max(1, _CHUNK // max(len(boxes), *map(len, levels)))
    growth = np.empty(len(gain))
    for start in range(0, len(gain), chunk):
        rows = slice(start, start + chunk)
        volumes = np.ones((len(growth[rows]), len(boxes)))
        for j, level in enumerate(levels):
            excess = expected_excess(gain[rows, j, None] - level, deviation[rows, j, None])
            excess = np.column_stack([excess, np.zeros(len(excess))])  # beyond infinity
            volumes *= excess[:, boxes[:, 2 * j]] - excess[:, boxes[:, 2 * j + 1]]
        growth[rows] = volumes.sum(axis=1)
    return growth


def _signs(maximize: ArrayLike, n_targets: int) -> np.ndarray:
    """Return 1 for each target of which much is good and -1 for the others."""
    flags = np.asarray(maximize)
    if flags.dtype != bool or flags.shape not in ((), (n_targets,)):
        raise ValueError(
            f"maximize must be True or False, or a list of {n_targets} of them, one for each "
            f"target, got {shown(maximize)}"
        )
    return np.where(np.broadcast_to(flags, n_targets), 1.0, -1.0)


def _reference(reference: ArrayLike) -> np.ndarray:
    zero = as_numbers(reference, "reference", "n_targets")
    if not (len(zero) and np.isfinite(zero).all()):
        raise ValueError(f"reference must be finite, one value or more, got {shown(reference)}")
    return zero


def _heights(values: ArrayLike, name: str, zero: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return by how much rows beat the reference: those of the rows that are on the front."""
    if np.shape(values)[:1] == (0,):  # an empty list has no second axis
        return np.empty((0, len(zero)))
    matrix = as_numbers(values, name, "n_rows", "n_targets")
    if matrix.shape[1] != len(zero):
        raise ValueError(f"{name} has {matrix.shape[1]} target(s), but reference has {len(zero)}")
    refuse_rows(matrix, ~np.isfinite(matrix), f"{name} must be finite")
    heights = (matrix - zero) * signs
    heights = heights[(heights > 0).all(axis=1)]
    return heights[_on_front(heights)]


def _on_front(rows: np.ndarray) -> np.ndarray:
    """Return whether each row is on the front where high is good."""
    order = np.lexsort(rows.T[::-1])[::-1]
    ordered = rows[order]
    is_new = np.ones(len(rows), dtype=bool)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    distinct = ordered[is_new]
    kept = np.zeros(len(distinct), dtype=bool)
    kept[_front_of_ordered(distinct)] = True
    on_front = np.empty(len(rows), dtype=bool)
    on_front[order] = kept[np.cumsum(is_new) - 1]
    return on_front


def _front_of_ordered(rows: np.ndarray) -> np.ndarray:
    """Return the positions of the front of distinct rows in falling lexicographic order.

    In that order, a row can be beaten by earlier rows only, and the first target decides nothing.
    """
    if rows.shape[1] == 2:
        best_before = np.maximum.accumulate(rows[:, 1])[:-1]
        return np.flatnonzero(np.append(True, rows[1:, 1] > best_before)[: len(rows)])
    if len(rows) <= _FEW_ROWS:
        reached = (rows[:, None, 1:] <= rows[None, :, 1:]).all(axis=2)
        return np.flatnonzero(~np.tril(reached, -1).any(axis=1))
    half = len(rows) // 2
    early = _front_of_ordered(rows[:half])
    late = half + _front_of_ordered(rows[half:])
    return np.append(early, late[~_reached(rows[late, 1:], rows[early, 1:])])


def _reached(rows: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Return for each row whether a row of `by` is at least as good in all columns."""
    n_columns = rows.shape[1]
    if not (len(rows) and len(by) and n_columns):
        return np.full(len(rows), len(by) > 0)
    if len(rows) * len(by) <= _FEW_ROWS**2:
        return np.any(np.all(rows[:, None] <= by, axis=2), axis=1)
    first, first_by = rows[:, 0], by[:, 0]
    if first.max() <= first_by.min():
        return _reached(rows[:, 1:], by[:, 1:])
    if n_columns == 1:
        return first <= first_by.max()
    if n_columns == 2:
        order = np.argsort(-first_by)
        best = np.append(-inf, np.maximum.accumulate(by[order, 1]))
        n_reaching = np.searchsorted(-first_by[order], -first, side="right")
        return (n_reaching > 0) & (rows[:, 1] <= best[n_reaching])
    together = np.append(first, first_by)
    pivot = np.partition(together, len(together) // 2)[len(together) // 2]
    if pivot == together.min():
        pivot = together[together > pivot].min()
    high, high_by = first >= pivot, first_by >= pivot
    reached = np.empty(len(rows), dtype=bool)
    reached[high] = _reached(rows[high], by[high_by])
    reached[~high] = _reached(rows[~high], by[~high_by])
    reached[~high] |= _reached(rows[~high, 1:], by[high_by, 1:])
    return reached


def _volume(heights: np.ndarray) -> float:
    """Return the volume of the union of the boxes from 0 to each row."""
    n_rows, n_targets = heights.shape
    if n_rows == 0:
        return 0.0
    if n_targets == 1:
        return float(heights.max())
    if n_targets == 2:
        order = np.argsort(-heights[:, 0])
        tops = np.maximum.accumulate(heights[order, 1])
        return float(heights[order, 0] @ np.diff(tops, prepend=0.0))
    ordered = heights[np.argsort(heights[:, -1])]
    volume = 0.0
    for k, row in enumerate(ordered):
        # Later rows are at least as high in the last target: within the box of this row, they
        # differ in the others alone.
        shared = np.minimum(ordered[k + 1 :, :-1], row[:-1])
        if n_targets > 3:
            shared = shared[_on_front(shared)]
        volume += row[-1] * (row[:-1].prod() - _volume(shared))
    return float(volume)


def _boxes(ranks: np.ndarray, tops: list[int]) -> list[tuple[int, ...]]:
    """Divide the region above 0 that no row reaches into boxes.

    Parameters
    ----------
    ranks : ndarray of shape (n_rows, n_targets)
        Rows, each value by its rank in its target, from 1.
    tops : list of int
        What stands for infinity in each target.

    Returns
    -------
    list of tuple of int
        Lower and upper end of each box in the first target, then in the second, and so on.
    """
    if len(tops) == 1:
        return [(int(ranks.max(initial=0)), tops[0])]
    # Downwards through the first target. What holds for the others in a slice is divided alone,
    # and a box that the next slice has, too, goes on.
    begun = dict.fromkeys(_boxes(ranks[:0, 1:], tops[1:]), tops[0])
    boxes = []
    for level in np.unique(ranks[:, 0])[::-1].tolist():
        others = ranks[ranks[:, 0] >= level, 1:]
        now = _boxes(others[_on_front(others)], tops[1:])
        ended = begun.keys() - set(now)
        boxes += [(level, begun[box], *box) for box in sorted(ended)]
        begun = {box: begun.get(box, level) for box in now}
    return boxes + [(0, top, *box) for box, top in begun.items()]
