"""Puts a bill of materials into a wheel: `python ci/sbom.py WHEEL...`; one that has it is left as it is.

It is `.dist-info/sboms/fastwsgi-server.cdx.json` (PEP 770), in CycloneDX's form, and says what is in the wheel besides
our own code: only the runtime parts that Cython writes into the C that it generates, in the version that the compiled
file names. httptools is installed beside it, and has a bill of its own to give. auditwheel would add another one if it
copied a library into the wheel, and has none to copy. The same wheel gets the same bytes. Only the standard library is
needed, on any Python that builds wheels.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

CYTHON = re.compile(rb"_cython_(\d+)_(\d+)_(\d+\w*)")  # the module in which extensions share Cython's types


def bill(name: str, version: str, license: str, cython: str) -> dict[str, object]:
    """The document, without a time or a serial number, which would differ in each build."""
    own = f"pkg:pypi/{name}@{version}"
    generator = f"pkg:pypi/cython@{cython}"
    parts = [{"type": "library", "bom-ref": generator, "name": "Cython", "version": cython, "purl": generator}]
    parts[0]["licenses"] = [{"license": {"id": "Apache-2.0"}}]
    parts[0]["description"] = "runtime parts of the generated C"
    subject = {"type": "library", "bom-ref": own, "name": name, "version": version, "purl": own}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**subject, "licenses": [{"license": {"id": license}}]}},
        "components": parts if cython else [],
        "dependencies": [{"ref": own, "dependsOn": [generator] if cython else []}],
    }


def cython_of(archive: zipfile.ZipFile) -> str:
    """The version of Cython that made the compiled file; "" for a pure wheel."""
    compiled = [name for name in archive.namelist() if name.endswith(".so")]
    found = {match.groups() for name in compiled for match in CYTHON.finditer(archive.read(name))}
    if len(found) != (1 if compiled else 0):
        raise SystemExit(f"{compiled} names {len(found)} versions of Cython")
    return b".".join(found.pop()).decode() if found else ""


def add(wheel: Path) -> None:
    """Put the bill into *wheel*, and into its RECORD."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [(entry, archive.read(entry)) for entry in archive.infolist()]
        cython = cython_of(archive)
    folder = next(entry.filename for entry, _ in entries if entry.filename.endswith("/METADATA")).rpartition("/")[0]
    contents = {entry.filename: data for entry, data in entries}
    about = Parser().parsestr(contents[f"{folder}/METADATA"].decode())
    path = f"{folder}/sboms/{about['Name']}.cdx.json"
    if path in contents:
        return
    text = json.dumps(bill(about["Name"], about["Version"], about["License-Expression"], cython), indent=1) + "\n"
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    record = f"{path},sha256={digest},{len(text.encode())}\n{contents[f'{folder}/RECORD'].decode()}"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in entries:
            if entry.filename == f"{folder}/RECORD":
                added = zipfile.ZipInfo(path, entry.date_time)
                added.external_attr, added.compress_type = entry.external_attr, zipfile.ZIP_DEFLATED
                archive.writestr(added, text)
                data = record.encode()
            archive.writestr(entry, data)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        add(Path(argument))
