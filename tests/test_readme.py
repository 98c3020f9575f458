"""What the README shows must run."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example_is_python(number):
    compile(EXAMPLES[number], f"README example {number}", "exec")


@pytest.mark.slow
def test_first_example_runs(tmp_path, capsys):
    exec(EXAMPLES[0].replace("time_limit=60", "time_limit=3"), {})
    assert (tmp_path / "nuclei.instantdl").is_file()
    assert "[" in capsys.readouterr().out


@pytest.mark.slow
def test_the_example_of_objects_runs(tmp_path, capsys):
    example = next(text for text in EXAMPLES if "InstanceSegmenter" in text)
    exec(example.replace("time_limit=60", "time_limit=3"), {})
    assert (tmp_path / "first.geojson").is_file()
    assert "existence" in capsys.readouterr().out


@pytest.mark.slow
def test_the_example_of_values_runs(capsys):
    example = next(text for text in EXAMPLES if "PixelRegressor" in text)
    found = {}
    exec(example.replace("time_limit=60", "time_limit=3"), found)
    assert found["error"].shape == found["y"][found["test"]].shape
    assert "(8, 128, 128)" in capsys.readouterr().out


def test_commands_stand_alone_on_one_line():
    commands = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    assert len(commands) == 2
    for command in commands:
        assert command.count("\n") == 1
        assert command.startswith("python3 -m venv .venv && ")


@pytest.mark.parametrize("page", ["README.md", "docs/install.md"])
def test_the_environment_is_activated_before_a_command_that_lies_in_it(page):
    text = (ROOT / page).read_text("utf-8")
    begun = re.finditer(
        r"^```(?:bash|console)\n(?:\$ )?(?:instantdl|python) ", text, re.M
    )
    starts = [found.start() for found in begun]
    assert starts
    assert text.index("source .venv/bin/activate") < min(starts)
