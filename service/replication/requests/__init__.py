"""Requests to the tables: made again until they are answered, at the rate that the replica takes."""
