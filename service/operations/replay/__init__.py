"""Replays: a range of the stream's history is read and applied once more."""
