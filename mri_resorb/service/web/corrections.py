"""A reader's mask measured: the case has the new figures when this returns.

The result goes to a folder of its own and is then named by the case, if that is still at the
revision that was corrected: whatever ends halfway leaves the case as it was.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import SimpleITK as sitk

from mri_resorb.errors import InputError, MaskError, OutputError, ResultsError, StateError
from mri_resorb.io.result_folder import write_results
from mri_resorb.io.results import Which, drawn_mask_name
from mri_resorb.languages import Language
from mri_resorb.outputs import DATES
from mri_resorb.service.audit import Action, Detail, append
from mri_resorb.service.cases import Case, job_folder, new_result_folder, result_folder
from mri_resorb.service.decisions import correct
from mri_resorb.service.measured import KeptCases, remeasured
from mri_resorb.service.store import Store, new_id
from mri_resorb.service.web.mask_upload import unpacked_mask

_OF_THE_REQUEST = (MaskError, StateError, OutputError)
"""What can be wrong that is not the fault of the studies that were measured once."""


class Remeasuring(Protocol):
    """Where masks are measured: in this process or in another."""

    def prepare(self, folder: Path) -> None:
        """Have the case of a result folder ready; takes seconds."""

    def measure(
        self, folder: Path, output: Path, masks: dict[Which, Path], by: str, language: Language
    ) -> None:
        """Measure masks on the case of a result folder, and write the result to another."""


class RemeasuringHere:
    """In this process."""

    def __init__(self) -> None:
        self._kept = KeptCases()

    def prepare(self, folder: Path) -> None:
        """As `Remeasuring`."""
        self._kept.placed(folder)

    def measure(
        self, folder: Path, output: Path, masks: dict[Which, Path], by: str, language: Language
    ) -> None:
        """As `Remeasuring`.

        Raises:
            MaskError: a mask does not fit its series, is empty, or cannot be read.
            ResultsError: the studies are not what they were.
        """
        result = remeasured(
            self._kept.placed(folder),
            baseline_mask=masks.get("baseline"),
            follow_up_mask=masks.get("follow_up"),
            reviewed_by=by,
        )
        write_results(result, output, language=language)


@dataclass(frozen=True)
class Corrections:
    """What readers correct.

    Attributes:
        language: of the words beside a result.
    """

    store: Store
    remeasuring: Remeasuring
    language: Language

    def prepare(self, case: Case) -> None:
        """Have a case ready, so that its first correction is measured as fast as the next."""
        self.remeasuring.prepare(job_folder(self.store, case))

    def put(self, case: Case, *, date: Which, content: bytes, by: str) -> Case:
        """Measure a fragment that a person drew, instead of that date's.

        Args:
            case: as it was corrected.
            content: NIfTI, may be gzipped, on the voxels of the series that is measured.
            by: the account.

        Raises:
            MaskError: it does not fit its series, is empty, or cannot be read.
            StateError: the case has changed meanwhile, or is not to be read.
        """
        image = sitk.ImageFileReader()
        image.SetFileName(str(job_folder(self.store, case) / f"{date}_image.nii.gz"))
        image.ReadImageInformation()
        most_voxels = 1
        for count in image.GetSize():
            most_voxels *= count
        mask = self.store.folder / "incoming" / f"{new_id()}.nii"
        try:
            mask.write_bytes(unpacked_mask(content, most_voxels=most_voxels))
            told: dict[str, Detail] = {"date": date, "sha256": hashlib.sha256(content).hexdigest()}
            masks = {**self._drawn(case), date: mask}
            return self._measure(case, masks=masks, by=by, action="corrected", told=told)
        except MaskError as error:
            raise MaskError(str(error).replace(str(mask), "The mask")) from error
        finally:
            mask.unlink(missing_ok=True)

    def remove(self, case: Case, *, date: Which, by: str) -> Case:
        """Measure that date's automatic fragment again; nothing where no other is measured.

        Raises:
            StateError: the case has changed meanwhile, or is not to be read.
        """
        drawn = self._drawn(case)
        if date not in drawn:
            return case
        del drawn[date]
        action: Action = "correction removed"
        told: dict[str, Detail] = {"date": date}
        if drawn:
            return self._measure(case, masks=drawn, by=by, action=action, told=told)
        automatic = job_folder(self.store, case)
        return self._put_in_place(case, automatic, by=by, action=action, told=told)

    def _drawn(self, case: Case) -> dict[Which, Path]:
        """The masks of persons that the case has now."""
        folder = result_folder(self.store, case)
        assert folder is not None
        return {
            date: folder / drawn_mask_name(date)
            for date in DATES
            if (folder / drawn_mask_name(date)).is_file()
        }

    def _measure(
        self,
        case: Case,
        *,
        masks: dict[Which, Path],
        by: str,
        action: Action,
        told: dict[str, Detail],
    ) -> Case:
        folder = new_result_folder(self.store, case)
        try:
            self.remeasuring.measure(job_folder(self.store, case), folder, masks, by, self.language)
            return self._put_in_place(case, folder, by=by, action=action, told=told)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, InputError) and not isinstance(error, _OF_THE_REQUEST):
                raise ResultsError("The studies can no longer be measured.") from error
            raise

    def _put_in_place(
        self, case: Case, folder: Path, *, by: str, action: Action, told: dict[str, Detail]
    ) -> Case:
        with self.store.transaction() as connection:
            changed = correct(self.store, case.id, revision=case.revision, result=folder)
            append(
                connection,
                who=by,
                action=action,
                subject=case.id,
                details={**told, "revision": changed.revision},
            )
        return changed
