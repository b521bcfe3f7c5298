import warnings

import pytest


@pytest.fixture(scope="module")
def peer():
    """Return elementembeddings with all that it defines."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import elementembeddings.composition
        import elementembeddings.core
    return elementembeddings
