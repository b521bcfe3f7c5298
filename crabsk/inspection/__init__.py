"""Looking into fitted networks: attention, contributions of elements, uncertainties, training.

Functions return numbers. Displays draw them, like those of `sklearn.inspection`. Only drawing needs
matplotlib (the extra ``[plot]``).

Names that are imported `as` themselves are for other parts of crabsk, not for users.
"""

from ._attention import FormulaAttention, attention_importance, attention_weights
from ._contributions import element_contributions
from ._plot import COLORS as COLORS
from ._plot import GREY as GREY
from ._plot import (
    AttentionDisplay,
    CompositionResponseDisplay,
    ElementContributionDisplay,
    EmbeddingDisplay,
    TrainingHistoryDisplay,
    UncertaintyDisplay,
    binary_compositions,
)
from ._plot import panels as panels
from ._recorder import AttentionRecorder
from ._response import composition_response

__all__ = [
    "AttentionDisplay",
    "AttentionRecorder",
    "CompositionResponseDisplay",
    "ElementContributionDisplay",
    "EmbeddingDisplay",
    "FormulaAttention",
    "TrainingHistoryDisplay",
    "UncertaintyDisplay",
    "attention_importance",
    "attention_weights",
    "binary_compositions",
    "composition_response",
    "element_contributions",
]
