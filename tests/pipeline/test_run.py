import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

import instantdl
from instantdl.exceptions import ImageError
from instantdl.io import read_image, write_image
from instantdl.pipeline import (
    RunConfig,
    _run,
    load_config,
    predict_files,
    run_project,
    write_report,
)
from instantdl.pipeline._config import ESTIMATORS
from instantdl.pipeline._info import describe_model

EVERY = {
    "config.json",
    "environment.json",
    "check.json",
    "run.log",
    "training",
    "model.instantdl",
    "results",
    "evaluation",
    "figures",
    "report.html",
    "finished.json",
}
RESULTS = {
    "semantic_segmentation": {"predictions", "probability", "uncertainty"},
    "instance_segmentation": {"predictions", "objects", "uncertainty"},
    "regression": {"predictions", "uncertainty"},
    "classification": {"predictions.csv"},
}


def names(folder):
    return {path.name for path in folder.iterdir()}


def files(folder):
    """Return what is in the files that must not depend on when they were written."""
    inside = ("results", "evaluation", "figures", "check.json")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for part in inside
        for path in sorted((folder / part).rglob("*"), key=str) or [folder / part]
        if path.is_file()
    }


@pytest.mark.parametrize("task", ESTIMATORS)
def test_a_run_goes_from_folders_to_a_report(make_project, task):
    config = make_project(task)
    folder = run_project(config, verbose=0)
    told = load_config(config)
    assert folder == told.path / "runs" / "001"
    assert names(folder) == EVERY
    assert names(folder / "results") == RESULTS[task]
    assert load_config(folder / "config.json") == told
    model = instantdl.load(folder / "model.instantdl")
    assert type(model) is ESTIMATORS[task]
    assert (model.log_dir, model.verbose) == (None, 0)
    metrics = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))
    assert metrics["task"] == task
    assert metrics["metrics"][metrics["main_metric"]]["n"] == 3
    page = (folder / "report.html").read_text("utf-8")
    assert metrics["main_metric"] in page
    assert page.count("<img ") >= 4
    assert "Done." in (folder / "run.log").read_text("utf-8")


def test_results_are_what_the_model_predicts(make_project):
    folder = run_project(make_project("semantic_segmentation", png=True), verbose=0)
    model = instantdl.load(folder / "model.instantdl")
    assert model.classes_.tolist() == [0, 255]
    image = read_image(folder.parents[1] / "test" / "image" / "1.tif")
    results = folder / "results"
    mask = read_image(results / "predictions" / "1.tif")
    np.testing.assert_array_equal(mask, model.predict([image])[0])
    np.testing.assert_array_equal(mask, read_image(results / "predictions" / "1.png"))
    probability = read_image(results / "probability" / "1.tif")
    np.testing.assert_array_equal(probability, model.predict_proba([image])[0][..., 1])
    uncertainty = read_image(results / "uncertainty" / "1.tif")
    expected = model.predict_uncertainty([image], n_draws=2)[0]
    np.testing.assert_array_equal(uncertainty, expected)


def test_values_of_a_regression_keep_their_unit(make_project):
    folder = run_project(make_project("regression", uncertainty=False), verbose=0)
    assert names(folder / "results") == {"predictions"}
    found = read_image(folder / "results" / "predictions" / "0.tif")
    assert found.dtype == np.float32
    truth = read_image(folder.parents[1] / "test" / "groundtruth" / "0.tif")
    assert truth.min() > 5
    assert found.mean() > 5


def test_a_table_of_classes(make_project):
    folder = run_project(make_project("classification"), verbose=0)
    table = pd.read_csv(folder / "results" / "predictions.csv")
    assert list(table.columns) == [
        "filename",
        "prediction",
        "uncertainty",
        "probability bright",
        "probability dim",
    ]
    assert table["filename"].tolist() == ["0.tif", "1.tif", "2.tif"]
    most = table[["probability bright", "probability dim"]].to_numpy().argmax(axis=1)
    assert table["prediction"].tolist() == [("bright", "dim")[i] for i in most]


def test_labels_are_of_one_type_in_all_parts(make_project):
    config = make_project("classification", n_train=9, epochs=1)
    root = load_config(config).path
    for part, labels in (("train", ["01", "02", "neg"]), ("test", ["01", "02"])):
        # Some rows have no image, as in the examples of version 1.
        rows = [f"{i}.tif,{labels[i % len(labels)]}" for i in range(50)]
        table = root / part / "groundtruth" / "groundtruth.csv"
        table.write_text("\n".join(["filename,groundtruth", *rows]))
    folder = run_project(config, verbose=0)
    model = instantdl.load(folder / "model.instantdl")
    assert model.classes_.tolist() == ["01", "02", "neg"]
    table = pd.read_csv(folder / "evaluation" / "per_image.csv", dtype=str)
    assert table["true"].tolist() == ["01", "02", "01"]
    # Once for each part, though the tables are read again.
    said = (folder / "run.log").read_text("utf-8")
    assert said.count("each row should have an image") == 2


@pytest.mark.parametrize("task", ["semantic_segmentation", "regression"])
def test_volumes_run_from_folders_to_a_report(tmp_path, task):
    rng = np.random.default_rng(0)
    for part, n in (("train", 5), ("test", 2)):
        for folder in ("image", "groundtruth"):
            (tmp_path / part / folder).mkdir(parents=True)
        for number in range(n):
            volume = ndimage.gaussian_filter(rng.normal(size=(8, 32, 24)), 2)
            target = (volume > 0) * np.uint8(1) if "semantic" in task else 5 * volume
            for folder, values in (("image", volume), ("groundtruth", target)):
                values = values.astype(
                    np.float32 if folder == "image" else values.dtype
                )
                write_image(tmp_path / part / folder / f"{number}.tif", values)
    told = {
        "task": task,
        "path": str(tmp_path),
        "epochs": 1,
        "n_draws": 2,
        "estimator": {"filters": 2, "levels": 1},
    }
    folder = run_project(told, verbose=0)
    assert read_image(folder / "results" / "predictions" / "1.tif").shape == (8, 32, 24)
    assert (folder / "report.html").exists()


def test_a_second_run_leaves_the_first_one_alone(make_project):
    config = make_project("regression", epochs=1)
    first = run_project(config, verbose=0)
    before = files(first)
    second = run_project(config, verbose=0)
    assert second.name == "002"
    assert files(first) == before
    assert files(second) == before


def test_a_folder_with_something_in_it_is_refused(make_project, tmp_path):
    output = tmp_path / "mine"
    output.mkdir()
    (output / "thesis.txt").write_text("all of it")
    config = make_project("regression", output=str(output))
    with pytest.raises(FileExistsError, match="must be new or empty"):
        run_project(config, verbose=0)
    assert names(output) == {"thesis.txt"}


def test_without_test_images_there_is_a_model(make_project):
    folder = run_project(make_project("regression", n_test=0), verbose=0)
    assert names(folder) == EVERY - {"results", "evaluation", "figures"}
    assert "There are no test images" in (folder / "report.html").read_text("utf-8")


def test_without_test_targets_there_are_results(make_project):
    config = make_project("semantic_segmentation", test_targets=False)
    folder = run_project(config, verbose=0)
    assert names(folder) == EVERY - {"evaluation"}
    assert names(folder / "results") == RESULTS["semantic_segmentation"]


def test_no_epochs_predict_by_the_model_that_is_given(make_project, tmp_path):
    config = make_project("regression", epochs=1)
    first = run_project(config, verbose=0)
    model = tmp_path / "mine.instantdl"
    shutil.copy(first / "model.instantdl", model)
    # Nobody needs training images then.
    shutil.rmtree(first.parents[1] / "train")
    told = json.loads(config.read_text("utf-8"))
    told.update(epochs=0, pretrained=str(model))
    second = run_project(told, verbose=0)
    # The model knows its learning curves; when it was trained makes no difference.
    found, expected = files(second), files(first)
    checked = json.loads(found.pop("check.json"))
    assert list(checked["parts"]) == ["test"]
    del expected["check.json"]
    assert found == expected
    page = (second / "report.html").read_text("utf-8")
    assert "Nothing was trained" in page
    assert "The model was given, tested on 3 images." in page


def test_a_model_for_another_task_is_refused(make_project, tmp_path):
    first = run_project(make_project("regression", epochs=1), verbose=0)
    model = tmp_path / "mine.instantdl"
    shutil.copy(first / "model.instantdl", model)
    shutil.rmtree(first.parents[1])
    config = make_project("classification", epochs=0, pretrained=str(model))
    with pytest.raises(
        ValueError, match="must be a model for classification. .* Pixel"
    ):
        run_project(config, verbose=0)


def test_results_have_the_size_of_the_image(make_project, tmp_path):
    config = make_project("semantic_segmentation", image_size=[32, 32])
    folder = run_project(config, verbose=0)
    for part in RESULTS["semantic_segmentation"]:
        assert read_image(folder / "results" / part / "0.tif").shape == (40, 32)
    mask = read_image(folder / "results" / "predictions" / "0.tif")
    assert set(np.unique(mask)) <= {0, 255}
    # The model knows the size: without the configuration its results are the same.
    model, test = folder / "model.instantdl", load_config(config).path / "test"
    assert describe_model(model)["resized_to"] == [32, 32]
    told = json.loads(config.read_text("utf-8"))
    told.update(epochs=0, pretrained=str(model), image_size=None)
    predict_files(model, [test], tmp_path / "new", n_draws=2, verbose=0)
    expected = folder / "results"
    for results in (tmp_path / "new", run_project(told, verbose=0) / "results"):
        for part in RESULTS["semantic_segmentation"]:
            mine, theirs = (one / part / "0.tif" for one in (results, expected))
            assert mine.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("n_channels", [1, 2])
def test_targets_of_a_regression_may_have_channels(make_project, n_channels):
    config = make_project("regression", epochs=1)
    for path in list(load_config(config).path.glob("*/groundtruth/*.tif")):
        target = read_image(path)
        channels = np.stack([target, -target][:n_channels], axis=-1)
        np.save(path.with_suffix(".npy"), channels)
        path.unlink()
    folder = run_project(config, verbose=0)
    metrics = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))
    assert metrics["metrics"]["pearson"]["n"] == metrics["metrics"]["ssim"]["n"] == 3
    found = read_image(folder / "results" / "predictions" / "0.tif")
    assert found.shape == (40, 32, 2)[: 1 + n_channels]
    page = (folder / "report.html").read_text("utf-8")
    assert ("Of several channels the first is shown." in page) == (n_channels > 1)


def test_masks_that_were_stored_with_loss_are_cut_in_the_middle(make_project):
    config = make_project("semantic_segmentation", epochs=1, n_classes=2)
    rng = np.random.default_rng(0)
    for path in sorted((load_config(config).path / "test/groundtruth").iterdir()):
        mask = read_image(path)
        loss = rng.integers(0, 4, mask.shape, np.uint8)
        write_image(path, np.where(mask > 0, mask - loss, loss))
    folder = run_project(config, verbose=0)
    assert instantdl.load(folder / "model.instantdl").classes_.tolist() == [False, True]
    metrics = json.loads((folder / "evaluation" / "metrics.json").read_text("utf-8"))
    assert metrics["metrics"]["jaccard"]["n"] == 3
    mask = read_image(folder / "results" / "predictions" / "0.tif")
    assert set(np.unique(mask)) <= {0, 255}


def test_all_that_is_wrong_is_told_before_training(make_project):
    config = make_project("regression")
    root = load_config(config).path
    (root / "train" / "groundtruth" / "2.tif").unlink()
    (root / "test" / "image" / "1.tif").write_bytes(b"no image")
    with pytest.raises(ImageError, match="2 things must be mended") as error:
        run_project(config, verbose=0)
    assert "2.tif" in str(error.value)
    assert "1.tif" in str(error.value)
    assert not (root / "runs").exists()


def test_only_an_interrupted_run_can_be_resumed(make_project):
    config = make_project("regression", epochs=1)
    with pytest.raises(FileNotFoundError, match="an interrupted run to resume"):
        run_project(config, resume=True, verbose=0)
    folder = run_project(config, verbose=0)
    with pytest.raises(FileNotFoundError, match="one that is finished"):
        run_project(config, resume=True, verbose=0)
    (folder / "finished.json").unlink()
    told = json.loads(config.read_text("utf-8"))
    told["epochs"] = 5
    with pytest.raises(ValueError, match="Got another epochs"):
        run_project(told, resume=True, verbose=0)


def test_an_interrupted_run_goes_on_whatever_its_paths_look_like(
    make_project, tmp_path, monkeypatch
):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    told = json.loads(make_project("regression").read_text("utf-8"))
    root = Path(told["path"])
    told["path"] = root.name
    told["estimator"]["patch_shape"] = (16, 16)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_run, "_carry_out", interrupt)
    for resume in (False, True):
        with pytest.raises(KeyboardInterrupt):
            run_project(RunConfig(**told), resume=resume, verbose=0)
        # A report tells how far it came, and does not end it.
        page = write_report(root / "runs" / "001").read_text("utf-8")
        assert "The run has not come as far as the evaluation." in page
    assert names(root / "runs") == {"001"}
    assert load_config(root / "runs" / "001" / "config.json").path == root
