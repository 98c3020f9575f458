"""Small real images that come with scikit-image: nothing is downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np
import skimage.data
from numpy.typing import NDArray
from scipy import ndimage as ndi
from skimage.color import rgb2hed
from skimage.filters import sobel, threshold_otsu
from skimage.segmentation import watershed
from sklearn.utils import Bunch

__all__ = ["load_coins", "load_faces", "load_ihc"]

_IHC_DESCR = """\
Colonic glands, immunohistochemistry
------------------------------------
One section of 512 x 512 pixels, RGB. An antibody against FHL2 is stained brown (DAB),
nuclei blue (haematoxylin). Source: `skimage.data.immunohistochemistry`; acquired at the
Center for Microscopy And Molecular Imaging, no known copyright restrictions.

The masks are not drawn by hand. They are made by a fixed recipe: the DAB channel of
colour deconvolution (Ruifrok and Johnston 2001), Gaussian blur of 4 pixels, square root
(so that pale tissue counts), Otsu's threshold over the whole section, pieces and holes
below 400 pixels removed. So they show stained epithelium with the nuclei in it, without
the lumen of the glands.
"""

_FACES_DESCR = """\
Faces and other things
----------------------
100 faces and 100 pieces of background of 25 x 25 pixels, grey values from 0 to 1, from
Labeled Faces in the Wild (Huang et al. 2012). Source: `skimage.data.lfw_subset`, which
refers to http://vis-www.cs.umass.edu/lfw for terms of use.
"""

_COINS_DESCR = """\
Greek coins from Pompeii
------------------------
One photograph of 303 x 384 pixels with 24 coins that do not touch. Source:
`skimage.data.coins`; Brooklyn Museum collection, no known copyright restrictions.

The label image is not drawn by hand. It is made by a fixed recipe: watershed on the
Sobel gradient from dark (< 30) and bright (> 150) pixels, holes filled, opened with a
ball of 4 pixels, pieces below 100 pixels removed.
"""


def load_ihc(
    *, tile_shape: tuple[int, int] | None = None, return_X_y: bool = False
) -> Bunch | tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Load stained colon tissue and masks of the stain, for semantic segmentation.

    One section, cut into a left half to train on and a right half to test on, or into
    tiles of either half. The masks come from a fixed recipe, not from an expert: good
    to show and test software, not to compare methods.

    Parameters
    ----------
    tile_shape : tuple of 2 ints or None, default=None
        Height and width of tiles, divisors of 512 and 256. With None the two halves
        of (512, 256) pixels.

    return_X_y : bool, default=False
        Return ``(X, y)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With the attributes

        X : ndarray of shape (n_samples, height, width, 3)
            Images, RGB, uint8.
        y : ndarray of shape (n_samples, height, width)
            Masks, bool: stained tissue.
        is_test : ndarray of shape (n_samples,)
            Whether a tile lies in the right half, bool. The left half comes first.
        DESCR : str
            Source, licence and recipe.

    Raises
    ------
    ValueError
        If the tiles do not fill the halves.

    Examples
    --------
    >>> from instantdl.datasets import load_ihc
    >>> data = load_ihc(tile_shape=(128, 128))
    >>> data.X.shape, data.y.shape
    ((16, 128, 128, 3), (16, 128, 128))
    >>> X_train, X_test = data.X[~data.is_test], data.X[data.is_test]
    >>> len(X_train), len(X_test)
    (8, 8)
    """
    height, width = (512, 256) if tile_shape is None else tile_shape
    if min(height, width) < 1 or 512 % height or 256 % width:
        raise ValueError(
            "The 'tile_shape' parameter of load_ihc must be a divisor of 512 and a"
            f" divisor of 256, or None. Got {tile_shape!r} instead."
        )
    image = skimage.data.immunohistochemistry()
    X = _cut(image, height, width)
    y = _cut(_stained(image), height, width)
    if return_X_y:
        return X, y
    is_test = np.arange(len(X)) >= len(X) // 2
    return Bunch(X=X, y=y, is_test=is_test, DESCR=_IHC_DESCR)


def load_faces(
    *, return_X_y: bool = False
) -> Bunch | tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Load small grey images of faces and of other things, for classification.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(X, y)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With the attributes

        X : ndarray of shape (200, 25, 25)
            Images with values from 0 to 1, float64.
        y : ndarray of shape (200,)
            1 for a face, 0 for something else.
        target_names : list of str
            ``["other", "face"]``.
        DESCR : str
            Source and licence.

    Examples
    --------
    >>> from instantdl.datasets import load_faces
    >>> X, y = load_faces(return_X_y=True)
    >>> X.shape, int(y.sum())
    ((200, 25, 25), 100)
    """
    X = skimage.data.lfw_subset()
    y = (np.arange(len(X)) < 100).astype(np.int64)
    if return_X_y:
        return X, y
    return Bunch(X=X, y=y, target_names=["other", "face"], DESCR=_FACES_DESCR)


def load_coins(
    *, return_X_y: bool = False
) -> Bunch | tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Load a photograph of coins and their label image, for instance segmentation.

    The labels come from a fixed recipe, not from an expert: good to show and test
    software, not to compare methods.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(X, y)`` instead of a Bunch.

    Returns
    -------
    Bunch
        With the attributes

        X : ndarray of shape (1, 303, 384)
            The photograph, uint8.
        y : ndarray of shape (1, 303, 384)
            Label image, int32: 0 is background, 1 to 24 are coins.
        DESCR : str
            Source, licence and recipe.

    Examples
    --------
    >>> from instantdl.datasets import load_coins
    >>> X, y = load_coins(return_X_y=True)
    >>> X.shape, int(y.max())
    ((1, 303, 384), 24)
    """
    image = skimage.data.coins()
    X, y = image[np.newaxis], _coin_labels(image)[np.newaxis]
    return (X, y) if return_X_y else Bunch(X=X, y=y, DESCR=_COINS_DESCR)


def _cut(image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Return the tiles of an image, those of its left half first."""
    tiles = [
        image[top : top + height, left : left + width]
        for start in (0, 256)
        for top in range(0, 512, height)
        for left in range(start, start + 256, width)
    ]
    return np.stack(tiles)


def _stained(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the mask of DAB-positive tissue."""
    dab = ndi.gaussian_filter(rgb2hed(image)[..., 2], 4)
    dab = np.sqrt(np.maximum(dab, 0))
    mask = dab > threshold_otsu(dab)
    return ~_without_small(~_without_small(mask, 400), 400)


def _without_small(mask: NDArray[np.bool_], n_pixels: int) -> NDArray[np.bool_]:
    """Remove pieces below a size; its name in scikit-image differs by version."""
    labels, _ = ndi.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return (sizes >= n_pixels)[labels]


def _coin_labels(image: NDArray[np.uint8]) -> NDArray[np.int32]:
    seeds = (image < 30) + 2 * (image > 150)
    mask = ndi.binary_fill_holes(watershed(sobel(image), seeds) == 2)
    row, column = np.ogrid[-4:5, -4:5]
    mask = ndi.binary_opening(mask, row**2 + column**2 <= 16)
    return ndi.label(_without_small(mask, 100))[0].astype(np.int32)
