"""Check of the channel layer: a message to oneself."""

from __future__ import annotations

from uuid import uuid4

from channels.layers import get_channel_layer


async def round_trip() -> None:
    """Send a message through the channel layer and receive it; raise the error of the layer if that fails."""
    layer = get_channel_layer()
    channel = await layer.new_channel(f"ready-{uuid4().hex}")
    await layer.send(channel, {"type": "ready"})
    await layer.receive(channel)
