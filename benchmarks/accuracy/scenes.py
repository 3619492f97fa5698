"""What a pair of scans is, and where it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import SimpleITK as sitk

from mri_resorb.model import Anatomy, HerniationType, Level, Point, SizeMm

Side = Literal["validation", "training"]
"""Figures are told of the first; errors are calibrated on the second."""
Family = Literal["implant", "phantom"]
Fate = Literal["stays", "shrinks", "loses the sequester", "vanishes", "grows", "none"]
STRUCTURES = ("vertebra", "disc", "canal", "sacrum")


@dataclass(frozen=True)
class Truth:
    """What is true of one level at one date.

    Attributes:
        size: None where there is nothing.
    """

    volume_cm3: float
    type: HerniationType
    size: SizeMm | None


@dataclass(frozen=True)
class Site:
    """One level of a scene: a pair to measure.

    Attributes:
        disc_at: a point inside the disc in the baseline, LPS mm.
    """

    level: Level
    fate: Fate
    disc_at: Point
    baseline: Truth
    follow_up: Truth

    @property
    def resorption_percent(self) -> float | None:
        """100 (V0 - V1) / V0; None where nothing was there."""
        before, after = self.baseline.volume_cm3, self.follow_up.volume_cm3
        return 100 * (before - after) / before if before > 0 else None


@dataclass(frozen=True)
class Protocol:
    """How one date was scanned."""

    slice_distance_mm: float
    slice_thickness_mm: float
    pixel_mm: float
    noise: float
    field_strength_tesla: float | None = None
    fat_suppressed: bool = False


@dataclass(frozen=True)
class Taken:
    """One date's scan with its truth, all on one grid in sagittal order.

    Attributes:
        anatomy: how much of each voxel a structure fills.
        fragments: by level, how much of each voxel the herniation fills.
    """

    image: sitk.Image
    anatomy: Anatomy
    fragments: dict[Level, sitk.Image]


@dataclass(frozen=True)
class Scene:
    """Two scans of one body, and what is true at one or more of its levels."""

    name: str
    family: Family
    sites: tuple[Site, ...]
    protocols: tuple[Protocol, Protocol]
    dates: tuple[Taken, Taken]


def scene_name(side: Side, family: Family, number: int) -> str:
    """Name of a scene: its files' too."""
    return f"{side}-{family}-{number:03d}"


def save(scene: Scene, folder: Path) -> None:
    """Keep a scene: two files of volumes, then one that says what they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, taken in enumerate(scene.dates):
        volumes = {"image": sitk.GetArrayViewFromImage(taken.image).astype(np.float32)}
        for name, image in _parts(taken):
            volumes[name] = np.rint(255 * sitk.GetArrayViewFromImage(image)).astype(np.uint8)
        image = taken.image
        np.savez_compressed(
            folder / f"{scene.name}-{number}.npz",
            origin=image.GetOrigin(),
            spacing=image.GetSpacing(),
            direction=image.GetDirection(),
            **volumes,
        )
    words = {
        "family": scene.family,
        "sites": [asdict(site) for site in scene.sites],
        "protocols": [asdict(protocol) for protocol in scene.protocols],
    }
    beside = folder / f"{scene.name}.part"
    beside.write_text(json.dumps(words))
    beside.rename(folder / f"{scene.name}.json")


def is_kept(name: str, folder: Path) -> bool:
    """Whether a scene is there, whole."""
    return (folder / f"{name}.json").is_file()


def load(name: str, folder: Path) -> Scene:
    """A scene that was kept."""
    words = json.loads((folder / f"{name}.json").read_text())
    first, second = (_load_taken(folder / f"{name}-{number}.npz") for number in (0, 1))
    one, other = (Protocol(**protocol) for protocol in words["protocols"])
    return Scene(
        name=name,
        family=words["family"],
        sites=tuple(map(_site, words["sites"])),
        protocols=(one, other),
        dates=(first, second),
    )


def _parts(taken: Taken) -> Iterator[tuple[str, sitk.Image]]:
    for name in STRUCTURES:
        yield name, getattr(taken.anatomy, name)
    yield from taken.fragments.items()


def _load_taken(file: Path) -> Taken:
    kept = np.load(file)

    def image(name: str, whole: float) -> sitk.Image:
        made = sitk.GetImageFromArray(kept[name].astype(np.float32) / np.float32(whole))
        made.SetOrigin(kept["origin"].tolist())
        made.SetSpacing(kept["spacing"].tolist())
        made.SetDirection(kept["direction"].tolist())
        return made

    return Taken(
        image=image("image", 1.0),
        anatomy=Anatomy(*(image(name, 255.0) for name in STRUCTURES)),
        fragments={level: image(level, 255.0) for level in Level if level in kept},
    )


def _site(words: dict) -> Site:
    truths = {}
    for date in ("baseline", "follow_up"):
        truth = words[date]
        size = SizeMm(**truth["size"]) if truth["size"] else None
        truths[date] = Truth(truth["volume_cm3"], truth["type"], size)
    x, y, z = words["disc_at"]
    return Site(Level(words["level"]), words["fate"], (x, y, z), **truths)
