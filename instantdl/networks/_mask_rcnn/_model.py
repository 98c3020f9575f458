"""The layers of Mask R-CNN."""

from collections.abc import Sequence
from typing import Any

import keras

from instantdl.networks._convolution import NormalizedConvolution
from instantdl.networks._dropout import ChannelDropout
from instantdl.networks._resnet import resnet_stages

BOX_SIZE, MASK_SIZE = 7, 14
N_LEVELS = 4
_DEPTH_OF_MASKS = 4


def build_mask_rcnn(
    n_channels: int,
    n_classes: int,
    *,
    n_anchors: int = 3,
    depth: int = 50,
    filters: int = 64,
    first_stride: int = 4,
    dropout_rate: float = 0.2,
    dtype: str = "float32",
) -> keras.Model:
    """Build the layers of Mask R-CNN, for `Detector` to connect.

    Parameters
    ----------
    n_channels : int
        Of the images.

    n_classes : int
        Kinds of objects, without the background.

    n_anchors : int, default=3
        Anchors around each pixel of the pyramid.

    depth : {10, 18, 50}, default=50
        Layers of the residual network.

    filters : int, default=64
        Filters of its first stage. The pyramid and the heads have four times as many,
        with 10 or 18 layers twice as many.

    first_stride : {2, 4}, default=4
        Pixels of the image in one of the pyramid's finest level; the three others
        have twice as many each.

    dropout_rate : float, default=0.2
        Fraction of channels dropped in the heads, in training and in Monte Carlo
        prediction.

    dtype : str, default="float32"
        Keras' dtype policy, for example "mixed_bfloat16".

    Returns
    -------
    keras.Model
        Of three inputs that nothing connects: images `(n_samples, height, width,
        n_channels)`, of sides that are multiples of the coarsest stride; features in
        boxes `(n_boxes, 7, 7, width)`; features for masks `(n_boxes, 14, 14, width)`.
        Outputs: the four levels of the pyramid; for each level how likely each anchor
        holds an object `(n_samples, height, width, n_anchors)` and by which offsets
        it becomes its box `(..., 4 * n_anchors)`; for boxes `(n_boxes, n_classes +
        1)`, the background first, and `(n_boxes, 4)`; for masks `(n_boxes, 28, 28,
        n_classes)`. All without an activation, all but the pyramid float32.

    Notes
    -----
    The network of [1]_ with the feature pyramid of [2]_. Batch normalisation in
    pyramid and heads lets it learn from scratch.

    References
    ----------
    .. [1] He et al. "Mask R-CNN", ICCV 2017.
    .. [2] Lin et al. "Feature pyramid networks for object detection", CVPR 2017.

    Examples
    --------
    >>> from instantdl.networks import build_mask_rcnn
    >>> network = build_mask_rcnn(1, 1, depth=10, filters=2)
    >>> network.outputs[-1].shape
    (None, 28, 28, 1)
    """
    layer = _Layers(filters * (4 if depth == 50 else 2), dropout_rate, dtype)
    image = keras.Input((None, None, n_channels), dtype="float32", name="image")
    stages = resnet_stages(
        image, depth=depth, filters=filters, stem_stride=first_stride, dtype=dtype
    )
    pyramid = layer.pyramid(stages)
    scores, offsets = layer.proposals(pyramid, n_anchors)
    in_boxes, in_masks = (
        keras.Input((size, size, layer.width), dtype=pyramid[0].dtype, name=name)
        for size, name in ((BOX_SIZE, "in_boxes"), (MASK_SIZE, "in_masks"))
    )
    return keras.Model(
        [image, in_boxes, in_masks],
        [
            *pyramid,
            *scores,
            *offsets,
            *layer.boxes(in_boxes, n_classes),
            layer.masks(in_masks, n_classes),
        ],
        name="mask_rcnn",
    )


class _Layers:
    """The building steps for one width and one dtype policy."""

    def __init__(self, width: int, dropout_rate: float, dtype: str) -> None:
        self.width = width
        self.dropout_rate = dropout_rate
        self.dtype = dtype

    def convolve(self, x: Any, size: int, name: str, filters: int = 0) -> Any:
        return NormalizedConvolution(
            filters or self.width, size, dtype=self.dtype, name=name
        )(x)

    def dropout(self, x: Any) -> Any:
        return ChannelDropout(self.dropout_rate, dtype=self.dtype)(x)

    def output(self, kind: type, *arguments: Any, name: str) -> Any:
        """Make a layer that begins close to 0, so that all begins undecided."""
        small = keras.initializers.RandomNormal(stddev=0.01)
        return kind(*arguments, kernel_initializer=small, dtype="float32", name=name)

    def pyramid(self, stages: Sequence[Any]) -> list[Any]:
        """Give every level what the coarser ones know."""
        levels: list[Any] = []
        for number in reversed(range(N_LEVELS)):
            x = keras.layers.Conv2D(
                self.width, 1, use_bias=False, dtype=self.dtype, name=f"side{number}"
            )(stages[number])
            if levels:
                raised = keras.layers.UpSampling2D(dtype=self.dtype)(levels[-1])
                x = keras.layers.Add(dtype=self.dtype)([x, raised])
            levels.append(x)
        return [
            self.convolve(x, 3, f"level{number}")
            for number, x in enumerate(reversed(levels))
        ]

    def proposals(
        self, pyramid: Sequence[Any], n_anchors: int
    ) -> tuple[list[Any], list[Any]]:
        """Judge anchors, on all levels by the same weights."""
        # The levels have statistics of their own, so this one is not normalised.
        shared = keras.layers.Conv2D(
            self.width,
            3,
            padding="same",
            use_bias=False,
            activation="relu",
            dtype=self.dtype,
            name="proposal",
        )
        conv = keras.layers.Conv2D
        score = self.output(conv, n_anchors, 1, name="proposal_score")
        offset = self.output(conv, 4 * n_anchors, 1, name="proposal_offset")
        found = [shared(x) for x in pyramid]
        return [score(x) for x in found], [offset(x) for x in found]

    def boxes(self, x: Any, n_classes: int) -> list[Any]:
        """Tell what is in boxes, and where its borders are."""
        filters = 4 * self.width
        x = keras.layers.Reshape((1, 1, BOX_SIZE**2 * self.width), dtype=self.dtype)(x)
        for number in (1, 2):
            x = self.dropout(self.convolve(x, 1, f"box_dense{number}", filters))
        x = keras.layers.Reshape((filters,), dtype=self.dtype)(x)
        dense = keras.layers.Dense
        return [
            self.output(dense, n_classes + 1, name="box_class")(x),
            self.output(dense, 4, name="box_offset")(x),
        ]

    def masks(self, x: Any, n_classes: int) -> Any:
        """Tell which pixels of boxes belong to the object."""
        for number in range(1, _DEPTH_OF_MASKS + 1):
            x = self.convolve(x, 3, f"mask_conv{number}")
        x = self.dropout(x)
        # Four pixels from each, as by a transposed convolution with a kernel of 2 x 2.
        x = self.convolve(x, 1, "mask_raised", 4 * self.width)
        side = 2 * MASK_SIZE
        for layer in (
            keras.layers.Reshape(
                (MASK_SIZE, MASK_SIZE, 2, 2, self.width), dtype=self.dtype
            ),
            keras.layers.Permute((1, 3, 2, 4, 5), dtype=self.dtype),
            keras.layers.Reshape((side, side, self.width), dtype=self.dtype),
        ):
            x = layer(x)
        return self.output(keras.layers.Conv2D, n_classes, 1, name="mask")(x)
