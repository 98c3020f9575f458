"""Images to try things on: drawn, shipped with scikit-image, or downloaded."""

from instantdl.datasets._dsb2018 import fetch_dsb2018
from instantdl.datasets._nuclei import make_nuclei
from instantdl.datasets._samples import load_coins, load_faces, load_ihc

__all__ = ["fetch_dsb2018", "load_coins", "load_faces", "load_ihc", "make_nuclei"]
