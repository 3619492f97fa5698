"""All cases of a batch as one HTML page."""
