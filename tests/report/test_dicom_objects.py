"""What other people's software reads in the DICOM objects, and where it finds them."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dcmqi
import dicom_files
import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from case_results import UNKNOWN, absent, case_result, refused
from dicom_case import NAME, dicom_case, program
from pydicom.uid import EnhancedMRImageStorage

from mri_resorb.errors import DicomSourceError
from mri_resorb.io.masks import read_fragment_mask
from mri_resorb.io.result_folder import write_results
from mri_resorb.io.results import Which
from mri_resorb.io.studies import read_study
from mri_resorb.model import CaseResult, Fragment, Scan, Signature
from mri_resorb.report.dicom_pdf import encapsulated_pdf
from mri_resorb.report.dicom_seg import segmentation
from mri_resorb.report.dicom_sr import structured_report
from mri_resorb.report.dicom_study import point_of

DATES: tuple[Which, Which] = ("baseline", "follow_up")
DCMQI = Path(dcmqi.__file__).parent / "bin"
PDF = b"%PDF-1.7\n%%EOF"


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


def fragment(case: CaseResult, which: Which) -> Fragment:
    found = point_of(case, which).fragment
    assert found is not None
    return found


def occupancy(case: CaseResult, which: Which) -> np.ndarray:
    """(slices, rows, columns), sagittal order, which is that of these files."""
    return sitk.GetArrayFromImage(fragment(case, which).occupancy)


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


def case_of(datasets: list[pydicom.Dataset], folder: Path) -> CaseResult:
    """A case whose baseline is a series as the datasets have it, with a block for a fragment."""
    dicom_files.write(datasets, folder)
    scan = read_study(folder)
    filled = np.zeros(scan.image.GetSize()[::-1], np.float32)
    filled[1:4, 5:9, 4:8] = 0.9
    image = sitk.GetImageFromArray(filled)
    image.CopyInformation(scan.image)
    case = case_result()
    made = replace(fragment(case, "baseline"), occupancy=image)
    return replace(case, baseline=replace(case.baseline, scan=scan, fragment=made))


def two_echoes() -> pydicom.Dataset:
    """An Enhanced file that has each slice twice, the second time with little T2 weighting."""
    made = dicom_files.enhanced(frame_order=[3, 0, 6, 1, 5, 2, 4])
    pixels = np.frombuffer(made.PixelData, np.uint16).reshape(7, -1)
    groups = []
    for group in made.PerFrameFunctionalGroupsSequence:
        early = deepcopy(group)
        early.MREchoSequence[0].EffectiveEchoTime = 12.0
        groups += [early, group]
    made.PerFrameFunctionalGroupsSequence = groups
    made.NumberOfFrames = len(groups)
    made.PixelData = np.repeat(pixels, 2, axis=0).tobytes()
    return made


def test_frames_of_an_enhanced_file_keep_their_numbers(tmp_path: Path) -> None:
    case = case_of([two_echoes()], tmp_path)
    assert {frame.number % 2 for frame in case.baseline.scan.frames} == {0}
    made = segmentation(case, "baseline")
    assert made is not None
    source = pydicom.dcmread(tmp_path / "IM0001")
    assert len(made.PerFrameFunctionalGroupsSequence) == 3
    for frame in made.PerFrameFunctionalGroupsSequence:
        (reference,) = frame.DerivationImageSequence[0].SourceImageSequence
        assert reference.ReferencedSOPClassUID == EnhancedMRImageStorage
        assert reference.ReferencedFrameNumber % 2 == 0
        groups = source.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
        lies, should = (group.PlanePositionSequence[0] for group in (frame, groups))
        assert lies.ImagePositionPatient == should.ImagePositionPatient


TILTED = ((0.0, 0.96, -0.28), (0.0, -0.28, -0.96))


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize(
    "orientation",
    [
        dicom_files.SAGITTAL,
        ((0.0, -1.0, 0.0), (0.0, 0.0, -1.0)),
        ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
        TILTED,
    ],
    ids=["usual", "back to front", "rows upwards", "tilted"],
)
def test_voxels_come_back_whatever_way_the_files_run(
    tmp_path: Path, enhanced: bool, orientation: tuple[tuple[float, ...], ...]
) -> None:
    grid = dicom_files.Grid(orientation=orientation, backwards=True)  # type: ignore[arg-type]
    datasets = [dicom_files.enhanced(grid)] if enhanced else dicom_files.series(grid)
    case = case_of(datasets, tmp_path / "study")
    made = segmentation(case, "baseline")
    assert made is not None
    made.save_as(tmp_path / "seg.dcm")
    read = read_fragment_mask(tmp_path / "seg.dcm", scan=case.baseline.scan)
    assert np.array_equal(sitk.GetArrayFromImage(read) > 0, occupancy(case, "baseline") > 0)


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID", "StudyInstanceUID", None])
def test_what_belongs_to_no_study_is_refused(
    case: CaseResult, tmp_path: Path, keyword: str | None
) -> None:
    scan: Scan = replace(case.baseline.scan, frames=())
    if keyword is not None:
        dicom_files.write(dicom_files.series(**{keyword: None}), tmp_path)
        scan = read_study(tmp_path)
    with pytest.raises(DicomSourceError, match=keyword or "volume file"):
        segmentation(replace(case, baseline=replace(case.baseline, scan=scan)), "baseline")


def test_odd_values_of_the_study_do_not_stop_its_objects(tmp_path: Path) -> None:
    odd = {"StudyDate": "2018.11.05", "PatientSex": "W", "PatientName": None, "StudyTime": "noon"}
    dicom_files.write(dicom_files.series(**odd), tmp_path / "odd")
    case = case_result()
    case = replace(case, follow_up=replace(case.follow_up, scan=read_study(tmp_path / "odd")))
    made = encapsulated_pdf(case, PDF)
    assert (made.StudyDate, made.PatientSex, made.PatientName) == ("20181105", "", "")
    assert made.StudyTime == ""
    made.save_as(tmp_path / "pdf.dcm", enforce_file_format=True)


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[str]:
    """Address of an empty Orthanc that listens to this machine alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "orthanc.json").write_text(
        json.dumps(
            {
                "StorageDirectory": str(tmp_path / "store"),
                "IndexDirectory": str(tmp_path / "store"),
                "HttpPort": port,
                "HttpBindAddresses": ["127.0.0.1"],
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "DicomServerEnabled": False,
                "Plugins": [],
            }
        )
    )
    server = subprocess.Popen(
        [program("Orthanc"), tmp_path / "orthanc.json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                ask(f"{address}/system")
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()


def ask(address: str, *, post: bytes | None = None) -> bytes:
    with urllib.request.urlopen(address, data=post, timeout=10) as answer:
        return bytes(answer.read())


def test_orthanc_stores_and_returns_them_within_their_studies(
    objects: dict[str, Path], studies: Path, orthanc: str
) -> None:
    images = list(studies.rglob("*.dcm"))
    for path in (*images, *objects.values()):
        stored = json.loads(ask(f"{orthanc}/instances", post=path.read_bytes()))
        assert stored["Status"] == "Success"
        assert ask(f"{orthanc}/instances/{stored['ID']}/file") == path.read_bytes()
    held = [
        json.loads(ask(f"{orthanc}/studies/{uid}")) for uid in json.loads(ask(f"{orthanc}/studies"))
    ]
    assert sorted(len(study["Series"]) for study in held) == [3, 5]
    assert len(json.loads(ask(f"{orthanc}/patients"))) == 1
