"""The command ``instantdl``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from instantdl._version import __version__
from instantdl.exceptions import InstantDLError
from instantdl.pipeline._text import showable

__all__ = ["app", "main"]

# Commands load what they need themselves: Keras, which neither `--help` nor
# `--version` should wait for, and all that stands on it.
app = typer.Typer(
    add_completion=False,
    help="Deep learning for biomedical images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path, typer.Argument(help="Configuration, JSON or YAML.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
_verbose = {"on": False}


def main() -> None:
    """Run the command line; what the user can mend is said in one sentence.

    That may be an ImportError: it names the package that files of a kind need.
    """
    try:
        app(prog_name="instantdl")
    except (InstantDLError, ImportError, OSError, ValueError) as error:
        if _verbose["on"]:
            raise
        _say(str(error))
        raise SystemExit(2) from error


def _say(text: str) -> None:
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    console.print(f"instantdl: {showable(text, lines=True)}")


def _echo(text: object) -> None:
    typer.echo(showable(str(text), lines=True))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"instantdl {__version__}")
        raise typer.Exit


def _print_json(content: Any) -> None:
    from instantdl.pipeline._files import plain

    text = json.dumps(plain(content), indent=2, ensure_ascii=False)
    # Names of files may hold bytes that are no text; JSON has the same escapes.
    typer.echo(text.encode("utf-8", "backslashreplace").decode())


def _parse_classes(task: str, given: list[str]) -> list[str] | list[int] | None:
    """Return classes as csv files have them, or the numbers that masks hold."""
    # Names with a comma can be given one by one.
    texts = given[0].split(",") if len(given) == 1 else given
    if not texts or task == "classification":
        return [text.strip() for text in texts] or None
    try:
        return [int(text) for text in texts]
    except ValueError:
        raise ValueError(
            f"`--classes` of masks must be whole numbers. Got {', '.join(texts)}."
        ) from None


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version."
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show where in the code errors arise.")
    ] = False,
) -> None:
    """Deep learning for biomedical images."""
    _verbose["on"] = verbose


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Project folder with train/.")],
    task: Annotated[
        str | None, typer.Option(help="What to learn; found out where it is clear.")
    ] = None,
    config: Annotated[Path, typer.Option(help="File to write.")] = Path("config.json"),
) -> None:
    """Look at a project's folders and write a configuration for it."""
    from instantdl.pipeline._init import write_config

    _echo(write_config(path, config, task=task))


@app.command()
def check(config: Config, as_json: AsJson = False) -> None:
    """Tell what the images look like, and everything that is wrong with them."""
    from instantdl.pipeline._check import check_run
    from instantdl.pipeline._config import load_config
    from instantdl.pipeline._inspect_report import describe

    notes: list[str] = []
    report = check_run(load_config(config, notes=notes))
    if as_json:
        _print_json({**report.to_dict(), "notes": notes})
    else:
        _echo("\n\n".join([describe(report), *notes]))
    if report.problems:
        raise typer.Exit(2)


@app.command()
def run(
    config: Config,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train, predict the test images, evaluate, and write a report."""
    from instantdl.pipeline._run import run_project

    try:
        folder = run_project(
            config, resume=resume, verbose=0 if quiet or as_json else 1
        )
    except KeyboardInterrupt:
        _say("Stopped. What was written is kept; `instantdl run --resume` goes on.")
        raise typer.Exit(130) from None
    if as_json:
        metrics = folder / "evaluation" / "metrics.json"
        found = json.loads(metrics.read_text("utf-8")) if metrics.exists() else None
        _print_json({"folder": folder, "evaluation": found})


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A saved model.")],
    images: Annotated[
        list[str], typer.Argument(help="Files, folders or patterns such as '*.tif'.")
    ],
    output: Annotated[
        Path, typer.Option(help="Folder for the results; new or empty.")
    ] = Path("predictions"),
    n_draws: Annotated[
        int, typer.Option(help="Draws for the uncertainty; 0 for none.", min=0)
    ] = 20,
    png: Annotated[
        bool, typer.Option("--png", help="Write masks as PNG, too.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Predict new images with a saved model."""
    from instantdl.pipeline._predict import predict_files

    predict_files(
        model, images, output, n_draws=n_draws, png=png, verbose=0 if quiet else 1
    )


@app.command()
def evaluate(
    task: Annotated[str, typer.Argument(help="semantic_segmentation, ...")],
    truth: Annotated[Path, typer.Argument(help="Folder of targets, or csv.")],
    predicted: Annotated[Path, typer.Argument(help="Folder of results, or csv.")],
    probability: Annotated[
        Path | None, typer.Option(help="Folder of probabilities.")
    ] = None,
    uncertainty: Annotated[
        Path | None, typer.Option(help="Folder of uncertainties.")
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            help="All classes, as in 0,1,2; else those found. May be given repeatedly."
        ),
    ] = None,
    spatial_ndim: Annotated[
        int | None, typer.Option(help="Spatial axes of real-valued images: 2 or 3.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the metrics; printed only if none.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare results with their targets."""
    from instantdl.pipeline._evaluate import evaluate_folders

    found = evaluate_folders(
        task,
        truth,
        predicted,
        probability=probability,
        uncertainty=uncertainty,
        classes=_parse_classes(task, classes or []),
        spatial_ndim=spatial_ndim,
    )
    if output is not None:
        found.save(output)
    if as_json:
        _print_json(found.to_dict())
    else:
        _echo(found.metrics.round(4).to_string())
        for note in found.notes:
            _echo(note)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
) -> None:
    """Write a run's report anew."""
    from instantdl.pipeline._report import write_report

    _echo(write_report(folder))


@app.command()
def info(
    model: Annotated[Path, typer.Argument(help="A saved model.")],
    as_json: AsJson = False,
) -> None:
    """Tell what a saved model is and was trained with."""
    from instantdl.pipeline._info import describe_model

    found = describe_model(model)
    if as_json:
        _print_json(found)
        return
    for name, value in found.items():
        _echo(f"{name}: {value}")


@app.command()
def schema() -> None:
    """Print the JSON schema of configurations."""
    from instantdl.pipeline._config import RunConfig

    typer.echo(json.dumps(RunConfig.model_json_schema(), indent=2))


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option(help="Folder for the results; new, empty or a former demo.")
    ] = Path("instantdl-demo"),
    time_limit: Annotated[float, typer.Option(help="Seconds to train.", min=1)] = 75,
    random_state: Annotated[int, typer.Option(help="Seed.", min=0)] = 0,
    quiet: Quiet = False,
) -> None:
    """Train on stained tissue, test on a part not seen, and write the results."""
    from instantdl.pipeline import run_demo

    run_demo(
        output,
        time_limit=time_limit,
        verbose=0 if quiet else 1,
        random_state=random_state,
    )
