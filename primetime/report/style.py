"""The report's style sheet: light and dark, screen and paper. Its hash stands in the page's security policy."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --ink: #16202c; --soft: #5a6776; --faint: #98a3b0; --line: #dfe4ea;
  --band: #2f7d5d1f; --good: #1a7f4e; --good-bg: #e2f4ea; --bad: #b3362b; --bad-bg: #fbe7e4; --same: #22658f;
  --same-bg: #e3f0f8; --open: #8a5a00; --open-bg: #fdf1d7; --none: #5a6776; --none-bg: #edf0f3;
  --c0: #5a6776; --c1: #0b6fb8; --c2: #d1550a; --c3: #0a8f6c; --c4: #b34f92; --c5: #b58900;
  --c6: #4a9fd0; --c7: #7a52b3; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #0f141a; --card: #181f27; --ink: #e6ebf1; --soft: #a0acba; --faint: #6d7986; --line: #2a343f;
  --band: #4fbf8f26; --good: #6fd6a4; --good-bg: #163527; --bad: #ff9c8f; --bad-bg: #43201c; --same: #85c6ee;
  --same-bg: #16303f; --open: #f0c05c; --open-bg: #3b2f12; --none: #a0acba; --none-bg: #232c36;
  --c0: #a0acba; --c1: #56a8e8; --c2: #ff8f4a; --c3: #3ccba2; --c4: #e28cc4; --c5: #e0b93c;
  --c6: #8fd0f5; --c7: #b391ea; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 36px 20px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 44px 0 10px; }
h3 { font-size: 16px; margin: 0; }
p { margin: 6px 0; }
.lead { color: var(--soft); margin: 0 0 14px; }
.badges { display: flex; flex-wrap: wrap; gap: 6px; margin: 12px 0 0; }
.badge { border: 1px solid var(--line); border-radius: 999px; padding: 2px 11px; font-size: 13px; color: var(--soft);
  background: var(--card); }
.badge.loud { color: var(--open); background: var(--open-bg); border-color: transparent; font-weight: 600; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; margin: 14px 0;
  overflow-wrap: anywhere; }
.scroll { overflow-x: auto; overflow-wrap: normal; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; font-size: 13px; color: var(--soft); padding: 6px 10px;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
td { text-align: right; padding: 7px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child, .left { text-align: left; }
td.wrap { white-space: normal; overflow-wrap: anywhere; text-align: left; }
.matrix td { text-align: center; vertical-align: top; padding: 10px; }
.matrix th { text-align: center; white-space: normal; }
.matrix td:first-child, .matrix th:first-child { text-align: left; font-weight: 600; }
.matrix .big { font-size: 19px; font-weight: 600; display: block; line-height: 1.3; }
.matrix .mute { color: var(--faint); font-weight: 400; }
.chip { display: inline-block; border-radius: 999px; padding: 1px 9px; font-size: 12.5px; font-weight: 600;
  white-space: nowrap; }
.good { color: var(--good); background: var(--good-bg); } .bad { color: var(--bad); background: var(--bad-bg); }
.same { color: var(--same); background: var(--same-bg); } .open { color: var(--open); background: var(--open-bg); }
.none { color: var(--none); background: var(--none-bg); font-weight: 500; }
.sub { color: var(--soft); font-size: 13.5px; margin: 2px 0 10px; }
.chart { display: block; width: 100%; min-width: 760px; height: auto; margin: 6px 0 8px; }
.chart text { font-size: 12px; fill: var(--soft); }
.chart .head { fill: var(--faint); font-size: 11.5px; }
.chart .label { text-anchor: end; fill: var(--ink); font-size: 13px; font-weight: 600; }
.chart .tick { text-anchor: middle; }
.grid, .lane { stroke: var(--line); stroke-width: 1; } .grid { stroke-dasharray: 2 4; }
.one { stroke: var(--soft); stroke-width: 1.4; } .band { fill: var(--band); }
.dot { fill-opacity: 0.72; } .mean { stroke-width: 2; stroke-opacity: 0.85; } .whisker { stroke-width: 2; }
.ratio { stroke-width: 2; }
circle.c0 { fill: var(--c0); stroke: var(--c0); } line.c0 { stroke: var(--c0); }
circle.c1 { fill: var(--c1); stroke: var(--c1); } line.c1 { stroke: var(--c1); }
circle.c2 { fill: var(--c2); stroke: var(--c2); } line.c2 { stroke: var(--c2); }
circle.c3 { fill: var(--c3); stroke: var(--c3); } line.c3 { stroke: var(--c3); }
circle.c4 { fill: var(--c4); stroke: var(--c4); } line.c4 { stroke: var(--c4); }
circle.c5 { fill: var(--c5); stroke: var(--c5); } line.c5 { stroke: var(--c5); }
circle.c6 { fill: var(--c6); stroke: var(--c6); } line.c6 { stroke: var(--c6); }
circle.c7 { fill: var(--c7); stroke: var(--c7); } line.c7 { stroke: var(--c7); }
circle.dot { stroke: none; } circle.hollow { fill: var(--card); }
ul { margin: 8px 0; padding-left: 20px; } li { margin: 5px 0; }
ul.plain { list-style: none; padding: 0; } ul.plain li { margin: 8px 0; }
details { margin: 10px 0 0; } summary { cursor: pointer; color: var(--soft); font-size: 14px; }
summary:hover { color: var(--ink); }
pre { overflow-x: auto; background: var(--ground); border: 1px solid var(--line); border-radius: 8px; padding: 12px;
  font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
footer { color: var(--faint); font-size: 13px; margin-top: 44px; }
.next { margin-top: 96px; }
@media print { body { background: #fff; } .card { break-inside: avoid; } main { max-width: none; padding: 0; } }
"""


def policy() -> str:
    """Return the page's Content-Security-Policy: nothing is loaded, no script runs, only our own style applies."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
