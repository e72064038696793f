"""A TCP proxy in front of a server, whose connections can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from threading import Thread

CHUNK = 64 * 1024


class Proxy:
    """A thread that carries bytes between its clients and a port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, name="proxy", daemon=True).start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def cut(self, share: Iterable[bool]) -> int:
        """Reset connections: those for which `share` says so; return their number."""
        return asyncio.run_coroutine_threadsafe(self._cut(share), self._loop).result()

    async def _cut(self, share: Iterable[bool]) -> int:
        chosen = [writer for writer, cut in zip(list(self._writers), share, strict=False) if cut]
        for writer in chosen:
            writer.transport.abort()
        return len(chosen)

    async def _listen(self) -> int:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, target = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(writer)
        tasks = [asyncio.create_task(_carry(reader, target)), asyncio.create_task(_carry(answers, writer))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._writers.discard(writer)
        for end in (writer, target):
            end.close()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
