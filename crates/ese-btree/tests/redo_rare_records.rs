//! Records that no sample holds, pages that are not there, and records that do not fit their page: what redo does, and the
//! engine's number where it stops.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod stream_bed;

use ese_btree::Handled;
use ese_format::{DbTime, LogPosition, ObjectId, PageNumber};
use ese_log::record::{
    BeforeImage, BeforeImageFlags, CommitOutermost, DatabaseSlot, Delete, EmptyPage, EmptyTree, ExtentFreed,
    Insert, Macro, Merge, MergeFields, MergeKind, NodePrefix, PagePrefix, Record, RecordKind, Refresh,
    Replace, Scrub, ScrubFlags, SessionId, SetExternalHeader, ShrinkDatabase, TransactionTime, TrimDatabase,
};
use stream_bed::{LAST, NEVER_USED, OBJECT, REVERTED, ROOT, SESSION, SHRUNK, SIZE, SLOT, Stream};

const ABSENT: [(u32, i32); 4] = [(LAST + 1, -4001), (NEVER_USED, -1019), (SHRUNK, -1123), (REVERTED, -1123)];

#[test]
fn pages_that_must_be_there() {
    for (page, number) in ABSENT {
        let mut stream = Stream::new(false);
        assert_eq!(stream.insert(page, 0, b"k").unwrap_err().jet_error().0, number, "page {page}");
    }
}

/// Within the required range they are remembered, later records of them have no effect, and what explains them is a record
/// that gives the pages up.
#[test]
fn pages_that_may_be_missing() {
    for (page, number) in ABSENT {
        let missing = || {
            let mut stream = Stream::new(true);
            for line in 0..2 {
                stream.insert(page, line, b"k").unwrap();
            }
            assert_eq!(stream.map_error(), number, "page {page}");
            stream
        };
        let mut shrunk = missing();
        let shrink = ShrinkDatabase { database: SLOT, last_page: PageNumber(ROOT + 2), page_count: 40 };
        shrunk.apply(&Record::ShrinkDatabase2(shrink)).unwrap();
        assert_eq!(shrunk.map_error(), 0, "page {page}");
        let mut trimmed = missing();
        let trim = TrimDatabase { database: SLOT, first_page: PageNumber(page), page_count: 1 };
        trimmed.apply(&Record::TrimDatabase(trim)).unwrap();
        assert_eq!(trimmed.map_error(), 0, "page {page}");
        // A freed extent explains a page that a revert made new, and nothing else.
        let mut freed = missing();
        let record = Record::ExtentFreed(ExtentFreed {
            database: SLOT,
            first_page: PageNumber(page),
            page_count: 1,
            flags: Default::default(),
        });
        freed.apply(&record).unwrap();
        assert_eq!(freed.map_error(), if page == REVERTED { 0 } else { number }, "page {page}");
        // So does emptying a tree.
        let mut emptied = missing();
        let empty = EmptyPage { db_time_before: DbTime(50), page_number: PageNumber(page), page_flags: 0 };
        let node = emptied.node(ROOT, 0);
        emptied.apply(&Record::EmptyTree(EmptyTree { node, page_list: &empty.to_bytes() })).unwrap();
        assert_eq!(emptied.map_error(), if page == REVERTED { 0 } else { number }, "page {page}");
    }
}

#[test]
fn a_shrink_without_its_counter_truncates_too() {
    let mut stream = Stream::new(false);
    let shrink = ShrinkDatabase { database: SLOT, last_page: PageNumber(20), page_count: 10 };
    stream.apply(&Record::ShrinkDatabase(shrink)).unwrap();
    assert_eq!(stream.redo.cache().last_page(SLOT).unwrap(), PageNumber(20));
    assert_eq!(stream.storage.get("db").unwrap().len(), 22 * SIZE as usize);
    assert_eq!(stream.redo.database(SLOT).unwrap().shrink_count, 1);
}

#[test]
fn types_of_engines_that_are_too_old_or_never_were() {
    for (kind, len, number) in [
        (RecordKind::SPLIT, 102, -514),
        (RecordKind::MERGE, 88, -514),
        (RecordKind::CONVERT_FDP, 60, -514),
        (RecordKind::BEGIN_DT, 8, -1852),
        (RecordKind::PREP_COMMIT, 7, -1852),
        (RecordKind::PREP_ROLLBACK, 3, -1852),
    ] {
        let mut bytes = vec![0; len];
        bytes[0] = kind.0;
        let error = Stream::new(false).raw(&bytes).unwrap_err();
        assert_eq!(error.jet_error().0, number, "{kind}");
    }
    // Retired types have no layout: they are no records.
    for kind in [40, 41, 43, 44, 47, 56, 102, 255] {
        let error = Stream::new(false).raw(&[kind; 64]).unwrap_err();
        assert_eq!(error.jet_error().0, -501, "{kind}");
    }
}

/// Types that were reserved, and those that only tell something, change nothing but what redo remembers.
#[test]
fn types_without_effect() {
    let mut stream = Stream::new(false);
    let before = (stream.keys(ROOT), stream.page_time(ROOT));
    for kind in [75, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91] {
        assert_eq!(stream.raw(&[kind, 3, 0, 0, 0, 1, 2, 3]).unwrap(), Handled::Done, "{kind}");
    }
    assert_eq!(stream.raw(&[21, 3, 0, 9]).unwrap(), Handled::Done);
    assert_eq!(stream.raw(&[57, 3, 0]).unwrap(), Handled::Done);
    // A request for a page is of a time: the database is as old at least.
    let mut patch = [0; 46];
    (patch[0], patch[1], patch[2]) = (66, SLOT.0, ROOT as u8);
    patch[6..14].copy_from_slice(&7777_u64.to_le_bytes());
    assert_eq!(stream.raw(&patch).unwrap(), Handled::Done);
    assert_eq!(stream.redo.database(SLOT).unwrap().db_time, DbTime(7777));
    assert_eq!((stream.keys(ROOT), stream.page_time(ROOT)), before);
}

#[test]
fn a_refreshed_transaction_goes_on_at_its_new_time() {
    let mut stream = Stream::new(false);
    stream.apply(&Record::Refresh(Refresh { session: SESSION, transaction: TransactionTime(40) })).unwrap();
    let session = stream.redo.sessions().next().unwrap();
    assert_eq!((session.level, session.transaction), (1, TransactionTime(40)));
}

/// A macro that was given up leaves no trace, and has nothing left to commit.
#[test]
fn a_macro_that_was_given_up() {
    let mut stream = Stream::new(false);
    let keys = stream.keys(ROOT);
    let node = stream.node(ROOT, 0);
    let mark = Macro { session: SESSION, db_time: node.page.db_time };
    stream.apply(&Record::MacroBegin(mark)).unwrap();
    let insert = Insert { node, key_prefix: &[], key_suffix: b"A", data: b"data" };
    stream.apply(&Record::Insert(insert)).unwrap();
    stream.apply(&Record::MacroAbort(mark)).unwrap();
    assert_eq!(stream.keys(ROOT), keys);
    assert_eq!(stream.number(&Record::MacroCommit(mark)), -501);
}

/// What is in a macro must be a split, a merge or a root move.
#[test]
fn a_macro_of_something_else() {
    let mut stream = Stream::new(false);
    let node = stream.node(ROOT, 0);
    let mark = Macro { session: SESSION, db_time: node.page.db_time };
    stream.apply(&Record::MacroBegin(mark)).unwrap();
    stream.apply(&Record::FlagDelete(Delete { node })).unwrap();
    assert_eq!(stream.number(&Record::MacroCommit(mark)), -1852);
}

#[test]
fn a_merge_whose_nodes_are_in_no_image() {
    for (kind, image, number) in [
        (MergeKind::FULL_RIGHT, None, -255),
        (MergeKind::PARTIAL_LEFT, Some(&[][..]), -255),
        (MergeKind::EMPTY_PAGE, None, 0),
    ] {
        let mut stream = Stream::new(false);
        for page in [11, 12, 13] {
            stream.create_tree(page);
        }
        let (left, right) = (stream.page_time(11), stream.page_time(13));
        let page = stream.prefix(12, 0);
        let fields = MergeFields {
            right_page: PageNumber(13),
            right_db_time_before: right,
            left_page: PageNumber(11),
            left_db_time_before: left,
            root: PageNumber(ROOT),
            object: OBJECT,
            kind,
            ..MergeFields::default()
        };
        let image = image.map(|bytes| BeforeImage { flags: BeforeImageFlags::empty(), bytes });
        let mark = Macro { session: SESSION, db_time: page.db_time };
        stream.apply(&Record::MacroBegin(mark)).unwrap();
        // The older form of the record, which holds no image, is refused where it stands.
        let image = image.or(Some(BeforeImage { flags: BeforeImageFlags::empty(), bytes: &[] }));
        stream.apply(&Record::Merge(Merge { page, fields, parent_separator: &[], image })).unwrap();
        assert_eq!(stream.number(&Record::MacroCommit(mark)), number, "{kind:?}");
    }
}

/// Records that do not fit the page they name.
#[test]
fn changes_that_do_not_fit() {
    let mut stream = Stream::new(false);
    let node = stream.node(ROOT, 0);
    let compressed = Insert { node, key_prefix: b"no such prefix", key_suffix: b"", data: b"" };
    assert_eq!(stream.number(&Record::Insert(compressed)), -1852);
    let number = |make: &dyn Fn(NodePrefix) -> Record<'static>| {
        let mut stream = Stream::new(false);
        let node = stream.node(ROOT, 7);
        stream.number(&make(node))
    };
    let data: &[u8] = b"more";
    // No such line.
    assert!(number(&|node| Record::Delete(Delete { node })) < 0);
    assert!(number(&|node| Record::FlagDelete(Delete { node })) < 0);
    let replace = |node, new_size| Replace { node, old_size: 4, new_size, long_entries: false, data };
    assert!(number(&|node| Record::Replace(replace(node, 4))) < 0);
    // Another size than it says; a difference that reaches beyond the data.
    assert_eq!(number(&|node| Record::Replace(replace(node, 5))), -1852);
    let difference: &[u8] = &[0xFF, 0x20, 1, 0xAA];
    let diff = |node: NodePrefix| {
        let node = NodePrefix { page: PagePrefix { line: 0, ..node.page }, ..node };
        Record::ReplaceDiff(Replace { node, old_size: 4, new_size: 4, long_entries: false, data: difference })
    };
    assert_eq!(number(&diff), -501);
    // As many scrubbed nodes as there are, each in a known way.
    let scrub = |node, operations: &'static [u8]| {
        let (scrub_flags, operation_count) = (ScrubFlags::empty(), operations.len() as u32);
        Record::Scrub(Scrub { node, scrub_flags, operation_count, data: operations })
    };
    assert_eq!(number(&|node| scrub(node, &[0, 0])), -1852);
    assert_eq!(number(&|node| scrub(node, &[0, 0, 3])), -1852);
    assert_eq!(number(&|node| scrub(node, &[0, 0, 1])), 0);
    let header = vec![7_u8; SIZE as usize].leak();
    assert!(number(&|node| Record::SetExternalHeader(SetExternalHeader { node, data: header })) < 0);
    // A page of an emptied tree has its own counter.
    let list = |time: u64| {
        let empty = EmptyPage { db_time_before: DbTime(time), page_number: PageNumber(ROOT), page_flags: 0 };
        empty.to_bytes().to_vec().leak()
    };
    let (old, new) = (list(5000), list(60));
    let late =
        |node: NodePrefix| NodePrefix { page: PagePrefix { db_time: DbTime(9000), ..node.page }, ..node };
    assert_eq!(number(&|node| Record::EmptyTree(EmptyTree { node: late(node), page_list: old })), -566);
    assert_eq!(number(&|node| Record::EmptyTree(EmptyTree { node: late(node), page_list: new })), -567);
}

/// Transactions that began in front of the first record, positions up to the attach, databases that are not there: no page
/// changes, and the counters follow all the same.
#[test]
fn records_of_which_only_the_counters_count() {
    for reason in ["session", "attach", "deferred"] {
        let mut stream = Stream::new(false);
        let keys = stream.keys(ROOT);
        let mut node = stream.node(ROOT, 0);
        (node.page.db_time, node.object) = (DbTime(900), ObjectId(77));
        let database = stream.redo.database_mut(SLOT).unwrap();
        match reason {
            "session" => node.page.session = SessionId(99),
            "attach" => database.attach_position = LogPosition::new(2, 0, 0),
            _ => database.deferred = true,
        }
        let insert = Insert { node, key_prefix: &[], key_suffix: b"A", data: b"data" };
        stream.apply(&Record::Insert(insert)).unwrap();
        let database = stream.redo.database(SLOT).unwrap();
        assert_eq!((database.db_time, database.last_object), (DbTime(900), ObjectId(77)), "{reason}");
        assert_eq!(stream.keys(ROOT), keys, "{reason}");
    }
    // No slot at all.
    let mut stream = Stream::new(false);
    let mut node = stream.node(ROOT, 0);
    node.page.database = DatabaseSlot(4);
    let insert = Insert { node, key_prefix: &[], key_suffix: b"A", data: b"data" };
    assert_eq!(stream.number(&Record::Insert(insert)), 0);
}

/// What commits has nothing to undo, what does not has: also through levels, and when its version had been rolled back.
#[test]
fn versions_follow_their_transaction() {
    let mut stream = Stream::new(false);
    let count = |stream: &Stream| stream.redo.sessions().next().unwrap().versions.len();
    assert_eq!(count(&stream), 3);
    let commit = CommitOutermost { session: SESSION, level_after: 0, commit_time: TransactionTime(12) };
    stream.apply(&Record::Commit0(commit)).unwrap();
    assert_eq!(count(&stream), 0);
    assert_eq!(stream.redo.last_commit().unwrap().1, TransactionTime(12));
    stream.begin();
    let node = stream.node(ROOT, 1);
    stream.apply(&Record::FlagDelete(Delete { node })).unwrap();
    let session = stream.redo.sessions().next().unwrap();
    let version = session.versions.newest().unwrap();
    assert_eq!((version.id, session.versions.key(version)), (node.version, &b"b"[..]));
    // One that a record is made of by proxy, for a transaction that has ended, makes none.
    let mut node = stream.node(ROOT, 2);
    node.page.level = 0;
    stream.apply(&Record::FlagDelete(Delete { node })).unwrap();
    assert_eq!(count(&stream), 1);
}
