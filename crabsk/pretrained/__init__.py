"""Weights that have learnt computed properties of 405,000 compositions, and their training data.

The weights ship with the package; nothing is downloaded.
"""

from ._knowledge import Knowledge as Knowledge
from ._seen import KnownTargetWarning, UnlearntElementWarning, properties, seen
from ._seen import warn_of_known_targets as warn_of_known_targets
from ._seen import warn_of_unlearnt_elements as warn_of_unlearnt_elements
from ._weights import LATEST as LATEST
from ._weights import is_name as is_name
from ._weights import known_weights as known_weights
from ._weights import names as names
from ._weights import resolve as resolve

__all__ = ["KnownTargetWarning", "UnlearntElementWarning", "properties", "seen"]
