"""The score of a mutation run: `make mutants` runs mutmut, and this says how much was noticed.

A mutant is one small change of the code; it is noticed where a test fails or never ends. Those that
lived on are printed by name, and `mutmut show NAME` shows the change.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from mutmut.stats import status_by_exit_code

MUTANTS = Path(__file__).resolve().parents[1] / "mutants"
NOTICED = ("killed", "timeout")
WANTED = 0.9


def statuses(folder: Path) -> dict[str, str]:
    """What became of each mutant, by its name."""
    results = [json.loads(path.read_text()) for path in sorted(folder.rglob("*.meta"))]
    return {
        name: status_by_exit_code[code]
        for result in results
        for name, code in result["exit_code_by_key"].items()
    }


def main() -> int:
    told = statuses(MUTANTS)
    for name, status in told.items():
        if status not in NOTICED:
            print(f"{status:10} {name}")
    counts = Counter(told.values())
    score = sum(counts[status] for status in NOTICED) / len(told) if told else 0.0
    parts = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    print(f"{len(told)} mutants: {parts}")
    print(f"Score {score:.1%}, wanted {WANTED:.0%}")
    return 0 if score >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
