"""What can be wrong with an input, each with one sentence for people."""

from __future__ import annotations

from mri_resorb.languages import Phrase


class InputError(Exception):
    """The input cannot be used: the message says what, where, and what to do.

    Attributes:
        words: the message; a phrase where a result may quote it, in any language.
    """

    def __init__(self, words: str | Phrase) -> None:
        super().__init__(str(words))
        self.words = words


class LevelNameError(InputError):
    """A text that names no lumbar level."""


class NoStudyError(InputError):
    """Nothing readable where a study was expected."""


class PixelDataError(InputError):
    """A file whose pixel values are cut off, cannot be decoded, or hold no picture."""


class SeriesChoiceError(InputError):
    """No series fits, or the one asked for is not there."""


class GeometryError(InputError):
    """Slices that do not form one regular volume."""


class DateError(InputError):
    """Dates missing, equal or in the wrong order."""


class IdentityError(InputError):
    """The two studies are of different people."""


class ArchiveError(InputError):
    """A zip file that cannot or must not be unpacked."""


class NotLumbarSpineError(InputError):
    """The segmentation sees no lumbar spine in the image."""


class UnsuitableScanError(InputError):
    """A lumbar spine is seen, but not as in a sharp T2."""


class MaskError(InputError):
    """A mask from outside that does not fit its scan."""


class OutputError(InputError):
    """A folder that results cannot or must not be written to."""


class PipelineError(InputError):
    """A pipeline file that is not there or holds a wrong key or value."""


class ResultsError(InputError):
    """Results, or a table of them, that are not there or cannot be read."""


class ClaimError(InputError):
    """A claim that is not there, or a claim file with a wrong key or value."""


class DicomSourceError(InputError):
    """A study of which no new DICOM object can be made."""


class CaseTableError(InputError):
    """A table of cases that cannot be read or has a wrong column."""


class MissingPackageError(InputError):
    """A package that only some commands need is not installed."""


class ClusterError(InputError):
    """Workers that cannot be reached or cannot take cases."""


class SettingsError(InputError):
    """Settings of the service that hold a wrong key or value, or are not safe."""


class StoreError(InputError):
    """The service's folder that cannot be opened or written to."""


class NotThereError(InputError):
    """A case, study or file that the service does not hold."""


class StateError(InputError):
    """Something that a case's state, or its revision, does not allow."""


class RefusedInstanceError(InputError):
    """A DICOM instance that the service does not take."""


class PacsError(InputError):
    """A PACS that cannot be reached, or refuses what it is given."""


class AccountError(InputError):
    """An account or token of the service that cannot be made, changed or found."""


class KeyFileError(InputError):
    """A key for de-identification that cannot be read or written."""


class NotDeidentifiableError(InputError):
    """A DICOM instance of which no de-identified one can be made."""


class BurnedInError(NotDeidentifiableError):
    """A picture that may show the patient's name; others of its series may, too."""


class ServiceError(InputError):
    """A reading service that cannot be reached, or refuses what it is asked."""
