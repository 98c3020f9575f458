"""From a configuration to a trained model, results, metrics and a report."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from instantdl.estimators import load
from instantdl.exceptions import ImageError
from instantdl.pipeline._check import check_run
from instantdl.pipeline._config import RunConfig, load_config, resolve_paths
from instantdl.pipeline._environment import describe_environment
from instantdl.pipeline._evaluate import Evaluation, evaluate
from instantdl.pipeline._figures import write_figures
from instantdl.pipeline._files import write_json
from instantdl.pipeline._inspect import ProjectReport
from instantdl.pipeline._predictions import predict_images, read_predictions
from instantdl.pipeline._project import (
    ProjectPart,
    find_cuts,
    labels_are_text,
    load_part,
    map_images,
    resized_to,
)
from instantdl.pipeline._report import write_report
from instantdl.pipeline._run_folder import (
    RunFolder,
    mark_finished,
    new_folder,
    unfinished_folder,
)
from instantdl.pipeline._run_log import RunLog
from instantdl.pipeline._text import showable

__all__ = ["run_project"]


def run_project(
    config: RunConfig | str | os.PathLike[str] | dict[str, Any],
    *,
    resume: bool = False,
    verbose: int = 1,
) -> Path:
    """Train on a project's images, predict its test images and evaluate these.

    Parameters
    ----------
    config : RunConfig, path-like or dict
        What to do, see `RunConfig` and `load_config`.

    resume : bool, default=False
        Go on with the newest interrupted run that was told the same. What it has
        written is kept.

    verbose : int, default=1
        0 shows nothing.

    Returns
    -------
    Path
        Folder of the results: ``config.json``, ``environment.json``, ``check.json``,
        ``run.log``, ``training/``, ``model.instantdl``, ``results/``,
        ``evaluation/``, ``figures/``, ``report.html`` and, last of all,
        ``finished.json``.

    Raises
    ------
    FileNotFoundError
        If there is no such project, or no run to resume.
    ImageError
        If there is anything wrong with the images, or with the model that is given;
        the text tells all that is.

    Examples
    --------
    >>> from instantdl.pipeline import run_project
    >>> run_project("config.json")  # doctest: +SKIP
    PosixPath('data/runs/001')
    """
    notes: list[str] = []
    if isinstance(config, RunConfig):
        config = resolve_paths(config, Path())
    else:
        config = load_config(config, notes=notes)
    with RunLog(verbose=verbose) as screen:
        screen.say(f"Looking at the images in {config.path}.")
    checked = check_run(config)
    refuse_problems(config.path, checked.problems)
    folder = unfinished_folder(config) if resume else new_folder(config)
    with RunLog(folder.log, verbose=verbose) as log:
        for text in (*notes, *checked.warnings):
            log.warn(text)
        write_json(folder.check, checked.to_dict())
        write_json(folder.environment, describe_environment())
        with log.listening():
            _carry_out(config, checked, folder, log)
        mark_finished(folder)
        log.say(f"Done. Open {folder.report}")
    return folder.root


def refuse_problems(path: Path, problems: Sequence[str]) -> None:
    """Raise if anything is wrong with a project's images.

    Parameters
    ----------
    path : Path
        Of the project.

    problems : sequence of str
        What is wrong.

    Raises
    ------
    ImageError
        With all of it.
    """
    if problems:
        n = len(problems)
        listed = "".join(f"\n  {showable(problem)}" for problem in problems)
        raise ImageError(
            f"{path}: {n} {'thing' if n == 1 else 'things'} must be mended before a"
            f" run.{listed}"
        )


def _carry_out(
    config: RunConfig, checked: ProjectReport, folder: RunFolder, log: RunLog
) -> None:
    model = _train(config, checked, folder, log)
    if "test" not in checked.parts or not checked.parts["test"].n_images:
        log.warn("There are no test images; nothing is predicted or evaluated.")
        write_report(folder.root)
        return
    test = _load(config, checked, "test", model)
    log.say(f"Predicting {len(test.names)} images.")
    steps = predict_images(
        model,
        test.X,
        test.names,
        folder.results,
        n_draws=config.n_draws if config.uncertainty else 0,
        png=config.png,
        image_size=getattr(model, "resized_to_", None),
    )
    log.follow(steps, len(test.names), "Predicting")
    evaluation = _evaluate(config, model, test, folder, log)
    log.say("Drawing figures and writing the report.")
    write_figures(model, test, folder, evaluation)
    write_report(folder.root)


def _train(
    config: RunConfig, checked: ProjectReport, folder: RunFolder, log: RunLog
) -> Any:
    """Return the model: that of the run if it is there, else one that is fitted."""
    if folder.model.exists():
        return load(folder.model)
    if config.epochs == 0:
        model = load(str(config.pretrained))
    else:
        model = _fit(config, checked, folder, log)
    if (size := _dense_size(config)) is not None:
        model.resized_to_ = tuple(size)
    model.save(folder.model)
    return model


def _fit(
    config: RunConfig, checked: ProjectReport, folder: RunFolder, log: RunLog
) -> Any:
    train = _load(config, checked, "train", None)
    log.say(f"Training on {len(train.names)} images.")
    settings: dict[str, Any] = {}
    if config.task == "regression" and config.estimator.get("spatial_ndim") is None:
        # Where targets have channels, shapes alone leave it open.
        settings["spatial_ndim"] = checked.parts["train"].spatial_ndim
    model = config.build_estimator(
        log_dir=folder.training, verbose=int(not log.is_quiet), **settings
    )
    X, y = train.X, train.y
    if (size := _dense_size(config)) is not None:
        X, y = _resized(X, size), _resized(y, size, mask=config.task != "regression")
    with _interruptible():
        model.fit(X, y, groups=train.groups)
    # Paths are of this machine; the model must not depend on them.
    model.set_params(log_dir=None, pretrained=None, verbose=0)
    return model


def _evaluate(
    config: RunConfig, model: Any, test: ProjectPart, folder: RunFolder, log: RunLog
) -> Evaluation | None:
    if test.y is None or not config.evaluation:
        return None
    log.say("Comparing with the targets.")
    evaluation = evaluate_results(config, model, test, folder)
    for note in evaluation.notes:
        log.say(f"Note: {note}")
    return evaluation


def evaluate_results(
    config: RunConfig, model: Any, test: ProjectPart, folder: RunFolder
) -> Evaluation:
    """Compare the results that lie in a run's folder with the targets, and save that.

    Parameters
    ----------
    config : RunConfig
        What was run.

    model : estimator
        Whose results they are.

    test : ProjectPart
        Test images with targets.

    folder : RunFolder
        Holds the results, and gets the evaluation.

    Returns
    -------
    Evaluation
        What was found.
    """
    found = read_predictions(model, test.names, folder.results)
    evaluation = evaluate(
        config.task,
        test.y,
        found.y_pred,
        probability=found.probability,
        uncertainty=found.uncertainty,
        names=test.names,
        classes=getattr(model, "classes_", None),
        spatial_ndim=model.spatial_ndim_in_ if config.task == "regression" else None,
        random_state=config.random_state,
    )
    evaluation.save(folder.evaluation)
    return evaluation


def _load(
    config: RunConfig, checked: ProjectReport, part: str, model: Any
) -> ProjectPart:
    return load_part(
        config.path / part,
        config.task,
        n_channels=_n_channels(checked),
        cut=find_cuts(checked, config.n_classes).get(part),
        as_text=labels_are_text(model, checked),
    )


def _n_channels(checked: ProjectReport) -> int | None:
    """Return to how many channels grey images are repeated: some are in colour."""
    found = {n for part in checked.parts.values() for n in part.channels}
    return max(found) if found == {1, 3} else None


def _dense_size(config: RunConfig) -> list[int] | None:
    return None if config.task == "classification" else config.image_size


def _resized(images: Any, size: Sequence[int], *, mask: bool = False) -> Any:
    def change(image: Any) -> Any:
        return resized_to(image, size, rank=len(size), nearest=mask)

    return map_images(images, change)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the run: `fit` alone would keep what it has and go on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
