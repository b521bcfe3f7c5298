import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="module")
def _one_thread_in_libraries():
    """Leave the cores to the processes that run the tests side by side."""
    with threadpool_limits(1):
        yield
