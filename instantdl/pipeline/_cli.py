"""The command ``instantdl``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from instantdl._version import __version__
from instantdl.exceptions import InstantDLError

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    help="Deep learning for biomedical images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; what the user can mend is said in one sentence."""
    try:
        app(prog_name="instantdl")
    except (InstantDLError, OSError, ValueError) as error:
        console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        console.print(f"instantdl: {error}")
        raise SystemExit(2) from error


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"instantdl {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Deep learning for biomedical images."""


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option(help="Folder for the results; new, empty or a former demo.")
    ] = Path("instantdl-demo"),
    time_limit: Annotated[float, typer.Option(help="Seconds to train.", min=1)] = 75,
    random_state: Annotated[int, typer.Option(help="Seed.", min=0)] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Train on stained tissue, test on a part not seen, and write the results."""
    # Loads Keras, which neither `--help` nor `--version` should wait for.
    from instantdl.pipeline import run_demo

    run_demo(
        output,
        time_limit=time_limit,
        verbose=0 if quiet else 1,
        random_state=random_state,
    )
