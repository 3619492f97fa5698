"""Herniations implanted in real patients, and what is true of them by the definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from mri_resorb.measure.boundary import PosteriorBoundary, frame_at_posterior_margin
from mri_resorb.measure.material import Material, find_material
from mri_resorb.measure.occupancy import Occupancy, fill
from mri_resorb.measure.shape import size_mm, whole_fragment
from mri_resorb.model import Anatomy, DiscFrame, Point, SizeMm, Structure
from mri_resorb.segment.discs import find_discs, without_other_discs
from training.patients import LabelledVolume, anatomy_of_labels


def truth_cm3(
    anatomies: tuple[Anatomy, Anatomy], *, frame: DiscFrame, boundary: PosteriorBoundary
) -> tuple[float, float]:
    """The definition's volumes on the experts' labels, both dates in one frame."""
    materials = [find_material(anatomy=a, frame=frame, boundary=boundary) for a in anatomies]
    united = materials[0].footprint | materials[1].footprint
    first, second = (
        fill(anatomy=a, frame=frame, boundary=boundary, material=m, footprint=united).volume_cm3
        for a, m in zip(anatomies, materials, strict=True)
    )
    return first, second


def fragment_alone(
    *, anatomy: Anatomy, frame: DiscFrame, boundary: PosteriorBoundary
) -> tuple[Material, Occupancy]:
    """Which material is herniated at one date by itself, and how much of it there is."""
    material = find_material(anatomy=anatomy, frame=frame, boundary=boundary)
    filled = fill(
        anatomy=anatomy,
        frame=frame,
        boundary=boundary,
        material=material,
        footprint=material.footprint,
    )
    return material, filled


def true_size_mm(
    anatomies: tuple[Anatomy, Anatomy], *, frame: DiscFrame, boundary: PosteriorBoundary
) -> tuple[SizeMm | None, SizeMm | None]:
    """As `truth_cm3`, the sizes: rim beside an implant that belongs to its footprint included."""
    materials = [find_material(anatomy=a, frame=frame, boundary=boundary) for a in anatomies]
    united = materials[0].footprint | materials[1].footprint
    wholes = [whole_fragment(material, united) for material in materials]
    first, second = (size_mm(w, boundary=boundary) if w.any() else None for w in wholes)
    return first, second


def room_mm(labelled: LabelledVolume, frame: DiscFrame, *, slice_mm: float) -> float:
    """Half-width around the midline that leaves the outermost slices free."""
    volume = labelled.volume
    slices, distance = volume.GetSize()[2], volume.GetSpacing()[2]
    k = volume.TransformPhysicalPointToContinuousIndex(frame.origin_mm)[2]
    return max(2.5, min(k + 0.5, slices - 0.5 - k) * distance - slice_mm - 1.0)


def site(labelled: LabelledVolume, index: int) -> tuple[Anatomy, DiscFrame, PosteriorBoundary]:
    """The expert's anatomy around one disc, from the lowest up, its frame and boundary."""
    anatomy = anatomy_of_labels(labelled)
    disc = find_discs(anatomy)[index]
    frame, boundary = frame_at_posterior_margin(anatomy=anatomy, frame=disc.frame)
    return without_other_discs(anatomy, disc), frame, boundary


def with_fragment(labelled: LabelledVolume, fragment: np.ndarray) -> Anatomy:
    """The labels' anatomy with the fragment's own occupancy instead of its hard label."""
    hard = labelled.labels == Structure.DISC
    anatomy = anatomy_of_labels(labelled)
    soft = np.where(fragment > 0, np.maximum(fragment, 0), hard).astype(np.float32)
    soft[hard & (fragment > 0) & (fragment < 0.5)] = 1.0  # the disc's own rim stays
    return replace(anatomy, disc=image_like(soft, labelled))


def only_disc(anatomy: Anatomy, index: int) -> Anatomy:
    """An anatomy without the discs but one, counted from the lowest up."""
    return without_other_discs(anatomy, find_discs(anatomy)[index])


def image_like(values: np.ndarray, labelled: LabelledVolume) -> sitk.Image:
    """An array (slices, rows, columns) on the patient's grid, float32."""
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.CopyInformation(labelled.volume)
    return image


def inside_disc(frame: DiscFrame) -> Point:
    """A point inside the disc, LPS mm."""
    x, y, z = frame.to_patient(np.array([-12.0, 0.0, 0.0]))
    return (float(x), float(y), float(z))
