"""Tests of compiled networks."""

import dataclasses
import gc
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from instantdl.networks import ChannelDropout, build_loss
from instantdl.training import (
    CompiledNetwork,
    NetworkSpec,
    borrow_network,
    class_probabilities,
    class_summary,
)


def _user_spec(build):
    return NetworkSpec(
        key=("user", id(build)),
        build=build,
        loss=build_loss("dice"),
        activate=class_probabilities,
        summarise=class_summary,
    )


def _with_keras_dropout():
    inputs = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = keras.layers.Dropout(0.5)(x)
    x = keras.layers.SpatialDropout2D(0.25)(keras.layers.PReLU(shared_axes=(1, 2))(x))
    return keras.Model(inputs, keras.layers.Conv2D(1, 1)(x))


@pytest.fixture(scope="module")
def user_network():
    return CompiledNetwork(_user_spec(_with_keras_dropout))


def _batch(n_noise, n=2):
    rng = np.random.default_rng(0)
    x = rng.random((n, 8, 8, 1), np.float32)
    weights = {"class_weight": np.ones(2, "f"), "sample_weight": np.ones(n, "f")}
    noise = rng.random((n, n_noise), np.float32)
    return x, (x[..., 0] > 0.5).astype(np.int32), weights, noise


def test_initial_weights_are_the_same_for_the_same_seed(tiny):
    first, again, other = (tiny.initial_weights(seed) for seed in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("name", ["tiny", "user_network"])
def test_initial_weights_do_not_depend_on_global_state(name, request):
    network = request.getfixturevalue(name)
    first = network.initial_weights(0)
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    keras.utils.set_random_seed(99)
    for a, b in zip(first, network.initial_weights(0), strict=True):
        np.testing.assert_array_equal(a, b)


def test_initial_kernels_have_the_variance_of_he(spec):
    network = CompiledNetwork(spec(filters=16, levels=1))
    kernel = max(network.initial_weights(0), key=np.size)
    expected = np.sqrt(2 / np.prod(kernel.shape[:-1]))
    assert np.std(kernel) == pytest.approx(expected, rel=0.15)


def test_building_leaves_global_random_state_alone(spec):
    keras.utils.set_random_seed(1)
    python, numpy = random.getstate(), np.random.get_state()[1]  # noqa: NPY002
    network = CompiledNetwork(spec(levels=0))
    x, target, weights, noise = _batch(network.n_noise)
    network.load_weights(network.initial_weights(0))
    network.train(x, target, noise=noise, learning_rate=0.1, **weights)
    network.predict(x)
    assert random.getstate() == python
    np.testing.assert_array_equal(np.random.get_state()[1], numpy)  # noqa: NPY002
    after = keras.random.uniform((3,)), tf.random.uniform((3,))
    keras.utils.set_random_seed(1)
    expected = keras.random.uniform((3,)), tf.random.uniform((3,))
    np.testing.assert_array_equal(after, expected)


def test_weights_go_in_and_come_out(tiny):
    weights = [array + 1 for array in tiny.initial_weights(0)]
    tiny.load_weights(weights)
    out = tiny.get_weights()
    for a, b in zip(out, weights, strict=True):
        np.testing.assert_array_equal(a, b)
    out[0][...] = 7
    assert not np.array_equal(tiny.get_weights()[0], out[0])


def test_weights_of_the_same_owner_are_not_put_in_again(tiny):
    owner, weights = object(), tiny.initial_weights(0)
    tiny.load_weights(weights, owner)
    tiny.load_weights([], owner)
    np.testing.assert_array_equal(tiny.get_weights()[0], weights[0])
    tiny.load_weights(tiny.initial_weights(1))
    tiny.load_weights(weights, owner)
    np.testing.assert_array_equal(tiny.get_weights()[0], weights[0])


def test_weights_that_failed_to_go_in_have_no_owner(tiny):
    owner = object()
    with pytest.raises(ValueError, match="shorter"):
        tiny.load_weights(tiny.initial_weights(0)[:-1], owner)
    weights = tiny.initial_weights(1)
    tiny.load_weights(weights, owner)
    np.testing.assert_array_equal(tiny.get_weights()[0], weights[0])


def test_training_with_the_same_noise_is_bit_identical(tiny):
    x, target, weights, noise = _batch(tiny.n_noise)
    results = []
    for _ in range(2):
        tiny.load_weights(tiny.initial_weights(0))
        tiny.load_optimizer_state(None)
        losses = [
            tiny.train(x, target, noise=noise, learning_rate=0.01, **weights)
            for _ in range(3)
        ]
        results.append((losses, tiny.get_weights()))
    assert results[0][0] == results[1][0]
    for a, b in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_optimizer_state_goes_in_and_comes_out(tiny):
    x, target, weights, noise = _batch(tiny.n_noise)
    tiny.load_weights(tiny.initial_weights(0))
    tiny.load_optimizer_state(None)
    assert all(not np.any(array) for array in tiny.optimizer_state())
    tiny.train(x, target, noise=noise, learning_rate=0.01, **weights)
    state = tiny.optimizer_state()
    tiny.load_optimizer_state(None)
    tiny.load_optimizer_state(state)
    for a, b in zip(tiny.optimizer_state(), state, strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_lowers_the_loss(tiny):
    x, target, weights, noise = _batch(tiny.n_noise)
    tiny.load_weights(tiny.initial_weights(0))
    tiny.load_optimizer_state(None)
    before = tiny.evaluate(x, target, **weights)
    for _ in range(40):
        tiny.train(x, target, noise=np.ones_like(noise), learning_rate=0.03, **weights)
    assert tiny.evaluate(x, target, **weights) < before - 0.2


def test_keras_dropout_becomes_channel_dropout(user_network):
    kinds = [type(layer) for layer in user_network.model.layers]
    assert kinds.count(ChannelDropout) == 2
    assert keras.layers.Dropout not in kinds
    assert keras.layers.SpatialDropout2D not in kinds
    rates = [x.rate for x in user_network.model.layers if hasattr(x, "rate")]
    assert rates == [0.5, 0.25]
    assert user_network.n_noise == 8


def test_a_user_network_draws_by_noise(user_network):
    x = np.ones((1, 4, 4, 1), np.float32)
    features = user_network.features(x)
    noise = np.ones((1, 8), np.float32)
    quiet = user_network.draw(features, noise)
    noise[0, 0] = 0
    assert not np.allclose(user_network.draw(features, noise), quiet)
    np.testing.assert_allclose(quiet[..., :2].sum(axis=-1), 1, atol=1e-5)


def test_a_sequential_user_network_works():
    def build():
        return keras.Sequential(
            [
                keras.Input((None, None, 1)),
                keras.layers.Conv2D(2, 3, padding="same"),
                keras.layers.Dropout(0.5),
                keras.layers.Conv2D(1, 1),
            ]
        )

    network = CompiledNetwork(_user_spec(build))
    assert network.n_noise == 2
    x = np.ones((1, 4, 4, 1), np.float32)
    assert network.predict(x).shape == (1, 4, 4, 2)
    drawn = network.draw(network.features(x), np.ones((3, 2), np.float32))
    assert drawn.shape == (1, 4, 4, 3)


def test_one_output_gives_two_probabilities():
    p = np.asarray(class_probabilities(np.float32([[0], [3]])))
    np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp([0, -3.0])), rtol=1e-6)
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-6)


def test_several_outputs_give_a_softmax(rng):
    logits = rng.normal(size=(2, 3, 4)).astype(np.float32)
    expected = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(class_probabilities(logits), expected, rtol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_the_summary_holds_probabilities_and_entropy(rng, n_classes):
    p = rng.dirichlet(np.ones(n_classes), (4, 5)).astype(np.float32)
    out = np.asarray(class_summary(p))
    np.testing.assert_array_equal(out[..., :-1], p)
    entropy = -(p * np.log(p)).sum(axis=-1) / np.log(n_classes)
    np.testing.assert_allclose(out[..., -1], entropy, atol=1e-5)


def test_the_entropy_of_certain_and_even_probabilities_is_0_and_1():
    out = np.asarray(class_summary(np.float32([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])))
    np.testing.assert_allclose(out[:, -1], [0, 1], atol=1e-6)


def test_a_network_is_lent_again(spec):
    with borrow_network(spec(levels=0)) as first:
        pass
    with borrow_network(spec(levels=0)) as second:
        assert second is first
        with borrow_network(spec(levels=0)) as third:
            assert third is not first


def test_a_network_comes_back_after_an_error(spec):
    with pytest.raises(KeyError), borrow_network(spec(levels=0)) as first:
        raise KeyError
    with borrow_network(spec(levels=0)) as second:
        assert second is first


def test_few_networks_are_kept(spec, monkeypatch):
    monkeypatch.setattr("instantdl.training._network._MAX_CACHED", 1)
    with borrow_network(spec(levels=0)) as first:
        pass
    with borrow_network(spec(levels=0, filters=1)):
        pass
    with borrow_network(spec(levels=0)) as again:
        assert again is not first


def test_a_network_that_draws_its_own_weights_keeps_them():
    def build():
        inputs = keras.Input((None, None, 1))
        ones = keras.initializers.Constant(1)
        return keras.Model(
            inputs, keras.layers.Conv2D(1, 3, kernel_initializer=ones)(inputs)
        )

    spec = dataclasses.replace(_user_spec(build), draws_own_weights=True)
    kernel, bias = CompiledNetwork(spec).initial_weights(seed=0)
    assert (kernel == 1).all()
    assert (bias == 0).all()


def test_weights_may_be_judged_by_another_loss_than_is_trained(spec):
    plain = spec(filters=2, levels=1)
    judged = dataclasses.replace(plain, judge=build_loss("crossentropy"))
    by_loss, by_judge = CompiledNetwork(plain), CompiledNetwork(judged)
    by_judge.load_weights(by_loss.get_weights())
    x, target, weights, _ = _batch(by_loss.n_noise)
    probabilities = by_loss.predict(x)
    p = np.where(target == 1, probabilities[..., 1], probabilities[..., 0])
    found = by_judge.evaluate(x, target, **weights)
    assert found == pytest.approx(-np.log(p).mean(), rel=1e-4)
    assert by_loss.evaluate(x, target, **weights) != pytest.approx(found, rel=1e-2)


@pytest.mark.slow
def test_many_networks_are_traced_without_a_word(spec, capfd, caplog):
    for _ in range(7):
        network = CompiledNetwork(spec(filters=2, levels=1))
        x, target, weights, noise = _batch(network.n_noise)
        network.train(x, target, **weights, noise=noise, learning_rate=1e-3)
        network.predict(x)
    assert "retracing" not in capfd.readouterr().err + caplog.text


def _train_one(spec):
    network = CompiledNetwork(spec(filters=2, levels=1))
    before = network.initial_weights(0)
    network.load_weights(before)
    x, y, weights, noise = _batch(network.n_noise)
    for frozen in (False, True):
        network.train(x, y, **weights, noise=noise, learning_rate=0.1, frozen=frozen)
    assert not np.array_equal(before[0], network.get_weights()[0])


def _n_graphs():
    gc.collect()
    return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())


def test_a_network_that_is_given_up_leaves_no_graph_behind(spec):
    # Keras' optimizer adds gradients up over replicas by a function with a gradient of
    # its own, and TensorFlow's register of gradients is never emptied.
    before = _n_graphs()
    _train_one(spec)
    assert _n_graphs() == before


def test_a_heavy_image_moves_the_weights_as_much_in_a_batch_of_its_own_kind(spec):
    network = CompiledNetwork(
        dataclasses.replace(spec(filters=2, levels=1), key="heavy", optimizer="sgd")
    )
    before = network.initial_weights(0)
    x, target, weights, noise = _batch(network.n_noise)
    moved = []
    for heavier in (1, 3):
        network.load_weights(before)
        network.load_optimizer_state(None)
        given = {**weights, "sample_weight": heavier * weights["sample_weight"]}
        network.train(x, target, **given, noise=noise, learning_rate=1e-3)
        trainable = network.get_weights()[0]
        moved.append(trainable - before[0])
    assert np.abs(moved[0]).max() > 0
    np.testing.assert_allclose(moved[1], 3 * moved[0], rtol=0.05, atol=1e-7)
