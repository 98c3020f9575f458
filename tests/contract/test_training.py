"""What every estimator promises of a running training: its start, end and traces."""

import copy
import csv
import functools
import random
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import instantdl
from instantdl.exceptions import InstantDLWarning


class Interruption(Exception):
    """As if the power had failed."""


@pytest.fixture
def interrupt(monkeypatch):
    """Make training raise an error at its n-th step, once."""
    from instantdl.training import CompiledNetwork

    train = CompiledNetwork.train

    def install(error, *, step):
        done = []

        def interrupted(*args, **kwargs):
            done.append(1)
            if len(done) == step:
                raise error
            return train(*args, **kwargs)

        monkeypatch.setattr(CompiledNetwork, "train", interrupted)

    return install


@pytest.fixture
def splits(monkeypatch):
    """Collect the inner validation splits."""
    from instantdl import training

    split, seen = training.split_validation, []

    def spy(*args, **kwargs):
        seen.append(split(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(training, "split_validation", spy)
    return seen


def _losses(monkeypatch, values):
    """Let the validation loss be these values; return the weights of each epoch."""
    from instantdl.training import CompiledNetwork

    left, weights = list(values), []

    def evaluate(self, *args, **kwargs):
        weights.append(self.get_weights())
        return left.pop(0)

    monkeypatch.setattr(CompiledNetwork, "evaluate", evaluate)
    return weights


def _same(weights, others):
    return all(map(np.array_equal, weights, others))


def test_a_warm_start_goes_on_from_the_last_weights(case, data, fitted):
    estimator = copy.deepcopy(fitted).set_params(warm_start=True, learning_rate=1e-12)
    estimator.fit(*data)
    kernels = [i for i, array in enumerate(fitted._weights) if array.ndim > 1]
    for i in kernels:
        np.testing.assert_allclose(estimator._weights[i], fitted._weights[i], atol=1e-6)


def test_a_warm_start_adds_to_the_history(case, data, fitted):
    estimator = copy.deepcopy(fitted).set_params(warm_start=True, epochs=2)
    estimator.fit(*data)
    assert estimator.n_epochs_ == 3
    assert estimator.history_["loss"][0] == fitted.history_["loss"][0]
    assert [len(values) for values in estimator.history_.values()] == [3, 3, 3]
    assert 1 <= estimator.best_epoch_ <= 2


def test_without_warm_start_the_history_begins_anew(case, data, fitted):
    estimator = copy.deepcopy(fitted).set_params(epochs=2).fit(*data)
    assert len(estimator.history_["loss"]) == 2


def test_a_warm_start_on_other_channels_is_an_error(case, data, fitted):
    estimator = copy.deepcopy(fitted).set_params(warm_start=True)
    with pytest.raises(ValueError, match="with 1 channel. Got 3"):
        estimator.fit(np.repeat(data[0], 3, axis=-1), data[1])


def test_a_warm_start_with_another_network_is_an_error(case, data, fitted):
    estimator = copy.deepcopy(fitted).set_params(warm_start=True, filters=3)
    with pytest.raises(
        ValueError, match="warm_start can only be used with the network"
    ):
        estimator.fit(*data)


def test_a_warm_start_on_volumes_after_images_is_an_error(case, fitted, discs):
    if case.target == "labels":
        pytest.skip("labels do not tell images from volumes")
    estimator = copy.deepcopy(fitted).set_params(warm_start=True)
    with pytest.raises(ValueError, match="warm_start can only be used .* spatial axes"):
        estimator.fit(*discs[3])


def test_weights_of_one_for_each_image_change_nothing(case, data, fitted, digest_of):
    estimator = case.make().fit(*data, sample_weight=np.ones(len(data[0])))
    assert digest_of(estimator, data[0]) == digest_of(fitted, data[0])


def test_weights_of_images_take_effect(case, data, fitted, digest_of):
    weight = np.array([0.01, 1, 5, 1, 0.01, 1])
    estimator = case.make().fit(*data, sample_weight=weight)
    assert digest_of(estimator, data[0]) != digest_of(fitted, data[0])


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(5), r"shape \(5,\) for 6 images"),
        (np.ones((6, 16, 16)), "one number per image"),
        (np.zeros(6), "not zero for all images"),
        (-np.ones(6), "finite numbers >= 0"),
        (np.full(6, np.nan), "finite numbers >= 0"),
    ],
    ids=["too few", "per pixel", "zeros", "negative", "NaN"],
)
def test_wrong_weights_of_images_are_an_error(case, data, weight, message):
    with pytest.raises(ValueError, match=message):
        case.make().fit(*data, sample_weight=weight)


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_not_torn_by_the_validation_split(case, data, splits, seed):
    groups = np.array(["a", "b", "b", "c", "c", "a"])
    case.make(random_state=seed, validation_fraction=0.4).fit(*data, groups=groups)
    [(training, validation)] = splits
    assert len(validation)
    assert not set(groups[training]) & set(groups[validation])
    assert sorted([*training, *validation]) == list(range(6))


def test_one_group_is_trained_on_with_a_warning(case, data, splits):
    with pytest.warns(InstantDLWarning, match="Two groups at least"):
        case.make().fit(*data, groups=np.zeros(6))
    assert len(splits[0][1]) == 0


def test_groups_of_another_number_are_an_error(case, data):
    with pytest.raises(ValueError, match=r"shape \(4,\) for 6 images"):
        case.make().fit(*data, groups=[1, 1, 2, 2])


def test_images_held_back_are_never_trained_on(case, data, splits):
    X, y = data
    plain = case.make().fit(X, y)
    [held_back] = splits[0][1]
    changed = X.copy()
    changed[held_back] = X[held_back][::-1] * 2
    other = case.make().fit(changed, y)
    np.testing.assert_array_equal(other.history_["loss"], plain.history_["loss"])


def test_ctrl_c_keeps_the_best_weights_so_far(case, data, interrupt, monkeypatch):
    weights = _losses(monkeypatch, [2.0, 1.0, 3.0, 4.0])
    interrupt(KeyboardInterrupt, step=11)  # there are three in an epoch
    estimator = case.make(epochs=9)
    with pytest.warns(InstantDLWarning, match="best weights so far are kept"):
        assert estimator.fit(*data) is estimator
    assert estimator.n_epochs_ == 3
    assert estimator.best_epoch_ == 1
    assert [_same(estimator._weights, one) for one in weights] == [0, 1, 0]
    assert len(estimator.predict(data[0])) == len(data[0])


def test_ctrl_c_in_the_first_epoch_still_gives_an_estimator(case, data, interrupt):
    interrupt(KeyboardInterrupt, step=2)
    with pytest.warns(InstantDLWarning, match="interrupted"):
        estimator = case.make().fit(*data)
    assert len(estimator.predict(data[0])) == len(data[0])
    estimator.save("model.instantdl")


def test_the_history_is_written_to_a_table(case, data):
    estimator = case.make(epochs=3, log_dir="logs").fit(*data)
    with Path("logs/history.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    for name, values in estimator.history_.items():
        assert [float(row[name]) for row in rows] == values


def test_the_history_is_written_for_tensorboard(case, data):
    case.make(epochs=2, log_dir=Path("deep/logs")).fit(*data)
    [events] = Path("deep/logs").glob("events.out.tfevents.*")
    assert b"val_loss" in events.read_bytes()


def test_logs_do_not_change_the_result(case, data, fitted, digest_of):
    estimator = case.make(log_dir="logs").fit(*data)
    assert digest_of(estimator, data[0]) == digest_of(fitted, data[0])


@pytest.mark.parametrize("step", [2, 4, 8], ids="epoch {}".format)
def test_an_interrupted_fit_goes_on_to_the_very_same_result(
    case, ranked, interrupt, digest_of, step
):
    X, y = ranked
    uninterrupted = case.make(epochs=4, augmentation="auto").fit(X, y)
    interrupt(Interruption, step=step)
    with pytest.raises(Interruption):
        case.make(epochs=4, augmentation="auto", log_dir="logs").fit(X, y)
    resumed = case.make(epochs=4, augmentation="auto", log_dir="logs").fit(X, y)
    assert digest_of(resumed, X) == digest_of(uninterrupted, X)
    lines = Path("logs/history.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5


def test_a_fit_after_ctrl_c_goes_on_too(case, data, interrupt, digest_of):
    parameters = {"epochs": 3, "log_dir": "logs"}
    uninterrupted = case.make(epochs=3).fit(*data)
    interrupt(KeyboardInterrupt, step=5)
    with pytest.warns(InstantDLWarning, match="interrupted"):
        case.make(**parameters).fit(*data)
    resumed = case.make(**parameters).fit(*data)
    assert digest_of(resumed, data[0]) == digest_of(uninterrupted, data[0])


def test_a_finished_fit_is_not_taken_up_again(case, data, digest_of):
    X, y = data
    case.make(log_dir="logs").fit(X, y)
    again = case.make(log_dir="logs").fit(-X, y)
    assert digest_of(again, X) == digest_of(case.make().fit(-X, y), X)


def test_an_interrupted_fit_to_other_data_is_not_taken_up(
    case, data, interrupt, digest_of
):
    X, y = data
    interrupt(Interruption, step=5)
    with pytest.raises(Interruption):
        case.make(epochs=3, log_dir="logs").fit(X, y)
    other = case.make(epochs=3, log_dir="logs").fit(-X, y)
    assert digest_of(other, X) == digest_of(case.make(epochs=3).fit(-X, y), X)


def test_an_interrupted_fit_with_other_parameters_is_not_taken_up(
    case, data, interrupt, digest_of
):
    interrupt(Interruption, step=5)
    with pytest.raises(Interruption):
        case.make(epochs=3, log_dir="logs").fit(*data)
    other = case.make(epochs=3, log_dir="logs", learning_rate=0.1).fit(*data)
    fresh = case.make(epochs=3, learning_rate=0.1).fit(*data)
    assert digest_of(other, data[0]) == digest_of(fresh, data[0])


def test_a_time_limit_is_kept(case, data, fitted):
    started = time.monotonic()
    estimator = case.make(
        epochs=10**6, time_limit=2.0, early_stopping=False, n_iter_no_change=10**6
    ).fit(*data)
    assert time.monotonic() - started < 4
    assert 1 <= estimator.n_epochs_ < 10**6
    # the schedule has followed the clock down to its end
    rates = estimator.history_["learning_rate"]
    assert rates[-1] < 0.1 * max(rates)


def test_a_time_limit_that_is_too_short_still_gives_an_estimator(case, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InstantDLWarning)
        estimator = case.make(time_limit=1e-3).fit(*data)
    assert estimator.n_epochs_ == 1
    assert len(estimator.predict(data[0])) == len(data[0])


def test_training_stops_when_the_validation_loss_does(case, data, monkeypatch):
    _losses(monkeypatch, [3.0, 2.0, *[2.5] * 98])
    estimator = case.make(epochs=100, n_iter_no_change=5).fit(*data)
    assert estimator.n_epochs_ < 20
    assert estimator.best_epoch_ == 1


def test_training_goes_on_without_early_stopping(case, data, monkeypatch):
    _losses(monkeypatch, [3.0, 2.0, 2.5, 2.0, 1.0, 1.5, 1.4])
    estimator = case.make(epochs=7, n_iter_no_change=2, early_stopping=False).fit(*data)
    assert estimator.n_epochs_ == 7
    assert estimator.best_epoch_ == 4


def test_the_weights_of_the_best_epoch_are_kept(case, data, monkeypatch):
    weights = _losses(monkeypatch, [2.0, 1.0, 3.0, 4.0])
    estimator = case.make(epochs=4).fit(*data)
    assert estimator.best_epoch_ == 1
    assert [_same(estimator._weights, one) for one in weights] == [0, 1, 0, 0]


def test_weights_of_an_estimator_are_a_beginning(case, data, fitted):
    estimator = case.make(pretrained=fitted, learning_rate=1e-12).fit(*data)
    for one, other in zip(estimator._weights, fitted._weights, strict=True):
        if other.ndim > 1:
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_saved_file_is_as_good_as_its_estimator(case, data, fitted, digest_of):
    fitted.save("model.instantdl")
    from_file = case.make(pretrained="model.instantdl", random_state=1).fit(*data)
    from_path = case.make(pretrained=Path("model.instantdl"), random_state=1).fit(*data)
    from_estimator = case.make(pretrained=fitted, random_state=1).fit(*data)
    expected = digest_of(from_estimator, data[0])
    assert digest_of(from_file, data[0]) == digest_of(from_path, data[0]) == expected


def test_other_channels_take_over_what_fits_and_tell_the_rest(case, data, fitted):
    X, y = data
    estimator = case.make(pretrained=fitted, learning_rate=1e-12)
    with pytest.warns(InstantDLWarning, match="arrays fit.*scratch: .*kernel"):
        estimator.fit(np.repeat(X, 3, axis=-1), y)
    for one, other in zip(estimator._weights[1:], fitted._weights[1:], strict=True):
        if other.ndim > 1:
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_pretrained_estimator_stays_as_it_is(case, data, fitted, digest_of):
    before = digest_of(fitted, data[0])
    case.make(pretrained=fitted, epochs=2, learning_rate=0.1).fit(*data)
    assert digest_of(fitted, data[0]) == before


def test_a_clone_keeps_its_pretrained_estimator_fitted(case, data, fitted, digest_of):
    estimator = case.make(pretrained=fitted, random_state=1)
    twin = clone(estimator)
    assert twin.pretrained is fitted
    expected = digest_of(estimator.fit(*data), data[0])
    assert digest_of(twin.fit(*data), data[0]) == expected


@pytest.mark.parametrize("problem", ["unfitted", "no estimator", "no file"])
def test_a_wrong_pretrained_estimator_is_an_error(case, data, problem):
    from sklearn.linear_model import LinearRegression

    value = {
        "unfitted": case.make(),
        "no estimator": LinearRegression(),
        "no file": "nowhere.instantdl",
    }[problem]
    message = "not fitted|fitted estimator of instantdl|nowhere"
    with pytest.raises((TypeError, ValueError, FileNotFoundError), match=message):
        case.make(pretrained=value).fit(*data)


def test_a_network_of_the_users_own_is_trained_and_used(case, ranked, own_network):
    X, y = ranked
    estimator = case.make(network=own_network).fit(X, y)
    assert estimator.predict(X).shape == y.shape
    if hasattr(estimator, "predict_uncertainty"):
        assert estimator.predict_uncertainty(X, n_draws=2).max() > 0


def test_images_without_weight_are_as_if_they_were_not_there(case, data, digest_of):
    X, y = data
    weight = np.array([1.0, 1, 1, 1, 0, 0])
    with_more = case.make(validation_fraction=0.5).fit(X, y, sample_weight=weight)
    without = case.make(validation_fraction=0.5).fit(X[:4], y[:4])
    assert digest_of(with_more, X) == digest_of(without, X)


def test_only_how_weights_relate_to_each_other_matters(case, data, digest_of):
    weight = np.array([1.0, 2, 4, 1, 2, 4])
    one, other = (
        case.make(batch_size=2).fit(*data, sample_weight=factor * weight)
        for factor in (1, 8)
    )
    assert digest_of(one, data[0]) == digest_of(other, data[0])


def test_weights_act_on_images_that_are_alone_in_a_batch(case, data, digest_of):
    weight = np.array([1.0, 2, 4, 1, 2, 4])
    weighted = case.make(batch_size=1).fit(*data, sample_weight=weight)
    plain = case.make(batch_size=1).fit(*data)
    assert digest_of(weighted, data[0]) != digest_of(plain, data[0])


def test_an_interrupted_fit_that_began_elsewhere_is_not_taken_up(
    case, data, interrupt, digest_of
):
    first, second = (case.make(random_state=seed).fit(*data) for seed in (7, 8))
    parameters = {"epochs": 3, "log_dir": "logs"}
    interrupt(Interruption, step=5)
    with pytest.raises(Interruption):
        case.make(pretrained=first, **parameters).fit(*data)
    found = case.make(pretrained=second, **parameters).fit(*data)
    expected = case.make(pretrained=second, epochs=3).fit(*data)
    assert digest_of(found, data[0]) == digest_of(expected, data[0])


def test_a_network_of_the_users_own_may_be_a_partial_function(
    case, data, own_network, tmp_path
):
    state = random.getstate()
    network = functools.partial(own_network)
    estimator = case.make(network=network).fit(*data)
    assert random.getstate() == state
    estimator.save(tmp_path / "model.instantdl")
    again = instantdl.load(tmp_path / "model.instantdl", network=network)
    np.testing.assert_array_equal(again.predict(data[0]), estimator.predict(data[0]))
