"""Messages to the topic exchange of RabbitMQ, with publisher confirms for many of them at a time.

A message counts as sent when the broker has confirmed it and a queue is bound for it. A message without a queue is
returned (`mandatory`) before its confirm, and is tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

import pika
from django.conf import settings
from pika.exceptions import AMQPError, ShortStringTooLong
from pika.exchange_type import ExchangeType

from jobs.models.outbox import Endpoint
from jobs.outbox.messages import Message, Outcome, failed

EXCHANGE = "progress.events"
AT_ONCE = 500
SECONDS = 10.0
# Heartbeats of the broker are not answered between two waves, so a connection that was idle for longer is replaced.
RESTED_SECONDS = 15.0
PERSISTENT = 2


class BrokerSender:
    """Sender of messages to the broker over one connection, which is opened when needed and replaced when broken."""

    width = AT_ONCE

    def __init__(self) -> None:
        self._connection: pika.SelectConnection | None = None
        self._channel: Any = None
        self._used_at = 0.0
        self._messages: Sequence[Message] = ()
        self._outcomes: list[Outcome | None] = []
        self._unconfirmed: dict[int, int] = {}
        self._returned: set[str] = set()
        self._tag = 0

    def send(self, endpoint: Endpoint, messages: Sequence[Message]) -> list[Outcome]:
        """Publish these messages and wait for their confirms; once more if an old connection turns out to be dead."""
        old = self._is_open()
        self._publish(messages)
        if old and not any(outcome and outcome.answered for outcome in self._outcomes):
            self._publish(messages)
        return [outcome or Outcome("The broker did not confirm it.", answered=False) for outcome in self._outcomes]

    def declare(self) -> str:
        """Open the connection, which declares the exchange; return why that failed, or nothing."""
        self._outcomes = [None]
        self._connect()
        return "" if self._is_usable() else str(self._outcomes[0] and self._outcomes[0].error)

    def close(self) -> None:
        """Close the connection in good order, unless that takes too long."""
        if self._connection and self._connection.is_open:
            self._connection.close()
            self._run()
        self._forget()

    # --- one wave --------------------------------------------------------------------------------

    def _publish(self, messages: Sequence[Message]) -> None:
        self._messages, self._outcomes = messages, [None] * len(messages)
        self._unconfirmed, self._returned = {}, set()
        if not self._is_open():
            self.close()
            self._connect()
        if self._channel is not None:
            self._publish_all()
            if self._unconfirmed:
                self._run()
        self._used_at = monotonic()

    def _publish_all(self) -> None:
        """Publish all messages, then wait for their confirms together."""
        for place, message in enumerate(self._messages):
            properties = pika.BasicProperties(
                content_type=message.content_type,
                delivery_mode=PERSISTENT,
                message_id=message.event_id,
                type=message.type,
                app_id="progress-site",
            )
            try:
                self._channel.basic_publish(EXCHANGE, message.type, message.body, properties, mandatory=True)
            except ShortStringTooLong as error:  # a type of more than 255 bytes
                self._outcomes[place] = failed(error, final=True)
                continue
            self._tag += 1
            self._unconfirmed[self._tag] = place

    def _on_return(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self._returned.add(properties.message_id)

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        tags = [tag for tag in self._unconfirmed if tag <= method.delivery_tag] if method.multiple else []
        for tag in tags or [method.delivery_tag]:
            place = self._unconfirmed.pop(tag, None)
            if place is not None:
                self._outcomes[place] = self._judged(self._messages[place], refused=method.NAME == "Basic.Nack")
        if not self._unconfirmed:
            self._stop()

    def _judged(self, message: Message, *, refused: bool) -> Outcome:
        if message.event_id in self._returned:
            return Outcome(f"No queue is bound to {EXCHANGE} for {message.type}.")
        return Outcome("The broker refused it.") if refused else Outcome()

    # --- the connection --------------------------------------------------------------------------

    def _is_usable(self) -> bool:
        return self._channel is not None and self._channel.is_open

    def _is_open(self) -> bool:
        rested = monotonic() - self._used_at > RESTED_SECONDS
        return self._is_usable() and not rested

    def _connect(self) -> None:
        self._tag = 0
        try:
            self._connection = pika.SelectConnection(
                _parameters(),
                on_open_callback=lambda connection: connection.channel(on_open_callback=self._on_channel),
                on_open_error_callback=lambda connection, error: self._failed(error),
                on_close_callback=lambda connection, error: self._failed(error),
            )
        except (AMQPError, OSError, ValueError) as error:
            self._failed(error)
        else:
            self._run()

    def _on_channel(self, channel: Any) -> None:
        channel.add_on_close_callback(lambda closed, error: self._on_channel_closed(error))
        channel.add_on_return_callback(self._on_return)
        channel.exchange_declare(
            EXCHANGE,
            ExchangeType.topic,
            durable=True,
            callback=lambda _: channel.confirm_delivery(self._on_confirm, lambda _: self._on_ready(channel)),
        )

    def _on_channel_closed(self, error: BaseException) -> None:
        # The connection that closes its channel is not closed yet: its own callback follows.
        if not (self._connection and self._connection.is_closing):
            self._failed(error)

    def _on_ready(self, channel: Any) -> None:
        self._channel = channel
        self._stop()

    def _failed(self, error: BaseException) -> None:
        """Give up the connection; messages without a confirm are not sent."""
        sentence = f"The broker cannot be reached: {error!r}"
        self._outcomes = [outcome or Outcome(sentence, answered=False) for outcome in self._outcomes]
        self._unconfirmed, self._channel = {}, None
        self._stop()

    def _run(self) -> None:
        """Run the connection's loop until it is stopped or the time limit is reached."""
        if self._connection:
            loop = self._connection.ioloop
            timer = loop.call_later(SECONDS, lambda: self._failed(TimeoutError(f"no answer within {SECONDS:.0f} s")))
            loop.start()
            loop.remove_timeout(timer)
            if self._channel is None:
                self._forget()

    def _stop(self) -> None:
        if self._connection:
            self._connection.ioloop.stop()

    def _forget(self) -> None:
        """Drop the connection and its loop."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection:
            connection.ioloop.close()


def _parameters() -> pika.URLParameters:
    parameters = pika.URLParameters(settings.AMQP_URL)
    parameters.socket_timeout = parameters.stack_timeout = SECONDS
    parameters.blocked_connection_timeout = SECONDS
    parameters.connection_attempts = 1
    return parameters
