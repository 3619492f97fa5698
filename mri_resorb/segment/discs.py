"""Tells the discs of an anatomy apart and gives each its own frame.

Source of the frame: DEFINITIONS, "Level and frame" (project convention, version 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.geometry import frame_grid, sample, sample_grid, voxel_points
from mri_resorb.model import Anatomy, DiscFrame, FloatArray, Point

_SMALLEST_DISC_CM3 = 0.4
_SMALLEST_DISC_AP_MM = 14.0


@dataclass(frozen=True)
class Disc:
    """One disc of an anatomy.

    Attributes:
        occupancy: 0 or 1, of this disc alone (with displaced material joined to it), on the part
            of the anatomy's grid that holds it.
        frame: its frame, origin at the disc's centre.
        sacrum_below: part of the bone under the disc that is sacrum, 0-1; NaN where no bone is
            seen there.
        components: connected regions of disc occupancy over the whole grid; `label` is this
            disc's, `other_labels` are the other discs'.
    """

    occupancy: sitk.Image
    frame: DiscFrame
    sacrum_below: float
    components: sitk.Image
    label: int
    other_labels: tuple[int, ...]

    @property
    def centre_mm(self) -> Point:
        """Centre of the disc, LPS."""
        return self.frame.origin_mm


def find_discs(anatomy: Anatomy) -> tuple[Disc, ...]:
    """All discs of the anatomy, from the lowest upwards.

    A disc is a connected region of disc occupancy of at least 0.4 cm3 and 14 mm from front to
    back; smaller ones are detached fragments or specks.
    """
    components = sitk.RelabelComponent(sitk.ConnectedComponent(anatomy.disc >= 0.5))
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(components)
    columns_mm = anatomy.disc.GetSpacing()[0]
    labels = [
        label
        for label in shapes.GetLabels()
        if shapes.GetPhysicalSize(label) >= _SMALLEST_DISC_CM3 * 1000
        and shapes.GetBoundingBox(label)[3] * columns_mm >= _SMALLEST_DISC_AP_MM
    ]
    discs = []
    for label in labels:
        box = shapes.GetBoundingBox(label)
        mine = sitk.RegionOfInterest(components, box[3:], box[:3]) == label
        mine = sitk.Cast(mine, sitk.sitkFloat32)
        frame = fit_disc_frame(disc=mine, canal=anatomy.canal)
        discs.append(
            Disc(
                occupancy=mine,
                frame=frame,
                sacrum_below=_sacrum_below(anatomy=anatomy, frame=frame),
                components=components,
                label=label,
                other_labels=tuple(other for other in labels if other != label),
            )
        )
    return tuple(sorted(discs, key=lambda disc: disc.centre_mm[2]))


def _sacrum_below(*, anatomy: Anatomy, frame: DiscFrame) -> float:
    below = frame_grid(np.arange(-10, 6.0, 2), np.arange(-8, 9.0, 4), np.arange(-16.0, -5.0, 1.0))
    points = frame.to_patient(below)
    sacrum, vertebra = (float(sample(i, points).sum()) for i in (anatomy.sacrum, anatomy.vertebra))
    total = sacrum + vertebra
    return sacrum / total if total > 0.15 * points[..., 0].size else float("nan")


def without_other_discs(anatomy: Anatomy, disc: Disc) -> Anatomy:
    """The anatomy with this disc, and what is detached, left alone in its disc occupancy.

    Where discs lie close (listhesis, short bodies) a neighbour's rim must not be taken for a
    migrated fragment of this one.
    """
    components = sitk.GetArrayViewFromImage(disc.components)
    is_other = np.zeros(int(components.max()) + 1, np.uint8)
    is_other[list(disc.other_labels)] = 1
    # Dilation by a box, one axis after the other, which is much faster.
    near = ndimage.maximum_filter(is_other[components], size=(3, 5, 5), mode="constant")
    values = sitk.GetArrayFromImage(anatomy.disc)
    values[near.astype(bool) & (components != disc.label)] = 0
    alone = sitk.GetImageFromArray(values)
    alone.CopyInformation(anatomy.disc)
    return replace(anatomy, disc=alone)


def fit_disc_frame(*, disc: sitk.Image, canal: sitk.Image) -> DiscFrame:
    """Frame of one disc, its origin at the disc's centre in the canal's mid-sagittal plane.

    The craniocaudal axis is the normal of the plane midway between the disc's two endplate
    surfaces, fitted by least squares over the middle of the disc; the ap axis lies in the sagittal
    plane. `measure.boundary` then moves the origin to the posterior margin.

    Args:
        disc: occupancy of this one disc, 0-1, any grid.
        canal: occupancy of the spinal canal on the same grid.
    """
    voxels = np.argwhere(sitk.GetArrayViewFromImage(disc) >= 0.5).astype(float)
    points = voxel_points(disc, voxels)
    centre = points.mean(axis=0)
    across = np.array(disc.GetDirection()).reshape(3, 3)[:, 2]
    across = across * np.sign(across[0])  # to the patient's left

    in_plane = points - centre
    in_plane = in_plane - np.outer(in_plane @ across, across)
    _, _, principal = np.linalg.svd(in_plane, full_matrices=False)
    frame = _frame_from_normal(centre, normal=principal[1], across=across)
    for _ in range(3):
        frame = _level_with_endplates(frame, disc=disc)
    transverse = _canal_midline(frame, canal=canal)
    return DiscFrame.at(frame.to_patient(np.array([0.0, transverse, 0.0])), frame.axes)


def _frame_from_normal(origin: FloatArray, *, normal: FloatArray, across: FloatArray) -> DiscFrame:
    upwards = normal * (np.sign(normal[2]) or 1.0)
    upwards = upwards / np.linalg.norm(upwards)
    left = across - (across @ upwards) * upwards
    left /= np.linalg.norm(left)
    back = np.cross(upwards, left)  # left x back = up in LPS
    back *= np.sign(back[1]) or 1.0
    return DiscFrame.at(origin, np.stack([back, left, upwards]))


def _level_with_endplates(frame: DiscFrame, *, disc: sitk.Image) -> DiscFrame:
    """Turn the frame so that the disc's mid-plane is its craniocaudal zero."""
    ap = np.arange(-11.0, 11.5, 1.0)
    transverse = np.arange(-9.0, 9.5, 1.5)
    craniocaudal = np.arange(-12.0, 12.25, 0.5)
    inside = sample_grid(
        disc, frame, ap_mm=ap, transverse_mm=transverse, craniocaudal_mm=craniocaudal
    )
    thickness = inside.sum(axis=1)
    usable = thickness * 0.5 >= 1.5  # mm of disc in the column
    if usable.sum() < 20:
        return frame
    middle = (inside * craniocaudal[None, :, None]).sum(axis=1)[usable] / thickness[usable]
    across, along = np.meshgrid(transverse, ap, indexing="ij")
    terms = np.stack([np.ones(usable.sum()), along[usable], across[usable]], axis=1)
    # A narrow slab says little of the tilt across the spine: hold it towards none.
    level = np.array([[0.0, 0.0, np.sqrt(10.0 * usable.sum())]])
    weight = np.ones(len(middle))
    for _ in range(3):  # columns with spurs or displaced material count less
        held = np.concatenate([terms * weight[:, None], level])
        fit, *_ = np.linalg.lstsq(held, np.append(middle * weight, 0.0), rcond=None)
        weight = 1 / np.maximum(1.0, np.abs(middle - terms @ fit) / 0.7)
    offset, slope_ap, slope_transverse = fit
    normal = np.array([-slope_ap, -slope_transverse, 1.0]) @ frame.axes
    origin = frame.to_patient(np.array([0.0, 0.0, offset]))
    return _frame_from_normal(origin, normal=normal, across=frame.axes[1])


def _canal_midline(frame: DiscFrame, *, canal: sitk.Image) -> float:
    """Transverse coordinate of the canal's middle at the disc; 0 where no canal is seen."""
    transverse = np.arange(-20, 20.5, 1.0)
    seen = sample_grid(
        canal,
        frame,
        ap_mm=np.arange(5.0, 45.0, 1.0),
        transverse_mm=transverse,
        craniocaudal_mm=np.arange(-8, 9.0, 2.0),
    )
    weight = seen.sum(axis=(1, 2))
    if weight.sum() < 50:
        return 0.0
    return float((weight * transverse).sum() / weight.sum())
