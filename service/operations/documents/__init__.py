"""The JSON documents that the admin API answers with."""
