"""Workers meet in one process group, whose sockets listen where the workers are and nowhere else."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import Any

from torch import distributed

from tasks.train.world import World


def join(world: World) -> None:
    """Make the process group of all workers; one that is alone has nobody to meet, and opens no socket.

    torch's own meeting (`env://`, `tcp://`) listens on every address of the machine and asks nobody who he is.
    """
    if world.size == 1:
        return
    if ipaddress.ip_address(world.host).is_loopback:
        # Gloo is told an interface by name, else takes the one of the host's name. Loopback is the first.
        os.environ["GLOO_SOCKET_IFNAME"] = socket.if_nameindex()[0][1]
    hosted = _host(world) if world.rank == 0 else None
    host, port = world.tell_all(hosted and (hosted.host, hosted.port))
    store = hosted or distributed.TCPStore(host, port, world.size, is_master=False)
    backend = "nccl" if world.device.startswith("cuda") else "gloo"
    distributed.init_process_group(backend, store=store, rank=world.rank, world_size=world.size)


def _host(world: World) -> Any:
    """The store that the others come to, on a port of this host alone."""
    family = socket.AF_INET6 if ":" in world.host else socket.AF_INET
    listener = socket.create_server((world.host, 0), family=family)
    return distributed.TCPStore(
        world.host, listener.getsockname()[1], world.size, is_master=True, wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )  # fmt: skip
