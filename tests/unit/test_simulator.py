"""The simulated contact centre: the same for a seed, and never at odds with itself."""

import hashlib
import hmac
import json
import threading
from collections import Counter, defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby, islice, pairwise
from uuid import UUID

import pytest
from click.testing import CliRunner

from projector.cli.main import main
from projector.webex.simulator import SendError, Simulation, disturb, paced, send
from projector.webex.simulator.network import storms
from projector.webex.simulator.payloads import SUBSCRIPTIONS
from projector.webex.simulator.sender import batches, encode
from projector.webex.simulator.task_patterns import DURATIONS, PATTERNS, VOICE_PATTERNS
from projector.webex.simulator.task_steps import STEPS
from tests.conftest import slow

START = 1_767_225_600_000
STATE = "agent:channel_state_change"
CHANNELS = "agent:channelType_state_change"
BUSY = {"connected", "on-hold", "hold-done", "consulting", "conferencing", "conference-done"}


def world(count, agents=30, seed=1, **options):
    return [*islice(Simulation(agents, seed, start_ms=START, **options), count)]


def created(body):
    return body["data"]["createdTime"]


@pytest.fixture(scope="module")
def day():
    """A long run of a centre of middle size."""
    return world(60_000, agents=40)


# The world


def test_equal_seeds_give_equal_streams():
    assert world(5_000) == world(5_000)


def test_other_seeds_give_other_streams():
    assert world(500) != world(500, seed=2)


def test_two_runs_of_one_seed_show_the_same_people_and_no_event_twice():
    """A second run against the same service must not conflict with the first."""
    first = world(2_000)
    second = [*islice(Simulation(30, 1, start_ms=START + 1), 2_000)]
    assert agents(first) == agents(second)
    assert not {b["id"] for b in first} & {b["id"] for b in second}


def agents(bodies):
    return {body["data"]["agentId"] for body in bodies if body["type"] == "agent:login"}


def test_events_come_in_the_order_of_their_time(day):
    assert all(created(a) <= created(b) for a, b in pairwise(day))


def test_every_body_is_a_whole_envelope(day):
    sources = {f"/com/cisco/wxcc/{subscription}" for subscription in SUBSCRIPTIONS.values()}
    for body in day:
        assert UUID(body["id"]).version == 4
        assert body["specversion"] == "1.0"
        assert body["source"] in sources
        assert body["comciscoorgid"]
        assert body["datacontenttype"] == "application/json"
        assert 0 < int(body["comciscotimestamp"]) - created(body) < 2_000
        assert body["data"].get("agentId") or body["data"].get("taskId")
    assert len({body["id"] for body in day}) == len(day)


def test_every_resource_has_a_subscription_of_its_own(day):
    sources = defaultdict(set)
    for body in day:
        sources[body["type"].partition(":")[0]].add(body["source"])
    assert {resource: len(found) for resource, found in sources.items()} == {
        "agent": 1,
        "task": 1,
        "capture": 1,
    }


@pytest.mark.parametrize("size", [*slow(1, 7), 2])
def test_a_small_centre_never_falls_silent(size):
    """Nor does work pile up: waiting customers leave."""
    bodies = world(20_000, agents=size)
    assert max(created(b) - created(a) for a, b in pairwise(bodies)) < 1_200_000


def test_what_waits_stays_bounded():
    simulation = Simulation(5, 1, start_ms=START)
    for _ in islice(simulation, 50_000):
        assert len(simulation._floor.timeline._waiting) < 100


# Agents


def voice_states(bodies):
    """By agent: the voice states with their tasks, oldest first."""
    states = defaultdict(list)
    for body in bodies:
        data = body["data"]
        if body["type"] == STATE and data["channelType"] == "telephony":
            states[data["agentId"]].append((data["currentState"], data.get("taskId")))
    return states


def test_no_agent_is_on_two_calls(day):
    """From ringing to the end of wrap-up every word on the voice channel names one task."""
    for states in voice_states(day).values():
        task = None
        for word, named in states:
            if word == "ringing":
                assert task is None
                task = named
            elif word in ("available", "idle", "wrapup-done", "not-responding"):
                assert named in (task, None)
                task = None
            else:
                assert named == task


def test_only_an_available_agent_is_rung(day):
    """The agent's last state of rest is available."""
    rests = {}
    for body in day:
        data = body["data"]
        if body["type"] == STATE and data["currentState"] in ("available", "idle"):
            rests[data["agentId"]] = data["currentState"]
        if body["type"] == STATE and data["currentState"] == "ringing":
            assert rests[data["agentId"]] == "available"


def test_agents_work_only_while_logged_in(day):
    present = set()
    for body in day:
        agent = body["data"].get("agentId")
        if body["type"] == "agent:login":
            assert agent not in present
            present.add(agent)
        elif body["type"] == "agent:logout":
            present.remove(agent)
        elif agent and body["data"]["currentState"] != "LoggedOut":
            assert agent in present


def test_an_agents_word_follows_the_tasks_within_60_ms(day):
    """A task that is connected has an agent who says so."""
    said = defaultdict(list)
    for body in day:
        data = body["data"]
        if body["type"] == STATE and data["currentState"] in ("connected", "consulting"):
            said[data["taskId"]].append(created(body))
    for body in day[:-500]:
        if body["type"] == "task:connected":
            lags = [time - created(body) for time in said[body["data"]["taskId"]]]
            assert any(20 <= lag <= 60 for lag in lags)


def test_breaks_carry_their_code(day):
    """The state event names the code's id, the channel type's event its name."""
    for body in day:
        data = body["data"]
        if body["type"] == STATE:
            assert ("idleCodeId" in data) == (data["currentState"] == "idle")
        if body["type"] == CHANNELS:
            idle = data["currentState"] == "Idle" or data["pendingIdleState"]
            assert ("idleCodeName" in data) == idle


def test_channel_words_only_tell_changes(day):
    told = {}
    for body in day:
        if body["type"] == CHANNELS:
            data = body["data"]
            key = data["agentId"], data["channelType"]
            word = data["currentState"], data["pendingIdleState"], data.get("idleCodeName")
            assert told.get(key) != word
            told[key] = word


def test_every_channel_word_occurs(day):
    words = {body["data"]["currentState"] for body in day if body["type"] == CHANNELS}
    assert words == {
        *("Available", "Idle", "Engaged", "EngagedOther", "WrapUp", "Reserved", "LoggedOut"),
    }


def test_some_agents_hold_several_mails_at_once(day):
    """Each on a channel of its own."""
    busy = defaultdict(dict)
    most = 0
    for body in day:
        data = body["data"]
        if body["type"] == STATE and data["channelType"] == "email":
            busy[data["agentId"]][data["channelId"]] = data["currentState"] in BUSY
            most = max(most, sum(busy[data["agentId"]].values()))
    assert most > 1


def test_connected_channels_name_what_the_agent_is_busy_with(day):
    busy = defaultdict(dict)
    for body in day:
        data = body["data"]
        if body["type"] == STATE:
            at_work = data["currentState"] in BUSY | {"consult-done"}
            busy[data["agentId"]][data["channelId"]] = at_work
            expected = {channel for channel, on in busy[data["agentId"]].items() if on}
            assert set(data["connectedChannels"]) == expected


# Versions


def test_the_first_version_knows_no_channels():
    bodies = world(20_000, versions="1")
    agent = [body for body in bodies if body["type"].startswith("agent:")]
    assert {body["type"] for body in agent} == {
        *("agent:login", "agent:logout", "agent:state_change"),
    }
    for body in agent:
        assert "comciscotimestamp" not in body
        assert not {"channelId", "channelType"} & set(body["data"])


def test_both_versions_have_the_events_of_each():
    """The events of both versions, as each version alone has them."""
    both = world(6_000, versions="both")
    end = created(both[-1])
    for version, subscription in (("1", "agent v1"), ("2", "agent")):
        alone = [b for b in world(6_000, versions=version) if created(b) < end]
        of_agents = [b["data"] for b in alone if b["type"].startswith("agent:")]
        source = f"/com/cisco/wxcc/{SUBSCRIPTIONS[subscription]}"
        twins = [b["data"] for b in both if b["source"] == source and created(b) < end]
        assert twins == of_agents[: len(twins)]


# Patterns of tasks


def lives_of(bodies, channel_type="telephony"):
    """The event names of each task, oldest first."""
    lives = defaultdict(list)
    for body in bodies:
        kind, _, event = body["type"].partition(":")
        if kind == "task" and body["data"]["channelType"] == channel_type:
            ends_offer = body["data"].get("terminatingParty") == "System"
            lives[body["data"]["taskId"]].append("rona" if ends_offer else event)
    return lives


def is_consult(life):
    return "consulting" in life and "conferencing" not in life


SHARES = {
    "abandoned at once": lambda life: life == ["new", "ended"],
    "never answered": lambda life: "connected" not in life and "rona" in life,
    "answered late": lambda life: "connected" in life and "rona" in life,
    "consult": lambda life: is_consult(life) and "consult-done" in life and life.count("new") == 1,
    "consult an entry point": lambda life: life.count("new") == 2,
    "consult transfer": lambda life: is_consult(life) and "consult-done" not in life,
    "conference": lambda life: "conference-done" in life,
    "conference transfer": lambda life: "conference-transferred" in life,
}


@pytest.fixture(scope="module")
def whole_lives():
    """The patterns of whole tasks, on a floor where a colleague is nearly always free."""
    bodies = world(90_000, agents=150)
    last = created(bodies[-1])
    begun = {b["data"]["taskId"]: created(b) for b in bodies if b["type"] == "task:new"}
    return [life for task, life in lives_of(bodies).items() if last - begun[task] > 400_000]


@pytest.mark.parametrize("name", SHARES)
def test_patterns_occur_as_often_as_their_weights_say(name, whole_lives):
    share = sum(map(SHARES[name], whole_lives)) / len(whole_lives)
    weights = {name: life.weight for name, life in VOICE_PATTERNS.items()}
    assert share == pytest.approx(weights[name] / sum(weights.values()), rel=0.25, abs=0.01)


def test_every_documented_task_event_occurs(day):
    events = {body["type"] for body in day}
    assert events >= {
        *("task:new", "task:parked", "task:connect", "task:connected", "task:on-hold"),
        *("task:hold-done", "task:consulting", "task:consult-done", "task:conferencing"),
        *("task:conference-done", "task:conference-transferred", "task:origin-updated"),
        *("task:ended", "task:failed", "capture:available", "agent:logout"),
    }


def test_every_step_of_every_pattern_is_known():
    steps = {
        step
        for lives in PATTERNS.values()
        for life in lives.values()
        for step in life.steps.split()
    }
    assert steps <= set(STEPS)
    assert {f"{channel_type} pick-up" for channel_type in PATTERNS} <= set(DURATIONS)


def test_an_offers_end_is_the_systems(day):
    """Only these ends do not end the task."""
    reasons = Counter(
        (body["data"]["terminatingParty"], body["data"]["reason"])
        for body in day
        if body["type"] == "task:ended"
    )
    assert set(reasons) == {
        ("Customer", "Customer Left"),
        ("Agent", "Agent Left"),
        ("System", "RONA Timer Expired"),
    }


# Pace


def test_a_paced_world_keeps_its_rate():
    bodies = [*islice(paced(Simulation(30, start_ms=0), 100, START), 1_000)]
    assert created(bodies[0]) == START
    assert created(bodies[-1]) == START + 10_000
    assert all(created(a) <= created(b) for a, b in pairwise(bodies))


def test_pacing_changes_times_alone():
    plain = world(300)
    moved = [*paced(plain, 50, START + 5_000)]
    for before, after in zip(plain, moved, strict=True):
        lags = [int(body["comciscotimestamp"]) - created(body) for body in (before, after)]
        assert lags[0] == lags[1]
        assert {**after["data"], "createdTime": 0} == {**before["data"], "createdTime": 0}


# The network


def test_an_undisturbed_network_changes_nothing():
    bodies = world(2_000)
    deliveries = [*disturb(bodies)]
    assert [delivery.body for delivery in deliveries] == bodies
    assert [delivery.due_ms for delivery in deliveries] == [created(body) for body in bodies]


def test_equal_seeds_disturb_equally():
    bodies = world(2_000)
    chances = {"late": 0.1, "duplicate": 0.1, "lose": 0.1}
    assert [*disturb(bodies, **chances, seed=3)] == [*disturb(bodies, **chances, seed=3)]
    assert [*disturb(bodies, **chances, seed=3)] != [*disturb(bodies, **chances, seed=4)]


def test_fates_come_as_often_as_asked():
    bodies, fates = world(20_000), Counter()
    deliveries = [*disturb(bodies, late=0.2, duplicate=0.1, lose=0.05, counters=fates)]
    times = Counter(delivery.body["id"] for delivery in deliveries)
    assert len(bodies) - len(times) == fates["lost"]
    assert sum(count == 2 for count in times.values()) == fates["duplicated"]
    assert fates["lost"] == pytest.approx(0.05 * 20_000, rel=0.15)
    assert fates["duplicated"] == pytest.approx(0.1 * 19_000, rel=0.15)
    assert fates["late"] == pytest.approx(0.2 * 19_000, rel=0.15)


def test_deliveries_arrive_in_order_and_never_before_they_happen():
    deliveries = [*disturb(world(5_000), late=0.3, duplicate=0.3)]
    assert all(a.due_ms <= b.due_ms for a, b in pairwise(deliveries))
    assert all(delivery.due_ms >= created(delivery.body) for delivery in deliveries)


def test_late_events_are_overtaken():
    times = [created(delivery.body) for delivery in disturb(world(5_000), late=0.1)]
    assert sum(a > b for a, b in pairwise(times)) > 100


def test_a_storm_holds_all_back_and_then_brings_it_at_once():
    """In any order; what arrives between two storms is not touched."""
    plain, fates = [*disturb(world(5_000))], Counter()
    begin = plain[0].due_ms + 60_000
    options = {"start_ms": begin, "every_ms": 120_000, "hold_ms": 30_000}
    stormy = [*storms(plain, **options, counters=fates)]
    assert Counter(it.body["id"] for it in plain) == Counter(it.body["id"] for it in stormy)
    held = [it for it in stormy if it.due_ms > created(it.body)]
    for it in stormy:
        since = (created(it.body) - begin) % 120_000
        if created(it.body) >= begin and since >= 90_000:
            assert created(it.body) - since + 120_000 == it.due_ms
        else:
            assert created(it.body) == it.due_ms
    assert len(held) == fates["held"] > 100
    assert all(a.due_ms <= b.due_ms for a, b in pairwise(stormy))
    assert sum(created(a.body) > created(b.body) for a, b in pairwise(held)) > 30
    assert stormy == [*storms(plain, **options)]


def test_nothing_is_read_ahead():
    """An endless world can be disturbed."""
    deliveries = disturb(Simulation(5, start_ms=START), late=0.5, duplicate=0.5)
    assert len([*islice(deliveries, 1_000)]) == 1_000


# Sending


class StubService(ThreadingHTTPServer):
    """Answers with the given statuses one after the other, then with 202 for ever."""

    daemon_threads = True

    def __init__(self, statuses=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = [*statuses]
        self.requests = []
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def taken(self):
        """The bodies acknowledged, in order."""
        bodies = [json.loads(raw) for status, raw, _ in self.requests if status == 202]
        return [one for body in bodies for one in (body if isinstance(body, list) else [body])]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            status = self.server.statuses.pop(0) if self.server.statuses else 202
            self.server.requests.append((status, raw, dict(self.headers)))
        self.answer(status, json.loads(raw))

    def answer(self, status, body):
        received = len(body) if isinstance(body, list) else 1
        counts = dict.fromkeys(("duplicates", "conflicts", "quarantined"), 0)
        answer = json.dumps({"received": received, "appended": received, **counts}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@contextmanager
def service(*statuses):
    with StubService(statuses) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def deliveries(count, rate):
    world = paced(Simulation(10, start_ms=START), rate, START)
    return [*disturb(islice(world, count))]


def test_everything_is_sent_and_counted_once():
    with service() as server:
        totals = send(deliveries(50, 200), server.url, rate=200, start_ms=START)
    assert totals.sent == totals.requests == 50
    assert totals.acknowledged["appended"] == 50
    assert {b["id"] for b in server.taken} == {d.body["id"] for d in deliveries(50, 200)}


def test_a_high_rate_is_sent_in_arrays():
    with service() as server:
        totals = send(deliveries(1_000, 2_000), server.url, rate=2_000, start_ms=START)
    assert totals.sent == len(server.taken) == 1_000
    assert totals.requests < 100


def test_the_rate_is_kept():
    with service() as server:
        totals = send(deliveries(60, 100), server.url, rate=100, start_ms=START)
    assert 0.55 <= totals.seconds < 2


def test_a_busy_service_is_waited_for_and_nothing_counts_twice():
    with service(503, 503) as server:
        totals = send(deliveries(20, 100), server.url, rate=100, start_ms=START)
    assert totals.waits == 2
    assert totals.sent == len(server.taken) == 20


def test_a_service_that_stays_busy_is_given_up():
    with service(*[503] * 10_000) as server, pytest.raises(SendError, match="was not ready"):
        send(deliveries(5, 100), server.url, rate=100, start_ms=START, patience_s=0.05)


@pytest.mark.parametrize(("status", "word"), [(401, "--secret"), (413, "--rate"), (500, "500")])
def test_a_refusal_stops_the_run_with_one_sentence(status, word):
    with service(*[status] * 10_000) as server, pytest.raises(SendError) as refusal:
        send(deliveries(500, 100), server.url, rate=100, start_ms=START)
    assert word in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(server.requests) < 20


def test_a_service_that_is_not_there_is_one_sentence():
    with service() as server:
        url = server.url
    with pytest.raises(SendError, match="No service answers at"):
        send(deliveries(1, 100), url, rate=100, start_ms=START)


def test_an_address_that_is_none_is_one_sentence():
    with pytest.raises(SendError, match="No service answers at"):
        send(deliveries(1, 100), "http://[", rate=100, start_ms=START)


def test_bodies_are_signed_with_the_secret():
    with service() as server:
        send(deliveries(3, 100), server.url, rate=100, start_ms=START, secret="s" * 32)
    for _, raw, headers in server.requests:
        expected = hmac.new(b"s" * 32, raw, hashlib.sha256).hexdigest()
        assert headers["X-WebexCC-Signature"] == expected


def test_batches_hold_what_is_due_together():
    groups = [*batches(deliveries(500, 2_000), 2_000)]
    assert all(len(group) <= 100 for group in groups)
    assert all(group[-1].due_ms - group[0].due_ms <= 50 for group in groups)
    assert [d for group in groups for d in group] == deliveries(500, 2_000)


def test_a_single_delivery_is_no_array():
    [one] = deliveries(1, 10)
    assert json.loads(encode([one])) == one.body
    assert json.loads(encode([one, one])) == [one.body, one.body]


# The command


def invoke(*arguments):
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


def test_the_command_prints_its_totals_as_json():
    with service() as server:
        options = ("--events", 100, "--rate", 1_000, "--lose", 0.2, "--duplicate", 0.2)
        result = invoke("--url", server.url, "--json", *options)
    totals = json.loads(result.stdout)
    assert result.exit_code == 0
    assert result.stderr == ""
    assert totals["sent"] == 100 - totals["lost"] + totals["duplicated"] == len(server.taken)


def test_the_command_says_in_words_what_it_did():
    with service() as server:
        result = invoke("--url", server.url, "--seconds", 0.1, "--rate", 200)
    assert result.exit_code == 0
    assert "deliveries acknowledged" in result.stdout


def test_a_given_start_makes_runs_equal():
    taken = []
    for _ in range(2):
        with service() as server:
            options = ("--events", 50, "--rate", 500, "--start-ms", START)
            assert invoke("--url", server.url, *options).exit_code == 0
        taken.append(sorted(body["id"] for body in server.taken))
    assert taken[0] == taken[1]


def test_the_command_fails_with_one_sentence_when_nobody_answers():
    with service() as server:
        url = server.url
    result = invoke("--url", url, "--events", 3)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [("--late", 1.5), ("--rate", 0), ("--agents", 0), ("--versions", 3)]
)
def test_wrong_options_are_usage_errors(arguments):
    assert invoke(*arguments).exit_code == 2


def test_no_run_of_equal_ids():
    """Ids come from the seed, yet never repeat within a world."""
    ids = sorted(body["id"] for body in world(20_000))
    assert all(len([*same]) == 1 for _, same in groupby(ids))


# --- names ---


def test_everybody_and_everything_has_a_name_of_its_own():
    """Each id that the webhooks carry is in the directory; people of one floor are told apart."""
    center = Simulation(900, seed=1, start_ms=0)
    names = {(kind, id_): name for kind, id_, name in center.names()}
    assert names == {(kind, id_): name for kind, id_, name in Simulation(900, start_ms=5).names()}
    for kind in ("agent", "team", "queue"):
        own = [name for (of, _), name in names.items() if of == kind]
        assert len(own) == len({*own}) > 0, kind
    fields = {
        "agentId": "agent",
        "teamId": "team",
        "queueId": "queue",
        "idleCodeId": "idleCode",
        "wrapUpAuxCodeId": "wrapUpCode",
    }
    met = set()
    for body in islice(center, 30_000):
        for field, kind in fields.items():
            if id_ := body["data"].get(field):
                assert (kind, id_) in names, body
                met.add(kind)
    assert {*fields.values()} == met
