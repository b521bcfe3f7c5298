"""scikit-learn's checks of an estimator, by name."""

from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_get_feature_names_out_error,
    check_global_output_transform_pandas,
    check_global_set_output_transform_polars,
    check_n_features_in,
    check_param_validation,
    check_set_output_transform,
    check_set_output_transform_pandas,
    check_set_output_transform_polars,
    check_transformer_get_feature_names_out,
    check_transformer_get_feature_names_out_pandas,
    estimator_checks_generator,
)

# Checks of transformers that parametrize_with_checks does not yield; scikit-learn calls them by
# name, too.
NEVER_YIELDED = [
    check_dataframe_column_names_consistency,
    check_get_feature_names_out_error,
    check_global_output_transform_pandas,
    check_global_set_output_transform_polars,
    check_n_features_in,
    check_param_validation,
    check_set_output_transform,
    check_set_output_transform_pandas,
    check_set_output_transform_polars,
    check_transformer_get_feature_names_out,
    check_transformer_get_feature_names_out_pandas,
]


def names_of_checks(estimator) -> set[str]:
    """Return the checks that scikit-learn runs on an estimator with its tags and methods."""
    return {check.func.__name__ for _, check in estimator_checks_generator(estimator)}
