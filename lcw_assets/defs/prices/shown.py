"""A round in words and as a table, for a terminal and for Dagster's UI. Pure functions."""

from __future__ import annotations

from lcw_assets import escape
from lcw_assets.defs.prices.pricing import Round


def headline(found: Round) -> str:
    without = [f"{one.coin} ({one.reason.code})" for one in found.consensus if one.reason]
    priced, all_ = len(found.consensus) - len(without), len(found.consensus)
    if without:
        return f"prices of {priced} of {all_} coins; none of {escape.some(without, escape.line)}"
    shown = [f"{one.coin} {one.price:.6g}" for one in found.consensus]
    return f"prices of {all_} coins: {escape.some(shown, escape.line)}"


def table(found: Round) -> str:
    """In Markdown."""
    lines = ["| coin | USD | used | apart | why not |", "|---|---:|---:|---:|---|"]
    for one in found.consensus:
        price = "" if one.price is None else f"{one.price:.10g}"
        spread = "" if one.spread is None else f"{1e4 * one.spread:.1f} bp"
        why = one.reason.code if one.reason else ""
        lines.append(f"| {escape.cell(one.coin)} | {price} | {one.used} of {one.requested} | {spread} | {why} |")
    return "\n".join(lines)
