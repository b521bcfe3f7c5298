"""mlflow: models of crabsk in its format for scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from tiny import tiny_crabnet

from crabsk import CompositionTransformer

mlflow = pytest.importorskip("mlflow")

pytestmark = pytest.mark.filterwarnings("ignore")  # of mlflow's own

TRUSTED = [
    "crabsk.neural_network._crabnet_regression.CrabNetRegressor",
    "crabsk.feature_extraction._transformer.CompositionTransformer",
    "crabsk.embeddings.ElementTable",
]


@pytest.mark.parametrize("piped", [False, True])
def test_a_model_comes_back(piped, some_formulas, tmp_path):
    X, y = some_formulas
    model = tiny_crabnet()
    if piped:
        model = make_pipeline(CompositionTransformer(stats="amount"), model)
    model.fit(X, y)
    mlflow.sklearn.save_model(
        model,
        tmp_path / "model",
        serialization_format="skops",
        skops_trusted_types=TRUSTED,
        pip_requirements=["crabsk"],
    )
    again = mlflow.sklearn.load_model(str(tmp_path / "model"))
    assert np.array_equal(again.predict(X), model.predict(X))
    served = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    table = pd.DataFrame({"formula": X})
    assert np.array_equal(served.predict(table), model.predict(X))
