"""How long is this body? One numbered function for requests and one for responses (RFC 9112 6.3).

The whole surface of request smuggling is here: a length is decided nowhere else. http/HTTP.md, "Request body framing",
lists what is refused.
"""

from __future__ import annotations

from fastwsgi.http.errors import HttpError
from fastwsgi.http.grammar import BY_CHUNKS, BY_CLOSE, BY_LENGTH, LENGTH, MAX_LENGTH, NO_BODY, TOKEN

CHUNKED_BODY = -1  # a request body that marks its own end


class Framing:
    """The rules of body length, with the bound that the server sets.

    Args:
        max_body: the longest request body that is accepted, in bytes; 0 for no bound.
    """

    def __init__(self, max_body: int = 0) -> None:
        self.max_body = max_body or MAX_LENGTH

    def request_length(self, version: int, lengths: list[bytes], codings: list[bytes]) -> int:
        """The bytes of the body that follows a request head; CHUNKED_BODY where the body marks its own end.

        Args:
            version: 10 or 11.
            lengths: the values of all Content-Length fields.
            codings: the values of all Transfer-Encoding fields.

        Raises:
            HttpError: 400 for framing that two parsers could read differently, 501 for a coding we do not know,
                413 for a body over the bound.
        """
        if codings:
            # 1. HTTP/1.0 has no Transfer-Encoding (RFC 9112 6.1).
            if version < 11:
                raise HttpError(400, "Transfer-Encoding in an HTTP/1.0 request")
            # 2. Both fields: the classic smuggling vector (RFC 9112 6.3, point 3).
            if lengths:
                raise HttpError(400, "both Transfer-Encoding and Content-Length")
            # 3. Exactly one "chunked": we decode nothing else.
            names = [name.strip(b" \t").lower() for name in b",".join(codings).split(b",")]
            if names == [b"chunked"]:
                return CHUNKED_BODY
            if b"chunked" in names[:-1] or not all(map(TOKEN.fullmatch, names)):
                raise HttpError(400, "malformed Transfer-Encoding")
            raise HttpError(501, "unknown transfer coding")
        if lengths:
            # 4. One number, the same in each field (RFC 9112 6.3, point 5).
            if len(set(lengths)) > 1 or LENGTH.fullmatch(lengths[0]) is None:
                raise HttpError(400, "malformed Content-Length")
            length = int(lengths[0])
            if length > MAX_LENGTH:
                raise HttpError(400, "Content-Length over 2^63-1")
            if length > self.max_body:
                raise HttpError(413, "body over the limit")
            return length
        # 5. Neither: no body (RFC 9112 6.3, point 7).
        return 0

    def response_body(self, to_head: bool, version: int, code: int, length: int) -> int:
        """How the end of a response body is shown: NO_BODY, BY_LENGTH, BY_CHUNKS or BY_CLOSE.

        Args:
            to_head: whether the request was a HEAD.
            version: the version of the request, 10 or 11.
            code: the status code.
            length: the bytes of the body, -1 when not known.
        """
        # 1. These never carry a body, whatever their fields say (RFC 9112 6.3, point 1; for 205 RFC 9110 15.3.6).
        if to_head or code == 204 or code == 205 or code == 304:
            return NO_BODY
        # 2. Known: set by the application, or counted.
        if length >= 0:
            return BY_LENGTH
        # 3. Not known, and the client understands chunks (RFC 9112 6.1).
        if version >= 11:
            return BY_CHUNKS
        # 4. Not known, HTTP/1.0: the end of the connection is the end of the body (RFC 9112 6.3, point 8).
        return BY_CLOSE

    def bodiless_length(self, code: int, announced: int, known: int) -> int:
        """The Content-Length of a response that has NO_BODY, -1 for no such field.

        Args:
            code: the status code.
            announced: the application's Content-Length, -1 where it has set none.
            known: the bytes that it gave, -1 when not known.
        """
        # 1. It has no such field (RFC 9110 8.6).
        if code == 204:
            return -1
        # 2. A client reads it as any other, so it must say that nothing comes (RFC 9110 15.3.6, RFC 9112 6.3).
        if code == 205:
            return 0
        # 3. To HEAD, and in 304: what GET would say (RFC 9110 8.6); of an empty answer to HEAD that is not known.
        return announced if announced >= 0 or known <= 0 else known
