"""The models that are tried, in order of what they are worth a second."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits

from .._text import few
from ..feature_extraction import CompositionTransformer, PretrainedTransformer
from ..neural_network import (
    BaseCompositionNetwork,
    CrabNetClassifier,
    CrabNetRegressor,
    RoostClassifier,
    RoostRegressor,
    hash_of,
)

# These take the cube and the square of the number of samples.
_MOST_SAMPLES = {"gaussian_process": 2000, "support_vectors": 10_000}
_ANY = (1e-10, 1e10)
# The first row of the leaderboard.
_ENSEMBLE = "ensemble"
# Of each fold, so that what is left out is seen by an ensemble, as new samples will be.
_NETWORKS_OF_A_FOLD = 2
# Trees are so many, unless they would fill the memory.
_TREES_OF_A_FOLD = (20, 100)
_NODES_OF_A_FOLD, _FINEST = 1_000_000, 50_000
# Up to so many samples, trees are quick.
_FEW = 1500


@dataclass(frozen=True)
class Candidate:
    """A model to try: features that learn nothing, and an estimator on them.

    Parameters
    ----------
    name : str
        What the leaderboard calls it.
    features : transformer or None
        What makes features of compositions, the same for all folds; None if the estimator reads X
        itself.
    estimator : estimator
        Unfitted.
    """

    name: str
    features: Any
    estimator: Any

    @classmethod
    def of(cls, name: str, estimator: Any) -> "Candidate":
        """Split what learns nothing off a pipeline, so that its work is done once."""
        is_split = isinstance(estimator, Pipeline) and len(estimator.steps) > 1
        if is_split and learns_nothing(estimator.steps[0][1]):
            rest = estimator[1:]
            return cls(name, estimator.steps[0][1], rest if len(rest) > 1 else rest[0])
        return cls(name, None, estimator)

    @property
    def features_key(self) -> str:
        """What tells features from others; the same for those of several candidates."""
        return hash_of({"features": self.features})


def learns_nothing(step: Any) -> bool:
    """Whether a step makes the same features of a composition whatever it was fitted on."""
    if isinstance(step, FeatureUnion):
        return all(learns_nothing(part) for _, part in step.transformer_list)
    # A subclass may learn.
    return type(step) in (CompositionTransformer, PretrainedTransformer)


def network_in(estimator: Any) -> BaseCompositionNetwork | None:
    """Return the network that an estimator is, or that a pipeline ends in."""
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return last if isinstance(last, BaseCompositionNetwork) else None


def one_thread(estimator: Any) -> AbstractContextManager:
    """Return a context in which a fit has one OpenMP thread.

    Boosting shares each tree among threads, which wait for each other without rest: beside other
    work, it would take a hundred times as long. Networks see to their threads themselves.
    """
    if network_in(estimator) is not None:
        return nullcontext()
    return threadpool_limits(1, user_api="openmp")


def seeded(estimator: Any, seed: int) -> Any:
    """Set each `random_state` that is None, also those of parts."""
    for name, value in estimator.get_params(deep=True).items():
        if name.split("__")[-1] == "random_state" and value is None:
            estimator.set_params(**{name: seed})
    return estimator


def choose(
    wanted: Any,
    *,
    of_classes: bool,
    n_samples: int,
    weights: str | Path | None,
    n_threads: int,
) -> list[Candidate]:
    """Return what is to be tried, in order.

    Parameters
    ----------
    wanted : None, list of names and estimators, or mapping of names to estimators
        None for the portfolio.
    of_classes : bool
        Whether targets are classes.
    n_samples : int
        Number of training samples, which decides what the portfolio has and in which order.
    weights : str, path or None
        The pretrained weights; None for no candidates that need them.
    n_threads : int
        Threads of a forest.

    Raises
    ------
    ValueError
        If a name is unknown, stands for two, or for the ensemble.
    TypeError
        If something is neither a name nor an estimator.
    """
    made = portfolio(
        of_classes=of_classes, n_samples=n_samples, weights=weights, n_threads=n_threads
    )
    if wanted is None:
        return [Candidate.of(name, made[name]) for name in default_names(made, n_samples)]
    pairs = []
    for name, estimator in wanted.items() if isinstance(wanted, Mapping) else enumerate(wanted):
        if isinstance(estimator, str):
            if estimator not in made:
                raise ValueError(
                    f"there is no candidate {estimator!r}: the names are {', '.join(made)}"
                )
            pairs.append((name if isinstance(name, str) else estimator, made[estimator]))
        elif isinstance(estimator, BaseEstimator) or hasattr(estimator, "fit"):
            own = name if isinstance(name, str) else type(estimator).__name__
            pairs.append((own, clone(estimator)))
        else:
            raise TypeError(f"candidates are names and estimators, not {estimator!r}")
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two candidates are called {few(twice)}: pass a mapping with other names")
    if _ENSEMBLE in names:
        raise ValueError(f"a candidate is called {_ENSEMBLE!r}, as the ensemble itself is")
    if not pairs:
        raise ValueError("candidates= is empty: name one at least, or leave it out")
    return [Candidate.of(name, estimator) for name, estimator in pairs]


def default_names(made: Mapping[str, Any], n_samples: int) -> list[str]:
    """Return the names of the portfolio for so many samples, in order of what they are worth."""
    order = [name for name in made if n_samples <= _MOST_SAMPLES.get(name, n_samples)]
    if n_samples > _FEW:
        # The first answer is to come within seconds.
        order.remove("boosting")
        order.insert(1, "boosting")
    return order


def portfolio(
    *, of_classes: bool, n_samples: int, weights: str | Path | None, n_threads: int
) -> dict[str, BaseEstimator]:
    """Return all models that can be named, in order of what they are worth on few samples."""
    statistics = CompositionTransformer("magpie", missing="mean")
    with_fractions = clone(statistics).set_params(stats=(*statistics.stats, "fraction"))
    learnt = statistics
    if weights is not None:
        learnt = make_union(statistics, PretrainedTransformer(weights=weights))
    networks: dict[str, Any] = {"n_estimators": _NETWORKS_OF_A_FOLD, "missing": "mean"}
    simple: Any = DummyClassifier(strategy="prior") if of_classes else DummyRegressor()
    boosting = HistGradientBoostingClassifier if of_classes else HistGradientBoostingRegressor
    crabnet: Any = CrabNetClassifier if of_classes else CrabNetRegressor
    roost: Any = RoostClassifier if of_classes else RoostRegressor
    forest = partial(
        ExtraTreesClassifier if of_classes else ExtraTreesRegressor,
        n_jobs=n_threads,
        **_size_of_a_forest(n_samples),
    )

    made: dict[str, Any] = {"prior" if of_classes else "mean": simple}
    if weights is not None:
        everything = make_union(with_fractions, PretrainedTransformer(weights=weights))
        made["extra_trees_pretrained"] = make_pipeline(everything, forest())
        made["crabnet_pretrained"] = crabnet.from_preset("pretrained", **networks)
        made["crabnet_pretrained"].set_params(init_from=weights)
    made["boosting"] = make_pipeline(clone(learnt), boosting())
    made["extra_trees"] = make_pipeline(with_fractions, forest())
    if of_classes:
        made["logistic_regression"] = make_pipeline(
            clone(learnt), StandardScaler(), LogisticRegression(max_iter=1000)
        )
    else:
        made["boosting_absolute"] = make_pipeline(
            clone(learnt), HistGradientBoostingRegressor(loss="absolute_error", max_iter=200)
        )
        made["support_vectors"] = make_pipeline(
            clone(learnt),
            TransformedTargetRegressor(
                make_pipeline(StandardScaler(), SVR(C=10.0, epsilon=0.02)),
                transformer=StandardScaler(),
            ),
        )
        # No bound is to be met.
        kernel = ConstantKernel(1.0, _ANY) * Matern(10.0, _ANY, nu=1.5) + WhiteKernel(0.1, _ANY)
        made["gaussian_process"] = make_pipeline(
            clone(learnt),
            StandardScaler(),
            GaussianProcessRegressor(kernel, alpha=1e-8, normalize_y=True),
        )
    made |= _guests(clone(learnt), of_classes=of_classes, n_threads=n_threads)
    made["crabnet"] = crabnet(**networks)
    made["roost"] = roost(**networks)
    return made


def _size_of_a_forest(n_samples: int) -> dict[str, Any]:
    """Return how many trees a fold has, and how fine they are: those of all folds are kept."""
    return {
        # Many samples make trees slow. Those that choose among fewer features take less time.
        "max_features": 1.0 if n_samples <= _FEW else 1 / 3,
        "n_estimators": int(np.clip(_NODES_OF_A_FOLD // n_samples, *_TREES_OF_A_FOLD)),
        "min_samples_leaf": max(1, n_samples // _FINEST),
    }


def _guests(features: Any, *, of_classes: bool, n_threads: int) -> dict[str, Any]:
    """Return models of other packages, of those that are installed."""
    made = {}
    lightgbm, catboost = (_module(name) for name in ("lightgbm", "catboost"))
    if lightgbm:
        kind = lightgbm.LGBMClassifier if of_classes else lightgbm.LGBMRegressor
        made["lightgbm"] = make_pipeline(
            features, kind(n_estimators=300, learning_rate=0.05, n_jobs=n_threads, verbose=-1)
        )
    if catboost:
        kind = catboost.CatBoostClassifier if of_classes else catboost.CatBoostRegressor
        made["catboost"] = make_pipeline(
            features, kind(thread_count=n_threads, verbose=False, allow_writing_files=False)
        )
    return made


def _module(name: str) -> Any:
    """Import a package, if it is there and whole."""
    try:
        return import_module(name)
    except (ImportError, OSError):  # a library that it needs is missing
        return None
