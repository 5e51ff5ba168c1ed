"""What an operator should change about an installation, as far as its settings tell."""

from __future__ import annotations

import resource
from collections.abc import Iterator

from projector.infrastructure.settings import Settings

NEEDED_FILES = 2_048  # open at a time: connections, the database, and the program's own


def installation_faults(
    settings: Settings, *, allows_unsigned: bool, open_files: int
) -> Iterator[str]:
    """What is wrong with an installation, a sentence each that says what to do.

    ``allows_unsigned`` says whether webhooks of subscriptions without a secret are taken,
    ``open_files`` how many files a process may have open.
    """
    address = f"{settings.host}:{settings.port}"
    if not settings.is_local and not settings.behind_proxy:
        yield (
            f"The service listens on {address} without a proxy: whoever reaches it can hold all"
            " threads with requests that never end, and stop intake. Put deploy/nginx.conf before"
            " it, let HOST be 127.0.0.1, and set PROJECTOR_BEHIND_PROXY=1."
        )
    if allows_unsigned and (settings.behind_proxy or not settings.is_local):
        yield (
            "Webhooks without a signature are taken, so anybody can make up events: give each"
            " subscription its secret, and unset PROJECTOR_ALLOW_UNSIGNED."
        )
    if not settings.is_local and not settings.tokens:
        yield (
            f"There is no token, and on {address} none is made: every read is refused. Set"
            " PROJECTOR_TOKENS."
        )
    if open_files < NEEDED_FILES:
        yield (
            f"A process may have {open_files} files open, and each connection is one: allow at"
            f" least {NEEDED_FILES} (`ulimit -Hn`, or LimitNOFILE= of systemd)."
        )


def most_open_files() -> int:
    """How many files a process may have open, once it has asked for what it may ask for."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    return NEEDED_FILES if allowed == resource.RLIM_INFINITY else allowed
