"""Parts of a benchmark, as data: systems, tables, conditions, trials.

All are frozen and hashable. A `key` is a content hash, so equal content gives an equal key on every
machine. No torch here.
"""

from msaf_bench.spec.conditions import CONSISTENCY, Conditions, Trial
from msaf_bench.spec.data_sets import DataSet
from msaf_bench.spec.systems import Choice, Slots, System
from msaf_bench.spec.tables import METRICS, Axis, Claim, Control, Ordering, Row, Table
from msaf_bench.spec.values import (
    LONGEST_SIDE,
    MODES,
    MOST_SEEDS,
    STREET,
    VOID,
    Mode,
    Names,
    Numbers,
    Option,
    Options,
    Past,
    Scalar,
    Side,
    Spec,
    content_hash,
)

__all__ = [
    "CONSISTENCY",
    "LONGEST_SIDE",
    "METRICS",
    "MODES",
    "MOST_SEEDS",
    "STREET",
    "VOID",
    "Axis",
    "Choice",
    "Claim",
    "Conditions",
    "Control",
    "DataSet",
    "Mode",
    "Names",
    "Numbers",
    "Option",
    "Options",
    "Ordering",
    "Past",
    "Row",
    "Scalar",
    "Side",
    "Slots",
    "Spec",
    "System",
    "Table",
    "Trial",
    "content_hash",
]
