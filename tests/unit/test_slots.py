"""Slots: so many at once, in all and of each caller."""

from __future__ import annotations

import threading

import pytest

from projector.infrastructure.slots import NoSlot, Slots


def test_so_many_and_no_more():
    """In all and of one caller; each refusal is counted, and says when to come again."""
    slots = Slots("exports", 3, per_caller=2, retry_seconds=5)
    held = [slots.take("ann"), slots.take("ann")]
    with pytest.raises(NoSlot, match="2 exports of this token") as refused:
        slots.take("ann")
    assert 5 == refused.value.retry_seconds
    held.append(slots.take("bob"))
    with pytest.raises(NoSlot, match="3 exports are under way"):
        slots.take("cid")
    assert (3, 2) == (slots.taken, slots.refused)
    for slot in held:
        slot.release()
    assert 0 == slots.taken
    assert slots.take("ann")


def test_a_slot_is_given_back_once():
    """However often it is released, and after a block, also one that raises."""
    slots = Slots("requests", 1)
    slot = slots.take()
    slot.release()
    other = slots.take()
    slot.release()
    assert 1 == slots.taken
    other.release()
    with pytest.raises(ValueError, match="a fault"), slots.take():
        raise ValueError("a fault")
    assert 0 == slots.taken


def test_threads_take_no_more_than_there_are():
    """Each of many either has one or is refused."""
    slots, most, lock = Slots("requests", 4), [], threading.Lock()

    def work() -> None:
        for _ in range(500):
            try:
                with slots.take(), lock:
                    most.append(slots.taken)
            except NoSlot:
                continue

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 4
    assert 0 == slots.taken
    assert 8 * 500 == len(most) + slots.refused
