"""Evaluate predictions of any task, with intervals and figures of uncertainty."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from instantdl.pipeline._evaluation._classification import evaluate_labels
from instantdl.pipeline._evaluation._files import match_bool_masks, read_folders
from instantdl.pipeline._evaluation._inputs import check_inputs, check_task, refuse
from instantdl.pipeline._evaluation._instances import evaluate_instances
from instantdl.pipeline._evaluation._regression import evaluate_values
from instantdl.pipeline._evaluation._result import Evaluation
from instantdl.pipeline._evaluation._semantic import evaluate_masks
from instantdl.pipeline._evaluation._tables import read_tables

__all__ = ["Evaluation", "evaluate", "evaluate_folders"]


def evaluate(
    task: str,
    y_true: Any,
    y_pred: Any,
    *,
    probability: Any = None,
    uncertainty: Any = None,
    names: Sequence[str] | None = None,
    classes: ArrayLike | None = None,
    spatial_ndim: int | None = None,
    random_state: Any = 0,
) -> Evaluation:
    """Evaluate predictions, for each image and overall.

    Images are read one after the other, so collections of files need the memory of
    one image, and of what is counted in each: with probabilities of pixels 32 kB for
    each class, or for two classes in all.

    Parameters
    ----------
    task : {"semantic_segmentation", "instance_segmentation", "regression", \
"classification"}
        What was predicted.

    y_true : array of shape (n_samples, *spatial) or (n_samples,), or sequence
        Truth of each image: mask, label image, image of real values, or label. Images
        of different sizes come as a list, object array or `ImageCollection`.

    y_pred : array of the same shape, or sequence
        Prediction of each image.

    probability : array, sequence or None, default=None
        For masks, of each pixel: ``(*spatial, n_classes)``, or ``(*spatial,)`` for
        the foreground, the larger of two classes. For classification
        ``(n_samples, n_classes)``.

    uncertainty : array, sequence or None, default=None
        Of each pixel, or for classification of each image, 0 or larger; for regression
        the standard deviation in the unit of `y_true`.

    names : sequence of str or None, default=None
        Names of the images. None takes those of the files of a collection, else
        numbers.

    classes : array-like of shape (n_classes,) or None, default=None
        For masks and classification all classes, in the order of the probabilities.
        None takes those found, sorted; masks are then read once more. Other tasks do
        not look at it.

    spatial_ndim : {2, 3} or None, default=None
        For regression the number of spatial axes. None takes a fourth axis, and a third
        one of up to four entries, for channels. Only the structural similarity asks.

    random_state : int, Generator or None, default=0
        Seed of the draws of images for the intervals.

    Returns
    -------
    Evaluation
        Tables of measures, with notes on what is undefined.

    Raises
    ------
    ValueError
        If numbers of images or shapes differ, a class is unknown, a value is not
        finite, or something was given that the task does not look at.

    TypeError
        If something is no sequence, or holds no numbers where they are needed.

    See Also
    --------
    evaluate_folders : The same for files.
    instantdl.metrics : The measures.

    Notes
    -----
    What the measures are, by task:

    - semantic segmentation: "accuracy", "jaccard", "dice", "sensitivity",
      "specificity" and "roc_auc", over all pixels of all images: of the foreground
      with two classes, of more the mean over classes: for "jaccard" and "dice" those in
      truth or prediction, for "sensitivity" and "roc_auc" those in the truth. The area
      under the ROC is that of 4096 bins of the probability, equal steps of its
      log-odds, and exact but for pixels that share one.
    - instance segmentation: "average_precision" (mean over the thresholds 0.50 to 0.95,
      as in the Data Science Bowl 2018), "average_precision_50",
      "average_precision_75", "f1" and "panoptic_quality" at 0.5,
      "aggregated_jaccard", "aggregated_jaccard_plus": means over images. "n_true",
      "n_predicted" and "n_found" are numbers of objects of all images.
    - regression: "mean_absolute_error", "mean_relative_error", "r2", "pearson" and
      "psnr" over all pixels of all images; "ssim" is the mean over images.
    - classification: "accuracy", "balanced_accuracy", "f1" and "jaccard" (means over
      classes), "mean_absolute_error" and "mean_squared_error" of labels that are
      numbers, "roc_auc" of each class against the rest.

    Names that end in "_per_image" are means of the values of single images, those for
    which they are undefined left out. So "pearson_per_image" is the score of
    :class:`~instantdl.PixelRegressor`, and "jaccard" that of
    :class:`~instantdl.SemanticSegmenter`.

    Calibration is that of the probability of the second of two classes (of masks, of
    the foreground), with more classes that of the most probable one.

    Uncertainty should be high where predictions are wrong: where a class is wrong, an
    object and background are confused, or the absolute error is above its 90 %
    quantile. Ranks of pixels come from bins a thousandth of their value wide.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._evaluate import evaluate
    >>> rng = np.random.default_rng(0)
    >>> y_true = rng.random((12, 16, 16)) < 0.5
    >>> y_pred = y_true ^ (rng.random(y_true.shape) < 0.1)
    >>> evaluation = evaluate("semantic_segmentation", y_true, y_pred)
    >>> evaluation.metrics.loc["jaccard", ["value", "low", "high"]].round(2).tolist()
    [0.81, 0.8, 0.82]
    """
    check_task(task)
    if task in ("instance_segmentation", "regression"):
        refuse(probability, "probability", task)
    if task != "regression":
        refuse(spatial_ndim, "spatial_ndim", task)
    elif spatial_ndim not in (None, 2, 3):
        raise ValueError(f"`spatial_ndim` must be 2, 3 or None. Got {spatial_ndim!r}.")
    inputs = check_inputs(y_true, y_pred, probability, uncertainty, names)
    if task == "semantic_segmentation":
        return evaluate_masks(inputs, classes, random_state)
    if task == "instance_segmentation":
        return evaluate_instances(inputs, random_state)
    if task == "regression":
        return evaluate_values(inputs, spatial_ndim, random_state)
    return evaluate_labels(inputs, classes, random_state)


def evaluate_folders(
    task: str,
    truth: str | os.PathLike[str],
    predicted: str | os.PathLike[str],
    *,
    probability: str | os.PathLike[str] | None = None,
    uncertainty: str | os.PathLike[str] | None = None,
    classes: ArrayLike | None = None,
    spatial_ndim: int | None = None,
    random_state: Any = 0,
) -> Evaluation:
    """Evaluate predictions that lie in files.

    Parameters
    ----------
    task : {"semantic_segmentation", "instance_segmentation", "regression", \
"classification"}
        What was predicted.

    truth : path-like
        Folder of true masks, label images or images. For classification a csv file
        with the columns "filename" and "groundtruth".

    predicted : path-like
        Folder of predictions; files that belong together have the same name, their
        endings may differ. Of several files of one name the TIFF file counts. For
        classification a csv file with the columns "filename" and "prediction"; it may
        have "uncertainty", and "probability basophil" and so on for each class.

    probability : path-like or None, default=None
        Folder of probabilities, with channels for classes; or a csv file that has them
        instead of `predicted`.

    uncertainty : path-like or None, default=None
        Folder of uncertainties; or a csv file that has them.

    classes : array-like of shape (n_classes,) or None, default=None
        All classes, in the order of the probabilities. None takes those found, or
        those of the columns of the csv file.

    spatial_ndim : {2, 3} or None, default=None
        As for `evaluate`.

    random_state : int, Generator or None, default=0
        Seed of the draws of images for the intervals.

    Returns
    -------
    Evaluation
        Images are named after their files in `truth`.

    Raises
    ------
    FileNotFoundError
        If a folder or file is not there.
    ImageError
        If files or rows have no partner, or a csv file is not as it must be; all
        problems are told at once.
    ValueError
        As for `evaluate`.

    See Also
    --------
    evaluate : What is measured.

    Notes
    -----
    Masks of bool, such as TIFF files of one bit, take the values of those that they are
    compared with, where these are two: say 0 and 255.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import write_image
    >>> from instantdl.pipeline._evaluate import evaluate_folders
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part, n in [("truth", 4), ("predicted", 3)]:
    ...         Path(folder, part).mkdir()
    ...         mask = np.arange(8) < n
    ...         write_image(Path(folder, part, "a.png"), np.tile(mask, (8, 1)))
    ...     found = evaluate_folders(
    ...         "semantic_segmentation", f"{folder}/truth", f"{folder}/predicted"
    ...     )
    >>> float(found.per_image.loc["a.png", "jaccard"])
    0.75
    """
    check_task(task)
    given = {
        "truth": truth,
        "predicted": predicted,
        "probability": probability,
        "uncertainty": uncertainty,
    }
    paths = {part: Path(path) for part, path in given.items() if path is not None}
    if task == "classification":
        found = read_tables(paths, classes)
    else:
        is_mask = task in ("semantic_segmentation", "instance_segmentation")
        found = read_folders(paths, is_mask=is_mask)
        if task == "semantic_segmentation":
            found = match_bool_masks(found)
    return evaluate(
        task,
        found.y_true,
        found.y_pred,
        probability=found.probability,
        uncertainty=found.uncertainty,
        names=found.names,
        classes=classes if found.classes is None else found.classes,
        spatial_ndim=spatial_ndim,
        random_state=random_state,
    )
