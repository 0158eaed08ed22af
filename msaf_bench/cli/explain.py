"""Explanation of an error in one line, with the exit code.

Only bugs in our own code are called faults of msaf-bench.
"""

import errno
import site
import sysconfig
import traceback
from importlib.metadata import entry_points
from pathlib import Path

from msaf_bench.cli.options import missing
from msaf_bench.errors import BenchError, text_of
from msaf_bench.foreign import ending

OURS = Path(__file__).parents[1]
OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "Unable to allocate",
    "Insufficient memory",
)  #: texts that mark an out-of-memory error of torch or numpy, on any device


def explain(error: BaseException) -> tuple[str, int]:
    """Return a one-line explanation of the error and the exit code."""
    text, code = _explained(error)
    return " ".join(text.split()), code


def _explained(error: BaseException) -> tuple[str, int]:
    kind = type(error).__name__
    if isinstance(error, BenchError):
        return str(error), error.exit_code
    if said := _of_parser(error):
        return said, 2
    if isinstance(error, SystemExit | KeyboardInterrupt):
        return f"{foreign_place(error) or 'code outside msaf-bench'}: {ending(error)}", 2
    if place := foreign_place(error):
        return (
            f"{place}: {kind}: {text_of(error)}; the error is in this file, see --debug",
            2,
        )
    if isinstance(error, MemoryError) or any(sign in text_of(error) for sign in OUT_OF_MEMORY):
        return (
            (
                f"out of memory ({_short(text_of(error) or kind)}); use a smaller size or batch,"
                " fewer frames, or a larger machine"
            ),
            5,
        )
    if isinstance(error, OSError):
        return _of_system(error), 5
    return (
        f"{kind}: {text_of(error)}; this is a fault of msaf-bench, --debug prints the traceback",
        5,
    )


def _of_parser(error: BaseException) -> str:
    """Return the message of an option-parser error with the choices and the help page.

    Returns an empty text for any other error.
    """
    said = getattr(error, "format_message", None)
    if not callable(said):
        return ""
    text = str(said())
    context, param = getattr(error, "ctx", None), getattr(error, "param", None)
    if param is not None and text.startswith("Missing") and (hint := missing(param.name)):
        text = f"{text.removesuffix('.')}; {hint}"
    command = context.command_path if context else "msaf-bench"
    return f"{text.removesuffix('.')}. See `{command} --help`."


def _of_system(error: OSError) -> str:
    reason = error.strerror or text_of(error) or type(error).__name__
    what = "" if error.filename is None else f"{_short(str(error.filename))}: "
    advice = {
        errno.ENAMETOOLONG: "use a shorter name",
        errno.ENOSPC: "free some space or choose another folder",
        errno.EDQUOT: "free some space or choose another folder",
        errno.EMFILE: "raise the limit of open files (ulimit -n)",
        errno.ENOMEM: "use a smaller size or batch",
        errno.EACCES: "choose a path with read and write permission",
        errno.EPERM: "choose a path with read and write permission",
        errno.EROFS: "choose another folder",
        errno.ENOENT: "check the name",
    }.get(error.errno or 0, "the operating system refused the operation")
    return f"{what}{reason}; {advice}"


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:100]}...{text[-80:]}"


def foreign_place(error: BaseException) -> str:
    """Return FILE:LINE of the innermost traceback frame outside msaf-bench and all libraries.

    Returns an empty text if the traceback has no such frame. An installed plug-in does not count as
    a library.
    """
    plugins = {
        point.module.partition(".")[0] for point in entry_points(group="msaf_bench.components")
    }
    libraries = [
        Path(path)
        for path in (
            *sysconfig.get_paths().values(),
            *site.getsitepackages(),
            site.getusersitepackages(),
        )
    ]
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__", ""))
        if file.startswith("<"):
            continue
        path = Path(file).resolve()
        # Compiled code names files that do not exist.
        if path.is_relative_to(OURS) or not path.exists():
            continue
        if module.partition(".")[0] in plugins or not any(
            path.is_relative_to(place) for place in libraries
        ):
            return f"{path}:{line}"
    return ""
