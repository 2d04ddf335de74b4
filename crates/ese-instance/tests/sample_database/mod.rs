//! A database with every type of column and every kind of index that needs no sorting tables, and values that follow
//! from the number of the row.

use std::path::Path;

use ese_format::ColumnKind as Kind;
use ese_instance::{
    BuilderError, ColumnSpec, DatabaseBuilder, DatabaseOptions, IndexSpec, Row, TableSpec, TupleLimits, Value,
};
use ese_io::Storage;

/// Every type in a fixed, a variable or a tagged column.
pub(crate) fn types_table() -> TableSpec {
    let tuples = TupleLimits { min: 3, max: 6, most: 20, increment: 2, start: 0 };
    TableSpec::new("Types")
        .column(ColumnSpec::fixed("Id", Kind::LONG).auto_increment())
        .column(ColumnSpec::fixed("Bit", Kind::BIT))
        .column(ColumnSpec::fixed("Byte", Kind::UNSIGNED_BYTE).default_value(Value::UnsignedByte(7)))
        .column(ColumnSpec::fixed("Short", Kind::SHORT))
        .column(ColumnSpec::fixed("UShort", Kind::UNSIGNED_SHORT))
        .column(ColumnSpec::fixed("Long", Kind::LONG).not_null())
        .column(ColumnSpec::fixed("ULong", Kind::UNSIGNED_LONG))
        .column(ColumnSpec::fixed("Currency", Kind::CURRENCY))
        .column(ColumnSpec::fixed("LongLong", Kind::LONG_LONG))
        .column(ColumnSpec::fixed("Single", Kind::IEEE_SINGLE))
        .column(ColumnSpec::fixed("Double", Kind::IEEE_DOUBLE))
        .column(ColumnSpec::fixed("Date", Kind::DATE_TIME))
        .column(ColumnSpec::fixed("Guid", Kind::GUID))
        .column(ColumnSpec::fixed("FixedBinary", Kind::BINARY).max_size(11))
        .column(ColumnSpec::fixed("FixedText", Kind::TEXT).max_size(9))
        .column(ColumnSpec::variable("Name", Kind::TEXT, 120))
        .column(ColumnSpec::variable("Bytes", Kind::BINARY, 200))
        .column(ColumnSpec::variable("Wide", Kind::TEXT, 120).unicode())
        .column(ColumnSpec::tagged("Tags", Kind::TEXT).multi_valued())
        .column(ColumnSpec::tagged("Numbers", Kind::LONG).multi_valued())
        .column(ColumnSpec::tagged("Note", Kind::LONG_TEXT))
        .column(ColumnSpec::tagged("Picture", Kind::LONG_BINARY))
        .column(ColumnSpec::tagged("Packed", Kind::LONG_TEXT).unicode().compressed())
        .column(ColumnSpec::tagged("Parts", Kind::LONG_BINARY).multi_valued())
        .index(IndexSpec::new("Primary").ascending("Long").descending("Id").primary())
        .index(IndexSpec::new("ById").ascending("Id").unique())
        .index(IndexSpec::new("ByName").ascending("Name").descending("Bit"))
        .index(IndexSpec::new("ByBytes").descending("Bytes").ascending("FixedBinary"))
        .index(IndexSpec::new("ByGuid").ascending("Guid").dot_net_guid().ignore_null())
        .index(IndexSpec::new("ByTags").ascending("Tags").ignore_any_null())
        .index(IndexSpec::new("ByPairs").ascending("Tags").ascending("Numbers").cross_product())
        .index(IndexSpec::new("ByRows").ascending("Tags").ascending("Numbers").nested_table())
        .index(IndexSpec::new("ByNumbers").descending("Numbers").ascending("Double").nulls_high())
        .index(IndexSpec::new("ByNote").ascending("Note").key_most(400))
        .index(IndexSpec::new("BySmallNote").ascending("Note").ascending("Short").segment_most(40))
        .index(IndexSpec::new("ByText").ascending("FixedText").ascending("Single").ascending("Currency"))
        .index(IndexSpec::new("ByPart").ascending("Name").tuples(tuples))
        .index(IndexSpec::new("IfPicture").ascending("Date").only_if_null("Picture", false))
}

/// A table whose rows are in the order of their insertion.
pub(crate) fn heap_table() -> TableSpec {
    TableSpec::new("Heap")
        .column(ColumnSpec::variable("Text", Kind::TEXT, 100))
        .column(ColumnSpec::fixed("Number", Kind::UNSIGNED_LONG_LONG))
        .index(IndexSpec::new("ByNumber").descending("Number").disallow_null())
}

/// `len` bytes that repeat in part.
pub(crate) fn bytes(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    (0..len)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if i % 64 < 40 { b'a' + (i % 13) as u8 } else { (state >> 24) as u8 }
        })
        .collect()
}

/// Text of `len` characters.
pub(crate) fn text(seed: u32, len: usize) -> String {
    bytes(seed, len).iter().map(|b| char::from(b'A' + b % 58)).collect()
}

/// Row `n` of the table of types.
pub(crate) fn types_row(n: u32) -> Row {
    let mut row = Row::new()
        .set("Long", Value::Long((n.wrapping_mul(2_654_435_761) >> 8) as i32 - 5_000_000))
        .set("Name", Value::Text(format!("{}-{}", text(n / 3, 5 + n as usize % 60), n)));
    if !n.is_multiple_of(7) {
        row = row
            .set("Bit", Value::Bit(n.is_multiple_of(2)))
            .set("Short", Value::Short(n as i16))
            .set("UShort", Value::UnsignedShort(n as u16))
            .set("ULong", Value::UnsignedLong(n))
            .set("Currency", Value::LongLong(-i64::from(n) * 1000))
            .set("LongLong", Value::LongLong(i64::from(n) << 33))
            .set("Single", Value::Single(n as f32 / -3.0))
            .set("Double", Value::Double(f64::from(n).sqrt() - 20.0))
            .set("Date", Value::Double(40_000.0 + f64::from(n) / 24.0));
    }
    if !n.is_multiple_of(5) {
        let mut guid = [0; 16];
        guid.copy_from_slice(&bytes(n, 16));
        row = row
            .set("Guid", Value::Guid(guid))
            .set("FixedBinary", Value::Binary(bytes(n, n as usize % 12)))
            .set("FixedText", Value::Text(text(n, n as usize % 10)))
            .set("Bytes", Value::Binary(bytes(n, n as usize % 150)))
            .set("Wide", Value::Text(format!("\u{416}{}", text(n, n as usize % 40))));
    }
    if n.is_multiple_of(11) {
        row = row.set("Byte", Value::Null);
    }
    for k in 0..n % 4 {
        row = row.set("Tags", Value::Text(text(n + k, 1 + (n as usize + k as usize * 50) % 90)));
    }
    for k in 0..n % 3 {
        row = row.set("Numbers", Value::Long((n * (k + 1)) as i32));
    }
    let len = match n % 50 {
        0 => 40_000,
        1..5 => 2500,
        5..10 => 0,
        _ => n as usize % 700,
    };
    if n.is_multiple_of(3) {
        row = row.set("Note", Value::Text(text(n, len)));
    }
    if n.is_multiple_of(4) {
        row = row.set("Picture", Value::Binary(bytes(n, len / 2 + n as usize % 40)));
    }
    if n.is_multiple_of(2) {
        row = row.set("Packed", Value::Text(text(n / 9, len)));
    }
    for k in 0..(n % 13).saturating_sub(9) {
        row = row.set("Parts", Value::Binary(bytes(n, 30 + 700 * k as usize)));
    }
    row
}

/// Row `n` of the heap.
pub(crate) fn heap_row(n: u32) -> Row {
    Row::new()
        .set("Text", Value::Text(text(n, n as usize % 80)))
        .set("Number", Value::UnsignedLongLong(u64::from(n % 1000) << 40))
}

/// Builds the sample with `rows` rows in each table.
pub(crate) fn build(
    storage: &dyn Storage,
    path: &Path,
    options: DatabaseOptions,
    rows: u32,
) -> Result<(), BuilderError> {
    let mut database = DatabaseBuilder::create(storage, path, options)?;
    let types = database.create_table(&types_table())?;
    let heap = database.create_table(&heap_table())?;
    for n in 0..rows {
        database.insert(types, &types_row(n))?;
        database.insert(heap, &heap_row(n))?;
    }
    database.finish()
}
