"""Types of the messages that the server sends on a websocket, for the documents; `job_messages` writes them."""

from __future__ import annotations

from typing import Literal, TypedDict

from jobs.serializers import JobBody


class SnapshotMessage(TypedDict):
    """Every job of the topic, first and after a gap. Acknowledge it with an ack without id."""

    type: Literal["snapshot"]
    jobs: list[JobBody]


class JobMessageBody(TypedDict):
    """A job after a change. Acknowledge it with an ack that has its id and revision."""

    type: Literal["job"]
    job: JobBody


class GoneMessage(TypedDict):
    """A job that was deleted or has left the topic. It needs no ack."""

    type: Literal["gone"]
    id: int


class PingMessage(TypedDict):
    """A sign of life, every 20 seconds."""

    type: Literal["ping"]


class ClosingMessage(TypedDict):
    """The reason of a close that the client can avoid, sent before it."""

    type: Literal["closing"]
    code: int
    reason: str


SERVER_MESSAGES = (SnapshotMessage, JobMessageBody, GoneMessage, PingMessage, ClosingMessage)
