"""The remote reading service: studies come in, a reader sees and signs, results go back."""
