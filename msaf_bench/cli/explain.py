"""An error as one line for the user, with the exit code. Only our own bugs are called faults of
msaf-bench.
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
)  #: of torch and numpy, on any device


def explain(error: BaseException) -> tuple[str, int]:
    """What is wrong, in one line, and the exit code."""
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
            f"{place}: {kind}: {text_of(error)}; the error is in that file, --debug shows where",
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
    return f"{kind}: {text_of(error)}; this is a fault of msaf-bench, --debug shows where", 5


def _of_parser(error: BaseException) -> str:
    """Return what an error of the option parser says, with the choices and the page of help; empty
    for any other error.
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
        errno.EACCES: "choose a place that you may read and write",
        errno.EPERM: "choose a place that you may read and write",
        errno.EROFS: "choose another folder",
        errno.ENOENT: "check the name",
    }.get(error.errno or 0, "the system does not allow it")
    return f"{what}{reason}; {advice}"


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:100]}...{text[-80:]}"


def foreign_place(error: BaseException) -> str:
    """FILE:LINE of the innermost code in a traceback that is neither ours nor a library's; empty
    where there is none.

    An installed plug-in is no library.
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
        # compiled code names files that are nowhere
        if path.is_relative_to(OURS) or not path.exists():
            continue
        if module.partition(".")[0] in plugins or not any(
            path.is_relative_to(place) for place in libraries
        ):
            return f"{path}:{line}"
    return ""
