"""Pictures of the dates whose volume is furthest from the truth.

    python -m benchmarks.accuracy.worst [--count 6] [--output docs/accuracy]

After `python -m benchmarks.accuracy`, from its JSON and the scans it has kept.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from benchmarks.accuracy.measure import compare
from benchmarks.accuracy.scenes import load
from benchmarks.anatomy.unseen import outlined
from mri_resorb.measure.shared_frame import place_closely
from mri_resorb.segment.network import WEIGHTS

MOST_SLICES = 6
MARGIN_MM = 12.0
TRUE_COLOUR, FOUND_COLOUR = "#ffffff", "#ff5500"


@dataclass(frozen=True)
class Miss:
    """One date of one pair.

    Attributes:
        date: 0 baseline, 1 follow-up.
    """

    name: str
    date: int
    truth_cm3: float
    found_cm3: float

    @property
    def error_cm3(self) -> float:
        """Found less true."""
        return self.found_cm3 - self.truth_cm3


def largest_misses(rows: Sequence[dict[str, Any]], *, count: int) -> list[Miss]:
    """The dates with the largest errors, of each pair the worse one, the largest first."""
    worst = []
    for row in rows:
        dates = [
            Miss(row["name"], number, date["truth_cm3"], date["found_cm3"][0])
            for number, date in enumerate((row["baseline"], row["follow_up"]))
            if date["found_cm3"]
        ]
        if dates:
            worst.append(max(dates, key=lambda miss: abs(miss.error_cm3)))
    return sorted(worst, key=lambda miss: -abs(miss.error_cm3))[:count]


def draw(miss: Miss, *, cache: Path, file: Path) -> None:
    """The slices that hold the fragment: true outline drawn through, found one dashed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from PIL import Image

    image, truth, found = _volumes(miss, cache)
    held = truth.sum(axis=(1, 2)) + found.sum(axis=(1, 2)) > 0.5
    held &= (truth.max(axis=(1, 2)) > 0.05) | (found.max(axis=(1, 2)) > 0.05)
    shown = np.flatnonzero(held)
    shown = shown[np.linspace(0, len(shown) - 1, min(len(shown), MOST_SLICES)).round().astype(int)]
    rows, columns = _around(np.maximum(truth, found).max(axis=0), image.GetSpacing())
    intensities = sitk.GetArrayViewFromImage(image)
    brightest = float(np.percentile(intensities, 99.5))
    cm3 = float(np.prod(image.GetSpacing())) / 1000
    figure, axes = pyplot.subplots(
        1, len(shown), figsize=(1.9 * len(shown), 2.5), dpi=100, squeeze=False, layout="constrained"
    )
    for axis, k in zip(axes[0], shown, strict=True):
        axis.imshow(
            intensities[k, rows, columns], cmap="gray", vmax=brightest, interpolation="bicubic"
        )
        for part, colour, style in (
            (truth, TRUE_COLOUR, "solid"),
            (found, FOUND_COLOUR, "dashed"),
        ):
            if part[k].max() >= 0.5:
                axis.contour(
                    part[k, rows, columns], [0.5], colors=colour, linewidths=1.5, linestyles=style
                )
        said = f"{truth[k].sum() * cm3:.2f} → {found[k].sum() * cm3:.2f} cm³"
        axis.set_title(said, fontsize=8)
        axis.set_axis_off()
    drawn = io.BytesIO()
    figure.savefig(drawn)
    pyplot.close(figure)
    drawn.seek(0)
    picture = Image.open(drawn).convert("RGB")
    picture.quantize(256).save(file, optimize=True)


def _volumes(
    miss: Miss, cache: Path
) -> tuple[sitk.Image, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The scan, and how much of each voxel is fragment: truly, and as found."""
    *scene_words, upper, lower = miss.name.split("-")
    scene = load("-".join(scene_words), cache)
    site = next(site for site in scene.sites if str(site.level) == f"{upper}-{lower}")
    anatomies = [outlined(taken.image, WEIGHTS).anatomy for taken in scene.dates]
    case = compare(scene, site, anatomies, placed=place_closely)
    fragment = (case.baseline, case.follow_up)[miss.date].fragment
    if fragment is None:
        raise ValueError(f"{miss.name} is refused by the program as it is: measure anew.")
    taken = scene.dates[miss.date]
    found = sitk.GetArrayFromImage(fragment.occupancy)
    true = taken.fragments.get(site.level)
    truth = np.zeros_like(found) if true is None else sitk.GetArrayFromImage(true)
    return taken.image, truth, found


def _around(filled: npt.NDArray[np.float32], spacing_mm: tuple[float, ...]) -> tuple[slice, slice]:
    """Rows and columns of what is filled, and a margin."""
    boxes = []
    for axis, mm in ((1, spacing_mm[1]), (0, spacing_mm[0])):
        at = np.flatnonzero((filled > 0.2).any(axis=axis))
        margin = round(MARGIN_MM / mm)
        boxes.append(slice(max(0, int(at[0]) - margin), int(at[-1]) + margin + 1))
    return boxes[0], boxes[1]


def main() -> None:
    """Read the command line, draw, and print what is drawn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measured", type=Path, default=Path("results/accuracy-validation.json"))
    parser.add_argument("--cache", type=Path, default=Path("results/accuracy-scans"))
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--output", type=Path, default=Path("docs/accuracy"))
    chosen = parser.parse_args()
    chosen.output.mkdir(parents=True, exist_ok=True)
    rows = json.loads(chosen.measured.read_text())["rows"]
    for number, miss in enumerate(largest_misses(rows, count=chosen.count), 1):
        file = chosen.output / f"worst-{number}.png"
        draw(miss, cache=chosen.cache, file=file)
        when = ("baseline", "follow-up")[miss.date]
        print(f"{file}: {miss.name}, {when}: {miss.truth_cm3:.2f} → {miss.found_cm3:.2f} cm3")


if __name__ == "__main__":
    main()
