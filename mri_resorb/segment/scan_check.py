"""Whether a scan is one that can be measured: a lumbar spine, T2-weighted, sharp.

What the files say of plane and weighting is judged in `mri_resorb.io`; here the picture itself is,
since volume files say nothing and headers may be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mri_resorb.errors import NotLumbarSpineError, UnsuitableScanError

FloatImage = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

LEAST_CERTAINTY = 0.74
"""Of what is called disc, the mean occupancy: 0.84-0.93 in training patients, whole and cropped,
0.64 in a phantom of a head."""
LEAST_FLUID_TO_BONE = 1.2
LEAST_FLUID_TO_DISC = 1.65
"""On T2 fluid outshines at least one of them: 1.4-6.2 and 1.9-21 in 28 patients (the lowest in a
clipped export); 0.9 and 1.4 in a T1-weighted phantom, whose spine is recognised all the same."""
MOST_FLUID_TO_BONE = 13.0
"""Marrow darker than that is not told from disc: 1.4-6.2 in 28 patients, at most 12.5 in phantoms
with suppressed fat, which are read well; 13.7-24 in five training patients whose marrow and fat
were darkened to 0.15, whose discs then had a Dice of 0.72-0.89 instead of 0.87-0.95."""
MOST_EDGE_MM = 4.0
"""1.3-2.8 in 28 patients, 2.3-2.6 in phantoms with larger pixels, 3.4 where patients' slices were
blurred by 1.6 mm (standard deviation) or moved by 2.4 mm; a fragment is 5-10 mm deep."""
_DISC_HEIGHT_MOST_MM = 14.0
_WALL_REACH_MM = 5.0


@dataclass(frozen=True)
class ScanMeasures:
    """What a scan is judged by.

    Attributes:
        bone_cm3, disc_cm3, canal_cm3: amounts seen; of disc, what lies between bone and bone.
        certainty: mean occupancy of what is called disc, 0 where nothing is.
        fluid_to_bone, fluid_to_disc: signal of the brightest fifth of the canal over the median
            of the bones and of the discs, all above the darkest percent of the scan; NaN where one
            is not seen.
        edge_mm: how wide the step in signal at the front of the thecal sac is: its height over
            its steepest slope, of the median profile; NaN where there is no step.
    """

    bone_cm3: float
    disc_cm3: float
    canal_cm3: float
    certainty: float
    fluid_to_bone: float
    fluid_to_disc: float
    edge_mm: float


def check_scan(
    slices: FloatImage, classes: FloatImage, *, spacing_mm: tuple[float, float, float]
) -> None:
    """Refuse what cannot be measured.

    Args:
        slices: (slices, rows, columns) normalised intensities.
        classes: (4, slices, rows, columns) occupancy of each structure.
        spacing_mm: slices, rows, columns.

    Raises:
        NotLumbarSpineError: what a lumbar spine has is not seen in the image.
        UnsuitableScanError: it is seen, but not as in a sharp T2.
    """
    seen = measure_scan(slices, classes, spacing_mm=spacing_mm)
    sure = seen.certainty >= LEAST_CERTAINTY
    if seen.bone_cm3 < 10 or seen.disc_cm3 < 2 or seen.canal_cm3 < 1 or not sure:
        raise NotLumbarSpineError(
            f"No lumbar spine is recognised in the image: {seen.bone_cm3:.0f} cm3 of vertebra, "
            f"{seen.disc_cm3:.1f} cm3 of disc between vertebrae and {seen.canal_cm3:.1f} cm3 of "
            f"canal are seen{'' if sure else ', not surely'}; give a sagittal T2 series of it."
        )
    if seen.fluid_to_bone < LEAST_FLUID_TO_BONE and seen.fluid_to_disc < LEAST_FLUID_TO_DISC:
        raise UnsuitableScanError(
            "The fluid in the spinal canal is not bright, as it is on T2-weighted images (its "
            f"signal is {seen.fluid_to_bone:.1f} times that of bone and {seen.fluid_to_disc:.1f} "
            "times that of the discs); give the sagittal T2 series."
        )
    if seen.fluid_to_bone > MOST_FLUID_TO_BONE:
        raise UnsuitableScanError(
            "The marrow of the vertebrae is too dark to be told from the discs (the fluid in the "
            f"canal is {seen.fluid_to_bone:.0f} times as bright), as where fat is strongly "
            "suppressed; give a sagittal T2 series without fat suppression."
        )
    if seen.edge_mm > MOST_EDGE_MM:
        raise UnsuitableScanError(
            f"The image is not sharp: the front of the thecal sac is {seen.edge_mm:.1f} mm wide, "
            f"and more than {MOST_EDGE_MM:g} mm is too blurred to measure in, by movement or by "
            "large pixels; give a sharper series."
        )


def measure_scan(
    slices: FloatImage, classes: FloatImage, *, spacing_mm: tuple[float, float, float]
) -> ScanMeasures:
    """What `check_scan` judges by; same arguments."""
    vertebra, disc, canal, sacrum = classes >= 0.5
    bone = vertebra | sacrum
    # Amounts alone do not tell: in a picture of something else the network may see some of each,
    # but not in a spine's order, and not surely.
    rows = round(_DISC_HEIGHT_MOST_MM / spacing_mm[1])
    between = disc & _bone_within(bone, rows) & _bone_within(bone[:, ::-1], rows)[:, ::-1]
    voxel_cm3 = float(np.prod(spacing_mm)) / 1000
    return ScanMeasures(
        bone_cm3=float(bone.sum()) * voxel_cm3,
        disc_cm3=float(between.sum()) * voxel_cm3,
        canal_cm3=float(canal.sum()) * voxel_cm3,
        certainty=float(classes[1][disc].mean()) if disc.any() else 0.0,
        fluid_to_bone=_fluid_to(classes[0] + classes[3] > 0.9, slices, canal=classes[2] > 0.9),
        fluid_to_disc=_fluid_to(classes[1] > 0.9, slices, canal=classes[2] > 0.9),
        edge_mm=_edge_mm(slices, canal=canal, column_mm=spacing_mm[2]),
    )


def _bone_within(bone: Mask, rows: int) -> Mask:
    """Where bone lies no more than so many rows above (axis 1)."""
    counted = np.pad(np.cumsum(bone, axis=1, dtype=np.int32), ((0, 0), (rows, 0), (0, 0)))
    return np.asarray(counted[:, rows:] > counted[:, :-rows])


def _fluid_to(tissue: Mask, slices: FloatImage, *, canal: Mask) -> float:
    if not tissue.any() or not canal.any():
        return float("nan")
    fluid = float(np.percentile(slices[canal], 80))
    return fluid / max(float(np.median(slices[tissue])), 1e-3)


def _edge_mm(slices: FloatImage, *, canal: Mask, column_mm: float) -> float:
    reach = round(_WALL_REACH_MM / column_mm)
    first = np.argmax(canal, axis=2)
    kept = canal.any(axis=2) & (first >= reach) & (first < canal.shape[2] - reach)
    k, row = np.nonzero(kept)
    if k.size < 50:
        return float("nan")
    columns = first[k, row][:, None] + np.arange(-reach, reach)
    profile = np.median(slices[k[:, None], row[:, None], columns], axis=0)
    height = float(profile[reach:].max() - profile[:reach].min())
    slope = float(np.diff(profile).max()) / column_mm
    return height / slope if height > 0 and slope > 0 else float("nan")
