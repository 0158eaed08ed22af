"""`msaf-bench score tc`: temporal consistency of a folder of predictions."""


def score_tc() -> None:
    """Not there yet."""
