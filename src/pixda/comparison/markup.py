"""Markdown and LaTeX: names that users give as harmless text, and tables."""

import re
from collections.abc import Iterable, Sequence

_MARKDOWN = {"<": "&lt;", "&": "&amp;", "~": "&#126;"} | {sign: f"\\{sign}" for sign in "\\`*_[]|"}

_LATEX = {
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # a row that began with it would be read as an option of the line break before it
    "]": "{]}",
    '"': r"\symbol{34}",
    "–": "--",
    "±": r"$\pm$",
    "×": r"$\times$",
    "√": r"$\surd$",
    "·": r"$\cdot$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "→": r"$\to$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "δ": r"$\delta$",
    "ε": r"$\varepsilon$",
    "η": r"$\eta$",
    "λ": r"$\lambda$",
    "μ": r"$\mu$",
    "ρ": r"$\rho$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
}
"""Beside LaTeX's own signs, those that labels of ablations hold and pdfLaTeX does not know."""


def markdown_text(text: str) -> str:
    """One line of text for Markdown, inside tables and out, as GitHub's and Python's Markdown read it."""
    return _one_line(text, _MARKDOWN)


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """A table of cells that are Markdown already; the first ``left`` columns are flush left, the others right."""
    lines = [heads, ["---"] * left + ["---:"] * (len(heads) - left), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def text_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of words, all columns flush left."""
    return markdown_table(heads, ([markdown_text(cell) for cell in row] for row in rows), len(heads))


def latex_row(cells: Iterable[str]) -> str:
    """A row of cells that are LaTeX already."""
    return f"{' & '.join(cells)} \\\\"


def latex_text(text: str) -> str:
    """One line of text for LaTeX, with the usual engines; accented Latin letters stay as they are."""
    return _one_line(text, _LATEX)


_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control signs, which no page shows, and those that turn the direction of what follows."""


def _one_line(text: str, signs: dict[str, str]) -> str:
    plain = _UNSEEN.sub("", re.sub(r"\s+", " ", text)).strip()
    return "".join(signs.get(sign, sign) for sign in plain)
