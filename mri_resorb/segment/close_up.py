"""A closer look at one disc: a second network outlines what lies behind it.

The first network sees the whole scan in 0.7 mm pixels, three slices at a time, to find and name
the discs. This one sees a single disc's posterior half and the canal behind it, turned into the
disc's own frame, in finer pixels and five slices at a time. Where it sees, its word counts; towards
the border of what it sees, the first one's more and more.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.model import Anatomy, DiscFrame, FloatArray
from mri_resorb.segment import network
from mri_resorb.segment.network import normalise, session

PIXEL_MM = 0.55
SHAPE = (128, 96)
"""Rows and columns of a close-up."""
BEHIND_MM = 8.0
"""Its centre lies this far behind the disc's posterior margin."""
FAR_MM = 4.0
"""The outer two of the five slices are about this far from the middle one."""
TRANSVERSE_UNIT_MM = 20.0
"""By which the distance from the midline is divided for the network."""
WEIGHTS = Path(__file__).parent / "weights" / "close_up.onnx"
"""Those that are shipped."""
_RIM_MM = 4.0
"""Towards the close-up's border, the first network's word counts more and more."""

FloatImage = npt.NDArray[np.float32]


def weights_sha256() -> str:
    """SHA-256 of the shipped weights: the first network's, `+`, this one's."""
    files = (network.WEIGHTS, WEIGHTS)
    return "+".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


def slices_shown(middle: int, count: int, *, distance_mm: float) -> tuple[int, ...]:
    """The five slices that show one of `count`: it, its neighbours, and two further out.

    Where the study ends, its last slice again.
    """
    far = max(2, round(FAR_MM / distance_mm))
    return tuple(int(np.clip(middle + k, 0, count - 1)) for k in (-far, -1, 0, 1, far))


def look_closely(
    anatomy: Anatomy, *, image: sitk.Image, frame: DiscFrame, weights: Path = WEIGHTS
) -> Anatomy:
    """The anatomy with what is around one disc outlined anew.

    Args:
        anatomy: of the first network, on the image's grid.
        image: intensities in sagittal order (see `mri_resorb.model`).
        frame: of the disc, origin at its posterior margin.

    Returns:
        The occupancies on the image's grid, changed within 35 mm above and below the frame's origin
        and from 18 mm before to 34 mm behind it.
    """
    planes, transverse_mm = _cut_out(image, frame)
    count = len(planes)
    distance_mm = image.GetSpacing()[2]
    seen = np.stack(
        [
            _run(
                planes[list(slices_shown(k, count, distance_mm=distance_mm))],
                transverse_mm=transverse_mm[k],
                weights=weights,
            )
            for k in range(count)
        ],
        axis=1,
    )
    return _put_back(anatomy, seen, image=image, frame=frame)


def _run(planes: FloatImage, *, transverse_mm: float, weights: Path) -> FloatImage:
    """(4, rows, columns): vertebra, disc, canal and sacrum in the middle one of five planes."""
    aside = np.full((1, *SHAPE), abs(transverse_mm) / TRANSVERSE_UNIT_MM, np.float32)
    (logits,) = session(weights).run(None, {"slices": np.concatenate([planes, aside])[None]})
    exponent = np.exp(logits[0] - logits[0].max(axis=0))
    return np.asarray(exponent[1:] / exponent.sum(axis=0))


def _cut_out(image: sitk.Image, frame: DiscFrame) -> tuple[FloatImage, FloatArray]:
    """Close-ups of every slice, normalised, and the slices' transverse coordinates in mm."""
    rows, columns = (
        (np.arange(2 * n) - n + 0.5) * PIXEL_MM / 2 + middle
        for n, middle in zip(SHAPE, (0.0, BEHIND_MM), strict=True)
    )
    centre, transverse_mm, down, back = _axes_in_slices(image, frame)
    offsets = rows[:, None, None] * down + columns[None, :, None] * back  # mm along rows, columns
    index = np.moveaxis(centre + offsets / np.array(image.GetSpacing())[[1, 0]], -1, 0)
    planes = [
        ndimage.map_coordinates(plane, index, order=1, mode="constant", output=np.float32)
        .reshape(SHAPE[0], 2, SHAPE[1], 2)
        .mean(axis=(1, 3))
        for plane in sitk.GetArrayViewFromImage(image)
    ]
    return normalise(np.stack(planes)), transverse_mm


def _axes_in_slices(
    image: sitk.Image, frame: DiscFrame
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Where the frame lies in the slices: alike in each, since its ap axis lies in their plane.

    Returns:
        row and column of its origin, the slices' transverse coordinates in mm, and the unit vectors
        (row, column) of downwards and backwards.
    """
    direction = np.array(image.GetDirection()).reshape(3, 3)
    down = -frame.axes[2] @ direction[:, [1, 0]]
    down /= np.linalg.norm(down)
    back = np.array([-down[1], down[0]])
    at = np.array(image.TransformPhysicalPointToContinuousIndex(frame.origin_mm))
    count = image.GetSize()[2]
    across_mm = (np.arange(count) - at[2]) * image.GetSpacing()[2]
    return at[[1, 0]], across_mm, down, back


def _put_back(
    anatomy: Anatomy, seen: FloatImage, *, image: sitk.Image, frame: DiscFrame
) -> Anatomy:
    """The closer look in place of the first network's word, on the image's grid."""
    centre, _, down, back = _axes_in_slices(image, frame)
    spacing = np.array(image.GetSpacing())[[1, 0]]
    values = [sitk.GetArrayFromImage(part) for part in _parts(anatomy)]
    # The frame lies alike in every slice, so a pixel's place in the close-up is worked out once.
    at_mm = (np.moveaxis(np.indices(values[0].shape[1:]), 0, -1) - centre) * spacing
    place = np.stack(
        [
            (at_mm @ axis - middle) / PIXEL_MM + (n - 1) / 2
            for axis, middle, n in zip((down, back), (0.0, BEHIND_MM), SHAPE, strict=True)
        ]
    )
    last = np.array(SHAPE)[:, None, None] - 1
    inside_mm = PIXEL_MM * np.minimum(place, last - place).min(axis=0)
    inside = inside_mm > 0
    share = np.minimum(inside_mm[inside] / _RIM_MM, 1).astype(np.float32)
    for part, mine in zip(values, seen, strict=True):
        for plane, close in zip(part, mine, strict=True):
            said = ndimage.map_coordinates(close, place[:, inside], order=1, output=np.float32)
            plane[inside] += share * (said - plane[inside])
    return Anatomy(*(_image_like(part, image) for part in values))


def _image_like(values: FloatImage, image: sitk.Image) -> sitk.Image:
    made = sitk.GetImageFromArray(values)
    made.CopyInformation(image)
    return made


def _parts(anatomy: Anatomy) -> tuple[sitk.Image, ...]:
    return anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum
