"""The search for hyper-parameters: as many attempts for every row of a table."""
