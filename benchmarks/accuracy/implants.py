"""Scenes of herniations implanted in real validation patients."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from benchmarks.accuracy.scenes import (
    STRUCTURES,
    Fate,
    Protocol,
    Scene,
    Side,
    Site,
    Taken,
    Truth,
    scene_name,
)
from benchmarks.implanted import (
    image_like,
    inside_disc,
    only_disc,
    room_mm,
    site,
    true_size_mm,
    truth_cm3,
    with_fragment,
)
from benchmarks.scoring_herniations import Kind, Layered, Tube, draw_layers, draw_tube
from mri_resorb.measure.boundary import PosteriorBoundary
from mri_resorb.model import Anatomy, DiscFrame, HerniationType, Level, Point
from mri_resorb.simulate.implant import LabelledScan, implant_herniation
from mri_resorb.simulate.reslice import Pose, reslice, with_rician_noise
from training.patients import (
    LabelledVolume,
    labelled_scan,
    local_intensities,
    read_patient,
    validation_patients,
)

LEVELS = list(reversed(Level))
VALIDATION_DISCS = (
    *(("5", 3), ("5", 4), ("35", 4), ("50", 3), ("69", 4)),
    *(("78", 3), ("78", 4), ("146", 3), ("177", 3), ("209", 4)),
)
"""Validation patients' discs, from the lowest up, that neither bulge nor are herniated."""
SEED: dict[Side, int] = {"validation": 41, "training": 42}
LEFT_OUT = ("22", "52", "107", "162", "152", "241")
"""Training patients' slabs of less than 17 slices, into which nothing fits, and doubtful numbers of
discs."""
SLICES_MM = ((3.0, 3.0), (3.3, 3.0), (4.0, 4.0), (4.4, 4.0), (5.0, 5.0), (0.9, 0.9))
"""Distance and thickness; the patients' own slices are 0.9 mm."""
FATES: tuple[Fate, ...] = (
    *("stays", "stays", "stays", "none"),
    *("shrinks", "shrinks", "shrinks", "vanishes", "vanishes"),
    *("loses the sequester", "grows"),
)


def training_discs(data: Path) -> tuple[tuple[str, int], ...]:
    """Training patients' lumbar discs graded neither bulging nor herniated, from the lowest up.

    A disc that bulges as it is reaches the outermost slices of these narrow slabs, and is refused.
    """
    kept_out = {*validation_patients(), *LEFT_OUT}
    with (data / "radiological_gradings.csv").open() as file:
        return tuple(
            (row["Patient"], int(row["IVD label"]) - 1)
            for row in csv.DictReader(file)
            if row["Patient"] not in kept_out
            and int(row["IVD label"]) <= 5
            and row["Disc herniation"] == row["Disc bulging"] == "0"
        )


@dataclass(frozen=True)
class _Piece:
    tube: Tube
    texture: Layered
    kind: Kind

    def thinner(self, thinness_mm: float) -> _Piece:
        left = self.tube.thinner(thinness_mm)
        seed = self.texture.seed + int(10 * thinness_mm)
        return replace(self, tube=left, texture=replace(self.texture, tube=left, seed=seed))


@dataclass(frozen=True)
class _Place:
    """One disc of one patient, untouched."""

    labelled: LabelledVolume
    index: int
    frame: DiscFrame
    boundary: PosteriorBoundary

    @property
    def level(self) -> Level:
        return LEVELS[self.index]


def implant_scene(number: int, *, side: Side, data: Path) -> Scene:
    """One disc of one patient, two examinations."""
    rng = np.random.default_rng([number, SEED[side]])
    discs = VALIDATION_DISCS if side == "validation" else training_discs(data)
    patient, index = discs[number * 7 % len(discs)]
    labelled = read_patient(data, patient)
    _, frame, boundary = site(labelled, index)
    place = _Place(labelled, index, frame, boundary)
    protocols = _protocols(rng)
    fate = FATES[rng.integers(len(FATES))]
    widest_mm = max(protocol.slice_distance_mm for protocol in protocols)
    pieces = _drawn(fate, place, rng=rng, slice_mm=widest_mm)
    made = [_implanted(place, of) for of in pieces]
    first, second = (only_disc(date.anatomy, index) for date in made)
    volumes = truth_cm3((first, second), frame=frame, boundary=boundary)
    sizes = true_size_mm((first, second), frame=frame, boundary=boundary)
    truths = [
        Truth(volume, _type(of), size) if of and size else Truth(0.0, "none", None)
        for volume, of, size in zip(volumes, pieces, sizes, strict=True)
    ]
    poses = (_pose(rng, inside_disc(frame), 4.0), _pose(rng, inside_disc(frame), 4.0))
    dates = [
        _taken(date, protocol, pose, level=place.level, seed=int(rng.integers(2**31)))
        for date, protocol, pose in zip(made, protocols, poses, strict=True)
    ]
    return Scene(
        name=scene_name(side, "implant", number),
        family="implant",
        sites=(Site(place.level, fate, poses[0].moved(inside_disc(frame)), truths[0], truths[1]),),
        protocols=protocols,
        dates=(dates[0], dates[1]),
    )


def _drawn(
    fate: Fate, place: _Place, *, rng: np.random.Generator, slice_mm: float
) -> tuple[tuple[_Piece, ...], tuple[_Piece, ...]]:
    """The pieces of both dates."""
    if fate == "none":
        return (), ()
    kind: Kind = ("protrusion", "extrusion", "sequestration")[rng.integers(3)]
    thinner_mm = float(rng.uniform(0.5, 1.6))
    if fate == "loses the sequester":
        stump = _piece("protrusion", place, rng=rng, slice_mm=slice_mm).thinner(0.6)
        return (stump, _piece("sequestration", place, rng=rng, slice_mm=slice_mm)), (stump,)
    piece = _piece(kind, place, rng=rng, slice_mm=slice_mm)
    other = {
        "stays": (piece,),
        "shrinks": (piece.thinner(thinner_mm),),
        "vanishes": (),
        "grows": (piece.thinner(thinner_mm),),
    }[fate]
    return (other, (piece,)) if fate == "grows" else ((piece,), other)


def _piece(kind: Kind, place: _Place, *, rng: np.random.Generator, slice_mm: float) -> _Piece:
    disc, sac, _ = local_intensities(labelled_scan(place.labelled), place.frame)
    tube = draw_tube(rng=rng, kind=kind, disc_height_mm=place.boundary.disc_height_mm())
    tube = tube.within(room_mm(place.labelled, place.frame, slice_mm=slice_mm))
    return _Piece(tube, draw_layers(rng=rng, tube=tube, disc=disc, sac=sac), kind)


@dataclass(frozen=True)
class _Made:
    """One date's body on the patient's own grid."""

    image: sitk.Image
    anatomy: Anatomy
    fragment: sitk.Image


def _implanted(place: _Place, pieces: tuple[_Piece, ...]) -> _Made:
    scan: LabelledScan = labelled_scan(place.labelled)
    disc, sac, _ = local_intensities(scan, place.frame)
    fragment = np.zeros(scan.image.shape)
    for piece in pieces:
        made = implant_herniation(
            scan=scan,
            frame=place.frame,
            boundary=place.boundary,
            shape=piece.tube,
            texture=piece.texture,
            fat_intensity=disc + 0.5 * (sac - disc),
        )
        scan, fragment = made.scan, np.maximum(fragment, made.fragment)
    occupied = replace(place.labelled, labels=scan.labels)
    whole = image_like(fragment, place.labelled)
    return _Made(
        image=image_like(scan.image, place.labelled),
        anatomy=with_fragment(occupied, fragment),
        fragment=whole,
    )


def _type(pieces: tuple[_Piece, ...]) -> HerniationType:
    kinds = [piece.kind for piece in pieces]
    if not kinds:
        return "none"
    return "sequestration" if "sequestration" in kinds else kinds[0]


def _protocols(rng: np.random.Generator) -> tuple[Protocol, Protocol]:
    """The second date's scanner is another one half of the time."""
    first = _protocol(rng)
    return first, _protocol(rng) if rng.random() < 0.5 else first


def _protocol(rng: np.random.Generator) -> Protocol:
    distance, thickness = SLICES_MM[rng.integers(len(SLICES_MM))]
    return Protocol(
        slice_distance_mm=distance,
        slice_thickness_mm=thickness,
        pixel_mm=float(rng.choice([0.5, 0.6, 0.7, 0.8, 0.9])),
        noise=float(rng.uniform(0.005, 0.025)),
    )


def _pose(rng: np.random.Generator, centre_mm: Point, shift_mm: float) -> Pose:
    """Slices centred on the spine within 2 mm, as technologists plan them."""
    turn = rng.uniform(-6, 6), *rng.uniform(-2, 2, 2)
    move = rng.uniform(-2, 2), *rng.uniform(-shift_mm, shift_mm, 2)
    return Pose(
        (float(turn[0]), float(turn[1]), float(turn[2])),
        (float(move[0]), float(move[1]), float(move[2])),
        centre_mm,
    )


def _taken(made: _Made, protocol: Protocol, pose: Pose, *, level: Level, seed: int) -> Taken:
    volumes = [made.image, *(getattr(made.anatomy, name) for name in STRUCTURES), made.fragment]
    image, *structures, fragment = reslice(
        volumes,
        slice_distance_mm=protocol.slice_distance_mm,
        slice_thickness_mm=protocol.slice_thickness_mm,
        pixel_mm=protocol.pixel_mm,
        pose=pose,
    )
    bright = float(np.percentile(sitk.GetArrayViewFromImage(image), 99))
    noisy = with_rician_noise(image, sigma=protocol.noise * bright, seed=seed)
    return Taken(noisy, Anatomy(*structures), {level: fragment})
