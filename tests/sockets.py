"""Which sockets a family of processes has opened. Ray ends idle workers at any moment, so one that is gone is passed over."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable

import psutil


def opened(processes: Iterable[psutil.Process]) -> list[tuple[str, str, int]]:
    """(process, address, port) of every TCP socket that listens and of every UDP socket."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in process.net_connections("inet"):
                if each.status == psutil.CONN_LISTEN or each.type == socket.SOCK_DGRAM:
                    found.append((process.name(), each.laddr.ip, each.laddr.port))
    return found
