"""What the process tells of itself: the log and the metrics."""
