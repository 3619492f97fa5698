"""One date from below: planes parallel to the disc, resampled from the sagittal slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.model import DiscFrame, FloatArray, TimePoint
from mri_resorb.report.html import encode
from mri_resorb.report.html.planes import LATERAL_MM, Picture, Structure, window_of
from mri_resorb.report.slices import HALF, contours, windowed

FIELD_MM = 66.0
_STEP_MM = 2.0
_PIXEL_MM = 0.5
_CENTRE_AP_MM = -9.0
"""In front of the posterior margin, so that most of the disc and all of the canal are seen."""
_LEAST_MM, _MOST_MM = 10.0, 30.0
_MARGIN_MM = 4.0


@dataclass(frozen=True)
class AxialVolume:
    """One date resampled along its disc frame, for pictures only.

    Arrays have the shape (heights, rows, columns): rows to the back, columns to the patient's left.
    """

    heights_mm: FloatArray
    intensity: npt.NDArray[np.float32]
    canal: npt.NDArray[np.float32]
    fragment: npt.NDArray[np.float32] | None


def heights_mm(points: tuple[TimePoint, TimePoint]) -> FloatArray:
    """Planes parallel to the disc, from the top down, over all that is fragment at either date."""
    reach = [_LEAST_MM]
    for point in points:
        if point.frame is not None and point.fragment is not None:
            occupancy = sitk.GetArrayViewFromImage(point.fragment.occupancy)
            filled = np.argwhere(occupancy >= HALF)
            if filled.size:
                image = point.fragment.occupancy
                place = filled[:, ::-1] * np.array(image.GetSpacing())
                direction = np.array(image.GetDirection()).reshape(3, 3)
                lps = place @ direction.T + np.array(image.GetOrigin())
                height = np.abs(point.frame.to_frame(lps)[:, 2]).max()
                reach.append(float(height) + _MARGIN_MM)
    most = _STEP_MM * np.ceil(min(max(reach), _MOST_MM) / _STEP_MM)
    return np.arange(most, -most - _STEP_MM / 2, -_STEP_MM)


def volume(point: TimePoint, *, heights_mm: FloatArray) -> AxialVolume:
    """Resample a date that has its frame."""
    assert point.frame is not None
    grid = _axial_grid(point.frame, heights_mm)

    def resampled(image: sitk.Image) -> npt.NDArray[np.float32]:
        made = sitk.Resample(image, grid, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkLinear)
        return np.asarray(sitk.GetArrayFromImage(made))

    return AxialVolume(
        heights_mm=heights_mm,
        intensity=resampled(point.scan.image),
        canal=resampled(point.anatomy.canal),
        fragment=None if point.fragment is None else resampled(point.fragment.occupancy),
    )


def pictures(volume: AxialVolume, *, point: TimePoint) -> list[Picture]:
    """One picture for each height, seen from the feet: the patient's right is on the left."""
    window = window_of(sitk.GetArrayViewFromImage(point.scan.image))
    pictures = []
    for n, height in enumerate(volume.heights_mm):
        outlines: dict[Structure, str] = {"canal": outline(volume.canal[n])}
        line = _axial_boundary(point, height_mm=float(height))
        if line is not None:
            outlines["boundary"] = encode.path([line])
        area = 0.0
        if volume.fragment is not None:
            outlines["fragment"] = outline(volume.fragment[n])
            area = float(volume.fragment[n].sum()) * _PIXEL_MM**2
        pictures.append(
            Picture(
                offset_mm=float(height),
                number=None,
                image=encode.jpeg(windowed(volume.intensity[n], window)),
                outlines=outlines,
                fragment_mm2=area,
            )
        )
    return pictures


def outline(occupancy: npt.NDArray[np.float32]) -> str:
    """SVG path of a structure in an axial picture."""
    lines = contours(occupancy)
    return encode.path([(line + 0.5) * _PIXEL_MM - FIELD_MM / 2 for line in lines])


def _axial_grid(frame: DiscFrame, heights_mm: FloatArray) -> sitk.Image:
    """Columns to the patient's left, rows to the back, slices downwards from the first height."""
    count = round(FIELD_MM / _PIXEL_MM)
    grid = sitk.Image([count, count, len(heights_mm)], sitk.sitkUInt8)
    grid.SetSpacing((_PIXEL_MM, _PIXEL_MM, _STEP_MM))
    ap, transverse, craniocaudal = frame.axes
    grid.SetDirection(np.stack([transverse, ap, -craniocaudal], axis=-1).ravel().tolist())
    first = (_PIXEL_MM - FIELD_MM) / 2
    corner = frame.to_patient(np.array([first + _CENTRE_AP_MM, first, heights_mm[0]]))
    grid.SetOrigin(corner.tolist())
    return grid


def _axial_boundary(point: TimePoint, *, height_mm: float) -> FloatArray | None:
    """The boundary where it meets a plane parallel to the disc, (slices, 2) mm in the picture."""
    if point.boundary_mm is None or point.frame is None:
        return None
    line = []
    for in_slice in point.frame.to_frame(point.boundary_mm):
        ap, transverse, craniocaudal = in_slice[np.argsort(in_slice[:, 2])].T
        if craniocaudal[0] <= height_mm <= craniocaudal[-1] and abs(transverse[0]) <= LATERAL_MM:
            line.append((transverse[0], np.interp(height_mm, craniocaudal, ap)))
    if len(line) < 2:
        return None
    return np.array(sorted(line)) - [0.0, _CENTRE_AP_MM]
