"""Signed HTTP requests to DynamoDB: what each record's write costs is spent here."""
