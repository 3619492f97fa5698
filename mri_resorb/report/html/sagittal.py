"""One date from the side: its slices at the level, turned to lie like the other date's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.model import FloatArray, TimePoint
from mri_resorb.report.html import encode
from mri_resorb.report.html.planes import Edges, Picture, Structure, window_of
from mri_resorb.report.slices import contours, windowed

FIELD_MM = 90.0
_PIXELS = 330


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


def view(point: TimePoint, *, like: TimePoint) -> SagittalView:
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
            centre, field = np.array(point.disc.centre_mm), FIELD_MM
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
    return SagittalView(point, centre, right, lower, FIELD_MM, offsets, turned)


def pictures(view: SagittalView, *, indices: list[int]) -> dict[int, Picture]:
    """The slices of these indices."""
    point, in_plane = view.point, view.in_plane
    image = point.scan.image
    intensities = sitk.GetArrayViewFromImage(image)
    window = window_of(intensities)
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
            windowed(intensities[index], window),
            matrix=in_plane.matrix,
            offset=in_plane.offset,
            field_mm=view.field_mm,
            pixels_across=_PIXELS,
        )
        pictures[index] = Picture(
            offset_mm=float(view.offsets_mm[index]),
            number=index + 1,
            image=encode.jpeg(pixels),
            outlines=outlines,
            fragment_mm2=area,
        )
    return pictures


def outline(occupancy: npt.NDArray[np.float32], *, view: SagittalView) -> str:
    """SVG path of a structure given on one of the view's slices."""
    return _outline(occupancy, view=view, in_plane=view.in_plane)


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
    lines = contours(part)
    return encode.path([in_plane.to_picture(line + low) for line in lines])


def _to_index(image: sitk.Image) -> FloatArray:
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return np.linalg.inv(direction * np.array(image.GetSpacing()))


def _edges(right: FloatArray, down: FloatArray) -> Edges:
    return (_letter(-right), _letter(right), _letter(-down), _letter(down))


def _letter(direction: FloatArray) -> str:
    """The side of the patient (DICOM's letters) that an LPS direction points to most."""
    axis = int(np.abs(direction).argmax())
    return ("LR", "PA", "HF")[axis][0 if direction[axis] > 0 else 1]
