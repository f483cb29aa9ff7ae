"""One page over the pictures and the table of a comparison."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }}
body {{ color-scheme: light dark; }}
img {{ max-width: 100%; background: white; }}
pre {{ overflow-x: auto; }}
</style>
<h1>{title}</h1>
<p>{lead}</p>
<pre>{table}</pre>
{figures}
</html>
"""


def write_page(path: Path, title: str, lead: str, table: str, figures: Mapping[str, str]) -> None:
    """Write an HTML page; every text is escaped.

    Args:
        path: the file.
        title: heading.
        lead: one paragraph below it.
        table: plain text.
        figures: picture file beside the page -> caption.
    """
    blocks = "\n".join(
        f'<h2>{escape(caption)}</h2>\n<img src="{escape(file)}" alt="{escape(caption)}">'
        for file, caption in figures.items()
    )
    path.write_text(_PAGE.format(title=escape(title), lead=escape(lead), table=escape(table), figures=blocks))
