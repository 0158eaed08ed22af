"""`msaf-bench fps`: how long a frame takes on this machine."""


def fps() -> None:
    """Not there yet."""
