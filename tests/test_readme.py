"""README claims nothing that is not tested: each tick of its table has a test."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The claim: a file of tests, and a test in it.
TICKS = {
    "a scikit-learn estimator that passes scikit-learn's checks": (
        "test_common.py",
        "test_sklearn_checks",
    ),
    "takes formulas, with no featurising first": (
        "neural_network/test_inputs.py",
        "test_same_model",
    ),
    "makes feature vectors for other models": (
        "feature_extraction/test_transformer.py",
        "test_pipeline_and_grid_search",
    ),
    "pretrained weights inside the package": (
        "slow/test_wheel.py",
        "test_wheel_in_an_empty_environment",
    ),
    "an uncertainty with every prediction": (
        "neural_network/test_uncertainty.py",
        "test_total_variance",
    ),
    "intervals calibrated on compounds left out": (
        "test_calibration.py",
        "test_unseen_rows_are_covered",
    ),
    "columns such as a temperature beside the formula": (
        "neural_network/test_family.py",
        "test_temperature_counts",
    ),
    "several targets": ("neural_network/test_parts.py", "test_several_targets_with_gaps"),
    "refuses a formula that can mean two things": (
        "composition/test_notation.py",
        "test_points_that_may_divide_compounds_are_refused",
    ),
    "a warning for elements that training never saw": (
        "neural_network/test_unseen_elements.py",
        "test_are_named_by_whatever_predicts",
    ),
    "the best model within a time limit": (
        "automl/test_time.py",
        "test_what_takes_too_long_is_left_out",
    ),
    "candidates for the next experiment": ("discovery/test_screen.py", "test_one_target"),
    "loading a model executes nothing": ("test_persistence.py", "test_pickle_is_not_executed"),
}


def test_every_tick_has_a_test():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ticked = re.findall(r"^\| ([^|]+?) \| ✓ \|", text, re.M)
    assert ticked == list(TICKS)
    for claim, (path, test) in TICKS.items():
        tests = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert re.search(rf"def {test}\(", tests), claim
