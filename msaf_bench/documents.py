"""Writer of JSON for all commands and reports. No torch here."""

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import cast

REASON = "not a finite number here"


def json_text(document: Mapping[str, object] | Sequence[object]) -> str:
    """Return a document as standard JSON text, with null for every number that is not finite.

    A top-level key `undefined` gives the reason for each such null by its place, unless the
    document already gives one.
    """
    lost = list(_places(document, ""))
    if lost and isinstance(document, Mapping):
        said = cast("Mapping[str, str]", document.get("undefined", {}))
        document = {**document, "undefined": {**dict.fromkeys(lost, REASON), **said}}
    return json.dumps(finite(document), indent=1, allow_nan=False) + "\n"


def finite(value: object) -> object:
    """Return the data with None for every number that JSON cannot hold."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in cast("Mapping[str, object]", value).items()}
    return (
        [finite(item) for item in cast("Sequence[object]", value)]
        if isinstance(value, list | tuple)
        else value
    )


def _places(value: object, at: str) -> "list[str]":
    """Return the places of the numbers that are not finite, as in `rows.0.miou`."""
    if isinstance(value, float):
        return [] if isfinite(value) else [at]
    if isinstance(value, Mapping):
        items = list(cast("Mapping[str, object]", value).items())
    elif isinstance(value, list | tuple):
        items = [(str(i), item) for i, item in enumerate(cast("Sequence[object]", value))]
    else:
        return []
    return [
        place for key, item in items for place in _places(item, f"{at}.{key}" if at else str(key))
    ]
