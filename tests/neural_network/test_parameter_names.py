"""Names that parameters had before, and names with a slip."""

import pytest
from tiny import CLASSIFIERS, REGRESSORS

from crabsk import CrabNetClassifier, CrabNetRegressor, RoostRegressor

REPLACED = [
    ("head", "n_experts, 1 for one network that all targets share"),
    ("n_heads", "crabsk.modules.CrabNet, which takes any number"),
    ("dim_feedforward", "architecture, which derives it from d_model"),
    ("head_widths", "architecture, which derives them from d_model"),
    ("norm_first", 'architecture="crabsk"'),
    ("standardize_fractions", 'architecture="crabsk"'),
    ("early_stopping", "n_iter_no_change"),
    ("mc_dropout", r"predict\(X, return_std=True, mc_dropout=...\)"),
    ("calibration", "CalibratedRegressorCV"),
    ("formula_column", "X with one column of formulas"),
    ("epochs", "max_epochs"),
    ("preset", r"from_preset\(name\)"),
    ("verbose", "progress"),
]


@pytest.mark.parametrize(("name", "instead"), REPLACED)
def test_a_name_of_before_says_what_takes_its_place(name, instead):
    message = f"CrabNetRegressor has no parameter '{name}': take .*{instead}"
    with pytest.raises(TypeError, match=message):
        CrabNetRegressor(**{name: 1})
    with pytest.raises(TypeError, match=message):
        CrabNetRegressor.from_preset("fast", **{name: 1})
    with pytest.raises(ValueError, match=message):
        CrabNetRegressor().set_params(**{name: 1})


@pytest.mark.parametrize("cls", [*REGRESSORS, *CLASSIFIERS])
@pytest.mark.parametrize(
    ("slip", "meant"), [("max_epoch", "max_epochs"), ("learning_rates", "learning_rate")]
)
def test_a_slip(cls, slip, meant):
    with pytest.raises(TypeError, match=f"no parameter '{slip}': did you mean '{meant}'"):
        cls(**{slip: 1})
    with pytest.raises(ValueError, match=f"no parameter '{slip}': did you mean '{meant}'"):
        cls().set_params(**{slip: 1})


def test_all_of_several_are_named_in_their_order():
    """As who comes from crabnet passes them."""
    with pytest.raises(TypeError, match=r"'epochs': take max_epochs; .*'N': take n_layers; .*'lr'"):
        CrabNetRegressor(epochs=40, d_model=64, N=3, lr=1e-3)
    with pytest.raises(ValueError, match=r"'epochs': take max_epochs; .*'zzz'$"):
        CrabNetRegressor().set_params(epochs=40, zzz=3)


@pytest.mark.parametrize("name", ["hidden_layer_sizes", "val", "loss_curve"])
def test_no_advice_is_better_than_wrong_advice(name):
    with pytest.raises(TypeError, match=f"no parameter '{name}'$"):
        CrabNetRegressor(**{name: 1})


def test_advice_is_for_the_kind_of_target():
    with pytest.raises(TypeError, match="take sklearn's CalibratedClassifierCV"):
        CrabNetClassifier(calibration=True)
    with pytest.raises(TypeError, match=r"no parameter 'mc_dropout'"):
        CrabNetClassifier(mc_dropout=5)


def test_a_name_that_is_like_none():
    with pytest.raises(TypeError, match=r"CrabNetClassifier has no parameter 'zzz'$"):
        CrabNetClassifier(zzz=1)


def test_what_crabnet_lost_roost_has():
    assert RoostRegressor(n_heads=2, head_widths=(8,)).n_heads == 2


def test_a_crabnet_has_few_parameters():
    """Each one that is added must be worth one of these."""
    assert len(CrabNetRegressor().get_params()) <= 28
