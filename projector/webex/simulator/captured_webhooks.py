"""Captured webhooks: some that were really sent, and one of each type that the vendor documents.

They come from three sources, and all have the webhook's envelope:

- `CHAT_END`, `CHAT_START`, `OTHER_ROWS` and `MAIL_STARTS` are events of a real organisation, from
  2022 and 2023. Another service stored them, so only id, type and data are from the webhook. The
  rest of the envelope is ours. Addresses and names had been replaced.
- `GUIDE` has the example values of the vendor's page "Using Webhooks", one event of each type. The
  organisation is spelt and filled in as on the page. Nearly all times on the page lack a digit. The
  login has its 12 digits here; the others have the page's one complete time, a second apart.
- `MESSAGES` has examples of the vendor's pages on bringing one's own channel and on work items.
"""

from typing import Any

from projector.webex.simulator.payloads import WebhookBody

CAPTURED_ORG_ID = "7d1f0a5e-4b62-4c1b-9c53-0f6f4a1de2b8"


def webhook(
    event_id: str,
    event_type: str,
    data: WebhookBody,
    *,
    organisation: WebhookBody | None = None,
    subscription: str = "99813d8c-d76b-4d95-a4d5-da41d1554220",
    stamp: str | int | None = None,
) -> WebhookBody:
    return {
        "id": event_id,
        "specversion": "1.0",
        "type": event_type,
        "source": f"/com/cisco/wxcc/{subscription}",
        **(organisation or {"comciscoorgid": CAPTURED_ORG_ID}),
        **({} if stamp is None else {"comciscotimestamp": stamp}),
        "datacontenttype": "application/json",
        "data": data,
    }


# Real events


def real(event_id: str, event_type: str, created: int, **data: str | None) -> WebhookBody:
    """Dispatched 100 ms after it happened, like those whose dispatch is recorded."""
    stamp = str(created + 100)
    return webhook(event_id, event_type, {**data, "createdTime": created}, stamp=stamp)


def chat(event_id: str, event_type: str, created: int, **data: str | None) -> WebhookBody:
    same = {"channelType": "chat", "direction": "INBOUND", "outboundType": None}
    return real(event_id, event_type, created, **same, **data)


def mail_start(event_id: str, created: int, task_id: str, **data: str) -> WebhookBody:
    same = {
        "taskId": task_id,
        "origin": "customer@example.com",
        "destination": "email_imi_EP",
        "direction": "INBOUND",
        "channelType": "email",
        "workflowManager": "IMI",
    }
    return real(event_id, "task:new", created, **{**same, **data})


CHAT_AGENT = {
    "agentId": "55de70fc-af58-40e8-b7f8-c23536a53e76",
    "teamId": "9c73f123-0a33-414c-98db-b1169cccc8ce",
    "queueId": "ee472d93-7b28-483e-9cd9-6ed59db2dc9a",
    "origin": "customer@example.com",
}
CHAT_QUEUE = CHAT_AGENT["queueId"]
ENDED_CHAT = "f484abb1-0937-11ed-994c-bf6de601ac80"
STARTED_CHAT = "94d8835d-c749-11ec-8573-7becd36cb425"

# The end of a chat: the agent wraps up 47 ms after the task's end.
CHAT_END = (
    real(
        "cac7ec98-e119-4ad6-9d8d-909d83d3b979",
        "agent:state_change",
        1658437179769,
        **CHAT_AGENT,
        taskId=ENDED_CHAT,
        currentState="wrapup",
    ),
    chat(
        "b3828547-3b7a-40f4-8393-1058fb2d2ad6",
        "task:ended",
        1658437179722,
        taskId=ENDED_CHAT,
        origin="customer@example.com",
        destination="Chat_temp_WXC-CHAT-EP1",
        queueId=CHAT_QUEUE,
        terminatingParty="Agent",
        reason="Agent Left",
        workflowManager=None,
    ),
)

# The start of a chat, up to the agent's state.
CHAT_START = (
    chat(
        "85224781-4738-40bb-9b48-f79f48effd55",
        "task:new",
        1651187945943,
        taskId=STARTED_CHAT,
        origin="Customer Name",
        destination="Chat_temp_WXC-CHAT-EP1",
        workflowManager=None,
    ),
    chat(
        "5565558c-eb37-4ec4-b121-7e4a39fff840",
        "task:connect",
        1651187946178,
        taskId=STARTED_CHAT,
        origin="Customer Name",
        destination="+19997770103",
        queueId=CHAT_QUEUE,
        workflowManager=None,
    ),
    chat(
        "c9ae34eb-914a-40e9-92b3-522cf3f3ccc7",
        "task:connected",
        1651187948923,
        taskId=STARTED_CHAT,
        origin="Customer Name",
        destination="+19997770103",
        queueId=CHAT_QUEUE,
    ),
    real(
        "d30d8522-488d-4090-9bd8-a2e8febed0a4",
        "agent:state_change",
        1651187948958,
        **CHAT_AGENT,
        taskId=STARTED_CHAT,
        currentState="connected",
        destination="+19997770103",
    ),
)

# Events of other chats of the same day, here with the id of the started chat: it is parked and
# ended before it is new.
OTHER_ROWS = (
    chat(
        "9242ce2a-8666-4e8b-a100-078994ccb980",
        "task:parked",
        1651187717920,
        taskId=STARTED_CHAT,
        origin="Customer Name",
        destination="customer@example.com",
        queueId="7a682870-472b-4a0f-b3e9-01fadf4efcf3",
        workflowManager=None,
    ),
    chat(
        "4e7e48eb-e5ef-4b17-9a29-908ff4e1de03",
        "task:ended",
        1651182715768,
        taskId=STARTED_CHAT,
        origin="Customer Name",
        terminatingParty="Agent",
        reason="Agent Left",
        workflowManager=None,
    ),
)

# The ids of these five events are made up, since they had been replaced by the word "id".
MAIL_STARTS = (
    mail_start(
        "e1c64b1d-0001-4d0e-9f4a-5a8ae1d85eff",
        1687796944297,
        "d2599c8b-9ce9-4718-a9d0-5a8ae1d85eff",
    ),
    mail_start(
        "e1c64b1d-0002-4d0e-9f4a-c167bd41f014",
        1687798166378,
        "e2c17bf5-d3c3-4dce-8eda-c167bd41f014",
    ),
    mail_start(
        "e1c64b1d-0003-4d0e-9f4a-9193c96ad407",
        1687798850771,
        "e9e506b3-8631-4afe-b365-9193c96ad407",
    ),
    mail_start(
        "e1c64b1d-0004-4d0e-9f4a-f0cefed879e7",
        1688661892988,
        "721827f6-213e-4677-bcf3-f0cefed879e7",
        destination="JDS_Chat_EP",
        channelType="chat",
    ),
    mail_start(
        "e1c64b1d-0005-4d0e-9f4a-7e4808032c53",
        1688662222796,
        "e95fc820-59d2-45eb-9714-7e4808032c53",
    ),
)


# The vendor's page

GUIDE_TIME = 1602696696391
GUIDE_SUBSCRIPTION = "AXXbfkWZ331_GLMMoS3N"
GUIDE_EVENT = "4967b0ec-1fd2-4863-8a9f-68224628d52d"
GUIDE_TASK_EVENT = "49670b0ec-1fd2-4863-8a9f-68224628d52d"
GUIDE_AGENT = "8e18afd-db79-449b-b4f5-ee4f14d9f45e"
GUIDE_TEAM = "3ce57020-dfd7-47fd-91a1-2783bf4a08e5"
GUIDE_ORGANISATION = {"comciscoorgid": "9dcb8657-ffad-45a1-9d8c-2f66e3b64f08"}
# The page's second spelling, for logins and tasks, mostly with a placeholder in it.
MISSPELT_ORGANISATION = {"comciscocorgid": "9dcb8657-ffad-45a1-9d8c-2f66e3b64f08"}
PLACEHOLDER_ORGANISATION = {"comciscocorgid": "orgId"}


def guide_agent(event_type: str, data: WebhookBody, event_id: str = GUIDE_EVENT) -> WebhookBody:
    return webhook(
        event_id,
        event_type,
        data,
        organisation=GUIDE_ORGANISATION,
        subscription=GUIDE_SUBSCRIPTION,
    )


def guide_task(event_type: str, second: int, **changes: Any) -> WebhookBody:
    """An event of a task. The page has one event id for all of them, and calls it the task's."""
    data = {
        "taskId": "888b688e-b74e-4fa6-8260-1e8d0a3523a",
        "origin": "1+9****8095",
        "destination": "1+5****2001",
        "direction": "INBOUND",
        "channelType": "telephony",
        "outboundType": None,
        "queueId": "AXbm0MeV1O4n5kITbT6",
        **changes,
        "createdTime": GUIDE_TIME + 1_000 * second,
    }
    return webhook(
        GUIDE_TASK_EVENT,
        event_type,
        data,
        organisation=PLACEHOLDER_ORGANISATION,
        subscription="{subscriptionId}",
    )


def without(body: WebhookBody, *names: str) -> WebhookBody:
    data = {name: value for name, value in body["data"].items() if name not in names}
    return {**body, "data": data}


GUIDE_LOGIN = webhook(
    GUIDE_TASK_EVENT,
    "agent:login",
    {
        "agentId": "8e18afd-db79-449b-b4f5-ae4f1d49f45e",
        "destination": "31476521",
        "profileType": "BLENDED",
        "idleCodeId": "5",
        "currentState": "Idle",
        "createdTime": 160269666391,  # as printed: twelve digits
        "teamId": GUIDE_TEAM,
    },
    organisation=MISSPELT_ORGANISATION,
    subscription=GUIDE_SUBSCRIPTION,
)

STATE_CHANGE = {
    "agentId": GUIDE_AGENT,
    "currentState": "idle",
    "destination": "9900163437",
    "queueId": "AXlp8E3f-KJXJ6KOPIK",
    "taskId": "40fa44a7-b640-4b72-a8cd-5a0502ab2e81",
    "createdTime": GUIDE_TIME,
    "idleCodeId": "2651",
    "connectedChannels": ["4fae000e-f460-4b5c-8b05-02f7fb5a8061", "4fae000e-fabb-4"],
    "wrapUpAuxCodeId": "3183",
    "teamId": GUIDE_TEAM,
}

GUIDE_AGENTS = (
    GUIDE_LOGIN,
    guide_agent("agent:state_change", STATE_CHANGE),
    # Not on the page: the event of the second version is that of the first with a channel.
    guide_agent(
        "agent:channel_state_change",
        {
            **STATE_CHANGE,
            "currentState": "available",
            "channelId": "4fae000e-f460-4b5c-8b05-02f7fb5a8061",
            "channelType": "telephony",
            "createdTime": GUIDE_TIME + 1_000,
        },
    ),
    guide_agent(
        "agent:logout",
        {
            "agentId": GUIDE_AGENT,
            "currentState": "logged-out",
            "loggedOutBy": "SELF",
            "createdTime": GUIDE_TIME + 2_000,
        },
    ),
    webhook(
        "e4bf8529-a418-424e-8c17-89ddbbe22b36",
        "agent:channelType_state_change",
        {
            "agentId": "11bafc46-ae09-4ddf-bf0b-26d24e924f9f",
            "currentState": "Available",
            "channelType": "social",
            "pendingIdleState": False,
            "idleCodeName": "Meeting",
            "teamId": "088ca4da-085c-4563-9b71-d430721f0354",
            "createdTime": 1768319367741,
        },
        organisation={"comciscoorgid": "e19d4bfb-30aa-4a7c-a245-3c029178cc69"},
        subscription="acec9408-7145-4d0e-84fc-3c5341d5d23b",
        stamp="1768319369101",
    ),
)

GUIDE_CAPTURE = webhook(
    GUIDE_EVENT,
    "capture:available",
    {
        "taskId": "8e18afdf-db79-449b-b4f5-ee4f14d9f45e",
        "filePath": "https://api.wxcc-us1.ciscoccservice.com/v1/captures/query",
        "createdTime": GUIDE_TIME,
    },
    organisation=GUIDE_ORGANISATION,
    subscription="AXXbFkWZ331_GLMMoS3N",
)

# The page has three data fields for this event, and no time. The stamp is ours: without any time
# the event's place would depend on its arrival.
GUIDE_CONFERENCE_DONE = {
    **without(
        guide_task("task:conference-done", 8),
        *("direction", "channelType", "outboundType", "queueId", "createdTime"),
    ),
    "comciscotimestamp": str(GUIDE_TIME + 8_100),
}

# Types as two headings of the page spell them; the page's examples have the prefix.
HEADINGS = (
    {**GUIDE_CONFERENCE_DONE, "type": "conference-done", "id": f"{GUIDE_TASK_EVENT}-heading"},
    {
        **guide_task("conference-transferred", 11),
        "id": f"{GUIDE_TASK_EVENT}-heading",
    },
)

GUIDE_TASKS = (
    {
        **without(guide_task("task:new", 0), "queueId"),
        "comciscocorgid": "9dcb8657-fiad-45a1-9d8c-2f66e3b6408",
    },
    {
        **guide_task("task:parked", 1),
        "source": f"/com/cisco/wxcc/{GUIDE_SUBSCRIPTION}",
        "comciscocorgid": "9dcb8657-ffad-45a1-9d8c-2f66e3b640f8",
    },
    guide_task("task:connect", 2),
    guide_task("task:connected", 3),
    guide_task("task:on-hold", 4),
    guide_task("task:consulting", 5),
    guide_task("task:consult-done", 6),
    guide_task("task:conferencing", 7),
    GUIDE_CONFERENCE_DONE,
    guide_task("task:hold-done", 9),
    guide_task("task:conference-transferred", 10),
    without(guide_task("task:origin-updated", 12), "outboundType"),
    guide_task("task:ended", 13, terminatingParty="Customer", reason="Customer left"),
    *HEADINGS,
)

GUIDE = (*GUIDE_AGENTS, GUIDE_CAPTURE, *GUIDE_TASKS)


# The vendor's pages on other channels

MESSAGE_ORGANISATION = {"comciscoorgid": "cb5901fb-ab66-4377-a7bc-5f0b21896952"}
MESSAGE_TIME = 1779785508649

BYO_CHANNEL = {
    "taskId": "044ea619-a0ad-41a3-9ed9-c2563a9bd6b7",
    "direction": "INBOUND",
    "channelType": "customMessaging",
    "channel": "my-custom-channel",
    "origin": "customer@example.com",
    "destination": "support@channel.biz",
}
WORK_ITEM = {
    "taskId": "141897a0-6212-49be-be9d-4823ab1e4dc7",
    "direction": "INBOUND",
    "channelType": "workItem",
    "channel": "ClaimsReview",
    "origin": "crm-lead-10040",
    "destination": "claims-work-items@example.biz",
}


def message(
    event_id: str, event_type: str, subscription: str, created: int, data: WebhookBody
) -> WebhookBody:
    """The stamp is an integer here; in the guide it is a string."""
    return webhook(
        event_id,
        event_type,
        {**data, "createdTime": created},
        organisation=MESSAGE_ORGANISATION,
        subscription=f"ed9357d0-3f5d-4c6a-a4fd-{subscription}",
        stamp=created,
    )


def failed(event_id: str, channel: WebhookBody, reason: str, error: str) -> WebhookBody:
    data = {**channel, "mediaMgr": "digitalmm", "reason": reason, "errorMessage": error}
    data["failureType"] = "failed"
    return message(event_id, "task:failed", "222222222222", MESSAGE_TIME, data)


def appended(
    event_id: str, channel: WebhookBody, created: int, details: str, params: WebhookBody
) -> WebhookBody:
    data = {
        **channel,
        "messageDirection": "INBOUND",
        "eventDetails": details,
        "channelParams": params,
        "reason": None,
        "errorMessage": None,
    }
    return message(event_id, "task-message:appended", "111111111111", created, data)


def not_appended(event_id: str, channel: WebhookBody, created: int, error: str) -> WebhookBody:
    data = {
        **channel,
        "messageDirection": "INBOUND",
        "eventDetails": None,
        "channelParams": None,
        "reason": "INVALID_CONTENT",
        "errorMessage": error,
    }
    return message(event_id, "task-message:append-failed", "333333333333", created, data)


# The two pages have the same three ids. Those of the work items end in another digit here, so that
# no two of these events conflict.
MESSAGES = (
    failed(
        "8be34eb4-d64f-4552-96cc-c9b6e73063c2",
        BYO_CHANNEL,
        "CONVERSATION_ALREADY_OPEN",
        "Conversation is already open with task id ab4ea619-a1ad-33a3-aed9-c2563a9bd6cc",
    ),
    appended(
        "4c2c4890-8a36-4dcc-9702-4c3a4aa1dc51",
        BYO_CHANNEL,
        MESSAGE_TIME,
        "Appended Message to chat successfully.",
        {
            "type": "text-with-attachments",
            "message": {
                "aliasId": "90a896bc-5eb5-4d15-8e11-f62e99751c21",
                "text": "Here is the invoice for my order.",
                "timestamp": MESSAGE_TIME,
                "attachments": [
                    {
                        "fileName": "invoice.pdf",
                        "mimeType": "application/pdf",
                        "fileUrl": "https://cdn.partner.example.com/files/invoice.pdf",
                    }
                ],
            },
        },
    ),
    not_appended(
        "64ab4f4a-5c93-4339-b325-3878f289a88f",
        BYO_CHANNEL,
        MESSAGE_TIME,
        "The maximum number of attachments allowed is 1.",
    ),
    failed(
        "8be34eb4-d64f-4552-96cc-c9b6e73063c3",
        WORK_ITEM,
        "ENTRY_POINT_NOT_FOUND",
        "The Work Item asset does not resolve to an active entry point.",
    ),
    appended(
        "4c2c4890-8a36-4dcc-9702-4c3a4aa1dc52",
        WORK_ITEM,
        MESSAGE_TIME + 3_600_000,
        "Appended Work Item data successfully.",
        {
            "type": "work-item-form",
            "message": {
                "aliasId": "991d52ea-927f-41ff-832b-d8f8601a8fbd",
                "workItemData": {
                    "customerAccountId": "3572653863",
                    "customerAccountName": "Updated Customer Name",
                    "claimStatus": "Approved",
                },
                "timestamp": MESSAGE_TIME + 3_600_000,
                "type": "WorkItemForm",
            },
        },
    ),
    not_appended(
        "64ab4f4a-5c93-4339-b325-3878f289a890",
        WORK_ITEM,
        MESSAGE_TIME + 3_600_000,
        "Required Work Item schema field claimNumber is missing.",
    ),
)

ALL: tuple[WebhookBody, ...] = (
    *CHAT_END,
    *CHAT_START,
    *OTHER_ROWS,
    *MAIL_STARTS,
    *GUIDE,
    *MESSAGES,
)
