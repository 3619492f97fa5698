"""The figures as a DICOM structured report: Comprehensive 3D SR by template TID 1500.

One measurement group a date and one for the change, all with one tracking UID. A date with a
fragment is a volumetric region of interest (TID 1411) that refers to its segmentation; one without
is a plain group (TID 1501). Each figure carries its 95 % interval as the distances from the value
down and up (TID 310, CID 225). What no standard code names (percent resorption, verdicts, types of
herniation) has a code of the private scheme 99MRIRESORB, which the document declares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

import mri_resorb
from mri_resorb.io.attributes import text_of
from mri_resorb.io.dicom import quiet_pydicom
from mri_resorb.io.results import Which
from mri_resorb.model import CaseResult, Estimate, TimePoint
from mri_resorb.report.dicom_study import (
    DISC,
    HERNIATED_STRUCTURE,
    MANUFACTURER,
    MODEL_NAME,
    SERIAL_NUMBER,
    object_uid,
    person_name,
    person_of,
    point_of,
    signature_parts,
    source_headers,
    tracking_identifier,
    tracking_uid,
)

SERIES_NUMBER = 9103
PRIVATE_SCHEME = "99MRIRESORB"
NOT_STATED = "not stated"
"""Organization of who verified, which must not be empty, where the images name no institution."""

CUBIC_CENTIMETRE = Code("cm3", "UCUM", "cubic centimeter")
MILLIMETRE = Code("mm", "UCUM", "millimeter")
PERCENT = Code("%", "UCUM", "percent")
DAY = Code("d", "UCUM", "day")
BASELINE = Code("C1442488", "UMLS", "Baseline")
LOWER = Code("371885007", "SCT", "-, range of lower measurement uncertainty")
UPPER = Code("371886008", "SCT", "+, range of upper measurement uncertainty")


def _private(value: str, meaning: str) -> Code:
    return Code(value, PRIVATE_SCHEME, meaning)


RESORPTION_PERCENT = _private("RESORPTION", "Resorption of the baseline volume")
VOLUME_DECREASE = _private("DECREASE", "Decrease in volume since baseline")
CANAL_COMPROMISE = _private("CANAL", "Largest part of the canal's area taken by the fragment")
STATUS = _private("STATUS", "Status of the measurement")
TYPE = _private("TYPE", "Type of herniation (Fardon et al. 2014)")
MIGRATION = _private("MIGRATION", "Craniocaudal migration of the fragment")
SIDE = _private("SIDE", "Side of the fragment")
VERDICT = _private("VERDICT", "Change beyond measurement error")
VALUES = {
    word: _private(value, meaning)
    for word, value, meaning in (
        ("measured", "MEASURED", "Measured"),
        ("absent", "ABSENT", "Absent: nothing reaches 2.5 mm behind the posterior boundary"),
        ("incomplete", "INCOMPLETE", "Not seen whole, not measured"),
        ("undetermined", "UNDETERMINED", "Undetermined"),
        ("bulge", "BULGE", "Bulge"),
        ("protrusion", "PROTRUSION", "Protrusion"),
        ("extrusion", "EXTRUSION", "Extrusion"),
        ("sequestration", "SEQUESTRATION", "Sequestration"),
        ("none", "NONE", "None"),
        ("cranial", "CRANIAL", "Cranial"),
        ("caudal", "CAUDAL", "Caudal"),
        ("central", "CENTRAL", "Central"),
        ("left", "LEFT", "Left"),
        ("right", "RIGHT", "Right"),
        ("decreased", "DECREASED", "Decreased"),
        ("increased", "INCREASED", "Increased"),
        ("no_change_beyond_error", "NO_CHANGE", "No change beyond measurement error"),
    )
}


@quiet_pydicom()
def structured_report(
    case: CaseResult, *, segmentations: dict[Which, Dataset | None]
) -> sr.Comprehensive3DSR:
    """The report of both dates, in the follow-up's study.

    It is final and verified where a reader signed the result, and preliminary where not.

    Args:
        segmentations: the object that holds each date's fragment, None where there is none.

    Raises:
        DicomSourceError: see `source_headers`.
    """
    sources = {which: source_headers(point_of(case, which).scan) for which in segmentations}
    groups = [
        _date_group(case, which, sources=sources[which], segmentation=segmentations[which])
        for which in segmentations
    ]
    content = sr.MeasurementReport(
        observation_context=_observation_context(case),
        procedure_reported=codes.cid100.MRIUnspecifiedBodyRegion,
        title=codes.DCM.ImagingMeasurementReport,
        imaging_measurements=[*groups, _change_group(case)],
    )
    signed = _signed(case, source=sources["follow_up"][0])
    made = sr.Comprehensive3DSR(
        evidence=[  # the study that comes first is the report's own
            *sources["follow_up"],
            *sources["baseline"],
            *(found for found in segmentations.values() if found is not None),
        ],
        content=content,
        series_instance_uid=object_uid(case, "sr series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=object_uid(case, "sr", *signature_parts(case)),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=mri_resorb.__version__,
        device_serial_number=SERIAL_NUMBER,
        series_description=f"{tracking_identifier(case)}, follow-up",
        is_complete=True,
        **signed,
        specific_character_set="ISO_IR 192",
    )
    scheme = Dataset()
    scheme.CodingSchemeDesignator = PRIVATE_SCHEME
    scheme.CodingSchemeName = "Private codes of mri_resorb"
    scheme.CodingSchemeVersion = mri_resorb.__version__
    scheme.CodingSchemeResponsibleOrganization = MANUFACTURER
    made.CodingSchemeIdentificationSequence = [scheme]
    if case.signature is not None:
        moment = case.signature.at.strftime("%Y%m%d%H%M%S%z")
        made.VerifyingObserverSequence[0].VerificationDateTime = moment
    return made


def _signed(case: CaseResult, *, source: Dataset) -> dict[str, Any]:
    """Who verified the document (PS3.3 C.17.2), for highdicom."""
    if case.signature is None:
        return {}
    return {
        "is_verified": True,
        "is_final": True,
        "verifying_observer_name": person_name(case.signature.name),
        "verifying_organization": text_of(source, "InstitutionName") or NOT_STATED,
    }


def _observation_context(case: CaseResult) -> sr.ObservationContext:
    device = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=object_uid(case, "device"),
            name=MODEL_NAME,
            manufacturer_name=MANUFACTURER,
            model_name=f"{MODEL_NAME} {mri_resorb.__version__}",
        ),
    )
    person = person_of(case)
    reviewer = None
    if person is not None:
        reviewer = sr.ObserverContext(
            observer_type=codes.DCM.Person,
            observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(name=person),
        )
    return sr.ObservationContext(observer_person_context=reviewer, observer_device_context=device)


def _date_group(
    case: CaseResult, which: Which, *, sources: Sequence[Dataset], segmentation: Dataset | None
) -> (
    sr.VolumetricROIMeasurementsAndQualitativeEvaluations | sr.MeasurementsAndQualitativeEvaluations
):
    point = point_of(case, which)
    common = _common(case, which)
    common["measurements"] = _measurements(point)
    common["qualitative_evaluations"] = _evaluations(point)
    if segmentation is None:
        return sr.MeasurementsAndQualitativeEvaluations(
            **common,
            source_images=[
                sr.SourceImageForMeasurementGroup(
                    source.SOPClassUID, source.SOPInstanceUID, _frame_numbers(point, source)
                )
                for source in sources
            ],
        )
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        **common,
        # From UIDs: highdicom 0.28 refuses `from_segmentation` for objects with one segment.
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            segment_number=1,
            source_images=[
                sr.SourceImageForSegmentation(
                    source.SOPClassUID, source.SOPInstanceUID, _frame_numbers(point, source)
                )
                for source in sources
            ],
        ),
    )


def _change_group(case: CaseResult) -> sr.MeasurementsAndQualitativeEvaluations:
    change = case.change
    measurements = [
        _measured(name, estimate.value, unit=unit, interval=estimate)
        for name, estimate, unit in (
            (RESORPTION_PERCENT, change.resorption_percent, PERCENT),
            (VOLUME_DECREASE, change.absolute_cm3, CUBIC_CENTIMETRE),
        )
        if estimate is not None
    ]
    return sr.MeasurementsAndQualitativeEvaluations(
        **_common(case, "follow_up"),
        measurements=measurements or None,
        qualitative_evaluations=([sr.QualitativeEvaluation(VERDICT, VALUES[change.verdict])]),
    )


def _common(case: CaseResult, which: Which) -> dict[str, Any]:
    """What every group of the report says of the fragment."""
    return {
        "tracking_identifier": sr.TrackingIdentifier(
            uid=tracking_uid(case), identifier=tracking_identifier(case)
        ),
        "time_point_context": _time_point(case, which),
        "finding_type": HERNIATED_STRUCTURE,
        "finding_sites": [sr.FindingSite(anatomic_location=DISC[case.level])],
        "algorithm_id": _algorithm(case),
    }


def _time_point(case: CaseResult, which: Which) -> sr.TimePointContext:
    if which == "baseline":
        return sr.TimePointContext("baseline", time_point_type=BASELINE, time_point_order=1)
    since = None
    if case.interval_days is not None:
        since = sr.LongitudinalTemporalOffsetFromEvent(
            case.interval_days, unit=DAY, event_type=BASELINE
        )
    return sr.TimePointContext("follow-up", time_point_order=2, temporal_offset_from_event=since)


def _algorithm(case: CaseResult) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(
        name=MODEL_NAME,
        version=mri_resorb.__version__,
        manufacturer=MANUFACTURER,
        parameters=[
            f"definitions={case.provenance.get('definitions', '')}",
            f"weights_sha256={case.provenance.get('weights_sha256', '')}",
            "measurement uncertainty=95 % interval, as distances from the value",
        ],
    )


def _measurements(point: TimePoint) -> list[sr.Measurement] | None:
    fragment = point.fragment
    if fragment is None:
        return None
    volume = fragment.volume_cm3
    found = [_measured(codes.SCT.Volume, volume.value, unit=CUBIC_CENTIMETRE, interval=volume)]
    if fragment.size is not None:
        found += [
            _measured(codes.SCT.Depth, fragment.size.ap, unit=MILLIMETRE),
            _measured(codes.SCT.Width, fragment.size.transverse, unit=MILLIMETRE),
            _measured(codes.SCT.Length, fragment.size.craniocaudal, unit=MILLIMETRE),
        ]
    if fragment.canal_compromise_percent is not None:
        found.append(_measured(CANAL_COMPROMISE, fragment.canal_compromise_percent, unit=PERCENT))
    return found


def _evaluations(point: TimePoint) -> list[sr.QualitativeEvaluation]:
    found = [sr.QualitativeEvaluation(STATUS, VALUES[point.status])]
    if point.fragment is not None:
        found.append(sr.QualitativeEvaluation(TYPE, VALUES[point.fragment.type]))
        if point.fragment.migration is not None:
            migration = point.fragment.migration
            found.append(sr.QualitativeEvaluation(MIGRATION, VALUES[migration.craniocaudal]))
            found.append(sr.QualitativeEvaluation(SIDE, VALUES[migration.side]))
    return found


def _measured(
    name: Code, value: float, *, unit: Code, interval: Estimate | None = None
) -> sr.Measurement:
    """A figure; the interval's ends as distances in the figure's own unit (TID 310 row 6).

    Not by `MeasurementProperties`' own arguments: highdicom 0.28 gives those no unit.
    """
    properties = None
    if interval is not None:
        properties = sr.MeasurementProperties()
        for concept, distance in (
            (LOWER, interval.value - interval.low),
            (UPPER, interval.high - interval.value),
        ):
            properties.append(
                sr.NumContentItem(
                    name=concept,
                    value=distance,
                    unit=unit,
                    relationship_type=sr.RelationshipTypeValues.HAS_PROPERTIES,
                )
            )
    return sr.Measurement(name=name, value=value, unit=unit, properties=properties)


def _frame_numbers(point: TimePoint, source: Dataset) -> list[int] | None:
    if "PerFrameFunctionalGroupsSequence" not in source:
        return None
    return sorted(frame.number for frame in point.scan.frames)
