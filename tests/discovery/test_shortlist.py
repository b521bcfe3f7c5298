"""screen: which of the best are chosen, and what is said of them."""

import numpy as np
import pandas as pd
import pytest
from fake_regressors import Linear
from scipy.spatial.distance import cdist
from screened import CANDIDATES, FORMULAS, FRACTIONS, KNOWN, best_of, on_fractions
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tiny import tiny_crabnet

from crabsk import CompositionTransformer
from crabsk.composition import reduced_formula
from crabsk.discovery import ApplicabilityDomain, alloy_grid, screen


class TestDiversity:
    def test_variants_of_one_alloy_are_spread(self, model):
        """The best are all one alloy; other alloys, less good, are taken only if it is asked."""
        alloys = list(alloy_grid({"Fe": (49, 51), "Li": (49, 51)}, step=0.2))
        others = [f"{symbol}Fe" for symbol in ("O", "S", "Cu", "Mg", "Ti")]

        def score(mean, std):
            return -np.arange(float(len(mean)))

        found, spread, farthest = (
            screen(model, alloys + others, acquisition=score, top=6, diversity=diversity)
            for diversity in (0, 0.6, 1)
        )
        assert found["formula"].tolist() == alloys[:6]
        for some in (spread, farthest):
            assert some["formula"][0] == alloys[0]
            assert len(set(some["formula"])) == 6
        assert set(farthest["formula"][1:]) == set(others)
        assert 3 <= len(set(spread["formula"]) & set(others)) <= 5

    @pytest.mark.parametrize("diversity", [0.2, 0.7, 1.0])
    def test_is_maximal_marginal_relevance(self, model, diversity):
        found = screen(
            model, CANDIDATES, acquisition="mean", top=10, diversity=diversity, space=FRACTIONS
        )
        pool, _ = best_of(FORMULAS, model.predict(FORMULAS), 50)
        x = FRACTIONS.fit_transform(pool)
        scale = x.std(axis=0)
        x = x / np.where(scale > 0, scale, 1)
        rank = 1 - np.arange(50) / 49
        apart = cdist(x, x)
        chosen = [0]
        while len(chosen) < 10:
            near = apart[:, chosen].min(axis=1) / apart[0].max()
            worth = {
                k: (1 - diversity) * rank[k] + diversity * near[k]
                for k in range(50)
                if k not in chosen
            }
            chosen.append(max(worth, key=worth.get))
        assert found["formula"].tolist() == [pool[k] for k in chosen]

    def test_equal_points(self, model):
        """A space that tells nothing apart takes the best."""
        space = FunctionTransformer(lambda X: np.zeros((len(X), 2)))
        found = screen(model, CANDIDATES, acquisition="mean", top=3, diversity=0.5, space=space)
        assert found["formula"].tolist() == best_of(FORMULAS, model.predict(FORMULAS), 3)[0]


class TestSurroundings:
    @pytest.mark.parametrize(
        "form",
        [
            list,
            lambda X: pd.DataFrame({"temperature": 300.0, "formula": X}),
            lambda X: CompositionTransformer(stats="amount").fit_transform(X),
        ],
        ids=["list", "table", "amounts"],
    )
    def test_nearest(self, model, form):
        found = screen(
            model,
            [*CANDIDATES, "PuO2", "Pu2SU3"],
            X_known=form(KNOWN),
            y_known=model.predict(KNOWN),
            exclude_known=False,
            top=10**4,
            space=FRACTIONS,
        ).set_index("formula")
        x = FRACTIONS.fit_transform(KNOWN)
        scale = np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
        among = cdist(x / scale, x / scale)
        unit = np.median(np.where(among > 0, among, np.inf).min(axis=1))
        apart = cdist(FRACTIONS.transform(found.index.tolist()) / scale, x / scale) / unit
        np.testing.assert_allclose(found["distance"], apart.min(axis=1), atol=1e-9)
        names = reduced_formula(KNOWN)[apart.argmin(axis=1)]
        clear = np.sort(apart, axis=1)[:, :2] @ [-1, 1] > 1e-6
        assert clear.mean() > 0.5
        assert (reduced_formula(found["nearest"].tolist()) == names)[clear].all()
        assert (found.loc[[f for f in KNOWN if f in found.index], "distance"] == 0).all()
        assert found["unseen_elements"].drop(["PuO2", "Pu2SU3"]).eq("").all()
        assert found["unseen_elements"][["PuO2", "Pu2SU3"]].tolist() == ["Pu", "U, Pu"]

    def test_a_known_one_is_at_no_distance(self, formation_enthalpy):
        """In the usual space, and however it is written."""
        X, y = formation_enthalpy
        model = Linear().fit()
        candidates = [f"({formula})2" for formula in X[:50]]
        found = screen(model, candidates, X_known=X, y_known=y, exclude_known=False, top=50)
        np.testing.assert_allclose(found["distance"], 0, atol=1e-12)
        assert (reduced_formula(found["nearest"]) == reduced_formula(found["formula"])).all()

    @pytest.mark.parametrize("known", [["Fe2O3"], ["Fe2O3", "Fe4O6", "Fe0.02O0.03"]])
    def test_one_known_composition(self, model, known):
        """Nothing is a unit then: written in other ways, it is elsewhere by a rounding error."""
        found = screen(
            model, ["O3Fe2", "FeO"], X_known=known, y_known=np.zeros(len(known)), space=FRACTIONS
        )
        assert found["distance"].isna().all()
        assert set(found["nearest"]) == {"Fe2O3"}

    def test_rare_elements(self, model):
        known = ["Fe2O3", "FeO", "CaO", "Fe"]
        candidates = ["Fe3O4", "CaFe2O4", "CaO2", "TiO2"]
        found = screen(model, candidates, X_known=known, y_known=[0.0] * 4).set_index("formula")
        assert found["n_known"][candidates].tolist() == [3, 1, 1, 0]

    @pytest.mark.parametrize("wrapped", [False, True], ids=["network", "pipeline in a search"])
    @pytest.mark.filterwarnings("ignore::crabsk.neural_network.UnseenElementsWarning")
    def test_unseen_are_the_elements_that_the_model_has_not_seen(self, some_formulas, wrapped):
        """Those of X_known may be some of the samples, or more."""
        X, y = some_formulas
        network = tiny_crabnet(n_estimators=2, max_epochs=1)
        if wrapped:
            amounts = make_pipeline(CompositionTransformer(stats="amount"), network)
            network = GridSearchCV(amounts, {"crabnetregressor__max_epochs": [1]}, cv=2)
        network.fit(X, y)
        assert "Al" in "".join(X)
        assert "Pu" not in "".join(X)
        known = ["Fe2O3", "PuO2"]
        found = screen(
            network, ["AlFe", "PuFe"], acquisition="mean", X_known=known, y_known=[0.0, 1.0]
        )
        found = found.set_index("formula")
        assert found["unseen_elements"].to_dict() == {"AlFe": "", "PuFe": "Pu"}
        assert found["n_known"].to_dict() == {"AlFe": 0, "PuFe": 1}

    @pytest.mark.parametrize("chunk_size", [3, 1000])
    def test_known_compositions_are_left_out(self, model, chunk_size):
        how = {"y_known": model.predict(KNOWN), "top": 8, "chunk_size": chunk_size}
        # However they are written.
        found = screen(model, CANDIDATES, X_known=[f"({x})2" for x in KNOWN], **how)
        rest = [formula for formula in FORMULAS if formula not in KNOWN]
        expected = screen(model, rest, best=max(how["y_known"]), top=8)
        assert found["formula"].tolist() == expected["formula"].tolist()

    def test_all_candidates_are_known(self, model):
        with pytest.raises(ValueError, match="no candidates but those of X_known, which exclude_k"):
            screen(model, ["O3Fe2", "Li2O"], X_known=KNOWN, y_known=model.predict(KNOWN))

    def test_domain(self, model, formation_enthalpy):
        X, y = (part[:300] for part in formation_enthalpy)
        domain = ApplicabilityDomain(on_fractions(Ridge(1e-3)), space=FRACTIONS)
        found = screen(model, [*X[:60], "PuO2"], best=0.0, domain=domain.fit(X, y))
        inside = domain.predict(found["formula"].tolist()) == 1
        assert found["in_domain"].tolist() == inside.tolist()
        assert 0 < inside.sum() < len(found)
        assert not found.set_index("formula")["in_domain"]["PuO2"]
