"""primetime: is a microVM ready for your edge device? Measure it there."""

__version__ = "0.1.0"
