"""Attempts with wrong credentials: who guesses waits, and nobody else does."""

from projector.operations import failed_attempts
from projector.operations.failed_attempts import (
    ADDRESSES_KEPT,
    ATTEMPTS,
    ATTEMPTS_WITHIN_SECONDS,
    FailedAttempts,
)


class MovedSeconds:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def guess(attempts: FailedAttempts, address: str, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        attempts.failed(address, b"wrong %d" % number)


def test_after_many_different_ones_an_address_waits_for_the_next_window() -> None:
    """Also with credentials that were never tried; afterwards all begins anew."""
    clock = MovedSeconds()
    attempts = FailedAttempts(clock=clock)
    guess(attempts, "192.0.2.1", ATTEMPTS - 1)
    assert 0 == attempts.wait_seconds("192.0.2.1", b"next")
    clock.seconds += 10
    guess(attempts, "192.0.2.1", 1, first=ATTEMPTS)
    assert ATTEMPTS_WITHIN_SECONDS - 10 == attempts.wait_seconds("192.0.2.1", b"next")
    assert 0 == attempts.wait_seconds("192.0.2.2", b"next")
    clock.seconds += ATTEMPTS_WITHIN_SECONDS - 10
    assert 0 == attempts.wait_seconds("192.0.2.1", b"next")
    guess(attempts, "192.0.2.1", 1)
    assert 0 == attempts.wait_seconds("192.0.2.1", b"next")
    assert ATTEMPTS + 1 == attempts.total


def test_the_same_wrong_ones_are_one_attempt() -> None:
    """As from a page whose session is over."""
    attempts = FailedAttempts(clock=MovedSeconds())
    for _ in range(10 * ATTEMPTS):
        attempts.failed("192.0.2.1", b"wrong")
    assert 0 == attempts.wait_seconds("192.0.2.1", b"next")


def test_what_was_right_from_there_is_not_held_up() -> None:
    """Until it is wrong, as after it was taken back."""
    attempts = FailedAttempts(clock=MovedSeconds())
    attempts.succeeded("192.0.2.1", b"right")
    guess(attempts, "192.0.2.1", ATTEMPTS)
    assert 0 == attempts.wait_seconds("192.0.2.1", b"right")
    attempts.failed("192.0.2.1", b"right")
    assert attempts.wait_seconds("192.0.2.1", b"right")


def test_a_network_of_ipv6_is_one_address() -> None:
    """A subscriber has a network of 64 bits; IPv4 within IPv6 is the same as without."""
    attempts = FailedAttempts(clock=MovedSeconds())
    for number in range(ATTEMPTS):
        attempts.failed(f"2001:db8::{number:x}", b"wrong %d" % number)
    assert attempts.wait_seconds("2001:db8::ffff", b"next")
    assert 0 == attempts.wait_seconds("2001:db8:0:1::1", b"next")
    guess(attempts, "::ffff:192.0.2.1", ATTEMPTS)
    assert attempts.wait_seconds("192.0.2.1", b"next")


def test_a_program_on_this_machine_only_counts() -> None:
    """It has no address that could wait."""
    attempts = FailedAttempts(clock=MovedSeconds())
    for number in range(ATTEMPTS + 5):
        attempts.failed(None, b"%d" % number)
    assert ATTEMPTS + 5 == attempts.total


def test_memory_is_bounded_and_who_guesses_most_is_kept(monkeypatch) -> None:
    """However many addresses there are."""
    monkeypatch.setattr(failed_attempts, "ADDRESSES_KEPT", 50)
    attempts = FailedAttempts(clock=MovedSeconds())
    guess(attempts, "192.0.2.1", ATTEMPTS)
    for number in range(200):
        attempts.failed(f"198.51.100.{number}", b"wrong")
    assert attempts.wait_seconds("192.0.2.1", b"next")
    assert len(attempts._windows) == 50 < ADDRESSES_KEPT
