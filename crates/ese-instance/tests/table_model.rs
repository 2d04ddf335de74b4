//! Random work through cursors against a model: rows, indexes, long values, nested transactions, restarts after a crash.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use std::collections::BTreeMap;

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CommitMode, IndexSpec, PrepareKind, RetrieveFlags, RetrieveOptions, SetFlags, SetOptions,
    Table, TableSpec,
};
use table_bed::{Bed, number};

#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    group: Option<i32>,
    name: Option<Vec<u8>>,
    tags: Vec<Vec<u8>>,
    data: Option<Vec<u8>>,
}

type Model = BTreeMap<i32, Row>;

struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

const KEY: u32 = 1;
const GROUP: u32 = 2;
const NAME: u32 = 128;
const TAGS: u32 = 256;
const DATA: u32 = 257;

fn spec() -> TableSpec {
    TableSpec::new("M")
        .column(ColumnSpec::fixed("Key", ColumnKind::LONG).not_null())
        .column(ColumnSpec::fixed("Group", ColumnKind::LONG))
        .column(ColumnSpec::variable("Name", ColumnKind::TEXT, 30))
        .column(ColumnSpec::tagged("Tags", ColumnKind::BINARY).multi_valued())
        .column(ColumnSpec::tagged("Data", ColumnKind::LONG_BINARY).compressed())
        .index(IndexSpec::new("Primary").ascending("Key").primary())
        .index(IndexSpec::new("Groups").ascending("Group").descending("Name"))
        .index(IndexSpec::new("Names").ascending("Name").ignore_null())
        .index(IndexSpec::new("Tags").ascending("Tags").ignore_null())
        .index(IndexSpec::new("Grouped").ascending("Data").ascending("Key").only_if_null("Group", false))
}

fn value(random: &mut Random) -> Row {
    let text = |random: &mut Random, most: u64| -> Vec<u8> {
        (0..=random.next(most)).map(|_| b'a' + random.next(4) as u8).collect()
    };
    let mut row = Row::default();
    if random.next(3) > 0 {
        row.group = Some(random.next(5) as i32);
    }
    if random.next(4) > 0 {
        row.name = Some(text(random, 29));
    }
    for _ in 0..random.next(4) {
        row.tags.push(text(random, 3));
    }
    let length = [0, 20, 500, 1100, 9000, 20_000][random.next(6) as usize];
    if length > 0 {
        let seed = random.next(250) as u8;
        row.data = Some((0..length).map(|n: u32| seed.wrapping_add((n * n / 7) as u8)).collect());
    }
    row
}

fn set(table: &mut Table, row: &Row, old_tags: usize) {
    let none = SetFlags::empty();
    table.set_column(GROUP, row.group.map(i32::to_le_bytes).as_ref().map_or(&[][..], |b| b), none).unwrap();
    table.set_column(NAME, row.name.as_deref().unwrap_or_default(), none).unwrap();
    for _ in 0..old_tags {
        table.set_column(TAGS, &[], none).unwrap();
    }
    for tag in &row.tags {
        table.set_column(TAGS, tag, SetOptions { instance: 0, ..SetOptions::default() }).unwrap();
    }
    table.set_column(DATA, row.data.as_deref().unwrap_or_default(), none).unwrap();
}

fn read(table: &mut Table) -> (i32, Row) {
    let number = |bytes: Vec<u8>| i32::from_le_bytes(bytes.try_into().unwrap());
    let tags = table.count_values(TAGS, RetrieveFlags::empty()).unwrap();
    let tag = |instance| RetrieveOptions { instance, ..RetrieveOptions::default() };
    let row = Row {
        group: table.get(GROUP).unwrap().map(number),
        name: table.get(NAME).unwrap(),
        tags: (1..=tags).map(|n| table.get_with(TAGS, tag(n)).unwrap().unwrap()).collect(),
        data: table.get(DATA).unwrap(),
    };
    (number(table.get(KEY).unwrap().unwrap()), row)
}

fn check(table: &mut Table, model: &Model) {
    table.set_current_index(None).unwrap();
    let mut found = Model::new();
    let mut there = table.move_first().is_ok();
    while there {
        let (key, row) = read(table);
        assert!(found.insert(key, row).is_none());
        there = table.move_next().is_ok();
    }
    assert!(found == *model, "rows differ");
    for index in ["Groups", "Names", "Tags", "Grouped"] {
        let mut expected: Vec<i32> = Vec::new();
        for (key, row) in model {
            let mut tags = row.tags.clone();
            tags.sort();
            tags.dedup();
            let entries = match index {
                "Groups" => 1,
                "Names" => usize::from(row.name.is_some()),
                "Tags" => tags.len(),
                _ => usize::from(row.group.is_some()),
            };
            expected.extend(std::iter::repeat_n(*key, entries));
        }
        table.set_current_index(Some(index)).unwrap();
        let (mut found, mut before) = (Vec::new(), Vec::new());
        let mut there = table.move_first().is_ok();
        while there {
            let key = table.current_key().unwrap();
            assert!(before <= key, "{index}");
            before = key;
            found.push(i32::from_le_bytes(table.get(KEY).unwrap().unwrap().try_into().unwrap()));
            there = table.move_next().is_ok();
        }
        found.sort_unstable();
        assert_eq!(found, expected, "{index}");
        // And the same from the other end.
        let mut backwards = 0;
        let mut there = table.move_last().is_ok();
        while there {
            backwards += 1;
            there = table.move_previous().is_ok();
        }
        assert_eq!(backwards, expected.len(), "{index}");
    }
}

fn step(table: &mut Table, model: &mut Model, random: &mut Random) {
    let key = random.next(60) as i32;
    let bookmark = [&[0x7F][..], &(key as u32 ^ 0x8000_0000).to_be_bytes()].concat();
    table.set_current_index(None).unwrap();
    let there = table.goto_bookmark(&bookmark).is_ok();
    assert_eq!(there, model.contains_key(&key), "{key}");
    match random.next(10) {
        0..4 => {
            let row = value(random);
            table.prepare(PrepareKind::Insert).unwrap();
            table.set_column(KEY, &key.to_le_bytes(), SetFlags::empty()).unwrap();
            set(table, &row, 0);
            let outcome = number(table.update());
            assert_eq!(outcome, if there { -1605 } else { 0 });
            if there {
                table.cancel_update().unwrap();
            } else {
                model.insert(key, row);
            }
        }
        4..7 if there => {
            let row = value(random);
            let kind =
                [PrepareKind::Replace, PrepareKind::ReplaceNoLock, PrepareKind::InsertCopyReplaceOriginal]
                    [random.next(3) as usize];
            table.prepare(kind).unwrap();
            set(table, &row, model[&key].tags.len());
            if random.next(5) == 0 {
                table.cancel_update().unwrap();
            } else {
                table.update().unwrap();
                model.insert(key, row);
            }
        }
        7 if there => {
            let more = vec![random.next(256) as u8; random.next(6000) as usize];
            table.prepare(PrepareKind::Replace).unwrap();
            table.set_column(DATA, &more, SetFlags::APPEND).unwrap();
            if random.next(4) == 0 {
                table.cancel_update().unwrap();
            } else {
                table.update().unwrap();
                model.get_mut(&key).unwrap().data.get_or_insert_default().extend_from_slice(&more);
            }
        }
        8 if there => {
            // A copy under another key, sharing the long value.
            let other = 100 + random.next(60) as i32;
            table.prepare(PrepareKind::InsertCopy).unwrap();
            table.set_column(KEY, &other.to_le_bytes(), SetFlags::empty()).unwrap();
            let outcome = number(table.update());
            if model.contains_key(&other) {
                assert_eq!(outcome, -1605);
                table.cancel_update().unwrap();
            } else {
                assert_eq!(outcome, 0);
                let row = model[&key].clone();
                model.insert(other, row);
            }
        }
        _ if there => {
            table.delete().unwrap();
            model.remove(&key);
        }
        _ => assert_eq!(number(table.goto_bookmark(&bookmark)), -1017),
    }
}

/// Some transactions, the last of which is left open if it is to be.
fn work(bed: &Bed, random: &mut Random, model: &mut Model, rounds: usize) {
    let mut table = bed.open("M");
    check(&mut table, model);
    for round in 0..rounds {
        let committed = model.clone();
        bed.session.begin().unwrap();
        for _ in 0..random.next(12) {
            step(&mut table, model, random);
        }
        for _ in 0..random.next(3) {
            let before = model.clone();
            bed.session.begin().unwrap();
            for _ in 0..random.next(6) {
                step(&mut table, model, random);
            }
            if random.next(2) == 0 {
                bed.session.rollback().unwrap();
                *model = before;
            } else {
                bed.session.commit(CommitMode::Durable).unwrap();
            }
        }
        if random.next(5) == 0 {
            bed.session.rollback().unwrap();
            *model = committed;
        } else {
            bed.session.commit(CommitMode::Lazy).unwrap();
        }
        if round % 10 == 0 {
            check(&mut table, model);
        }
    }
    check(&mut table, model);
}

fn run(page_size: u32, seed: u64, rounds: usize) {
    let mut random = Random(seed);
    let bed = Bed::new(page_size);
    bed.database.create_table(&spec()).unwrap();
    work(&bed, &mut random, &mut Model::new(), rounds);
    bed.finish();
}

/// Work, a crash in a transaction, recovery; again and again.
fn run_crashes(page_size: u32, seed: u64, crashes: usize) {
    let mut random = Random(seed);
    let mut bed = Bed::new(page_size);
    bed.database.create_table(&spec()).unwrap();
    let mut model = Model::new();
    for _ in 0..crashes {
        let rounds = random.next(30) as usize;
        work(&bed, &mut random, &mut model, rounds);
        // The last commit reaches the disk, and with it everything before.
        bed.session.begin().unwrap();
        let mut table = bed.open("M");
        step(&mut table, &mut model, &mut random);
        bed.session.commit(CommitMode::Durable).unwrap();
        let committed = model.clone();
        bed.session.begin().unwrap();
        for _ in 0..random.next(20) {
            step(&mut table, &mut model, &mut random);
        }
        model = committed;
        drop(table);
        bed = bed.crash();
    }
    work(&bed, &mut random, &mut model, 3);
    bed.finish();
}

#[test]
fn crashes() {
    run_crashes(4096, 21, 8);
    run_crashes(8192, 22, 8);
    run_crashes(32768, 23, 8);
}

#[test]
fn small_pages() {
    run(4096, 0x5EED, 150);
    run(8192, 7, 100);
}

#[test]
fn large_pages() {
    run(16384, 11, 100);
    run(32768, 13, 100);
}
