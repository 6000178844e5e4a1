"""`scipy.special` for programs under transformation."""
