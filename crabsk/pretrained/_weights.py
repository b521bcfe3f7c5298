"""Names of the pretrained weights, and the files that ship with the package."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from .._model_file import read_model_file
from ._knowledge import Knowledge

LATEST = "pretrained-1"
"""What "pretrained" means in this version of crabsk."""

NAMES = ("pretrained-1",)

_FOLDER = Path(__file__).parent / "data"


def versioned(name: str) -> str:
    """Return the name with its version: "pretrained" is the latest.

    Raises
    ------
    ValueError
        If there are no such weights.
    """
    if not is_name(name):
        raise ValueError(f"there are no weights {name!r}: choose one of {['pretrained', *NAMES]}")
    return LATEST if name == "pretrained" else name


def is_name(value: Any) -> bool:
    """Whether something names pretrained weights."""
    return isinstance(value, str) and value in ("pretrained", *NAMES)


def weights_path(name: str) -> Path:
    """Return the model file of weights."""
    return _FOLDER / f"{versioned(name)}.crabsk"


@lru_cache
def read_knowledge(name: str) -> Knowledge:
    """Return what weights have seen."""
    return Knowledge.read(_FOLDER / f"{versioned(name)}.npz")


@lru_cache
def read_about(name: str) -> dict[str, Any]:
    """Return what stands in the model file about the training.

    "properties" is a list of facts about each property, "elements" the symbols that were learnt.
    """
    content, _ = read_model_file(weights_path(name))
    return {key: content[key] for key in ("properties", "elements")}
