"""Templates of pages with their filters, style and script."""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from msaf_bench.findings.digits import mean_span, millions, number, p_value, seed_list, span
from msaf_bench.findings.wording import SIGNS, TONES
from msaf_bench.report.page.marks import bar

HERE = Path(__file__).parent


def environment() -> Environment:
    """Return the environment of the templates, with filters, style and script."""
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "num": number,
        "span": span,
        "amount": mean_span,
        "p": p_value,
        "millions": millions,
        "seeds": seed_list,
    }
    script = (HERE / "page.js").read_text("utf-8")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    always: dict[str, object] = {
        "style": Markup((HERE / "page.css").read_text("utf-8")),
        "script": Markup(script),
        "script_hash": f"sha256-{digest}",
        "bar": bar,
        "signs": SIGNS,
        "tones": TONES,
    }
    cast("dict[str, object]", made.globals).update(always)
    return made
