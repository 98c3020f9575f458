import json

import pytest

from instantdl import Augmentation
from instantdl.pipeline import ConfigError, RunConfig, load_config
from instantdl.pipeline._config import ESTIMATORS
from instantdl.pipeline._config_text import parse_config

OLD = {
    "use_algorithm": "SemanticSegmentation",
    "path": "data",
    "pretrained_weights": False,
    "batchsize": 2,
    "iterations_over_dataset": 20,
    "data_gen_args": {
        "vertical_flip": True,
        "horizontal_flip": True,
        "rotation_range": 20,
        "zoom_range": False,
        "binarize_mask": True,
        "threshold_background_image": False,
        "save_augmented_images": False,
    },
    "loss_function": "binary crossentropy dice loss",
    "num_classes": 1,
    "image_size": None,
    "calculate_uncertainty": True,
    "evaluation": True,
}

JSON_OF_PEOPLE = """{
  // the task
  "use_algorithm": 'Regression',  # in single quotes
  /* a path
     with slashes: */ "path": "C://data # not a comment",
  "seeds": True, "pretrained_weights": None,
  "image_size": [1, 2, 3,],
}"""


def write(folder, content, name="config.json"):
    file = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    file.write_text(text, encoding="utf-8")
    return file


def test_two_keys_are_enough():
    config = load_config({"task": "classification", "path": "data"})
    assert (config.epochs, config.batch_size, config.uncertainty) == (100, "auto", True)


def test_json_may_have_comments_single_quotes_and_words_of_python():
    assert parse_config(JSON_OF_PEOPLE, "config.json") == {
        "use_algorithm": "Regression",
        "path": "C://data # not a comment",
        "seeds": True,
        "pretrained_weights": None,
        "image_size": [1, 2, 3],
    }


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"a": "it's", "b": ['"', "\\", "// no", "True", ",]"], "c": "ü"}),
        '{"a": [], "b": {}, "c": -1.5e-3}',
    ],
)
def test_strict_json_is_read_as_it_is(text):
    assert parse_config(text, "config.json") == json.loads(text)


def test_an_error_tells_the_line_though_there_are_comments_before():
    text = '{\n/* two\nlines */\n"path": oops\n}'
    with pytest.raises(ValueError, match="a.json, line 4, column 9"):
        parse_config(text, "a.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "one object of keys and values. Got list"),
        ('{"a": 1, "a": 2}', "each key once. Got a more than once"),
        ('{"a": NaN}', "finite numbers. Got NaN"),
        ("", "line 1, column 1"),
        ("[" * 100_000, "a few levels deep"),
    ],
)
def test_what_is_no_configuration_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_config(text, "config.json")


def test_yaml_is_read_too(tmp_path):
    file = write(tmp_path, "task: regression\npath: .\nepochs: 3\n", "config.yaml")
    assert load_config(file).epochs == 3
    bad = write(tmp_path, "task: [", "bad.yml")
    with pytest.raises(ConfigError, match="bad.yml, line 1"):
        load_config(bad)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ConfigError) as error:
        load_config(
            {"task": "regresion", "epochs": "ten", "batch_size": 0, "batchsize": 3}
        )
    text = str(error.value)
    for part in (
        "batchsize is not a known key. Did you mean batch_size?",
        "path: it must be given",
        "task: must be 'semantic_segmentation'",
        "batch_size: must be greater than or equal to 1. Got 0",
        "epochs: must be a valid integer. Got 'ten'",
    ):
        assert part in text
    assert text.count("\n") == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"estimator": {"filter": 3}}, "filter is not a known key. Did you mean filt"),
        ({"estimator": {"epochs": 3}}, "epochs: set the key epochs instead"),
        ({"estimator": {"log_dir": "x"}}, "log_dir is not a known key"),
        ({"estimator": {"filters": -3}}, r"'filters' parameter .* Got -3"),
        ({"augmentation": {"zom": 1}}, "augmentation, zom is not .* Did you mean zoom"),
        ({"augmentation": {"zoom": -1}}, r"'zoom' parameter of Augmentation"),
        ({"augmentation": 5}, "augmentation: must be 'auto'. Got 5"),
        ({"loss": "mse"}, r"'loss' parameter of PixelRegressor"),
        ({"epochs": 0}, "0 only predicts, which needs a model"),
        ({"time_limit": 0}, "time_limit: must be greater than 0"),
        ({"image_size": [8]}, "image_size: List should have at least 2"),
        ({"random_state": -1}, "random_state: must be greater"),
        ({"epochs": True}, "epochs: must be a valid integer"),
    ],
)
def test_values_are_checked_down_to_those_of_the_estimator(changes, message):
    with pytest.raises(ConfigError, match=message):
        load_config({"task": "regression", "path": "x", **changes})


def test_a_loss_that_the_task_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="instance_segmentation has one of its own"):
        load_config({"task": "instance_segmentation", "path": "x", "loss": "dice"})


def test_a_switch_for_augmentation():
    told = {"task": "regression", "path": "x"}
    assert load_config({**told, "augmentation": False}).augmentation is None
    assert load_config({**told, "augmentation": True}).augmentation == "auto"


@pytest.mark.parametrize("task", ESTIMATORS)
def test_the_estimator_has_what_the_configuration_says(task):
    config = load_config(
        {
            "task": task,
            "path": "x",
            "epochs": 7,
            "batch_size": 3,
            "time_limit": 5,
            "augmentation": {"zoom": 0.2},
            "random_state": 4,
            "image_size": [32, 48],
            "estimator": {"filters": 4, "validation_fraction": 0.3},
        }
    )
    estimator = config.build_estimator(verbose=1)
    assert type(estimator) is ESTIMATORS[task]
    found = estimator.get_params(deep=False)
    assert isinstance(found["augmentation"], Augmentation)
    assert found["augmentation"].zoom == 0.2
    wanted = {
        "epochs": 7,
        "batch_size": 3,
        "time_limit": 5.0,
        "random_state": 4,
        "filters": 4,
        "validation_fraction": 0.3,
        "verbose": 1,
    }
    assert {name: found[name] for name in wanted} == wanted
    if task == "classification":
        assert found["image_shape"] == (32, 48)


def test_a_fifth_is_held_back_unless_told_otherwise():
    config = load_config({"task": "regression", "path": "x"})
    assert config.build_estimator().validation_fraction == 0.2


def test_paths_begin_at_the_file(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    told = {"task": "regression", "path": "project", "pretrained": "m.instantdl"}
    config = load_config(write(tmp_path, told))
    assert config.path == tmp_path / "project"
    assert config.pretrained == str(tmp_path / "m.instantdl")


def test_a_path_that_is_only_in_the_working_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    told = {"task": "regression", "path": "data"}
    config = load_config(write(tmp_path / "configs", told))
    assert config.path == tmp_path / "data"


def test_paths_are_whole_so_that_another_folder_changes_nothing(tmp_path, monkeypatch):
    (tmp_path / "data" / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    told = {"task": "regression", "path": "data", "output": "mine"}
    for source in (told, write(tmp_path, told), "config.json"):
        config = load_config(source)
        assert config.path == tmp_path / "data"
        assert config.output == tmp_path / "mine"
    again = write(tmp_path / "data" / "runs", config.model_dump_json())
    monkeypatch.chdir(tmp_path / "data")
    assert load_config(again) == config


def test_what_was_written_is_read_as_the_same(tmp_path):
    config = load_config(write(tmp_path, {**OLD, "path": str(tmp_path)}))
    again = load_config(write(tmp_path, config.model_dump_json(), "again.json"))
    assert again == config


def test_files_that_are_no_configuration(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file. Write one with"):
        load_config(tmp_path / "none.json")
    with pytest.raises(IsADirectoryError, match="Got a folder"):
        load_config(tmp_path)
    (tmp_path / "latin.json").write_bytes('{"path": "Müller"}'.encode("latin-1"))
    with pytest.raises(ConfigError, match="text in UTF-8. Got byte 11"):
        load_config(tmp_path / "latin.json")


def test_the_schema_names_every_key():
    assert set(RunConfig.model_json_schema()["properties"]) == set(
        RunConfig.model_fields
    )


# InstantDL 1.x


def test_a_file_of_1x_is_taken_as_it_is(tmp_path):
    notes = []
    text = str({**OLD, "path": "."}).replace('"', "'")
    config = load_config(write(tmp_path, text), notes=notes)
    assert config == RunConfig(
        task="semantic_segmentation",
        path=tmp_path,
        batch_size=2,
        epochs=20,
        augmentation={"flip": [-2, -1], "rotate90": False, "rotation": 20},
        loss="dice_crossentropy",
        n_classes=2,
    )
    assert notes == []


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("Instance Segmentation", "instance_segmentation"),
        ("instance_segmentation", "instance_segmentation"),
        ("Regression", "regression"),
        ("Classification", "classification"),
    ],
)
def test_names_of_tasks(name, task):
    assert load_config({"use_algorithm": name, "path": "x"}).task == task


def test_a_file_of_1x_names_a_model_of_version_2_by_its_old_keys():
    old = {"use_algorithm": "Regression", "path": "x", "iterations_over_dataset": 0}
    config = load_config(old | {"pretrained_weights": "runs/001/model.instantdl"})
    assert config.epochs == 0
    assert config.pretrained.endswith("model.instantdl")
    with pytest.raises(ConfigError, match="pretrained is not a known key"):
        load_config(old | {"pretrained": "runs/001/model.instantdl"})


def test_unknown_names_of_1x_are_told():
    with pytest.raises(ConfigError) as error:
        load_config(
            {
                "use_algorithm": "Segmentation",
                "path": "x",
                "batch_size": 3,
                "data_gen_args": {"horizontal_flips": True},
            }
        )
    text = str(error.value)
    assert "batch_size is not a known key. Did you mean batchsize?" in text
    assert "horizontal_flips is not a known key. Did you mean horizontal_flip?" in text
    assert "use_algorithm must be SemanticSegmentation" in text


@pytest.mark.parametrize("given", [None, False, {}, {"vertical_flip": False}])
def test_without_augmentation_images_stay_as_they_are(given):
    config = load_config(
        {"use_algorithm": "Regression", "path": "x", "data_gen_args": given}
    )
    assert config.augmentation is None


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"horizontal_flip": True}, "flip", [-1]),
        ({"vertical_flip": True}, "flip", [-2]),
        ({"zoom_range": 1.5}, "zoom", 0.5),
        ({"zoom_range": 0.3}, "zoom", 0.3),
        ({"width_shift_range": 0.1, "height_shift_range": 0.2}, "shift", 0.2),
        ({"brightness_range": 0.4}, "brightness", 0.4),
        ({"contrast_range": 0.4}, "contrast", 0.4),
        ({"gaussian_blur_image": 2}, "blur", 2),
        ({"gaussian_noise": 0.1}, "noise", 0.1),
        ({"poission_noise": 0.1}, "poisson_noise", 0.1),
        ({"gamma_shift": 0.2}, "gamma", 0.2),
        ({"rotation_range": 20}, "rotation", 20),
        ({"rotation_range": 360}, "rotation", 180),
    ],
)
def test_augmentations_of_1x(given, name, value):
    config = load_config(
        {"use_algorithm": "Regression", "path": "x", "data_gen_args": given}
    )
    assert config.augmentation[name] == value
    assert config.augmentation["rotate90"] is False


def test_normalisation_stood_with_the_augmentations():
    config = load_config(
        {
            "use_algorithm": "Regression",
            "path": "x",
            "data_gen_args": {"std_normalization": True},
        }
    )
    assert config.estimator == {"normalization": "standard"}
    assert config.augmentation is None


@pytest.mark.parametrize(
    ("task", "loss", "found"),
    [
        ("SemanticSegmentation", "dice_loss", "dice"),
        ("SemanticSegmentation", "dice loss", "dice"),
        ("SemanticSegmentation", "tversky", "tversky"),
        ("SemanticSegmentation", "focal_loss", "focal"),
        ("SemanticSegmentation", "binary_crossentropy", "crossentropy"),
        ("Regression", "mse", "mean_squared_error"),
        ("Regression", "mae", "mean_absolute_error"),
        ("Classification", "categorical_crossentropy", "crossentropy"),
    ],
)
def test_losses_of_1x(task, loss, found):
    config = load_config({"use_algorithm": task, "path": "x", "loss_function": loss})
    assert config.loss == found


def test_what_cannot_be_done_as_in_1x_is_noted():
    notes = []
    config = load_config(
        {
            "use_algorithm": "SemanticSegmentation",
            "path": "x",
            "pretrained_weights": "logs/weights.hdf5",
            "loss_function": "mse",
            "data_gen_args": {"threshold_background_image": True},
            "seeds": True,
        },
        notes=notes,
    )
    assert (config.pretrained, config.loss, config.random_state) == (None, "auto", 123)
    assert len(notes) == 3
    assert "logs/weights.hdf5 is of InstantDL 1.x" in notes[0]
    assert "mse is not a loss of semantic_segmentation" in notes[1]
    assert "the background is not cut off" in notes[2]


def test_how_objects_are_found_now_is_noted(tmp_path):
    notes = []
    old = {"use_algorithm": "InstanceSegmentation", "path": "x", "image_size": False}
    load_config(old, notes=notes)
    assert len(notes) == 1
    assert "a U-Net and a watershed, no longer by Mask R-CNN" in notes[0]
    config = load_config(old | {"image_size": [64, 48, 3]}, notes=notes)
    assert [note.partition(":")[0] for note in notes[1:]] == [
        "use_algorithm",
        "image_size",
    ]
    # What the note tells to set is a parameter.
    again = config.model_dump(mode="json") | {"estimator": {"method": "mask_rcnn"}}
    assert load_config(write(tmp_path, again)).build_estimator().method == "mask_rcnn"
    assert json.dumps({"estimator": again["estimator"]})[1:-1] in notes[0]


def test_the_last_number_of_a_size_was_that_of_the_channels():
    told = {"use_algorithm": "Regression", "path": "x", "image_size": [16, 64, 48, 1]}
    assert load_config(told).image_size == [16, 64, 48]
