"""`msaf-bench score`: score predictions of any program from files, without a network."""
