from ._config import ConfigError, RunConfig, load_config
from ._demo import run_demo
from ._evaluate import Evaluation, evaluate, evaluate_folders
from ._inspect import ProjectReport, inspect_project
from ._predict import predict_files
from ._report import write_report
from ._run import run_project

__all__ = [
    "ConfigError",
    "Evaluation",
    "ProjectReport",
    "RunConfig",
    "evaluate",
    "evaluate_folders",
    "inspect_project",
    "load_config",
    "predict_files",
    "run_demo",
    "run_project",
    "write_report",
]
