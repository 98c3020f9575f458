"""What a model that is only applied needs, told before a run begins."""

from types import SimpleNamespace

import numpy as np
import pytest

from instantdl import SemanticSegmenter
from instantdl.pipeline import RunConfig, _check
from instantdl.pipeline._check import check_run
from instantdl.pipeline._inspect_report import PartSummary, ProjectReport
from tests.pipeline.projects import (
    CLASSIFICATION,
    INSTANCE,
    SEMANTIC,
    assert_found,
    cells,
    make,
)


@pytest.fixture
def apply(tmp_path, monkeypatch):
    """Return a function that gives the configuration by which a model is applied."""

    def tell(n_channels=1, **changes):
        model = SemanticSegmenter()
        model.spatial_ndim_in_, model.n_channels_in_ = 2, n_channels
        model.classes_ = np.array([0, 1])
        monkeypatch.setattr(_check, "load", lambda path: model)
        given = {"task": SEMANTIC, "path": tmp_path, "epochs": 0, "pretrained": "mine"}
        return RunConfig(**(given | changes))

    return tell


def test_one_test_image_is_enough(apply, tmp_path):
    make(tmp_path, SEMANTIC, "test", n=1)
    report = check_run(apply())
    assert report.problems == []
    assert list(report.parts) == ["test"]
    problems = check_run(apply(image_size=[8, 48, 64])).problems
    assert_found(problems, r"^image_size: .* for images of 2 axes")


def test_without_test_images_there_is_nothing_to_do(apply, tmp_path):
    make(tmp_path, SEMANTIC)
    problems = check_run(apply()).problems
    assert_found(problems, r"^test: there must be a folder `test` .* Got train\. Make")
    (tmp_path / "test/image").mkdir(parents=True)
    assert_found(check_run(apply()).problems, r"^test/image/ is empty")


def test_what_is_wrong_in_train_does_not_matter(apply, tmp_path):
    make(tmp_path, SEMANTIC, n=1)
    make(tmp_path, SEMANTIC, "test", seed=100)
    (tmp_path / "train/image/0.png").write_bytes(b"broken")
    assert check_run(apply()).problems == []
    assert len(check_run(apply(epochs=1)).problems) > 1


def test_axes_of_images_without_targets_are_those_of_the_model(apply, tmp_path):
    (tmp_path / "test/image").mkdir(parents=True)
    image = np.stack([cells(seed) for seed in range(7)], axis=-1)
    np.save(tmp_path / "test/image/0.npy", image)
    report = check_run(apply(n_channels=7))
    assert report.problems == []
    assert report.parts["test"].channels == {7: 1}
    problems = check_run(apply(n_channels=3)).problems
    assert_found(problems, r"takes images of 2 axes and 3 .* Got 2 axes and 7 channels")


@pytest.mark.parametrize(
    ("task", "known", "there", "new"),
    [
        (SEMANTIC, [0, 255], [0, 255], None),
        (SEMANTIC, [0, 255], [0], None),
        (SEMANTIC, [0, 255], [0, 1], "0, 255. Got 1"),
        (SEMANTIC, [False, True], [0, 1], None),
        (SEMANTIC, [False, True], [0, 2, 254, 255], None),
        (SEMANTIC, [False, True], [0, 255], "False, True. Got 255"),
        (SEMANTIC, [0, 255], [0, 2, 254, 255], "0, 255. Got True"),
        (CLASSIFICATION, [0, 7], ["0", "7"], None),
        (CLASSIFICATION, ["a", "b"], ["a", "c"], "a, b. Got c"),
        (INSTANCE, ["cell"], ["object"], None),
    ],
)
def test_classes_of_test_are_among_those_that_the_model_knows(task, known, there, new):
    model = SimpleNamespace(spatial_ndim_in_=2, n_channels_in_=1)
    model.classes_ = np.array(known)
    test = PartSummary(n_images=1, n_read=1, channels={1: 1}, spatial_ndim=2)
    test.classes.update({key: {} for key in there})
    report = ProjectReport("cells", task, [], [], {"test": test})
    config = RunConfig(task=task, path="cells", pretrained="mine", n_classes=2)
    problems = _check._check_fit(config, model, report)
    assert_found(problems, *([] if new is None else [f"knows, {new} in test"]))
    config = config.model_copy(update={"evaluation": False})
    assert _check._check_fit(config, model, report) == []
