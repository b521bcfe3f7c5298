"""Names of the pretrained weights, and the files that ship with the package."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from .._model_file import read_model_file
from ._knowledge import Knowledge

LATEST = "pretrained-1"
"""What "pretrained" means in this version of crabsk."""

NAMES = ("pretrained-1",)

_FOLDER = Path(__file__).parent / "data"


def names() -> list[str]:
    """Return the names of the weights that ship with the package."""
    return ["pretrained", *NAMES]


def is_name(value: Any) -> bool:
    """Whether something names weights that ship with the package."""
    return isinstance(value, str) and value in names()


def known_weights(value: Any) -> Path | None:
    """Return the file of weights whose training data are known; None for anything else."""
    if not is_name(value) and not isinstance(value, os.PathLike | str):
        return None
    path = resolve(value) if is_name(value) else Path(value)
    return path if path.with_suffix(".npz").is_file() else None


def resolve(weights: str | os.PathLike) -> Path:
    """Return the model file of weights, given by name or as a file.

    Raises
    ------
    ValueError
        If there are no such weights.
    """
    if is_name(weights):
        return _FOLDER / f"{LATEST if weights == 'pretrained' else weights}.crabsk"
    path = Path(weights).absolute()
    if path.is_file() and path.with_suffix(".npz").is_file():
        return path
    raise ValueError(
        f"there are no weights {str(weights)!r}: choose one of {names()}, or give "
        "the path of a file that benchmarks/make_pretrained.py made, with the .npz beside it"
    )


@lru_cache
def read_knowledge(path: Path) -> Knowledge:
    """Return what weights have seen, from the file beside their model file."""
    return Knowledge.read(path.with_suffix(".npz"))


@lru_cache
def read_about(path: Path) -> dict[str, Any]:
    """Return what a model file says about the training.

    "properties" is a list of facts about each property, "elements" the symbols that were learnt.
    """
    content, _ = read_model_file(path)
    return {key: content[key] for key in ("properties", "elements")}
