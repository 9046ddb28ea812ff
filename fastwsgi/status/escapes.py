"""Strangers' text with escapes for what could be misread: invisible characters, commands to a terminal, other bytes."""

from __future__ import annotations


def escaped(character: str) -> str:
    r"""*character* as Python writes it in ASCII: \x1b, \u202e."""
    return character.encode("unicode_escape").decode("ascii")


def ascii_text(text: object, keeps_lines: bool = False) -> str:
    """*text* with nothing in it that a terminal could take for a command, and nothing of unknown width.

    Args:
        text: may come from anybody.
        keeps_lines: whether line feeds stay as they are.
    """
    # What phrases.py has cut ends in an ellipsis; by its name, it would import unicodedata where this text is compiled
    plain = str(text).replace("\u2026", "...")
    kept = "\n" if keeps_lines else ""
    return "".join(one if " " <= one <= "~" or one in kept else escaped(one) for one in plain)


def printable(text: bytes) -> str:
    r"""*text*, with what is no printable ASCII as \xNN."""
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in text)
