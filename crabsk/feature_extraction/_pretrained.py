"""Features of formulas from networks that have learnt computed properties."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _num_samples, check_is_fitted

from .._validation import (
    CompositionTable,
    StrOptions,
    _check_feature_names_in,
    _fit_context,
    extra_feature_columns,
    numeric_target,
    stream_compositions,
    validate_compositions,
    warn_of_target_among_features,
)
from ..neural_network import CrabNetRegressor, read_estimator
from ..pretrained import (
    is_name,
    properties,
    resolve,
    warn_of_known_targets,
    warn_of_unlearnt_elements,
)
from ._transformer import refuse_repeated

# Rows of X that are read at a time.
_CHUNK = 65_536


@lru_cache(maxsize=2)
def _model(path: Path) -> CrabNetRegressor:
    return read_estimator(path, "cpu", stacklevel=2)


class PretrainedTransformer(TransformerMixin, BaseEstimator):
    """Turn chemical formulas into predictions or encodings of a pretrained network.

    The weights have learnt computed properties of 405,000 compositions (`crabsk.pretrained`). They
    ship with the package. The features come from the first network of the weights. They help other
    models when used together with the statistics of `CompositionTransformer`: a random forest that
    is given an estimate of the formation energy need not learn it from a few hundred rows.

    Parameters
    ----------
    output : {"properties", "encoding", "both"}, default="properties"
        What to return: the predicted properties, in their units; the encoding, which is the vector
        from which the network's head predicts them; or the properties followed by the encoding.

    weights : str or path, default="pretrained"
        Name of the weights, or their file. "pretrained" means the latest weights in this version of
        crabsk. A name with a version, such as "pretrained-1", means the same weights in later
        versions of crabsk.

    Attributes
    ----------
    weights_ : str
        Name of the weights with their version, or their file.

    n_features_in_ : int
        Number of columns of X seen by `fit`; 1 for a sequence of formulas.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of X, if X was a DataFrame whose column names are all strings.

    formula_position_ : int or None
        Position of the column of formulas; None for a matrix of element amounts.

    See Also
    --------
    CompositionTransformer : Statistics of element properties.
    crabsk.pretrained.properties : Names, units, sources and errors of the properties.
    crabsk.pretrained.seen : Which compositions the networks were trained on.

    Examples
    --------
    >>> from crabsk.feature_extraction import PretrainedTransformer
    >>> transformer = PretrainedTransformer().set_output(transform="pandas")
    >>> predicted = transformer.fit_transform(["NaCl", "SrTiO3", "Cu3Au"])
    >>> predicted["band_gap_mp_eV"].round().tolist()
    [5.0, 2.0, 0.0]
    """

    _parameter_constraints: ClassVar[dict] = {
        "output": [StrOptions({"properties", "encoding", "both"})],
        "weights": [str, os.PathLike],
    }

    def __init__(
        self, output: str = "properties", weights: str | os.PathLike = "pretrained"
    ) -> None:
        self.output = output
        self.weights = weights

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "PretrainedTransformer":
        """Fix the form of X; nothing is learnt.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Formulas, alone or beside numeric columns; or amounts of elements, of shape
            (n_samples, n_elements).
        y : array-like, optional
            Targets. They only serve to warn if the networks have learnt them, or if they are among
            the columns of X.

        Returns
        -------
        self : PretrainedTransformer

        Raises
        ------
        ValueError
            If X cannot be read, or if there are no such weights.

        Warns
        -----
        KnownTargetWarning
            If y is a property that the networks have learnt for compositions in X.
        """
        table = validate_compositions(self, X, reset=True)
        file = resolve(self.weights)
        # A later crabsk, which may have other latest weights, is to know which these were.
        self.weights_ = file.stem if is_name(self.weights) else str(file)
        target = numeric_target(y, len(table.compositions))
        if target is not None:
            warn_of_target_among_features(self, table, target)
            warn_of_known_targets(file, table.compositions, target)
        refuse_repeated(
            self.get_feature_names_out(),
            "rename columns beside the formulas that have the name of a feature",
        )
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the predictions or encodings of the network.

        Parameters
        ----------
        X : sequence of formulas, column of formulas, DataFrame or matrix of element amounts
            Rows, in the form that X had in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), float64
            The properties, the encoding, then the numeric columns beside the formulas, unchanged.
            A DataFrame after ``set_output(transform="pandas")`` or ``"polars"``. A row of zeros in
            a matrix of amounts, an empty composition, has 0 in all features.

        Raises
        ------
        ValueError
            If X cannot be read, or differs in form from the X of `fit`.

        Warns
        -----
        UnlearntElementWarning
            If X holds elements that were in no composition of the pretraining data.
        """
        check_is_fitted(self)
        features = np.zeros((_num_samples(X), len(self.get_feature_names_out())))
        for rows, table in stream_compositions(self, X, _CHUNK):
            warn_of_unlearnt_elements(resolve(self.weights_), table.compositions)
            n_made = features.shape[1] - table.extra.shape[1]
            features[rows, :n_made] = self._ask(table, n_made)
            features[rows, n_made:] = table.extra
        return features

    def _ask(self, table: CompositionTable, n_features: int) -> np.ndarray:
        """Return what the first network says; 0 of a composition of nothing."""
        model = _model(resolve(self.weights_))
        features = np.zeros((len(table.compositions), n_features))
        rows = np.flatnonzero(table.compositions.lengths)
        if not len(rows):
            return features
        asked = model._with_features(
            CompositionTable(table.compositions.take(rows), table.extra[rows, :0])
        )
        # A second one would take as long again, and lower errors by up to 5 %.
        network = model._networks()[0]
        parts = []
        if self.output != "encoding":
            mean = model._answers(asked, [network]).mean[0]
            parts.append(model._scaler.inverse(mean)[0])
        if self.output != "properties":
            parts.append(model._vectors(asked, network))
        features[rows] = np.hstack(parts)
        return features

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the output features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X, used for those beside the formulas. By default
            `feature_names_in_`, or else ``x0``, ``x1``, ... by position.

        Returns
        -------
        ndarray of shape (n_features_out,), dtype object
            Names of the properties with their units; ``encoding_0``, ``encoding_1``, ...; then the
            names of the columns beside the formulas.

        Raises
        ------
        ValueError
            If `input_features` are not those of `fit`.
        """
        check_is_fitted(self)
        names_in = _check_feature_names_in(self, input_features)
        names = []
        if self.output != "encoding":
            names += properties(self.weights_).index.tolist()
        if self.output != "properties":
            names += [f"encoding_{k}" for k in range(_model(resolve(self.weights_)).d_model)]
        names += names_in[extra_feature_columns(self)].tolist()
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.positive_only = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "weights_")
