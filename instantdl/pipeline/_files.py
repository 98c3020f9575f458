"""Text, tables and JSON in files that appear whole or not at all."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from instantdl.io import write_whole

__all__ = ["plain", "write_json", "write_table", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8.

    Parameters
    ----------
    path : Path
        In a folder that exists.

    text : str
        Lines end as they are. Characters that UTF-8 cannot hold, as names of files may
        have them, are written as escapes.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from instantdl.pipeline._files import write_text
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder, "a.txt"), "done")
    ...     Path(folder, "a.txt").read_text()
    'done'
    """
    content = text.encode(errors="backslashreplace")
    write_whole(path, lambda file: file.write(content))


def write_table(path: Path, table: pd.DataFrame, *, index: bool = False) -> None:
    r"""Write a table as csv.

    Parameters
    ----------
    path : Path
        In a folder that exists.

    table : DataFrame
        With names of columns.

    index : bool, default=False
        Whether to write the names of rows, too.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from instantdl.pipeline._files import write_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(Path(folder, "a.csv"), pd.DataFrame({"n": [1]}))
    ...     Path(folder, "a.csv").read_text()
    'n\n1\n'
    """
    write_text(path, table.to_csv(index=index, lineterminator="\n"))


def write_json(path: Path, content: Any) -> None:
    r"""Write plain values as JSON.

    Parameters
    ----------
    path : Path
        In a folder that exists.

    content : dict or list
        Numbers of numpy, paths and NaN are taken, see `plain`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from instantdl.pipeline._files import write_json
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json(Path(folder, "a.json"), {"n": float("nan")})
    ...     Path(folder, "a.json").read_text()
    '{\n  "n": null\n}\n'
    """
    text = json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def plain(value: Any) -> Any:
    """Return a value in the types that JSON has.

    Parameters
    ----------
    value : object
        Of Python or numpy; NaN and infinity become None.

    Returns
    -------
    object
        Of dict, list, str, int, float, bool and None.

    Examples
    --------
    >>> import numpy as np
    >>> from instantdl.pipeline._files import plain
    >>> plain({"a": np.array([1.0, np.nan])})
    {'a': [1.0, None]}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    return str(value)
