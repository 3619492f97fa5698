"""A fragment's mask as it comes from a page or program: looked at before any library loads it."""

from __future__ import annotations

import zlib
from http import HTTPStatus

import nibabel as nib
import numpy as np

from mri_resorb.errors import MaskError
from mri_resorb.service.web.problems import Problem

MOST_PACKED_BYTES = 64 * 2**20
_HEADER_BYTES = 348
_MOST_BYTES_A_VOXEL = 8
_SLACK_BYTES = 2**20
"""Header and extensions."""
_FARTHEST_MM = 1e5


def unpacked_mask(content: bytes, *, most_voxels: int) -> bytes:
    """The bytes of a NIfTI file, out of gzip where they came in it.

    Args:
        most_voxels: of the series; a mask has no more.

    Raises:
        MaskError: no single NIfTI-1 file, one whose header and size disagree, or one larger than
            the series.
        Problem: 413, it unpacks to more than a mask can have.
    """
    most_bytes = most_voxels * _MOST_BYTES_A_VOXEL + _SLACK_BYTES
    if content[:2] == b"\x1f\x8b":
        content = _gunzipped(content, most_bytes=most_bytes)
    if len(content) > most_bytes:
        raise _too_large()
    _check(content, most_voxels=most_voxels)
    return content


def _gunzipped(content: bytes, *, most_bytes: int) -> bytes:
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        made = unpacking.decompress(content, most_bytes + 1)
    except zlib.error as error:
        raise MaskError("The mask is damaged: it cannot be unpacked.") from error
    if len(made) > most_bytes:
        raise _too_large()
    if not unpacking.eof:
        raise MaskError("The mask is cut off.")
    return made


def _check(content: bytes, *, most_voxels: int) -> None:
    try:
        header = nib.Nifti1Header(content[:_HEADER_BYTES], check=True)
        shape = tuple(int(count) for count in header.get_data_shape())
        item_bytes = header.get_data_dtype().itemsize
        offset = int(header.get_data_offset())
        affine = header.get_best_affine()
    except Exception as error:  # a header of chance bytes can fail in any way
        raise MaskError("The mask is no NIfTI file; give .nii or .nii.gz.") from error
    voxels = int(np.prod(shape, dtype=object)) if shape else 0
    if bytes(header["magic"].item()) != b"n+1" or offset < _HEADER_BYTES:
        raise MaskError("The mask is no NIfTI file of one part; give .nii or .nii.gz.")
    if not 0 < voxels <= most_voxels:
        raise MaskError("The mask has more voxels than the series that is measured.")
    if not np.all(np.abs(affine) < _FARTHEST_MM) or np.linalg.det(affine[:3, :3]) == 0:
        raise MaskError("The mask does not say where it lies.")  # or lies where nobody is
    if offset + voxels * item_bytes > len(content):
        raise MaskError("The mask is cut off.")


def _too_large() -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        "The mask unpacks to more than the series that is measured has.",
    )
