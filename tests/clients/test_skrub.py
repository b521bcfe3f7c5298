"""skrub: tables whose columns it cleans and encodes, with the formulas left to the network."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from tiny import tiny_crabnet

skrub = pytest.importorskip("skrub")


@pytest.fixture
def table(some_formulas):
    X, y = some_formulas
    rows = len(X)
    frame = pd.DataFrame(
        {
            "formula": X,
            "route": np.where(np.arange(rows) % 2, "arc", "powder"),
            "T": np.linspace(300.0, 900.0, rows),
        }
    )
    return frame, y


def test_table_vectorizer_passes_formulas_through(table):
    frame, y = table
    encode = skrub.TableVectorizer(high_cardinality="passthrough", cardinality_threshold=20)
    model = make_pipeline(encode, tiny_crabnet()).fit(frame, y)
    assert model[-1].n_features_in_ == 3, "formula, route, T"
    assert model[-1].formula_position_ is not None
    assert np.isfinite(model.predict(frame)).all()


def test_a_learner_of_data_operations(table):
    frame, y = table
    frame = frame[["formula", "T"]]
    predicted = skrub.X(frame).skb.apply(tiny_crabnet(), y=skrub.y(pd.Series(y)))
    learner = predicted.skb.make_learner(fitted=True)
    expected = tiny_crabnet().fit(frame, y).predict(frame)
    np.testing.assert_allclose(learner.predict({"X": frame}), expected, rtol=1e-5)
