"""Objects as GeoJSON, as QuPath writes and reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instantdl.exceptions import ImageError
from instantdl.images import fill_polygon
from instantdl.io._objects import each_outline, read_json, warn_of_hidden, write_json

__all__ = ["read_geojson", "write_geojson"]


def read_geojson(
    path: str | os.PathLike[str], shape: Sequence[int]
) -> tuple[NDArray[np.int32], dict[int, str]]:
    """Read the objects of one image from GeoJSON.

    Parameters
    ----------
    path : str or path-like
        A feature collection, a list of features or one feature; polygons and multi
        polygons are read, in pixels, other geometries are an error.

    shape : sequence of int
        Height and width of the image.

    Returns
    -------
    labels : ndarray of shape (height, width), int32
        Objects are 1 to n in the order of the file; where they overlap, the first has
        the pixels. Those without a pixel do not count.

    classes : dict of int to str
        Class of each object that has one: the name in ``classification``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImageError
        If it is no GeoJSON, or holds something else than polygons; or `shape` is not
        height and width.

    Warns
    -----
    InstantDLWarning
        If objects have no pixel, since they lie outside of the image, behind earlier
        ones or between the centres of pixels; they are left out.

    See Also
    --------
    write_geojson : The way back.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import read_geojson, write_geojson
    >>> labels = np.array([[0, 1, 1], [2, 2, 0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_geojson(Path(folder) / "cells.geojson", labels, {2: "tumour"})
    ...     read_geojson(Path(folder) / "cells.geojson", (2, 3))
    (array([[0, 1, 1],
           [2, 2, 0]], dtype=int32), {2: 'tumour'})
    """
    path, shape = Path(path), tuple(shape)
    if len(shape) != 2:
        raise ImageError(
            f"`shape` must be height and width of the image. Got {shape}. Give"
            " `image.shape[:2]` for an image in colours."
        )
    labels, classes = np.zeros(shape, np.int32), dict[int, str]()
    hidden: list[str] = []
    features = _features(path)
    for position, feature in enumerate(features, start=1):
        try:
            mask = np.zeros(labels.shape, bool)
            for rings in _polygons(feature["geometry"]):
                fill_polygon(mask, rings)
            name = _class_name(feature.get("properties") or {})
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ImageError(
                f"{path}: every feature must be a polygon or a multi polygon of points"
                f" (x, y). Got something else as feature {position}: {error}."
            ) from None
        mask &= labels == 0
        if not mask.any():
            hidden.append(f"feature {position}")
            continue
        number = position - len(hidden)
        labels[mask] = number
        if name is not None:
            classes[number] = name
    warn_of_hidden(path, hidden, len(features))
    return labels, classes


def write_geojson(
    path: str | os.PathLike[str],
    labels: NDArray[Any],
    classes: Mapping[int, str] | None = None,
) -> None:
    """Write the objects of one image as GeoJSON that QuPath opens.

    Parameters
    ----------
    path : str or path-like
        The file; it appears whole or not at all.

    labels : ndarray of shape (height, width)
        Label image; 0 is the background.

    classes : mapping of int to str, default=None
        Class of each object that has one.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ImageError
        If `labels` is no 2D image of whole numbers.

    Notes
    -----
    Outlines run along the borders of pixels, so nothing is lost: `read_geojson` gives
    the same objects, numbered in the order of their labels.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from instantdl.io import write_geojson
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cells.geojson"
    ...     write_geojson(path, np.array([[0, 7]]))
    ...     "Polygon" in path.read_text()
    True
    """
    classes = {} if classes is None else classes
    features = [
        {
            "type": "Feature",
            "geometry": _geometry(polygons),
            "properties": {
                "objectType": "annotation",
                **(
                    {"classification": {"name": str(classes[label])}}
                    if label in classes
                    else {}
                ),
            },
        }
        for label, polygons in each_outline(labels)
    ]
    collection = {"type": "FeatureCollection", "features": features}
    write_json(Path(path), collection)


def _features(path: Path) -> list[Any]:
    found = read_json(path)
    if isinstance(found, dict) and found.get("type") == "FeatureCollection":
        found = found.get("features")
    elif isinstance(found, dict) and found.get("type") == "Feature":
        found = [found]
    if not isinstance(found, list):
        raise ImageError(
            f"{path}: there must be a GeoJSON feature collection or a list of features."
            f" Got {type(found).__name__}."
        )
    return found


def _polygons(geometry: Any) -> list[Any]:
    kind, coordinates = geometry["type"], geometry["coordinates"]
    if kind not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"its type is {kind!r}")
    return coordinates if kind == "MultiPolygon" else [coordinates]


def _class_name(properties: Any) -> str | None:
    classification = properties.get("classification") or {}
    name = classification.get("name") or classification.get("names")
    if isinstance(name, list):
        name = ": ".join(map(str, name))
    return None if name is None else str(name)


def _geometry(polygons: list[list[NDArray[np.int64]]]) -> dict[str, Any]:
    closed = [
        [[*ring.tolist(), ring[0].tolist()] for ring in rings] for rings in polygons
    ]
    if len(closed) == 1:
        return {"type": "Polygon", "coordinates": closed[0]}
    return {"type": "MultiPolygon", "coordinates": closed}
