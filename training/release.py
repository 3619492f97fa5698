"""Reads the SPIDER release as it is published: `images/5_t2.mha`, `masks/5_t2.mha` and so on.

A patient has up to three series: `<number>_t1`, `<number>_t2` and `<number>_t2_SPACE`. Masks number
instances from the bottom: vertebrae 1-25 (partly visible ones 101-125), the canal 100, discs
201-225 (van der Graaf et al., Scientific Data 11:264, 2024; data doi 10.5281/zenodo.10159290,
CC BY 4.0).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.model import Structure

T2_SERIES = ("t2", "t2_SPACE")
INSTANCES = {
    Structure.VERTEBRA: ((1, 25), (101, 125)),
    Structure.CANAL: ((100, 100),),
    Structure.DISC: ((201, 225),),
}
_BRIGHTEST_PERCENTILE = 99.8


def is_release(folder: Path) -> bool:
    """Whether a folder holds the release, not the slabs made of it."""
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def t2_series(folder: Path) -> list[str]:
    """Every T2 series that has a mask, by name, in the order of the patients' numbers."""
    names = (file.stem for file in (folder / "images").glob("*.mha"))
    kept = [
        name
        for name in names
        if name.partition("_")[2] in T2_SERIES and (folder / "masks" / f"{name}.mha").is_file()
    ]
    return sorted(kept, key=lambda name: (int(name.partition("_")[0]), name))


def read_series(folder: Path, name: str) -> tuple[sitk.Image, sitk.Image]:
    """Image (uint8, its 99.8th percentile at 255) and mask (`Structure` values), as they lie.

    Raises:
        ValueError: image and mask are not on one grid, or the mask holds a label that the
            release does not describe.
    """
    image, mask = (sitk.ReadImage(folder / part / f"{name}.mha") for part in ("images", "masks"))
    if image.GetSize() != mask.GetSize():
        raise ValueError(f"{name}: image and mask differ in size.")
    values = sitk.GetArrayFromImage(image).astype(np.float32)
    brightest = max(float(np.percentile(values, _BRIGHTEST_PERCENTILE)), 1.0)
    bytes_ = np.clip(np.rint(values * (255 / brightest)), 0, 255).astype(np.uint8)
    labels = structures(sitk.GetArrayFromImage(mask), name=name)
    made = tuple(sitk.GetImageFromArray(array) for array in (bytes_, labels))
    for one in made:
        one.CopyInformation(image)
    return made[0], made[1]


def structures(instances: npt.NDArray[np.integer], *, name: str) -> npt.NDArray[np.uint8]:
    """Instance labels to `Structure` values."""
    labels = np.zeros(instances.shape, np.uint8)
    for structure, ranges in INSTANCES.items():
        for first, last in ranges:
            labels[(instances >= first) & (instances <= last)] = structure
    unknown = sorted({int(value) for value in np.unique(instances[labels == 0])} - {0})
    if unknown:
        raise ValueError(f"{name}: the mask holds labels that are not the release's: {unknown}.")
    return labels
