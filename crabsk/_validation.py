"""Check X as scikit-learn does, and turn it into compositions and extra features.

The only module that knows both scikit-learn's validation and crabsk's forms of X. It is also the
one place where scikit-learn's private helpers are imported, so that a new release is met here.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import rankdata
from sklearn import get_config
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_non_negative,
    column_or_1d,
    validate_data,
)

from ._text import few
from .composition import (
    ATOMIC_NUMBERS,
    ELEMENTS,
    Compositions,
    check_amounts,
    compositions_from_matrix,
    element_columns,
    find_formulas,
    find_formulas_at,
    is_dataframe,
    parse_formulas,
    refuse_empty_rows,
    warn_of_table,
)

__all__ = [
    "CompositionTable",
    "HasMethods",
    "Interval",
    "StrOptions",
    "_check_feature_names_in",
    "_fit_context",
    "extra_feature_columns",
    "group_numbers",
    "has_compositions",
    "name_of_weights",
    "numbers_of_groups",
    "numeric_target",
    "predicts_std",
    "reads_compositions",
    "stream_compositions",
    "takes_amounts",
    "validate_compositions",
    "warn_of_target_among_features",
]

# Fewer samples may be in the order of the target by chance.
_ENOUGH_TO_RANK = 10


@dataclass(frozen=True, slots=True)
class CompositionTable:
    """Validated X: the compositions of its rows and the numeric columns beside them."""

    compositions: Compositions
    extra: np.ndarray
    """Extra features, shape (n_samples, n_extra), float64."""


def validate_compositions(estimator: BaseEstimator, X: Any, *, reset: bool) -> CompositionTable:
    """Validate X in any of its forms and read it.

    Sets (with ``reset=True``) or checks `n_features_in_`, `feature_names_in_` and
    `formula_position_` (the position of the column of formulas; None for a matrix of element
    amounts) on `estimator`.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator that X is for.
    X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
        Rows to read.
    reset : bool
        Whether to fix the form of X (in `fit`) or to hold it to the form that was fixed.

    Returns
    -------
    CompositionTable

    Raises
    ------
    ValueError
        If X is none of the forms, holds what is not a formula, has missing values in its numeric
        columns, or differs in form from the X of `fit`.
    """
    return _check_form(estimator, X, reset=reset).read(slice(None))


def stream_compositions(
    estimator: BaseEstimator, X: Any, chunk: int
) -> Iterator[tuple[slice, CompositionTable]]:
    """Validate X in the form that was fixed at fit, and read it `chunk` rows at a time.

    Yields
    ------
    rows : slice
        The rows of X that the table holds.
    table : CompositionTable

    Raises
    ------
    ValueError
        As `validate_compositions`, when the first bad row is met.
    """
    unread = _check_form(estimator, X, reset=False)
    for start in range(0, unread.n_rows, chunk):
        rows = slice(start, min(start + chunk, unread.n_rows))
        try:
            table = unread.read(rows)
        except ValueError:
            unread.read(slice(None))  # raises for all bad rows, numbered as the user's are
            raise
        yield rows, table


class _LazyTable(NamedTuple):
    """X whose form is checked and whose rows are not read yet."""

    n_rows: int
    read: Callable[[slice], CompositionTable]
    """Reads some of the rows."""


def _check_form(estimator: BaseEstimator, X: Any, *, reset: bool) -> _LazyTable:
    name = type(estimator).__name__
    if _is_empty(X):
        raise ValueError(
            f"Found array with 0 sample(s) while a minimum of 1 is required by {name}."
        )
    # One column of formulas is one column of formulas, named or not.
    named = is_dataframe(X) and hasattr(estimator, "feature_names_in_")
    if not reset:
        if estimator.formula_position_ is not None:
            _refuse_amounts(X, name)
        if named:
            validate_data(estimator, X, reset=False, skip_check_array=True)
    table = find_formulas(X) if reset else find_formulas_at(X, estimator.formula_position_)
    if table is None:
        return _check_matrix(estimator, X, reset=reset)
    if reset:
        validate_data(estimator, X, reset=True, skip_check_array=True)
        estimator.n_features_in_ = table.n_columns
        estimator.formula_position_ = table.formula_position
    else:
        if estimator.formula_position_ is None:
            raise ValueError(
                f"X holds formulas, but {name} was fitted on a matrix of element amounts"
            )
        if table.n_columns != estimator.n_features_in_:
            named_at_fit = list(getattr(estimator, "feature_names_in_", ()))
            raise ValueError(
                f"X has {table.n_columns} features, but {name} is expecting "
                f"{estimator.n_features_in_} features as input"
                + (f": a table with the columns {named_at_fit}" if named_at_fit else "")
            )
        if table.n_columns > 1 and not named:
            validate_data(estimator, X, reset=False, skip_check_array=True)
    return _LazyTable(
        len(table.formulas),
        lambda rows: CompositionTable(parse_formulas(table.formulas[rows]), table.extra[rows]),
    )


def _refuse_amounts(X: Any, name: str) -> None:
    """Refuse a DataFrame of element amounts where formulas are wanted, and say how to pass it."""
    columns = list(X.columns) if is_dataframe(X) else []
    if columns and all(column in ELEMENTS for column in columns):
        method = (
            'to_dict("records")' if hasattr(X, "to_dict") and hasattr(X, "iloc") else "to_dicts()"
        )
        raise ValueError(
            f"{name} was fitted on formulas, but X holds the columns {few(columns)}: if these are "
            f"amounts of elements, pass X.{method}"
        )


def _is_empty(X: Any) -> bool:
    """Whether X has no rows; what has no length is left to scikit-learn."""
    try:
        return len(X) == 0
    except TypeError:
        return False


def _check_matrix(estimator: BaseEstimator, X: Any, *, reset: bool) -> _LazyTable:
    name = type(estimator).__name__
    if not reset and estimator.formula_position_ is not None:
        raise ValueError(
            f"{name} was fitted on formulas, but X holds none: it must be formulas again, or "
            'mappings such as {"Fe": 2, "O": 3}'
        )
    matrix = validate_data(estimator, X, reset=reset, dtype=np.float64)
    names = list(getattr(estimator, "feature_names_in_", ()))
    columns = element_columns(names, matrix.shape[1])
    amounts, extra = matrix[:, columns > 0], matrix[:, columns == 0]
    check_non_negative(amounts, f"{name} (a matrix of element amounts)")
    if reset:
        check_amounts(matrix, names)
        estimator.formula_position_ = None
    refuse_empty_rows(amounts, names)
    return _LazyTable(
        len(matrix),
        lambda rows: CompositionTable(
            compositions_from_matrix(amounts[rows], columns[columns > 0]), extra[rows]
        ),
    )


def has_compositions(X: Any) -> bool:
    """Whether X has formulas, or columns that are named by elements."""
    if find_formulas(X) is not None:
        return True
    # A single one may be anything: V is a volume, too.
    return is_dataframe(X) and sum(name in ATOMIC_NUMBERS for name in X.columns) > 1


def extra_feature_columns(estimator: BaseEstimator) -> list[int]:
    """Return the positions of the columns of X that are neither formulas nor amounts."""
    position, n_columns = estimator.formula_position_, estimator.n_features_in_
    if position is not None:
        return [j for j in range(n_columns) if j != position]
    names = getattr(estimator, "feature_names_in_", None)
    return np.flatnonzero(element_columns(names, n_columns) == 0).tolist()


def numbers_of_groups(groups: Any) -> np.ndarray:
    """Return the same number for samples of the same group.

    Raises
    ------
    ValueError
        If a group is missing.
    """
    groups = column_or_1d(np.asarray(groups, dtype=object), input_name="groups")
    missing = np.flatnonzero(pd.isna(groups))
    if len(missing):
        raise ValueError(
            f"groups= has missing values, the first in row {missing[0]}: give such samples a group "
            "of their own"
        )
    return pd.factorize(groups)[0]


def group_numbers(table: CompositionTable, groups: Any) -> np.ndarray:
    """Return the same number for samples that belong together.

    Equal compositions do, and equal groups, and whatever these connect.

    Raises
    ------
    ValueError
        If a group is missing.
    """
    composition = table.compositions.unique()[1]
    if groups is None:
        return composition
    group = numbers_of_groups(groups)
    n_compositions = int(composition.max()) + 1
    n = n_compositions + int(group.max()) + 1
    edges = coo_array((np.ones(len(group)), (composition, n_compositions + group)), shape=(n, n))
    return connected_components(edges, directed=False)[1][composition]


def numeric_target(y: Any, n_samples: int) -> np.ndarray | None:
    """Return the y of a transformer as (n_samples, n_targets), or None if it is no target.

    A transformer learns nothing from y, so that any y will do. What is missing is NaN; classes that
    are texts are numbered in their order.
    """
    if y is None or isinstance(y, str) or not hasattr(y, "__len__"):
        return None
    target = np.asarray(y, dtype=object)
    if target.ndim not in (1, 2) or len(target) != n_samples:
        return None
    columns = [_as_numbers(column) for column in target.reshape(n_samples, -1).T]
    if any(column is None for column in columns):
        return None
    return np.column_stack(columns)  # type: ignore[arg-type]


def _as_numbers(column: np.ndarray) -> np.ndarray | None:
    """Return a column of numbers or of texts as numbers; None if it holds both, or other things."""
    missing = pd.isna(column)
    known = column[~missing]
    numbers = np.full(len(column), np.nan)
    if all(isinstance(value, Real) for value in known):
        numbers[~missing] = known.astype(np.float64)
    elif all(isinstance(value, str) for value in known):
        numbers[~missing] = np.unique(known.astype(str), return_inverse=True)[1]
    else:
        return None
    return numbers


def warn_of_target_among_features(
    estimator: BaseEstimator, table: CompositionTable, y: np.ndarray
) -> None:
    """Warn of a column of X that gives the target away.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator, for the names of columns.
    table : CompositionTable
        X as it was read.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Numeric targets, NaN where one is missing.

    Warns
    -----
    TableWarning
        If a column beside the composition equals a target, or puts ten samples or more in the
        same order; if amounts in a named column equal a target (`Tc` is a temperature, too).
    """
    names = getattr(estimator, "feature_names_in_", range(estimator.n_features_in_))
    targets = y.reshape(len(y), -1).T
    found = [
        names[position]
        for position, column in zip(extra_feature_columns(estimator), table.extra.T, strict=True)
        if any(_gives_away(column, target) for target in targets)
    ]
    if estimator.formula_position_ is None and hasattr(estimator, "feature_names_in_"):
        compositions = table.compositions
        for z in np.unique(compositions.atomic_numbers).tolist():
            of_z = compositions.atomic_numbers == z
            column = np.zeros(len(compositions))
            column[compositions.row_of_token[of_z]] = compositions.amounts[of_z]
            if any(_equals(column, target) for target in targets):
                found.append(ELEMENTS[z - 1])
    if found:
        warn_of_table(
            f"the column {few(found)} of X equals y, or rises or falls with it throughout: is it "
            "the target itself? Leave it out of X"
        )


def _equals(column: np.ndarray, target: np.ndarray) -> bool:
    labelled = ~np.isnan(target)
    column, target = column[labelled], target[labelled]
    return len(target) > 1 and not (target == target[0]).all() and np.array_equal(column, target)


def _gives_away(column: np.ndarray, target: np.ndarray) -> bool:
    if _equals(column, target):
        return True
    labelled = ~np.isnan(target)
    column, target = column[labelled], target[labelled]
    if len(target) < _ENOUGH_TO_RANK or (target == target[0]).all():
        return False
    ranks = rankdata(column), rankdata(target)
    return np.array_equal(*ranks) or np.array_equal(ranks[0], len(target) + 1 - ranks[1])


def predicts_std(model: Any) -> bool:
    """Whether `predict` takes `return_std`; of a pipeline, that of its last step."""
    while hasattr(model, "steps"):
        model = model.steps[-1][1]
    return "return_std" in inspect.signature(model.predict).parameters


def takes_amounts(estimator: Any) -> bool:
    """Whether an estimator, or a part of it, takes numbers for amounts of elements."""
    parts = [estimator, *estimator.get_params(deep=True).values()]
    return any(_takes_compositions(part) for part in parts)


def reads_compositions(estimator: Any) -> bool:
    """Whether an estimator reads X as crabsk does; of a pipeline, whether its first step does."""
    while hasattr(estimator, "steps"):
        steps = (step for _, step in estimator.steps)
        estimator = next(step for step in steps if step is not None and step != "passthrough")
    return _takes_compositions(estimator)


def _takes_compositions(part: Any) -> bool:
    """Whether it is an estimator whose tags are those of crabsk's: texts, or nothing negative."""
    if not isinstance(part, BaseEstimator):
        return False
    tags = get_tags(part).input_tags
    return tags.string and tags.positive_only


def name_of_weights(estimator: Any) -> str:
    """Return what `fit` calls the weights of samples; a pipeline hands them to its last step.

    Raises
    ------
    TypeError
        If `fit` takes no weights.
    """
    path, last = "", estimator
    while hasattr(last, "steps"):
        step, last = last.steps[-1]
        path += f"{step}__"
    taken = inspect.signature(last.fit).parameters.values()
    if not any(one.name == "sample_weight" or one.kind is one.VAR_KEYWORD for one in taken):
        raise TypeError(
            f"fit of {type(last).__name__} takes no sample_weight: leave it out, or take another "
            "regressor"
        )
    # Where scikit-learn routes metadata, the pipeline knows which steps have asked for it.
    return "sample_weight" if get_config()["enable_metadata_routing"] else f"{path}sample_weight"
