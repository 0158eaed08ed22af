"""Faults of a spec's content, each in one line. No torch here."""

from collections.abc import Mapping, Sequence
from typing import Annotated, cast, get_args, get_origin

from pydantic import ValidationError

from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec.values import Spec

#: pydantic's errors that mention Python types, in terms of TOML
SAID = {
    "tuple_type": "needs a list",
    "model_type": "needs a table",
    "model_attributes_type": "needs a table",
    "missing": "missing; give it",
}
WHOLE = ("missing", "too_short", "too_long")  #: errors that already state the given value


def first_fault(kind: type[Spec], error: ValidationError, content: Mapping[str, object]) -> str:
    """Return one of pydantic's errors as one line: location and fault.

    For an unknown key, it includes the nearest keys of the model.
    """
    faults = error.errors(include_url=False)
    # report a misspelt key before the key that is missing because of it
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])
    path = fault["loc"]
    where = _place(path, content)
    if fault["type"] == "extra_forbidden":
        *above, key = path
        model = _model_at(kind, above)
        try:
            one_of("key", str(key), model.toml_keys())
        except UsageError as hint:
            return f"{where}: {hint}"
    said = SAID.get(fault["type"]) or fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "missing" and isinstance(path[-1], int):
        said = "has too few values"
    given = repr(fault["input"])
    if not where:
        return said
    if fault["type"] in WHOLE or len(given) >= 40:
        return f"{where}: {said}"
    return f"{where}: {said}, not {given}"


def _place(path: Sequence[int | str], content: Mapping[str, object]) -> str:
    """Return a location as text: the keys that lead to it in `content`.

    Keys omitted in a short form are left out. Keys chosen by the user, such as the label of a row,
    are quoted.
    """
    names: list[str] = []
    inside: object = content
    parts = list(path)
    while parts:
        part = parts.pop(0)
        if isinstance(part, str):
            table = _table_of(inside)
            if part in table or not parts:
                names.append(part)
            inside = table.get(part, inside)
        elif isinstance(inside, list):
            items = cast("list[object]", inside)
            inside = items[part] if part < len(items) else None
        elif _table_of(inside) and parts and isinstance(parts[0], int):
            parts.pop(0)  # index in a pair: name or value
            name, inside = list(_table_of(inside).items())[part]
            names.append(repr(name))
    return ".".join(names)


def _table_of(value: object) -> Mapping[str, object]:
    """Return a table unchanged, an empty one for any other value."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _model_at(kind: type[Spec], path: Sequence[int | str]) -> type[Spec]:
    """Return the innermost model on the way to a location below `kind`."""
    model = kind
    annotation: object = kind
    for part in path:
        if isinstance(part, str):
            field = model.model_fields.get(part)
            annotation = _plain(field.annotation) if field else None
        else:
            annotation = _plain(_item(annotation, part))
        found = cast("object", annotation)
        if isinstance(found, type) and issubclass(found, Spec):
            model = found
    return model


def _plain(annotation: object) -> object:
    """Return a type without `Annotated`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _item(annotation: object, index: int) -> object:
    """Return the type of an item of a tuple."""
    items = get_args(annotation)
    if len(items) == 2 and items[1] is Ellipsis:
        return items[0]
    return items[index] if index < len(items) else None
