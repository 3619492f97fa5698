"""What other people's software reads in the DICOM objects, and where it finds them."""

from __future__ import annotations

import io
import json
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dcmqi
import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from case_results import UNKNOWN, absent, case_result, refused
from dicom_case import NAME, PDF, dicom_case, fragment, occupancy, program
from orthanc_server import orthanc

from mri_resorb.errors import DicomSourceError
from mri_resorb.io.masks import read_fragment_mask
from mri_resorb.io.result_folder import write_results
from mri_resorb.io.results import Which
from mri_resorb.model import CaseResult, Signature
from mri_resorb.report.dicom_pdf import encapsulated_pdf
from mri_resorb.report.dicom_seg import segmentation
from mri_resorb.report.dicom_sr import structured_report
from mri_resorb.report.dicom_study import point_of

DATES: tuple[Which, Which] = ("baseline", "follow_up")


DCMQI = Path(dcmqi.__file__).parent / "bin"


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="module")
def case(studies: Path) -> CaseResult:
    return dicom_case(studies)


@pytest.fixture(scope="module")
def objects(case: CaseResult, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every object of the case, as files by name."""
    folder = tmp_path_factory.mktemp("objects")
    made: dict[str, pydicom.Dataset] = {}
    for which in DATES:
        for kind in ("BINARY", "FRACTIONAL"):
            found = segmentation(case, which, kind=kind)
            assert found is not None
            made[f"{which} {kind}"] = found
    made["sr"] = structured_report(
        case, segmentations={which: made[f"{which} BINARY"] for which in DATES}
    )
    made["pdf"] = encapsulated_pdf(case, PDF)
    paths = {name: folder / f"{number}.dcm" for number, name in enumerate(made)}
    for name, path in paths.items():
        made[name].save_as(path, enforce_file_format=True)
    return paths


def test_dciodvfy_finds_no_error(objects: dict[str, Path]) -> None:
    validator = program("dciodvfy")
    for name, path in objects.items():
        said = subprocess.run([validator, path], capture_output=True, text=True, check=False)
        errors = [line for line in said.stderr.splitlines() if line.startswith("Error")]
        assert errors == [], name
        assert said.stderr.strip(), "it always says which kind of object it took the file for"


@pytest.mark.parametrize("which", DATES)
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_each_frame_lies_on_the_image_that_it_refers_to(
    case: CaseResult, objects: dict[str, Path], which: Which, kind: str
) -> None:
    made = pydicom.dcmread(objects[f"{which} {kind}"])
    scan = point_of(case, which).scan
    images = {frame.header.SOPInstanceUID: k for k, frame in enumerate(scan.frames)}
    shared = made.SharedFunctionalGroupsSequence[0]
    for frame in made.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        header = scan.frames[images[source.ReferencedSOPInstanceUID]].header
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        turn = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        measures = shared.PixelMeasuresSequence[0]
        assert place == header.ImagePositionPatient
        assert turn == header.ImageOrientationPatient
        assert measures.PixelSpacing == header.PixelSpacing
        assert measures.SliceThickness == header.SliceThickness
    assert made.FrameOfReferenceUID == scan.frames[0].header.FrameOfReferenceUID


@pytest.mark.parametrize("which", DATES)
def test_dcmqi_reads_the_same_voxels(
    case: CaseResult, objects: dict[str, Path], which: Which, tmp_path: Path
) -> None:
    subprocess.run(
        [
            *(DCMQI / "segimage2itkimage", "-t", "nrrd"),
            *("--inputDICOM", objects[f"{which} BINARY"], "--outputDirectory", tmp_path),
        ],
        capture_output=True,
        check=True,
    )
    read = sitk.ReadImage(str(tmp_path / "1.nrrd"), sitk.sitkUInt8)
    on_scan = sitk.Resample(
        read, fragment(case, which).occupancy, sitk.Transform(), sitk.sitkNearestNeighbor
    )
    assert np.array_equal(sitk.GetArrayFromImage(on_scan) > 0, occupancy(case, which) >= 0.5)
    (segment,) = json.loads((tmp_path / "meta.json").read_text())["segmentAttributes"][0]
    assert segment["SegmentedPropertyTypeCodeSequence"]["CodeValue"] == "414403008"
    assert segment["AnatomicRegionSequence"]["CodeMeaning"] == "L3/L4 disc"
    assert segment["SegmentAlgorithmType"] == "AUTOMATIC"


@pytest.mark.parametrize("which", DATES)
def test_highdicom_reads_the_occupancies_to_half_a_step(
    case: CaseResult, objects: dict[str, Path], which: Which
) -> None:
    read = hd.seg.segread(objects[f"{which} FRACTIONAL"])
    assert read.SegmentationFractionalType == "OCCUPANCY"
    volume = read.get_volume(segment_numbers=[1], rescale_fractional=True)
    image = fragment(case, which).occupancy
    affine = hd.Volume(
        occupancy(case, which)[..., np.newaxis],
        affine=_affine(image),
        coordinate_system="PATIENT",
        channels={"SegmentNumber": [1]},
    )
    read_whole = volume.match_geometry(affine.get_geometry()).array[..., 0]
    assert np.max(np.abs(read_whole - occupancy(case, which))) <= 0.5 / 255 + 1e-6


def _affine(image: sitk.Image) -> np.ndarray:
    """Indices of the array (slice, row, column) to LPS mm."""
    affine = np.eye(4)
    axes = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, :3], affine[:3, 3] = axes[:, ::-1], image.GetOrigin()
    return affine


@pytest.mark.parametrize("which", DATES)
def test_the_segmentation_comes_back_as_a_mask_of_its_scan(
    case: CaseResult, objects: dict[str, Path], which: Which
) -> None:
    read = read_fragment_mask(objects[f"{which} BINARY"], scan=point_of(case, which).scan)
    assert np.array_equal(sitk.GetArrayFromImage(read) > 0, occupancy(case, which) >= 0.5)


def test_an_occupancy_segmentation_comes_back_as_occupancies(
    case: CaseResult, objects: dict[str, Path]
) -> None:
    read = read_fragment_mask(objects["baseline FRACTIONAL"], scan=case.baseline.scan)
    apart = np.abs(sitk.GetArrayFromImage(read) - occupancy(case, "baseline"))
    assert np.max(apart) <= 0.5 / 255 + 1e-6


def test_a_result_folder_holds_what_its_report_refers_to(case: CaseResult, tmp_path: Path) -> None:
    write_results(case, tmp_path, outputs=["seg", "sr"])
    groups = hd.sr.srread(
        tmp_path / "report.sr.dcm"
    ).content.get_volumetric_roi_measurement_groups()
    for which, group in zip(DATES, groups, strict=True):
        held = pydicom.dcmread(tmp_path / f"{which}_fragment.seg.dcm").SOPInstanceUID
        assert group.referenced_segment.referenced_sop_instance_uid == held


def test_of_a_volume_file_nothing_is_written_rather_than_half(tmp_path: Path) -> None:
    with pytest.raises(DicomSourceError, match="DICOM study"):
        write_results(case_result(), tmp_path / "out", outputs=["seg", "sr"])
    assert not (tmp_path / "out").exists()


def test_objects_belong_to_the_study_that_they_describe(
    case: CaseResult, objects: dict[str, Path]
) -> None:
    for name, path in objects.items():
        made = pydicom.dcmread(path)
        which: Which = "baseline" if name.startswith("baseline") else "follow_up"
        source = point_of(case, which).scan.frames[0].header
        for keyword in ("StudyInstanceUID", "StudyDate", "PatientID", "PatientSex"):
            assert made[keyword].value == source[keyword].value, (name, keyword)
        assert str(made.PatientName) == NAME
        assert made.SeriesInstanceUID != source.SeriesInstanceUID
    everything = [pydicom.dcmread(path) for path in objects.values()]
    assert len({made.SeriesInstanceUID for made in everything}) == len(objects)


def test_one_tracking_uid_at_both_dates_and_in_the_report(objects: dict[str, Path]) -> None:
    found = {
        pydicom.dcmread(objects[f"{which} {kind}"]).SegmentSequence[0].TrackingUID
        for which in DATES
        for kind in ("BINARY", "FRACTIONAL")
    }
    report = hd.sr.srread(objects["sr"]).content
    groups = [
        *report.get_volumetric_roi_measurement_groups(),
        *report.get_image_measurement_groups(),
    ]
    assert len(groups) == 3
    assert found | {str(group.tracking_uid) for group in groups} == found
    assert len(found) == 1


def test_a_second_run_gives_the_same_uids_and_another_mask_gives_others(
    case: CaseResult, objects: dict[str, Path]
) -> None:
    again = segmentation(case, "baseline")
    drawn = replace(case.baseline, drawn=fragment(case, "baseline").occupancy)
    corrected = segmentation(replace(case, baseline=drawn), "baseline")
    assert again is not None
    assert corrected is not None
    before = pydicom.dcmread(objects["baseline BINARY"])
    assert again.SOPInstanceUID == before.SOPInstanceUID
    assert again.SeriesInstanceUID == before.SeriesInstanceUID
    assert corrected.SOPInstanceUID != before.SOPInstanceUID
    assert corrected.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert corrected.SegmentSequence[0].TrackingUID == before.SegmentSequence[0].TrackingUID


def figures(group: hd.sr.MeasurementsAndQualitativeEvaluations) -> dict[str, float]:
    return {found.name.meaning: found.value for found in group.get_measurements()}


def plain_groups(report: pydicom.Dataset) -> list[hd.sr.MeasurementsAndQualitativeEvaluations]:
    """Those that refer to no segmentation, after a turn through bytes."""
    file = io.BytesIO()
    report.save_as(file)
    file.seek(0)
    content = hd.sr.srread(file).content
    return list(content.get_image_measurement_groups())


def test_highdicom_reads_the_figures(case: CaseResult, objects: dict[str, Path]) -> None:
    report = hd.sr.srread(objects["sr"]).content
    for which, group in zip(DATES, report.get_volumetric_roi_measurement_groups(), strict=True):
        made = fragment(case, which)
        assert made.size is not None
        read = figures(group)
        assert read["Volume"] == pytest.approx(made.volume_cm3.value, rel=1e-12)
        assert read["Depth"] == made.size.ap
        assert read["Width"] == made.size.transverse
        assert read["Length"] == made.size.craniocaudal
        refers_to = group.referenced_segment.referenced_sop_instance_uid
        assert refers_to == pydicom.dcmread(objects[f"{which} BINARY"]).SOPInstanceUID
    (change,) = report.get_image_measurement_groups()
    assert case.change.resorption_percent is not None
    assert figures(change)["Resorption of the baseline volume"] == (
        case.change.resorption_percent.value
    )


def test_dcmqi_reads_the_figures_with_their_intervals(
    case: CaseResult, objects: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "sr.json"
    subprocess.run(
        [DCMQI / "tid1500reader", "--inputDICOM", objects["sr"], "--outputMetadata", out],
        capture_output=True,
        check=True,
    )
    groups = json.loads(out.read_text())["Measurements"]
    expected = [fragment(case, which).volume_cm3 for which in DATES]
    for group, volume in zip(groups, expected, strict=False):
        (item,) = (
            i for i in group["measurementItems"] if i["quantity"]["CodeValue"] == "118565006"
        )
        assert item["units"]["CodeValue"] == "cm3"
        assert float(item["value"]) == pytest.approx(volume.value)
        down, up = (float(p["numPropertyValue"]) for p in item["measurementNumProperties"])
        assert (volume.value - down, volume.value + up) == pytest.approx((volume.low, volume.high))
    assert [group["timePoint"] for group in groups] == ["baseline", "follow-up", "follow-up"]


def test_the_report_lists_all_that_it_is_made_from(
    case: CaseResult, objects: dict[str, Path]
) -> None:
    listed = {str(uid) for _, _, uid, _ in hd.sr.srread(objects["sr"]).get_evidence()}
    sources = {
        str(frame.header.SOPInstanceUID)
        for which in DATES
        for frame in point_of(case, which).scan.frames
    }
    made = {str(pydicom.dcmread(objects[f"{which} BINARY"]).SOPInstanceUID) for which in DATES}
    assert listed == sources | made


def test_the_report_is_verified_by_who_signed_and_by_nobody_else(
    case: CaseResult, tmp_path: Path
) -> None:
    nothing: dict[Which, pydicom.Dataset | None] = dict.fromkeys(DATES)
    moment = datetime(2026, 3, 1, 9, 30, 15, tzinfo=timezone(timedelta(hours=5)))
    signed = replace(case, signature=Signature("Dr. Б. Reader^Second=x", moment))
    unverified = structured_report(case, segmentations=nothing)
    verified = structured_report(signed, segmentations=nothing)
    verified.save_as(tmp_path / "signed.dcm", enforce_file_format=True)
    read = pydicom.dcmread(tmp_path / "signed.dcm")
    (observer,) = read.VerifyingObserverSequence
    assert (read.VerificationFlag, read.PreliminaryFlag) == ("VERIFIED", "FINAL")
    assert str(observer.VerifyingObserverName) == "Dr. Б. Reader Second x"
    assert observer.VerificationDateTime == "20260301093015+0500"
    assert unverified.VerificationFlag == "UNVERIFIED"
    assert "VerifyingObserverSequence" not in unverified
    assert unverified.SOPInstanceUID != read.SOPInstanceUID
    said = subprocess.run(
        [program("dciodvfy"), tmp_path / "signed.dcm"], capture_output=True, text=True, check=False
    )
    assert [line for line in said.stderr.splitlines() if line.startswith("Error")] == []


def test_a_refused_date_has_no_figure_and_no_segmentation(case: CaseResult) -> None:
    scan = case.follow_up.scan
    unknown = replace(case, follow_up=replace(refused(), scan=scan), change=UNKNOWN)
    assert segmentation(unknown, "follow_up") is None
    made = {"baseline": segmentation(unknown, "baseline"), "follow_up": None}
    date, change = plain_groups(structured_report(unknown, segmentations=made))
    assert "Volume" not in figures(date)
    assert "Resorption of the baseline volume" not in figures(change)
    words = {item.value.meaning for item in date.get_qualitative_evaluations()}
    assert "Undetermined" in words


def test_an_absent_fragment_has_a_volume_and_no_segmentation(case: CaseResult) -> None:
    gone = replace(case, follow_up=replace(absent(), scan=case.follow_up.scan))
    assert segmentation(gone, "follow_up") is None
    made = {"baseline": segmentation(gone, "baseline"), "follow_up": None}
    date, _ = plain_groups(structured_report(gone, segmentations=made))
    assert figures(date)["Volume"] == 0.04


def test_orthanc_stores_and_returns_them_within_their_studies(
    objects: dict[str, Path], studies: Path, tmp_path: Path
) -> None:
    pacs = orthanc(tmp_path / "pacs")
    files = [path.read_bytes() for path in (*studies.rglob("*.dcm"), *objects.values())]
    with pacs.running():
        for content in files:
            pacs.give(content)
        assert sorted(pacs.instances()) == sorted(files)
        held = [pacs.asked(f"/studies/{uid}") for uid in pacs.asked("/studies")]
        assert sorted(len(study["Series"]) for study in held) == [3, 5]
        assert len(pacs.asked("/patients")) == 1
