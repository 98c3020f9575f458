"""scikit-learn's own checks that do not need tables.

`check_estimator` runs nothing on estimators whose input is not a table, so these are
called one by one.
"""

import pytest
from sklearn.utils import estimator_checks

CHECKS = [
    "check_complex_data",
    "check_decision_proba_consistency",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimator_sparse_tag",
    "check_estimator_tags_renamed",
    "check_estimators_empty_data_messages",
    "check_estimators_partial_fit_n_features",
    "check_fit1d",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_non_transformer_estimators_n_iter",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_supervised_y_no_nan",
    "check_valid_tag_types",
]
# The second half of this check wants to read "0 feature(s)", which images never have.
ABOUT_TABLES = {"check_estimators_empty_data_messages"}


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_of_scikit_learn_passes(case, check):
    estimator = case.make()
    name = type(estimator).__name__
    try:
        getattr(estimator_checks, check)(name, estimator)
    except AssertionError as error:
        cause = error.__cause__ or error.__context__
        if check not in ABOUT_TABLES or not isinstance(cause, ValueError):
            raise
        assert "at least one" in str(cause) or "must have shape" in str(cause)


def test_scikit_learn_has_all_of_these_checks():
    assert len(CHECKS) == 20
    assert all(hasattr(estimator_checks, check) for check in CHECKS)


def test_tags_tell_that_inputs_are_images(case):
    tags = case.make().__sklearn_tags__()
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.three_d_array
    assert tags.target_tags.required


def test_an_estimator_of_masks_is_no_classifier(case):
    # As one, scorers would be given a row of each image and call it its probability.
    if case.target == "labels":
        pytest.skip("labels make a classifier")
    assert case.make().__sklearn_tags__().estimator_type in (None, "regressor")
