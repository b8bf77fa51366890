"""The command line: one short file per verb, imported when it is called. Only this room exits."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from primetime import __version__
from primetime.errors import Interrupted, PrimetimeError, UserError

VERBS = {
    "setup": "install what measuring needs and build the images",
    "doctor": "say what this device can run, what it cannot, why, and what mends it",
    "init": "write a commented study file to start from",
    "plan": "show blocks, order, duration and gigabytes before anything runs",
    "run": "carry a study out on this device",
    "resume": "go on with a campaign that was stopped or killed",
    "watch": "follow a running campaign",
    "report": "say what campaigns found: table, HTML, JSON",
    "check": "say which rules of the contract a campaign breaks",
    "compare": "set two campaigns side by side: before and after, or device by device",
    "export": "write a campaign's views as CSV, JSON or Parquet",
    "peer": "be the far machine that others measure against",
    "import": "make a campaign of somebody else's raw fio, netperf or iperf3 outputs",
    "clean": "undo what a killed run left on this device",
    "bundle": "write the one-file primetime.pyz",
    "tools": "list, install or verify Firecracker, cloud-hypervisor and Kata",
    "fleet": "carry a study out on many devices over ssh",
    "lab": "emulate a board with KVM inside: up, down, list, ssh, kill",
}
UNLISTED = {"board": "what primetime fleet asks of a board"}  # for programs of ours
MODULES = {"import": "import_"}  # a verb that is a word of Python's
DONE, FAILED, USER_MISTAKE, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """argparse whose mistakes look like ours."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UserError(message, f"{self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that knows no "×" still gets its table
            stream.reconfigure(errors="replace")
    try:
        try:
            return told(arguments)
        finally:
            if sys.stdout is not None:  # None: closed by who called us
                sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output went away (head, less)
        forget_output()
        return DONE
    except OSError as error:
        if not output_fails():
            raise
        forget_output()
        complain(f"its output cannot be written: {(error.strerror or str(error)).lower()}", "send it to another place")
        return USER_MISTAKE


def told(arguments: list[str]) -> int:
    """Run one verb and tell what ended it early; return the exit code."""
    try:
        return dispatch(arguments)
    except UserError as error:
        complain(error.message, error.hint)
        return USER_MISTAKE
    except (Interrupted, KeyboardInterrupt) as error:
        words = f": {error}" if str(error) else ""
        complain(f"interrupted{words}", error.hint if isinstance(error, Interrupted) else "")
        return INTERRUPTED
    except PrimetimeError as error:
        complain(error.message)
        return FAILED


def complain(message: str, hint: str = "") -> None:
    """One sentence on stderr, and what to type."""
    print(f"primetime: {message}", file=sys.stderr)
    if hint:
        print(f"  hint: {hint}", file=sys.stderr)


def output_fails() -> bool:
    """Whether stdout is what fails: then an empty line fails as well, and before a traceback it does no harm."""
    try:
        print(flush=True)
    except OSError:
        return True
    return False


def forget_output() -> None:
    """Send what still waits for stdout nowhere, or Python would complain of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def dispatch(arguments: list[str]) -> int:
    """Find the verb and let it act."""
    parser = Parser(prog="primetime", description=main_description(), formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--version", action="version", version=f"primetime {__version__}")
    parser.add_argument("verb", choices=[*VERBS, *UNLISTED], metavar="VERB", help="see above")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    if not arguments:
        parser.print_help()
        return USER_MISTAKE
    verb = parser.parse_args(arguments[:1]).verb
    module = import_module(f"primetime.cli.{MODULES.get(verb, verb)}")
    of_verb = Parser(prog=f"primetime {verb}", description=sentence({**VERBS, **UNLISTED}[verb]))
    module.configure(of_verb)
    code: int = module.execute(parsed(of_verb, arguments[1:]))
    return code


def parsed(parser: Parser, arguments: list[str]) -> argparse.Namespace:
    """Parse, with a FLEET or FILE that may be left out also behind options, which argparse alone does not take.

    A verb with verbs of its own has no such form: argparse says so by TypeError.
    """
    try:
        return parser.parse_intermixed_args(arguments)
    except TypeError:
        return parser.parse_args(arguments)


def sentence(words: str) -> str:
    """Words as a sentence."""
    return f"{words[0].upper()}{words[1:]}."


def main_description() -> str:
    """All verbs, a line each."""
    lines = [f"  {verb:<8} {what}" for verb, what in VERBS.items()]
    return "Measure the same I/O work in several environments on one device.\n\n" + "\n".join(lines)
