"""Objects in GeoJSON."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from instantdl.exceptions import ImageError, InstantDLWarning
from instantdl.images import relabel
from instantdl.io import read_geojson, write_geojson

LABELS = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.sampled_from([0, 0, 1, 2, 9]),
)
SQUARE = [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]


@given(labels=LABELS)
@settings(max_examples=100, deadline=None)
def test_objects_of_any_form_come_back(labels, tmp_path_factory):
    path = tmp_path_factory.mktemp("geo") / "cells.geojson"
    write_geojson(path, labels, {9: "nine"})
    found, classes = read_geojson(path, labels.shape)
    expected = relabel(labels)
    np.testing.assert_array_equal(found, expected)
    assert set(classes) == set(np.unique(expected[labels == 9]).tolist())


@pytest.mark.parametrize("kind", ["collection", "list", "feature"])
def test_what_qupath_exports_is_read(tmp_path, kind):
    feature = {
        "type": "Feature",
        "id": "5b2a",
        "geometry": {"type": "Polygon", "coordinates": SQUARE},
        "properties": {
            "objectType": "detection",
            "classification": {"name": "Tumor", "color": [200, 0, 0]},
        },
    }
    content = {
        "collection": {"type": "FeatureCollection", "features": [feature]},
        "list": [feature],
        "feature": feature,
    }[kind]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(content), encoding="utf-8")
    labels, classes = read_geojson(path, (3, 3))
    np.testing.assert_array_equal(labels, [[1, 1, 0], [1, 1, 0], [0, 0, 0]])
    assert classes == {1: "Tumor"}


def test_of_objects_that_overlap_the_first_has_the_pixels(tmp_path):
    shapes = [SQUARE, [[[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]]]
    features = [
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": shape}}
        for shape in shapes
    ]
    (tmp_path / "a.geojson").write_text(json.dumps(features), encoding="utf-8")
    labels, classes = read_geojson(tmp_path / "a.geojson", (3, 3))
    np.testing.assert_array_equal(labels, [[1, 1, 0], [1, 1, 2], [0, 2, 2]])
    assert classes == {}


def test_objects_without_a_pixel_are_left_out_with_a_warning(tmp_path):
    outside = [[[5, 5], [7, 5], [7, 7], [5, 7], [5, 5]]]
    other = [[[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": shape},
            "properties": {"classification": {"name": name}},
        }
        for shape, name in zip([outside, SQUARE, SQUARE, other], "abcd", strict=True)
    ]
    (tmp_path / "a.geojson").write_text(json.dumps(features), encoding="utf-8")
    lost = r"2 of 4 objects have no pixel: feature 1, feature 3\. "
    with pytest.warns(InstantDLWarning, match=lost):
        labels, classes = read_geojson(tmp_path / "a.geojson", (3, 3))
    np.testing.assert_array_equal(labels, [[1, 1, 0], [1, 1, 0], [0, 0, 2]])
    assert classes == {1: "b", 2: "d"}


@pytest.mark.parametrize("shape", [(3, 3, 3), (3,)])
def test_another_shape_than_that_of_a_plane_is_refused(tmp_path, shape):
    write_geojson(tmp_path / "a.geojson", np.eye(3, dtype=int))
    with pytest.raises(ImageError, match=r"must be height and width .* Got \(3"):
        read_geojson(tmp_path / "a.geojson", shape)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no valid JSON"),
        ("[" * 100_000, "no valid JSON"),
        ('{"type": "Topology"}', "feature collection or a list"),
        ('[{"geometry": {"type": "Point", "coordinates": [1, 2]}}]', "'Point'"),
        ('[{"geometry": {"type": "Polygon", "coordinates": [[1]]}}]', "feature 1"),
        ("[3]", "feature 1"),
        ('[{"geometry": null}]', "feature 1"),
    ],
)
def test_another_content_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "a.geojson"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ImageError, match=message) as caught:
        read_geojson(path, (4, 4))
    assert "a.geojson" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"b\.geojson"):
        read_geojson(tmp_path / "b.geojson", (4, 4))


@pytest.mark.parametrize("labels", [np.zeros((2, 2, 2), int), np.zeros((2, 2))])
def test_only_planes_of_whole_numbers_are_written(tmp_path, labels):
    with pytest.raises(ImageError, match="2D label images"):
        write_geojson(tmp_path / "a.geojson", labels)
    assert list(tmp_path.iterdir()) == []
