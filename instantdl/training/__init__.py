"""One network and arrays: fit it, run it. Importing this loads TensorFlow."""

from instantdl._compat import load_keras

load_keras()

from instantdl.training._batches import (  # noqa: E402
    Batch,
    LabelledImages,
    PatchSource,
    TrainingBatches,
    validation_batches,
)
from instantdl.training._checkpoint import Checkpoint  # noqa: E402
from instantdl.training._detection import (  # noqa: E402
    CompiledDetector,
    DetectorSpec,
    Found,
    detect_parts,
)
from instantdl.training._fit import (  # noqa: E402
    EpochListener,
    FitSettings,
    FitState,
    fit_network,
)
from instantdl.training._logs import Logs  # noqa: E402
from instantdl.training._network import (  # noqa: E402
    CompiledNetwork,
    NetworkSpec,
    borrow_network,
)
from instantdl.training._optimizers import build_optimizer  # noqa: E402
from instantdl.training._outputs import (  # noqa: E402
    class_probabilities,
    class_summary,
    class_votes,
    instance_maps,
    instance_summary,
    real_values,
    value_moments,
    value_moments_and_variances,
    values_and_variances,
)
from instantdl.training._precision import (  # noqa: E402
    choose_precision,
    has_fast_bfloat16,
)
from instantdl.training._predict import (  # noqa: E402
    Part,
    Tile,
    Tiling,
    draw_images,
    draw_parts,
    predict_images,
    predict_parts,
)
from instantdl.training._split import split_validation  # noqa: E402

__all__ = [
    "Batch",
    "Checkpoint",
    "CompiledDetector",
    "CompiledNetwork",
    "DetectorSpec",
    "EpochListener",
    "FitSettings",
    "FitState",
    "Found",
    "LabelledImages",
    "Logs",
    "NetworkSpec",
    "Part",
    "PatchSource",
    "Tile",
    "Tiling",
    "TrainingBatches",
    "borrow_network",
    "build_optimizer",
    "choose_precision",
    "class_probabilities",
    "class_summary",
    "class_votes",
    "detect_parts",
    "draw_images",
    "draw_parts",
    "fit_network",
    "has_fast_bfloat16",
    "instance_maps",
    "instance_summary",
    "predict_images",
    "predict_parts",
    "real_values",
    "split_validation",
    "validation_batches",
    "value_moments",
    "value_moments_and_variances",
    "values_and_variances",
]
