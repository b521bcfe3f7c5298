"""The displays: they store arrays, and draw them with matplotlib when asked to."""

from ._attention import AttentionDisplay
from ._common import COLORS, GREY, check_matplotlib_support, panels, title_of
from ._contributions import ElementContributionDisplay, binary_compositions
from ._embedding import EmbeddingDisplay
from ._history import TrainingHistoryDisplay
from ._response import CompositionResponseDisplay
from ._uncertainty import UncertaintyDisplay

__all__ = [
    "COLORS",
    "GREY",
    "AttentionDisplay",
    "CompositionResponseDisplay",
    "ElementContributionDisplay",
    "EmbeddingDisplay",
    "TrainingHistoryDisplay",
    "UncertaintyDisplay",
    "binary_compositions",
    "check_matplotlib_support",
    "panels",
    "title_of",
]
