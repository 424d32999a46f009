"""Replication by an AWS Lambda function, and the console beside it."""
