"""Anatomies from elsewhere: label maps of other spine segmentations, on a scan's grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.errors import MaskError
from mri_resorb.geometry import voxel_points
from mri_resorb.io.label_tables import LabelScheme, LabelTable, fitting_tables
from mri_resorb.io.masks import lattice_offset
from mri_resorb.io.volume_files import is_volume_file, read_volume_file
from mri_resorb.model import LabelledAnatomy, Level, Point, Remark, Scan, Structure

SAGITTAL_ORDER = "PIL"
LEAST_DISC_CM3 = 2.0
"""Less disc than this within the scan: the map is of another place, or of another person."""
VERTEBRA_REACH_MM = 25.0
"""How far above and below a disc its vertebrae are looked for."""

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class _Map:
    """A label map in sagittal order, of a known kind.

    Attributes:
        labels: integers, (slices, rows, columns).
    """

    image: sitk.Image
    labels: Array
    table: LabelTable

    def of(self, labels: frozenset[int]) -> npt.NDArray[np.bool_]:
        return np.asarray(np.isin(self.labels, list(labels)))


def read_label_maps(
    paths: Sequence[Path], *, scan: Scan, scheme: LabelScheme | None = None
) -> LabelledAnatomy:
    """Read another program's segmentation of a scan.

    Which program made it is told by the labels present. Maps on the scan's own voxels are taken as
    they are; others are brought onto its grid, class by class, by linear interpolation, with the
    warning `anatomy-resampled`.

    Args:
        paths: NIfTI, NRRD or MHA. Two where one program writes two: SPINEPS's vertebra instances
            and subregions, TotalSegmentator's `total_mr` and `vertebrae_mr`.
        scan: the scan that was segmented.
        scheme: instead of telling it by the labels.

    Raises:
        MaskError: unreadable, no labels, of no program or of several, without discs or vertebrae,
            or nowhere near the scan.
    """
    read = [_read(path, scheme=scheme) for path in paths]
    maps = [found for found, _ in read]
    if len({found.table.scheme for found in maps}) > 1:
        raise MaskError(f"{_names(paths)} are label maps of different programs; give those of one.")
    structures: dict[Structure, sitk.Image] = {}
    resampled = False
    for found in sorted(maps, key=lambda found: Structure.DISC not in found.table.structures):
        same_voxels = lattice_offset(found.image, reference=scan.image) is not None
        for structure, labels in found.table.structures.items():
            filled = found.of(labels)
            if structure not in structures and filled.any():
                structures[structure] = _on_grid(filled, found.image, scan, exactly=same_voxels)
                resampled |= not same_voxels
    for structure in (Structure.DISC, Structure.VERTEBRA):
        if structure not in structures:
            raise MaskError(
                f"{_names(paths)}: no {structure.name.lower()} is labelled. Of TotalSegmentator "
                "give the map of total_mr (and that of vertebrae_mr for names), of SPINEPS that "
                "of the vertebra instances."
            )
    _check_place(structures[Structure.DISC], paths=paths)
    return LabelledAnatomy(
        tool=maps[0].table.tool,
        structures=structures,
        disc_at=_disc_names(maps),
        sha256=tuple(digest for _, digest in read),
        warnings=_warnings(maps, resampled=resampled),
    )


def _names(paths: Sequence[Path]) -> str:
    return " and ".join(str(path) for path in paths)


def _read(path: Path, *, scheme: LabelScheme | None) -> tuple[_Map, str]:
    if not path.is_file() or not is_volume_file(path):
        raise MaskError(f"{path} is no label map: give a NIfTI, NRRD or MHA file.")
    volume, digest = read_volume_file(path)
    image = sitk.DICOMOrient(volume, SAGITTAL_ORDER)
    values = sitk.GetArrayFromImage(image)
    labels = np.rint(values).astype(np.int32)
    if not np.array_equal(labels, values):
        raise MaskError(
            f"{path} holds fractions; a label map holds whole numbers, one a structure."
        )
    present = {int(label) for label in np.unique(labels)} - {0}
    if not present:
        raise MaskError(f"{path} is empty; the segmentation seems to have failed.")
    return _Map(image, labels, _table(path, labels, present=present, scheme=scheme)), digest


def _table(
    path: Path, labels: Array, *, present: set[int], scheme: LabelScheme | None
) -> LabelTable:
    tables = [
        table
        for table in fitting_tables(present, scheme=scheme)
        if table.goes_up is None or table.goes_up is _discs_go_up(labels, table)
    ]
    if len(tables) == 1:
        return tables[0]
    shown = ", ".join(str(label) for label in sorted(present)[:12])
    shown += " ..." if len(present) > 12 else ""
    if tables:
        tools = " or ".join(dict.fromkeys(table.tool for table in tables))
        raise MaskError(
            f"{path} holds the labels {shown}, which can mean several things ({tools}); give only "
            "the spine's labels, and say whose they are with --anatomy-labels."
        )
    raise MaskError(
        f"{path} holds the labels {shown}, which are not those of "
        f"{scheme or 'TotalSpineSeg, SPINEPS, TotalSegmentator MR or SPIDER'}; see "
        "docs/anatomy-from-elsewhere.md, or say whose they are with --anatomy-labels."
    )


def _discs_go_up(labels: Array, table: LabelTable) -> bool | None:
    """Whether the discs' numbers grow from the bottom to the top; None where they do neither.

    Rows run from top to bottom.
    """
    numbers = sorted(table.structures[Structure.DISC] & set(np.unique(labels).tolist()))
    rows = [float(np.argwhere(labels == number)[:, 1].mean()) for number in numbers]
    steps = np.diff(rows)
    if not steps.size or not (np.all(steps < 0) or np.all(steps > 0)):
        return None
    return bool(steps[0] < 0)


def _on_grid(
    filled: npt.NDArray[np.bool_], source: sitk.Image, scan: Scan, *, exactly: bool
) -> sitk.Image:
    part = sitk.GetImageFromArray(filled.astype(np.float32))
    part.CopyInformation(source)
    how = sitk.sitkNearestNeighbor if exactly else sitk.sitkLinear
    return sitk.Resample(part, scan.image, sitk.Transform(), how, 0.0, sitk.sitkFloat32)


def _check_place(disc: sitk.Image, *, paths: Sequence[Path]) -> None:
    values = sitk.GetArrayViewFromImage(disc)
    inside_cm3 = float(values.sum()) * float(np.prod(disc.GetSpacing())) / 1000
    if inside_cm3 < LEAST_DISC_CM3:
        raise MaskError(
            f"{_names(paths)}: only {inside_cm3:.1f} cm3 of disc lie within the scan, so the label "
            "map is of another scan or in other coordinates; give the one made from this series."
        )


def _disc_names(maps: Sequence[_Map]) -> dict[Level, Point]:
    """The middle of each disc that has a name, LPS."""
    for found in maps:
        if found.table.discs:
            extra = found.table.sixth_lumbar
            named = {
                level: found.labels == label
                for level, label in found.table.discs.items()
                # With a vertebra L6 the disc on the sacrum is L6-S1, and no disc is L5-S1.
                if level is not Level.L5_S1 or extra is None or not (found.labels == extra).any()
            }
            return _middles(named, found.image)
    with_discs = next((m for m in maps if Structure.DISC in m.table.structures), None)
    with_names = next((m for m in maps if m.table.vertebrae), None)
    if with_discs is None or with_names is None:
        return {}
    if with_discs.image.GetSize() != with_names.image.GetSize():
        return {}
    return _middles(_between_vertebrae(with_discs, with_names), with_discs.image)


def _middles(named: Mapping[Level, npt.NDArray[np.bool_]], image: sitk.Image) -> dict[Level, Point]:
    middles = {}
    for level, filled in named.items():
        if filled.any():
            x, y, z = voxel_points(image, np.argwhere(filled).astype(float)).mean(axis=0)
            middles[level] = (float(x), float(y), float(z))
    return middles


def _between_vertebrae(discs: _Map, names: _Map) -> dict[Level, npt.NDArray[np.bool_]]:
    """Discs by the names of the vertebrae above and below them."""
    table = names.table
    bones = np.where(discs.of(discs.table.structures[Structure.DISC]), 0, names.labels)
    (sacrum,) = table.structures[Structure.SACRUM]
    pairs = {
        (label, sacrum if level is Level.L5_S1 else label - 1): level
        for level, label in table.vertebrae.items()
    }
    filled = sitk.GetImageFromArray(
        discs.of(discs.table.structures[Structure.DISC]).astype(np.uint8)
    )
    pieces = sitk.GetArrayFromImage(sitk.ConnectedComponent(filled))
    reach = round(VERTEBRA_REACH_MM / discs.image.GetSpacing()[1])
    largest: dict[Level, npt.NDArray[np.bool_]] = {}
    for piece in range(1, int(pieces.max()) + 1):
        mine = pieces == piece
        above, below = (_first_met(bones, mine, step=step, reach=reach) for step in (-1, 1))
        level = pairs.get((above, below))
        if level and (level not in largest or mine.sum() > largest[level].sum()):
            largest[level] = mine
    return largest


def _first_met(labels: Array, disc: npt.NDArray[np.bool_], *, step: int, reach: int) -> int:
    """The label that most of a disc's voxels meet first, going up or down the rows; 0 for none."""
    slices, rows, columns = np.nonzero(disc)
    met = np.zeros(len(rows), np.int64)
    for distance in range(1, reach + 1):
        row = rows + step * distance
        looking = (met == 0) & (row >= 0) & (row < labels.shape[1])
        met[looking] = labels[slices[looking], row[looking], columns[looking]]
    counts = np.bincount(met[met > 0], minlength=1)
    return int(counts.argmax())


def _warnings(maps: Sequence[_Map], *, resampled: bool) -> tuple[Remark, ...]:
    tool = {"tool": maps[0].table.tool}
    remarks = [Remark("anatomy-from-labels", tool)]
    if resampled:
        remarks.append(Remark("anatomy-resampled", tool))
    if any(m.table.sixth_lumbar and (m.labels == m.table.sixth_lumbar).any() for m in maps):
        remarks.append(Remark("sixth-lumbar-vertebra", tool))
    return tuple(remarks)
