"""Faults of a spec's content, in one line each. No torch here."""

from collections.abc import Mapping, Sequence
from typing import Annotated, cast, get_args, get_origin

from pydantic import ValidationError

from msaf_bench.errors import UsageError, one_of
from msaf_bench.spec.values import Spec

LABELLED = ("rows", "controls")  #: fields whose entries have labels


def first_fault(kind: type[Spec], error: ValidationError, content: Mapping[str, object]) -> str:
    """Return one of pydantic's complaints as one line: where, what, and for an unknown key the
    nearest keys of the model that it was given to.
    """
    faults = error.errors(include_url=False)
    # a misspelt key is told before the one that is missing for it
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])
    path = fault["loc"]
    where = _place(path, content)
    if fault["type"] == "extra_forbidden":
        *above, key = path
        model = _model_at(kind, above)
        try:
            one_of("key", str(key), model.model_fields)
        except UsageError as hint:
            return f"{where}: {hint}"
    said = fault["msg"].removeprefix("Value error, ")
    if not where:
        return said
    given = repr(fault["input"])
    return f"{where}: {said}, not {given}" if len(given) < 40 else f"{where}: {said}"


def _place(path: Sequence[int | str], content: Mapping[str, object]) -> str:
    """Return a location as text, a row or control by its label."""
    names = [str(part) for part in path if isinstance(part, str)]
    if len(path) > 1 and path[0] in LABELLED and isinstance(path[1], int):
        labels = list(cast("Mapping[str, object]", content[str(path[0])]))
        names.insert(1, repr(labels[path[1]]))
    return ".".join(names)


def _model_at(kind: type[Spec], path: Sequence[int | str]) -> type[Spec]:
    """Return the model at a location below `kind`: the innermost one on the way."""
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
    """Return a type without its `Annotated`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _item(annotation: object, index: int) -> object:
    """Return the type of an item of a tuple."""
    items = get_args(annotation)
    if len(items) == 2 and items[1] is Ellipsis:
        return items[0]
    return items[index] if index < len(items) else None
