"""Names on a stream: each once for a while, looked up together, within the token's scope."""

import json

import pytest

from api.http import stream_names
from api.http.stream_names import StreamNames
from projector.projection.read_models import AGENTS
from projector.query.live.interest import Change, Interest
from projector.query.live.shown_before import as_shown
from projector.query.scope import Scope
from tests.api import test_names
from tests.api.test_names import NAMES, put
from tests.api.test_stream import listening, tell
from tests.api.test_stream_snapshots import floor_of
from tests.examples import v1

site = test_names.site  # two teams, their agents and a task, without names


def names_of_lists(site, token):
    """The names that the lists of what a snapshot has are answered with."""
    found = {}
    for path in ("agents?names=true", "tasks?names=true&open=true"):
        headers = {"Authorization": f"Bearer {token}"}
        for kind, names in site.get(f"/api/v1/{path}", headers=headers).json["names"].items():
            found.setdefault(kind, {}).update(names)
    return found


@pytest.mark.parametrize("token", ["viewer", "red", "other"])
def test_a_snapshot_has_the_names_that_the_lists_have(site, token):
    """The maps of all messages together; each view has one, and each name comes once."""
    put(site, NAMES)
    with listening(site, token=token, snapshot="true", names="true") as heard:
        heard.await_(lambda it: it.of("snapshot"))
    maps = [data["names"] for event in ("agent", "task") for data in heard.of(event)]
    told = [name for names in maps for kind in names.values() for name in kind.values()]
    assert sorted({*told}) == sorted(told)
    assert names_of_lists(site, token) == floor_of(heard).names
    assert (token == "other") == (told == [])


def test_changes_have_the_names_that_are_new(site):
    """Where all ids were sent the map is empty; what left, and a stream without, have none."""
    put(site, NAMES)
    with (
        listening(site, names="true", teamId="red") as red,
        listening(site) as plain,
    ):
        tell(site, v1(10, "ann", "available"))
        red.await_(lambda it: len(it.of("agent")) == 1)
        tell(site, v1(11, "ann", "idle", idleCodeId="lunch"))
        red.await_(lambda it: len(it.of("agent")) == 2)
        tell(site, v1(12, "ann", "available", teamId="blue"))
        red.await_(lambda it: it.of("left"))
        expected = [
            {"agent": {"ann": "Ann Archer"}, "team": {"red": "Red Team"}},
            {"idleCode": {"lunch": "Lunch"}},
        ]
        assert expected == [data["names"] for data in red.of("agent")]
        assert "names" not in red.of("left")[0]
        plain.await_(lambda it: len(it.of("agent")) == 3)
        assert not any("names" in data for data in plain.of("agent"))


# --- what is remembered -----------------------------------------------------------------------


class CapitalNames:
    """Knows every id by its name in capitals, and what it was asked."""

    def __init__(self):
        self.asked = []

    def of_ids(self, _scope, ids):
        found = {}
        for kind, id_ in ids:
            found.setdefault(kind, {})[id_] = id_.upper()
        self.asked.append(sorted(found.get("agent", ())))
        return found


def changes_of(*names):
    return [
        Change(
            event="agent",
            table=AGENTS,
            key=("acme", name),
            partition=0,
            position=1,
            shown=as_shown(AGENTS, name, {}, ()),
            data=json.dumps({"agentId": name}),
        )
        for name in names
    ]


def told(changes):
    return [json.loads(it.data)["names"].get("agent") for it in changes]


@pytest.fixture
def directory():
    return CapitalNames()


def test_names_of_many_are_looked_up_together_and_sent_again_after_a_while(directory):
    """Once for a page, and not again for a minute."""
    moment = [0.0]
    names = StreamNames(directory, Scope(), clock=lambda: moment[0])
    expected = [{"a": "A"}, {"b": "B"}, None]
    assert expected == told(names.add(changes_of("a", "b", "a")))
    assert [{"c": "C"}, None] == told(names.add(changes_of("c", "b")))
    moment[0] = stream_names.REMEMBERED_SECONDS
    assert [{"a": "A"}] == told(names.add(changes_of("a")))
    assert [["a", "b"], ["c"], ["a"]] == directory.asked


def test_what_is_remembered_is_bounded(directory, monkeypatch):
    """All is forgotten where it is too much; long ids are never remembered."""
    monkeypatch.setattr(stream_names, "REMEMBERED_IDS", 3)
    monkeypatch.setattr(stream_names, "REMEMBERED_LENGTH", 5)
    names = StreamNames(directory, Scope(), clock=lambda: 0.0)
    names.add(changes_of("a", "b", "c", "d"))
    assert [None, {"a": "A"}] == told(names.add(changes_of("d", "a")))
    for _ in range(2):
        assert [{"longest": "LONGEST"}] == told(names.add(changes_of("longest")))


def test_a_page_of_a_snapshot_asks_once(site, directory):
    """However many views it has."""
    put(site, NAMES)
    names = StreamNames(directory, Scope())
    stream = site.service.feed.open(
        Interest(scope=Scope(), filters={}), snapshot=True, sent_as=names.add
    )
    events = []
    for message in stream:
        if message.change is not None:
            events.append(message.change.event)
            if message.change.event == "snapshot":
                break
    stream.close()
    assert ["reset", "agent", "agent", "task", "snapshot"] == events
    assert [["ann", "bob"]] == [ids for ids in directory.asked if ids]
