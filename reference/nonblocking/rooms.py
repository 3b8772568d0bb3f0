"""Who is called what and who is in which room, shared by all clients of the server.

The mailbox's Store had a lock, since threads shared it. One thread needs none: a method that does not wait is one step
that no other client can see half of.

Pure: nothing here knows sockets. Whoever is in a room gets its broadcasts through `deliver`.
"""

from __future__ import annotations

import itertools
from typing import Protocol

from framing import frame
from messages import BadRequest, Request

#: Rooms that one client can be in.
MOST_ROOMS = 16

#: A line with its number. Numbers grow with time, over all rooms; one entry is shared by all who get it.
Entry = tuple[int, bytes]


class Client(Protocol):
    """What the rooms need to know of a client."""

    name: str  #: "" before the first nick
    rooms: set[str]  #: the rooms it is in

    def deliver(self, entry: Entry) -> None:
        """Here is a broadcast for you. May close the client, and make it leave."""


class Rooms:
    """All names and rooms."""

    def __init__(self) -> None:
        self._people: dict[str, Client] = {}  # by name
        self._members: dict[str, dict[Client, None]] = {}  # by room; a dict for its order. An empty room is gone
        self._numbers = itertools.count()

    def numbered(self, line: bytes) -> Entry:
        """A line with the next number."""
        return next(self._numbers), line

    def answer(self, client: Client, request: Request) -> bytes:
        """Do what a client asks; the reply. Broadcasts are delivered before this returns. Raises BadRequest."""
        ### BEGIN SOLUTION: stage 3: one of the four below, then ok
        if request.command == "nick":
            self._nick(client, request.name)
        elif request.command == "join":
            self._join(client, request.name)
        elif request.command == "part":
            self._part(client, request.name)
        elif request.command == "say":
            self._say(client, request.name, request.text)
        return b"ok\n"
        ### END SOLUTION

    def leave(self, client: Client) -> None:
        """A client goes: out of all rooms, and its name is free."""
        ### BEGIN SOLUTION: stage 3: part from every room, give the name back
        for room in list(client.rooms):
            self._part(client, room)
        self._people.pop(client.name, None)
        client.name = ""
        ### END SOLUTION

    def _nick(self, client: Client, name: str) -> None:
        ### BEGIN SOLUTION: stage 3: refuse a name that another client has, give the old one back
        if self._people.get(name, client) is not client:
            raise BadRequest("name in use")
        self._people.pop(client.name, None)
        self._people[name] = client
        client.name = name
        ### END SOLUTION

    def _join(self, client: Client, room: str) -> None:
        ### BEGIN SOLUTION: stage 3: only with a name, not twice, not into too many
        if not client.name:
            raise BadRequest("no nick")
        if room in client.rooms:
            raise BadRequest("already in this room")
        if len(client.rooms) >= MOST_ROOMS:
            raise BadRequest("too many rooms")
        self._members.setdefault(room, {})[client] = None
        client.rooms.add(room)
        ### END SOLUTION

    def _part(self, client: Client, room: str) -> None:
        ### BEGIN SOLUTION: stage 3: out of the room; a room without anybody is gone
        if room not in client.rooms:
            raise BadRequest("not in this room")
        client.rooms.discard(room)
        members = self._members[room]
        del members[client]
        if not members:
            del self._members[room]
        ### END SOLUTION

    def _say(self, client: Client, room: str, text: str) -> None:
        """Deliver to everyone in the room but the speaker. All get the same order: nothing else happens meanwhile."""
        ### BEGIN SOLUTION: stage 3: one entry for all; go through a copy, since delivering may close somebody
        if room not in client.rooms:
            raise BadRequest("not in this room")
        entry = self.numbered(frame(f"{room} {client.name} {text}"))
        for member in list(self._members[room]):
            if member is not client:
                member.deliver(entry)
        ### END SOLUTION
