"""Firecracker's metrics file: a JSON object a line, each with what was counted since the line before.

Source: Firecracker docs/metrics.md and src/vmm/src/logger/metrics.rs (1.16): writing a counter resets it;
only min_us and max_us are no counters. A line is written every minute and at FlushMetrics.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PREFIXES = {"block_": "block", "net_": "net"}  # one group per device: "block_data" → "block.data"
WHOLE = ("vcpu", "vsock")  # of these there is one; the sums over all devices of a kind are left out
NO_COUNTERS = ("min_us", "max_us")
COUNTED = frozenset({
    "activate_fails", "event_fails", "execute_fails", "exit_io_in", "exit_io_out", "exit_mmio_read", "exit_mmio_write",
    "failures", "flush_count", "io_engine_throttled_events", "no_avail_buffer", "no_rx_avail_buffer",
    "no_tx_avail_buffer", "queue_event_count", "rate_limiter_throttled_events", "read_agg.sum_us", "read_bytes",
    "read_count", "remaining_reqs_count", "rx_bytes_count", "rx_count", "rx_fails", "rx_packets_count",
    "rx_queue_event_count", "rx_rate_limiter_throttled", "rx_tap_event_count", "tap_read_fails", "tap_write_agg.sum_us",
    "tap_write_fails", "tx_bytes_count", "tx_count", "tx_fails", "tx_packets_count", "tx_queue_event_count",
    "tx_rate_limiter_throttled", "tx_remaining_reqs_count", "write_agg.sum_us", "write_bytes", "write_count",
})  # fmt: skip


class MetricsFile:
    """The file while Firecracker writes it. `totals`: every counter since the boot, by dotted name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.totals: dict[str, float] = {}
        self.unasked = b""

    def read(self) -> None:
        """Take the whole lines that are new."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        self.unasked += whole
        for line in whole.splitlines():
            for name, value in counters(json.loads(line)):
                self.totals[name] = self.totals.get(name, 0.0) + value

    def take_lines(self) -> bytes:
        """Return the lines that came since this was asked last."""
        lines, self.unasked = self.unasked, b""
        return lines


def counters(line: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the counters that are evidence, by dotted name ("block.data.flush_count")."""
    for group, values in line.items():
        prefix = next((known for known in PREFIXES if group.startswith(known)), "")
        if prefix:
            name = f"{PREFIXES[prefix]}.{group.removeprefix(prefix)}"
        elif group in WHOLE:
            name = group
        else:
            continue
        yield from ((f"{name}.{key}", value) for key, value in flat(values) if key in COUNTED)


def flat(values: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield numbers by dotted name; of an aggregate the sum only."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", number) for inner, number in flat(value))
        elif isinstance(value, int | float) and key not in NO_COUNTERS:
            yield key, float(value)
