"""Scenes of phantoms: every lumbar level with another herniation, whole field of view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from benchmarks.accuracy.scenes import Fate, Protocol, Scene, Side, Site, Taken, Truth, scene_name
from benchmarks.accuracy.sizes import size_mm
from mri_resorb.geometry import voxel_points
from mri_resorb.model import Level
from mri_resorb.simulate.acquisition import Acquisition, Pose, acquire
from mri_resorb.simulate.herniation import Herniation
from mri_resorb.simulate.phantom import Phantom, lumbar_phantom
from mri_resorb.simulate.tissue import SpinEcho

FIRST_SEED: dict[Side, int] = {"validation": 5200, "training": 3000}
"""Validation has the seeds 5000-8999; 5000 and 5001 are the unit tests'. Training has those below
5000; the network was trained on some below 400."""
SLICES_MM = ((3.0, 3.0), (3.3, 3.0), (4.0, 4.0), (4.4, 4.0), (5.0, 4.5), (5.5, 5.0), (0.9, 0.9))
"""Distance and thickness."""
FATES: tuple[Fate, ...] = (
    *("stays", "stays", "stays", "none"),
    *("shrinks", "shrinks", "shrinks", "vanishes", "vanishes"),
    *("loses the sequester", "loses the sequester", "grows"),
)
"""A third has no change."""
VOLUMES_CM3 = {
    "bulge": (0.3, 0.9),
    "protrusion": (0.1, 0.6),
    "extrusion": (0.15, 2.5),
    "sequestration": (0.1, 1.5),
}
"""Larger ones find no room in most canals; smaller bulges are none by the definition."""
LARGEST_STUMP_CM3 = 0.25
REACH_MM = 20.0
"""From a disc's centre to the middle of the next body, and a little."""
WIDTH_MM = 66.0
IN_PLANE_MM = 0.7
"""Of the fine grid; boundaries are finer, since its voxels are filled in part."""
FIELD_MM = (240.0, 180.0)
"""Of view: rows, columns."""
SLAB_MM = 54.0
MOST_TRIES = 40
Pieces = tuple[Herniation, ...]


def phantom_scene(number: int, *, side: Side) -> Scene:
    """One person, herniations at five levels, two examinations."""
    seed = FIRST_SEED[side] + number
    rng = np.random.default_rng([seed, 31])
    fates, phantoms, pieces = _grown(seed, rng)
    protocols = _protocols(rng)
    dates = []
    for phantom, protocol in zip(phantoms, protocols, strict=True):
        dates.append(_scan(phantom, protocol, rng))
    sites = []
    for level, fate in fates.items():
        if any(_neighbour_in_reach(scan, level) for scan in dates):
            continue
        truths = [
            _truth(phantom, level, of[level]) for phantom, of in zip(phantoms, pieces, strict=True)
        ]
        sites.append(Site(level, fate, dates[0].disc_centres_mm[level], truths[0], truths[1]))
    first, second = map(_taken, dates)
    return Scene(
        scene_name(side, "phantom", number), "phantom", tuple(sites), protocols, (first, second)
    )


def _grown(
    seed: int, rng: np.random.Generator
) -> tuple[dict[Level, Fate], tuple[Phantom, Phantom], tuple[dict[Level, Pieces], ...]]:
    """Herniations for which the body has room, drawn until it has."""
    for _ in range(MOST_TRIES):
        fates = {level: FATES[rng.integers(len(FATES))] for level in Level}
        drawn = {level: _draw(fate, rng) for level, fate in fates.items()}
        both = tuple({level: of[k] for level, of in drawn.items()} for k in (0, 1))
        try:
            first, second = (
                lumbar_phantom(seed=seed, herniations=b, width_mm=WIDTH_MM, in_plane_mm=IN_PLANE_MM)
                for b in both
            )
        except ValueError:  # no room
            continue
        return fates, (first, second), both
    raise RuntimeError(f"Phantom {seed} has no room for any herniations drawn.")


def _draw(fate: Fate, rng: np.random.Generator) -> tuple[Pieces, Pieces]:
    """The pieces of a level at both dates."""
    if fate == "none":
        return (), ()
    if fate == "loses the sequester":
        stump = replace(
            _piece("protrusion", rng), volume_cm3=float(rng.uniform(0.1, LARGEST_STUMP_CM3))
        )
        return (stump, _piece("sequestration", rng)), (stump,)
    kind = rng.choice(["bulge", "protrusion", "extrusion", "extrusion", "sequestration"])
    piece = _piece(str(kind), rng)
    if fate == "vanishes":
        return (piece,), ()
    factor = {"stays": 1.0, "shrinks": rng.uniform(0.15, 0.7), "grows": rng.uniform(0.3, 0.7)}[fate]
    other = replace(piece, volume_cm3=max(0.06, float(piece.volume_cm3 * factor)))
    return ((other,), (piece,)) if fate == "grows" else ((piece,), (other,))


def _piece(kind: str, rng: np.random.Generator) -> Herniation:
    moved = kind == "sequestration" or (kind == "extrusion" and rng.random() < 0.6)
    return Herniation(
        kind,  # type: ignore[arg-type]
        float(np.exp(rng.uniform(*np.log(VOLUMES_CM3[kind])))),
        side_mm=0.0 if kind == "bulge" else float(rng.uniform(-6, 6)),
        migration=str(rng.choice(["cranial", "caudal"])) if moved else "none",  # type: ignore[arg-type]
        signal=str(rng.choice(["dark", "iso", "bright"])),  # type: ignore[arg-type]
    )


def _protocols(rng: np.random.Generator) -> tuple[Protocol, Protocol]:
    """The second date's scanner is another one half of the time."""
    first = _protocol(rng)
    return first, _protocol(rng) if rng.random() < 0.5 else first


def _protocol(rng: np.random.Generator) -> Protocol:
    distance, thickness = SLICES_MM[rng.integers(len(SLICES_MM))]
    return Protocol(
        slice_distance_mm=distance,
        slice_thickness_mm=thickness,
        pixel_mm=float(rng.choice([0.35, 0.6, 0.7, 0.8, 0.9])),
        noise=float(rng.uniform(1 / 25, 1 / 8)),
        field_strength_tesla=float(rng.choice([1.5, 3.0])),
        fat_suppressed=bool(rng.random() < 0.15),
    )


def _scan(phantom: Phantom, protocol: Protocol, rng: np.random.Generator) -> Acquisition:
    turned, tilt = rng.uniform(-3, 3, 3), rng.uniform(-3, 3, 3)
    return acquire(
        phantom,
        noise_seed=int(rng.integers(2**31)),
        slice_distance_mm=protocol.slice_distance_mm,
        slice_thickness_mm=protocol.slice_thickness_mm,
        slices=round(SLAB_MM / protocol.slice_distance_mm),
        pixel_mm=protocol.pixel_mm,
        matrix=(round(FIELD_MM[0] / protocol.pixel_mm), round(FIELD_MM[1] / protocol.pixel_mm)),
        sequence=SpinEcho(
            float(rng.uniform(2500, 4500)),
            float(rng.uniform(80, 120)),
            protocol.field_strength_tesla or 1.5,
            protocol.fat_suppressed,
        ),
        pose=Pose(
            (float(turned[0]), float(turned[1]), float(turned[2])),
            (float(rng.uniform(-5, 5)), float(rng.uniform(-20, 20)), float(rng.uniform(-20, 20))),
        ),
        plane_rotation_degrees=(0.0, float(tilt[1]), float(tilt[2])),
        signal_to_noise=1 / protocol.noise,
        flow_voids=bool(rng.random() < 0.5),
    )


def _neighbour_in_reach(scan: Acquisition, level: Level) -> bool:
    """Whether a piece of another disc lies where the definition counts it to this one.

    The truth is then not that of the level's own pieces.
    """
    centre = np.array(scan.disc_centres_mm[level])
    for other, occupancy in scan.fragments.items():
        if other == level:
            continue
        towards = np.array(scan.disc_centres_mm[other]) - centre
        filled = np.argwhere(sitk.GetArrayViewFromImage(occupancy) >= 0.5).astype(float)
        along = (voxel_points(occupancy, filled) - centre) @ towards / np.linalg.norm(towards)
        if (along < REACH_MM).any():
            return True
    return False


def _truth(phantom: Phantom, level: Level, pieces: Pieces) -> Truth:
    fragment = phantom.fragments.get(level)
    if fragment is None:
        return Truth(0.0, "none", None)
    types = [piece.type for piece in pieces]
    kind = "sequestration" if "sequestration" in types else types[0]
    size = size_mm(fragment.occupancy, phantom.frames[level])
    # A bulge goes on beyond the lateral recesses, where a fragment ends by definition.
    return Truth(fragment.volume_cm3, kind, None if kind == "bulge" else size)


def _taken(scan: Acquisition) -> Taken:
    image = sitk.Cast(scan.image, sitk.sitkFloat32)
    return Taken(image, scan.anatomy, dict(scan.fragments))
