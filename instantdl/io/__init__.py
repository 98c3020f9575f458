"""Files and folders to arrays, and arrays to files."""

from instantdl.io._folders import list_images, load_folder
from instantdl.io._read import read_image
from instantdl.io._write import write_image

__all__ = ["list_images", "load_folder", "read_image", "write_image"]
