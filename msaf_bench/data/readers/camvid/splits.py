"""The official splits of CamVid, those of the SegNet tutorial."""

COUNTS = {"train": 367, "val": 101, "test": 233}  #: labelled frames of each split
STEPS = {"train": 30, "val": 2, "test": 30}  #: source frames (30 Hz) between labelled neighbours

# Split, drive, first and last frame; train is the rest.
_RANGES = (
    ("val", "0016E5", 7959, 8159),
    ("test", "0001TP", 8550, 10380),
    ("test", "Seq05VD", 0, 5100),
)


def split_of(drive: str, number: int) -> str:
    """Return the split that a still belongs to."""
    for split, its_drive, first, last in _RANGES:
        if drive == its_drive and first <= number <= last:
            return split
    return "train"
