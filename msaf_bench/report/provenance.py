"""Origin of the numbers of a report in words: watermark, data, networks, seeds, host."""

from dataclasses import dataclass

from msaf_bench.catalog import family_of, list_tables
from msaf_bench.findings.digits import counted, seed_list
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import compares_systems
from msaf_bench.spec import STREET


@dataclass(frozen=True)
class Signature:
    """Text below a figure."""

    made_how: str
    watermark: str
    faults: tuple[str, ...] = ()  #: faults of rows and controls that are not live


def made_how(summary: Summary) -> str:
    """Return the origin of the numbers in one line: watermark, data, preset, seeds, host."""
    c = summary.conditions
    parts = (
        c.watermark,
        summary.ended[:10],
        f"data {c.data}",
        f"preset {c.preset}",
        _networks(summary),
        "weights of the best validation" if c.keep == "best" else "",
        f"rows tuned with {summary.tuning.search.trials} attempts each" if summary.tuning else "",
        f"{seed_list(summary.seeds)} ({_spread(summary)})",
        _host(summary),
    )
    return " · ".join(part for part in parts if part)


def made_and_noted(made: str, summary: Summary) -> str:
    """Return the origin of the numbers as a sentence, followed by all notes on the run."""
    return " ".join((f"{made}.", *summary.notes))


def together(summary: Summary) -> str:
    """Return the kind of interval of a table's comparisons."""
    family = family_of(summary.table)
    if family == 1:
        return "a 95 % interval"
    return f"simultaneous 95 % intervals for all {family} comparisons"


def simultaneous(summary: Summary) -> str:
    """Return how to read the intervals and p values of a table's comparisons."""
    return (
        f"{together(summary)}, p of the same paired t test (below 0.05 if the interval excludes"
        " zero)"
    )


def command(summary: Summary) -> str:
    """Return the command line of a run, without changed conditions."""
    c, table = summary.conditions, summary.table
    shipped = table.name in list_tables()
    parts = ["msaf-bench ablate --table", table.name if shipped else f"{table.name}.toml"]
    data = f"{c.data}.toml" if c.described else c.data
    parts.append(f"--data {data}" if c.data == STREET else f"--data {data} --root DIR")
    parts.append(f"--preset {c.preset} --seeds {len(summary.seeds)}")
    parts += [f"--start {name}=FILE" for name, _ in c.start]
    if summary.tuning:
        parts.append("--tuned tuned.toml")
    return " ".join(parts)


def _networks(summary: Summary) -> str:
    c = summary.conditions
    if not (c.shrink or c.shrink_options):
        return ""
    if compares_systems(summary.table):  # too many substituted parts for one line
        return "networks shrunk part by part"
    changed = [f"{slot} {choice}" for slot, choice in c.shrink]
    changed += [f"{name} {value}" for name, value in c.shrink_options]
    return f"network shrunk to {', '.join(changed)}"


def _spread(summary: Summary) -> str:
    """Return how two seeds of a row differ, which defines the scope of intervals over seeds."""
    own = dict(summary.conditions.data_options).get("own_videos")
    videos = (
        "each seed draws its own training videos" if own else "all seeds train on the same data"
    )
    backbone = ", from one pre-trained backbone" if summary.conditions.pretrain_steps else ""
    return f"{videos}{backbone}"


def _host(summary: Summary) -> str:
    match summary.hosts:
        case ():
            return "no record yet"
        case (only,):
            name = only.cpu if only.device == "cpu" else only.device
            return f"host {name}, {counted(only.threads, 'thread')}, torch {only.torch}"
        case several:
            return f"{len(several)} hosts or versions"
