"""What the REST interface answers, one file a subject."""
