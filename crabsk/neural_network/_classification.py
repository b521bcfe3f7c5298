"""Classes: what the classifiers share beyond training."""

from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from scipy.special import log_expit, log_softmax, logsumexp
from sklearn.base import ClassifierMixin
from sklearn.utils import (
    Tags,
    assert_all_finite,
    check_array,
    column_or_1d,
    compute_class_weight,
)
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_consistent_length,
    check_is_fitted,
)
from torch import nn

from .._validation import StrOptions
from ..modules import LogLoss
from ._base import BaseCompositionNetwork
from ._net import Targets
from ._targets import relative_weights


class CompositionClassifier(ClassifierMixin, BaseCompositionNetwork):
    """Base of the classifiers; see `BaseCompositionNetwork`.

    Two classes share one logit. More classes have one logit each, with a softmax over them. The
    labels of multilabel targets have one logit each.
    """

    classes_: np.ndarray
    _multilabel: bool

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseCompositionNetwork._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    _replaced: ClassVar[dict[str, str]] = {"calibration": "sklearn's CalibratedClassifierCV"}

    def __init__(self, *, class_weight: Any, **shared: Any) -> None:
        super().__init__(**shared)
        self.class_weight = class_weight

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of each sample.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in the same form as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            The most probable class. For multilabel targets, 1 for each label that is more probable
            than not.

        Raises
        ------
        ValueError
            If X cannot be read as compositions, differs in form from the X of `fit`, or holds
            elements that the embedding lacks (see `missing`).
        """
        decision = self.decision_function(X)
        if self._multilabel:
            return (decision > 0).astype(int)
        chosen = (decision > 0).astype(int) if decision.ndim == 1 else decision.argmax(axis=1)
        return self.classes_[chosen]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class: the mean over the members.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in the same form as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`. For multilabel targets, the probability of each label.

        Raises
        ------
        ValueError
            As `predict`.
        """
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in the same form as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`. Finite even where the probability itself is rounded to 0.

        Raises
        ------
        ValueError
            As `predict`.
        """
        present, absent = self._log_probabilities(X)
        if self._multilabel or absent is None:
            return present
        return np.hstack([absent, present])

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the confidence score of each class, from the mean over the members.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Samples, in the same form as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, the log odds of the second. For more classes, the logarithm of the
            probability of each. For multilabel targets, the log odds of each label.

        Raises
        ------
        ValueError
            As `predict`.
        """
        present, absent = self._log_probabilities(X)
        if absent is None:
            return present
        odds = present - absent
        return odds if self._multilabel else odds[:, 0]

    def _log_probabilities(self, X: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return log p of the class of each logit, and log(1 - p) unless classes are exclusive.

        Here p is the members' mean probability.
        """
        check_is_fitted(self)
        present, absent = [], []
        for _, outputs in self._member_outputs(X, self._networks()):
            logits = outputs.mean
            if self._exclusive:
                present.append(_log_mean_exp(log_softmax(logits, axis=2)))
            else:
                present.append(_log_mean_exp(log_expit(logits)))
                absent.append(_log_mean_exp(log_expit(-logits)))
        return np.concatenate(present), None if self._exclusive else np.concatenate(absent)

    @property
    def _exclusive(self) -> bool:
        """Whether there is a logit for each of several classes that exclude each other."""
        return not self._multilabel and len(self.classes_) != 2

    def _n_outputs(self) -> int:
        return len(self.classes_) if self._multilabel or self._exclusive else 1

    def _criterion(self) -> nn.Module:
        return LogLoss(self._exclusive)

    def _validate_targets(
        self, y: Any, sample_weight: Any, n_samples: int, *, fit: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        name = type(self).__name__
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None")
        _refuse_missing(y)
        assert_all_finite(y, estimator_name=name, input_name="y")
        check_classification_targets(y)
        multilabel = type_of_target(y) == "multilabel-indicator"
        check_consistent_length(np.empty(n_samples), y)
        weights = relative_weights(
            _check_sample_weight(
                sample_weight,
                np.empty(_num_samples(y)),
                dtype=np.float64,
                ensure_non_negative=True,
            )
        )
        if multilabel:
            indicator = check_array(y, accept_sparse="csr", dtype=np.float64, input_name="y")
            indicator = indicator.toarray() if hasattr(indicator, "toarray") else indicator
            classes = np.arange(indicator.shape[1])
        else:
            y = column_or_1d(y, warn=fit)
            classes = np.unique(y)
        if fit:
            self._check_classes(classes, multilabel)
        elif multilabel != self._multilabel:
            kinds = ["one class", "several labels"]
            raise ValueError(
                f"y has {kinds[multilabel]} per sample, but {name} was fitted to "
                f"{kinds[self._multilabel]}"
            )
        if multilabel:
            if len(classes) != len(self.classes_):
                raise ValueError(
                    f"y has {len(classes)} labels, but {name} is fitted to {len(self.classes_)}"
                )
            return indicator, weights
        if unknown := sorted(set(classes.tolist()) - set(self.classes_.tolist())):
            raise ValueError(f"y holds classes that were not there in training: {unknown}")
        if not (weights > 0).any():
            raise ValueError("sample_weight leaves no sample with a weight above 0")
        return np.eye(len(self.classes_))[np.searchsorted(self.classes_, y)], weights

    def _check_classes(self, classes: np.ndarray, multilabel: bool) -> None:
        """Check the classes in a warm start, and remember them."""
        if (
            self.warm_start
            and hasattr(self, "nets_")
            and (multilabel, classes.tolist()) != (self._multilabel, self.classes_.tolist())
        ):
            raise ValueError(
                "warm_start=True continues with the classes of the previous fit, "
                f"{self.classes_.tolist()}, but y holds {classes.tolist()}"
            )
        if multilabel and self.class_weight is not None:
            raise ValueError("class_weight cannot be used with multilabel y")
        self._multilabel, self.classes_ = multilabel, classes

    def _learn_class_weights(self, y: np.ndarray, weights: np.ndarray) -> None:
        self._class_weights = np.ones(len(self.classes_))
        if not self._multilabel:
            counts = weights > 0
            found = self.classes_[y.argmax(axis=1)][counts]
            counted = np.isin(self.classes_, found)
            self._class_weights[counted] = compute_class_weight(
                self.class_weight, classes=self.classes_[counted], y=found,
                sample_weight=weights[counts],
            )  # fmt: skip
        if not (np.isfinite(self._class_weights) & (self._class_weights >= 0)).all():
            raise ValueError(f"class_weight={self.class_weight!r} must be finite, not below 0")
        self._class_weights = relative_weights(self._class_weights)

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        return None if self._multilabel else y.argmax(axis=1)

    def _encode_targets(self, y: np.ndarray, weights: np.ndarray, *, fit: bool) -> Targets:
        values = y if self._multilabel or self._exclusive else y[:, 1:]
        if not self._multilabel:
            weights = weights * self._class_weights[y.argmax(axis=1)]
        if not (weights > 0).any():
            raise ValueError("class_weight and sample_weight leave no sample with a weight above 0")
        # Weights of mean 1 over those that count leave the scale of the loss alone.
        scaled = weights * ((weights > 0).sum() / weights.sum())
        n_columns = 1 if self._exclusive else values.shape[1]
        return Targets(
            torch.from_numpy(values.astype(np.float32)),
            torch.from_numpy(np.tile(scaled[:, None], n_columns).astype(np.float32)),
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _refuse_missing(y: Any) -> None:
    """Refuse missing classes; numpy would turn them into text or values without an order."""
    if hasattr(y, "toarray"):
        return
    labels = y if hasattr(y, "dtype") or hasattr(y, "columns") else np.array(y, dtype=object)
    missing = np.asarray(pd.isna(labels))
    if not missing.ndim:
        return
    rows = np.flatnonzero(missing.reshape(len(missing), -1).any(axis=1))
    if len(rows):
        raise ValueError(
            f"Input y contains NaN in row {rows[0]} (of {len(rows)} such rows): drop the samples "
            "without a class"
        )


def _log_mean_exp(values: np.ndarray) -> np.ndarray:
    """Return the logarithm of the mean of exponentials over the first axis."""
    return logsumexp(values, axis=0) - np.log(len(values))
