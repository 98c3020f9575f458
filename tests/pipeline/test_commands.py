"""The commands that stand on the pipeline, as a user types them."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import instantdl
from instantdl.io import read_image
from instantdl.pipeline import _cli, load_config, run_project

runner = CliRunner()


def call(*arguments):
    """Call the command in this process; return its exit code and what it printed."""
    result = runner.invoke(_cli.app, [str(argument) for argument in arguments])
    return result


def refuse(capsys, monkeypatch, *arguments):
    """Call the command as a script does; return the sentence that it ends with."""
    monkeypatch.setattr(sys, "argv", ["instantdl", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        _cli.main()
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a finished run, and its test images."""
    from tests.pipeline.conftest import TINY, write_part

    root = tmp_path_factory.mktemp("finished") / "project"
    task = "semantic_segmentation"
    write_part(root / "train", task, 6, 0)
    write_part(root / "test", task, 2, 1)
    told = {
        "task": task,
        "path": str(root),
        "epochs": 1,
        "n_draws": 2,
        "estimator": {**TINY, "levels": 1},
    }
    return run_project(told, verbose=0)


def test_init_finds_the_task_and_writes_what_run_takes(make_project, tmp_path):
    root = load_config(make_project("regression")).path
    config = tmp_path / "new.json"
    result = call("init", root, "--config", config)
    assert result.exit_code == 0
    assert "regression: the targets hold real numbers" in result.stdout
    assert load_config(config).path == root


@pytest.mark.parametrize(
    "task",
    ["semantic_segmentation", "instance_segmentation", "regression", "classification"],
)
def test_init_tells_the_tasks_apart(make_project, tmp_path, task):
    root = load_config(make_project(task)).path
    call("init", root, "--config", tmp_path / "new.json")
    assert load_config(tmp_path / "new.json").task == task


def test_init_overwrites_nothing(make_project, tmp_path, capsys, monkeypatch):
    config = make_project("regression")
    before = config.read_bytes()
    root = load_config(config).path
    said = refuse(capsys, monkeypatch, "init", root, "--config", config)
    assert "must be a new file" in said
    assert config.read_bytes() == before


def test_check_tells_what_there_is(make_project):
    result = call("check", make_project("semantic_segmentation"))
    assert result.exit_code == 0
    assert "train: 6 images, 6 with target" in result.stdout
    assert "test: 3 images, 3 with target" in result.stdout


def test_check_ends_with_2_if_something_is_wrong(make_project):
    config = make_project("semantic_segmentation")
    (load_config(config).path / "train" / "groundtruth" / "0.tif").unlink()
    result = call("check", config)
    assert result.exit_code == 2
    assert "0.tif" in result.stdout
    found = json.loads(call("check", config, "--json").stdout)
    assert len(found["problems"]) == 1


def test_check_tells_what_becomes_of_a_configuration_of_1x(make_project):
    config = make_project("semantic_segmentation")
    old = {"use_algorithm": "SemanticSegmentation", "batchsize": 2}
    old |= {"loss_function": "mse", "pretrained_weights": "old.hdf5"}
    old["path"] = str(load_config(config).path)
    config.write_text(json.dumps(old))
    result = call("check", config)
    assert result.exit_code == 0
    found = json.loads(call("check", config, "--json").stdout)
    assert len(found["notes"]) == 2
    shown = " ".join(result.stdout.split())
    assert all(" ".join(note.split()) in shown for note in found["notes"])


def test_run_prints_json_for_programs(make_project):
    result = call("run", make_project("regression", epochs=1), "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["folder"].endswith("001")
    assert found["evaluation"]["task"] == "regression"


def test_run_says_what_it_does(make_project):
    result = call("run", make_project("regression", epochs=1))
    assert result.exit_code == 0
    for text in (
        "Looking at the images",
        "Training on 6",
        "Predicting 3",
        "Done. Open",
    ):
        assert text in result.stdout


def test_predict_takes_files_folders_and_patterns(finished, tmp_path):
    images = finished.parents[1] / "test" / "image"
    model = finished / "model.instantdl"
    for number, given in enumerate(
        ([images / "0.tif", images / "1.tif"], [images], [images / "*.tif"])
    ):
        output = tmp_path / str(number)
        result = call("predict", model, *given, "--output", output, "--n-draws", 0)
        assert result.exit_code == 0
        assert "2 images" in result.stdout
        for name in ("0.tif", "1.tif"):
            np.testing.assert_array_equal(
                read_image(output / "predictions" / name),
                read_image(finished / "results" / "predictions" / name),
            )
        assert not (output / "uncertainty").exists()


def test_predict_refuses_what_is_not_there(finished, tmp_path, capsys, monkeypatch):
    model = finished / "model.instantdl"
    said = refuse(capsys, monkeypatch, "predict", model, tmp_path / "*.tif")
    assert "must be an image, a folder of images or a pattern" in said
    images = finished.parents[1] / "test" / "image"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    said = refuse(
        capsys, monkeypatch, "predict", model, images, "--output", tmp_path / "full"
    )
    assert "must be new or empty" in said


def test_evaluate_compares_folders(finished, tmp_path):
    truth = finished.parents[1] / "test" / "groundtruth"
    results = finished / "results"
    result = call(
        "evaluate",
        "semantic_segmentation",
        truth,
        results / "predictions",
        "--probability",
        results / "probability",
        "--output",
        tmp_path / "metrics",
        "--json",
    )
    assert result.exit_code == 0
    found = json.loads(result.stdout)["metrics"]["jaccard"]["value"]
    in_run = json.loads((finished / "evaluation" / "metrics.json").read_text("utf-8"))
    assert found == in_run["metrics"]["jaccard"]["value"]
    assert (tmp_path / "metrics" / "metrics.csv").exists()


def test_evaluate_takes_masks_of_bool_beside_those_of_a_run(finished, tmp_path):
    truth = finished.parents[1] / "test" / "groundtruth"
    (tmp_path / "truth").mkdir()
    for path in truth.iterdir():
        np.save(tmp_path / "truth" / f"{path.stem}.npy", read_image(path) > 0)
    predicted = finished / "results" / "predictions"
    found = [
        call("evaluate", "semantic_segmentation", folder, predicted, "--json")
        for folder in (tmp_path / "truth", truth)
    ]
    metrics = [json.loads(result.stdout)["metrics"] for result in found]
    assert metrics[0] == metrics[1]


def test_evaluate_takes_classes_that_no_mask_has(tmp_path):
    rng = np.random.default_rng(0)
    for part in ("truth", "predicted", "probability"):
        (tmp_path / part).mkdir()
    for number in range(3):
        mask, proba = rng.integers(0, 2, (6, 7)), rng.dirichlet(np.ones(3), (6, 7))
        np.save(tmp_path / "truth" / f"{number}.npy", mask)
        np.save(tmp_path / "predicted" / f"{number}.npy", mask)
        np.save(tmp_path / "probability" / f"{number}.npy", proba)
    given = ["semantic_segmentation", tmp_path / "truth", tmp_path / "predicted"]
    given += ["--probability", tmp_path / "probability", "--classes", "0,1,2", "--json"]
    result = call("evaluate", *given)
    assert result.exit_code == 0
    assert list(json.loads(result.stdout)["per_class"]) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("task", "option", "value", "message"),
    [
        ("semantic_segmentation", "--classes", "0,cell", "numbers. Got 0, cell."),
        ("regression", "--spatial-ndim", 4, "must be 2, 3 or None. Got 4."),
    ],
)
def test_evaluate_refuses_options_that_are_none(
    finished, capsys, monkeypatch, task, option, value, message
):
    truth = finished.parents[1] / "test" / "groundtruth"
    given = ("evaluate", task, truth, truth, option, value)
    assert message in refuse(capsys, monkeypatch, *given)


def test_report_is_written_anew(finished):
    before = (finished / "report.html").read_bytes()
    (finished / "report.html").unlink()
    assert call("report", finished).exit_code == 0
    assert (finished / "report.html").read_bytes() == before


def test_report_needs_the_folder_of_a_run(tmp_path, capsys, monkeypatch):
    assert "must be the folder of a run" in refuse(
        capsys, monkeypatch, "report", tmp_path
    )


def test_info_tells_what_a_model_is(finished):
    model = finished / "model.instantdl"
    found = json.loads(call("info", model, "--json").stdout)
    assert found["estimator"] == "SemanticSegmenter"
    assert found["classes"] == [0, 255]
    assert found["resized_to"] is None
    assert found["parameters"]["filters"] == 2
    assert "SemanticSegmenter" in call("info", model).stdout


def test_schema_is_json():
    found = json.loads(call("schema").stdout)
    assert found["required"] == ["task", "path"]
    assert found["description"] == "What a run is told."
    allowed = found["properties"]["augmentation"]["anyOf"]
    assert {"type": "boolean"} in allowed


def test_errors_of_configurations_end_with_2(tmp_path, capsys, monkeypatch):
    config = tmp_path / "config.json"
    config.write_text('{"task": "regression", "path": ".", "epoch": 3}')
    said = refuse(capsys, monkeypatch, "run", config)
    assert "Did you mean epochs?" in said
    assert "Traceback" not in said


CODE = """
import sys
from instantdl.pipeline import _cli
sys.argv = ["instantdl", "run", *sys.argv[1:]]
_cli.main()
"""


def start(config, *options):
    return subprocess.Popen(
        [sys.executable, "-c", CODE, str(config), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=instantdl.__path__[0] + "/..",
    )


def wait_for(process, path, pattern, seconds=120):
    """Wait until a file of this pattern is there, or the process has ended."""
    latest = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < latest:
        if any(path.glob(pattern)):
            return
        time.sleep(0.005)
    raise AssertionError(f"{pattern} did not appear: {process.communicate()[0]}")


def end(process):
    """Wait until a process has ended well."""
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        "runs/001/training/checkpoint.npz",
        "runs/001/results/uncertainty/0.tif",
        "runs/001/figures/*.png",
    ],
)
def test_a_killed_run_goes_on_to_the_same_end(make_project, moment):
    from tests.pipeline.test_run import files

    config = make_project("semantic_segmentation", epochs=4)
    root = load_config(config).path
    process = start(config, "--quiet")
    wait_for(process, root, moment)
    process.kill()
    process.communicate()
    folder = root / "runs" / "001"
    assert not (folder / "report.html").exists()
    end(start(config, "--resume", "--quiet"))
    whole = run_project(config, verbose=0)
    assert whole.name == "002"
    assert files(folder) == files(whole)
    left = [path for path in folder.rglob("*") if path.name.endswith(".part")]
    assert left == []
    weights = [instantdl.load(one / "model.instantdl") for one in (folder, whole)]
    for mine, theirs in zip(weights[0]._weights, weights[1]._weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
def test_ctrl_c_stops_and_resume_goes_on(make_project):
    config = make_project("regression", epochs=50)
    root = load_config(config).path
    process = start(config)
    wait_for(process, root, "runs/001/training/checkpoint.npz")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "`instantdl run --resume` goes on" in said
    assert "Traceback" not in said
    assert not (root / "runs" / "001" / "model.instantdl").exists()
    end(start(config, "--resume"))
    assert (root / "runs" / "001" / "report.html").exists()
