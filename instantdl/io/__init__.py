"""Files and folders to arrays, and arrays to files."""

from instantdl.io._coco import load_coco, write_coco
from instantdl.io._folders import load_folder
from instantdl.io._geojson import read_geojson, write_geojson
from instantdl.io._nested import read_masks
from instantdl.io._read import image_stem, read_image
from instantdl.io._visible import list_images
from instantdl.io._write import write_image, write_whole

__all__ = [
    "image_stem",
    "list_images",
    "load_coco",
    "load_folder",
    "read_geojson",
    "read_image",
    "read_masks",
    "write_coco",
    "write_geojson",
    "write_image",
    "write_whole",
]
