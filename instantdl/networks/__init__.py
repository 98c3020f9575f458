"""Networks and losses: shapes in, `keras.Model` out.

Importing this package loads Keras and TensorFlow.
"""

from instantdl._compat import load_keras

load_keras()

from instantdl.networks._convolution import (  # noqa: E402
    NormalizedConvolution,
    NormalizedDepthwiseConvolution,
)
from instantdl.networks._dropout import (  # noqa: E402
    ChannelDropout,
    count_noise,
    dropout_noise,
    repeated_noise,
)
from instantdl.networks._efficientnet import build_efficientnet_lite  # noqa: E402
from instantdl.networks._imagenet import imagenet_weights  # noqa: E402
from instantdl.networks._instance_losses import (  # noqa: E402
    build_instance_loss,
    judge_instances,
)
from instantdl.networks._losses import LOSSES, build_loss  # noqa: E402
from instantdl.networks._mask_rcnn import (  # noqa: E402
    MOST_FOUND,
    Detections,
    Detector,
    build_mask_rcnn,
    choose_anchors,
)
from instantdl.networks._measure import measure_network  # noqa: E402
from instantdl.networks._regression_losses import (  # noqa: E402
    REGRESSION_LOSSES,
    build_regression_loss,
    judge_variance,
    split_variance,
)
from instantdl.networks._resnet import build_resnet  # noqa: E402
from instantdl.networks._split import split_at_dropout  # noqa: E402
from instantdl.networks._unet import (  # noqa: E402
    build_unet,
    unet_margin,
    unet_strides,
)

__all__ = [
    "LOSSES",
    "MOST_FOUND",
    "REGRESSION_LOSSES",
    "ChannelDropout",
    "Detections",
    "Detector",
    "NormalizedConvolution",
    "NormalizedDepthwiseConvolution",
    "build_efficientnet_lite",
    "build_instance_loss",
    "build_loss",
    "build_mask_rcnn",
    "build_regression_loss",
    "build_resnet",
    "build_unet",
    "choose_anchors",
    "count_noise",
    "dropout_noise",
    "imagenet_weights",
    "judge_instances",
    "judge_variance",
    "measure_network",
    "repeated_noise",
    "split_at_dropout",
    "split_variance",
    "unet_margin",
    "unet_strides",
]
