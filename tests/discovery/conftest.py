import dask
import pytest
from fake_regressors import Linear
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="module")
def _one_thread_in_libraries():
    """Leave the cores to the processes that run the tests side by side."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def model():
    return Linear().fit()


@pytest.fixture(scope="module")
def two_targets():
    return Linear(n_targets=2).fit()


@pytest.fixture
def one_part_at_a_time():
    with dask.config.set(scheduler="synchronous"):
        yield
