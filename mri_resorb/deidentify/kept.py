"""What stays in a de-identified MR image; everything that is not named here goes.

PS3.15 Table E.1-1 lists what has to go. It cannot list what is wrong with a given file: new and
private attributes, text in an attribute for numbers, a name among the words of an image type. So
this is the other list: attributes of the MR Image and Enhanced MR Image modules (PS3.3 C.7.6,
C.8.3, C.8.13) that measuring or display needs, and the words that may stand in them. The tests hold
both lists together.
"""

from __future__ import annotations

from pydicom.uid import (
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)


def _named(text: str) -> frozenset[str]:
    return frozenset(text.split())


SOP_CLASSES = (MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage)
"""Captures of a screen, documents, reports, presentations and raw data are not kept."""

NUMBERS = _named(
    """
    Rows Columns SamplesPerPixel BitsAllocated BitsStored HighBit PixelRepresentation
    NumberOfFrames PixelSpacing PixelAspectRatio RescaleIntercept RescaleSlope
    WindowCenter WindowWidth LossyImageCompressionRatio
    ImagePositionPatient ImageOrientationPatient SliceLocation SliceThickness
    SpacingBetweenSlices SeriesNumber AcquisitionNumber InstanceNumber ImagesInAcquisition
    TemporalPositionIdentifier TemporalPositionIndex NumberOfTemporalPositions
    RepetitionTime EchoTime EffectiveEchoTime InversionTime InversionTimes EchoNumbers
    EchoTrainLength RFEchoTrainLength GradientEchoTrainLength FlipAngle NumberOfAverages
    NumberOfPhaseEncodingSteps PercentSampling PercentPhaseFieldOfView PixelBandwidth
    ImagingFrequency MagneticFieldStrength ReconstructionDiameter
    SAR dBdt
    MRAcquisitionFrequencyEncodingSteps MRAcquisitionPhaseEncodingStepsInPlane
    MRAcquisitionPhaseEncodingStepsOutOfPlane TransmitterFrequency AcquisitionDuration
    FrameAcquisitionDuration FrameAcquisitionNumber InStackPositionNumber
    DiffusionBValue NominalCardiacTriggerDelayTime
    """
)
"""Values that have to be numbers, and are checked to be."""

WORDS_IN = _named(
    """
    ImageType FrameType Modality PhotometricInterpretation PatientPosition BodyPartExamined
    ScanningSequence SequenceVariant ScanOptions MRAcquisitionType ImagedNucleus ResonantNucleus
    InPlanePhaseEncodingDirection VariableFlipAngleFlag LossyImageCompression
    LossyImageCompressionMethod
    PresentationLUTShape BurnedInAnnotation
    PixelPresentation VolumetricProperties VolumeBasedCalculationTechnique ComplexImageComponent
    AcquisitionContrast ContentQualification ApplicableSafetyStandardAgency
    EchoPulseSequence MultipleSpinEcho MultiPlanarExcitation PhaseContrast TimeOfFlightContrast
    SteadyStatePulseSequence EchoPlanarPulseSequence SaturationRecovery
    SpectrallySelectedSuppression SpectrallySelectedExcitation InversionRecovery FlowCompensation
    MagnetizationTransfer T2Preparation BloodSignalNulling SpatialPresaturation Spoiling Tagging
    OversamplingPhase GeometryOfKSpaceTraversal SegmentedKSpaceTraversal
    RectilinearPhaseEncodeReordering PartialFourier PartialFourierDirection ParallelAcquisition
    KSpaceFiltering DiffusionDirectionality DiffusionAnisotropyType RespiratoryTriggerType
    """
)
"""Values that have to be words of `WORDS`; any other becomes `OTHER`."""

WORDS = _named(
    """
    ORIGINAL DERIVED MIXED PRIMARY SECONDARY OTHER NONE YES NO Y N UNKNOWN
    M P R I ND NORM FM FIL SH DIS2D DIS3D MFSPLIT MOSAIC M_FFE M_SE M_IR M_PCA SE FFE IR T1 T2
    ADC B0 TRACEW DIFFUSION PHASE MAGNITUDE REAL IMAGINARY LOCALIZER MPR MIP MINIP PROJECTION
    REFORMATTED RESAMPLED VOLUME SAMPLED DISTORTED MAX_IP MIN_IP MEDIAN_IP CURVED_MPR ANGIO
    PERFUSION DIXON WATER FAT IN_PHASE OUT_PHASE OPP_PHASE FAT_FRACTION SUB ADD AVERAGE FILTERED
    MR MONOCHROME1 MONOCHROME2 IDENTITY INVERSE COLOR MONOCHROME MONOCHROME_RGB
    HFS HFP HFDR HFDL FFS FFP FFDR FFDL
    LSPINE TSPINE CSPINE SSPINE SPINE LUMBAR LUMBARSPINE LUMBAR_SPINE TLSPINE LSSPINE CTSPINE
    TSSPINE WHOLESPINE SACRUM COCCYX ABDOMEN PELVIS CHEST NECK HEAD BRAIN HIP KNEE
    GR EP RM SK MTC SS TRSS SP MP OSP TOF PER RG CG PPG FC PFF PFP FS CT 2D 3D 1H ROW COL COLUMN
    FATSAT FAT_SAT SPIR SPAIR STIR FAST_GEMS NPW PFF_GEMS ACC_GEMS EDR_GEMS SEQ_GEMS TRF_GEMS
    VB_GEMS FILTERED_GEMS SAT_GEMS SAT1 SAT2 SAT3 SAT4 WE
    00 01 ISO_10918_1 ISO_14495_1 ISO_15444_1
    SPIN GRADIENT BOTH FAT_AND_WATER SILICON_GEL WATER_FAT SATURATION FREE_PRECESSION TRANSVERSE
    TIME_REVERSED LONGITUDINAL RF_SPOILED RF GRADIENT_AND_RF ACCELERATION VELOCITY
    ON_RESONANCE OFF_RESONANCE SLAB GRID LINE RECTILINEAR RADIAL SPIRAL SINGLE PARTIAL FULL LINEAR
    CENTRIC SEGMENTED REVERSE_LINEAR REVERSE_CENTRIC FREQUENCY COMBINED PROTON_DENSITY
    T2_STAR FLUID_ATTENUATED STIR_CONTRAST TAGGING PRODUCT RESEARCH SERVICE IEC FDA MHW
    DIRECTIONAL BMATRIX ISOTROPIC FRACTIONAL
    """
)

SEQUENCES = _named(
    """
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence PixelMeasuresSequence
    PlanePositionSequence PlaneOrientationSequence PixelValueTransformationSequence
    FrameVOILUTSequence FrameContentSequence MRImageFrameTypeSequence
    MRTimingAndRelatedParametersSequence MREchoSequence MRModifierSequence
    MRImagingModifierSequence MRFOVGeometrySequence MRAveragesSequence MRDiffusionSequence
    TemporalPositionSequence
    """
)
"""Sequences of which the items stay, by the same rules."""

UIDS = _named(
    """
    SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID
    ConcatenationUID
    """
)
"""UIDs that stay as another UID, everywhere the same one."""

DATES = _named(
    """
    StudyDate SeriesDate AcquisitionDate ContentDate AcquisitionDateTime FrameAcquisitionDateTime
    FrameReferenceDateTime
    """
)
"""Dates that stay, moved by the patient's days."""

TIMES = _named("StudyTime SeriesTime AcquisitionTime ContentTime")
"""Times of day, which stay as they are."""

EMPTIED = (
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "PositionReferenceIndicator",
)
"""What an MR image has to have, and may have empty (type 2)."""

MANUFACTURERS = (
    "SIEMENS",
    "GE MEDICAL SYSTEMS",
    "PHILIPS",
    "TOSHIBA",
    "CANON",
    "HITACHI",
    "FUJIFILM",
    "ESAOTE",
    "UIH",
    "FONAR",
    "PARAMED",
    "MINDRAY",
    "NEUSOFT",
)
"""A manufacturer's name stays as one of these, with which it begins; otherwise it is empty."""

CAPTURED = frozenset({"SCREEN SAVE", "SCREEN", "SCREENSHOT", "SCREENSAVE", "CAPTURE", "PRINT"})
"""Words of an image type that stand for a picture of a screen, patient's name and all."""
