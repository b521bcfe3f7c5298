"""Targets between the user's units and the scaled form that networks learn."""

import warnings
from typing import Any

import numpy as np
from scipy.special import inv_boxcox1p
from sklearn.base import BaseEstimator, clone
from sklearn.preprocessing import FunctionTransformer, PowerTransformer


def mean_and_scale(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weighted mean and standard deviation of each column; the scale of a constant is 1.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
        NaN where the weight is 0.
    weights : ndarray of the same shape
        Weights, not all 0 in any column.
    """
    filled = np.where(weights > 0, values, 0.0)
    # In units of the largest, sums and squares of 1e300 and 1e-300 stay in range.
    largest = np.abs(filled).max(axis=0, initial=0.0)
    largest[largest == 0] = 1.0
    weights = weights / weights.max(axis=0, initial=np.finfo(np.float64).tiny)
    total = weights.sum(axis=0)
    mean = (weights * (filled / largest)).sum(axis=0) / total
    deviation = np.where(weights > 0, filled / largest - mean, 0.0)
    widest = np.abs(deviation).max(axis=0, initial=0.0)
    # If floats cannot tell a column from a constant, it counts as a constant.
    constant = widest <= 8 * np.finfo(np.float64).eps * np.abs(mean)
    widest[constant] = 1.0
    scale = np.sqrt((weights * (deviation / widest) ** 2).sum(axis=0) / total) * widest * largest
    return mean * largest, np.where(constant, 1.0, scale)


def relative_weights(weights: np.ndarray) -> np.ndarray:
    """Return weights in units of the largest, so that their sums stay in range."""
    largest = weights.max(initial=0.0)
    return weights / largest if largest > 0 else weights


class TargetScaler(BaseEstimator):
    """Transforms targets, then centres and scales each to unit variance.

    Parameters
    ----------
    target_transform : None, "log", "yeo-johnson" or transformer
        What to apply before scaling.

    Attributes
    ----------
    transformer_ : transformer or None
        The fitted transformer.
    mean_, scale_ : ndarray of shape (n_outputs,)
        Weighted mean and standard deviation of the transformed targets; the scale of a constant
        target is 1.
    """

    def __init__(self, target_transform: Any = None) -> None:
        self.target_transform = target_transform

    def fit(self, y: np.ndarray, weights: np.ndarray) -> "TargetScaler":
        """Fit to targets (n_samples, n_outputs), NaN where missing, and weights (n_samples,).

        Raises
        ------
        ValueError
            If the transform cannot take a target: for "log", one that is not above zero.
        """
        self.transformer_ = self._make_transformer()
        labelled = np.where(np.isnan(y), 0.0, weights[:, None])
        if self.transformer_ is not None:
            self._refuse_outside_of_domain(y)
            self.transformer_.fit(y[(labelled > 0).any(axis=1)])
        self.mean_, self.scale_ = mean_and_scale(self._transform(y), labelled)
        return self

    def transforms_by(self, target_transform: Any) -> bool:
        """Whether it was made with this parameter."""
        own = self.target_transform
        return own is target_transform or (isinstance(own, str) and own == target_transform)

    def transform(self, y: np.ndarray) -> np.ndarray:
        """Return scaled targets, NaN where they are missing."""
        return (self._transform(y) - self.mean_) / self.scale_

    def inverse(
        self, mean: np.ndarray, std: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return predictions, and standard deviations if given, in the target's units.

        Through a transform, the standard deviation is half the distance between the images of
        mean + std and mean - std.
        """
        centre = mean * self.scale_ + self.mean_
        width = None if std is None else std * self.scale_
        if self.transformer_ is not None:
            if width is not None:
                upper, lower = self._undo(centre + width), self._undo(centre - width)
                centre = self._undo(centre)
                # Where one side has no image, the distance to the other.
                width = np.abs(upper - lower) / 2
                width = np.where(np.isfinite(upper), width, np.abs(centre - lower))
                width = np.where(np.isfinite(lower), width, np.abs(upper - centre))
            else:
                centre = self._undo(centre)
        n_bad = int((~np.isfinite(centre)).sum())
        if n_bad and self.transformer_ is not None:
            warnings.warn(
                f"{n_bad} prediction(s) are not finite: they lie where "
                f"target_transform={self.target_transform!r} has no inverse",
                RuntimeWarning,
                stacklevel=3,
            )
        return centre, width

    def _undo(self, values: np.ndarray) -> np.ndarray:
        assert self.transformer_ is not None
        # `inverse` says itself, once and for all targets, what has no inverse. Filters of warnings
        # belong to the whole process, and threads would leave each other's behind.
        if isinstance(self.target_transform, str) and self.target_transform == "yeo-johnson":
            # As PowerTransformer does it, but for its warnings.
            lambdas = self.transformer_.lambdas_
            above = inv_boxcox1p(np.maximum(values, 0.0), lambdas)
            below = -inv_boxcox1p(np.maximum(-values, 0.0), 2 - lambdas)
            return np.where(values >= 0, above, below)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.transformer_.inverse_transform(values), dtype=np.float64)

    def _transform(self, y: np.ndarray) -> np.ndarray:
        if self.transformer_ is None:
            return y
        self._refuse_outside_of_domain(y)
        present = ~np.isnan(y).all(axis=1)
        transformed = np.full(y.shape, np.nan)
        transformed[present] = self.transformer_.transform(y[present])
        lost = ~np.isfinite(transformed) & ~np.isnan(y)
        if lost.any():
            row = int(np.argwhere(lost)[0][0])
            raise ValueError(
                f"target_transform={self.target_transform!r} gives no finite value for "
                f"{int(lost.sum())} target(s), the first in row {row}: y = {y[row]}"
            )
        return transformed

    def _refuse_outside_of_domain(self, y: np.ndarray) -> None:
        if self.target_transform == "log" and (y <= 0).any():
            row = int(np.argwhere(y <= 0)[0][0])
            raise ValueError(
                f'target_transform="log" needs targets above zero; row {row} has y = {y[row]}'
            )

    def _make_transformer(self) -> Any:
        if self.target_transform is None:
            return None
        if self.target_transform == "log":
            return FunctionTransformer(np.log, np.exp, check_inverse=False)
        if self.target_transform == "yeo-johnson":
            return PowerTransformer("yeo-johnson", standardize=False)
        return clone(self.target_transform)
