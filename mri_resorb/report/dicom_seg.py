"""The fragment as DICOM Segmentation: one object a date, in that date's own study.

A BINARY object (occupancy of a half or more) for viewers, and a FRACTIONAL one, of type OCCUPANCY,
that carries the volume: hard masks of thick slices do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import highdicom as hd
import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

import mri_resorb
from mri_resorb.io.dicom import quiet_pydicom
from mri_resorb.io.results import Which
from mri_resorb.model import CaseResult, Scan, SourceFrame
from mri_resorb.report.dicom_study import (
    DISC,
    HERNIATED_STRUCTURE,
    MANUFACTURER,
    MODEL_NAME,
    SERIAL_NUMBER,
    object_uid,
    person_of,
    point_of,
    source_headers,
    tracking_identifier,
    tracking_uid,
)

Kind = Literal["BINARY", "FRACTIONAL"]

SERIES_NUMBER: dict[Kind, int] = {"BINARY": 9101, "FRACTIONAL": 9102}
INSIDE = 0.5
"""Occupancy from which a voxel belongs to the binary segment."""
COLOUR_RGB = (230, 75, 53)


@quiet_pydicom()
def segmentation(
    case: CaseResult, which: Which, *, kind: Kind = "BINARY"
) -> hd.seg.Segmentation | None:
    """The fragment of one date on the frames of its images; None where no voxel is fragment.

    Nothing is written for a date without a fragment, since an empty object would read like a failed
    export; the structured report says what was found.

    Raises:
        DicomSourceError: see `source_headers`.
    """
    point = point_of(case, which)
    sources = source_headers(point.scan)
    if point.fragment is None:
        return None
    planes = _planes(point.fragment.occupancy, scan=point.scan)
    if not np.any(planes >= INSIDE):
        return None
    if kind == "BINARY":
        planes = (planes >= INSIDE).astype(np.uint8)
    sources, numbers = _used_frames(sources, point.scan.frames)
    made = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=planes if numbers is None else planes[np.argsort(numbers)],
        segmentation_type=kind,
        fractional_type="OCCUPANCY",
        segment_descriptions=[_segment(case, drawn=point.drawn is not None)],
        series_instance_uid=object_uid(case, "seg series", which, kind),
        series_number=SERIES_NUMBER[kind],
        sop_instance_uid=object_uid(case, "seg", which, kind),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=mri_resorb.__version__,
        device_serial_number=SERIAL_NUMBER,
        content_label="FRAGMENT",
        content_description=tracking_identifier(case),
        content_creator_name=person_of(case) if point.drawn is not None else None,
        series_description=f"{tracking_identifier(case)}, {kind.lower()}",
        specific_character_set="ISO_IR 192",
    )
    _keep_frame_numbers(made, numbers)
    organization = object_uid(case, "seg dimensions", which, kind)
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    return made


def _planes(occupancy: sitk.Image, *, scan: Scan) -> npt.NDArray[np.float32]:
    """(slices, rows, columns) as in the files, slices in the order of the scan's."""
    in_plane = scan.native_orientation[:2]
    return sitk.GetArrayFromImage(sitk.DICOMOrient(occupancy, f"{in_plane}L")).clip(0, 1)


def _segment(case: CaseResult, *, drawn: bool) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Herniated disc fragment",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=HERNIATED_STRUCTURE,
        algorithm_type="SEMIAUTOMATIC" if drawn else "AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=MODEL_NAME,
            family=codes.cid7162.ArtificialIntelligence,
            version=mri_resorb.__version__,
            source=MANUFACTURER,
            parameters={
                "definitions": str(case.provenance.get("definitions", "")),
                "weights_sha256": str(case.provenance.get("weights_sha256", "")),
            },
        ),
        tracking_uid=tracking_uid(case),
        tracking_id=tracking_identifier(case),
        anatomic_regions=[DISC[case.level]],
        display_color=hd.color.CIELabColor.from_rgb(*COLOUR_RGB),
    )


def _used_frames(
    sources: Sequence[Dataset], frames: Sequence[SourceFrame]
) -> tuple[list[Dataset], list[int] | None]:
    """Sources whose frames are the slices', and for an Enhanced file those frames' numbers.

    highdicom takes one plane for each source frame, with one orientation shared by all: an Enhanced
    file may hold other echoes as well and repeat the orientation in each frame, and classic files
    may differ in its last digit.
    """
    if "PerFrameFunctionalGroupsSequence" not in sources[0]:
        for source in sources[1:]:
            source.ImageOrientationPatient = sources[0].ImageOrientationPatient
        return list(sources), None
    numbers = [frame.number for frame in frames]
    source = sources[0]
    groups = source.PerFrameFunctionalGroupsSequence
    shared = Dataset()
    shared.update(source.SharedFunctionalGroupsSequence[0])
    for keyword in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        if keyword not in shared:
            setattr(shared, keyword, groups[numbers[0] - 1][keyword].value)
    source.SharedFunctionalGroupsSequence = [shared]
    source.PerFrameFunctionalGroupsSequence = [groups[number - 1] for number in sorted(numbers)]
    source.NumberOfFrames = len(numbers)
    return [source], numbers


def _keep_frame_numbers(made: Dataset, numbers: list[int] | None) -> None:
    """References by the numbers that the frames have in their own file."""
    if numbers is None:
        return
    stored = sorted(numbers)
    for frame in made.PerFrameFunctionalGroupsSequence:
        for image in frame.DerivationImageSequence[0].SourceImageSequence:
            image.ReferencedFrameNumber = stored[int(image.ReferencedFrameNumber) - 1]
