"""Fitted models of several parts in files that execute nothing, through skops."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.svm import SVR
from sklearn.tree import BaseDecisionTree

from .._files import write_whole
from .._version import __version__
from ..neural_network import BaseCompositionNetwork

# What files may make, beside the numbers, texts and estimators that skops trusts by itself.
_TRUSTED = {
    "crabsk.automl._classifier.AutoClassifier",
    "crabsk.automl._regressor.AutoRegressor",
    "crabsk._element_uncertainty.ElementUncertainty",
    "crabsk.automl._spread.Spread",
    "crabsk.calibration.CalibratedRegressorCV",
    "crabsk.embeddings._elements.ElementTable",
    "crabsk.embeddings._species.SpeciesTable",
    "crabsk.feature_extraction._pretrained.PretrainedTransformer",
    "crabsk.feature_extraction._transformer.CompositionTransformer",
    *(
        f"crabsk.neural_network._{kind.lower()}_{task}.{kind}{name}"
        for kind in ("CrabNet", "Roost", "ElemNet")
        for task, name in (("regression", "Regressor"), ("classification", "Classifier"))
    ),
    *(
        f"sklearn.gaussian_process.kernels.{name}"
        for name in ("ConstantKernel", "Matern", "Product", "RBF", "Sum", "WhiteKernel")
    ),
    "sklearn.utils._bunch.Bunch",
}
# scikit-learn follows the nodes of these without a look, so that `_check_trees` has one.
_TREES = {
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
}
# Estimators of scikit-learn that files may hold.
_KINDS = {
    *("DummyClassifier", "DummyRegressor", "FeatureUnion", "Pipeline", "StandardScaler"),
    *("DecisionTreeClassifier", "DecisionTreeRegressor"),
    *("ExtraTreeClassifier", "ExtraTreeRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"),
    *("RandomForestClassifier", "RandomForestRegressor"),
    *("HistGradientBoostingClassifier", "HistGradientBoostingRegressor", "_BinMapper"),
    *("LabelEncoder", "GaussianProcessRegressor", "SVR", "TransformedTargetRegressor"),
    *("BayesianRidge", "ElasticNet", "KernelRidge", "Lasso", "LinearRegression"),
    *("LogisticRegression", "Ridge", "RidgeCV", "SimpleImputer"),
}


def dump(content: Any) -> bytes:
    """Return the content of a file of estimators, arrays and containers.

    Raises
    ------
    ImportError
        If skops is not installed.
    """
    return _skops().dumps(content)


def save(estimator: Any, path: Path) -> None:
    """Write an estimator of several parts to a file, whole or not at all.

    What an AutoRegressor or AutoClassifier was searched with is left out: it decides no prediction,
    and may be code.

    Raises
    ------
    ImportError
        If skops is not installed.
    TypeError
        If it holds models that `load` would not read.
    """
    saved = copy.copy(estimator)
    saved.crabsk_version_ = __version__
    for name in {"candidates", "cv", "checkpoint", "random_state"} & vars(saved).keys():
        setattr(saved, name, None)
    if not isinstance(getattr(saved, "scoring", ""), str):
        saved.scoring = type(saved)().scoring
    data = dump(saved)
    foreign = _foreign(_skops().get_untrusted_types(data=data), saved)
    if foreign:
        raise TypeError(
            f"save_model does not vouch for {', '.join(foreign)}, models of your own or of other "
            "packages: skops.io.dump saves such a model, and skops.io.load reads it if they are "
            "named in trusted="
        )
    write_whole(path, data)


def load(path: Path, *kinds: type) -> Any:
    """Read what `save` or `dump` wrote, which is of one of some kinds.

    Raises
    ------
    ImportError
        If skops is not installed.
    ValueError
        If the file is not whole, holds something else, what may not be made from a file, or models
        whose indices lead out of their arrays.
    """
    skops, data = _skops(), path.read_bytes()
    try:
        found = set(skops.get_untrusted_types(data=data))
        foreign = sorted(found - _TRUSTED - _TREES)
        content = None if foreign else skops.loads(data, trusted=sorted(found))
    except Exception as error:
        raise ValueError(f"{path} is no model of crabsk, or not whole: {error}") from error
    if not foreign and not isinstance(content, kinds):
        raise ValueError(f"{path} holds something else: {type(content).__name__}")
    foreign = foreign or _foreign([], content)
    if foreign:
        raise ValueError(
            f"{path} holds objects that crabsk does not vouch for: {', '.join(foreign)}. If you "
            "trust who wrote it, skops.io.load reads it"
        )
    for estimator in _estimators(content):
        _check_trees(path, estimator)
        if isinstance(estimator, SVR) and hasattr(estimator, "support_vectors_"):
            _check_support_vectors(path, estimator)
    return content


def _foreign(untrusted: list[str], content: Any) -> list[str]:
    """Return the names of what files may not hold.

    scikit-learn's own estimators are no code, but some follow indices in their arrays without a
    look (those of nearest neighbours, for example). Only those that are looked at are let through.
    """
    names = {name for name in untrusted if name not in _TRUSTED | _TREES}
    for estimator in _estimators(content):
        kind = type(estimator)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if kind.__name__ not in _KINDS and name not in _TRUSTED:
            names.add(name)
    return sorted(names)


def _skops() -> ModuleType:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            "skops saves what is made of several models, and is not installed: pip install skops"
        ) from error
    return skops.io


def _estimators(content: Any) -> Iterator[BaseEstimator]:
    """Yield all estimators in some containers and in each other."""
    if isinstance(content, Mapping):
        content = list(content.values())
    elif isinstance(content, BaseEstimator):
        yield content
        # Networks check what they are made of themselves.
        inner = not isinstance(content, BaseCompositionNetwork)
        content = list(vars(content).values()) if inner else []
    elif isinstance(content, np.ndarray):
        content = content.ravel().tolist() if content.dtype == object else []
    if isinstance(content, list | tuple):
        for item in content:
            yield from _estimators(item)


def _check_trees(path: Path, estimator: Any) -> None:
    """Refuse trees whose nodes lead out of the tree or of the features, or in circles."""
    if isinstance(estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        for predictor in (one for stage in estimator._predictors for one in stage):
            nodes = predictor.nodes
            inner = nodes["is_leaf"] == 0
            _check_nodes(
                path,
                np.flatnonzero(inner),
                [nodes[side][inner].astype(np.int64) for side in ("left", "right")],
                nodes["feature_idx"][inner],
                len(nodes),
                estimator.n_features_in_,
            )
            if nodes["is_categorical"].any():
                raise ValueError(f"{path} holds trees over categories, which crabsk never makes")
    for one in (estimator, *np.ravel(getattr(estimator, "estimators_", []))):
        # A forest also holds an unfitted one, which it clones.
        if not (isinstance(one, BaseDecisionTree) and hasattr(one, "tree_")):
            continue
        tree = one.tree_
        if tree.node_count > tree.capacity:
            raise ValueError(f"{path} holds a tree with fewer nodes than it says")
        inner = tree.children_left != -1
        _check_nodes(
            path,
            np.flatnonzero(inner),
            [tree.children_left[inner], tree.children_right[inner]],
            tree.feature[inner],
            tree.node_count,
            # What a forest hands to its trees, they do not look at.
            estimator.n_features_in_,
        )


def _check_support_vectors(path: Path, estimator: Any) -> None:
    """Refuse arrays of other lengths than libsvm, which does not look, is told."""
    n = estimator.support_vectors_.shape[0]
    lengths = {
        n,
        estimator.support_.shape[0],
        estimator._dual_coef_.shape[1],
        int(np.sum(estimator._n_support[:1])),
    }
    if len(lengths) != 1 or estimator.support_vectors_.shape[1] != estimator.n_features_in_:
        raise ValueError(f"{path} holds support vectors whose arrays do not fit together")


def _check_nodes(
    path: Path,
    where: np.ndarray,
    children: list[np.ndarray],
    features: np.ndarray,
    n_nodes: int,
    n_features: int,
) -> None:
    """Refuse nodes with children that do not come after them, or features that there are not."""
    after = all(((child > where) & (child < n_nodes)).all() for child in children)
    if not (n_nodes and after and ((features >= 0) & (features < n_features)).all()):
        raise ValueError(f"{path} holds a tree whose nodes lead out of it")
