"""The source that `init_from` names: a fitted estimator, and what another takes over from it."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.frozen import FrozenEstimator
from skorch.callbacks import Callback, ParamMapper
from skorch.utils import freeze_parameter, unfreeze_parameter

from .._text import few
from ..modules import CompositionNetwork, copy_encoder
from ..pretrained import is_name, names, resolve
from ._net import CompositionNet
from ._saving import read_estimator
from ._state import ArraysAsState


def find_source(init_from: Any, freeze: int) -> ArraysAsState | None:
    """Return the fitted estimator that `init_from` is, wraps or leads to."""
    if init_from is None:
        if freeze:
            raise ValueError(f"freeze={freeze} needs init_from: there is nothing else to freeze")
        return None
    source = resolve(init_from) if is_name(init_from) else init_from
    if isinstance(source, str | os.PathLike):
        if not os.path.exists(source):
            raise FileNotFoundError(
                f"init_from={str(source)!r}: there is no such file, and the pretrained weights are "
                f"called {few(names())}"
            )
        # From here up: _prepare, fit, what scikit-learn wraps it in, and the user.
        source = read_estimator(source, None, stacklevel=6)
    if isinstance(source, FrozenEstimator):
        source = source.estimator
    if not isinstance(source, ArraysAsState) or not hasattr(source, "nets_"):
        raise ValueError(
            f"init_from, a {type(init_from).__name__}, must be a fitted estimator of the "
            "same network, or the path of a saved one. Take best_estimator_ of a search, and the "
            "last step of a pipeline. Wrap the estimator in FrozenEstimator if it is in a grid of "
            "parameters, because a search clones estimators"
        )
    return source


def refuse_other_features(estimator: ArraysAsState, source: ArraysAsState) -> None:
    """Refuse a source whose encoder reads other extra features: its weights mean those.

    One that reads a `cbfv` only, or nothing, leaves the receiver free to have columns.
    """
    classes = source._network_class.__name__, estimator._network_class.__name__
    if len(set(classes)) > 1:
        raise ValueError(
            f"init_from has another network: weights of {classes[0]} do not fit {classes[1]}"
        )
    own, given = estimator._extra_names(), source._extra_names()
    # Columns of an array have numbers for names.
    named = all(isinstance(name, str) for name in (*own, *given))
    cbfv, given_cbfv = (getattr(its, "_cbfv", None) for its in (estimator, source))
    same = own == given if named else len(own) == len(given)
    if cbfv == given_cbfv and (same or not given):
        return
    raise ValueError(
        f"init_from was fitted with the extra features {given} and cbfv={given_cbfv!r}, and "
        f"its encoder needs them; here they are {own} and cbfv={cbfv!r}"
    )


def standardizes_fractions(source: ArraysAsState) -> bool:
    """Whether the encoder of a source rests on how the fractions of its data vary."""
    return getattr(source.nets_[0].module_, "standardized", None) is not None


def start_from(
    source: CompositionNet, network: CompositionNetwork, freeze: int
) -> list[tuple[str, Callback]]:
    """Give a network the encoder of a source; return what freezes it for so many epochs."""
    try:
        copied = copy_encoder(source.module_, network)
    except ValueError as error:
        raise ValueError(
            f"init_from has another network: {error}; set the parameters of the architecture, "
            "embedding and missing as in init_from"
        ) from error
    if not freeze:
        return []
    return [("crabsk_freezer", ParamMapper(copied, schedule=partial(_freezing, n_epochs=freeze)))]


def _freezing(net: CompositionNet, n_epochs: int) -> Callable[..., Any]:
    """Return what to do with the weights of a source before an epoch."""
    return freeze_parameter if len(net.history) <= n_epochs else unfreeze_parameter
