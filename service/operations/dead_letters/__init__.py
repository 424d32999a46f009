"""Changes that could not be applied: listed, counted, redriven, discarded (I7)."""
