"""What every estimator promises about its parameters, its state and its randomness."""

import concurrent.futures
import copy
import importlib
import json
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_html_repr

import instantdl

PREDICTIONS = ["predict", "predict_proba", "predict_uncertainty", "score", "save"]

IN_A_PROCESS = """
import importlib.util, json, sys
import numpy as np
folder, conftest = sys.argv[1:]
spec = importlib.util.spec_from_file_location("contract", conftest)
contract = importlib.util.module_from_spec(spec)
sys.modules["contract"] = contract
spec.loader.exec_module(contract)
X, masks = np.load(folder + "/X.npy"), np.load(folder + "/masks.npy")
digests = {}
for case in contract.CASES:
    estimator = case.make(augmentation="auto", epochs=2)
    estimator.fit(X, contract.TARGETS[case.target](masks))
    digests[case.kind.__name__] = contract.digest(estimator, X)
print(json.dumps(digests))
"""


def test_fit_returns_the_estimator(case, ranked, wrap, container):
    X, y = ranked
    estimator = case.make()
    assert (
        estimator.fit(wrap[container](X), case.wrap_target(y, container)) is estimator
    )


def test_fit_leaves_parameters_as_they_are(case, data):
    estimator = case.make()
    before = estimator.get_params(deep=False)
    copies = copy.deepcopy(before)
    estimator.fit(*data)
    after = estimator.get_params(deep=False)
    assert all(after[name] is before[name] for name in before)
    assert repr(after) == repr(copies)


def test_fit_and_predict_leave_the_data_as_they_are(case, data):
    X, y = (array.copy() for array in data)
    case.make().fit(X, y).predict(X)
    np.testing.assert_array_equal(X, data[0])
    np.testing.assert_array_equal(y, data[1])


def test_the_clone_of_a_fitted_estimator_is_equal_and_unfitted(case, fitted, data):
    twin = clone(fitted)
    assert repr(twin.get_params()) == repr(fitted.get_params())
    with pytest.raises(NotFittedError):
        twin.predict(data[0])


def test_a_clone_learns_the_same(case, fitted, data, digest_of):
    assert digest_of(clone(fitted).fit(*data), data[0]) == digest_of(fitted, data[0])


def test_a_second_fit_equals_a_fresh_one(case, ranked, fitted_ranked, digest_of):
    twice = case.make().fit(*ranked).fit(*ranked)
    assert digest_of(twice, ranked[0]) == digest_of(fitted_ranked, ranked[0])


def test_a_second_fit_forgets_the_first(case, ranked, fitted_ranked, digest_of):
    X, y = ranked
    three_channels = np.repeat(X, 3, axis=-1)[:3]
    refitted = case.make().fit(three_channels, y[:3]).fit(X, y)
    assert digest_of(refitted, X) == digest_of(fitted_ranked, X)


def test_an_estimator_of_images_can_be_fitted_to_volumes_next(case, discs, digest_of):
    if case.target == "labels":
        pytest.skip("labels do not tell images from volumes")
    (X, y), (volumes, targets) = discs[2], discs[3]
    fresh = case.make().fit(volumes, targets)
    again = case.make().fit(X, y).fit(volumes, targets)
    assert digest_of(again, volumes) == digest_of(fresh, volumes)


@pytest.mark.parametrize("seed", [None, np.random.RandomState(0)])
def test_random_state_may_be_none_or_a_generator(case, data, seed):
    assert case.make(random_state=seed).fit(*data).n_epochs_ == 1


def _value(values, case, parameter, data):
    value = values[parameter]
    if callable(value) and not hasattr(value, "get_params"):
        return value(case, *data)
    return value


def test_a_parameter_takes_effect(
    case, parameter, data, fitted, values_of_parameters, digest_of
):
    value = _value(values_of_parameters, case, parameter, data)
    changed = copy.deepcopy(fitted).set_params(**{parameter: value}).fit(*data)
    assert digest_of(changed, data[0]) != digest_of(fitted, data[0])


def test_a_parameter_set_after_a_fit_counts_as_if_it_was_given_first(
    case, parameter, data, fitted, values_of_parameters, digest_of
):
    value = _value(values_of_parameters, case, parameter, data)
    changed = copy.deepcopy(fitted).set_params(**{parameter: value}).fit(*data)
    fresh = case.make(**{parameter: value}).fit(*data)
    assert digest_of(changed, data[0]) == digest_of(fresh, data[0])


def test_a_wrong_value_of_a_parameter_is_named(case, parameter, data):
    estimator = case.make(**{parameter: "no such thing"})
    if parameter == "pretrained":  # the name of a file
        with pytest.raises(FileNotFoundError, match="no such thing"):
            estimator.fit(*data)
        return
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of"):
        estimator.fit(*data)


def test_these_are_all_the_parameters(
    case, values_of_parameters, parameters_without_effect
):
    names = set(case.make().get_params(deep=False))
    assert names <= set(values_of_parameters) | parameters_without_effect


def test_an_unfitted_estimator_survives_pickling(case, data, fitted, digest_of):
    twin = pickle.loads(pickle.dumps(case.make())).fit(*data)
    assert digest_of(twin, data[0]) == digest_of(fitted, data[0])


def test_a_fitted_estimator_survives_pickling(case, ranked, fitted_ranked, digest_of):
    twin = pickle.loads(pickle.dumps(fitted_ranked))
    assert digest_of(twin, ranked[0]) == digest_of(fitted_ranked, ranked[0])
    third = pickle.loads(pickle.dumps(twin))  # after use, too
    assert digest_of(third, ranked[0]) == digest_of(fitted_ranked, ranked[0])


def test_a_fitted_estimator_survives_joblib(case, data, fitted, digest_of):
    joblib.dump(fitted, "estimator.joblib")
    twin = joblib.load("estimator.joblib")
    assert digest_of(twin, data[0]) == digest_of(fitted, data[0])


def test_a_memory_mapped_estimator_of_joblib_predicts(case, data, fitted):
    joblib.dump(fitted, "estimator.joblib")
    twin = joblib.load("estimator.joblib", mmap_mode="r")
    np.testing.assert_array_equal(twin.predict(data[0]), fitted.predict(data[0]))


def test_a_fitted_estimator_survives_a_deep_copy(case, data, fitted, digest_of):
    assert digest_of(copy.deepcopy(fitted), data[0]) == digest_of(fitted, data[0])


def test_a_pickle_is_hardly_larger_than_the_weights(case, data):
    estimator = case.make(filters=16, **case.levels(2)).fit(*data)
    estimator.predict(data[0])
    n_bytes = sum(array.nbytes for array in estimator._weights)
    assert len(pickle.dumps(estimator)) <= 1.05 * n_bytes


def test_a_saved_estimator_comes_back_the_same(case, ranked, fitted_ranked, digest_of):
    fitted_ranked.save("model.instantdl")
    twin = instantdl.load("model.instantdl")
    assert type(twin) is case.kind
    assert digest_of(twin, ranked[0]) == digest_of(fitted_ranked, ranked[0])
    assert repr(twin) == repr(fitted_ranked)


def test_a_loaded_estimator_can_be_fitted_again(case, data, fitted, digest_of):
    fitted.save("model.instantdl")
    twin = instantdl.load("model.instantdl").fit(*data)
    assert digest_of(twin, data[0]) == digest_of(fitted, data[0])


def test_a_saved_estimator_keeps_its_uncertainty(case, data, fitted):
    case.require("predict_uncertainty")
    fitted.save("model.instantdl")
    twin = instantdl.load("model.instantdl")
    np.testing.assert_array_equal(
        twin.predict_uncertainty(data[0]), fitted.predict_uncertainty(data[0])
    )


@pytest.mark.parametrize("method", PREDICTIONS)
def test_before_fit_there_is_an_error_of_scikit_learn(case, data, method):
    case.require(method)
    arguments = {"score": data, "save": ("model.instantdl",)}.get(method, data[:1])
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(case.make(), method)(*arguments)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"patch_shape": (8, 8, 8, 8)}])
def test_after_a_first_fit_that_failed_it_is_not_fitted(case, data, wrong):
    case.require(*wrong)
    estimator = case.make(**wrong)
    with pytest.raises(ValueError, match="epochs|patch_shape"):
        estimator.fit(*data)
    with pytest.raises(NotFittedError):
        estimator.predict(data[0])


def test_after_a_later_fit_that_failed_it_never_predicts_nonsense(
    case, data, fitted, monkeypatch
):
    from instantdl.training import CompiledNetwork

    estimator = copy.deepcopy(fitted)
    monkeypatch.setattr(CompiledNetwork, "train", lambda *_, **__: float("nan"))
    with pytest.raises(FloatingPointError, match="finite"):
        estimator.fit(np.repeat(data[0], 2, axis=-1), data[1])
    with pytest.raises(NotFittedError):
        estimator.predict(data[0])


@pytest.mark.parametrize("attempt", ["first", "second"])
def test_a_network_parameter_changed_without_a_fit_gives_no_nonsense(
    case, data, fitted, attempt
):
    estimator = copy.deepcopy(fitted).set_params(filters=3)
    expected = fitted.predict(data[0])
    for _ in range(1 if attempt == "first" else 2):
        try:
            found = estimator.predict(data[0])
        except ValueError as error:
            assert "parameters" in str(error)  # noqa: PT017
        else:
            np.testing.assert_array_equal(found, expected)


def test_estimators_that_share_a_network_do_not_disturb_each_other(case, data, fitted):
    other = case.make(random_state=1).fit(*data)
    expected = fitted.predict(data[0]), other.predict(data[0])
    for _ in range(2):
        np.testing.assert_array_equal(fitted.predict(data[0]), expected[0])
        np.testing.assert_array_equal(other.predict(data[0]), expected[1])


def test_estimators_predict_in_threads(case, data, fitted):
    estimators = [fitted, case.make(random_state=1).fit(*data)] * 4
    expected = [estimator.predict(data[0]) for estimator in estimators]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: one.predict(data[0]), estimators))
    np.testing.assert_array_equal(found, expected)


@pytest.fixture(scope="session")
def digests_of_two_processes(discs, tmp_path_factory):
    # Not of this one: who imports TensorFlow before the library settles its options.
    folder = tmp_path_factory.mktemp("two_processes")
    for name, array in zip(("X", "masks"), discs[2], strict=True):
        np.save(folder / f"{name}.npy", array)
    conftest = Path(__file__).parent / "conftest.py"
    command = [sys.executable, "-c", IN_A_PROCESS, str(folder), str(conftest)]
    environment = {**os.environ, "PYTHONPATH": str(Path(instantdl.__file__).parents[1])}
    runs = [
        subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment
        )
        for _ in range(2)
    ]
    return [json.loads(run.stdout) for run in runs]


def test_the_same_seed_gives_the_same_bits_in_two_processes(
    case, digests_of_two_processes
):
    first, second = (found[case.kind.__name__] for found in digests_of_two_processes)
    assert first == second
    assert len(first) == 64


def test_global_random_states_are_left_alone(case, data):
    random.seed(0)
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    case.make(filters=5).fit(*data).predict(data[0])  # a network not seen before
    assert random.getstate() == before[0]
    after = np.random.get_state()  # noqa: NPY002
    assert before[1][0] == after[0]
    np.testing.assert_array_equal(before[1][1], after[1])


def test_the_random_state_and_settings_of_keras_are_left_alone(case, data):
    keras = importlib.import_module("keras")
    state = random.getstate(), np.random.get_state()  # noqa: NPY002
    keras.utils.set_random_seed(3)
    expected = np.asarray(keras.random.uniform((3,)))
    keras.utils.set_random_seed(3)
    policy = keras.config.dtype_policy()
    case.make(filters=6).fit(*data).predict(data[0])
    found = np.asarray(keras.random.uniform((3,)))
    random.setstate(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
    np.testing.assert_array_equal(found, expected)
    assert keras.config.dtype_policy() == policy


def test_nothing_is_written_to_the_working_folder(case, data):
    estimator = case.make().fit(*data)
    estimator.predict(data[0])
    estimator.score(*data)
    assert list(Path.cwd().iterdir()) == []


def test_quiet_estimators_print_nothing(case, data, capfd):
    estimator = case.make(verbose=0).fit(*data)
    estimator.predict(data[0])
    estimator.score(*data)
    assert capfd.readouterr() == ("", "")


def test_a_verbose_fit_tells_of_its_loss(case, data, capfd):
    case.make(verbose=1).fit(*data)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "loss" in printed.err


def test_the_history_is_plain_lists_of_one_number_an_epoch(case, data):
    estimator = case.make(epochs=3).fit(*data)
    assert set(estimator.history_) == {"loss", "val_loss", "learning_rate"}
    for values in estimator.history_.values():
        assert len(values) == estimator.n_epochs_ == 3
        assert all(type(value) is float and np.isfinite(value) for value in values)
    assert 0 <= estimator.best_epoch_ < 3


def test_the_score_is_a_float(case, ranked, fitted_ranked):
    score = fitted_ranked.score(*ranked)
    assert isinstance(score, float)
    assert score <= 1


def test_a_weight_counts_an_image_so_many_times_in_the_score(
    case, ranked, fitted_ranked
):
    X, y = ranked
    times = np.resize([2, 0, 1, 3], len(X))
    repeated = np.repeat(X, times, axis=0), np.repeat(y, times, axis=0)
    weighted = fitted_ranked.score(X, y, sample_weight=times)
    assert isinstance(weighted, float)
    assert weighted == pytest.approx(fitted_ranked.score(*repeated), rel=1e-6)


def test_weights_in_the_score_are_one_for_each_image(fitted, data):
    with pytest.raises(ValueError, match="one number per image"):
        fitted.score(*data, sample_weight=[1.0, 2.0])


def test_the_views_in_text_and_html_work(fitted):
    name = type(fitted).__name__
    assert repr(fitted).startswith(name)
    assert name in estimator_html_repr(fitted)


def test_fitted_attributes_that_users_see_are_plain(fitted):
    shown = {name for name in vars(fitted) if name.endswith("_") and name[0] != "_"}
    assert {"history_", "n_epochs_", "n_channels_in_"} <= shown
    assert "keras" not in {
        type(vars(fitted)[n]).__module__.split(".")[0] for n in shown
    }
