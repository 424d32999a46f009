"""Snapshots: the whole source is copied beside the stream."""
