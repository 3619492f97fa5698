"""Which series is measured: rules in a fixed order, and a sentence on which decided."""

from __future__ import annotations

from pathlib import Path

import dicom_files
import pytest
from dicom_files import AXIAL, CORONAL, Grid
from pydicom.uid import CTImageStorage, generate_uid

from mri_resorb.errors import NoStudyError, SeriesChoiceError
from mri_resorb.io.contrast import names_other_region
from mri_resorb.io.studies import read_study

STUDY = generate_uid()
T1 = {"EchoTime": 11.0, "RepetitionTime": 550.0, "SeriesDescription": "T1 TSE SAG"}
STIR = {"InversionTime": 160.0, "EchoTime": 48.0, "SeriesDescription": "STIR SAG"}
FAT_SAT = {"ScanOptions": ["PFP", "FS"], "SeriesDescription": "T2 SAG"}
UNKNOWN = {"EchoTime": None, "RepetitionTime": None, "SeriesDescription": None}
MYELOGRAPHY = {"SeriesDescription": "T2 MYELO SAG", "EchoTime": 700.0}


def _add(folder: Path, number: int, grid: Grid | None = None, **attributes: object) -> None:
    attributes = {"StudyInstanceUID": STUDY, "SeriesNumber": number, **attributes}
    name = f"any/{number}"
    dicom_files.write(dicom_files.series(grid, **attributes), folder / name)


def _chosen(folder: Path, **options: str) -> int:
    because = str(read_study(folder, **options).chosen_because)
    assert because.startswith("Taken: series ")
    return int(because.split()[2])


@pytest.mark.parametrize(
    ("others", "rule"),
    [
        ([T1], "only sagittal T2"),
        ([STIR], "not fat-suppressed"),
        ([FAT_SAT], "not fat-suppressed"),
        ([UNKNOWN], "only sagittal T2"),
        ([MYELOGRAPHY], "only sagittal T2"),
        ([{"ImageType": ["DERIVED", "PRIMARY", "M"]}], "not derived"),
        ([{"BodyPartExamined": "CSPINE"}], "another part of the body"),
        ([{"SeriesDescription": "T2 thoracic sag"}], "another part of the body"),
        ([{"grid": Grid(spacing_mm=(1.9, 1.9))}], "finest pixels"),
        ([{"grid": Grid(slices=5)}], "most slices"),
        ([{"grid": Grid(orientation=AXIAL)}], "only sagittal T2"),
        ([{"grid": Grid(orientation=CORONAL)}], "only sagittal T2"),
        ([{"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}], "only sagittal T2"),
        ([{"ImageType": ["DERIVED", "SECONDARY"], "Modality": "OT"}], "only sagittal T2"),
        ([{"ScanningSequence": "GR", "EchoTime": 18.0}], "only sagittal T2"),
        ([{"EchoTime": 30.0, "SeriesDescription": "PD"}], "only sagittal T2"),
        ([T1, STIR, MYELOGRAPHY, {"grid": Grid(orientation=AXIAL)}], "not fat-suppressed"),
    ],
)
def test_rules(tmp_path: Path, others: list[dict], rule: str) -> None:
    for number, attributes in enumerate(others, start=1):
        _add(tmp_path, number, **attributes)
    _add(tmp_path, 9)
    scan = read_study(tmp_path)
    assert str(scan.chosen_because).startswith(
        "Taken: series 9 (sagittal T2, not fat-suppressed, 7 slices)"
    )
    assert rule in str(scan.chosen_because)


@pytest.mark.parametrize("description", ["T1 SAG", "", "sag fast"])
def test_times_count_before_descriptions(tmp_path: Path, description: str) -> None:
    _add(tmp_path, 1, **(T1 | {"SeriesDescription": "T2 SAG LSPINE"}))
    _add(tmp_path, 2, SeriesDescription=description)
    assert _chosen(tmp_path) == 2


@pytest.mark.parametrize(
    "description", ["t2_tse_sag", "SAG T2", "T2W_TSE_sag", "sag t2 frfse", "T2 SPACE"]
)
def test_descriptions_count_where_there_are_no_times(tmp_path: Path, description: str) -> None:
    _add(tmp_path, 1, **(UNKNOWN | {"SeriesDescription": "t1_tse_sag"}))
    _add(tmp_path, 2, **(UNKNOWN | {"SeriesDescription": description}))
    assert _chosen(tmp_path) == 2


@pytest.mark.parametrize(
    ("description", "fat_suppressed"),
    [
        ("t2_tse_fs_sag", True),
        ("T2 SPAIR sag", True),
        ("t2 tirm sag", True),
        ("T2 fat sat", True),
        ("T2_DIXON_W", True),
        ("t2_tse_sag", False),
        ("T2 offset first", False),
    ],
)
def test_fat_suppression_by_description(
    tmp_path: Path, description: str, fat_suppressed: bool
) -> None:
    _add(tmp_path, 1, SeriesDescription=description)
    assert read_study(tmp_path).fat_suppressed is fat_suppressed


def test_the_users_word_overrules_the_rules(tmp_path: Path) -> None:
    uid = generate_uid()
    _add(tmp_path, 1, SeriesInstanceUID=uid, **STIR)
    _add(tmp_path, 2)
    _add(tmp_path, 3, **T1)
    assert _chosen(tmp_path) == 2
    assert _chosen(tmp_path, series="1") == 1
    assert _chosen(tmp_path, series=uid) == 1
    assert _chosen(tmp_path, series="stir sag") == 1
    scan = read_study(tmp_path, series="3")
    assert str(scan.chosen_because).startswith("Taken: series 3")
    assert "not-t2" in {remark.code for remark in scan.warnings}
    with pytest.raises(SeriesChoiceError, match="no series '7'"):
        read_study(tmp_path, series="7")


def test_the_users_word_does_not_overrule_the_plane(tmp_path: Path) -> None:
    _add(tmp_path, 1, Grid(orientation=AXIAL))
    with pytest.raises(SeriesChoiceError, match="axial"):
        read_study(tmp_path, series="1")


def test_the_other_dates_kind_is_preferred(tmp_path: Path) -> None:
    _add(tmp_path / "first", 1, **STIR)
    _add(tmp_path / "second", 1, **STIR)
    _add(tmp_path / "second", 2)
    first = read_study(tmp_path / "first")
    second = read_study(tmp_path / "second", prefer_like=first)
    assert second.fat_suppressed is True
    assert "other date's fat suppression" in str(second.chosen_because)


def test_a_broken_series_gives_way_to_a_whole_one_and_is_named(tmp_path: Path) -> None:
    _add(tmp_path, 1)
    (tmp_path / "any" / "1" / "IM0004").unlink()
    _add(tmp_path, 2, Grid(spacing_mm=(1.9, 1.9)))
    scan = read_study(tmp_path)
    assert str(scan.chosen_because).startswith("Taken: series 2")
    (remark,) = scan.warnings
    assert remark.code == "series-left-out"
    assert "series 1" in remark.text()
    assert "missing" in remark.text()


def test_stray_slices_of_other_patients_are_ignored(tmp_path: Path) -> None:
    _add(tmp_path, 1)
    datasets = dicom_files.series(PatientID="P-18", PatientBirthDate="19500101")
    dicom_files.write(datasets[2:4], tmp_path)
    scan = read_study(tmp_path)
    assert scan.patient.id == "P-17"
    assert scan.image.GetSize()[2] == 7


def test_two_patients_with_a_fitting_series_are_not_guessed_between(tmp_path: Path) -> None:
    _add(tmp_path, 1)
    _add(tmp_path, 2, PatientID="P-18", PatientName="Roe^Richard")
    with pytest.raises(SeriesChoiceError, match="Several patients") as caught:
        read_study(tmp_path)
    assert "--baseline-series" in str(caught.value)
    assert not any(word in str(caught.value) for word in ("P-17", "P-18", "Roe", "Doe"))
    assert read_study(tmp_path, series="2").patient.id == "P-18"


def test_series_of_one_number_are_told_apart_by_uid(tmp_path: Path) -> None:
    uids = [generate_uid(), generate_uid()]
    for uid, patient in zip(uids, ("P-17", "P-18"), strict=True):
        datasets = dicom_files.series(PatientID=patient, SeriesInstanceUID=uid)
        dicom_files.write(datasets, tmp_path, prefix=patient)
    with pytest.raises(SeriesChoiceError, match="Several patients") as caught:
        read_study(tmp_path)
    assert all(uid in str(caught.value) for uid in uids)
    assert read_study(tmp_path, series=uids[1]).patient.id == "P-18"


def test_two_dates_in_one_folder_are_not_guessed_between(tmp_path: Path) -> None:
    _add(tmp_path, 1)
    _add(tmp_path, 2, StudyInstanceUID=generate_uid(), StudyDate="20190202")
    with pytest.raises(SeriesChoiceError, match="Several studies"):
        read_study(tmp_path)


def test_two_series_of_unknown_weighting_are_not_guessed_between(tmp_path: Path) -> None:
    _add(tmp_path, 1, **UNKNOWN)
    _add(tmp_path, 2, **UNKNOWN)
    with pytest.raises(SeriesChoiceError, match="do not say which series is T2"):
        read_study(tmp_path)


def test_one_series_of_unknown_weighting_is_taken_with_a_warning(tmp_path: Path) -> None:
    _add(tmp_path, 1, **UNKNOWN)
    assert [remark.code for remark in read_study(tmp_path).warnings] == ["weighting-unknown"]


@pytest.mark.parametrize("attributes", [T1, {"grid": Grid(orientation=AXIAL)}])
def test_nothing_that_fits(tmp_path: Path, attributes: dict) -> None:
    _add(tmp_path, 5, **attributes)
    with pytest.raises(SeriesChoiceError, match="No sagittal T2-weighted series among: series 5"):
        read_study(tmp_path)


def test_only_ct(tmp_path: Path) -> None:
    _add(tmp_path, 5, SOPClassUID=CTImageStorage, Modality="CT")
    with pytest.raises(NoStudyError):
        read_study(tmp_path)


@pytest.mark.parametrize(
    ("words", "other"),
    [
        ("MR CERVICAL SPINE", True),
        ("CERVICAL_SPINE W/O", True),
        ("THORACIC SPINE", True),
        ("C-SPINE", True),
        ("MR LUMBAR SPINE", False),
        ("L SPINE SAG T2", False),
        ("THORACOLUMBAR SPINE", False),
        ("MR SPINE", False),
    ],
)
def test_regions_are_told_by_their_names(words: str, other: bool) -> None:
    assert names_other_region(words) == other
