"""The bridge from training epochs to scikit-learn's callbacks."""

from collections.abc import Callable
from typing import Any


class CallbackListener:
    """Tell scikit-learn's callbacks of every epoch.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        Root context of the fit.

    estimator : BaseImageEstimator
        What is fitted.

    X, y : object
        What `fit` was given.
    """

    def __init__(self, context: Any, estimator: Any, X: Any, y: Any) -> None:
        self._context = context
        self._estimator = estimator
        self._data = {"X": X, "y": y}
        self._task: Any = None

    def on_epoch_begin(self, epoch: int) -> None:
        """Begin a task named "epoch"."""
        self._task = self._context.subcontext(task_name="epoch")
        self._task.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def on_epoch_end(self, epoch: int, weights: Callable[[], list[Any]]) -> bool:
        """End the task; return True if a callback wants training to stop."""
        stop = self._task.call_on_fit_task_end(
            estimator=self._estimator,
            **self._data,
            # Called only where a callback asks for the estimator as it is now.
            reconstruction_attributes=lambda: {
                "_weights": weights(),
                "_weights_token": object(),
            },
        )
        return bool(stop)

    def finish(self) -> None:
        """End the root task."""
        self._context.call_on_fit_task_end(estimator=self._estimator, **self._data)
