"""One GET that gives JSON: what smart plugs and management controllers speak."""

from __future__ import annotations

import base64
import json
import ssl
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import BaseHandler, HTTPSHandler, ProxyHandler, Request, build_opener

LIMIT_S = 2.0
MOST_BYTES = 1_000_000


def get_json(url: str, login: str = "", *, trust_any: bool = False) -> object:
    """Return what `url` answers; OSError for silence, ValueError for what is no JSON.

    `login`: "user:password"; `trust_any`: accept the self-signed certificate that such devices have.
    """
    request = Request(url, headers={"Accept": "application/json", "Connection": "close"})
    if login:
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode('ascii')}")
    handlers: list[BaseHandler] = [ProxyHandler({})]  # a meter is near: never through a proxy
    if url.startswith("https:"):
        context = ssl.create_default_context()
        if trust_any:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        handlers.append(HTTPSHandler(context=context))
    try:
        with build_opener(*handlers).open(request, timeout=LIMIT_S) as answer:
            content: object = json.loads(answer.read(MOST_BYTES))
    except HTTPError as error:
        error.close()
        raise OSError(f"{url}: {error}") from error
    except (URLError, HTTPException) as error:
        raise OSError(f"{url}: {error}") from error
    return content


def dig(content: object, path: str) -> object:
    """Return what stands at "a.b.0.c" in JSON; ValueError when nothing does."""
    found = content
    for key in path.split("."):
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise ValueError(f"the answer has no {path}")
    return found
