"""`projector status`: how the running service is."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from projector.cli.exit_codes import BEHIND
from projector.cli.options import as_json, the_service
from projector.cli.service_client import service_client


@click.command()
@the_service
@as_json
def status(*, url: str | None, as_json: bool) -> None:
    """Show how the running service is; exit with 3 if it is behind or has skipped events."""
    answer = service_client(url).get("/api/v1/status", "projections")
    click.echo(json.dumps(answer) if as_json else _text(answer))
    if any(it["lagEvents"] or it["skipped"] for it in answer["projections"]):
        sys.exit(BEHIND)


def _text(answer: dict[str, Any]) -> str:
    ledgers = ", ".join(f"{count} {name}" for name, count in answer["ledgers"].items())
    lines = [f"log          position {answer['head']['position']}, {ledgers}"]
    for it in answer["projections"]:
        behind = f"{it['lagEvents']} events, {it['lagSeconds']:.1f} s behind"
        folded = f"{it['projected']} of {it['stored']} folded"
        parked = f"{it['waiting']} waiting for {it['parked']} parked"
        lines.append(f"projection   {it['name']}: {behind}")
        lines.append(f"             {folded}, {parked}, {it['skipped']} skipped")
    lines.append(f"protected by {' and '.join(answer['logProtectedBy']) or 'nothing'}")
    return "\n".join(lines)
