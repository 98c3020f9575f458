import subprocess
import sys

import pytest
from typer.testing import CliRunner

import instantdl
from instantdl.exceptions import ImageError
from instantdl.pipeline import _cli

runner = CliRunner()


def test_version_is_shown():
    result = runner.invoke(_cli.app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout == f"instantdl {instantdl.__version__}\n"


def test_help_names_the_demo():
    result = runner.invoke(_cli.app, ["--help"])
    assert result.exit_code == 0
    assert "demo" in result.stdout


def test_unknown_command_ends_with_2():
    assert runner.invoke(_cli.app, ["dmeo"]).exit_code == 2


def test_version_does_not_wait_for_keras():
    code = (
        "import sys\n"
        "from instantdl.pipeline import _cli\n"
        "sys.exit(str([m for m in ('keras', 'tensorflow') if m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        cwd=instantdl.__path__[0] + "/..",
        text=True,
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    "error",
    [
        ImageError("Got 0 images."),
        FileNotFoundError("no [bold] file"),
        ImportError("NIfTI files need nibabel."),
    ],
)
def test_errors_of_the_user_are_one_sentence_and_end_with_2(monkeypatch, capsys, error):
    def fail(**_):
        raise error

    monkeypatch.setattr(_cli, "app", fail)
    with pytest.raises(SystemExit) as stopped:
        _cli.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"instantdl: {error}\n"


@pytest.mark.parametrize(
    ("task", "given", "classes"),
    [
        ("semantic_segmentation", [], None),
        ("semantic_segmentation", ["0, 7"], [0, 7]),
        ("semantic_segmentation", ["0", "7"], [0, 7]),
        ("classification", ["01, neg"], ["01", "neg"]),
        ("classification", ["a, b", "c"], ["a, b", "c"]),
    ],
)
def test_classes_are_given_with_commas_or_one_by_one(task, given, classes):
    assert _cli._parse_classes(task, given) == classes


def test_other_errors_keep_their_traceback(monkeypatch):
    def fail(**_):
        raise ZeroDivisionError

    monkeypatch.setattr(_cli, "app", fail)
    with pytest.raises(ZeroDivisionError):
        _cli.main()
