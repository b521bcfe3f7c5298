"""A model file: JSON and tensors, from which reading makes numbers, texts and containers alone.

It is a safetensors file, whose header holds the JSON. Nothing here knows what an estimator is.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ._files import write_whole
from ._version import __version__

FORMAT = 5
"""Version of what a file means; raised when another crabsk would read it otherwise.

The pretrained weights, which are such a file, must then be made anew.
"""

# What unsound contents raise, on their way to a ValueError.
UNSOUND = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)

_KEY = "crabsk"
_PACKAGES = ("numpy", "scikit-learn", "skorch", "torch")
# What the numbers of a file may be.
_TENSOR_TYPES = (torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.bool)
# Types that the arrays of the JSON may have. Of texts, numpy finds the length.
_DTYPES = {
    name: np.dtype(name)
    for name in (
        *("bool", "object", "str", "float16", "float32", "float64"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    )
}
# Far more characters than the names of columns and classes have: arrays of text are as wide as
# their longest item.
_LONGEST_ARRAY = 10_000_000


def write_model_file(path: Path, content: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write a file that appears under its name only when it is whole.

    Parameters
    ----------
    path : Path
        The file; one that is there is replaced.
    content : dict
        Texts, numbers, lists and tuples, mappings and small arrays.
    tensors : dict of str to Tensor
        The weights and tables.

    Raises
    ------
    OSError
        If there is no such folder, or it cannot be written to.
    TypeError
        If something in `content` is no plain data.
    """
    encoded = {name: _encode(value) for name, value in content.items()}
    text = json.dumps({**encoded, "versions": _versions()}, sort_keys=True)
    header = {
        _KEY: text,
        "crabsk_format": str(FORMAT),
        "crabsk_sha256": _digest(text, tensors),
    }
    write_whole(path, safetensors.torch.save(tensors, metadata=header))


def read_model_file(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the content and the tensors of a file that is whole and unchanged.

    The content has the version of crabsk beside it, as "written_by".

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no model file, was changed since it was written, holds numbers that are not
        finite, or has another format.
    """
    with path.open("rb"):  # the errors of the system, not of safetensors
        pass
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            # Copies are aligned as tensors of torch's own are: their sums have the same rounding.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, *UNSOUND) as error:
        raise ValueError(f"{path} is no model of crabsk, or not whole: {error}") from error
    _check_header(path, header, tensors)
    _check_tensors(path, tensors)
    try:
        encoded = json.loads(header[_KEY])
        versions = encoded.pop("versions")
        content = {name: _decode(value) for name, value in encoded.items()}
        return {**content, "written_by": str(versions["crabsk"])}, tensors
    except UNSOUND as error:
        raise ValueError(f"{path} is no sound model of crabsk: {error}") from error


def _check_header(path: Path, header: dict[str, str], tensors: dict[str, Tensor]) -> None:
    """Refuse a file that is not ours, has another format or was changed."""
    if _KEY not in header:
        raise ValueError(f"{path} holds tensors, but is no model of crabsk")
    written = header.get("crabsk_format")
    if written != str(FORMAT):
        older = written in [str(version) for version in range(1, FORMAT)]
        raise ValueError(
            f"{path} has format {written!r}, and crabsk {__version__} reads format {FORMAT}: "
            + ("fit again, or take the crabsk that wrote it" if older else "take a newer crabsk")
        )
    if header.get("crabsk_sha256") != _digest(header[_KEY], tensors):
        raise ValueError(f"{path} was changed since it was saved: its checksum does not fit")


def _check_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype not in _TENSOR_TYPES:
            raise ValueError(f"{path} is no sound model of crabsk: {name} holds {tensor.dtype}")
        # An element table has gaps.
        if name != "element_table" and not tensor.isfinite().all():
            raise ValueError(f"{path} has weights that are no finite numbers, in {name}")


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
        return _decode_array(*content)
    raise ValueError(f"unknown kind of data {kind!r}")


def _decode_array(dtype: str, items: list[Any]) -> np.ndarray:
    """Return an array that takes no more memory than its items account for."""
    if dtype not in _DTYPES:
        raise ValueError(f"unknown type of an array: {dtype!r}")
    if dtype == "str":
        if not all(isinstance(item, str) for item in items):
            raise ValueError("an array of texts holds something else")
        longest = max(map(len, items), default=1)
        if len(items) * longest > _LONGEST_ARRAY:
            raise ValueError(f"an array of {len(items)} texts with up to {longest} characters")
    scalars = (item for row in items for item in (row if isinstance(row, list) else [row]))
    if not all(item is None or isinstance(item, bool | int | float | str) for item in scalars):
        raise ValueError("an array holds more than two levels of lists, or no scalars")
    return np.array(items, dtype=_DTYPES[dtype])
