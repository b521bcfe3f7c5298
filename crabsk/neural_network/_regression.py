"""Real-valued targets: what the regressors share beyond training."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils import Tags, check_scalar
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
)
from torch import nn

from .._validation import HasMethods, StrOptions
from ..metrics import masked_r2_score
from ..modules import LOSSES, CompositionNetwork, Dropout, WeightedLoss, sample_subnetwork
from ._base import BaseCompositionNetwork
from ._net import Targets
from ._prediction import MemberOutputs
from ._targets import TargetScaler, relative_weights


class CompositionRegressor(RegressorMixin, BaseCompositionNetwork):
    """Base of the regressors; see `BaseCompositionNetwork`."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseCompositionNetwork._parameter_constraints,
        "loss": [StrOptions(set(LOSSES))],
        "target_transform": [
            StrOptions({"log", "yeo-johnson"}),
            None,
            HasMethods(["fit", "transform", "inverse_transform"]),
        ],
    }

    _replaced: ClassVar[dict[str, str]] = {
        "mc_dropout": "the argument of predict: predict(X, return_std=True, mc_dropout=...)",
        "calibration": "CalibratedRegressorCV",
    }

    def __init__(self, *, loss: str, target_transform: Any, **shared: Any) -> None:
        super().__init__(**shared)
        self.loss = loss
        self.target_transform = target_transform

    def predict(
        self, X: Any, return_std: bool = False, *, mc_dropout: int = 0
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        r"""Predict the target of each sample.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in the same form as in `fit`.
        return_std : bool, default=False
            Whether to return a standard deviation for each prediction.
        mc_dropout : int, default=0
            Number of networks that dropout draws from each member [1]_, at most 1000. In `y_std`,
            the variance of their means replaces that of the members. Meant for single networks: the
            members of an ensemble differ without dropout.

        Returns
        -------
        y_mean : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Mean of the members' predictions, in the units of the target. With a
            `target_transform`, the mean of the transformed predictions is transformed back.
        y_std : ndarray of the same shape
            Only with ``return_std=True``. Standard deviation of the mixture of the members'
            distributions. By the law of total variance, its square is the mean of the members' own
            variances (the scatter of the data) plus the variance of their means (the disagreement
            of the ensemble).

        Raises
        ------
        ValueError
            If X cannot be read as compositions, differs in form from the X of `fit`, or holds
            elements that the embedding lacks (see `missing`). If numbers in X are so far from those
            of the training samples that a network overflows. If `mc_dropout` is given without
            `return_std`, or for networks without dropout. An error about rows that cannot be read
            tells of all of them. In a long X, it is raised when the first of them is reached.

        References
        ----------
        .. [1] Gal, Y. and Ghahramani, Z., "Dropout as a Bayesian approximation: representing model
           uncertainty in deep learning", ICML 2016. https://arxiv.org/abs/1506.02142
        """
        check_is_fitted(self)
        if mc_dropout and not return_std:
            raise ValueError(
                f"mc_dropout={mc_dropout} only changes standard deviations: ask for them with "
                "return_std=True"
            )
        networks = self._networks()
        sampled = self._sampled_networks(mc_dropout)
        mean, std = self._scaler.inverse(*self._scaled(X, networks, sampled, return_std))
        if not self._y_shape:
            mean, std = mean[:, 0], None if std is None else std[:, 0]
        return mean if std is None else (mean, std)

    def predict_members(self, X: Any) -> np.ndarray:
        """Predict the target of each sample by each network of the ensemble.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in the same form as in `fit`.

        Returns
        -------
        ndarray of shape (n_estimators, n_samples) or (n_estimators, n_samples, n_outputs)
            In the units of the target. Without a `target_transform`, `predict` returns their mean.

        Raises
        ------
        ValueError
            As `predict`.
        """
        check_is_fitted(self)
        parts = [outputs.mean for _, outputs in self._member_outputs(X, self._networks())]
        means = np.stack([self._scaler.inverse(own)[0] for own in np.concatenate(parts, axis=1)])
        return means if self._y_shape else means[:, :, 0]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R², the coefficient of determination, of the predictions.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in the same form as in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. In a 2-D `y`, NaN marks a missing label, as in `fit`.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples.

        Returns
        -------
        float
            The mean over the targets. Each target is scored on the samples that have its label. If
            no label is missing, this is `sklearn.metrics.r2_score`.

        Raises
        ------
        ValueError
            As `predict`, and if y does not fit X.
        """
        y = check_array(
            y, ensure_2d=False, dtype=np.float64, ensure_all_finite="allow-nan", input_name="y"
        )
        if y.ndim < 2 or not np.isnan(y).any():
            return super().score(X, y, sample_weight)
        return float(masked_r2_score(y, self.predict(X), sample_weight=sample_weight))

    def _scaled(
        self,
        X: Any,
        networks: list[CompositionNetwork],
        sampled: list[CompositionNetwork],
        return_std: bool,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return predictions, and standard deviations if asked for, of scaled targets."""
        means, stds = [], []
        for _, outputs in self._member_outputs(X, [*networks, *sampled]):
            means.append(outputs.mean[: len(networks)].mean(axis=0))
            if return_std:
                stds.append(total_std(outputs, len(networks)))
        return np.concatenate(means), np.concatenate(stds) if return_std else None

    def _sampled_networks(self, n_draws: int) -> list[CompositionNetwork]:
        """Return what dropout draws from each member, the same at every call."""
        check_scalar(n_draws, "mc_dropout", Integral, min_val=0, max_val=1000)
        networks = self._networks()
        if n_draws and not any(
            isinstance(layer, Dropout) and layer.threshold > 0 for layer in networks[0].modules()
        ):
            raise ValueError(
                f"mc_dropout={n_draws} would draw the same network each time, because "
                f"{type(self).__name__} was trained without dropout"
            )
        return [sample_subnetwork(network, seed) for network in networks for seed in range(n_draws)]

    def _detaches_uncertainty(self) -> bool:
        # The robust losses weigh errors by their uncertainty.
        return not self.loss.startswith("robust")

    def _criterion(self) -> nn.Module:
        return WeightedLoss(self.loss)

    def _n_outputs(self) -> int:
        return len(self._scaler.mean_)

    def _validate_targets(
        self, y: Any, sample_weight: Any, n_samples: int, *, fit: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        name = type(self).__name__
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None")
        columns = getattr(y, "columns", None)
        try:
            y = check_array(
                y,
                ensure_2d=False,
                dtype=np.float64,
                ensure_all_finite="allow-nan",
                input_name="y",
                estimator=self,
            )
        except ValueError:
            _refuse_text(y, name)
            _refuse_infinite(y)
            raise
        if fit and not hasattr(self, "nets_"):  # else a warm start, which goes on with its targets
            self._y_shape = y.shape[1:]
        elif y.shape[1:] != self._y_shape:
            raise ValueError(
                f"y has shape {y.shape}, but {name} is fitted to {('n', *self._y_shape)}"
            )
        if y.ndim == 1 and np.isnan(y).any():
            raise ValueError(
                f"Input y contains NaN in row {int(np.flatnonzero(np.isnan(y))[0])}: drop the "
                "samples without a label (in a 2-D y, NaN is a missing label)"
            )
        y = y.reshape(len(y), -1)
        check_consistent_length(np.empty(n_samples), y)
        weights = relative_weights(
            _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        )
        unlabelled = np.flatnonzero(~((~np.isnan(y)) & (weights > 0)[:, None]).any(axis=0))
        if len(unlabelled):
            k = int(unlabelled[0])
            weighted = "" if np.isnan(y[:, k]).all() else " with a weight above 0"
            named = f"target {k}" if columns is None else f"target {columns[k]!r}"
            raise ValueError(f"{named} of y has no label{weighted}: leave the target out")
        return y, weights

    def _encode_targets(self, y: np.ndarray, weights: np.ndarray, *, fit: bool) -> Targets:
        # A sample of weight 0 decides nothing, not even a transform's parameters.
        y = np.where(weights[:, None] > 0, y, np.nan)
        if fit:
            self._scaler = TargetScaler(self.target_transform).fit(y, weights)
        elif not self._scaler.transforms_by(self.target_transform):
            raise ValueError(
                "warm_start=True continues with the target_transform of the previous fit, "
                f"{self._scaler.target_transform!r}, but it is {self.target_transform!r} now"
            )
        labelled = np.where(np.isnan(y), 0.0, weights[:, None])
        # Every target counts alike, however many labels it has.
        labelled *= (weights > 0).sum() / labelled.sum(axis=0)
        scaled = np.nan_to_num(self._scaler.transform(y), nan=0.0)
        return Targets(
            torch.from_numpy(scaled.astype(np.float32)),
            torch.from_numpy(labelled.astype(np.float32)),
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags


def _refuse_text(y: Any, name: str) -> None:
    texts = [
        (row, value)
        for row, values in enumerate(np.array(y, dtype=object, ndmin=1))
        for value in np.ravel(values)
        if isinstance(value, str)
    ]
    if texts:
        # A column of text is often a column of numbers with one bad cell.
        row, text = next((pair for pair in texts if not _is_number(pair[1])), texts[0])
        raise ValueError(
            f"y holds text, such as {str(text)!r} in row {row}: {name} learns numbers; for "
            f"classes, take {name.replace('Regressor', 'Classifier')}"
        )


def _refuse_infinite(y: Any) -> None:
    try:
        infinite = np.isinf(np.asarray(y, dtype=np.float64))
    except (TypeError, ValueError):
        return  # y has another fault
    if infinite.any():
        row = int(np.argwhere(infinite)[0][0])
        raise ValueError(
            "Input y contains infinity or a value too large for dtype('float64'): row "
            f"{row} holds {np.asarray(y)[row]}"
        )


def total_std(outputs: MemberOutputs, n_networks: int) -> np.ndarray:
    """Return the standard deviation of the networks' predictions, by the law of total variance.

    The first `n_networks` outputs are those of the members. If outputs of networks drawn from them
    follow, the variance of the means is taken over these.
    """
    scatter = outputs.mean[n_networks:] if len(outputs.mean) > n_networks else outputs.mean
    return np.sqrt((outputs.sigma[:n_networks] ** 2).mean(axis=0) + scatter.var(axis=0))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
