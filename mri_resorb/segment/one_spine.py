"""Leaves one spine of what the network sees.

Here and there it takes something far off, in the belly or in a field of noise, for a bit of bone or
of sacrum. What lies apart from the spine can be no part of it, whatever it looks like; what lies
beside it is left as it is, however unusual.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

APART_MM = 20.0
"""Pieces nearer to each other than this are of one spine: bodies without their disc, processes in
outer slices, a canal closed by stenosis."""
_COARSE_MM = 3.0

FloatImage = npt.NDArray[np.float32]


def one_spine(classes: FloatImage, *, spacing_mm: tuple[float, float, float]) -> FloatImage:
    """The occupancies with nothing in what lies apart from the spine.

    The spine is the largest of the pieces that are left when all structures together are joined
    over gaps of up to `APART_MM`.

    Args:
        classes: (structures, slices, rows, columns), 0-1.
        spacing_mm: of slices, rows, columns.
    """
    rows, columns = classes.shape[2:]
    block = max(1, round(_COARSE_MM / spacing_mm[1]))
    filled = (classes.sum(axis=0) >= 0.5).astype(np.uint8)
    padded = np.pad(filled, ((0, 0), (0, -rows % block), (0, -columns % block)))
    blocks = padded.reshape(len(padded), padded.shape[1] // block, block, -1, block)
    coarse = blocks.max(axis=(2, 4))
    coarse_mm = (spacing_mm[0], block * spacing_mm[1], block * spacing_mm[2])
    reach = [2 * round(APART_MM / 2 / mm) + 1 for mm in coarse_mm]
    pieces, count = ndimage.label(ndimage.maximum_filter(coarse, size=reach, mode="constant"))
    if count < 2:
        return classes
    size = ndimage.sum_labels(blocks.sum(axis=(2, 4)), pieces, np.arange(1, count + 1))
    kept = pieces == int(np.argmax(size)) + 1
    kept = kept.repeat(block, axis=1).repeat(block, axis=2)[:, :rows, :columns]
    return np.asarray(classes * kept)
