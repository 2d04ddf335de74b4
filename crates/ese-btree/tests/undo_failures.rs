//! Undo of single operations, and operations that cannot be undone: recovery ends with the engine's number, and nothing is
//! guessed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod stream_bed;

use ese_btree::{Fetched, UndoError, UndoLog, page_flags};
use ese_format::{DbTime, JetError, LogPosition, PageNumber};
use ese_log::record::{
    Delete, Delta, Delta64, Insert, Record, RecordKind, Replace, UndoInfo, VersionOperation,
};
use stream_bed::{ROOT, SLOT, Stream};

/// Takes records, up to a number of them.
struct Records {
    kinds: Vec<RecordKind>,
    most: usize,
}

impl Records {
    fn any() -> Self {
        Self { kinds: Vec::new(), most: usize::MAX }
    }
}

impl UndoLog for Records {
    fn append(&mut self, record: &Record<'_>) -> Result<LogPosition, UndoError> {
        if self.kinds.len() == self.most {
            return Err(UndoError::Log { message: "full".to_owned(), jet: JetError::LOG_DISK_FULL });
        }
        self.kinds.push(record.kind());
        Ok(LogPosition::new(2, 1, self.kinds.len() as u16))
    }
}

/// Data and whether it is deleted, of every node.
fn nodes(stream: &mut Stream) -> Vec<(Vec<u8>, Vec<u8>, bool)> {
    let Ok(Fetched::Page(frame)) = stream.redo.cache().fetch(SLOT, PageNumber(ROOT)) else { panic!() };
    let page = stream.redo.cache().page(frame);
    let node = |line| page.node(line).map(|n| (n.key(), n.data.to_vec(), n.is_deleted())).unwrap();
    (0..page.line_count()).map(node).collect()
}

fn committed() -> Stream {
    let mut stream = Stream::new(false);
    stream.redo.end_sessions();
    stream.begin();
    stream
}

/// Every operation, undone: the page is as it was, and the log says how.
#[test]
fn each_operation_is_taken_back() {
    let mut stream = committed();
    let before = nodes(&mut stream);
    let node = stream.node(ROOT, 0);
    let replace = Replace { node, old_size: 4, new_size: 6, long_entries: false, data: b"longer" };
    stream.apply(&Record::Replace(replace)).unwrap();
    let node = stream.node(ROOT, 1);
    stream.apply(&Record::FlagDelete(Delete { node })).unwrap();
    let node = stream.node(ROOT, 2);
    let delta = Delta { node, delta: -5, offset: 0, bookmark_key: b"c", bookmark_data: &[] };
    stream.apply(&Record::Delta(delta)).unwrap();
    let node = stream.node(ROOT, 3);
    stream.apply(&Record::Insert(Insert { node, key_prefix: &[], key_suffix: b"d", data: &[9; 8] })).unwrap();
    let node = stream.node(ROOT, 3);
    let delta = Delta64 { node, delta: i64::MAX, offset: 0, bookmark_key: b"d", bookmark_data: &[] };
    stream.apply(&Record::Delta64(delta)).unwrap();
    assert_ne!(nodes(&mut stream)[..3], before[..]);
    let mut log = Records::any();
    let undone = stream.redo.undo_all(&mut log).unwrap();
    assert_eq!((undone.transactions, undone.operations), (1, 5));
    let after = nodes(&mut stream);
    assert_eq!(after[..3], before[..]);
    // What was inserted is left to clean-up.
    assert_eq!(after[3], (b"d".to_vec(), vec![9; 8], true));
    let (info, undo) = (RecordKind::UNDO_INFO, RecordKind::UNDO);
    assert_eq!(log.kinds, [undo, undo, undo, info, undo, info, undo, RecordKind::ROLLBACK]);
}

#[test]
fn a_log_that_takes_no_more() {
    let mut stream = committed();
    let node = stream.node(ROOT, 1);
    stream.apply(&Record::FlagDelete(Delete { node })).unwrap();
    for most in 0..3 {
        let error = stream.redo.undo_all(&mut Records { kinds: Vec::new(), most }).unwrap_err();
        assert_eq!(error.jet_error(), JetError::LOG_DISK_FULL);
        if most == 0 {
            // Not taken back without its record.
            assert!(nodes(&mut stream)[1].2);
            break;
        }
    }
}

/// The page has the change already, so that the before-image must come from the log. Without it nothing is undone.
#[test]
fn a_before_image_that_nobody_has() {
    for comes in [false, true] {
        let mut stream = committed();
        let time = stream.page_time(ROOT);
        stream.redo.database_mut(SLOT).unwrap().future_data = true;
        let mut node = stream.node(ROOT, 0);
        (node.page.db_time, node.page.db_time_before) = (time, DbTime(90));
        let replace = Replace { node, old_size: 4, new_size: 4, long_entries: false, data: b"new!" };
        stream.apply(&Record::Replace(replace)).unwrap();
        if comes {
            let mut node = node;
            (node.page.db_time, node.page.db_time_before) = (DbTime::NIL, DbTime::NIL);
            let info = UndoInfo {
                node,
                operation: VersionOperation::REPLACE,
                largest_size: 4,
                size_change: 0,
                bookmark_key: b"a",
                bookmark_data: &[],
                before_image: b"from the log",
            };
            stream.apply(&Record::UndoInfo(info)).unwrap();
            stream.redo.undo_all(&mut Records::any()).unwrap();
            assert_eq!(nodes(&mut stream)[0].1, b"from the log");
            continue;
        }
        let mut log = Records::any();
        let error = stream.redo.undo_all(&mut log).unwrap_err();
        assert!(matches!(error, UndoError::BeforeImageMissing { count: 1, .. }), "{error}");
        assert_eq!(error.jet_error(), JetError::ROLLBACK_ERROR);
        assert!(log.kinds.is_empty());
    }
}

#[test]
fn a_node_that_is_not_in_its_tree() {
    let mut stream = committed();
    let time = stream.page_time(ROOT);
    stream.redo.database_mut(SLOT).unwrap().future_data = true;
    let mut node = stream.node(ROOT, 0);
    (node.page.db_time, node.page.db_time_before) = (time, DbTime(90));
    let insert = Insert { node, key_prefix: &[], key_suffix: b"nowhere", data: b"" };
    stream.apply(&Record::Insert(insert)).unwrap();
    let mut log = Records::any();
    let error = stream.redo.undo_all(&mut log).unwrap_err();
    assert!(matches!(error, UndoError::NodeMissing { .. }), "{error}");
    assert_eq!(error.jet_error(), JetError::ROLLBACK_ERROR);
    assert!(log.kinds.is_empty());
}

/// A branch page that leads to itself.
#[test]
fn a_tree_without_an_end() {
    let mut stream = committed();
    let node = stream.node(ROOT, 0);
    stream.apply(&Record::FlagDelete(Delete { node })).unwrap();
    let Ok(Fetched::Page(frame)) = stream.redo.cache().fetch(SLOT, PageNumber(ROOT)) else { panic!() };
    let mut page = stream.redo.cache().page_mut(frame, LogPosition::NONE);
    let flags = page.flags() & !page_flags::LEAF;
    page.set_flags(flags);
    for line in 0..3 {
        page.replace_data(line, &ROOT.to_le_bytes()).unwrap();
    }
    let error = stream.redo.undo_all(&mut Records::any()).unwrap_err();
    assert!(matches!(error, UndoError::EndlessTree { .. }), "{error}");
    assert_eq!(error.jet_error(), JetError::ROLLBACK_ERROR);
}
