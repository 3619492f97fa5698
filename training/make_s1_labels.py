"""Label the S1 vertebral body in the SPIDER T2 SPACE slabs from hand-drawn outlines.

The expert masks (1 vertebra, 2 disc, 3 canal) stop at the lowest disc. Each S1 body was
outlined by hand on one or more sagittal slices (`s1_labels/outlines.json`). This script
carries the outlines to the other slices, lets the intensities move the border by a few
pixels (random walker; Grady, IEEE TPAMI 28:1768, 2006), gives the endplate up to the
disc to the body, and removes whatever the experts called vertebra, disc or canal.

Arrays are indexed [SI, AP, slice]: SI grows to inferior, AP to posterior.

Usage: python make_s1_labels.py DATA_FOLDER [--patients 5 7] [--sheets FOLDER]
"""

import argparse
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import polygon2mask
from skimage.segmentation import random_walker

VERTEBRA, DISC, CANAL = 1, 2, 3
LABEL_FOLDER = Path(__file__).parent / "s1_labels"
# How far the border may leave the drawn outline: tight on a drawn slice, looser away from it.
BAND_ON_DRAWN_SLICE_PIXELS = 1.0
BAND_GROWTH_PIXELS_PER_SLICE = 0.3
BAND_MAXIMUM_PIXELS = 5.0
ENDPLATE_GAP_MAXIMUM_PIXELS = 4
MARGIN_PIXELS = 15
RANDOM_WALKER_BETA = 400

Mask = NDArray[np.bool_]


def signed_distance_pixels(mask: Mask) -> NDArray[np.float64]:
    """In-plane distance to the border of `mask` (SI, AP), positive inside."""
    return ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)


def spread_outlines(
    outlines: dict[int, list[list[int]]], shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Signed distance (SI, AP, slice) to the outlines, interpolated linearly between drawn
    slices (Raya and Udupa, IEEE TMI 9:32, 1990) and held constant beyond the outermost."""
    drawn = sorted(outlines)
    distances = [
        signed_distance_pixels(polygon2mask(shape[:2], [(si, ap) for ap, si in outlines[k]]))
        for k in drawn
    ]
    spread = np.empty(shape)
    for k in range(shape[2]):
        right = int(np.searchsorted(drawn, k))
        if right == 0 or right == len(drawn):
            spread[:, :, k] = distances[min(right, len(drawn) - 1)]
        else:
            weight = (k - drawn[right - 1]) / (drawn[right] - drawn[right - 1])
            spread[:, :, k] = (1 - weight) * distances[right - 1] + weight * distances[right]
    return spread


def lowest_disc(expert: NDArray[np.uint8], s1_prior: Mask) -> Mask:
    """Disc voxels within 20 pixels of the S1 outline: the disc S1 carries."""
    near = np.stack(
        [ndimage.distance_transform_edt(~s1_prior[:, :, k]) < 20 for k in range(expert.shape[2])],
        axis=2,
    )
    return (expert == DISC) & near


def fill_endplate(s1: Mask, disc: Mask) -> Mask:
    """Give the gap between disc and body, along the line that joins their centres, to the body.

    Only gaps up to ENDPLATE_GAP_MAXIMUM_PIXELS are closed.
    """
    if not disc.any():
        return s1
    direction = np.argwhere(s1).mean(axis=0)[:2] - np.argwhere(disc).mean(axis=0)[:2]
    direction /= np.linalg.norm(direction)
    filled = s1.copy()
    steps = [
        tuple(np.rint(direction * n).astype(int)) for n in range(1, ENDPLATE_GAP_MAXIMUM_PIXELS + 1)
    ]
    below_disc = [np.roll(disc, (si, ap), axis=(0, 1)) for si, ap in steps]
    above_s1 = [np.roll(s1, (-si, -ap), axis=(0, 1)) for si, ap in steps]
    for i, below in enumerate(below_disc):
        for above in above_s1[: ENDPLATE_GAP_MAXIMUM_PIXELS - i]:
            filled |= below & above
    return filled


def largest_component(mask: Mask) -> Mask:
    """Keep the biggest connected part (face neighbours)."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    return labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))


def smooth_in_plane(mask: Mask) -> Mask:
    """Remove spurs thinner than 5 pixels and fill holes, slice by slice."""
    disk = np.hypot(*np.mgrid[-2:3, -2:3]) <= 2.3
    opened = ndimage.binary_opening(mask, disk[:, :, None])
    filled = [ndimage.binary_fill_holes(opened[:, :, k]) for k in range(mask.shape[2])]
    return np.stack(filled, axis=2)


def label_s1(
    *,
    image: NDArray[np.uint8],
    expert: NDArray[np.uint8],
    outlines: dict[int, list[list[int]]],
    spacing_mm: tuple[float, float, float],
) -> Mask:
    """S1 body (SI, AP, slice) from the image, the expert mask and the drawn outlines.

    `spacing_mm` is (SI, AP, slice).
    """
    prior = spread_outlines(outlines, image.shape)
    occupied = np.isin(expert, (VERTEBRA, DISC, CANAL))
    from_drawn = np.abs(np.arange(image.shape[2])[:, None] - sorted(outlines)).min(axis=1)
    band = np.minimum(
        BAND_ON_DRAWN_SLICE_PIXELS + BAND_GROWTH_PIXELS_PER_SLICE * from_drawn, BAND_MAXIMUM_PIXELS
    )
    seeds = np.zeros(image.shape, np.int8)
    seeds[prior > band] = 1
    seeds[(prior < -band) | occupied] = 2
    box = ndimage.find_objects((prior > -MARGIN_PIXELS).astype(np.uint8))[0]
    ceiling = np.percentile(image[box], 99)
    brightness = np.minimum(image[box], ceiling) / ceiling
    walked = random_walker(
        ndimage.gaussian_filter(brightness, (0.7, 0.7, 0)),
        seeds[box],
        beta=RANDOM_WALKER_BETA,
        mode="cg_j",
        tol=1e-4,
        spacing=np.asarray(spacing_mm) / spacing_mm[0],
    )
    s1 = np.zeros(image.shape, bool)
    s1[box] = walked == 1
    s1 = fill_endplate(s1 & ~occupied, lowest_disc(expert, prior > 0)) & ~occupied
    return largest_component(smooth_in_plane(s1))


def draw_sheet(
    *, image: NDArray[np.uint8], expert: NDArray[np.uint8], s1: Mask, title: str, path: Path
) -> None:
    """Contact sheet: six slices around S1 with S1 (lime), disc (cyan), vertebra (red),
    canal (yellow) outlined."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    si, ap, slices = np.nonzero(s1)
    rows = slice(max(si.min() - 25, 0), si.max() + 15)
    columns = slice(max(ap.min() - 15, 0), ap.max() + 20)
    shown = np.linspace(slices.min(), slices.max(), 6).round().astype(int)
    shown[2] = (slices.min() + slices.max()) // 2
    extent = (columns.start - 0.5, columns.stop - 0.5, rows.stop - 0.5, rows.start - 0.5)
    ceiling = np.percentile(image[rows, columns], 99)
    figure, axes = pyplot.subplots(2, 3, figsize=(19, 13), layout="tight")
    for axis, k in zip(axes.ravel(), shown, strict=True):
        axis.imshow(
            image[rows, columns, k], cmap="gray", vmin=0, vmax=ceiling, extent=extent,
            interpolation="bicubic",
        )  # fmt: skip
        layers = [(expert == VERTEBRA, "red"), (expert == DISC, "cyan"), (expert == CANAL, "gold")]
        for mask, colour in [*layers, (s1, "lime")]:
            if mask[rows, columns, k].any():
                axis.contour(
                    np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop),
                    mask[rows, columns, k], [0.5], colors=colour, linewidths=0.8,
                )  # fmt: skip
        axis.set_title(f"{title} slice {k}")
        axis.tick_params(labelsize=7)
    figure.savefig(path, dpi=75)
    pyplot.close(figure)


def main() -> None:
    """Write one label per outlined patient, and contact sheets if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_folder", type=Path, help="holds <patient>_image.nii.gz, _mask.nii.gz")
    parser.add_argument("--patients", nargs="*", help="only these (default: all outlined)")
    parser.add_argument("--sheets", type=Path, help="also write contact sheets here")
    arguments = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

    patients = json.loads((LABEL_FOLDER / "outlines.json").read_text())["patients"]
    for patient in arguments.patients or patients:
        entry = patients[patient]
        reference = sitk.ReadImage(arguments.data_folder / f"{patient}_image.nii.gz")
        image = sitk.GetArrayFromImage(reference)
        expert = sitk.GetArrayFromImage(
            sitk.ReadImage(arguments.data_folder / f"{patient}_mask.nii.gz")
        )
        outlines = {int(k): points for k, points in entry["outlines"].items()}
        if entry["source"] == "expert vertebra mask":
            inside = spread_outlines(outlines, image.shape) > 0
            s1 = largest_component((expert == VERTEBRA) & inside)
        else:
            spacing_mm = tuple(reversed(reference.GetSpacing()))
            # SimpleITK gives (slice, AP, SI) sizes for arrays indexed (SI, AP, slice).
            s1 = label_s1(image=image, expert=expert, outlines=outlines, spacing_mm=spacing_mm)
        first, last = entry.get("slices", (0, image.shape[2] - 1))
        s1[:, :, :first] = False
        s1[:, :, last + 1 :] = False

        label = sitk.GetImageFromArray(s1.astype(np.uint8))
        label.CopyInformation(reference)
        sitk.WriteImage(label, LABEL_FOLDER / f"{patient}.nii.gz", useCompression=True)
        volume_cm3 = s1.sum() * np.prod(reference.GetSpacing()) / 1000
        print(f"{patient}: S1 {volume_cm3:.1f} cm3 in {s1.any(axis=(0, 1)).sum()} slices")
        if arguments.sheets:
            arguments.sheets.mkdir(parents=True, exist_ok=True)
            draw_sheet(
                image=image, expert=expert, s1=s1, title=patient,
                path=arguments.sheets / f"{patient}.png",
            )  # fmt: skip


if __name__ == "__main__":
    main()
