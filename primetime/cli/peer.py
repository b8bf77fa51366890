"""`primetime peer`: on the far machine, what others measure against; it serves, and says what it is and how busy."""

from __future__ import annotations

import argparse
import socket

from primetime.campaign.peer_service import PORT, serve, servers
from primetime.campaign.signals import interruptible
from primetime.cli import DONE
from primetime.errors import Interrupted, UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.epilog = "The other machine's study then says network.peer = this machine's address."


def execute(options: argparse.Namespace) -> int:  # noqa: ARG001 - it takes none
    """Start netserver and iperf3 where they are installed, and answer until Ctrl-C."""
    try:
        listener = socket.create_server(("", PORT))
    except OSError as error:
        raise UserError(
            f"port {PORT} cannot be had: {error.strerror}", "is a primetime peer running already?"
        ) from None
    with listener, servers() as versions:
        for name, version in versions.items():
            print(f"{name} {version}" if version else f"{name} is not installed here", flush=True)
        print(f"answering on port {PORT}; end with Ctrl-C", flush=True)
        try:
            with interruptible():
                serve(listener, versions)
        except Interrupted:
            return DONE
    return DONE
