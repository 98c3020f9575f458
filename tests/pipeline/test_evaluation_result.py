import json

import numpy as np
import pandas as pd
import pytest

from instantdl.pipeline._evaluate import Evaluation, evaluate
from instantdl.pipeline._evaluation import _resampling as resampling
from instantdl.pipeline._evaluation._inputs import TASKS

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _fewer(monkeypatch):
    monkeypatch.setattr(resampling, "N_DRAWS", 20)
    monkeypatch.setattr(resampling, "N_HALVES", 20)


def _evaluation(task):
    if task == "classification":
        true, pred = ["a", "b", "a", "b"], ["a", "b", "b", "b"]
        proba = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
        return evaluate(
            task, true, pred, probability=proba, uncertainty=[0.1, 0.2, 0.9, 0.5]
        )
    if task == "regression":
        true = RNG.random((4, 8, 8))
        return evaluate(task, true, true**2, uncertainty=RNG.random(true.shape))
    true, pred = RNG.integers(0, 3, (2, 4, 8, 8))
    options = {"uncertainty": RNG.random(true.shape)}
    if task == "semantic_segmentation":
        options["probability"] = RNG.dirichlet(np.ones(3), true.shape)
    return evaluate(task, true, pred, names=["ä", "b", "c", "d"], **options)


def _files(found):
    names = {"metrics": "metric", "per_image": "name"}
    if found.per_class is not None:
        names |= {"per_class": "class", "confusion": "true"}
    names |= dict.fromkeys(["risk_coverage"])
    if found.calibration is not None:
        names["calibration"] = None
    return names


@pytest.mark.parametrize("task", TASKS)
def test_tables_are_read_back_as_they_were(task, tmp_path):
    found = _evaluation(task)
    found.save(tmp_path / "new" / "folder")
    written = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    files = _files(found)
    assert written == {"metrics.json", *(f"{name}.csv" for name in files)}
    for name, index in files.items():
        path = tmp_path / "new" / "folder" / f"{name}.csv"
        table = pd.read_csv(path, dtype={"name": str})
        expected = getattr(found, name)
        if index:
            table = table.set_index(index)
            expected = expected.rename_axis(columns=None)
            if name == "confusion":
                table.columns = expected.columns
        pd.testing.assert_frame_equal(table, expected, rtol=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_json_holds_all_and_no_nan(task, tmp_path):
    found = _evaluation(task)
    found.save(tmp_path)

    def refuse(word):
        raise AssertionError(word)

    text = (tmp_path / "metrics.json").read_text("utf-8")
    content = json.loads(text, parse_constant=refuse)
    assert content == found.to_dict()
    assert content["task"] == task
    main = found.main_metric
    assert content["metrics"][main]["value"] == found.metrics.loc[main, "value"]
    assert content["uncertainty"]["error_auroc"] == found.uncertainty["error_auroc"]
    assert len(content["per_image"]) == 4
    assert content["notes"] == found.notes
    curve = found.risk_coverage["error"].tolist()
    assert content["risk_coverage"]["error"] == curve


def test_what_is_undefined_or_infinite_becomes_none():
    true = np.full((2, 6, 6), 1.0)
    content = evaluate("regression", true, true).to_dict()
    assert content["metrics"]["psnr"]["value"] is None
    assert content["metrics"]["r2"]["low"] is None
    assert content["per_class"] is content["calibration"] is None
    json.dumps(content, allow_nan=False)


def test_older_files_are_replaced_and_none_is_left_half(tmp_path):
    _evaluation("classification").save(tmp_path)
    found = _evaluation("semantic_segmentation")
    found.save(tmp_path)
    table = pd.read_csv(tmp_path / "metrics.csv", index_col="metric")
    assert list(table.index) == list(found.metrics.index)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]


def test_a_failing_write_leaves_the_older_file(tmp_path, monkeypatch):
    found = _evaluation("regression")
    found.save(tmp_path)
    before = (tmp_path / "metrics.csv").read_text()

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("pandas.DataFrame.to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        _evaluation("regression").save(tmp_path)
    assert (tmp_path / "metrics.csv").read_text() == before


@pytest.mark.parametrize("task", TASKS[:3])
def test_the_worst_have_the_lowest_main_measure(task):
    found = _evaluation(task)
    order = found.per_image[found.main_metric].sort_values().index.tolist()
    assert found.worst(2) == order[:2]
    assert found.worst() == order
    assert found.worst(0) == []


@pytest.mark.parametrize("n", [-1, 1.5, True, "a"])
def test_the_number_of_the_worst_is_one(n):
    with pytest.raises(ValueError, match="`n` must be a number of images"):
        _evaluation("regression").worst(n)


def test_it_cannot_be_changed():
    found = _evaluation("regression")
    with pytest.raises(AttributeError):
        found.task = "classification"
    assert isinstance(found, Evaluation)
