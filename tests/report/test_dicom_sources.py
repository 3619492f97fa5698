"""DICOM objects of a case whose files are unusual: multi-frame, tilted, of no study."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import dicom_files
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from case_results import case_result
from dicom_case import PDF, dicom_case, fragment, occupancy
from pydicom.uid import EnhancedMRImageStorage

from mri_resorb.errors import DicomSourceError
from mri_resorb.io.masks import read_fragment_mask
from mri_resorb.io.studies import read_study
from mri_resorb.model import CaseResult, Scan
from mri_resorb.report.dicom_pdf import encapsulated_pdf
from mri_resorb.report.dicom_seg import segmentation


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
def test_what_belongs_to_no_study_is_refused(tmp_path: Path, keyword: str | None) -> None:
    case = dicom_case(tmp_path / "usual")
    scan: Scan = replace(case.baseline.scan, frames=())
    if keyword is not None:
        dicom_files.write(dicom_files.series(**{keyword: None}), tmp_path / "unusual")
        scan = read_study(tmp_path / "unusual")
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
