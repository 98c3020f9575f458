"""Objects of many images in a COCO file."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from instantdl.exceptions import ImageError, InstantDLWarning
from instantdl.images import relabel
from instantdl.io import load_coco, write_coco, write_image

LABELS = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.sampled_from([0, 0, 1, 2, 9]),
)


@given(labels=LABELS)
@settings(max_examples=60, deadline=None)
def test_objects_of_any_form_come_back(labels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    write_image(folder / "a.npy", labels)
    write_coco(folder / "a.json", [labels], ["a.npy"], classes=[{9: "nine"}])
    data = load_coco(folder / "a.json")
    np.testing.assert_array_equal(data.X[0], labels)
    np.testing.assert_array_equal(data.y[0], relabel(labels))
    nines = set(np.unique(data.y[0][labels == 9]).tolist())
    assert {n for n, name in data.classes[0].items() if name == "nine"} == nines


def _content(segmentation, **changes):
    annotation = {
        "id": 1,
        "image_id": 7,
        "category_id": 3,
        "segmentation": segmentation,
    }
    return {
        "images": [{"id": 7, "file_name": "a.npy", "height": 3, "width": 4}],
        "annotations": [annotation | changes],
        "categories": [{"id": 3, "name": "cell"}],
    }


def _written(folder, content):
    write_image(folder / "a.npy", np.zeros((3, 4), np.uint8))
    (folder / "a.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "a.json"


EXPECTED = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    "segmentation",
    [
        [[1, 0, 3, 0, 3, 2, 1, 2]],
        [[1, 0, 2, 0, 2, 2, 1, 2], [2, 0, 3, 0, 3, 2, 2, 2]],
        {"size": [3, 4], "counts": [3, 2, 1, 2, 4]},
        # As pycocotools writes these runs: the fourth is 2, 0 more than the second.
        {"size": [3, 4], "counts": "32103"},
    ],
    ids=["polygon", "two polygons", "runs", "compressed runs"],
)
def test_every_kind_of_segmentation_is_read(tmp_path, segmentation):
    data = load_coco(_written(tmp_path, _content(segmentation)))
    np.testing.assert_array_equal(data.y[0], EXPECTED)
    assert data.classes == [{1: "cell"}]
    assert data.names == ["a.npy"]


def _compressed(lengths):
    """Write runs as pycocotools does, by its own description."""
    text = ""
    for i, length in enumerate(lengths):
        value = length - (lengths[i - 2] if i > 2 else 0)
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != -1 if bits & 0x10 else value != 0
            text += chr((bits | 0x20 if more else bits) + 48)
    return text


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=30))
def test_compressed_runs_of_any_lengths_are_read(lengths):
    from instantdl.io._coco import _lengths

    assert _lengths(_compressed(lengths)) == lengths


def test_images_may_lie_in_another_folder_and_differ_in_size(tmp_path):
    (tmp_path / "images").mkdir()
    labels = [np.eye(3, dtype=int), np.ones((2, 5), int)]
    for i, image in enumerate(labels):
        write_image(tmp_path / "images" / f"{i}.npy", image)
    write_coco(tmp_path / "a.json", labels, ["0.npy", "1.npy"])
    data = load_coco(tmp_path / "a.json", tmp_path / "images")
    assert [y.shape for y in data.y] == [(3, 3), (2, 5)]


def test_scores_boxes_and_areas_are_written(tmp_path):
    labels = np.array([[0, 4, 4], [0, 4, 0]])
    write_coco(tmp_path / "a.json", [labels], ["a.png"], scores=[{4: 0.75}])
    (written,) = json.loads((tmp_path / "a.json").read_text())["annotations"]
    assert written["score"] == 0.75
    assert written["bbox"] == [1, 0, 2, 2]
    assert written["area"] == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_content([[1, 0, 3]]), "less than three points"),
        (_content([[1, 0, 3, float("nan"), 0, 0]]), "not finite"),
        (_content({"size": [9, 4], "counts": [36]}), r"a size of \[9, 4\]"),
        (_content({"size": [3, 4], "counts": [3, 2]}), "other lengths"),
        (_content({"size": [3, 4], "counts": [-3, 15]}), "other lengths"),
        (_content({"size": [3, 4], "counts": "é"}), "neither polygons nor runs"),
        (_content([[1, 0, 3, 0, 1e300, 0]]), "far outside"),
        (_content(None), "neither polygons nor runs"),
        (_content([]), "a box without a segmentation"),
        (_content([[1, 0, 3, 0, 3, 2]], category_id=4), "a category_id of 4, which"),
        (_content([[1, 0, 3, 0, 3, 2]], category_id=[3]), r"a category_id of \[3\]"),
        (_content([[1, 0, 3, 0, 3, 2]], image_id=8), "image that is there"),
        ({"images": []}, "as COCO has"),
        ([], "as COCO has"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, content, message):
    with pytest.raises(ImageError, match=message) as caught:
        load_coco(_written(tmp_path, content))
    assert "a.json" in str(caught.value)


def test_all_problems_are_reported_at_once(tmp_path):
    content = _content([[1, 0, 3]])
    content["images"] += [
        {"id": 8, "file_name": "../b.npy", "height": 3, "width": 4},
        {"id": 9, "file_name": "c.npy", "height": 3, "width": 4},
    ]
    with pytest.raises(ImageError, match="3 problems") as caught:
        load_coco(_written(tmp_path, content))
    for part in ("less than three", "../b.npy: there is no", "c.npy: there is no"):
        assert part in str(caught.value)


def test_an_image_that_is_there_twice_is_refused(tmp_path):
    content = _content([[1, 0, 3, 0, 3, 2]])
    content["images"] *= 2
    with pytest.raises(ImageError, match="image id 7 is there 2 times"):
        load_coco(_written(tmp_path, content))


@pytest.mark.parametrize("changes", [{"category_id": None}, {"category_id": 5}])
def test_objects_need_no_category(tmp_path, changes):
    content = _content([[1, 0, 3, 0, 3, 2, 1, 2]], **changes)
    if changes["category_id"]:
        content["categories"] = []
    data = load_coco(_written(tmp_path, content))
    assert data.classes == [{1: "object"}]


def test_objects_without_a_pixel_are_left_out_with_a_warning(tmp_path):
    square, outside, corner = (
        [[1, 0, 3, 0, 3, 2, 1, 2]],
        [[9, 9, 12, 9, 12, 12]],
        {"size": [3, 4], "counts": [0, 1, 11]},
    )
    content = _content(square)
    (one,) = content["annotations"]
    content["annotations"] = [
        one | {"id": number, "segmentation": segmentation}
        for number, segmentation in enumerate([outside, square, square, corner], 1)
    ]
    content["annotations"][-1]["category_id"] = 4
    content["categories"].append({"id": 4, "name": "other"})
    lost = r"annotation 1 of a\.npy, annotation 3 of a\.npy\. "
    with pytest.warns(InstantDLWarning, match=f"2 of 4 objects have no pixel: {lost}"):
        data = load_coco(_written(tmp_path, content))
    expected = EXPECTED.copy()
    expected[0, 0] = 2
    np.testing.assert_array_equal(data.y[0], expected)
    assert data.classes == [{1: "cell", 2: "other"}]


def test_crowds_are_read_with_a_warning(tmp_path):
    path = _written(tmp_path, _content([[1, 0, 3, 0, 3, 2, 1, 2]], iscrowd=1))
    with pytest.warns(InstantDLWarning, match="`iscrowd` in 1 of 1"):
        data = load_coco(path)
    np.testing.assert_array_equal(data.y[0], EXPECTED)


def test_an_absurd_size_is_refused(tmp_path):
    content = _content([[1, 0, 3, 0, 3, 2]])
    content["images"][0]["height"] = 10**9
    with pytest.raises(ImageError, match="1000000000 x 4 pixels"):
        load_coco(_written(tmp_path, content))


def test_lists_of_different_lengths_are_refused(tmp_path):
    with pytest.raises(ImageError, match="Got 2 for 1"):
        write_coco(tmp_path / "a.json", [np.eye(2, dtype=int)], ["a.png", "b.png"])
