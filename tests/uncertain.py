"""Labels, predictions and standard deviations to measure."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

# Errors in standard deviations at the midpoints of 2000 equally probable slices of a normal
# distribution: as calibrated as a sample can be.
N = 2000
CALIBRATED = norm.ppf((np.arange(N) + 0.5) / N)


def sample(n=50, k=None, seed=0):
    """Return labels, predictions and standard deviations, differently wrong in each target."""
    rng = np.random.default_rng(seed)
    shape = n if k is None else (n, k)
    y_pred = rng.normal(size=shape)
    y_std = rng.uniform(0.2, 2, size=shape)
    return y_pred + rng.standard_t(4, size=shape) * y_std, y_pred, y_std


samples = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        arrays(float, n, elements=st.integers(-50, 50)),
        arrays(float, n, elements=st.integers(-50, 50)),
        arrays(float, n, elements=st.integers(1, 6)),
    )
)
