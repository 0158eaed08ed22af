"""`msaf-bench score miou`: two folders of label maps in, one data-set mIoU out."""


def score_miou() -> None:
    """Not there yet."""
