"""What a worker does for a case: measure it, or write the reports of what was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from mri_resorb.batch.worker import Compare
from mri_resorb.correction import place_again, read_result
from mri_resorb.errors import ResultsError
from mri_resorb.io.results import FollowUpDocument, Which, document, drawn_mask_name
from mri_resorb.model import CaseResult, Review, Scan, Signature, StudyInput
from mri_resorb.outputs import DATES
from mri_resorb.service.measured import remeasured


@dataclass(frozen=True)
class Measure:
    """`follow_up`, leaving the images that were measured beside the result.

    Attributes:
        folder: where the result goes.
    """

    folder: Path
    compare: Compare

    def __call__(self, baseline: StudyInput, follow_up: StudyInput, **options: Any) -> CaseResult:
        """Compare two studies."""
        case = self.compare(baseline, follow_up, **options)
        self.folder.mkdir(parents=True, exist_ok=True)
        for which in DATES:
            scan = (case.baseline if which == "baseline" else case.follow_up).scan
            write_image(scan, self.folder / image_name(which))
        return case


@dataclass(frozen=True)
class Report:
    """A result measured again for its reports: the same figures, and who signed them.

    Attributes:
        before: the folder of the result that stands.
    """

    before: Path
    signature: Signature | None

    def __call__(self, *_: StudyInput, **__: Any) -> CaseResult:
        """Measure again.

        Raises:
            ResultsError: the figures are not the same, as those of another version may be.
        """
        stands = read_result(self.before)
        drawn = [self._drawn(which) for which in DATES]
        case = remeasured(
            place_again(self.before),
            baseline_mask=drawn[0],
            follow_up_mask=drawn[1],
        )
        if not _same_figures(document(case), stands):
            raise ResultsError(
                "Measured again, the case has other figures than those that were read: another "
                "version of mri-resorb made them. Have it measured anew, and read it again."
            )
        review = Review(stands.review.by, stands.review.at) if stands.review else None
        return replace(case, review=review, signature=self.signature)

    def _drawn(self, which: Which) -> Path | None:
        file = self.before / drawn_mask_name(which)
        return file if file.exists() else None


def image_name(which: Which) -> str:
    """File name of the series of a date, in a job's folder."""
    return f"{which}_image.nii.gz"


def write_image(scan: Scan, path: Path) -> None:
    """Write a series as NIfTI on its own grid; nothing in it says whose it is."""
    native = sitk.DICOMOrient(scan.image, scan.native_orientation)
    sitk.WriteImage(native, str(path), useCompression=True)


def _same_figures(one: FollowUpDocument, other: FollowUpDocument) -> bool:
    def figures(of: FollowUpDocument) -> list[object]:
        dates = [
            (date.date, date.status, date.volume_cm3, date.size_cm, date.type, date.migration)
            for date in (of.baseline, of.follow_up)
        ]
        return [of.status, of.level, of.change, *dates]

    return figures(one) == figures(other)
