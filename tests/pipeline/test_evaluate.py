import weakref

import numpy as np
import pytest

from instantdl.images import ImageCollection
from instantdl.pipeline._evaluate import evaluate
from instantdl.pipeline._evaluation._inputs import TASKS

DENSE = TASKS[:3]


def _data(task, n=4, shape=(8, 9), seed=0):
    """Truth, prediction and options of a task, as arrays."""
    rng = np.random.default_rng(seed)
    if task == "classification":
        true, pred = rng.integers(0, 3, (2, n))
        true[:3] = 0, 1, 2
        return true, pred, {"probability": rng.dirichlet(np.ones(3), n)}
    if task == "regression":
        true = rng.random((n, *shape))
        return true, true + rng.normal(0, 0.1, true.shape), {}
    true, pred = rng.integers(0, 2, (2, n, *shape))
    if task == "instance_segmentation":
        return true * rng.integers(1, 4, true.shape), pred, {}
    return true, pred, {"probability": rng.random(true.shape)}


class Watched:
    """Images that are made when they are asked for, and counted while they live."""

    def __init__(self, images):
        self.images = images
        self.alive = self.most = self.reads = 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = np.array(self.images[index])
        self.reads += 1
        self.alive += 1
        self.most = max(self.most, self.alive)
        weakref.finalize(image, self._forget)
        return image

    def _forget(self):
        self.alive -= 1


@pytest.mark.parametrize("task", DENSE)
def test_one_image_is_held_at_a_time(task):
    true, pred, options = _data(task, n=5)
    given = {"y_true": true, "y_pred": pred, "uncertainty": np.abs(true - pred) + 0.5}
    watched = {name: Watched(part) for name, part in (given | options).items()}
    found = evaluate(task, **watched)
    assert {name: part.most for name, part in watched.items()} == dict.fromkeys(
        watched, 1
    )
    expected = evaluate(task, **given, **options)
    assert found.to_dict() == expected.to_dict()


def test_masks_are_read_once_if_their_classes_are_known():
    true, pred, _ = _data("semantic_segmentation")
    once, twice = Watched(true), Watched(true)
    evaluate("semantic_segmentation", once, pred, classes=[0, 1])
    evaluate("semantic_segmentation", twice, pred)
    assert (once.reads, twice.reads) == (4, 8)


@pytest.mark.parametrize("task", DENSE)
@pytest.mark.parametrize("kind", ["list", "object", "collection"])
def test_containers_do_not_matter(task, kind):
    true, pred, options = _data(task)

    def contained(images):
        if kind == "list":
            return list(images)
        if kind == "collection":
            return ImageCollection(list(images))
        result = np.empty(len(images), dtype=object)
        result[:] = list(images)
        return result

    found = evaluate(
        task,
        contained(true),
        contained(pred),
        **{name: contained(part) for name, part in options.items()},
    )
    assert found.to_dict() == evaluate(task, true, pred, **options).to_dict()


@pytest.mark.parametrize("task", DENSE)
def test_images_may_differ_in_size_and_be_volumes(task):
    true, pred, options = _data(task, n=3, shape=(5, 6, 7))
    cut = [part[:, :4] for part in (true[0], pred[0])]
    for name in options:
        options[name] = [options[name][0][:, :4], *options[name][1:]]
    found = evaluate(task, [cut[0], *true[1:]], [cut[1], *pred[1:]], **options)
    assert len(found.per_image) == 3
    assert not found.per_image.isna().any().any()


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_intervals(task):
    true, pred, options = _data(task, n=6)
    first = evaluate(task, true, pred, random_state=3, **options)
    again = evaluate(task, true, pred, random_state=3, **options)
    other = evaluate(task, true, pred, random_state=4, **options)
    assert first.to_dict() == again.to_dict()
    assert not first.metrics.equals(other.metrics)
    assert first.metrics["value"].equals(other.metrics["value"])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("n", [1, 2])
def test_few_images_have_no_intervals(task, n):
    true, pred, options = _data(task, n=4)
    if task == "classification":
        options["classes"] = [0, 1, 2]
    options = {
        name: part if name == "classes" else part[:n] for name, part in options.items()
    }
    found = evaluate(task, true[:n], pred[:n], **options)
    intervals = found.metrics.drop(columns=["value", "n"])
    assert intervals.isna().all().all()
    assert f"Intervals need 3 images or more. Got {n}: they are nan." in found.notes


@pytest.mark.parametrize("task", TASKS)
def test_inputs_are_not_changed(task):
    true, pred, options = _data(task)
    for part in (true, pred, *options.values()):
        part.setflags(write=False)
    evaluate(task, true, pred, **options)


def test_names_come_from_files_or_from_the_caller():
    true, pred, _ = _data("regression", n=3)
    images = ImageCollection(
        [f"truth/{i}.png" for i in range(3)], read=lambda path: true[int(path[6])]
    )
    found = evaluate("regression", images, pred)
    assert list(found.per_image.index) == ["0.png", "1.png", "2.png"]
    found = evaluate("regression", images, pred, names=["a", "b", "c"])
    assert list(found.per_image.index) == ["a", "b", "c"]
    found = evaluate("regression", true, pred)
    assert list(found.per_image.index) == ["0", "1", "2"]
    assert found.per_image.index.name == "name"


def test_files_of_one_name_keep_their_folders():
    true, pred, _ = _data("regression", n=2)
    images = ImageCollection(["0/x.png", "1/x.png"], read=lambda p: true[int(p[0])])
    found = evaluate("regression", images, pred)
    assert list(found.per_image.index) == ["0/x.png", "1/x.png"]


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match="`task` must be one of .* Got 'masks'"):
        evaluate("masks", [0], [0])


@pytest.mark.parametrize("task", TASKS)
def test_lengths_must_agree(task):
    true, pred, options = _data(task)
    with pytest.raises(ValueError, match="`y_pred` must hold as many .* Got 3 and 4"):
        evaluate(task, true, pred[:3])
    with pytest.raises(ValueError, match="`names` must hold as many"):
        evaluate(task, true, pred, names=["a"])
    with pytest.raises(ValueError, match="`uncertainty` must hold as many"):
        evaluate(task, true, pred, uncertainty=true[:1])
    if options:
        with pytest.raises(ValueError, match="`probability` must hold as many"):
            evaluate(task, true, pred, probability=options["probability"][:2])
    with pytest.raises(ValueError, match="one image or more. Got 0"):
        evaluate(task, [], [])


@pytest.mark.parametrize("wrong", [None, 3, iter([1])])
def test_sequences_are_needed(wrong):
    with pytest.raises(TypeError, match="`y_true` must be an array, a list"):
        evaluate("regression", wrong, [np.ones((4, 4))])
    with pytest.raises(TypeError, match="`y_pred` must be an array, a list"):
        evaluate("regression", [np.ones((4, 4))], wrong)


def test_names_must_differ():
    true, pred, _ = _data("regression", n=3)
    with pytest.raises(ValueError, match="different for all images. Got 'a' more"):
        evaluate("regression", true, pred, names=["a", "b", "a"])


@pytest.mark.parametrize("task", DENSE)
def test_shapes_must_agree_and_the_image_is_named(task):
    true, pred, _ = _data(task)
    preds = [*pred[:2], pred[2][:5], pred[3]]
    with pytest.raises(ValueError, match=r"Got \(8, 9\) and \(5, 9\) for image 2\."):
        evaluate(task, true, preds)
    with pytest.raises(ValueError, match=r"for image 'c\.png'\."):
        evaluate(task, true, preds, names=["a.png", "b.png", "c.png", "d.png"])
    with pytest.raises(ValueError, match=r"`uncertainty` must have .* for image 1\."):
        evaluate(
            task,
            true,
            pred,
            uncertainty=[np.ones((8, 9)), np.ones(8), *np.ones((2, 8, 9))],
        )
    with pytest.raises(ValueError, match="For a single image add an axis"):
        evaluate(task, true[0], pred[0])
    with pytest.raises(ValueError, match="with one pixel or more"):
        evaluate(task, np.ones((1, 0, 4)), np.ones((1, 0, 4)))


@pytest.mark.parametrize("task", DENSE)
@pytest.mark.parametrize("part", ["y_true", "y_pred", "uncertainty"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_must_be_finite_and_the_image_is_named(task, part, value):
    true, pred, _ = _data(task)
    given = {"y_true": true, "y_pred": pred, "uncertainty": np.ones(true.shape)}
    given = {name: images.astype(float) for name, images in given.items()}
    given[part][2, 1, 1] = value
    with pytest.raises(ValueError, match=f"finite .*{value} in image 2 of `{part}`"):
        evaluate(task, **given)


@pytest.mark.parametrize("task", DENSE)
def test_uncertainty_must_not_be_negative(task):
    true, pred, _ = _data(task)
    uncertainty = np.ones(true.shape)
    uncertainty[1, 0, 0] = -0.5
    with pytest.raises(ValueError, match="not be negative. Got -0.5 in image 1"):
        evaluate(task, true, pred, uncertainty=uncertainty)


@pytest.mark.parametrize("task", DENSE)
def test_images_must_hold_numbers(task):
    words = np.array([[["a", "b"], ["c", "d"]]])
    with pytest.raises(TypeError, match="real numbers. Got <U1 in image 0 of `y_true`"):
        evaluate(task, words, words)


@pytest.mark.parametrize("task", ["instance_segmentation", "regression"])
def test_what_a_task_does_not_look_at_is_refused(task):
    true, pred, _ = _data(task)
    with pytest.raises(ValueError, match=f"`probability` must be None for {task}"):
        evaluate(task, true, pred, probability=true)


def test_spatial_axes_are_those_of_regression():
    true, pred, _ = _data("semantic_segmentation")
    with pytest.raises(ValueError, match="`spatial_ndim` must be None"):
        evaluate("semantic_segmentation", true, pred, spatial_ndim=2)
    with pytest.raises(ValueError, match="`spatial_ndim` must be 2, 3 or None. Got 4"):
        evaluate("regression", true, pred, spatial_ndim=4)
    with pytest.raises(ValueError, match="must have 3 spatial axes .* image 0"):
        evaluate("regression", true, pred, spatial_ndim=3)
