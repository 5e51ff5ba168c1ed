"""The score of a mutation run: `make mutants` runs mutmut, then this prints what tests noticed.

A mutant is one small change of the code. It is noticed if a test fails or does not end. The other
mutants are printed by name; `mutmut show NAME` shows the change.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from mutmut.stats import status_by_exit_code

MUTANTS = Path(__file__).resolve().parents[1] / "mutants"
NOTICED = ("killed", "timeout")
MIN_SCORE = 0.9


def statuses(folder: Path) -> dict[str, str]:
    """The status of each mutant, by its name."""
    results = [json.loads(path.read_text()) for path in sorted(folder.rglob("*.meta"))]
    return {
        name: status_by_exit_code[code]
        for result in results
        for name, code in result["exit_code_by_key"].items()
    }


def main() -> int:
    """Print the mutants that no test noticed and the score; the exit code is 1 if it is too low."""
    status_of = statuses(MUTANTS)
    for name, status in status_of.items():
        if status not in NOTICED:
            print(f"{status:10} {name}")
    counts = Counter(status_of.values())
    score = sum(counts[status] for status in NOTICED) / len(status_of) if status_of else 0.0
    parts = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    print(f"{len(status_of)} mutants: {parts}")
    print(f"Score {score:.1%}; at least {MIN_SCORE:.0%} is expected")
    return 0 if score >= MIN_SCORE else 1


if __name__ == "__main__":
    sys.exit(main())
