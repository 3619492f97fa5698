"""Studies without the person: DICOM PS3.15 Annex E, by a list of what may stay."""
