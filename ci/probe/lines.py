"""The lines of the book that the server is held to, by section: each has at least one probe.

A key is what rules and probes give as their line, the text what the line says in short.
"""

from __future__ import annotations

SECTIONS: dict[str, dict[str, str]] = {
    "Request head": {
        "line ends": "CRLF ends a line; CR or LF alone, NUL and other controls",
        "empty lines": "empty lines before the request line",
        "request line": "method SP target SP HTTP/1.x, and nothing else",
        "version": "other versions",
        "method": "methods: tokens, known and unknown",
        "target": "what a target may hold",
        "target form": "asterisk-form, authority-form, relative form",
        "absolute-form": "http://host/path",
        "Host": "one, and a right one",
        "field syntax": "folding, white space, names, values",
        "underscores": "names with an underscore",
        "repeated fields": "the same field twice",
        "request line too long": "8,000 bytes and more",
        "head too large": "large fields, many fields, a large head",
        "Expect": "other expectations",
        "Upgrade": "offers to speak something else",
        "in pieces": "a request that arrives byte by byte",
        "refusals": "what a refusal looks like",
    },
    "Request body framing": {
        "TE in HTTP/1.0": "Transfer-Encoding in HTTP/1.0",
        "TE and CL": "Transfer-Encoding and Content-Length together",
        "TE": "Transfer-Encoding that is not one chunked",
        "CL": "Content-Length",
        "neither": "neither of them",
        "body limit": "bodies over the limit",
        "whole bodies": "bodies that are not whole",
        "chunks": "sizes and data of chunks",
        "extensions": "chunk extensions",
        "trailers": "the trailer section",
        "100-continue": "Expect: 100-continue",
    },
    "environ": {
        "environ keys": "what environ has",
        "environ path": "PATH_INFO and QUERY_STRING",
        "environ fresh": "a dict of its own for each request",
        "wsgi.input": "reading the body",
    },
    "Response": {
        "start_response": "start_response, write() and exc_info",
        "header checks": "statuses and fields that must not go out",
        "Date, Server": "fields that are added",
        "length": "how a body ends",
        "too long": "more than was announced",
        "no body": "HEAD, 204, 205, 304",
        "streams": "each piece at once",
        "close()": "once, always",
        "failed before the head": "errors before anything is out",
        "failed midway": "errors after that, and too little",
        "own exceptions": "SystemExit and its like",
    },
    "Connection": {
        "keep-alive": "which connections are kept",
        "pipelining": "several requests at once",
        "half-close": "clients that close their side",
    },
    "Files": {
        "file paths": "what leads out of the folder",
        "file methods": "HEAD, and those that are refused",
        "file conditions": "which state of a file is sent",
        "file ranges": "which part of it",
        "file codings": "compressed files beside it",
    },
    "Clients": {
        "clients": "what curl and others do every day",
    },
    "Time": {
        "time": "when a client that does nothing, or too little, is let go",
    },
}

LINES = {line: section for section, lines in SECTIONS.items() for line in lines}
