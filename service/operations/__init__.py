"""What an operator may ask of a pipeline; the admin API and the command line see this package and nothing behind it."""
