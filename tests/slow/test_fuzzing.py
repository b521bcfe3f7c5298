"""A million strings that are no formulas, or nearly some."""

import random
import string

import numpy as np
import pytest

from crabsk.composition import ELEMENTS, FormulaError, parse_formulas

pytestmark = pytest.mark.slow

N_STRINGS = 1_000_000
ALPHABETS = {
    "printable": string.printable,
    "of formulas": [*ELEMENTS, *"0123456789.()[]{}·*+-eE ₂⁰", "CuSO4", "·5H2O"],
    "any unicode": [chr(code) for code in range(0x20, 0x3000) if not 0xD800 <= code < 0xE000],
}


@pytest.mark.parametrize("name", ALPHABETS)
def test_random_strings(name, record_property):
    """Each is read, or refused with a ValueError; what is read adds up."""
    rng = random.Random(0)
    alphabet = ALPHABETS[name]
    n_read = 0
    for _ in range(N_STRINGS // len(ALPHABETS)):
        text = "".join(rng.choices(alphabet, k=rng.randint(0, 12)))
        refusal = None
        try:
            compositions = parse_formulas([text])
        except FormulaError as error:
            refusal = str(error)
        if refusal is not None:
            assert "row 0" in refusal
            continue
        n_read += 1
        assert compositions.fractions.sum() == pytest.approx(1)
        assert (compositions.amounts > 0).all()
        assert np.isfinite(compositions.amounts).all()
    record_property("strings", N_STRINGS // len(ALPHABETS))
    record_property("read", n_read)
    assert n_read
