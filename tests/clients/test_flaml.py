"""FLAML: its search with an estimator on formulas as a learner, as docs/clients.md has it."""

import numpy as np
import pandas as pd
import pytest
from tiny import CRABNET, TRAINING

from crabsk import CrabNetRegressor

flaml = pytest.importorskip("flaml")
if not hasattr(flaml, "AutoML"):
    pytest.skip("flaml[automl] is not installed", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")  # of FLAML's own


def test_a_learner_of_formulas(some_formulas):
    from flaml.automl.model import SKLearnEstimator

    class Learner(SKLearnEstimator):
        def __init__(self, task="regression", **config):
            super().__init__(task, **config)
            self.estimator_class = CrabNetRegressor

        @classmethod
        def search_space(cls, data_size, task):
            return {"d_model": {"domain": flaml.tune.randint(8, 33), "init_value": 16}}

        def config2params(self, config):
            return {**CRABNET, **TRAINING, "d_model": config.get("d_model", 16)}

        def _preprocess(self, X):
            return X

    X, y = some_formulas
    frame = pd.DataFrame({"formula": X, "T": np.linspace(300.0, 900.0, len(X))})
    search = flaml.AutoML()
    search.add_learner("crabnet", Learner)
    search.fit(
        frame, y, task="regression", metric="mae", estimator_list=["crabnet"], max_iter=3,
        time_budget=60, eval_method="cv", n_splits=2, skip_transform=True, verbose=0,
    )  # fmt: skip
    assert isinstance(search.model.estimator, CrabNetRegressor)
    assert np.isfinite(search.predict(frame)).all()
