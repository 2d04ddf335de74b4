//! The rows.

use ese_format::ColumnKind as Kind;
use ese_instance::{
    ColumnDefinition, ColumnFlags, CommitMode, Database, PrepareKind, Session, SetFlags, SetOptions, Table,
    TableDefinition, TableMode,
};
use ese_io::SeededRandomness;

struct Dice(SeededRandomness);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(SeededRandomness::new(seed))
    }

    fn next(&self) -> u64 {
        self.0.next_u64()
    }

    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn once_in(&self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn bytes(&self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// Text of the code page, or UTF-16.
    fn text(&self, characters: usize, wide: bool) -> Vec<u8> {
        const WORDS: [&str; 8] =
            ["river ", "Ledger ", "été ", "Straße ", "anchor ", "9 ", "x-ray ", "naïve "];
        let mut text = String::new();
        while text.chars().count() < characters {
            text.push_str(WORDS[self.below(WORDS.len())]);
            if wide && self.once_in(3) {
                text.push_str(["夜の", "Ночь", "İ", "\u{1F600}"][self.below(4)]);
            }
        }
        let text: String = text.chars().take(characters).collect();
        if wide {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        } else {
            // All of them are Latin-1, as in code page 1252.
            text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
        }
    }
}

fn is_set_by_engine(column: &ColumnDefinition) -> bool {
    let own = ColumnFlags::AUTO_INCREMENT | ColumnFlags::VERSION | ColumnFlags::ESCROW_UPDATE;
    column.is_deleted() || column.flags.intersects(own)
}

fn value(dice: &Dice, column: &ColumnDefinition) -> Vec<u8> {
    let wide = column.code_page == 1200;
    match column.kind {
        Kind::BIT => vec![if dice.once_in(2) { 0xFF } else { 0 }],
        Kind::IEEE_SINGLE => ((dice.below(100_000) as f32) / 7.0 - 5000.0).to_le_bytes().to_vec(),
        Kind::IEEE_DOUBLE | Kind::DATE_TIME => {
            ((dice.below(1_000_000) as f64) / 7.0 - 500.0).to_le_bytes().to_vec()
        }
        Kind::TEXT | Kind::BINARY => {
            let most = usize::try_from(column.max_size.max(1)).unwrap();
            let len = if column.id.is_fixed() { most } else { 1 + dice.below(most) };
            match column.kind {
                Kind::BINARY => dice.bytes(len),
                // A character may be two code units.
                _ if wide && column.id.is_fixed() => {
                    "abcdefghij".encode_utf16().flat_map(u16::to_le_bytes).collect()
                }
                _ if wide => dice.text(1 + len / 5, true),
                _ => dice.text(len, false),
            }
        }
        _ => {
            let size = column.kind.fixed_size().unwrap();
            match dice.below(3) {
                0 => (dice.below(10) as u128).to_le_bytes()[..size].to_vec(),
                1 => (-(dice.below(100) as i128)).to_le_bytes()[..size].to_vec(),
                _ => dice.bytes(size),
            }
        }
    }
}

fn set_some(dice: &Dice, table: &mut Table, definition: &TableDefinition, part: usize) {
    for column in definition.columns.iter().filter(|c| !is_set_by_engine(c)) {
        if !dice.once_in(part) {
            continue;
        }
        let several = column.flags.contains(ColumnFlags::MULTI_VALUED);
        for _ in 0..if several { 1 + dice.below(4) } else { 1 } {
            let instance = if several { u32::try_from(dice.below(5)).unwrap() } else { 1 };
            let options = SetOptions { instance, ..SetOptions::default() };
            let data = if dice.once_in(8) { Vec::new() } else { value(dice, column) };
            table.set_column(column.api_id(), &data, options).unwrap();
        }
    }
}

fn insert(dice: &Dice, table: &mut Table, definition: &TableDefinition, part: usize) {
    table.prepare(PrepareKind::Insert).unwrap();
    set_some(dice, table, definition, part);
    table.update().unwrap();
}

/// Changes every row in some way; false when the table is empty.
fn change_each(dice: &Dice, session: &Session, table: &mut Table, definition: &TableDefinition) {
    let escrow = definition.columns.iter().find(|c| c.flags.contains(ColumnFlags::ESCROW_UPDATE));
    let mut found = table.move_first();
    while found.is_ok() {
        session.begin().unwrap();
        match dice.below(5) {
            0 => table.delete().unwrap(),
            1 | 2 => {
                table.prepare(PrepareKind::Replace).unwrap();
                set_some(dice, table, definition, 4);
                table.update().unwrap();
            }
            3 => {
                if let Some(column) = escrow {
                    table.escrow_update(column.api_id(), &3_i32.to_le_bytes()).unwrap();
                }
            }
            _ => {}
        }
        if dice.once_in(4) {
            session.rollback().unwrap();
        } else {
            session.commit(CommitMode::Lazy).unwrap();
        }
        found = table.move_next();
    }
}

pub(super) fn fill(session: &Session, database: &Database, page_size: u32) {
    let dice = &Dice::new(page_size.into());
    let mut table = database.open_table("Kinds", TableMode::default()).unwrap();
    let definition = table.definition().unwrap();
    for round in 0..60 {
        session.begin().unwrap();
        insert(dice, &mut table, &definition, 1 + round % 4);
        if dice.once_in(5) {
            session.rollback().unwrap();
        } else {
            session.commit(CommitMode::Lazy).unwrap();
        }
    }
    change_each(dice, session, &mut table, &definition);
    fill_deep(dice, session, database, page_size);
    fill_long(dice, session, database, page_size);
    fill_churn(dice, session, database);
    for (name, part) in [("Heap", 1), ("Unsigned", 2)] {
        let mut table = database.open_table(name, TableMode::default()).unwrap();
        let definition = table.definition().unwrap();
        for _ in 0..80 {
            session.begin().unwrap();
            insert(dice, &mut table, &definition, part);
            session.commit(CommitMode::Lazy).unwrap();
        }
        change_each(dice, session, &mut table, &definition);
    }
}

/// Longest key of the deep table.
pub(super) fn deep_key_size(page_size: u32) -> u16 {
    match page_size {
        4096 => 255,
        8192 => 1000,
        _ => 2000,
    }
}

/// Many keys that begin with the same bytes: nothing shortens them in the inner pages.
fn fill_deep(dice: &Dice, session: &Session, database: &Database, page_size: u32) {
    let mut table = database.open_table("Deep", TableMode::default()).unwrap();
    let (key, number) = (table.column_id("Key").unwrap(), table.column_id("Number").unwrap());
    let body = table.column_id("Body").unwrap();
    let key_size = usize::from(deep_key_size(page_size)) - 10;
    // Eight rows a page.
    let size = usize::try_from(page_size).unwrap() / 9;
    let mut group = Vec::new();
    for first in (0..720).step_by(24) {
        session.begin().unwrap();
        for row in first..first + 24_i32 {
            if row % 24 == 0 {
                // Each byte of a key of bytes is stored with others between: leave room.
                group = dice.bytes(key_size * 8 / 9 - 10);
            }
            table.prepare(PrepareKind::Insert).unwrap();
            let mut bytes = group.clone();
            bytes.extend_from_slice(&row.to_be_bytes());
            table.set_column(key, &bytes, SetFlags::INTRINSIC).unwrap();
            table.set_column(number, &row.to_le_bytes(), SetFlags::empty()).unwrap();
            let len = size.saturating_sub(bytes.len()).max(10) + dice.below(20);
            table.set_column(body, &dice.bytes(len), SetFlags::INTRINSIC).unwrap();
            table.update().unwrap();
        }
        session.commit(CommitMode::Lazy).unwrap();
    }
    // Some pages are emptied, some halves are merged.
    let mut found = table.move_first();
    let mut at = 0;
    while found.is_ok() {
        at += 1;
        if (100..160).contains(&at) || (at > 300 && at % 3 == 0) {
            table.delete().unwrap();
        }
        found = table.move_next();
    }
}

fn fill_long(dice: &Dice, session: &Session, database: &Database, page_size: u32) {
    let mut table = database.open_table("Long", TableMode::default()).unwrap();
    let definition = table.definition().unwrap();
    let chunk = definition.chunk_size(ese_format::PageSize::new(page_size).unwrap()) as usize;
    let sizes = [
        0,
        1,
        2,
        60,
        700,
        1022,
        1024,
        1026,
        chunk - 1,
        chunk,
        chunk + 1,
        2 * chunk,
        2 * chunk + 1,
        3 * chunk - 1,
        5 * chunk + 7,
        100_000,
    ];
    for round in 0..40 {
        session.begin().unwrap();
        table.prepare(PrepareKind::Insert).unwrap();
        for column in definition.columns.iter().filter(|c| !is_set_by_engine(c)) {
            if dice.once_in(3) {
                continue;
            }
            let several = column.flags.contains(ColumnFlags::MULTI_VALUED);
            for _ in 0..if several { 1 + dice.below(4) } else { 1 } {
                let size = sizes[if several { dice.below(10) } else { dice.below(sizes.len()) }];
                let data = long_value(dice, column, size);
                let flags = match dice.below(5) {
                    0 => SetFlags::SEPARATE | SetFlags::ZERO_LENGTH,
                    1 if size < 800 && !several => SetFlags::INTRINSIC | SetFlags::ZERO_LENGTH,
                    _ => SetFlags::ZERO_LENGTH,
                };
                let instance = u32::from(!several);
                table
                    .set_column(
                        column.api_id(),
                        &data,
                        SetOptions { flags, instance, ..SetOptions::default() },
                    )
                    .unwrap();
            }
        }
        table.update().unwrap();
        if round % 7 == 6 {
            session.rollback().unwrap();
        } else {
            session.commit(CommitMode::Lazy).unwrap();
        }
    }
    change_long(dice, session, &mut table, &definition);
}

fn long_value(dice: &Dice, column: &ColumnDefinition, size: usize) -> Vec<u8> {
    if column.kind == Kind::LONG_TEXT {
        let wide = column.code_page == 1200;
        let mut text = dice.text(if wide { size / 2 } else { size }, wide);
        text.truncate(size & !1);
        return text;
    }
    if dice.once_in(2) { dice.bytes(size) } else { (0..size).map(|i| b'a' + (i % 7) as u8).collect() }
}

/// Parts of values, copies of rows, deletions.
fn change_long(dice: &Dice, session: &Session, table: &mut Table, definition: &TableDefinition) {
    let names = ["Plain", "Text", "Packed", "Wide"];
    let mut found = table.move_first();
    while found.is_ok() {
        let name = names[dice.below(4)];
        let column = definition.columns.iter().find(|c| c.name == name).unwrap();
        session.begin().unwrap();
        let kind = dice.below(7);
        let set = |table: &mut Table, data: &[u8], options: SetOptions| {
            table.prepare(PrepareKind::Replace).unwrap();
            table.set_column(column.api_id(), data, options).unwrap();
            table.update().unwrap();
        };
        match kind {
            0 => table.delete().unwrap(),
            1 => {
                let data = long_value(dice, column, 3000);
                set(table, &data, SetFlags::APPEND.into());
            }
            2 => {
                let data = long_value(dice, column, 500);
                let len = table.get(column.api_id()).unwrap().map_or(0, |value| value.len());
                let offset = 2 * u32::try_from(dice.below(40).min(len / 2)).unwrap();
                set(table, &data, SetOptions { flags: SetFlags::OVERWRITE, offset, ..SetOptions::default() });
            }
            3 => {
                let size = Some(2 * u32::try_from(dice.below(4000)).unwrap());
                set(table, &[], SetOptions { flags: SetFlags::SIZE, size, ..SetOptions::default() });
            }
            4 => {
                table.prepare(PrepareKind::InsertCopy).unwrap();
                table.update().unwrap();
            }
            5 => set(table, &[], SetOptions::default()),
            _ => {}
        }
        session.commit(CommitMode::Lazy).unwrap();
        found = if kind == 4 && table.move_next().is_err() { table.move_last() } else { table.move_next() };
    }
}

fn churn_row(dice: &Dice, table: &mut Table, key: i32) {
    let (id, text) = (table.column_id("Key").unwrap(), table.column_id("Text").unwrap());
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(id, &key.to_le_bytes(), SetFlags::empty()).unwrap();
    let len = 1 + dice.below(90);
    table.set_column(text, &dice.text(len, false), SetFlags::empty()).unwrap();
    table.update().unwrap();
}

fn fill_churn(dice: &Dice, session: &Session, database: &Database) {
    let mut table = database.open_table("Churn", TableMode::default()).unwrap();
    for round in 0..3 {
        for first in (0..900).step_by(50) {
            session.begin().unwrap();
            for key in first..first + 50 {
                churn_row(dice, &mut table, key * 7919 % 900 + round * 1000 - 1000);
            }
            session.commit(CommitMode::Lazy).unwrap();
        }
        // All but some rows go, so that pages are merged with their neighbours.
        session.begin().unwrap();
        let mut found = table.move_first();
        while found.is_ok() {
            if !dice.once_in(9) {
                table.delete().unwrap();
            }
            found = table.move_next();
        }
        session.commit(CommitMode::Lazy).unwrap();
        session.instance().idle().unwrap();
    }
}

/// Rows that have the columns that were added.
pub(super) fn fill_later(database: &Database) {
    let dice = &Dice::new(77);
    let mut table = database.open_table("Churn", TableMode::default()).unwrap();
    let later = table.column_id("Later").unwrap();
    let extra = table.column_id("Extra").unwrap();
    let mut found = table.move_first();
    for row in 0..40_i16 {
        if found.is_err() {
            break;
        }
        table.prepare(PrepareKind::Replace).unwrap();
        table.set_column(later, &row.to_le_bytes(), SetFlags::empty()).unwrap();
        table.set_column(extra, &dice.text(30, true), SetFlags::empty()).unwrap();
        table.update().unwrap();
        found = table.move_next();
    }
}

/// Changes that are never committed: recovery takes them back.
pub(super) fn begin_and_leave(session: &Session, database: &Database) {
    let dice = &Dice::new(99);
    session.begin().unwrap();
    let mut table = database.open_table("Churn", TableMode::default()).unwrap();
    for key in 5000..5050 {
        churn_row(dice, &mut table, key);
    }
    table.move_first().unwrap();
    for _ in 0..30 {
        table.delete().unwrap();
        table.move_next().unwrap();
    }
}

pub(super) fn after_recovery(session: &Session, database: &Database) {
    let dice = &Dice::new(111);
    session.begin().unwrap();
    let mut table = database.open_table("Churn", TableMode::default()).unwrap();
    for key in 6000..6020 {
        churn_row(dice, &mut table, key);
    }
    session.commit(CommitMode::Durable).unwrap();
}

/// Changes the last byte of a text.
pub(super) fn change_one_byte(session: &Session, database: &Database) {
    session.begin().unwrap();
    let mut table = database.open_table("Heap", TableMode::default()).unwrap();
    let text = table.column_id("Text").unwrap();
    table.move_first().unwrap();
    let mut value = loop {
        if let Some(value) = table.get(text).unwrap() {
            break value;
        }
        table.move_next().unwrap();
    };
    *value.last_mut().unwrap() ^= 1;
    table.prepare(PrepareKind::Replace).unwrap();
    table.set_column(text, &value, SetFlags::empty()).unwrap();
    table.update().unwrap();
    session.commit(CommitMode::Durable).unwrap();
}
