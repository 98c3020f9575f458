"""What a fitted InstanceSegmenter does: find objects, describe and score them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from instantdl.estimators._dense import DenseEstimator
from instantdl.estimators._instance_methods import METHODS, MaskRCNN, Watershed
from instantdl.estimators._instance_tables import (
    Instances,
    describe_draws,
    describe_instances,
    overlap_with,
)
from instantdl.estimators._object_classes import only_class, split_classes
from instantdl.estimators._uncertainty import check_kind, mean_summary, uncertainty_of
from instantdl.exceptions import ModelFileError
from instantdl.images import CheckedImages, check_sample_weight
from instantdl.metrics import average_precision

if TYPE_CHECKING:
    from instantdl.training import NetworkSpec


class InstancePredictor(DenseEstimator):
    """Base of `InstanceSegmenter` with all that comes after `fit`."""

    method: str
    filters: int | str
    foreground_threshold_: float
    object_threshold_: float
    min_size_: int
    anchors_: tuple[Any, ...]

    def _method(self) -> Watershed | MaskRCNN:
        return METHODS[self.method](self)

    def _check_method(self) -> None:
        """Raise if the method is not the one that was fitted."""
        fitted = "mask_rcnn" if self.anchors_ else "watershed"
        if self.method != fitted:
            raise ValueError(
                f"`method` must stay the one of the fit, {fitted!r}. Got "
                f"{self.method!r}. Fit again, without warm_start."
            )

    def _check_fitted(self) -> None:
        super()._check_fitted()
        classes = self.classes_
        if classes.ndim != 1 or not 0 < len(np.unique(classes)) == classes.size < 2**16:
            raise ModelFileError(
                f"classes_ must hold one or more different labels. Got {classes!r:.60}."
            )
        self._method().check(self.spatial_ndim_in_)
        self._method().check_fitted()

    def _auto_tile(self) -> list[int]:
        return self._method().tile_shape() or super()._auto_tile()

    def _n_filters(self) -> int:
        wanted = self.filters
        return self._method().filters if wanted == "auto" else int(wanted)

    def _n_classes(self) -> int:
        return len(self.classes_)

    def _n_outputs(self) -> int:
        """Return the maps of the U-Net: foreground, cores, one for each class."""
        return 2 + (self._n_classes() if self._n_classes() > 1 else 0)

    def _network_spec(self) -> "NetworkSpec":
        self._check_method()
        return self._method().spec()  # type: ignore[return-value]

    def _thresholds(self) -> tuple[float, float, int]:
        return self.foreground_threshold_, self.object_threshold_, self.min_size_

    def predict(self, X: Any) -> NDArray[Any]:
        """Give every object of every image a number.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images of any size, with the channels of the training images.

        Returns
        -------
        ndarray of shape (n_samples, *spatial), int32
            0 is the background, the objects of each image are 1 to n. An object
            array of label images, one per image, unless `X` is an array.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        images = self._check_predict(X)
        result = self._empty_result(images, np.int32)
        method = self._method()
        for number, evidence in method.find(images):
            result[number] = method.grow(evidence, self._thresholds())
        return result

    def predict_instances(self, X: Any, *, n_draws: int = 0) -> list[Instances]:
        """Return the objects of every image as a label image and as a table.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images of any size.

        n_draws : int, default=0
            Networks that are sampled by dropout, to tell how sure each object is.

        Returns
        -------
        list of Instances
            For each image `labels`, as from `predict`, and `table`, a
            `pandas.DataFrame` with a row for each object: "label", "score" (mean
            probability of the foreground, or how sure Mask R-CNN is), "class" ("object"
            where none were learnt), "area" in pixels, and for each axis, as "row",
            "centroid_row", "start_row" and "stop_row" of its box. With
            `n_draws` also "existence", the part of the sampled networks that find it
            too, overlapping by more than half of both objects' union; "iou_mean" and
            "iou_std" of this overlap; "uncertainty", the mean of
            `predict_uncertainty` over its pixels.

        Raises
        ------
        ValueError
            If there are to be draws and the network has no dropout.
        """
        images = self._check_predict(X)
        noise = None
        if n_draws:
            with self._borrowed() as network:
                noise = self._noise(n_draws, network.n_noise)
        method, result = self._method(), []
        for number, evidence in method.find(images):
            labels, scores, kinds = method.describe(evidence, self._thresholds())
            table = describe_instances(labels, scores, self.classes_[kinds])
            if noise is not None:
                columns = self._describe_draws(images.take([number]), labels, noise)
                table = pd.concat([table, columns], axis=1)
            result.append(Instances(labels, table))
        return result

    def _describe_draws(
        self, image: CheckedImages, labels: NDArray[np.int32], noise: NDArray[Any]
    ) -> pd.DataFrame:
        """Return how steadily sampled networks find the objects of an image."""
        method, overlaps = self._method(), []

        def foregrounds() -> Iterator[NDArray[Any]]:
            for drawn in method.draw(image, noise):
                grown = method.grow(drawn, self._thresholds())
                overlaps.append(overlap_with(labels, grown))
                yield method.foreground(drawn)

        uncertainty = uncertainty_of(mean_summary(foregrounds()), "total")
        return describe_draws(labels, np.array(overlaps), uncertainty)

    def predict_uncertainty(
        self, X: Any, *, n_draws: int = 20, kind: str = "total"
    ) -> NDArray[Any]:
        """Return how uncertain it is that a pixel belongs to an object.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images of any size.

        n_draws : int, default=20
            Networks that are sampled by dropout.

        kind : {"total", "epistemic", "aleatoric"}, default="total"
            "total" is the entropy of the mean probabilities; "aleatoric" the mean
            entropy of each draw, what more training images would not settle;
            "epistemic" their difference, the mutual information.

        Returns
        -------
        ndarray of shape (n_samples, *spatial), float32
            In [0, 1], 0 certain. An object array, one map per image, unless `X` is
            an array. Two calls give the same maps. For whole objects see
            `predict_instances`.

        Raises
        ------
        ValueError
            If the network has no dropout, or a parameter is unknown.
        """
        images = self._check_predict(X)
        check_kind(kind)
        with self._borrowed() as network:
            noise = self._noise(n_draws, network.n_noise)
        result = self._empty_result(images, np.float32)
        for number, summary in self._method().summarise(images, noise):
            result[number] = uncertainty_of(summary, kind).astype(np.float32)
        return result

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean average precision of the Data Science Bowl 2018.

        Parameters
        ----------
        X : array-like of shape (n_samples, *spatial[, channels]), list or collection
            Images.

        y : array-like of shape (n_samples, *spatial), list or collection
            Their true label images, or pairs as for `fit`.

        sample_weight : array-like of shape (n_samples,), default=None
            How much each image counts in the mean. None is 1 for each.

        Returns
        -------
        float
            In [0, 1], higher is better: the mean over thresholds of the intersection
            over union of 0.5, 0.55, ..., 0.95, and over images; where there are
            classes, that of each class's objects, then the mean over classes.
        """
        labels, mappings = split_classes(y)
        weight = check_sample_weight(sample_weight, len(labels))
        if mappings is None or self._n_classes() == 1:
            predicted = self.predict(X)
            if sample_weight is None:
                return float(average_precision(labels, predicted))
            each = average_precision(labels, predicted, per_image=True)
            return float(np.average(each, weights=weight))
        kinds = {kind for mapping in mappings for kind in mapping.values()}
        unknown = sorted(kinds - set(self.classes_.tolist()), key=str)
        if unknown:
            raise ValueError(
                "Classes of objects must be those of the fit, "
                f"{self.classes_.tolist()}. Got {unknown} as well. Leave such objects "
                "out."
            )
        found = self.predict_instances(X)
        scores = []
        for wanted in self.classes_.tolist():
            pairs = zip(labels, mappings, strict=True)
            true = [only_class(image, kinds, wanted) for image, kinds in pairs]
            mine = [only_class(one.labels, one.classes(), wanted) for one in found]
            # An image without objects of a class says nothing of that class.
            each = average_precision(true, mine, empty=np.nan, per_image=True)
            known = ~np.isnan(each)
            if weight[known].any():
                scores.append(
                    np.average(np.asarray(each)[known], weights=weight[known])
                )
        return float(np.mean(scores)) if scores else 1.0
