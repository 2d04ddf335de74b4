#!/usr/bin/env python3
"""Compares `ese export --system` of a database with what two independent readers find in it.

    pip install dissect.esedb          # https://github.com/fox-it/dissect.esedb
    apt-get install libesedb-utils     # esedbexport, https://github.com/libyal/libesedb
    python3 xtask/scripts/compare_readers.py path/to/ese DATABASE

Every table, every row, every column: with dissect.esedb by value, with esedbexport by number of rows and by the
values of its integer columns. Prints numbers only, and ends with 1 when something differs.
"""

import csv
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path


def ours(ese, database):
    """Rows of each table, in the order of its primary index."""
    command = [ese, "export", "--system", "--format", "jsonl", database]
    rows = {}
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in output.split("\n"):
        if not line:
            continue
        entry = json.loads(line)
        rows.setdefault(entry["table"], []).append(entry["row"])
    return rows


def canonical(value):
    """One form for a value of either reader: text, whole number, or hexadecimal bytes."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        # One prints the shortest number of a single, the other the double that it is.
        return struct.pack("<f", value).hex()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, list):
        return [canonical(v) for v in value]
    if isinstance(value, str):
        return value.rstrip("\0")
    return value


def compare_dissect(database, rows):
    from dissect.esedb import EseDB

    different = compared = 0
    with open(database, "rb") as file:
        for table in EseDB(file).tables():
            mine = rows.get(table.name, [])
            # It delivers rows that are marked deleted too; the engine does not.
            theirs = [r for r in table.records() if not int(r._node.tag.flags) & 2]
            if len(mine) != len(theirs):
                print(f"{table.name}: {len(mine)} rows here, {len(theirs)} in dissect.esedb")
                different += 1
            for ours_row, record in zip(mine, theirs):
                for column in table.columns:
                    expected = canonical(record.get(column.name))
                    found = canonical(ours_row.get(column.name))
                    compared += 1
                    if expected != found and not (expected in (None, "", []) and found in (None, "", [])):
                        different += 1
                        print(f"{table.name}.{column.name}: {type(found).__name__} here, {type(expected).__name__} there")
    print(f"dissect.esedb: {compared} values compared, {different} differ")
    return different


def compare_libesedb(database, rows):
    different = compared = 0
    with tempfile.TemporaryDirectory() as work:
        target = Path(work) / "x"
        subprocess.run(["esedbexport", "-t", str(target), database], check=True, capture_output=True)
        for path in sorted(Path(f"{target}.export").iterdir()):
            name = path.name.rsplit(".", 1)[0]
            with open(path, newline="", encoding="utf-8", errors="replace") as file:
                lines = [line for line in csv.reader(file, delimiter="\t") if line]
            header, theirs = lines[0], lines[1:]
            mine = rows.get(name, [])
            if len(mine) != len(theirs):
                print(f"{name}: {len(mine)} rows here, {len(theirs)} in esedbexport")
                different += 1
            for ours_row, line in zip(mine, theirs):
                for column, value in zip(header, line):
                    found = ours_row.get(column)
                    if isinstance(found, int) and not isinstance(found, bool):
                        compared += 1
                        if value != str(found):
                            different += 1
                            print(f"{name}.{column} differs from esedbexport")
    print(f"esedbexport: {compared} whole numbers compared, {different} differ")
    return different


def main():
    ese, database = sys.argv[1:3]
    rows = ours(ese, database)
    different = 0
    try:
        different += compare_dissect(database, rows)
    except ImportError:
        print("NOT COMPARED: dissect.esedb is not installed")
    if shutil.which("esedbexport"):
        different += compare_libesedb(database, rows)
    else:
        print("NOT COMPARED: esedbexport is not installed")
    print(f"{sum(map(len, rows.values()))} rows in {len(rows)} tables with rows")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
