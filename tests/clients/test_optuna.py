"""Optuna: searches over estimators on formulas, and trials that are pruned while they train."""

import numpy as np
import pytest
from tiny import tiny_crabnet

optuna = pytest.importorskip("optuna")
integration = pytest.importorskip("optuna_integration")

from optuna.distributions import FloatDistribution, IntDistribution  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore::optuna.exceptions.ExperimentalWarning", "ignore::FutureWarning"
)


@pytest.fixture(autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_a_search_over_any_widths_and_depths(some_formulas):
    X, y = some_formulas
    search = integration.OptunaSearchCV(
        tiny_crabnet(max_epochs=1),
        {
            "d_model": IntDistribution(7, 23),
            "n_layers": IntDistribution(0, 2),
            "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
        },
        cv=2,
        n_trials=6,
        random_state=0,
        error_score="raise",
    ).fit(X, y)
    assert len(search.trials_) == 6
    assert np.isfinite(search.predict(X)).all()


def test_a_study_prunes(some_formulas):
    """A learning rate of 1e-7 learns nothing, and is given up after two epochs."""
    X, y = some_formulas

    def objective(trial):
        rate = trial.suggest_categorical("learning_rate", [1e-2, 1e-7])
        pruning = integration.SkorchPruningCallback(trial, "valid_loss")
        model = tiny_crabnet(learning_rate=rate, max_epochs=6, callbacks=[pruning])
        model.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
        return model.history_[0][-1]["valid_loss"]

    study = optuna.create_study(
        sampler=optuna.samplers.GridSampler({"learning_rate": [1e-2, 1e-7]}, seed=1),
        pruner=optuna.pruners.PercentilePruner(1.0, n_startup_trials=1, n_warmup_steps=1),
    )
    study.enqueue_trial({"learning_rate": 1e-2})
    study.enqueue_trial({"learning_rate": 1e-7})
    study.optimize(objective, n_trials=2)
    good, bad = study.trials
    assert (good.state.name, bad.state.name) == ("COMPLETE", "PRUNED")
    assert len(good.intermediate_values) == 6
    assert len(bad.intermediate_values) == 2
