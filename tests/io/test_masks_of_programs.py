"""Masks as 3D Slicer saves them, and as DICOM segmentations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from case_results import blank, hard
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from mri_resorb.errors import MaskError
from mri_resorb.io.masks import read_fragment_mask
from mri_resorb.model import Scan


def write_slicer_file(
    path: Path, image: sitk.Image, layers: list[np.ndarray], segments: list[tuple[str, int, int]]
) -> None:
    """A segmentation as 3D Slicer saves it; segments are (name, layer, label value)."""
    axes = (np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())).T
    directions = " ".join("(" + ",".join(f"{v:.17g}" for v in axis) + ")" for axis in axes)
    sizes = " ".join(str(n) for n in image.GetSize())
    several = len(layers) > 1
    lines = [
        "NRRD0004",
        "type: unsigned char",
        f"dimension: {4 if several else 3}",
        "space: left-posterior-superior",
        f"sizes: {len(layers)} {sizes}" if several else f"sizes: {sizes}",
        f"space directions: {'none ' if several else ''}{directions}",
        f"kinds: {'list ' if several else ''}domain domain domain",
        "encoding: raw",
        "space origin: (" + ",".join(f"{v:.17g}" for v in image.GetOrigin()) + ")",
    ]
    for number, (name, layer, label) in enumerate(segments):
        lines += [
            f"Segment{number}_LabelValue:={label}",
            f"Segment{number}_Layer:={layer}",
            f"Segment{number}_Name:={name}",
        ]
    data = np.stack(layers, axis=-1) if several else layers[0]
    path.write_bytes("\n".join(lines).encode() + b"\n\n" + data.astype(np.uint8).tobytes())


def test_slicer_segment_is_found_by_name_among_overlapping_layers(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    mask = sitk.GetArrayFromImage(hard(drawn))
    disc = np.zeros_like(mask)
    disc[:, 5:9] = 1
    path = tmp_path / "drawn.seg.nrrd"
    write_slicer_file(path, drawn, [disc, mask * 3], [("Disc", 0, 1), ("Herniated fragment", 1, 3)])
    found = read_fragment_mask(path, scan=scan)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), mask)


def test_only_slicer_segment_is_taken_whatever_its_name(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    mask = sitk.GetArrayFromImage(hard(drawn))
    write_slicer_file(tmp_path / "m.seg.nrrd", drawn, [mask], [("Segment_1", 0, 1)])
    found = read_fragment_mask(tmp_path / "m.seg.nrrd", scan=scan)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), mask)


@pytest.mark.parametrize("names", [("Segment_1", "Segment_2"), ("fragment 1", "Sequester")])
def test_which_slicer_segment_is_meant_is_never_guessed(
    tmp_path: Path, scan: Scan, drawn: sitk.Image, names: tuple[str, str]
) -> None:
    mask = sitk.GetArrayFromImage(hard(drawn))
    segments = [(name, 0, number + 1) for number, name in enumerate(names)]
    write_slicer_file(tmp_path / "m.seg.nrrd", drawn, [mask], segments)
    with pytest.raises(MaskError, match="2 segments"):
        read_fragment_mask(tmp_path / "m.seg.nrrd", scan=scan)


def test_segmentation_that_slicer_saved_without_voxels_is_empty(tmp_path: Path, scan: Scan) -> None:
    image = blank(shape=(1, 1, 1))
    write_slicer_file(tmp_path / "m.seg.nrrd", image, [np.zeros((1, 1, 1))], [("Fragment", 0, 1)])
    with pytest.raises(MaskError, match="empty"):
        read_fragment_mask(tmp_path / "m.seg.nrrd", scan=scan)


def slices_of(scan: Scan) -> list[pydicom.Dataset]:
    """Headers of the scan as a classic MR series, one a slice."""
    image = scan.image
    axes = np.asarray(image.GetDirection()).reshape(3, 3)
    study, frame = generate_uid(), generate_uid()
    headers = []
    for k in range(image.GetSize()[2]):
        header = pydicom.Dataset()
        header.SOPClassUID, header.SOPInstanceUID = MRImageStorage, generate_uid()
        header.StudyInstanceUID, header.SeriesInstanceUID = study, scan.series_uid
        header.FrameOfReferenceUID, header.Modality = frame, "MR"
        header.PatientID = header.PatientName = header.PatientBirthDate = header.PatientSex = ""
        header.StudyID = header.StudyDate = header.StudyTime = header.AccessionNumber = ""
        header.Columns, header.Rows = image.GetSize()[:2]
        header.PixelSpacing = [image.GetSpacing()[1], image.GetSpacing()[0]]
        header.SliceThickness = header.SpacingBetweenSlices = image.GetSpacing()[2]
        header.ImageOrientationPatient = [round(v, 9) for v in (*axes[:, 0], *axes[:, 1])]
        position = image.TransformIndexToPhysicalPoint((0, 0, k))
        header.ImagePositionPatient = [round(v, 9) for v in position]
        header.InstanceNumber = k + 1
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        headers.append(header)
    return headers


def write_segmentation(
    path: Path, scan: Scan, masks: dict[str, np.ndarray], *, fractional: bool = False
) -> None:
    code = hd.sr.CodedConcept("414403008", "SCT", "Herniated structure")
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=code,
            segmented_property_type=code,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in enumerate(masks, start=1)
    ]
    kind = hd.seg.SegmentationTypeValues
    hd.seg.Segmentation(
        source_images=slices_of(scan),
        pixel_array=np.stack(list(masks.values()), axis=-1),
        segmentation_type=kind.FRACTIONAL if fractional else kind.BINARY,
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
    ).save_as(path)


def test_dicom_segment_is_found_by_name_and_its_left_out_frames_are_empty(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    mask = sitk.GetArrayFromImage(hard(drawn))
    filled = mask.any(axis=(1, 2))
    assert filled.any()
    assert not filled.all()
    write_segmentation(tmp_path / "s.dcm", scan, {"Disc": 1 - mask, "Sequester": mask})
    found = read_fragment_mask(tmp_path / "s.dcm", scan=scan)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), mask)
    write_segmentation(tmp_path / "s.dcm", scan, {"Segment 1": mask})
    found = read_fragment_mask(tmp_path / "s.dcm", scan=scan)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), mask)


def test_dicom_segment_on_two_slices_with_an_empty_one_between(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    mask = np.zeros_like(sitk.GetArrayFromImage(hard(drawn)))
    mask[2, 10:14, 12:15] = mask[4, 20:22, 5:9] = 1
    write_segmentation(tmp_path / "s.dcm", scan, {"Fragment": mask})
    found = read_fragment_mask(tmp_path / "s.dcm", scan=scan)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), mask)


def test_dicom_segment_on_a_single_slice(tmp_path: Path, scan: Scan, drawn: sitk.Image) -> None:
    mask = np.zeros_like(sitk.GetArrayFromImage(hard(drawn)))
    mask[3, 10:14, 12:15] = 1
    write_segmentation(tmp_path / "s.dcm", scan, {"Fragment": mask})
    found = read_fragment_mask(tmp_path / "s.dcm", scan=scan)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), mask)


def test_fractional_dicom_segment_is_an_occupancy(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    values = sitk.GetArrayFromImage(drawn)
    write_segmentation(tmp_path / "s.dcm", scan, {"Fragment": values}, fractional=True)
    found = read_fragment_mask(tmp_path / "s.dcm", scan=scan)
    np.testing.assert_allclose(sitk.GetArrayFromImage(found), values, atol=1 / 255)


def test_dicom_segmentation_of_another_series_is_refused(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    other = replace(scan, series_uid=generate_uid())
    write_segmentation(tmp_path / "s.dcm", other, {"F": sitk.GetArrayFromImage(hard(drawn))})
    with pytest.raises(MaskError, match="another series"):
        read_fragment_mask(tmp_path / "s.dcm", scan=scan)


def test_dicom_image_is_no_segmentation(tmp_path: Path, scan: Scan) -> None:
    slices_of(scan)[0].save_as(tmp_path / "image.dcm", enforce_file_format=True)
    with pytest.raises(MaskError, match="DICOM segmentation"):
        read_fragment_mask(tmp_path / "image.dcm", scan=scan)
