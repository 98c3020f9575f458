"""A project's images, as an estimator takes them."""

from types import SimpleNamespace

import numpy as np
import pytest

from instantdl.pipeline._inspect_report import PartSummary, ProjectReport
from instantdl.pipeline._project import find_cuts, labels_are_text, load_part
from tests.pipeline.projects import CLASSIFICATION, make, write_table


@pytest.mark.parametrize(
    ("train", "test", "cuts"),
    [
        ([0, 255], [0, 255], {}),
        ([0, 255], [255], {}),
        ([0, 255], [0, 3, 251, 255], {"train": 127.5, "test": 127.5}),
        ([0, 1], [0, 3, 251, 255], {"train": 0.5, "test": 127.5}),
        ([0, 3, 251], [0, 1], {"train": 125.5, "test": 0.5}),
        ([0, 3, 251], [251], {"train": 125.5, "test": 125.5}),
        ([0, 3, 251], [0], {"train": 125.5, "test": 0}),
        ([0, 3, 251], [], {"train": 125.5}),
        ([], [0, 3, 251], {"test": 125.5}),
    ],
)
def test_each_part_is_cut_by_its_own_values(train, test, cuts):
    parts = {
        name: PartSummary(classes={value: {} for value in values})
        for name, values in (("train", train), ("test", test))
    }
    report = ProjectReport("cells", "semantic_segmentation", [], [], parts)
    assert find_cuts(report, 2) == cuts
    assert find_cuts(report, None) == {}
    assert find_cuts(ProjectReport("cells", "regression", [], [], parts), 2) == {}


@pytest.mark.parametrize(
    ("train", "test", "name", "are_text"),
    [
        (["0", "1"], ["0"], "a.png", False),
        (["0", "unknown"], ["0"], "a.png", True),
        (["0"], ["-1", "neg"], "a.png", True),
        (["0", "1"], [], "a.png", False),
        # Names of folders are always text.
        (["0", "1"], ["0"], "0/a.png", True),
        ([0, 255], [0], "a.png", False),
    ],
)
def test_labels_are_text_unless_all_are_whole_numbers(train, test, name, are_text):
    parts = {
        part: PartSummary(classes={label: {} for label in labels})
        for part, labels in (("train", train), ("test", test))
    }
    parts["train"].names.append(name)
    report = ProjectReport("cells", CLASSIFICATION, [], [], parts)
    assert labels_are_text(None, report) is are_text
    # Where there is a model, its classes decide.
    assert labels_are_text(SimpleNamespace(classes_=np.array(["01"])), report)
    assert not labels_are_text(SimpleNamespace(classes_=np.array([0, 1])), report)
    assert not labels_are_text(SimpleNamespace(), report)
    assert not labels_are_text(None)


def test_of_a_table_with_other_rows_only_the_check_tells(tmp_path):
    make(tmp_path, CLASSIFICATION)
    write_table(tmp_path, "train", [f"{i}.png,0{i % 2}" for i in range(9)])
    part = load_part(tmp_path / "train", CLASSIFICATION, as_text=True)
    assert part.y.tolist() == ["00", "01"] * 3
    assert load_part(tmp_path / "train", CLASSIFICATION).y.tolist() == [0, 1] * 3
