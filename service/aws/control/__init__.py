"""The control table in DynamoDB: leases, progress, jobs, dead letters, and the schema they are kept in."""
