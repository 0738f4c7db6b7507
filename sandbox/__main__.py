"""`python -m sandbox kvid` and `python -m sandbox discord`: a local service in the foreground.

Owns the command line, the exit codes and the one line about a taken port. Each service is imported only
when asked for, and runs until it is told to stop.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import inspect
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from sandbox.kvid.settings import KvidSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

DEFAULT_PORTS = {"kvid": 8787, "discord": 8788}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 told to stop, 1 the port is taken, 2 the command line makes no sense."""
    options = _build_parser().parse_args(arguments)
    # As a script's background job it begins with SIGINT ignored, and Python then leaves it so.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # One way to stop: whatever the service does on Ctrl-C, it also does when it is terminated.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _serve(options)
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sys.stderr.write(f"Port {options.port} is taken; choose another with --port.\n")
        return 1
    return 0


def _interrupt(_number: int, frame: FrameType | None) -> None:
    # Calling the handler, not raising the signal: a signal raised in here would wait for the next event.
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="Local services to develop against."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    kvid = verbs.add_parser("kvid", help="the local image API")
    discord = verbs.add_parser("discord", help="the local Discord, with its web page")
    for name, verb in (("kvid", kvid), ("discord", discord)):
        verb.add_argument("--host", default="127.0.0.1")
        verb.add_argument("--port", type=_parse_port, default=DEFAULT_PORTS[name], help="0 picks a free one")
    defaults = KvidSettings()
    kvid.add_argument(
        "--api-key", action="append", help="accepted key, may be repeated (default: local-kvid-key)"
    )
    kvid.add_argument("--balance", type=int, default=defaults.balance_credits, help="credits on the account")
    kvid.add_argument(
        "--concurrency", type=int, default=defaults.concurrency, help="jobs that render at once"
    )
    kvid.add_argument("--render-s", type=float, default=defaults.render_s, help="seconds one job takes")
    kvid.add_argument("--requests-per-s", type=float, default=0.0, help="request rate limit, 0 for none")
    kvid.add_argument("--base-url", help="address in front of result links (default: the one asked for)")
    kvid.add_argument("--seed", type=int, default=defaults.seed, help="where chance begins")
    kvid.add_argument("--quick-pictures", action="store_true", help="plain gradients, for load tests")
    return parser


def _parse_port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is from 0 to 65535")
    return port


def _serve(options: argparse.Namespace) -> None:
    if options.verb == "kvid":
        try:
            settings = KvidSettings(
                api_keys=frozenset(options.api_key or KvidSettings().api_keys),
                balance_credits=options.balance,
                concurrency=options.concurrency,
                render_s=options.render_s,
                requests_per_s=options.requests_per_s,
                base_url=options.base_url,
                seed=options.seed,
                quick_pictures=options.quick_pictures,
            )
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(2) from None
        service = import_module("sandbox.kvid.server").run(options.host, options.port, settings)
    else:
        service = import_module("sandbox.discord.server").run(options.host, options.port)
    if inspect.iscoroutine(service):
        asyncio.run(service)


if __name__ == "__main__":
    sys.exit(main())
