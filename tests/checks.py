"""scikit-learn's checks of an estimator, by name."""

from sklearn.utils.estimator_checks import estimator_checks_generator


def names_of_checks(estimator) -> set[str]:
    """Return the checks that scikit-learn runs on an estimator with its tags and methods."""
    return {check.func.__name__ for _, check in estimator_checks_generator(estimator)}
