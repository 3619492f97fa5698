"""Pictures of one date: its slices at the level, turned to lie like the other date's.

A picture's coordinates are millimetres from its centre, x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.model import DiscFrame, FloatArray, TimePoint
from mri_resorb.report.html import encode

Structure = Literal["canal", "boundary", "fragment"]
Edges = tuple[str, str, str, str]
"""Letters at the left, right, upper and lower edge."""

SAGITTAL_FIELD_MM = 90.0
AXIAL_FIELD_MM = 66.0
AXIAL_STEP_MM = 2.0
LATERAL_MM = 24.0
"""How far to both sides of the disc's middle slices belong to the level."""

_SAGITTAL_PIXELS = 330
_AXIAL_PIXEL_MM = 0.5
_AXIAL_CENTRE_AP_MM = -9.0
"""In front of the posterior margin, so that most of the disc and all of the canal are seen."""
_AXIAL_LEAST_MM, _AXIAL_MOST_MM = 10.0, 30.0
_AXIAL_MARGIN_MM = 4.0
_HALF = 0.5
"""Outlines run where a structure fills half of a voxel."""


@dataclass(frozen=True)
class Picture:
    """One slice.

    Attributes:
        offset_mm: sagittal: to the left of the disc's middle; axial: above the disc's mid-plane.
        number: of the slice in its series from the right, from 1; None for a reformat.
        image: data URI.
        outlines: SVG path data by structure, in tenths of a millimetre.
        fragment_mm2: how much of it is fragment.
    """

    offset_mm: float
    number: int | None
    image: str
    outlines: Mapping[Structure, str]
    fragment_mm2: float


@dataclass(frozen=True)
class InPlane:
    """Where a picture's points lie in a slice: index = matrix @ (x, y) + offset.

    Index is (column, row), continuous, 0 in the middle of the first voxel.
    """

    matrix: FloatArray
    offset: FloatArray

    def to_picture(self, index: FloatArray) -> FloatArray:
        """Indices (n, 2) to picture coordinates (n, 2), mm."""
        return np.asarray((index - self.offset) @ np.linalg.inv(self.matrix).T)


@dataclass(frozen=True)
class SagittalView:
    """How one date is looked at from the side.

    Attributes:
        centre_mm, right, down: of the picture, LPS; right and down are unit vectors.
        offsets_mm: of each slice to the patient's left of the centre.
        turned: (2, 2): from the frame's (ap, craniocaudal) to the picture's (x, y); None without
            a frame.
    """

    point: TimePoint
    centre_mm: FloatArray
    right: FloatArray
    down: FloatArray
    field_mm: float
    offsets_mm: FloatArray
    turned: FloatArray | None

    @property
    def in_plane(self) -> InPlane:
        """The same for all slices: a picture's points are projected onto the slice."""
        image = self.point.scan.image
        to_index = _to_index(image)
        start = to_index @ (self.centre_mm - np.array(image.GetOrigin()))
        axes = np.stack([self.right, self.down], axis=-1)
        return InPlane((to_index @ axes)[:2], start[:2])

    @property
    def edges(self) -> Edges:
        """Which side of the patient lies at each edge."""
        return _edges(self.right, self.down)


def around_level(point: TimePoint) -> TimePoint:
    """The same date with its volumes cut to what the pictures show, all slices kept.

    A date whose disc was not found stays whole.
    """
    image = point.scan.image
    centre = _centre_mm(point)
    if centre is None:
        return point
    place = image.TransformPhysicalPointToContinuousIndex(centre.tolist())
    reach_mm = SAGITTAL_FIELD_MM / 2**0.5 + 2.0
    columns, rows = (
        slice(
            int(np.clip(np.floor(at - reach_mm / spacing), 0, count - 1)),
            int(np.clip(np.ceil(at + reach_mm / spacing) + 1, 1, count)),
        )
        for at, spacing, count in list(
            zip(place, image.GetSpacing(), image.GetSize(), strict=True)
        )[:2]
    )
    fragment = point.fragment
    return replace(
        point,
        scan=replace(point.scan, image=image[columns, rows, :]),
        anatomy=replace(point.anatomy, canal=point.anatomy.canal[columns, rows, :]),
        fragment=fragment and replace(fragment, occupancy=fragment.occupancy[columns, rows, :]),
    )


def _centre_mm(point: TimePoint) -> FloatArray | None:
    """The back of the disc, else its middle."""
    if point.frame is not None:
        return np.array(point.frame.origin_mm)
    return None if point.disc is None else np.array(point.disc.centre_mm)


def sagittal_view(point: TimePoint, *, like: TimePoint) -> SagittalView:
    """Look at a date's disc, turned as the slices of `like` lie when both have their frame.

    Without a frame the slices are shown as they are: around the disc where it was found, or whole.
    """
    image = point.scan.image
    back, down, left = np.array(image.GetDirection()).reshape(3, 3).T
    origin = np.array(image.GetOrigin())
    distance = np.arange(image.GetSize()[2]) * image.GetSpacing()[2]
    if point.frame is None:
        extent = np.multiply(image.GetSize(), image.GetSpacing())
        if point.disc is None:
            middle = [(count - 1) / 2 for count in image.GetSize()]
            centre = np.array(image.TransformContinuousIndexToPhysicalPoint(middle))
            field = float(extent[:2].max())
        else:
            centre, field = np.array(point.disc.centre_mm), SAGITTAL_FIELD_MM
        offsets = distance + (origin - centre) @ left
        return SagittalView(point, centre, back, down, field, offsets, None)

    frame = point.frame
    guide = like if like.frame is not None else point
    assert guide.frame is not None
    their_back = np.array(guide.scan.image.GetDirection()).reshape(3, 3).T[0]
    ap, _, craniocaudal = guide.frame.axes @ their_back
    length = float(np.hypot(ap, craniocaudal))
    ap, craniocaudal = ap / length, craniocaudal / length
    right = ap * frame.axes[0] + craniocaudal * frame.axes[2]
    lower = craniocaudal * frame.axes[0] - ap * frame.axes[2]
    centre = np.array(frame.origin_mm)
    offsets = (distance + (origin - centre) @ left) / float(frame.axes[1] @ left)
    turned = np.array([[ap, craniocaudal], [craniocaudal, -ap]])
    return SagittalView(point, centre, right, lower, SAGITTAL_FIELD_MM, offsets, turned)


def sagittal_pictures(view: SagittalView, *, indices: list[int]) -> dict[int, Picture]:
    """The slices of these indices."""
    point, in_plane = view.point, view.in_plane
    image = point.scan.image
    intensities = sitk.GetArrayViewFromImage(image)
    window = _window(intensities)
    voxel_mm2 = float(np.prod(image.GetSpacing()[:2]))
    fragment = None if point.fragment is None else point.fragment.occupancy
    pictures = {}
    for index in indices:
        outlines: dict[Structure, str] = {}
        if point.frame is not None:
            canal = sitk.GetArrayViewFromImage(point.anatomy.canal)[index]
            outlines["canal"] = _outline(canal, view=view, in_plane=in_plane)
        if point.boundary_mm is not None:
            outlines["boundary"] = encode.path([_boundary(view, in_plane, index)])
        area = 0.0
        if fragment is not None:
            occupancy = sitk.GetArrayViewFromImage(fragment)[index]
            area = float(occupancy.sum()) * voxel_mm2
            outlines["fragment"] = _outline(occupancy, view=view, in_plane=in_plane)
        pixels = encode.turned(
            encode.windowed(intensities[index], window),
            matrix=in_plane.matrix,
            offset=in_plane.offset,
            field_mm=view.field_mm,
            pixels_across=_SAGITTAL_PIXELS,
        )
        pictures[index] = Picture(
            offset_mm=float(view.offsets_mm[index]),
            number=index + 1,
            image=encode.jpeg(pixels),
            outlines=outlines,
            fragment_mm2=area,
        )
    return pictures


@dataclass(frozen=True)
class AxialVolume:
    """One date resampled along its disc frame, for pictures only.

    Arrays have the shape (heights, rows, columns): rows to the back, columns to the patient's left.
    """

    heights_mm: FloatArray
    intensity: npt.NDArray[np.float32]
    canal: npt.NDArray[np.float32]
    fragment: npt.NDArray[np.float32] | None


def axial_heights_mm(points: tuple[TimePoint, TimePoint]) -> FloatArray:
    """Planes parallel to the disc, from the top down, over all that is fragment at either date."""
    reach = [_AXIAL_LEAST_MM]
    for point in points:
        if point.frame is not None and point.fragment is not None:
            occupancy = sitk.GetArrayViewFromImage(point.fragment.occupancy)
            filled = np.argwhere(occupancy >= _HALF)
            if filled.size:
                image = point.fragment.occupancy
                place = filled[:, ::-1] * np.array(image.GetSpacing())
                direction = np.array(image.GetDirection()).reshape(3, 3)
                lps = place @ direction.T + np.array(image.GetOrigin())
                height = np.abs(point.frame.to_frame(lps)[:, 2]).max()
                reach.append(float(height) + _AXIAL_MARGIN_MM)
    most = AXIAL_STEP_MM * np.ceil(min(max(reach), _AXIAL_MOST_MM) / AXIAL_STEP_MM)
    return np.arange(most, -most - AXIAL_STEP_MM / 2, -AXIAL_STEP_MM)


def axial_volume(point: TimePoint, *, heights_mm: FloatArray) -> AxialVolume:
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


def axial_pictures(volume: AxialVolume, *, point: TimePoint) -> list[Picture]:
    """One picture for each height, seen from the feet: the patient's right is on the left."""
    window = _window(sitk.GetArrayViewFromImage(point.scan.image))
    pictures = []
    for n, height in enumerate(volume.heights_mm):
        outlines: dict[Structure, str] = {"canal": axial_outline(volume.canal[n])}
        line = _axial_boundary(point, height_mm=float(height))
        if line is not None:
            outlines["boundary"] = encode.path([line])
        area = 0.0
        if volume.fragment is not None:
            outlines["fragment"] = axial_outline(volume.fragment[n])
            area = float(volume.fragment[n].sum()) * _AXIAL_PIXEL_MM**2
        pictures.append(
            Picture(
                offset_mm=float(height),
                number=None,
                image=encode.jpeg(encode.windowed(volume.intensity[n], window)),
                outlines=outlines,
                fragment_mm2=area,
            )
        )
    return pictures


def axial_outline(occupancy: npt.NDArray[np.float32]) -> str:
    """SVG path of a structure in an axial picture."""
    lines = encode.contours(occupancy, level=_HALF)
    return encode.path([(line + 0.5) * _AXIAL_PIXEL_MM - AXIAL_FIELD_MM / 2 for line in lines])


def sagittal_outline(occupancy: npt.NDArray[np.float32], *, view: SagittalView) -> str:
    """SVG path of a structure given on one of the view's slices."""
    return _outline(occupancy, view=view, in_plane=view.in_plane)


def _axial_grid(frame: DiscFrame, heights_mm: FloatArray) -> sitk.Image:
    """Columns to the patient's left, rows to the back, slices downwards from the first height."""
    count = round(AXIAL_FIELD_MM / _AXIAL_PIXEL_MM)
    grid = sitk.Image([count, count, len(heights_mm)], sitk.sitkUInt8)
    grid.SetSpacing((_AXIAL_PIXEL_MM, _AXIAL_PIXEL_MM, AXIAL_STEP_MM))
    ap, transverse, craniocaudal = frame.axes
    grid.SetDirection(np.stack([transverse, ap, -craniocaudal], axis=-1).ravel().tolist())
    first = (_AXIAL_PIXEL_MM - AXIAL_FIELD_MM) / 2
    corner = frame.to_patient(np.array([first + _AXIAL_CENTRE_AP_MM, first, heights_mm[0]]))
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
    return np.array(sorted(line)) - [0.0, _AXIAL_CENTRE_AP_MM]


def _boundary(view: SagittalView, in_plane: InPlane, index: int) -> FloatArray:
    assert view.point.boundary_mm is not None
    image = view.point.scan.image
    points = view.point.boundary_mm[index] - np.array(image.GetOrigin())
    line = in_plane.to_picture((points @ _to_index(image).T)[:, :2])
    # Straight between corners: every other point is enough, and the last one.
    return np.concatenate([line[:-1:4], line[-1:]])


def _outline(occupancy: npt.NDArray[np.float32], *, view: SagittalView, in_plane: InPlane) -> str:
    """Where it fills half of a voxel, within the picture's field."""
    half = view.field_mm / 2
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    seen = corners @ in_plane.matrix.T + in_plane.offset
    low = np.maximum(np.floor(seen.min(axis=0)).astype(int) - 1, 0)
    high = np.ceil(seen.max(axis=0)).astype(int) + 2
    part = occupancy[low[1] : high[1], low[0] : high[0]]
    lines = encode.contours(part, level=_HALF)
    return encode.path([in_plane.to_picture(line + low) for line in lines])


def _window(intensities: npt.NDArray[np.float32]) -> tuple[float, float]:
    low, high = np.percentile(intensities[:, ::4, ::4], (1.0, 99.7))
    return float(low), float(high)


def _to_index(image: sitk.Image) -> FloatArray:
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return np.linalg.inv(direction * np.array(image.GetSpacing()))


def _edges(right: FloatArray, down: FloatArray) -> Edges:
    return (_letter(-right), _letter(right), _letter(-down), _letter(down))


def _letter(direction: FloatArray) -> str:
    """The side of the patient (DICOM's letters) that an LPS direction points to most."""
    axis = int(np.abs(direction).argmax())
    return ("LR", "PA", "HF")[axis][0 if direction[axis] > 0 else 1]
