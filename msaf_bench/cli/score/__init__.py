"""`msaf-bench score`: measures anybody's predictions from files, without a network."""
