"""mqtt: whatever publishes watts to an MQTT broker (Tasmota, zigbee2mqtt, Shelly, ESPHome).

[meter.plug]
kind = "mqtt"                    # pip install 'primetime[mqtt]'
host = "192.168.1.2"
port = 1883
topic = "zigbee2mqtt/plug"
field = "power"                  # a path in JSON such as ENERGY.Power; "" when the payload is the number
hz = 1.0                         # how often it publishes
resolution = 0.1
"""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Sequence
from typing import Any

from primetime.instruments.power.base import (
    TOTAL,
    WATTS,
    Meter,
    Place,
    PowerChannel,
    Reading,
    Setting,
    finite_watts,
    needs,
)
from primetime.instruments.power.http_json import dig
from primetime.model import Params

SILENCE = 10.0  # periods without a message are an error
KEEPALIVE_S = 15


class Mqtt(Meter):
    """See the module."""

    kind = "mqtt"
    settings = (
        Setting("host", "", "the broker's address", required=True),
        Setting("port", 1883, "the broker's port"),
        Setting("topic", "", "where the meter publishes", required=True),
        Setting("field", "", "path of the power in the JSON payload"),
        Setting("hz", 1.0, "how often it publishes, a second"),
        Setting("resolution", 0.1, "the step of its power in W"),
        Setting("accuracy", 0.0, "half-width of the maker's bound: 0.01 for ±1 %"),
    )

    def __init__(self, name: str, given: Params) -> None:
        super().__init__(name, given)
        self.heard: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self.client: Any = None

    def channels(self) -> tuple[PowerChannel, ...]:
        step, hz, accuracy = (self.number(key) for key in ("resolution", "hz", "accuracy"))
        return (PowerChannel(TOTAL, WATTS, Place.WALL, step, hz, accuracy, ""),)

    def open(self) -> None:
        paho = needs("paho.mqtt.client", "mqtt")
        self.heard = queue.SimpleQueue()
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.on_connect = lambda *_: client.subscribe(self.word("topic"))
        client.on_message = lambda _client, _data, message: self.heard.put((time.monotonic(), message.payload))
        client.connect(self.word("host"), int(self.number("port")), KEEPALIVE_S)
        client.loop_start()  # its own thread; it connects again by itself
        self.client = client

    def read(self) -> Sequence[Reading]:
        """Wait for the next message, and take all that came with it. A bad one costs only itself."""
        try:
            first = self.heard.get(timeout=SILENCE / self.number("hz"))
        except queue.Empty:
            raise OSError(f"nothing is published to {self.word('topic')}") from None
        messages = [first]
        while not self.heard.empty():
            messages.append(self.heard.get())
        found, problem = [], ValueError("no message")
        for t, payload in messages:
            try:
                found.append(Reading(t, {TOTAL: self.watts(payload)}))
            except ValueError as error:
                problem = error
        if not found:
            raise problem
        return found

    def watts(self, payload: bytes) -> float:
        """The power in one message."""
        content = json.loads(payload)
        return finite_watts(dig(content, self.word("field")) if self.word("field") else content, "the payload")

    def close(self) -> None:
        if self.client is not None:
            self.client.disconnect()
            self.client.loop_stop()
            self.client = None
