//! Sorts: what is read of them, how they are searched, and when they become tables.

use std::path::Path;

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    InstanceError, PrepareKind, RangeFlags, SeekFlags, SetFlags, Table, TableError, TableStatus,
    TemporaryColumn, TemporaryTableFlags as Flags, TemporaryTableSpec,
};
use ese_io::Storage;

use crate::table_bed::{Bed, number};
use crate::{TEMPORARY, fill, here, insert, open, rows, seek, spec};

#[test]
fn sorts_that_are_only_read() {
    let bed = Bed::new(8192);
    let all = "1/b/5 1/aa/5 1/zz/5 2/x/5 3/A0/5 3/a1/5";
    let some = "1/b/5 2/x/5 3/A0/5";
    for (flags, expected, searched) in [
        (Flags::empty(), some, false),
        (Flags::FORWARD_ONLY, all, false),
        (Flags::FORWARD_ONLY | Flags::UNIQUE, some, false),
        (Flags::UNIQUE, some, false),
        (Flags::SCROLLABLE, some, true),
        (Flags::INDEXED, some, true),
    ] {
        let mut table = open(&bed, flags);
        fill(&mut table);
        assert_eq!(rows(&mut table), (expected.to_owned(), -1603), "{flags:?}");
        let back = if searched { 0 } else { -1312 };
        let front = if searched { -1603 } else { -1312 };
        assert_eq!(number(table.move_previous()), back, "{flags:?}");
        assert_eq!(number(table.move_last()), 0);
        assert_eq!(number(table.move_previous()), back);
        assert_eq!(number(table.move_by(0, false)), 0);
        assert_eq!(number(table.move_first()), 0);
        assert_eq!(number(table.move_previous()), front);
        assert_eq!(number(table.move_by(0, false)), if searched { -1603 } else { 0 });
        let sought: Vec<_> = [
            (2, SeekFlags::EQUAL),
            (0, SeekFlags::GREATER_OR_EQUAL),
            (9, SeekFlags::LESS_OR_EQUAL),
            (9, SeekFlags::LESS),
            (0, SeekFlags::LESS),
            (2, SeekFlags::GREATER),
            (2, SeekFlags::LESS),
        ]
        .into_iter()
        .map(|(key, flags)| seek(&mut table, key, flags))
        .collect();
        if searched {
            // Sorts do not say that the key is another one.
            let expected =
                [(0, 0, 2), (0, 0, 1), (0, 0, 3), (0, 0, 3), (0, -1601, -99), (0, 0, 3), (0, 0, 1)];
            assert_eq!(sought, expected, "{flags:?}");
        } else {
            assert!(sought.iter().all(|&found| found == (0, -1312, -99)), "{flags:?}: {sought:?}");
        }
        assert_eq!(insert(&mut table, 2, "later"), -1312);
        let count = expected.split(' ').count() as u64;
        assert_eq!(table.sorted_row_count().unwrap(), count);
    }
    bed.finish();
}

#[test]
fn what_becomes_a_table() {
    let bed = Bed::new(8192);
    let keyed = "1/b/5 2/x/5 3/A0/5";
    for (flags, first, last) in [
        (Flags::UPDATABLE | Flags::INDEXED, keyed, "1/b/5 2/x/5 3/A0/5 7/new/5"),
        // Without an index the rows are numbered, and new ones come behind.
        (Flags::UPDATABLE, "1/b/4 2/x/4 3/A0/4", "1/b/4 2/x/4 3/A0/4 2/later/4 7/new/4"),
    ] {
        let mut table = open(&bed, flags);
        fill(&mut table);
        assert_eq!(rows(&mut table), (first.to_owned(), -1603));
        if flags.contains(Flags::INDEXED) {
            assert_eq!(seek(&mut table, 2, SeekFlags::EQUAL), (0, 0, 2));
            assert_eq!(seek(&mut table, 0, SeekFlags::GREATER_OR_EQUAL), (0, 1039, 1));
            assert_eq!(seek(&mut table, 9, SeekFlags::LESS_OR_EQUAL), (0, 1039, 3));
        } else {
            assert_eq!(seek(&mut table, 2, SeekFlags::EQUAL), (-1515, -1608, -99));
        }
        let duplicate = if flags.contains(Flags::INDEXED) { -1605 } else { 0 };
        assert_eq!(insert(&mut table, 2, "later"), duplicate);
        assert_eq!(insert(&mut table, 7, "new"), 0);
        assert_eq!(rows(&mut table), (last.to_owned(), -1603));
    }
    // From the beginning: the first of rows with equal keys stays, the others are refused.
    for flags in [Flags::FORCE_MATERIALIZATION, Flags::FORCE_MATERIALIZATION | Flags::INDEXED] {
        let mut table = open(&bed, flags);
        let outcomes = [(3, "a1"), (1, "zz"), (1, "aa"), (3, "A0"), (2, "x")];
        let outcomes = outcomes.map(|(key, text)| insert(&mut table, key, text));
        assert_eq!(outcomes, [0, 0, -1605, -1605, 0]);
        assert_eq!(rows(&mut table), ("1/zz/5 2/x/5 3/a1/5".to_owned(), -1603));
        table.move_first().unwrap();
        let mut other = table.duplicate().unwrap();
        assert_eq!(here(&mut other), 1);
        other.delete().unwrap();
        assert_eq!(number(table.get(1)), -1017);
        drop(table);
        assert_eq!(rows(&mut other), ("2/x/5 3/a1/5".to_owned(), -1603));
    }
    // Without keys: in the order of insertion.
    let mut unkeyed = spec(Flags::empty());
    unkeyed.columns[0].key = false;
    let (mut table, _) = bed.session.open_temporary_table(&unkeyed).unwrap();
    fill(&mut table);
    assert_eq!(rows(&mut table), ("3/a1/4 1/zz/4 1/aa/4 1/b/4 3/A0/4 2/x/4".to_owned(), -1603));
    table.move_first().unwrap();
    assert_eq!(table.bookmark().unwrap(), [0, 0, 0, 1]);
    assert_eq!(seek(&mut table, 1, SeekFlags::EQUAL), (-1515, -1608, -99));
    bed.finish();
}

#[test]
fn the_first_move() {
    let bed = Bed::new(8192);
    for flags in [Flags::empty(), Flags::INDEXED] {
        let filled = || {
            let mut table = open(&bed, flags);
            fill(&mut table);
            table
        };
        let mut table = filled();
        table.move_by(2, false).unwrap();
        assert_eq!(here(&mut table), 2);
        filled().move_by(0, false).unwrap();
        let mut table = filled();
        let indexed = flags == Flags::INDEXED;
        assert_eq!(number(table.move_previous()), if indexed { -1603 } else { -1312 });
        table.move_next().unwrap();
        assert_eq!(here(&mut table), if indexed { 1 } else { 2 }, "{flags:?}");
        let mut table = open(&bed, flags);
        assert_eq!(number(table.move_first()), -1603);
        assert_eq!(number(table.move_next()), -1603);
        assert_eq!(seek(&mut open(&bed, flags), 1, SeekFlags::EQUAL), (0, -1601, -99));
        let mut table = open(&bed, flags);
        assert_eq!(number(table.seek(SeekFlags::EQUAL)), -1601);
        assert_eq!(insert(&mut table, 1, "q"), -1312);
    }
    bed.finish();
}

#[test]
fn a_sort_of_64_kib_is_searched_in_place() {
    let bed = Bed::new(8192);
    // Each row takes 80 bytes: key 5, row 63 (with its header), overhead 4, in multiples of 16.
    for (count, is_table) in [(819, false), (820, true)] {
        let mut table = open(&bed, Flags::SCROLLABLE);
        for key in 0..count {
            assert_eq!(insert(&mut table, key, &"y".repeat(52)), 0);
        }
        table.move_last().unwrap();
        assert_eq!(number(table.prepare(PrepareKind::Insert)), if is_table { 0 } else { -1312 }, "{count}");
        // Without an index the table cannot be searched.
        let sought = seek(&mut table, 5, SeekFlags::EQUAL);
        assert_eq!(sought, if is_table { (-1515, -1608, -99) } else { (0, 0, 5) });
    }
    bed.finish();
}

#[test]
fn ranges_of_sorted_rows() {
    let bed = Bed::new(8192);
    let mut table = open(&bed, Flags::INDEXED | Flags::SCROLLABLE);
    for key in 0..20 {
        assert_eq!(insert(&mut table, key * 10, "r"), 0);
    }
    let make = |table: &mut Table, key: i32| table.make_key(&key.to_le_bytes(), KeyFlags::NEW_KEY).unwrap();
    make(&mut table, 35);
    assert_eq!(table.seek(SeekFlags::GREATER_OR_EQUAL).unwrap(), TableStatus::Done);
    make(&mut table, 60);
    table.set_index_range(RangeFlags::UPPER_LIMIT | RangeFlags::INCLUSIVE).unwrap();
    let mut seen = vec![here(&mut table)];
    while table.move_next().is_ok() {
        seen.push(here(&mut table));
    }
    assert_eq!(seen, [40, 50, 60]);
    make(&mut table, 60);
    table.seek(SeekFlags::LESS).unwrap();
    make(&mut table, 30);
    table.set_index_range(RangeFlags::empty()).unwrap();
    let mut seen = vec![here(&mut table)];
    while table.move_previous().is_ok() {
        seen.push(here(&mut table));
    }
    assert_eq!(seen, [50, 40]);
    table.move_last().unwrap();
    let bookmark = table.bookmark().unwrap();
    assert_eq!(bookmark, 19_i32.to_le_bytes());
    table.move_first().unwrap();
    table.goto_bookmark(&bookmark).unwrap();
    assert_eq!(here(&mut table), 190);
    // What is not found leaves the cursor on the row behind.
    make(&mut table, 75);
    assert_eq!(number(table.seek(SeekFlags::EQUAL)), -1601);
    assert_eq!(here(&mut table), 80);
    bed.finish();
}

#[test]
fn large_sorts() {
    let bed = Bed::with_parameters(4096, 8920, |instance| {
        // Little memory for pages: the rows go to the file and come back.
        let id = ese_instance::ParameterId::CACHE_SIZE_MAX;
        instance.set_parameter(id, 256_u32).unwrap();
    });
    let text = "x".repeat(90);
    let count = 70_000_i64;
    for (flags, duplicates) in [(Flags::FORWARD_ONLY, true), (Flags::INDEXED, false)] {
        let mut table = open(&bed, flags);
        for i in 0..count {
            let key = (i * 7919 % count / 2) as i32;
            assert_eq!(insert(&mut table, key, &text), 0);
        }
        let mut expected = 0_i64;
        let mut outcome = number(table.move_first());
        while outcome == 0 {
            let key = if duplicates { expected / 2 } else { expected };
            assert_eq!(i64::from(here(&mut table)), key);
            expected += 1;
            outcome = number(table.move_next());
        }
        assert_eq!((expected, outcome), (if duplicates { count } else { count / 2 }, -1603));
        assert_eq!(number(table.move_first()), 0);
        assert_eq!(here(&mut table), 0);
        if flags == Flags::INDEXED {
            // Large ones become tables, whether that was asked for or not.
            assert_eq!(seek(&mut table, 30_000, SeekFlags::EQUAL), (0, 0, 30_000));
            assert_eq!(insert(&mut table, 30_000, "late"), -1605);
            assert_eq!(insert(&mut table, -5, "late"), 0);
        } else {
            assert_eq!(insert(&mut table, -5, "late"), -1312);
        }
    }
    let pages = bed.storage.open(Path::new(TEMPORARY), ese_io::OpenOptions::READ.lock(ese_io::Lock::None));
    let size = pages.unwrap().len().unwrap();
    assert!(size > 4 << 20 && size < 80 << 20, "{size}: space of runs is used again");
    bed.finish();
}

#[test]
fn as_many_sorts_as_allowed() {
    let most = ese_instance::ParameterId::MAX_TEMPORARY_TABLES;
    let bed = Bed::with_parameters(4096, 8920, |instance| instance.set_parameter(most, 3_u32).unwrap());
    let open_one = |flags| bed.session.open_temporary_table(&spec(flags)).map(|(table, _)| table);
    let mut sorts: Vec<Table> = (0..3).map(|_| open_one(Flags::empty()).unwrap()).collect();
    let refused = open_one(Flags::empty()).unwrap_err();
    assert_eq!(refused.jet_error().0, -1701);
    assert!(
        matches!(&refused, TableError::Instance(e) if matches!(**e, InstanceError::TooManySorts { limit: 3 }))
    );
    assert_eq!(number(open_one(Flags::FORCE_MATERIALIZATION)), -1701, "it begins as a sort");
    sorts.pop();
    // Tables do not count once they are tables.
    let tables: Vec<_> = (0..10).map(|_| open_one(Flags::FORCE_MATERIALIZATION).unwrap()).collect();
    let mut updatable = open_one(Flags::UPDATABLE).unwrap();
    assert_eq!(number(open_one(Flags::empty())), -1701);
    assert_eq!(number(updatable.move_first()), -1603);
    assert_eq!(number(open_one(Flags::empty())), 0);
    drop((sorts, tables, updatable));
    bed.finish();
    let bed = Bed::with_parameters(4096, 8920, |instance| instance.set_parameter(most, 0_u32).unwrap());
    assert_eq!(number(bed.session.open_temporary_table(&spec(Flags::empty()))), -1701);
    assert!(!bed.storage.exists(Path::new(TEMPORARY)).unwrap());
    bed.finish();
}

#[test]
fn text_by_locale() {
    let bed = Bed::new(8192);
    let mut column = TemporaryColumn::key(ColumnKind::TEXT);
    column.code_page = 1200;
    let sorted = |change: &dyn Fn(&mut TemporaryTableSpec)| {
        let mut spec = TemporaryTableSpec { columns: vec![column.clone()], ..spec(Flags::SCROLLABLE) };
        change(&mut spec);
        let (mut table, _) = bed.session.open_temporary_table(&spec)?;
        for word in ["g", "a", "A", "aa", "x", "b", "X", "z", "\u{e4}"] {
            table.prepare(PrepareKind::Insert)?;
            let bytes: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
            table.set_column(128, &bytes, SetFlags::empty())?;
            table.update()?;
        }
        let mut words = Vec::new();
        while table.move_next().is_ok() {
            let bytes = table.get(128)?.unwrap();
            let units: Vec<u16> = bytes.chunks(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
            words.push(String::from_utf16(&units).unwrap());
        }
        Ok::<_, TableError>(words.join(" "))
    };
    // Without a word about case, letters that differ in it only are one.
    assert_eq!(sorted(&|_| {}).unwrap(), "A \u{e4} aa b g X z");
    let case = |spec: &mut TemporaryTableSpec| spec.normalization_flags = Some(0);
    assert_eq!(sorted(&case).unwrap(), "a A \u{e4} aa b g x X z");
    assert_eq!(sorted(&|s| s.locale_id = 0x409).unwrap(), "A \u{e4} aa b g X z");
    // In Swedish that letter comes behind z.
    let swedish = sorted(&|s| s.locale = Some("sv-SE".to_owned())).unwrap();
    assert_eq!(swedish, "A aa b g X z \u{e4}");
    assert_eq!(number(sorted(&|s| s.locale_id = 0x1_2345)), -1062);
    assert_eq!(number(sorted(&|s| s.locale = Some("xx-none".to_owned()))), -1062);
    assert_eq!(number(sorted(&|s| s.normalization_flags = Some(0x1234_5678))), -1064);
    bed.finish();
}
