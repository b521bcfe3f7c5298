"""Elements that no training composition held are named; what each member predicts."""

import pickle
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from fake_regressors import Linear
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import BayesianRidge
from sklearn.pipeline import make_pipeline
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

from crabsk import (
    AutoClassifier,
    AutoRegressor,
    CalibratedRegressorCV,
    CompositionTransformer,
    load_model,
    save_model,
)
from crabsk.discovery import ApplicabilityDomain
from crabsk.neural_network import (
    ConflictingTargetsWarning,
    TraceWarning,
    UnseenElementsWarning,
)
from crabsk.pretrained import resolve

KNOWN = ["NiAl", "Ni3Al", "Fe3Al", "FeAl", "Fe2O3", "Al2O3", "NiO", "FeNi3", "FeO", "NiAl3"]
Y = np.linspace(-1, 1, 10)
CLASSES = np.array(["low", "high"] * 5)
NEW = ["NiAl", "TiAl", "FeO", "PuO2", "TiFe"]
MESSAGE = (
    r"^3 composition\(s\), the first TiAl in row 1, hold elements that no training composition "
    r"held: Ti, Pu\. Their predictions are extrapolations$"
)


@pytest.fixture(scope="module")
def model():
    return tiny_crabnet(n_estimators=2, max_epochs=1).fit(KNOWN, Y)


def fitted(estimator):
    return estimator.fit(KNOWN, CLASSES if is_classifier(estimator) else Y)


def texts_of(action):
    """Return what an action says of unseen elements."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [str(w.message) for w in caught if w.category is UnseenElementsWarning]


class TestNetworks:
    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_are_named_by_whatever_predicts(self, cls):
        estimator = fitted(tiny(cls, max_epochs=1))
        methods = ["predict", "encode"]
        methods += ["predict_proba"] if is_classifier(estimator) else ["predict_members"]
        for method in methods:
            with pytest.warns(UnseenElementsWarning, match=MESSAGE):
                getattr(estimator, method)(NEW)
            assert not texts_of(lambda method=method: getattr(estimator, method)(KNOWN))

    def test_the_users_line_is_shown(self, model):
        with pytest.warns(UnseenElementsWarning) as caught:
            make_pipeline("passthrough", model).predict(NEW, return_std=True)
        assert [w.filename for w in caught] == [__file__]

    @pytest.mark.parametrize("chunk", [1, 2, 3])
    def test_rows_are_counted_over_chunks(self, model, monkeypatch, chunk):
        monkeypatch.setattr("crabsk.neural_network._prediction.READING_CHUNK", chunk)
        many = [*KNOWN, *NEW]
        texts = texts_of(lambda: model.predict(many))
        assert len(texts) == 1
        assert texts[0].startswith("3 composition(s), the first TiAl in row 11, hold")

    @pytest.mark.parametrize(
        "form",
        [
            lambda X: pd.DataFrame({"formula": X}),
            lambda X: CompositionTransformer(stats="amount").fit_transform(X),
        ],
        ids=["table", "amounts"],
    )
    def test_in_every_form(self, form):
        estimator = tiny_crabnet(max_epochs=1).fit(form(KNOWN), Y)
        with pytest.warns(UnseenElementsWarning, match=MESSAGE):
            estimator.predict(form(NEW))

    def test_what_is_not_trained_on_is_not_seen(self):
        """Samples of weight 0, and those that early stopping watches."""
        X = [*KNOWN, "TiAl"]
        no_weight = tiny_crabnet(max_epochs=1)
        no_weight.fit(X, np.r_[Y, 0.0], sample_weight=np.r_[np.ones(10), 0.0])
        watched = tiny_crabnet(max_epochs=1, n_iter_no_change=5)
        watched.fit(KNOWN, Y, X_val=["TiAl"], y_val=[0.0])
        for estimator in (no_weight, watched):
            with pytest.warns(UnseenElementsWarning, match="held: Ti"):
                estimator.predict(["TiAl"])

    def test_files(self, model, tmp_path):
        save_model(model, tmp_path / "model")
        for again in (load_model(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
            with pytest.warns(UnseenElementsWarning, match=MESSAGE):
                again.predict(NEW)
            assert not texts_of(lambda again=again: again.predict(KNOWN))

    def test_weights_of_which_nobody_knows(self):
        """Those that ship with the package do not say what they have seen."""
        shipped = load_model(resolve("pretrained"))
        assert not texts_of(lambda: shipped.predict([*NEW, "Og"]))


class TestWarmStart:
    def test_earlier_samples_count(self):
        estimator = tiny_crabnet(max_epochs=1, warm_start=True).fit(KNOWN, Y)
        estimator.fit(["TiAl", "Ti3Al", "TiO2"], [0.0, 1.0, 2.0])
        assert not texts_of(lambda: estimator.predict([*KNOWN, "TiAl"]))
        with pytest.warns(UnseenElementsWarning, match="row 3, hold.*held: Pu"):
            estimator.predict(NEW)

    def test_a_cold_start_forgets(self):
        estimator = tiny_crabnet(max_epochs=1).fit(KNOWN, Y)
        estimator.fit(["TiAl", "Ti3Al", "TiO2"], [0.0, 1.0, 2.0])
        with pytest.warns(UnseenElementsWarning, match="held: Fe, Ni"):
            estimator.predict(["FeNi", "TiAl"])

    def test_their_traces_count_too(self):
        estimator = tiny_crabnet(max_epochs=1, warm_start=True)
        estimator.fit([*KNOWN, "Al0.999Ni0.001"], np.r_[Y, 0.0])
        estimator.fit(KNOWN, Y)
        with warnings.catch_warnings(action="error", category=TraceWarning):
            estimator.predict(["Al0.998Ni0.002"])


class TestEnsembles:
    """Each of their parts lacks some elements that the others have seen."""

    @pytest.mark.parametrize(
        "estimator",
        [
            tiny_crabnet(max_epochs=1),
            make_pipeline(CompositionTransformer(stats="fraction"), BayesianRidge()),
        ],
        ids=["network", "ridge"],
    )
    @pytest.mark.filterwarnings("ignore:calibration has")
    def test_calibrated(self, estimator):
        # Each of these elements is in a single composition.
        X = [*KNOWN, "CaO", "MgO", "ZnO", "Cu", "AgO"]
        calibrated = CalibratedRegressorCV(estimator, n_estimators=4)
        assert not texts_of(lambda: calibrated.fit(X, np.r_[Y, np.ones(5)]))
        for predict in (
            calibrated.predict,
            lambda X: calibrated.predict(X, return_std=True),
            calibrated.predict_members,
        ):
            texts = texts_of(lambda predict=predict: predict([*NEW, "CaO", "AgO"]))
            assert len(texts) == 1
            assert texts[0].startswith("3 composition(s), the first TiAl in row 1, hold")
            assert not texts_of(lambda predict=predict: predict(X))

    @pytest.mark.filterwarnings("ignore:calibration has")
    def test_calibrated_on_features(self):
        """Of columns of features nobody knows which elements they are of."""
        features = CompositionTransformer("magpie").fit_transform(KNOWN)
        calibrated = CalibratedRegressorCV(BayesianRidge(), n_estimators=4).fit(features, Y)
        assert not texts_of(lambda: calibrated.predict(features + 1, return_std=True))

    @pytest.mark.parametrize("cls", [AutoRegressor, AutoClassifier])
    def test_searches(self, cls, tmp_path, monkeypatch):
        of_classes = cls is AutoClassifier
        network = tiny(CLASSIFIERS[0] if of_classes else REGRESSORS[0], max_epochs=1)
        X = [*KNOWN, "CaO", "MgO", "ZnO", "Cu"]
        y = np.r_[CLASSES, CLASSES[:4]] if of_classes else np.r_[Y, np.ones(4)]
        search = cls({"network": network}, cv=2, random_state=0)
        assert not texts_of(lambda: search.fit(X, y))
        save_model(search, tmp_path / "model")
        monkeypatch.setattr("crabsk.automl._base._CHUNK", 2)
        for one in (search, load_model(tmp_path / "model")):
            predicts = [one.predict]
            if of_classes:
                predicts.append(one.predict_proba)
            else:
                predicts.append(lambda X, one=one: one.predict(X, return_std=True))
            for predict in predicts:
                texts = texts_of(lambda predict=predict: predict(NEW))
                assert len(texts) == 1
                assert texts[0].startswith("3 composition(s), the first TiAl in row 1, hold")
                assert not texts_of(lambda predict=predict: predict(X))


@pytest.mark.filterwarnings("ignore::crabsk.neural_network.UnseenElementsWarning")
@pytest.mark.parametrize(
    "estimator",
    [
        CalibratedRegressorCV(tiny_crabnet(n_estimators=1, max_epochs=1), n_estimators=4),
        CalibratedRegressorCV(Linear(), n_estimators=4),
        AutoRegressor({"tiny": tiny_crabnet(max_epochs=1)}, cv=2, weights=None, random_state=0),
        ApplicabilityDomain(tiny_crabnet(n_estimators=1, max_epochs=1)),
    ],
    ids=["networks", "others", "auto", "domain"],
)
def test_conflicting_targets_are_told_once_with_the_users_rows(estimator, formation_enthalpy):
    X, y = formation_enthalpy
    X, y = X[:60].copy(), y[:60].copy()
    X[41], y[41] = X[17], y[17] + 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, y)
    told = [w for w in caught if w.category is ConflictingTargetsWarning]
    assert len(told) == 1
    assert "in rows 17 and 41" in str(told[0].message)
    assert told[0].filename == __file__


def test_threads_leave_the_filters_of_warnings_alone():
    """`catch_warnings` in several threads at once leaves its filters on for good."""
    model = CalibratedRegressorCV(Linear()).fit(np.asarray(KNOWN, dtype=object), Y)
    before, interval = list(warnings.filters), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
            warnings.simplefilter("ignore", UnseenElementsWarning)
            list(pool.map(lambda _: model.predict(["PuO2"], return_std=True), range(200)))
    finally:
        sys.setswitchinterval(interval)
    assert warnings.filters == before
    assert len(texts_of(lambda: model.predict(["PuO2"]))) == 1


class TestPredictMembers:
    @pytest.mark.parametrize("cls", REGRESSORS)
    @pytest.mark.parametrize("n_targets", [1, 2])
    def test_their_mean_is_the_prediction(self, cls, n_targets):
        y = Y if n_targets == 1 else np.column_stack([Y, np.where(Y > 0, np.nan, Y**2)])
        estimator = tiny(cls, max_epochs=1, n_estimators=3).fit(KNOWN, y)
        members = estimator.predict_members(NEW)
        assert members.shape == (3, 5, 2)[: 1 + np.ndim(y)]
        np.testing.assert_allclose(members.mean(axis=0), estimator.predict(NEW), rtol=1e-6)
        assert (members.std(axis=0) > 0).all()
        _, std = estimator.predict(NEW, return_std=True)
        assert (members.std(axis=0) < std).all(), "the members' own uncertainty comes on top"

    def test_each_is_a_network(self, model):
        members = model.predict_members(NEW)
        for k, own in enumerate(members):
            alone = pickle.loads(pickle.dumps(model))
            alone.nets_ = [alone.nets_[k]]
            np.testing.assert_allclose(alone.predict(NEW), own, rtol=1e-6)

    def test_with_a_transform_the_mean_is_taken_before_it_is_undone(self):
        estimator = tiny_crabnet(max_epochs=1, n_estimators=3, target_transform="log")
        estimator.fit(KNOWN, np.exp(3 * Y))
        members = estimator.predict_members(NEW)
        assert (members > 0).all()
        mean = np.exp(np.log(members).mean(axis=0))
        np.testing.assert_allclose(mean, estimator.predict(NEW), rtol=1e-6)
        assert not np.allclose(members.mean(axis=0), mean, rtol=1e-6)

    def test_chunks(self, model, monkeypatch):
        expected = model.predict_members([*KNOWN, *NEW])
        monkeypatch.setattr("crabsk.neural_network._prediction.READING_CHUNK", 4)
        np.testing.assert_allclose(model.predict_members([*KNOWN, *NEW]), expected, rtol=1e-5)

    @pytest.mark.filterwarnings("ignore:calibration has")
    @pytest.mark.parametrize("n_targets", [1, 2])
    def test_of_calibrated_clones(self, n_targets):
        calibrated = CalibratedRegressorCV(Linear(n_targets, seed=1), n_estimators=4)
        calibrated.fit(KNOWN, np.column_stack([Y, Y]) if n_targets == 2 else Y)
        members = calibrated.predict_members(NEW)
        assert members.shape == (4, 5, 2)[: 1 + n_targets]
        np.testing.assert_array_equal(members.mean(axis=0), calibrated.predict(NEW))
        np.testing.assert_array_equal(members[2], calibrated.estimators_[2].predict(NEW))

    def test_errors(self, model):
        with pytest.raises(NotFittedError):
            tiny_crabnet().predict_members(NEW)
        with pytest.raises(NotFittedError):
            CalibratedRegressorCV().predict_members(NEW)
        with pytest.raises(ValueError, match="row 1: 'Xx'"):
            model.predict_members(["Fe", "Xx"])
