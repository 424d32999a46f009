"""Verifications: both tables are compared, and what differs is repaired if asked."""
