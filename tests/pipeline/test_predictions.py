"""Results of single images, as they are written and read."""

import numpy as np
import pandas as pd

from instantdl import InstanceSegmenter
from instantdl.estimators import Instances
from instantdl.estimators._instance_tables import describe_instances
from instantdl.io import read_image
from instantdl.pipeline._predictions import predict_images


class Given(InstanceSegmenter):
    """Finds what it is given, whatever the image."""

    def predict_instances(self, X, *, n_draws=0):
        return [self.found_]


def test_objects_are_described_at_the_size_of_their_image(tmp_path):
    labels = np.zeros((30, 36), np.int32)
    labels[0, 0] = 1  # too small for the image
    labels[3:9, 6:12] = 2
    labels[15:21, 0:9] = 3
    table = describe_instances(labels, np.array([0.1, 0.2, 0.3]), np.array([*"abc"]))
    table["uncertainty"] = [0.4, 0.5, 0.6]
    model = Given()
    model.spatial_ndim_in_, model.found_ = 2, Instances(labels, table)
    steps = predict_images(
        model, [np.zeros((10, 12))], ["a.tif"], tmp_path, n_draws=0, image_size=[30, 36]
    )
    assert list(steps) == [1]
    expected = np.zeros((10, 12), int)
    expected[1:3, 2:4] = 1
    expected[5:7, 0:3] = 2
    found = read_image(tmp_path / "predictions" / "a.tif")
    np.testing.assert_array_equal(found, expected)
    objects = pd.read_csv(tmp_path / "objects" / "a.csv")
    assert list(objects.columns) == list(table.columns)
    assert objects["label"].tolist() == [1, 2]
    assert objects["score"].tolist() == [0.2, 0.3]
    assert objects["class"].tolist() == ["b", "c"]
    assert objects["uncertainty"].tolist() == [0.5, 0.6]
    assert objects["area"].tolist() == [4, 6]
    assert objects["centroid_row"].tolist() == [1.5, 5.5]
    assert objects["stop_column"].tolist() == [4, 3]


def test_all_objects_may_be_gone_at_the_size_of_their_image(tmp_path):
    labels = np.zeros((30, 36), np.int32)
    labels[0, 0] = 1
    table = describe_instances(labels, np.array([0.1]), np.array(["a"]))
    model = Given()
    model.spatial_ndim_in_, model.found_ = 2, Instances(labels, table)
    images = [np.zeros((10, 12))]
    list(predict_images(model, images, ["a"], tmp_path, n_draws=0, image_size=[30, 36]))
    assert not read_image(tmp_path / "predictions" / "a.tif").any()
    objects = pd.read_csv(tmp_path / "objects" / "a.csv")
    assert list(objects.columns) == list(table.columns)
    assert len(objects) == 0
