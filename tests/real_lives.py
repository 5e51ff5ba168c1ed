"""Lives of real telephony tasks: the words that webhooks have, oldest first, and how often seen.

Facts from published replies of the vendor's Search API; rows that no webhook tells (treatment,
recording, queue bookkeeping, wrap-up) are left out, and so are ids and times.
"""

REAL_LIVES: tuple[tuple[int, str], ...] = (
    (3, "new connect connected ended"),
    (1, "new connect connected on-hold hold-done ended"),
    (
        1,
        (
            "connected on-hold consulting conferencing hold-done conference-done on-hold "
            "consulting connected ended"
        ),
    ),
    (1, "new connect connect connect connect parked connect connect connect connect ended"),
    (1, "new parked connect connect connect connect parked ended"),
    (
        1,
        (
            "new parked connect connected on-hold consulting conferencing hold-done "
            "conference-done ended"
        ),
    ),
    (7, "new ended"),
    (1, "new"),
    (
        3,
        (
            "new connect connected on-hold consulting new connect connected consult-done "
            "ended hold-done ended"
        ),
    ),
    (2, "new connect connected on-hold consulting connected ended"),
    (2, "new parked parked"),
    (5, "new parked connect connected on-hold consulting consult-done hold-done ended"),
    (1, "new connect connected on-hold consult-done consulting consult-done hold-done ended"),
    (1, "new parked connect connected connect connected ended"),
    (1, "new connect connected connect connected on-hold hold-done ended"),
    (1, "new parked connect parked ended"),
    (1, "new connect ended"),
    (
        1,
        (
            "new parked connect connected on-hold consulting new connect connected "
            "consult-done ended ended"
        ),
    ),
    (2, "new parked connect connected on-hold consulting connected ended"),
)
