"""Another program's anatomy in the place of the network's.

The network still looks: to see that the labels are of this scan, and for what no such program
draws (detached pieces of disc) or this one does not (often the canal, or the sacrum).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.errors import MaskError, NotLumbarSpineError
from mri_resorb.model import Anatomy, LabelledAnatomy, Remark, Structure
from mri_resorb.segment.discs import find_discs
from mri_resorb.segment.network import find_anatomy

AGREEMENT_LEAST = 0.6
"""Overlap (Dice) of the labelled discs with the network's, below which they are of another scan.

A disc is about 10 mm high: moved up by 4 mm it overlaps itself by 0.6. Two good segmentations of
one scan overlap by more than 0.8.
"""

Array = npt.NDArray[np.float32]


def complete(labelled: LabelledAnatomy, image: sitk.Image) -> tuple[Anatomy, tuple[Remark, ...]]:
    """The labelled anatomy with what it lacks, and what people should know of it.

    Args:
        labelled: on the grid of `image`; a voxel of it is filled or is not.
        image: the scan's intensities, sagittal order.

    Raises:
        MaskError: the labels do not fit the image.
        NotLumbarSpineError: the network sees no lumbar spine in the image, and the labels lack a
            structure.
    """
    remarks = list(labelled.warnings)
    filled = {
        structure: sitk.GetArrayFromImage(part) for structure, part in labelled.structures.items()
    }
    missing = [structure for structure in Structure if structure not in filled]
    try:
        seen = find_anatomy(image)
    except NotLumbarSpineError:
        if missing:
            raise
        remarks.append(Remark("anatomy-unchecked", {"tool": labelled.tool}))
        return _anatomy(filled, image), tuple(remarks)
    _check_agreement(filled[Structure.DISC], seen, tool=labelled.tool)
    _add_missing(filled, seen)
    remarks += [
        Remark(f"{structure.name.lower()}-from-network", {"tool": labelled.tool})
        for structure in missing
    ]
    _add_detached(filled, seen)
    return _anatomy(filled, image), tuple(remarks)


def _anatomy(filled: dict[Structure, Array], image: sitk.Image) -> Anatomy:
    parts = []
    for structure in Structure:
        part = sitk.GetImageFromArray(filled[structure].astype(np.float32))
        part.CopyInformation(image)
        parts.append(part)
    return Anatomy(*parts, hard=True)


def _check_agreement(disc: Array, seen: Anatomy, *, tool: str) -> None:
    """Compare in the rows where both have discs: fields of view of programs differ."""
    labelled = disc >= 0.5
    network = sitk.GetArrayViewFromImage(seen.disc) >= 0.5
    rows = [np.flatnonzero(mask.any(axis=(0, 2))) for mask in (labelled, network)]
    dice = 0.0
    if all(part.size for part in rows):
        both = np.s_[:, max(r[0] for r in rows) : min(r[-1] for r in rows) + 1]
        first, second = labelled[both], network[both]
        dice = 2 * float((first & second).sum()) / max(1, int(first.sum() + second.sum()))
    if dice < AGREEMENT_LEAST:
        raise MaskError(
            f"The label map of {tool} does not fit the scan: its discs overlap those that are seen "
            f"in the image by {dice:.2f} (Dice). Give the map made from this series."
        )


def _add_missing(filled: dict[Structure, Array], seen: Anatomy) -> None:
    """Structures that the labels lack, from the network, where the labels leave room.

    The network's sacrum also overrules a vertebra: a first sacral segment may be labelled as one.
    """
    if Structure.SACRUM not in filled:
        sacrum = sitk.GetArrayFromImage(seen.sacrum) * (1 - filled[Structure.DISC])
        filled[Structure.SACRUM] = sacrum
        filled[Structure.VERTEBRA] = filled[Structure.VERTEBRA] * (1 - sacrum)
    if Structure.CANAL not in filled:
        taken = sum(filled[s] for s in (Structure.VERTEBRA, Structure.DISC, Structure.SACRUM))
        free = np.clip(1 - np.asarray(taken), 0, 1)
        filled[Structure.CANAL] = sitk.GetArrayFromImage(seen.canal) * free


def _add_detached(filled: dict[Structure, Array], seen: Anatomy) -> None:
    """Pieces of disc that the network sees apart from any disc, where the labels have none."""
    found = sitk.GetArrayFromImage(seen.disc)
    pieces, count = ndimage.label(found >= 0.5, structure=np.ones((3, 3, 3)))
    kept = np.ones(count + 1, bool)
    kept[0] = False
    for disc in find_discs(seen):
        components = sitk.GetArrayViewFromImage(disc.components)
        kept[np.unique(pieces[components == disc.label])] = False
    kept[np.unique(pieces[filled[Structure.DISC] >= 0.5])] = False
    bone = filled[Structure.VERTEBRA] + filled[Structure.SACRUM]
    # Their outer voxels are filled in part.
    near = ndimage.binary_dilation(kept[pieces], structure=np.ones((3, 3, 3)))
    added = found * (near & (filled[Structure.DISC] < 0.5)) * np.clip(1 - bone, 0, 1)
    filled[Structure.DISC] = np.maximum(filled[Structure.DISC], added)
    filled[Structure.CANAL] = filled[Structure.CANAL] * (1 - added)
