"""What an estimator takes over from the one that `init_from` names."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sklearn.frozen import FrozenEstimator
from skorch.callbacks import Callback, ParamMapper
from skorch.utils import freeze_parameter, unfreeze_parameter

from ..modules import CompositionNetwork, copy_encoder
from ._net import CompositionNet

if TYPE_CHECKING:
    from ._base import BaseCompositionNetwork


def find_donor(estimator: "BaseCompositionNetwork") -> "BaseCompositionNetwork | None":
    """Return the fitted estimator that `init_from` is, wraps or leads to."""
    from ._base import BaseCompositionNetwork  # which stands on this room

    donor = estimator.init_from
    if donor is None:
        if estimator.freeze:
            raise ValueError(
                f"freeze={estimator.freeze} needs init_from: there is nothing else to freeze"
            )
        return None
    if isinstance(donor, str | os.PathLike):
        from ..persistence import load_model  # which stands on this room

        donor = load_model(donor)
    if isinstance(donor, FrozenEstimator):
        donor = donor.estimator
    if not isinstance(donor, BaseCompositionNetwork) or not hasattr(donor, "nets_"):
        raise ValueError(
            f"init_from, a {type(estimator.init_from).__name__}, must be a fitted estimator of the "
            "same network, or the path of a saved one: of a search take best_estimator_, of a "
            "pipeline its last step; in a grid of parameters, where estimators are cloned, wrap it "
            "in FrozenEstimator"
        )
    return donor


def refuse_other_features(
    estimator: "BaseCompositionNetwork", donor: "BaseCompositionNetwork"
) -> None:
    """Refuse a donor whose encoder reads other extra features: its weights mean those."""
    own, given = estimator._extra_names(), donor._extra_names()
    # Columns of an array have numbers for names.
    named = all(isinstance(name, str) for name in (*own, *given))
    cbfv, given_cbfv = (getattr(its, "_cbfv", None) for its in (estimator, donor))
    if cbfv == given_cbfv and (own == given if named else len(own) == len(given)):
        return
    raise ValueError(
        f"init_from was fitted with the extra features {given} and cbfv={given_cbfv!r}, and "
        f"its encoder reads those; here they are {own} and cbfv={cbfv!r}"
    )


def standardizes_fractions(donor: "BaseCompositionNetwork") -> bool:
    """Whether the encoder of a donor rests on how the fractions of its data vary."""
    # Only CrabNet has the parameter.
    wanted = getattr(donor, "standardize_fractions", False)
    return wanted and bool(donor._fraction_statistics.narrowness.any())


def start_from(
    donor: CompositionNet, network: CompositionNetwork, freeze: int
) -> list[tuple[str, Callback]]:
    """Give a network the encoder of a donor; return what freezes it for so many epochs."""
    try:
        copied = copy_encoder(donor.module_, network)
    except ValueError as error:
        raise ValueError(
            f"init_from has another network: {error}; set the parameters of the architecture, "
            "embedding and missing as they are there"
        ) from error
    if not freeze:
        return []
    return [("crabsk_freezer", ParamMapper(copied, schedule=partial(_freezing, n_epochs=freeze)))]


def _freezing(net: CompositionNet, n_epochs: int) -> Callable[..., Any]:
    """Return what to do with the weights of a donor before an epoch."""
    return freeze_parameter if len(net.history) <= n_epochs else unfreeze_parameter
