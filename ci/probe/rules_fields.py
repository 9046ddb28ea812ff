"""Request head: Host, the fields, their number and size (RFC 9110 5, 7.2, 10.1.1, RFC 9112 3.2, 5)."""

from __future__ import annotations

from .judge import no_raw, not_split
from .rules import CHOICE, LENIENT, MUST, SHOULD, SMUGGLING, WRONG, Rule, of
from .session import Record


def unfolded(records: list[Record]) -> str:
    """A folded line is part of the value before it, and nothing else."""
    if any(record["environ"].get("HTTP_X") == "a" and record["environ"].get("CONTENT_LENGTH") for record in records):
        return SMUGGLING
    verdict: str = no_raw("\r\n", WRONG)(records)
    return verdict


RULES = [
    Rule("Host", MUST, "RFC 9112 3.2", LENIENT,
         "HTTP/1.1 without Host is refused with 400",
         of("host", "None in HTTP/1.1", "None in HTTP/1.1, other fields there") + of("fields", "Host_ is not Host")),
    Rule("Host", MUST, "RFC 9112 3.2", LENIENT,
         "More than one Host is refused with 400",
         of("host", "Two different ones", "Two equal ones", "Two in different spelling, far apart", "Two in HTTP/1.0",
            "The second one empty")),
    Rule("Host", MUST, "RFC 9112 3.2", LENIENT,
         "A Host that is not uri-host [\":\" port] is refused with 400",
         of("host", "Userinfo", "A path", "A slash behind it", "A scheme before it", "A list", "A space inside",
            "A tab inside", "A query", "A fragment", "A backslash", "Letters for a port", "A sign before the port",
            "Two ports", "A byte above 0x7F", "A NUL", "An angle bracket", "A quotation mark", "A bad escape",
            "An IPv6 address without brackets", "A bracket that is not closed", "Empty brackets",
            "A name in brackets", "An IPv6 address that is too short", "Something behind the brackets")),
    Rule("Host", CHOICE, "RFC 3986 3.2.2", LENIENT,
         "What the grammar allows and nobody sends",
         of("host", "An empty one", "Nothing but blanks", "An empty one in HTTP/1.0", "Nothing but a port", "A comma",
            "A port of six digits")),
    Rule("Host", MUST, "RFC 9110 7.2", WRONG,
         "A right Host reaches the application as it is",
         of("host", "A name", "A name and a port", "A name and an empty port", "An IPv6 address and a port",
            "A name with an underscore", "Case is kept", "Blanks around it are no part of it", "No blank before it",
            "One in HTTP/1.0")),
    Rule("field syntax", MUST, "RFC 9112 5.2", SMUGGLING,
         "A folded line: refused, or joined by spaces",
         of("fields", "A field on two lines", "A field on two lines, by a tab",
            "A folded line that looks like a field", "A folded line of nothing but blanks",
            "A blank line that is not empty",
            "A value that begins on the next line", "A folded Content-Length", "A folded Transfer-Encoding",
            "A folded Host"),
         leaves="served", unless=unfolded),
    Rule("field syntax", MUST, "RFC 9112 2.2", SMUGGLING,
         "White space before the first field: refused, or the line is passed over",
         of("fields", "White space before the first field", "A tab before the first field"),
         leaves="served", unless=not_split("HTTP_HOST", "HTTP_ HOST", "HTTP_\tHOST")),
    Rule("field syntax", MUST, "RFC 9112 2.2", SMUGGLING,
         "The same, with a Host behind that line",
         of("fields", "White space before the first field, a good Host behind"),
         leaves="served", unless=not_split("HTTP_X", "HTTP_ X")),
    Rule("field syntax", MUST, "RFC 9112 5.1", SMUGGLING,
         "White space before the colon is refused with 400",
         of("fields", "A space before the colon", "A tab before the colon",
            "A space before the colon of a Content-Length", "A space before the colon of a Transfer-Encoding")
         + of("framing", "A space before the colon")),
    Rule("field syntax", SHOULD, "RFC 9112 2.2", LENIENT,
         "A line that is no field is refused",
         of("fields", "A line without a colon", "A first line without a colon", "An empty name",
            "An empty name at first", "Nothing but a colon", "A space inside a name")),
    Rule("field syntax", SHOULD, "RFC 9110 5.1", LENIENT,
         "A name that is no token is refused",
         of("fields", "NUL in a name", "A name with a slash", "A name with an @", "A name with brackets",
            "A name with a parenthesis", "A name with a quotation mark", "A name with a comma",
            "A name with a byte above 0x7F", "A name with a control", "A name with DEL")
         + of("framing", "A name with a NUL behind")),
    Rule("field syntax", MUST, "RFC 9110 5.5", WRONG,
         "Blanks around a value are no part of it; those inside, colons and bytes above 0x7F are",
         of("fields", "A field", "Blanks around a value are no part of it", "Blanks inside a value are kept",
            "Colons in a value", "Bytes above 0x7F in a value are latin-1", "Names in any case")),
    Rule("field syntax", MUST, "RFC 9110 5.6.2", WRONG,
         "A name may have every character of a token",
         of("fields", "Every character a name may have")),
    Rule("underscores", CHOICE, "PEP 3333 leaves it open", LENIENT,
         "A name with an underscore, which environ cannot tell from a hyphen",
         of("fields", "A name with an underscore is dropped", "It does not collide with its sister",
            "... nor if it comes first", "One underscore and one hyphen",
            "An underscore in Content_Type is dropped too",
            "Names that differ from weighty ones by an underscore are dropped", "Content_Type beside Content-Type")),
    Rule("underscores", CHOICE, "PEP 3333 leaves it open", SMUGGLING,
         "Content_Length and Transfer_Encoding",
         of("fields", "Content_Length", "content_length, beside the real one", "Transfer_Encoding",
            "transfer_encoding, beside the real one", "Transfer_Encoding beside a length")),
    Rule("underscores", MUST, "PEP 3333 environ Variables", WRONG,
         "Fields that sound like environ keys are only fields",
         of("fields", "Fields that sound like environ keys are only fields")),
    Rule("repeated fields", MUST, "RFC 9110 5.3, RFC 3875 4.1.18", WRONG,
         "The values of a field that is there several times are joined in order",
         of("fields", "The same field twice", "The same field three times, in other spellings and among others")),
    Rule("repeated fields", CHOICE, "RFC 6265 5.4", WRONG,
         "Cookies are joined by semicolons",
         of("fields", "Two Cookies")),
    Rule("repeated fields", CHOICE, "RFC 9110 8.3", LENIENT,
         "Content-Type twice",
         of("fields", "Two different Content-Types", "Two Content-Types, the first empty")),
    Rule("head too large", CHOICE, "RFC 9110 5.4, RFC 6585 5", LENIENT,
         "Large fields, many fields, a large head: taken, or refused with 431",
         of("limits", "A field of 8,190 bytes", "A field of 8,191 bytes", "A long cookie of 100 kB", "100 fields",
            "101 fields", "5,000 fields", "A head of 64 KiB", "A head far over 64 KiB",
            "A head over 64 KiB that never ends", "A field that never ends"),
         leaves="silent"),
    Rule("Expect", CHOICE, "RFC 9110 10.1.1", LENIENT,
         "An expectation other than 100-continue may be refused with 417",
         of("expect", "Another expectation", "Another expectation without a body", "An empty expectation",
            "Two expectations", "A parameter", "Something like it")),
    Rule("Upgrade", MUST, "RFC 9110 7.8", WRONG,
         "Upgrade may be ignored; the request is served in any case",
         of("fields", "Upgrade is ignored", "Upgrade to HTTP/2 is ignored", "Upgrade with a body: the body is one",
            "Upgrade with a chunked body")),
]


