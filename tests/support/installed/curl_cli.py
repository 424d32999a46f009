"""A stand-in for curl, as much of it as the documents use. Unlike curl it fails (22) on an answer of 400 or more."""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request


def main() -> int:
    arguments = argparse.ArgumentParser(prog="curl")
    arguments.add_argument("url")
    arguments.add_argument("-X", dest="method")
    arguments.add_argument("-H", dest="headers", action="append", default=[])
    arguments.add_argument("-d", dest="body")
    given = arguments.parse_args()
    request = urllib.request.Request(
        given.url if "://" in given.url else f"http://{given.url}",
        method=given.method or ("POST" if given.body is not None else "GET"),
        data=given.body.encode() if given.body is not None else None,
        headers=dict(header.split(": ", 1) for header in given.headers),
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            print(answer.read().decode())
            return 0
    except urllib.error.HTTPError as error:
        print(error.read().decode())
        return 22


if __name__ == "__main__":
    sys.exit(main())
