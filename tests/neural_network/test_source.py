"""Starting from another estimator's encoder, and reading it out."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import BaggingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tiny import CLASSIFIERS, REGRESSORS, tiny, tiny_crabnet

from crabsk import CrabNetClassifier, RoostRegressor
from crabsk.neural_network._extra_columns import N_RANGES


@pytest.fixture
def source(some_formulas):
    X, y = some_formulas
    return tiny_crabnet(n_estimators=2, random_state=7).fit(X, y)


def encoder(network):
    return {
        name: weight.clone()
        for name, weight in network.named_parameters()
        if name.partition(".")[0] not in network.heads
    }


class TestInitFrom:
    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_frozen_throughout_is_the_encoder_of_the_source(self, cls, some_formulas):
        X, y = some_formulas
        first = tiny(REGRESSORS[(REGRESSORS + CLASSIFIERS).index(cls) % 3]).fit(X, y)
        model = tiny(cls, init_from=first, freeze=3).fit(X, y < -0.5)
        assert np.array_equal(model.encode(X), first.encode(X))

    def test_given_encoders_read_columns_as_the_source_did(self, some_formulas):
        """At other temperatures, which have another mean and spread."""
        X, y = some_formulas
        wide, narrow = (
            np.column_stack([X, np.linspace(300, high, 60)]).astype(object) for high in (900, 310)
        )
        first = tiny_crabnet().fit(wide, y)
        model = tiny_crabnet(init_from=first, freeze=3).fit(narrow, y)
        assert np.array_equal(model.encode(wide), first.encode(wide))

    @pytest.mark.filterwarnings("ignore::crabsk.neural_network.TraceWarning")
    def test_given_encoders_read_fractions_as_the_source_did(self):
        """In alloys with other shares of carbon, or in compounds, where no element is narrow."""
        steels = [
            [f"Fe{1 - carbon:.4f}C{carbon:.4f}" for carbon in np.linspace(0.001, most, 40)]
            for most in (0.02, 0.05)
        ]
        y = np.linspace(0, 1, 40)
        first = tiny_crabnet().fit(steels[0], y)
        assert first.nets_[0].module_.standardized is not None
        compounds = [f"Na{k}Cl{41 - k}" for k in range(1, 41)]
        for X in (steels[1], compounds):
            model = tiny_crabnet(init_from=first, freeze=3).fit(X, y)
            assert np.array_equal(model.encode(steels[0]), first.encode(steels[0]))
        with pytest.raises(ValueError, match="fractions of narrow range"):
            tiny_crabnet(init_from=first, architecture="paper").fit(compounds, y)

    @pytest.mark.parametrize("beside", ["pressure", "nothing", "more", "cbfv"])
    def test_other_extra_features_are_refused(self, some_formulas, beside):
        """Weights that read temperatures say nothing of pressures."""
        X, y = some_formulas
        frame = pd.DataFrame({"formula": X, "T": np.linspace(300, 900, 60)})
        first = tiny_crabnet().fit(frame, y)
        model = tiny_crabnet(init_from=first)
        if beside == "pressure":
            frame = frame.rename(columns={"T": "p"})
        elif beside == "nothing":
            frame = frame[["formula"]]
        elif beside == "more":
            frame["p"] = 1.0
        else:
            model.set_params(cbfv=None)
        with pytest.raises(ValueError, match=r"features \['T'\] and cbfv='magpie'.* here they"):
            model.fit(frame, y)

    def test_added_members_of_a_warm_start(self, source, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(init_from=source, freeze=3, warm_start=True).fit(X, y)
        first = model.encode(X)
        model.set_params(n_estimators=2).fit(X, y)
        assert np.array_equal(model.encode(X), first)
        assert np.array_equal(model.encode(X, member=1), source.encode(X, member=1))

    def test_added_members_under_another_scale_are_refused(self, some_formulas):
        X, y = some_formulas
        wide, narrow = (
            np.column_stack([X, np.linspace(300, high, 60)]).astype(object) for high in (900, 310)
        )
        first = tiny_crabnet().fit(wide, y)
        model = tiny_crabnet(warm_start=True).fit(narrow, y)
        with pytest.raises(ValueError, match="scaled otherwise"):
            model.set_params(n_estimators=2, init_from=first).fit(narrow, y)

    def test_unfrozen_weights_move(self, source, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(init_from=source, freeze=2).fit(X, y)
        given, learnt = (encoder(m.nets_[0].module_) for m in (source, model))
        assert all(not torch.equal(given[name], learnt[name]) for name in given)

    def test_members_start_from_members(self, source, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(init_from=source, freeze=3, n_estimators=3).fit(X, y)
        for k, given in enumerate([0, 1, 0]):
            assert np.array_equal(model.encode(X, member=k), source.encode(X, member=given))

    def test_what_reads_off_the_targets_starts_afresh(self, source, some_formulas):
        X, y = some_formulas
        settings = {"max_epochs": 1, "learning_rate": 1e-9}
        started, fresh = (
            tiny_crabnet(init_from=start, **settings).fit(X, y).nets_[0].module_
            for start in (source, None)
        )
        torch.testing.assert_close(started.head.out.state_dict(), fresh.head.out.state_dict())
        assert not torch.equal(started.embed.weight, fresh.embed.weight)

    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_all_that_lies_before_is_given(self, cls, some_formulas):
        X, y = some_formulas
        first = tiny(REGRESSORS[(REGRESSORS + CLASSIFIERS).index(cls) % 3], max_epochs=1).fit(X, y)
        model = tiny(cls, init_from=first, max_epochs=1, freeze=1).fit(X, y < -0.5)
        given, own = (dict(m.nets_[0].module_.named_parameters()) for m in (first, model))
        same = {name for name in own if torch.equal(given[name], own[name])}
        readers = first.nets_[0].module_.readers
        assert same == {name for name in own if not name.startswith(readers)}

    def test_a_head_with_experts_starts_afresh_as_a_whole(self, source, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(init_from=source, n_experts=2, max_epochs=1, freeze=1).fit(X, y)
        assert np.array_equal(model.encode(X), source.encode(X))

    def test_the_source_is_left_alone(self, source, some_formulas):
        X, y = some_formulas
        before = source.predict(X)
        tiny_crabnet(init_from=source).fit(X, y)
        assert np.array_equal(source.predict(X), before)

    def test_nothing_sets_the_sources_parameters(self, source, some_formulas):
        """As an ensemble does that seeds its members."""
        X, y = some_formulas
        model = tiny_crabnet(init_from=source)
        assert not [name for name in model.get_params() if name.startswith("init_from__")]
        BaggingRegressor(model, n_estimators=2, random_state=0).fit(X.reshape(-1, 1), y)
        assert source.random_state == 7

    def test_other_targets_and_extra_features(self, source, some_formulas):
        X, y = some_formulas
        hot = np.column_stack([X, np.linspace(0, 1, 60)]).astype(object)
        model = tiny_crabnet(init_from=source, freeze=3).fit(hot, np.column_stack([y, -y]))
        given, learnt = (encoder(m.nets_[0].module_) for m in (source, model))
        reading = given.pop("embed_extra.0.weight")
        assert all(torch.equal(given[name], learnt[name]) for name in given)
        assert learnt["embed_extra.0.weight"].shape[1] == reading.shape[1] + N_RANGES + 1
        n_given = reading.shape[1]
        assert np.array_equal(model._extra_mean[:n_given], source._extra_mean)
        assert np.array_equal(model._extra_scale[:n_given], source._extra_scale)
        unmoved = tiny_crabnet(init_from=source, learning_rate=1e-12, max_epochs=1).fit(hot, y)
        start = encoder(unmoved.nets_[0].module_)["embed_extra.0.weight"][:, :n_given]
        torch.testing.assert_close(start, reading)

    def test_helps(self, formation_enthalpy):
        """A target that was learnt from many samples is learnt again from few."""
        X, y = formation_enthalpy
        few, rest, y_few, y_rest = train_test_split(X, y, train_size=60, random_state=0)
        first = tiny_crabnet(max_epochs=30, d_model=32).fit(rest[:1500], y_rest[:1500])
        settings = {"max_epochs": 30, "d_model": 32, "learning_rate": 2e-3}
        scratch, started = (
            tiny_crabnet(init_from=source, **settings).fit(few, 3 * y_few + 1)
            for source in (None, first)
        )
        errors = [
            np.abs(m.predict(rest[1500:]) - 3 * y_rest[1500:] - 1).mean()
            for m in (scratch, started)
        ]
        assert errors[1] < 0.8 * errors[0]

    def test_survives_clone_and_cross_validation(self, source, some_formulas):
        X, y = some_formulas
        model = tiny_crabnet(init_from=source, freeze=3)
        assert clone(model).init_from is source
        assert np.isfinite(cross_val_score(model, X, y, cv=2)).all()

    def test_in_a_grid(self, source, some_formulas):
        X, y = some_formulas
        grid = {"init_from": [None, FrozenEstimator(source)]}
        search = GridSearchCV(tiny_crabnet(), grid, cv=2, error_score="raise").fit(X, y)
        assert set(search.best_params_) == {"init_from"}

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({"d_model": 24}, "differ in"),
            ({"n_layers": 2}, "differ in encoder"),
            ({"architecture": "paper"}, "differ in linear_encoding"),
            ({"embedding": "magpie"}, "vectors of the elements differ"),
        ],
    )
    def test_another_encoder_is_refused(self, source, some_formulas, settings, reason):
        X, y = some_formulas
        with pytest.raises(ValueError, match=f"init_from has another network: .*{reason}"):
            tiny_crabnet(init_from=source, **settings).fit(X, y)

    def test_another_kind_of_network_is_refused(self, source, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="weights of CrabNet do not fit Roost"):
            tiny(RoostRegressor, init_from=source).fit(X, y)

    def test_unfitted_source_is_refused(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="must be a fitted estimator"):
            tiny_crabnet(init_from=tiny(CrabNetClassifier)).fit(X, y)

    def test_freeze_without_source_is_refused(self, some_formulas):
        X, y = some_formulas
        with pytest.raises(ValueError, match="freeze=2 needs init_from"):
            tiny_crabnet(freeze=2).fit(X, y)


class TestEncode:
    @pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
    def test_shape_and_order(self, cls, some_formulas):
        X, y = some_formulas
        model = tiny(cls).fit(X, y < -0.5)
        vectors = model.encode(X)
        assert vectors.shape == (60, 16)
        np.testing.assert_allclose(model.encode(X[::-1]), vectors[::-1], rtol=1e-4, atol=1e-6)
        twice = model.encode(["NaCl", "Cl2Na2"])
        assert np.array_equal(twice[0], twice[1])

    def test_no_such_member(self, source):
        with pytest.raises(IndexError):
            source.encode(["NaCl"], member=2)

    def test_features_for_others(self, source, some_formulas):
        X, y = some_formulas
        ridge = make_pipeline(FunctionTransformer(source.encode), RidgeCV()).fit(X, y)
        assert ridge.score(X, y) > 0.3
