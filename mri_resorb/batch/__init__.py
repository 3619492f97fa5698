"""Many cases: found, compared on a cluster's workers, and told of together."""
