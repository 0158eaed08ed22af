"""What `train` and `evaluate` print of a split's scores."""

import math
from collections.abc import Mapping
from typing import cast

from msaf_bench.cli.printing import print_document
from msaf_bench.documents import finite
from msaf_bench.errors import DataError

TABLES = ("per_class", "undefined")  #: of a document, beside its values


def print_scores(document: Mapping[str, object], *, as_json: bool) -> None:
    """Print the document of a split's scores, in text a value per line. Raises `DataError` after
    that where there is no mIoU.
    """
    values = {key: value for key, value in document.items() if key not in TABLES}
    values |= cast("Mapping[str, object]", document["per_class"])
    shown = cast("Mapping[str, object]", finite(values))
    lines = (f"{key:<14}{'-' if value is None else value}" for key, value in shown.items())
    print_document(document, lines, as_json=as_json)
    if math.isnan(cast("float", document["miou"])):
        undefined = cast("Mapping[str, str]", document["undefined"])
        raise DataError(
            f"no mIoU: {undefined['miou']} in the scored split; check it with"
            " `msaf-bench data check`"
        )
