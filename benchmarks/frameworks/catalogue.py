"""What the pages show: a list of things, as a database would give it."""

from __future__ import annotations

ITEMS = [{"number": number, "name": f"Thing & part {number}", "price": number * 1.25, "left": number % 3}
         for number in range(1, 33)]
