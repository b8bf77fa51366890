"""What it means: pure functions of a campaign file."""

from __future__ import annotations

from primetime.analysis.result import Analysis, analyse

__all__ = ["Analysis", "analyse"]
