"""Masks: what was measured, written in the series' own grid, and fragments that a person drew."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.errors import MaskError
from mri_resorb.model import Anatomy, Scan, Structure

GRID_TOLERANCE = 0.1
"""How far, in parts of a voxel's shortest edge, two grids may lie apart and still be the same."""

FRAGMENT_NAME = re.compile(r"fragment|herni|sequest|extru|protru", re.IGNORECASE)


def write_occupancy(image: sitk.Image, path: Path, *, native_orientation: str) -> None:
    """Write how much of each voxel is filled as NIfTI, float32, 0-1.

    Args:
        image: on the scan's grid, sagittal order.
        path: ends in `.nii.gz`.
        native_orientation: axis code of the series' own grid (`Scan.native_orientation`). Getting
            there takes flips and swaps of axes only, so no value changes.
    """
    native = sitk.DICOMOrient(sitk.Cast(image, sitk.sitkFloat32), native_orientation)
    sitk.WriteImage(native, str(path), useCompression=True)


def write_labels(anatomy: Anatomy, path: Path, *, native_orientation: str) -> None:
    """Write the anatomy as NIfTI labels, uint8: 0 background and the values of `Structure`.

    Each voxel gets the structure that fills most of it; background fills what the four leave.
    """
    parts = {
        Structure.VERTEBRA: anatomy.vertebra,
        Structure.DISC: anatomy.disc,
        Structure.CANAL: anatomy.canal,
        Structure.SACRUM: anatomy.sacrum,
    }
    filled = np.stack([sitk.GetArrayViewFromImage(parts[structure]) for structure in Structure])
    background = 1.0 - filled.sum(axis=0, keepdims=True)
    largest = np.concatenate([background, filled]).argmax(axis=0)
    values = np.array([0, *Structure], np.uint8)
    labels = sitk.GetImageFromArray(values[largest])
    labels.CopyInformation(anatomy.disc)
    sitk.WriteImage(sitk.DICOMOrient(labels, native_orientation), str(path), useCompression=True)


def read_fragment_mask(path: Path, *, scan: Scan) -> sitk.Image:
    """Read a fragment drawn or corrected by a person: NIfTI, NRRD, `.seg.nrrd`, MHA or DICOM SEG.

    The mask has to lie on the scan's own voxels; its axes may come in any order, and it may cover
    only a part of the scan (as segmentation tools crop). Of several segments the one named like a
    fragment is taken. Values between 0 and 1 are occupancies; a single other value (2, 255) is a
    label.

    Returns:
        float32, 0-1, on the scan's grid in sagittal order.

    Raises:
        MaskError: unreadable, on another grid, on another series, more than one candidate segment,
            or empty. An empty mask is refused since nothing tells it from a failed export, and it
            would be read as complete resorption: the automatic measurement says "absent" by itself.
    """
    if not path.is_file():
        raise MaskError(f"{path} is not a mask file.")
    mask = _read_dicom_segment(path, scan=scan) if _is_dicom(path) else _read_volume_segment(path)
    return _on_grid_of(scan.image, mask=_occupancy(mask, path=path), path=path)


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _read_dicom_segment(path: Path, *, scan: Scan) -> sitk.Image:
    """The fragment's segment of a DICOM SEG object; frames that it leaves out are empty."""
    from highdicom.seg import segread

    try:
        segmentation = segread(path)
        number = _fragment_segment(
            {
                number: str(segmentation.get_segment_description(number).segment_label)
                for number in segmentation.segment_numbers
            },
            path=path,
        )
        volume = segmentation.get_volume(segment_numbers=[number])
    except MaskError:
        raise
    except Exception as error:  # a foreign file can fail in any way inside the readers
        raise MaskError(f"{path} cannot be read as a DICOM segmentation.") from error

    drawn_on = {
        str(series.SeriesInstanceUID) for series in segmentation.get("ReferencedSeriesSequence", [])
    }
    if scan.series_uid and drawn_on and scan.series_uid not in drawn_on:
        raise MaskError(
            f"{path} was drawn on another series than the one that is measured: choose its series, "
            "or draw it on the measured one."
        )
    return _from_affine(volume.array[..., 0], affine=volume.get_affine("LPS"))


def _from_affine(array: npt.NDArray[np.generic], *, affine: npt.NDArray[np.float64]) -> sitk.Image:
    """Volume from an array (any axis order) and its affine from array indices to LPS."""
    image = sitk.GetImageFromArray(np.asarray(array, np.float32))
    axes = affine[:3, 2::-1]  # SimpleITK counts the array's axes from the last
    spacing_mm = np.linalg.norm(axes, axis=0)
    image.SetSpacing(spacing_mm.tolist())
    image.SetDirection((axes / spacing_mm).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def _read_volume_segment(path: Path) -> sitk.Image:
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise MaskError(
            f"{path} cannot be read as a mask; give NIfTI, NRRD, .seg.nrrd, MHA or DICOM SEG."
        ) from error
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = sitk.Extract(image, [*image.GetSize()[:3], 0])
    if image.GetDimension() != 3:
        raise MaskError(f"{path} has {image.GetDimension()} dimensions; a mask has three.")

    names = _slicer_segments(image)
    if names:
        chosen = _fragment_segment(names, path=path)
        label = float(_slicer_field(image, chosen, "LabelValue", default="1"))
        layer = int(_slicer_field(image, chosen, "Layer", default="0"))
        if layer >= image.GetNumberOfComponentsPerPixel():
            raise MaskError(f"{path} names a layer that it does not hold; export it again.")
        values = sitk.GetArrayViewFromImage(image).reshape(*image.GetSize()[::-1], -1)
        segment = sitk.GetImageFromArray((values[..., layer] == label).astype(np.float32))
        segment.CopyInformation(image)
        return segment
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise MaskError(f"{path} has several values a voxel; export the fragment's mask alone.")
    return image


def _slicer_segments(image: sitk.Image) -> dict[int, str]:
    """Names of the segments that 3D Slicer's header fields list, by their number there.

    Source: 3D Slicer's developer guide, "Segmentation labelmap file format (.seg.nrrd)".
    """
    found = (re.fullmatch(r"Segment(\d+)_Name", key) for key in image.GetMetaDataKeys())
    return {int(match[1]): image.GetMetaData(match[0]) for match in found if match}


def _slicer_field(image: sitk.Image, number: int, name: str, *, default: str) -> str:
    key = f"Segment{number}_{name}"
    return str(image.GetMetaData(key)) if image.HasMetaDataKey(key) else default


def _fragment_segment(names: dict[int, str], *, path: Path) -> int:
    """The only segment, or the only one whose name says that it is the fragment."""
    candidates = (
        list(names)
        if len(names) == 1
        else [number for number, name in names.items() if FRAGMENT_NAME.search(name)]
    )
    if len(candidates) != 1:
        raise MaskError(
            f"{path} holds {len(names)} segments, and {len(candidates) or 'none'} of them named as "
            "a fragment; keep or name just one 'fragment'."
        )
    return candidates[0]


def _occupancy(mask: sitk.Image, *, path: Path) -> sitk.Image:
    """The mask's values as occupancies, 0-1."""
    values = sitk.GetArrayFromImage(mask).astype(np.float32)
    if not np.isfinite(values).all() or values.min(initial=0.0) < 0:
        raise MaskError(f"{path} has negative or non-finite values; a mask has 0-1 or one label.")
    labels = np.unique(values[values > 0])
    if labels.size == 0:
        raise MaskError(
            f"{path} is empty, which nothing tells from a failed export. Where the fragment is "
            "gone, leave the mask out: the automatic measurement reports it as absent."
        )
    if labels[-1] > 1:
        if labels.size > 1:
            raise MaskError(f"{path} holds several labels; keep the fragment alone.")
        values = (values > 0).astype(np.float32)
    occupancy = sitk.GetImageFromArray(values)
    occupancy.CopyInformation(mask)
    return occupancy


def _on_grid_of(reference: sitk.Image, *, mask: sitk.Image, path: Path) -> sitk.Image:
    """Put a mask whose voxels coincide with the reference's onto its grid, cropping and padding.

    Raises:
        MaskError: the voxels do not coincide, or filled ones lie outside of the reference.
    """
    orientation = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(
        reference.GetDirection()
    )
    oriented = sitk.DICOMOrient(mask, orientation)
    offset = lattice_offset(oriented, reference=reference)
    if offset is None:
        raise MaskError(
            f"{path} lies on another grid than the series that is measured "
            f"({_grid_words(oriented)}, not {_grid_words(reference)}); "
            "save it on that series' own grid."
        )
    values = sitk.GetArrayViewFromImage(oriented)
    on_grid = np.zeros(reference.GetSize()[::-1], np.float32)
    spans = [
        (max(0, start), min(whole, start + part))
        for start, part, whole in zip(offset[::-1], values.shape, on_grid.shape, strict=True)
    ]
    into = tuple(slice(low, max(low, high)) for low, high in spans)
    out_of = tuple(
        slice(low - start, max(low, high) - start)
        for (low, high), start in zip(spans, offset[::-1], strict=True)
    )
    on_grid[into] = values[out_of]
    if np.count_nonzero(on_grid) != np.count_nonzero(values):
        raise MaskError(f"{path} reaches outside of the series that is measured.")
    image = sitk.GetImageFromArray(on_grid)
    image.CopyInformation(reference)
    return image


def lattice_offset(mask: sitk.Image, *, reference: sitk.Image) -> tuple[int, int, int] | None:
    """Index of the mask's first voxel in the reference; None where the voxels do not coincide."""
    tolerance_mm = GRID_TOLERANCE * min(reference.GetSpacing())
    first = reference.TransformPhysicalPointToContinuousIndex(mask.GetOrigin())
    offset = tuple(round(index) for index in first)
    for corner in product(*((0, size - 1) for size in mask.GetSize())):
        here = np.asarray(mask.TransformIndexToPhysicalPoint(corner))
        # Not TransformIndexToPhysicalPoint: the mask may begin outside of the reference.
        there = reference.TransformContinuousIndexToPhysicalPoint(
            [float(index + start) for index, start in zip(corner, offset, strict=True)]
        )
        if np.linalg.norm(here - np.asarray(there)) > tolerance_mm:
            return None
    return offset[0], offset[1], offset[2]


def _grid_words(image: sitk.Image) -> str:
    size = " x ".join(str(count) for count in image.GetSize())
    return f"{size} voxels of {' x '.join(f'{edge:.3g}' for edge in image.GetSpacing())} mm"
