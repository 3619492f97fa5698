"""Frames to stacks: images that lie parallel at one distance and so form one volume.

A series may hold several: echoes, repetitions, planes. They are taken apart here, and what is
left must be regular, or it is refused with the place named. Slices lie where
ImagePositionPatient says, and their distance is measured there; SliceThickness and
SpacingBetweenSlices are not trusted with it (a gap is a tenth of the volume).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mri_resorb.errors import GeometryError, InputError, PixelDataError
from mri_resorb.io.dicom import Finding
from mri_resorb.io.frames import Frame, Header
from mri_resorb.languages import Phrase, Value
from mri_resorb.model import FloatArray

if TYPE_CHECKING:
    import SimpleITK as sitk


MIN_SLICES = 3
IN_PLANE_SPACING_MM = (0.1, 3.0)
SLICE_DISTANCE_MM = (0.3, 12.0)

ONE_PLANE_DEGREES = 5.0
"""Images turned further than this against each other are different planes of one series."""
PARALLEL_DEGREES = 0.2
"""Within one plane, more than this is a slice out of line: 0.3 mm at 80 mm from the centre."""
POSITION_TOLERANCE = 0.02
"""Of the slice distance: 0.1 mm in 5 mm; positions are written with two decimals or more."""
SIDEWAYS_TOLERANCE_MM = 0.2
"""How far a slice may lie beside the line through the first one along the normal."""
ECHO_TIME_TOLERANCE = 0.05
"""Echo times of one image set differ by less, as some scanners write them."""


@dataclass(frozen=True)
class Grid:
    """Geometry of a stack, LPS; index axes run along a row, down a column, along the normal.

    Attributes:
        direction: 3 x 3, columns are the unit vectors of the index axes.
        spacing_mm: between columns, between rows, centre to centre between slices.
    """

    origin_mm: FloatArray
    direction: FloatArray
    spacing_mm: tuple[float, float, float]

    def image(self, pixels: FloatArray | np.ndarray) -> sitk.Image:
        """A SimpleITK image of `pixels`, (slices, rows, columns), on this grid."""
        import SimpleITK as sitk

        image = sitk.GetImageFromArray(pixels)
        image.SetOrigin(self.origin_mm.tolist())
        image.SetDirection(self.direction.ravel().tolist())
        image.SetSpacing(self.spacing_mm)
        return image


@dataclass(frozen=True)
class Stack:
    """Frames of one series that belong together, in order along the normal.

    Attributes:
        flaw: why they cannot be read as one regular volume; None where they can.
    """

    frames: tuple[Frame, ...]
    grid: Grid | None
    flaw: InputError | None

    @property
    def header(self) -> Header:
        """Of its first file."""
        return self.frames[0].header


def stacks(finding: Finding) -> list[Stack]:
    """Sort frames into series and planes, split echoes and repetitions, judge each stack."""
    found: list[Stack] = []
    for series in _grouped(finding.frames, _series_key).values():
        usable = [frame for frame in series if frame.position_mm and frame.orientation]
        lost = [frame for frame in series if not (frame.position_mm and frame.orientation)]
        damaged = [flaw for uid, flaw in finding.damaged if uid and uid == series[0].header.series]
        for frames in _split(_without_copies(usable)):
            stack = _judged(frames)
            placeless = [frame for frame in lost if _shape(frame) == _shape(frames[0])]
            if damaged:
                stack = replace(stack, grid=None, flaw=PixelDataError(damaged[0]))
            elif placeless:
                flaw = _flaw("file-without-place", place=placeless[0].header.place)
                stack = replace(stack, grid=None, flaw=flaw)
            found.append(stack)
    return found


def normal(orientation: Sequence[float]) -> FloatArray:
    """Unit normal of an ImageOrientationPatient, row direction x column direction, LPS."""
    cross = np.cross(orientation[:3], orientation[3:])
    return np.asarray(cross / max(float(np.linalg.norm(cross)), 1e-9))


def grid(frames: Sequence[Frame]) -> Grid:
    """The regular grid of frames that are in order along their normal.

    Raises:
        GeometryError: fewer than three slices, or slices missing, double, irregular, shifted
            sideways or not parallel, or spacings no MRI has; slice places are mm along the normal.
    """
    check_count(len(frames))
    direction = _direction(frames)
    positions = np.array([frame.position_mm for frame in frames])
    along = positions @ direction[:, 2]
    distance = _slice_distance(along)
    sideways = (positions - positions[0]) @ direction[:, :2]
    worst = int(np.argmax(np.linalg.norm(sideways, axis=1)))
    if np.linalg.norm(sideways[worst]) > SIDEWAYS_TOLERANCE_MM:
        shift_mm = float(np.linalg.norm(sideways[worst]))
        raise _flaw("sideways", at_mm=float(along[worst]), shift_mm=shift_mm)
    between_rows, between_columns = frames[0].spacing_mm or (0.0, 0.0)
    spacing = (between_columns, between_rows, distance)
    check_spacing(in_plane_mm=spacing[:2], slice_distance_mm=distance)
    return Grid(origin_mm=positions[0], direction=direction, spacing_mm=spacing)


def check_count(slices: int) -> None:
    """Refuse what has too few slices to be a volume.

    Raises:
        GeometryError: fewer than three slices.
    """
    if slices < MIN_SLICES:
        raise _flaw("too-few-slices", slices=slices)


def check_spacing(*, in_plane_mm: Sequence[float], slice_distance_mm: float) -> None:
    """Refuse spacings that no lumbar MRI has.

    Raises:
        GeometryError: a spacing is outside its limits, or missing.
    """
    low, high = IN_PLANE_SPACING_MM
    if not all(low <= value <= high for value in in_plane_mm):
        shown = " x ".join(f"{value:g}" for value in in_plane_mm)
        raise _flaw("pixel-spacing", spacing_mm=shown, low_mm=low, high_mm=high)
    low, high = SLICE_DISTANCE_MM
    if not low <= slice_distance_mm <= high:
        raise _flaw("slice-distance", distance_mm=slice_distance_mm, low_mm=low, high_mm=high)


def _flaw(name: str, **values: Value) -> GeometryError:
    return GeometryError(Phrase(f"flaws.{name}", values))


def _judged(frames: Sequence[Frame]) -> Stack:
    try:
        return Stack(frames=tuple(frames), grid=grid(frames), flaw=None)
    except GeometryError as error:
        return Stack(frames=tuple(frames), grid=None, flaw=error)


def _direction(frames: Sequence[Frame]) -> FloatArray:
    """Columns: unit vectors along a row, down a column, along the normal; one for all frames."""
    first = np.array(frames[0].orientation)
    row, column = first[:3], first[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.allclose(lengths, 1, atol=1e-2) or abs(row @ column) > 1e-2:
        raise _flaw("orientation")
    through = normal(frames[0].orientation or ())
    for frame in frames:
        if _turn_degrees(frames[0], frame) > PARALLEL_DEGREES:
            at = float(np.dot(frame.position_mm or (), through))
            raise _flaw("not-parallel", at_mm=at)
    row = row / lengths[0]
    return np.stack([row, np.cross(through, row), through], axis=1)


def _slice_distance(along: FloatArray) -> float:
    """Centre-to-centre distance of sorted places along the normal, mm."""
    gaps = np.diff(along)
    distance = float(np.median(gaps))
    for gap, place in zip(gaps.tolist(), along.tolist(), strict=False):
        if gap < 0.1 * max(distance, SLICE_DISTANCE_MM[0]):
            raise _flaw("same-position", at_mm=place)
        steps = round(gap / distance)
        if steps > 1 and abs(gap - steps * distance) < 0.1 * distance:
            raise _flaw(
                "slices-missing", slices=steps - 1, at_mm=place + distance, distance_mm=distance
            )
        if abs(gap - distance) > POSITION_TOLERANCE * distance + 0.01:
            raise _flaw("irregular", distance_mm=distance, gap_mm=gap, at_mm=place)
    return float((along[-1] - along[0]) / (len(along) - 1))


def _split(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Take planes, matrices and echo times apart, then repetitions, where slices coincide."""
    split: list[list[Frame]] = []
    for alike in _grouped(frames, _shape).values():
        for plane in _clustered(alike, together=_same_plane):
            for echo in _clustered(sorted(plane, key=_echo_time), together=_same_echo):
                split += _without_coincidence(sorted(echo, key=_along_normal), key=0)
    return split


def _without_coincidence(frames: list[Frame], *, key: int) -> list[list[Frame]]:
    """Split by each of `Frame.splits` in turn while slices lie on, or half within, each other."""
    if key == len(frames[0].splits) or not _coincide(frames):
        return [frames]
    parts = _grouped(frames, lambda frame: frame.splits[key]).values()
    return [stack for part in parts for stack in _without_coincidence(part, key=key + 1)]


def _coincide(frames: Sequence[Frame]) -> bool:
    through = normal(frames[0].orientation or ())
    gaps = np.diff(np.array([frame.position_mm for frame in frames]) @ through)
    nearest = max(0.6 * (frames[0].thickness_mm or 0.0), 0.1)
    return bool(np.any(gaps < nearest))


def _without_copies(frames: Iterable[Frame]) -> list[Frame]:
    """Drop frames of instances that are stored twice."""
    kept: dict[Hashable, Frame] = {}
    for frame in frames:
        uid = frame.header.sop_instance or frame.header.path
        kept.setdefault((uid, frame.index, frame.position_mm), frame)
    return list(kept.values())


def _series_key(frame: Frame) -> Hashable:
    header = frame.header
    nameless = (header.path.parent, header.description, header.series_number)
    return (header.patient_key, header.study, header.series or nameless)


def _shape(frame: Frame) -> Hashable:
    spacing = frame.spacing_mm
    return (frame.rows, frame.columns, spacing and tuple(round(value, 3) for value in spacing))


def _along_normal(frame: Frame) -> float:
    return float(np.dot(frame.position_mm or (), normal(frame.orientation or ())))


def _echo_time(frame: Frame) -> float:
    return frame.contrast.echo_time_ms or 0.0


def _same_echo(one: Frame, other: Frame) -> bool:
    limit = ECHO_TIME_TOLERANCE * max(_echo_time(one), _echo_time(other))
    return abs(_echo_time(one) - _echo_time(other)) <= limit


def _same_plane(one: Frame, other: Frame) -> bool:
    return _turn_degrees(one, other) <= ONE_PLANE_DEGREES


def _turn_degrees(one: Frame, other: Frame) -> float:
    """Larger of the angles between the rows and between the columns of two frames."""
    a, b = np.reshape(one.orientation or (), (2, 3)), np.reshape(other.orientation or (), (2, 3))
    # From the chord, not the cosine, which is blind to small angles.
    chord = float(np.max(np.linalg.norm(a - b, axis=1)))
    return float(np.degrees(2 * np.arcsin(min(chord / 2, 1.0))))


def _grouped(
    frames: Iterable[Frame], key: Callable[[Frame], Hashable]
) -> dict[Hashable, list[Frame]]:
    groups: dict[Hashable, list[Frame]] = {}
    for frame in frames:
        groups.setdefault(key(frame), []).append(frame)
    return groups


def _clustered(
    frames: Iterable[Frame], *, together: Callable[[Frame, Frame], bool]
) -> list[list[Frame]]:
    """Groups of frames that each go with the group's first."""
    clusters: list[list[Frame]] = []
    for frame in frames:
        home = next((cluster for cluster in clusters if together(cluster[0], frame)), None)
        if home is None:
            clusters.append([frame])
        else:
            home.append(frame)
    return clusters
