"""DynamoDB JSON as bytes: items, keys, stream records. Pure functions."""
