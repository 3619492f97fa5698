"""What lies around the phantom's spine: fat, bowel, muscle, vessels, skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mri_resorb.simulate.canal import CANAL_DEPTH_MM
from mri_resorb.simulate.field import Array, Field, Layer, layer
from mri_resorb.simulate.spine_shape import SpineShape


@dataclass(frozen=True)
class Textures:
    """Noise over the whole field, standard deviation 1: from fine grain to streaks along muscle."""

    grain: Array
    mottle: Array
    streaks: Array
    clouds: Array
    marrow: Array
    """Grain and mottle together."""


def draw_textures(field: Field, rng: np.random.Generator) -> Textures:
    """The same at both dates of one person."""
    grain = field.noise(rng, scale_mm=(0.9, 0.6, 0.6))
    mottle = field.noise(rng, scale_mm=(2.2, 2.2, 2.2))
    return Textures(
        grain=grain,
        mottle=mottle,
        streaks=field.noise(rng, scale_mm=(1.6, 9.0, 1.3)),
        clouds=field.noise(rng, scale_mm=(9.0, 7.0, 6.0)),
        marrow=np.float32(0.75) * grain + np.float32(0.65) * mottle,
    )


def surrounding_layers(
    field: Field, shape: SpineShape, textures: Textures, rng: np.random.Generator
) -> list[Layer]:
    """Everything behind, beside and before the spine, from the outside inwards."""
    fascia, skin = _back_surfaces(field, shape, rng)
    region = field.whole
    y = field.y_mm
    transverse = np.abs(field.transverse_mm)
    behind, along = field.behind_mm, field.along_mm
    flat = np.ones((field.shape[0], 1, 1), np.float32)
    to_skin = (y[None, :] - skin[:, None])[None] * flat
    to_fascia = (y[None, :] - fascia[:, None])[None] * flat
    # The back is round: skin and fascia fall away from the middle line.
    round_mm = (transverse / 75.0) ** 2 * 30.0
    groove_mm = 4.0 * np.exp(-((transverse / 9.0) ** 2))
    to_skin, to_fascia = to_skin + round_mm + groove_mm * 0.6, to_fascia + round_mm
    septa = np.abs(textures.mottle + 0.6 * textures.clouds) < 0.05

    front_mm = behind + np.float32(36 * shape.scale)
    bowel = np.clip(1.8 * textures.clouds + 0.3, 0, 1) * np.clip((-12 - front_mm) / 8, 0, 1)
    muscle = np.maximum(np.maximum(to_fascia, 2.0 - behind), 4.2 - transverse)
    centre = behind + np.float32(17 * shape.scale)
    psoas = (np.hypot(centre / 19.0, (transverse - 36.0) / 14.5) - 1) * 14.0
    streak = 0.9 * textures.streaks + 0.35 * textures.mottle
    fatty = float(rng.uniform(1.3, 2.3))
    marbling = np.clip((streak - fatty) * 1.6, 0, 0.85)
    roof = np.float32(CANAL_DEPTH_MM * shape.scale)
    midline = np.maximum(np.maximum(transverse - 4.4, roof - behind), to_fascia)
    supraspinous = np.maximum(np.abs(to_fascia + 0.8) - 1.0, transverse - 7.0)
    layers = [
        layer("deep fat", region, field.fill(to_skin), texture=textures.mottle, amount=0.12),
        layer("bowel", region, bowel * field.fill(to_skin), texture=textures.mottle, amount=0.25),
        layer("fat", region, field.fill(np.maximum(to_skin, -to_fascia)),
              texture=textures.mottle, amount=0.05),
        layer("muscle", region, 0.35 * (septa & (to_fascia > 3) & (to_skin < -2))),
        layer("skin", region, field.fill(np.abs(to_skin + 1.0) - 1.0)),
        layer("muscle", region, field.fill(muscle), texture=textures.streaks, amount=0.13),
        layer("muscle", region, field.fill(psoas), texture=textures.streaks, amount=0.1),
        layer("deep fat", region, field.fill(muscle) * marbling),
        layer("interspinous", region, field.fill(midline), texture=textures.streaks, amount=0.4),
        layer("ligament", region, field.fill(supraspinous)),
    ]  # fmt: skip
    return layers + _vessel_layers(field, shape, along, rng)


def _back_surfaces(
    field: Field, shape: SpineShape, rng: np.random.Generator
) -> tuple[Array, Array]:
    """y of the fascia over the spinous processes and of the skin, for each row."""
    scale = shape.scale
    depth = {"S5": 10, "S4": 12, "S3": 17, "S2": 24, "S1": 32, "L5": 43, "L4": 48, "L3": 49,
             "L2": 48, "L1": 46, "T12": 45, "T11": 45, "T10": 45}  # fmt: skip
    fat = float(rng.uniform(5, 22))
    more = {"S5": 1.5, "S4": 1.6, "S3": 1.7, "S2": 1.7, "S1": 1.6, "L5": 1.5, "L4": 1.3, "L3": 1.0}
    heights, fascia, skin = [], [], []
    for name, mm in depth.items():
        body = shape.bodies[name]
        wall = (body.posterior_inferior + body.posterior_superior) / 2
        tip = wall + mm * scale * body.axes[0]
        heights.append(tip[1])
        fascia.append(tip[0])
        skin.append(tip[0] + fat * more.get(name, 0.9) + 2.5)
    order = np.argsort(heights)
    z = field.z_mm.astype(float)
    rows_mm = abs(float(field.z_mm[0] - field.z_mm[1]))
    surfaces = [
        ndimage.gaussian_filter1d(
            np.interp(z, np.array(heights)[order], np.array(v)[order]), s / rows_mm, mode="nearest"
        )
        for v, s in ((fascia, 10.0), (skin, 18.0))
    ]
    lowest = np.maximum(surfaces[1], surfaces[0] + 4.0)
    return surfaces[0].astype(np.float32), lowest.astype(np.float32)


def _vessel_layers(
    field: Field, shape: SpineShape, along: Array, rng: np.random.Generator
) -> list[Layer]:
    """Aorta to the left, vena cava to the right, each down to its fork before L4-L5."""
    forks = shape.curve.position(shape.discs["L4"].origin)
    layers = []
    for side, radius in ((9.0 + rng.normal(0, 2), 7.5), (-13.0 + rng.normal(0, 2), 8.5)):
        below = np.clip((forks + 8 - along) / 40.0, 0, 1)
        x = side + np.sign(side) * 30 * below
        r = radius * (1 - 0.35 * np.clip((forks + 8 - along) / 6.0, 0, 1))
        depth = 47.0 * shape.scale - 7 * below
        region = field.region((field.behind_mm > -75) & (field.behind_mm < -30))
        if region is None:
            continue
        part = (region[1], region[2])
        distance = np.hypot(
            field.transverse_mm[:, region[1]] - x[part], field.behind_mm[part] + depth[part]
        )
        layers.append(layer("ligament", region, field.fill(distance - r[part] - 1.2)))
        layers.append(layer("flowing blood", region, field.fill(distance - r[part])))
    return layers
