"""How the time of reading one text grows with its length."""

import gc
import time
from contextlib import suppress

import numpy as np
import pytest
from long_texts import LONG_TEXTS

from crabsk.composition import FormulaError, parse_formulas

pytestmark = pytest.mark.slow

LENGTHS = 100_000 * 2 ** np.arange(4)


def seconds_for(text):
    """Return the least of three times of the processor, whatever else it does meanwhile.

    Without the collector of garbage, whose rounds come at lengths of their own.
    """
    seconds = []
    gc.collect()
    gc.disable()
    for _ in range(3):
        start = time.process_time()
        with suppress(FormulaError):
            parse_formulas([text])
        seconds.append(time.process_time() - start)
    gc.enable()
    return min(seconds)


@pytest.mark.parametrize("name", LONG_TEXTS)
def test_exponent(name, record_property):
    """Time grows as a power of length; a linear one has exponent 1."""
    seconds = [seconds_for(LONG_TEXTS[name](n)) for n in LENGTHS]
    exponent = np.polyfit(np.log(LENGTHS), np.log(seconds), 1)[0]
    record_property("exponent", round(exponent, 2))
    record_property("seconds for the longest", round(seconds[-1], 3))
    assert exponent < 1.5
