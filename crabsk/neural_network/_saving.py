"""Fitted estimators as the content of model files, and content as estimators again.

`crabsk._model_file` reads and writes the files. What they hold is believed only after it was
checked: parameters against the tensors that there are, attributes against what a fit leaves.
"""

import os
import warnings
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import is_classifier
from torch import Tensor

from .._model_file import UNSOUND, read_model_file, write_model_file
from .._version import __version__
from ..composition import ELEMENTS
from ..embeddings import ElementTable, embedding_names, load_embedding
from ..modules import FractionStatistics
from ..pretrained import is_name, resolve
from ._devices import AbsentDeviceError, resolve_device
from ._extra_columns import N_RANGES
from ._net import CompositionNet
from ._state import ArraysAsState
from ._targets import TargetScaler

AnEstimator = TypeVar("AnEstimator", bound=ArraysAsState)

SAVEABLE: dict[str, type[ArraysAsState]] = {}
"""The classes that files may name."""

# Parameters that training needs and prediction does not: code, or places on one machine.
_NOT_SAVED = ("callbacks", "checkpoint", "init_from", "freeze")
# Fitted attributes that are plain data, and those that are arrays of numbers, with their shapes.
_PLAIN = (
    "n_features_in_",
    "feature_names_in_",
    "formula_position_",
    "history_",
    "classes_",
    "_y_shape",
    "_multilabel",
    "_cbfv",
    "_dropout",
    "_least_fraction",
    "_seen_elements",
)
_ARRAYS: dict[str, tuple[int | None, ...]] = {
    "_extra_edges": (None, N_RANGES + 1),
    "_extra_mean": (None,),
    "_extra_scale": (None,),
    "_class_weights": (None,),
}
_POSITIVE = ("_extra_scale", "target_scale")


def saveable(cls: type[AnEstimator]) -> type[AnEstimator]:
    """Let a class be named in files; for use as a decorator."""
    SAVEABLE[cls.__name__] = cls
    return cls


def write_estimator(
    estimator: Any,
    path: str | os.PathLike,
    *,
    weights: torch.dtype = torch.float32,
    **about: Any,
) -> None:
    """Write a fitted estimator to a file; see `crabsk.save_model`.

    Networks may be written in bfloat16, which halves the file. `about` stands in its content and
    means nothing to `read_estimator`.
    """
    _refuse_changed_parameters(estimator)
    tensors = _tensors(estimator)
    for k, net in enumerate(estimator.nets_):
        for name, _ in net.module_.named_parameters():
            tensors[f"nets.{k}.{name}"] = tensors[f"nets.{k}.{name}"].to(weights)
    content = {
        "estimator": type(estimator).__name__,
        "parameters": _parameters(estimator),
        "attributes": {key: getattr(estimator, key) for key in _PLAIN if hasattr(estimator, key)},
        "element_table": {
            "name": estimator._element_table.name,
            "features": list(estimator._element_table.feature_names),
        },
        "transformer_lambdas": _lambdas(estimator),
        **about,
    }
    write_model_file(Path(path), content, tensors)


def warn_of_other_version(path: str | os.PathLike, written_by: str, *, stacklevel: int) -> None:
    """Warn of a file that another major or minor version of crabsk wrote."""
    if written_by.split(".")[:2] != __version__.split(".")[:2]:
        warnings.warn(
            f"{path} was saved with crabsk {written_by}, and this is {__version__}: predictions "
            "may differ",
            UserWarning,
            stacklevel=stacklevel,
        )


def read_estimator(path: str | os.PathLike, device: str | None, *, stacklevel: int) -> Any:
    """Return the estimator that was written to a file; see `crabsk.load_model`.

    `stacklevel` is that of the user's line, for the warning about another version.
    """
    content, tensors = read_model_file(Path(path))
    # The weights that ship with the package are made, and tested, for its version.
    if Path(path).parent != resolve("pretrained").parent:
        warn_of_other_version(path, content["written_by"], stacklevel=stacklevel + 1)
    try:
        return _restore(content, tensors, device)
    except AbsentDeviceError as error:
        raise ValueError(
            f'{path}: {error}; load_model(path, device="cpu") computes on the CPU'
        ) from error
    except UNSOUND as error:
        raise ValueError(f"{path} is no sound model of crabsk: {error}") from error


# ------------------------------------------------------------------------- estimator to content


def _parameters(estimator: Any) -> dict[str, Any]:
    parameters = estimator.get_params(deep=False)
    # A name means the same everywhere.
    named = {"init_from", "freeze"} if is_name(parameters["init_from"]) else set()
    dropped = [
        name for name in _NOT_SAVED if name not in named and parameters.pop(name) not in (None, 0)
    ]
    if isinstance(parameters["random_state"], np.random.RandomState):
        dropped.append("random_state")
        parameters["random_state"] = None
    if dropped:
        warnings.warn(
            f"not saved: {', '.join(dropped)}; the loaded estimator has the defaults",
            UserWarning,
            stacklevel=4,
        )
    if named:
        parameters["init_from"] = resolve(parameters["init_from"]).stem
    if not isinstance(parameters["embedding"], str):
        parameters["embedding"] = None  # the table itself is saved
    return parameters


def _refuse_changed_parameters(estimator: Any) -> None:
    """Refuse parameters that were set after the fit and describe other networks than it made."""
    table = load_embedding(estimator.embedding)
    same = (
        np.array_equal(table.values, estimator._element_table.values, equal_nan=True)
        and _may_have(estimator, len(estimator.nets_))
        and all(net.module_.settings == estimator._all_settings() for net in estimator.nets_)
        and getattr(estimator, "_cbfv", None) == getattr(estimator, "cbfv", None)
        and (
            not hasattr(estimator, "_scaler")
            or estimator._scaler.transforms_by(estimator.target_transform)
        )
    )
    if not same:
        raise ValueError(
            "parameters were changed since the fit, and no longer describe the fitted networks: "
            "set them back, or fit again"
        )


def _may_have(estimator: Any, n_nets: int) -> bool:
    """Whether the parameters of an estimator allow for so many members."""
    if estimator.time_limit is None:
        return n_nets == estimator.n_estimators
    return 1 <= n_nets <= estimator.n_estimators


def _tensors(estimator: Any) -> dict[str, Tensor]:
    """Return all numbers of a fitted estimator by name."""
    arrays = {name: getattr(estimator, name) for name in _ARRAYS if hasattr(estimator, name)}
    arrays["element_table"] = estimator._element_table.values
    if hasattr(estimator, "_scaler"):
        arrays["target_mean"] = estimator._scaler.mean_
        arrays["target_scale"] = estimator._scaler.scale_
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    for name, value in estimator._fraction_statistics._asdict().items():
        tensors[f"fraction_statistics.{name}"] = value
    for k, net in enumerate(estimator.nets_):
        for name, value in net.module_.state_dict().items():
            tensors[f"nets.{k}.{name}"] = value.cpu().contiguous().clone()
    return tensors


def _lambdas(estimator: Any) -> list[float] | None:
    """Return what the Yeo-Johnson transform of the targets learnt."""
    transformer = getattr(getattr(estimator, "_scaler", None), "transformer_", None)
    lambdas = getattr(transformer, "lambdas_", None)
    return None if lambdas is None else lambdas.tolist()


# ------------------------------------------------------------------------- content to estimator


def _restore(content: dict[str, Any], tensors: dict[str, Tensor], device: str | None) -> Any:
    parameters = content["parameters"]
    named = {"init_from", "freeze"} if is_name(parameters.get("init_from")) else set()
    if unwanted := (set(parameters) & set(_NOT_SAVED)) - named:
        raise ValueError(f"it has parameters that are never saved: {sorted(unwanted)}")
    for name in _POSITIVE:
        if name in tensors and not (tensors[name] > 0).all():
            raise ValueError(f"{name} is not above zero")
    n_nets = len({name.split(".")[1] for name in tensors if name.startswith("nets.")})
    n_outputs = tensors["target_mean"].numel() if "target_mean" in tensors else 1
    if n_nets * _fewest_tensors(parameters, n_outputs) > len(tensors):
        raise ValueError("its parameters describe more layers than the file has tensors")
    table = _restore_table(content["element_table"], tensors)
    if parameters["embedding"] is None:
        parameters["embedding"] = _as_frame(table)
    elif parameters["embedding"] not in embedding_names():
        raise ValueError(f"there is no embedding {parameters['embedding']!r}")
    if device is not None:
        parameters["device"] = device
    estimator: Any = SAVEABLE[content["estimator"]](**parameters)
    estimator._validate_params()
    resolve_device(estimator.device)
    _restore_attributes(estimator, content["attributes"], tensors)
    estimator._element_table = table
    if "target_mean" in tensors:
        estimator._scaler = _restore_scaler(estimator, content["transformer_lambdas"], tensors)
    if not _may_have(estimator, n_nets):
        raise ValueError(f"it has {n_nets} networks, and n_estimators={estimator.n_estimators}")
    estimator.callbacks_ = [[] for _ in range(n_nets)]
    estimator.nets_ = _restore_nets(estimator, tensors, n_nets)
    if surplus := tensors.keys() - _tensors(estimator).keys():
        raise ValueError(f"it has tensors that belong to nothing: {sorted(surplus)[:5]}")
    return estimator


def _fewest_tensors(parameters: dict[str, Any], n_outputs: int) -> int:
    """Return a lower bound of the tensors of a network that parameters describe."""
    n_widths = sum(
        sum(1 if isinstance(width, int | np.integer) else len(width) for width in widths)
        for name, widths in parameters.items()
        if name.endswith("widths")
    )
    n_layers, n_experts = parameters.get("n_layers", 0), parameters.get("n_experts", 1)
    # A weight and a bias for each of: six parts of a layer of an encoder, or more of Roost's; two
    # layers of an expert; the tower of a target.
    n_towers = n_outputs if n_experts > 1 else 0
    return 12 * n_layers + n_widths + 4 * n_experts * ("n_experts" in parameters) + 2 * n_towers


def _restore_table(facts: dict[str, Any], tensors: dict[str, Tensor]) -> ElementTable:
    values = _array(tensors, "element_table", (len(ELEMENTS), None))
    values.setflags(write=False)
    return ElementTable(facts["name"], values, tuple(facts["features"]))


def _as_frame(table: ElementTable) -> pd.DataFrame:
    """Return a user's own element table, as `embedding` takes one."""
    known = ~np.isnan(table.values).all(axis=1)
    symbols = [symbol for symbol, there in zip(ELEMENTS, known, strict=True) if there]
    return pd.DataFrame(table.values[known], index=symbols, columns=list(table.feature_names))


def _restore_attributes(
    estimator: Any, attributes: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    """Set what a fit leaves; refuse what it does not, or of another kind."""
    estimator._seen_elements = None  # of the weights that ship with the package
    for name, value in attributes.items():
        if name not in _PLAIN:
            raise ValueError(f"it has an unknown attribute {name!r}")
        setattr(estimator, name, value)
    kinds: dict[str, type | UnionType] = {
        "n_features_in_": int,
        "formula_position_": int | None,
        "history_": list,
        "_least_fraction": float,
        "_seen_elements": list | None,
    }
    if is_classifier(estimator):
        kinds |= {"classes_": np.ndarray, "_multilabel": bool}
    else:
        kinds |= {"_y_shape": tuple}
    if hasattr(estimator, "cbfv"):
        kinds |= {"_cbfv": str | None, "_dropout": float | int}
    for name, kind in kinds.items():
        if not isinstance(getattr(estimator, name), kind):
            raise TypeError(f"{name} is {getattr(estimator, name)!r}")
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and (
        np.shape(names) != (estimator.n_features_in_,)
        or not all(isinstance(name, str) for name in names)
    ):
        raise TypeError("feature_names_in_ is no text for each column")
    for name, shape in _ARRAYS.items():
        if name in tensors:
            setattr(estimator, name, _array(tensors, name, shape))
    if len(estimator._extra_edges) != len(estimator._extra_names()):
        raise ValueError("it does not have ranges for each extra feature")
    estimator._fraction_statistics = FractionStatistics(
        *(tensors[f"fraction_statistics.{name}"] for name in FractionStatistics._fields)
    )


def _restore_scaler(
    estimator: Any, lambdas: list[float] | None, tensors: dict[str, Tensor]
) -> TargetScaler:
    scaler = TargetScaler(estimator.target_transform)
    scaler.mean_ = _array(tensors, "target_mean", (None,))
    scaler.scale_ = _array(tensors, "target_scale", scaler.mean_.shape)
    scaler.transformer_ = scaler._make_transformer()
    if lambdas is not None and scaler.transformer_ is not None:
        scaler.transformer_.lambdas_ = np.array(lambdas, dtype=np.float64)
        scaler.transformer_.n_features_in_ = len(lambdas)
    elif scaler.transformer_ is not None:
        scaler.transformer_.fit(np.ones((1, len(scaler.mean_))))  # learns nothing
    return scaler


def _restore_nets(
    estimator: ArraysAsState, tensors: dict[str, Tensor], n_nets: int
) -> list[CompositionNet]:
    nets = []
    for k in range(n_nets):
        prefix = f"nets.{k}."
        weights = {
            name.removeprefix(prefix): tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        nets.append(estimator._trained_net(estimator._all_settings(), weights))
    return nets


def _array(tensors: dict[str, Tensor], name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    array = tensors[name].numpy()
    if array.ndim != len(shape) or any(
        want not in (None, is_) for want, is_ in zip(shape, array.shape, strict=True)
    ):
        raise ValueError(f"{name} has shape {array.shape}, not {shape}")
    return array
