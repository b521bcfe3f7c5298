"""Features of formulas for any estimator.

`PretrainedTransformer` is imported on first use, because only it needs torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ._transformer import CompositionTransformer

if TYPE_CHECKING:
    from ._pretrained import PretrainedTransformer

__all__ = ["CompositionTransformer", "PretrainedTransformer"]


def __getattr__(name: str) -> Any:
    if name == "PretrainedTransformer":
        return importlib.import_module("._pretrained", __name__).PretrainedTransformer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
