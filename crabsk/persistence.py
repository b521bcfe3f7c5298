"""Saving and loading fitted networks without executing anything from a file.

A model is one safetensors file: weights and tables as tensors, everything else as JSON in its
header. Reading it makes numbers, strings and containers, and then one of crabsk's own estimators.
"""

import hashlib
import json
import os
import platform
import warnings
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from . import neural_network
from ._files import write_whole
from ._version import __version__
from .composition import ELEMENTS
from .embeddings import ElementTable, embedding_names, load_embedding
from .modules import FractionStatistics
from .neural_network._base import BaseCompositionNetwork
from .neural_network._devices import AbsentDeviceError, resolve_device
from .neural_network._net import CompositionNet
from .neural_network._targets import TargetScaler

__all__ = ["load_model", "save_model"]

FORMAT = 2
"""Version of what a file means; raised when another crabsk would read it otherwise."""

_ESTIMATORS: dict[str, type[BaseCompositionNetwork]] = {
    name: getattr(neural_network, name)
    for name in neural_network.__all__
    if issubclass(getattr(neural_network, name), BaseCompositionNetwork)
}
_KEY = "crabsk"
# What unsound contents raise, on their way to a ValueError.
_UNSOUND = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
_PACKAGES = ("numpy", "scikit-learn", "skorch", "torch")

# Parameters that training needs and prediction does not: code, or places on one machine.
_NOT_SAVED = ("callbacks", "checkpoint", "init_from", "freeze")
# Types that the arrays of a file may have. Of texts, numpy finds the length.
_DTYPES = {
    name: np.dtype(name)
    for name in (
        *("bool", "object", "str", "float16", "float32", "float64"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    )
}

# Fitted attributes that are plain data, and those that are arrays of numbers.
_PLAIN = (
    "n_features_in_",
    "feature_names_in_",
    "formula_position_",
    "history_",
    "classes_",
    "_y_shape",
    "_multilabel",
    "_cbfv",
)
_ARRAYS = ("_extra_mean", "_extra_scale", "_class_weights")
_POSITIVE = ("_extra_scale", "target_scale")
# What the numbers of a file may be.
_TENSOR_TYPES = (torch.float32, torch.float64, torch.int64, torch.bool)
# Far more characters than the names of columns and classes have: arrays of text are as wide as
# their longest item.
_LONGEST_ARRAY = 10_000_000


def save_model(estimator: BaseCompositionNetwork, path: str | os.PathLike) -> None:
    """Write a fitted estimator to one file.

    The file appears under its name only when it is whole; one that was there is replaced.

    Parameters
    ----------
    estimator : CrabNet, Roost or ElemNet estimator
        What to save. Its `callbacks`, `checkpoint` and `init_from` are left out, with a
        warning: they are code, or places on this machine.
    path : str or path
        Where to. It is used as it is: no suffix is added.

    Raises
    ------
    OSError
        If there is no such folder, or it cannot be written to.
    TypeError
        If `estimator` is none of crabsk's networks, or has a parameter that is no plain data: a
        transformer of one's own as `target_transform`, say, which skops can save.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from crabsk import CrabNetRegressor, load_model, save_model
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=1, random_state=0)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "salts"
    >>> save_model(model.fit(["NaCl", "KCl", "NaBr"], [-2.1, -2.3, -1.9]), path)
    >>> bool((load_model(path).predict(["KBr"]) == model.predict(["KBr"])).all())
    True
    """
    name = type(estimator).__name__
    if _ESTIMATORS.get(name) is not type(estimator):
        raise TypeError(
            f"save_model takes {', '.join(sorted(_ESTIMATORS))}, not {name}: skops saves "
            "pipelines, stacks and searches whole (docs/clients.md); of a search, save_model takes "
            "best_estimator_"
        )
    check_is_fitted(estimator)
    _refuse_changed_parameters(estimator)
    tensors = _tensors(estimator)
    content = {
        "estimator": name,
        "parameters": _encode(_parameters(estimator)),
        "attributes": _encode(
            {key: getattr(estimator, key) for key in _PLAIN if hasattr(estimator, key)}
        ),
        "element_table": {
            "name": estimator._element_table.name,
            "features": list(estimator._element_table.feature_names),
        },
        "transformer_lambdas": _lambdas(estimator),
        "versions": _versions(),
    }
    text = json.dumps(content, sort_keys=True)
    header = {
        _KEY: text,
        "crabsk_format": str(FORMAT),
        "crabsk_sha256": _digest(text, tensors),
    }
    write_whole(Path(path), safetensors.torch.save(tensors, metadata=header))


def load_model(path: str | os.PathLike, *, device: str | None = None) -> BaseCompositionNetwork:
    """Read an estimator that `save_model` wrote.

    Nothing in the file is executed. It predicts what the saved one did, on the same kind of
    device bit for bit.

    Parameters
    ----------
    path : str or path
        The file.
    device : str, optional
        Where to compute, in place of what was saved: "cpu" for what was trained on a GPU named in
        its parameters.

    Returns
    -------
    estimator
        A fitted estimator, of the class that was saved.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no model of crabsk, is not whole, was changed since it was saved, holds weights
        that are no numbers, or needs a newer crabsk.

    Warns
    -----
    UserWarning
        If the model was saved with another major or minor version of crabsk.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from crabsk import CrabNetRegressor, load_model, save_model
    >>> model = CrabNetRegressor(max_epochs=2, n_estimators=1, random_state=0)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "salts.crabsk"
    >>> save_model(model.fit(["NaCl", "KCl", "NaBr"], [-2.1, -2.3, -1.9]), path)
    >>> load_model(path).predict(["KBr"]).shape
    (1,)
    """
    if device is not None:
        resolve_device(device)  # a wrong device is no fault of the file
    header, tensors = _read(Path(path))
    content = _check(path, header, tensors)
    try:
        return _restore(content, tensors, device)
    except AbsentDeviceError as error:
        raise ValueError(
            f'{path}: {error}; load_model(path, device="cpu") computes on the CPU'
        ) from error
    except _UNSOUND as error:
        raise ValueError(f"{path} is no sound model of crabsk: {error}") from error


# ----------------------------------------------------------------------------------------- saving


def _parameters(estimator: BaseCompositionNetwork) -> dict[str, Any]:
    parameters = estimator.get_params(deep=False)
    dropped = [name for name in _NOT_SAVED if parameters.pop(name) not in (None, 0)]
    if isinstance(parameters["random_state"], np.random.RandomState):
        dropped.append("random_state")
        parameters["random_state"] = None
    if dropped:
        warnings.warn(
            f"not saved: {', '.join(dropped)}; the loaded estimator has the defaults",
            UserWarning,
            stacklevel=3,
        )
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
            "parameters were changed since the fit, and describe other networks than it made: "
            "set them back, or fit again"
        )


def _may_have(estimator: Any, n_nets: int) -> bool:
    """Whether the parameters of an estimator allow for so many members."""
    if estimator.time_limit is None:
        return n_nets == estimator.n_estimators
    return 1 <= n_nets <= estimator.n_estimators


def _tensors(estimator: BaseCompositionNetwork) -> dict[str, Tensor]:
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


def _lambdas(estimator: BaseCompositionNetwork) -> list[float] | None:
    """Return what the Yeo-Johnson transform of the targets learnt."""
    transformer = getattr(getattr(estimator, "_scaler", None), "transformer_", None)
    lambdas = getattr(transformer, "lambdas_", None)
    return None if lambdas is None else lambdas.tolist()


def _encode(value: Any) -> Any:
    """Return what JSON can hold; what it lacks is an object with one key."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return _encode(value.item())
    if isinstance(value, list):
        return [_encode(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_encode(item) for item in value]}
    if isinstance(value, Mapping):
        return {"dict": [[_encode(key), _encode(item)] for key, item in value.items()]}
    kinds = {1: "biufUO", 2: "biuf"}
    if isinstance(value, np.ndarray) and value.dtype.kind in kinds.get(value.ndim, ""):
        items = [_encode(item) for item in value.tolist()]
        return {"array": ["str" if value.dtype.kind == "U" else value.dtype.name, items]}
    raise TypeError(
        f"{value!r} is no plain data and cannot be saved without executing code on loading; "
        "skops can save it, or joblib (for files that you trust)"
    )


def _versions() -> dict[str, str]:
    return {
        "crabsk": __version__,
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in _PACKAGES},
    }


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.reshape(-1).clone(memory_format=torch.contiguous_format)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------- loading


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with path.open("rb"):  # the errors of the system, not of safetensors
        pass
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            # Copies are aligned as tensors of torch's own are: their sums have the same rounding.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            return header, tensors
    except (SafetensorError, *_UNSOUND) as error:
        raise ValueError(f"{path} is no model of crabsk, or not whole: {error}") from error


def _check(path: Any, header: dict[str, str], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return the JSON of a file that is ours, unchanged and not too new."""
    if _KEY not in header:
        raise ValueError(f"{path} holds tensors, but is no model of crabsk")
    written = header.get("crabsk_format")
    if written != str(FORMAT):
        older = str(written).isdigit() and int(str(written)) < FORMAT
        raise ValueError(
            f"{path} has format {written!r}, and crabsk {__version__} reads format {FORMAT}: "
            + ("fit again, or take the crabsk that wrote it" if older else "take a newer crabsk")
        )
    if header.get("crabsk_sha256") != _digest(header[_KEY], tensors):
        raise ValueError(f"{path} was changed since it was saved: its checksum does not fit")
    for name, tensor in tensors.items():
        if tensor.dtype not in _TENSOR_TYPES:
            raise ValueError(f"{path} is no sound model of crabsk: {name} holds {tensor.dtype}")
        # An element table has gaps.
        if name != "element_table" and not tensor.isfinite().all():
            raise ValueError(f"{path} has weights that are no finite numbers, in {name}")
        if name in _POSITIVE and not (tensor > 0).all():
            raise ValueError(f"{path} is no sound model of crabsk: {name} is not above zero")
    try:
        content = json.loads(header[_KEY])
        saved = content["versions"]["crabsk"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is no sound model of crabsk: {error}") from error
    if str(saved).split(".")[:2] != __version__.split(".")[:2]:
        warnings.warn(
            f"{path} was saved with crabsk {saved}, and this is {__version__}: predictions may "
            "differ",
            UserWarning,
            stacklevel=3,
        )
    return content


def _restore(
    content: dict[str, Any], tensors: dict[str, Tensor], device: str | None
) -> BaseCompositionNetwork:
    parameters = _decode(content["parameters"])
    if unwanted := set(parameters) & set(_NOT_SAVED):
        raise ValueError(f"it has parameters that are never saved: {sorted(unwanted)}")
    n_nets = len({name.split(".")[1] for name in tensors if name.startswith("nets.")})
    if n_nets * _count_layers(parameters) > len(tensors):
        raise ValueError("its parameters describe more layers than the file has tensors")
    table = ElementTable(
        content["element_table"]["name"],
        _array(tensors, "element_table", (len(ELEMENTS), None)),
        tuple(content["element_table"]["features"]),
    )
    table.values.setflags(write=False)
    if parameters["embedding"] is None:
        known = ~np.isnan(table.values).all(axis=1)
        symbols = [symbol for symbol, there in zip(ELEMENTS, known, strict=True) if there]
        parameters["embedding"] = pd.DataFrame(
            table.values[known], index=symbols, columns=list(table.feature_names)
        )
    elif parameters["embedding"] not in embedding_names():
        raise ValueError(f"there is no embedding {parameters['embedding']!r}")
    if device is not None:
        parameters["device"] = device
    estimator = _ESTIMATORS[content["estimator"]](**parameters)
    estimator._validate_params()
    resolve_device(estimator.device)
    for name, value in _decode(content["attributes"]).items():
        if name not in _PLAIN:
            raise ValueError(f"it has an unknown attribute {name!r}")
        setattr(estimator, name, value)
    _check_attributes(estimator)
    for name in _ARRAYS:
        if name in tensors:
            setattr(estimator, name, _array(tensors, name, (None,)))
    estimator._element_table = table
    estimator._fraction_statistics = FractionStatistics(
        *(tensors[f"fraction_statistics.{name}"] for name in FractionStatistics._fields)
    )
    if "target_mean" in tensors:
        estimator._scaler = _restore_scaler(estimator, content["transformer_lambdas"], tensors)
    if not _may_have(estimator, n_nets):
        raise ValueError(f"it has {n_nets} networks, and n_estimators={estimator.n_estimators}")
    estimator.callbacks_ = [[] for _ in range(n_nets)]
    estimator.nets_ = _restore_nets(estimator, tensors, n_nets)
    if surplus := tensors.keys() - _tensors(estimator).keys():
        raise ValueError(f"it has tensors that belong to nothing: {sorted(surplus)[:5]}")
    return estimator


def _check_attributes(estimator: BaseCompositionNetwork) -> None:
    """Refuse an estimator without the attributes that a fit leaves, or with others."""
    kinds: dict[str, type | UnionType] = {
        "n_features_in_": int,
        "formula_position_": int | None,
        "history_": list,
    }
    if is_classifier(estimator):
        kinds |= {"classes_": np.ndarray, "_multilabel": bool}
    else:
        kinds |= {"_y_shape": tuple}
    if hasattr(estimator, "cbfv"):
        kinds["_cbfv"] = str | None
    for name, kind in kinds.items():
        if not isinstance(getattr(estimator, name), kind):
            raise TypeError(f"{name} is {getattr(estimator, name)!r}")


def _count_layers(parameters: dict[str, Any]) -> int:
    """Return an upper bound of the layers of a network that parameters describe."""
    n_widths = sum(
        sum(1 if isinstance(width, int | np.integer) else len(width) for width in widths)
        for name, widths in parameters.items()
        if name.endswith("widths")
    )
    n_experts = parameters["n_experts"] if parameters.get("head") == "mmoe" else 1
    return parameters.get("n_layers", 0) + n_widths * n_experts


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
    estimator: BaseCompositionNetwork, tensors: dict[str, Tensor], n_nets: int
) -> list[CompositionNet]:
    nets = []
    for k in range(n_nets):
        prefix = f"nets.{k}."
        weights = {
            name.removeprefix(prefix): tensor
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


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tuple":
        return tuple(_decode(item) for item in content)
    if kind == "dict":
        return {_decode(key): _decode(item) for key, item in content}
    if kind == "array":
        dtype, items = content
        if dtype not in _DTYPES:
            raise ValueError(f"unknown type of an array: {dtype!r}")
        longest = max((len(item) for item in items if isinstance(item, str)), default=1)
        if len(items) * longest > _LONGEST_ARRAY:
            raise ValueError(f"an array of {len(items)} texts with up to {longest} characters")
        return np.array([_decode(item) for item in items], dtype=_DTYPES[dtype])
    raise ValueError(f"unknown kind of data {kind!r}")
