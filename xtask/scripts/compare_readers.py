#!/usr/bin/env python3
"""Compares `ese export` of a database with what two independent readers find in it, value by value.

    pip install dissect.esedb libesedb-python
    python3 xtask/scripts/compare_readers.py path/to/ese DATABASE [EXPORTED]

* dissect.esedb (https://github.com/fox-it/dissect.esedb): tables, columns, the bytes of every value of every row, the
  depth of every tree, and the key and bookmark of every index entry.
* libesedb (https://github.com/libyal/libesedb), through its Python binding: tables, columns, and the bytes of every value
  of every row.

The export is taken of DATABASE, or of EXPORTED when that is given: with two databases that are not the same, the
comparison has to end with differences. Prints numbers and names, never values. Ends with 0 when nothing differs, with 1
when something does, with 3 when a reader is not installed and nothing differs.
"""

import hashlib
import json
import struct
import subprocess
import sys

# The canonical export gives longer values by their digest.
PRINTED = 256
SHOWN = 10
# A table with a column of this type cannot be read by it.
UNKNOWN_TO_LIBESEDB = "UnsignedLongLong"
COMPRESSED = 0x80000


class Table:
    """A table as the canonical export has it."""

    def __init__(self, name):
        self.name = name
        self.columns = {}
        self.rows = []
        self.entries = {}


def exported(ese, database):
    command = [ese, "export", "--system", "--format", "canonical", database]
    tables, entries = [], []
    for line in subprocess.run(command, check=True, capture_output=True).stdout.splitlines():
        entry = json.loads(line)
        if "table" in entry:
            tables.append(Table(entry["table"]))
        elif "column" in entry:
            tables[-1].columns[entry["column"]] = (entry["id"], entry["type"], entry["grbit"])
        elif "row" in entry:
            tables[-1].rows.append((entry["row"], entry["v"]))
        elif "k" in entry:
            entries.append((entry["k"], entry["b"]))
        elif "index_scan" in entry:
            tables[-1].entries[entry["index_scan"]] = entries
            entries = []
    return tables


def printed(value):
    """A value as the canonical export prints it; null is left out there."""
    if value is None:
        return None
    if isinstance(value, list):
        values = [printed(v) for v in value]
        return values[0] if len(values) == 1 else values
    if len(value) > PRINTED:
        return {"len": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    return value.hex()


class Differences:
    """Counts what was compared, and names the first differences."""

    def __init__(self, reader):
        self.reader = reader
        self.compared = self.differ = self.entries = self.rows = 0

    def differs(self, what):
        self.differ += 1
        if self.differ <= SHOWN:
            print(f"{self.reader}: {what}")

    def value(self, place, expected, found):
        self.compared += 1
        if expected != found:
            self.differs(place)

    def report(self, more=""):
        print(
            f"{self.reader}: {self.rows} rows, {self.compared} values, {self.entries} index entries compared{more}, "
            f"{self.differ} differ"
        )
        return self.differ


def compare_dissect(database, tables):
    from types import SimpleNamespace

    from dissect.esedb import EseDB
    from dissect.esedb.btree import BTree
    from dissect.esedb.compression import decompress
    from dissect.esedb.exceptions import NoNeighbourPageError
    from dissect.esedb.table import Table as DissectTable

    def long_value(table, key):
        """Its own goes astray in values of more than two pieces: it takes the third for compressed."""
        wanted = key[::-1]
        tree = BTree(table.esedb, table.lv_page)
        size = struct.unpack("<2I", tree.search(wanted).data)[1]
        pieces = []
        while True:
            try:
                node = tree.next()
            except NoNeighbourPageError:
                break
            if not bytes(node.key).startswith(wanted):
                break
            pieces.append((struct.unpack(">I", node.key[-4:])[0], bytes(node.data)))
        value = b""
        for place, (offset, piece) in enumerate(pieces):
            end = pieces[place + 1][0] if place + 1 < len(pieces) else size
            value += piece if len(piece) == end - offset else decompress(piece)
        return value

    DissectTable.get_long_value = long_value

    def leaves(page, deepest, depth=1):
        deepest[0] = max(deepest[0], depth)
        for node in page.nodes():
            if not page.is_leaf:
                yield from leaves(page.esedb.page(node.child), deepest, depth + 1)
            # Nodes marked deleted wait to be cleaned up.
            elif not int(node.tag.flags) & 2:
                yield node

    def raw_value(record, column):
        """The stored bytes: taken apart and uncompressed, not made into numbers or text."""
        data = record._data
        bare = SimpleNamespace(ctype=SimpleNamespace(parse=None), is_text=False)
        field = None
        if column.is_fixed:
            value = data._get_fixed(column)
        elif column.is_variable:
            value = data._get_variable(column)
        else:
            field, value = data._get_tagged(column)
        if value is None:
            return None
        value = data._parse_value(bare, value, field)
        return [bytes(v) for v in value] if isinstance(value, list) else bytes(value)

    from dissect.esedb.record import Record

    result = Differences("dissect.esedb")
    depth = [0]
    with open(database, "rb") as file:
        found = {table.name: table for table in EseDB(file).tables()}
        if sorted(found) != sorted(table.name for table in tables):
            result.differs("other tables")
        for mine in tables:
            table = found.get(mine.name)
            if table is None:
                continue
            columns = {c.name: c for c in table.columns if int(c.type.value)}
            if sorted(columns) != sorted(mine.columns):
                result.differs(f"{mine.name}: other columns")
            nodes = list(leaves(table.root, depth))
            if len(nodes) != len(mine.rows):
                result.differs(f"{mine.name}: {len(nodes)} rows there, {len(mine.rows)} here")
            for node, (key, row) in zip(nodes, mine.rows):
                result.rows += 1
                result.value(f"{mine.name}: key of row {result.rows}", bytes(node.key).hex(), key)
                record = Record(table, node)
                for name, column in columns.items():
                    value = printed(raw_value(record, column))
                    result.value(f"{mine.name}.{name} of row {result.rows}", value, row.get(name))
            for index in table.indexes:
                wanted = mine.entries.get(index.name)
                if wanted is None:
                    result.differs(f"{mine.name}: no index {index.name} here")
                    continue
                nodes = [
                    (bytes(n.key).hex(), bytes(n.key if index.is_primary else n.data).hex())
                    for n in leaves(index.root, depth)
                ]
                result.entries += len(nodes)
                if nodes != wanted:
                    result.differs(f"{mine.name}: entries of index {index.name}")
    return result.report(f", trees of {depth[0]} levels")


def several(blob, flags):
    """The values of a column that has several, and whether each lies apart: libesedb gives them in one."""
    if flags & 0x10:
        first = blob[0]
        values = [(blob[1 : 1 + first], False), (blob[1 + first :], False)]
    else:
        count = (struct.unpack_from("<H", blob)[0] & 0x7FFF) // 2
        offsets = list(struct.unpack_from(f"<{count}H", blob))
        ends = [o & 0x7FFF for o in offsets[1:]] + [len(blob)]
        values = [(blob[o & 0x7FFF : end], bool(o & 0x8000)) for o, end in zip(offsets, ends)]
    return values


def compare_libesedb(database, tables):
    import pyesedb

    result = Differences("libesedb")
    rows = unread = defaults = nulls = 0
    catalog = next(table for table in tables if table.name == "MSysObjects")
    given = {row["DefaultValue"] for _, row in catalog.rows if "DefaultValue" in row}
    file = pyesedb.file()
    file.open(database)
    found = {table.name: table for table in file.tables}
    if sorted(found) != sorted(table.name for table in tables):
        result.differs("other tables")
    for mine in tables:
        table = found.get(mine.name)
        if table is None:
            continue
        if table.number_of_records != len(mine.rows):
            result.differs(f"{mine.name}: {table.number_of_records} rows there, {len(mine.rows)} here")
        if any(kind == UNKNOWN_TO_LIBESEDB for _, kind, _ in mine.columns.values()):
            rows += len(mine.rows)
            continue
        for number, (_, row) in enumerate(mine.rows[: table.number_of_records]):
            result.rows += 1
            record = table.get_record(number)
            for place in range(record.number_of_values):
                name = record.get_column_name(place)
                if name not in mine.columns:
                    continue
                flags = record.get_value_data_flags(place)
                where = f"{mine.name}.{name} of row {number}"
                wanted = row.get(name)
                column, _, bits = mine.columns[name]
                try:
                    if record.is_long_value(place):
                        value = record.get_value_data_as_long_value(place).get_data()
                    else:
                        value = record.get_value_data(place)
                except OSError:
                    if not bits & COMPRESSED:
                        raise
                    value = None
                if wanted == "" and value is None:
                    value = b""
                if bits & COMPRESSED and not record.is_multi_value(place) and printed(value) != wanted:
                    # It goes astray in some compressed values, those that the original engine wrote among them.
                    unread += 1
                    continue
                if value is None and wanted is not None and wanted in given:
                    # It reads what is stored: a default value is not.
                    defaults += 1
                    continue
                if value is not None and wanted is None and column < 128:
                    # It does not look at the bits that say which fixed columns are null.
                    nulls += 1
                    continue
                if value is not None and record.is_multi_value(place):
                    parts = several(value, flags)
                    if not isinstance(wanted, list) or len(wanted) != len(parts):
                        result.value(where, 0, 1)
                        continue
                    for part, (bytes_there, apart) in zip(wanted, parts):
                        # The binding has no way to the values that lie apart, nor to a first value that is compressed.
                        if apart or (flags & 2 and part is wanted[0]):
                            unread += 1
                        else:
                            result.value(where, printed(bytes_there), part)
                    continue
                result.value(where, printed(value), wanted)
    file.close()
    return result.report(
        f" ({rows} rows and {unread} values out of its reach, {defaults} defaults that it leaves out, "
        f"{nulls} nulls of fixed columns that it does not see)"
    )


def main():
    ese, database = sys.argv[1:3]
    tables = exported(ese, sys.argv[3] if len(sys.argv) > 3 else database)
    different, absent = 0, False
    for name, compare in [("dissect.esedb", compare_dissect), ("libesedb-python", compare_libesedb)]:
        try:
            different += compare(database, tables)
        except ImportError as error:
            absent = True
            print(f"NOT COMPARED: {name} is not installed ({error})")
    sys.exit(1 if different else 3 if absent else 0)


if __name__ == "__main__":
    main()
