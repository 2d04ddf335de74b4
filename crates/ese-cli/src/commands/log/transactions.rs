//! Which transactions are open, and what they have done so far.

use std::collections::{BTreeMap, BTreeSet};

use ese_format::{LogPosition, LogTime};
use ese_log::record::{Record, SessionId, TransactionTime};

/// Distinct pages that are remembered of one transaction, and of all together. Beyond that they are no longer counted
/// apart: memory stays bounded whatever a log holds.
const PAGES_OF_ONE: usize = 1024;
const PAGES_OF_ALL: usize = 1 << 20;

/// A transaction from its first record on.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) session: SessionId,
    /// Where and when it began; `None` when the logs begin later.
    pub(super) begin: Option<(LogPosition, LogTime)>,
    /// Its begin time stamp, where a record told it.
    pub(super) stamp: Option<TransactionTime>,
    /// Records of changes: of pages and of databases.
    pub(super) changes: u64,
    /// Changes that were taken back, one by one.
    pub(super) undone: u64,
    /// Pages touched: slot and number.
    pub(super) pages: BTreeSet<(u8, u32)>,
    /// There were more pages than could be remembered.
    pub(super) more_pages: bool,
    /// Trees touched: slot and object id. Bounded like the pages.
    pub(super) objects: BTreeSet<(u8, u32)>,
    /// Whether one of its records is among those that are asked for.
    pub(super) wanted: bool,
    /// Level that the session is at.
    level: u8,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Committed(TransactionTime),
    RolledBack,
    /// The instance began anew, or the logs end, with the transaction open.
    NeverEnded,
}

/// The open transactions, by session.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    open: BTreeMap<u16, Transaction>,
    /// Sessions of which a beginning or an end was seen: they have no transaction of unknown beginning.
    known: BTreeSet<u16>,
    pages: usize,
}

impl Transactions {
    /// Takes note of a record; returns the transaction that it ends.
    pub(super) fn follow(
        &mut self,
        position: LogPosition,
        record: &Record<'_>,
        time: LogTime,
        wanted: bool,
    ) -> Option<(Transaction, Ending)> {
        let session = record.session()?;
        match record {
            Record::Begin0(begin) | Record::BeginDistributed(begin) => {
                // A transaction that is still open lost its end: it must not swallow this one.
                let lost = self.close(session).map(|lost| (lost, Ending::NeverEnded));
                let mut transaction = Transaction::new(session, begin.levels.to());
                transaction.begin = Some((position, time));
                transaction.stamp = Some(begin.transaction);
                transaction.wanted = wanted;
                self.open.insert(session.0, transaction);
                self.known.insert(session.0);
                lost
            }
            Record::Begin(begin) => {
                let transaction = self.of(session);
                transaction.level = begin.levels.to();
                transaction.wanted |= wanted;
                None
            }
            Record::Commit(commit) => {
                let transaction = self.of(session);
                transaction.level = commit.level_after;
                transaction.wanted |= wanted;
                None
            }
            Record::Commit0(commit) => {
                self.of(session).wanted |= wanted;
                self.close(session).map(|closed| (closed, Ending::Committed(commit.commit_time)))
            }
            Record::Rollback(rollback) => {
                let transaction = self.of(session);
                transaction.wanted |= wanted;
                transaction.level = transaction.level.saturating_sub(rollback.level_count);
                if transaction.level > 0 {
                    return None;
                }
                self.close(session).map(|closed| (closed, Ending::RolledBack))
            }
            _ => {
                self.note_change(session, record, wanted);
                None
            }
        }
    }

    /// A record of the session that neither begins nor ends anything.
    fn note_change(&mut self, session: SessionId, record: &Record<'_>, wanted: bool) {
        let level = record.page_prefix().map_or(0, |prefix| prefix.level);
        // Without a known beginning only a change at some level shows that there is a transaction: what is done on
        // behalf of committed ones has level 0, and before-images may come late.
        let shows_transaction =
            level > 0 && !self.known.contains(&session.0) && !matches!(record, Record::UndoInfo(_));
        if !shows_transaction && !self.open.contains_key(&session.0) {
            return;
        }
        let room = PAGES_OF_ALL.saturating_sub(self.pages);
        let transaction = self.open.entry(session.0).or_insert_with(|| Transaction::new(session, level));
        transaction.wanted |= wanted;
        if transaction.begin.is_none() {
            transaction.level = transaction.level.max(level);
            transaction.stamp = transaction.stamp.or(record.page_prefix().map(|prefix| prefix.transaction));
        }
        match record {
            Record::Undo(_) => transaction.undone += 1,
            // Macro frames and before-images change nothing by themselves.
            Record::MacroBegin(_)
            | Record::MacroCommit(_)
            | Record::MacroAbort(_)
            | Record::UndoInfo(_)
            | Record::Trace(_)
            | Record::CommitContext(_) => return,
            _ => transaction.changes += 1,
        }
        let before = transaction.pages.len();
        let room = room.min(PAGES_OF_ONE.saturating_sub(before));
        record.visit_pages(&mut |database, page| {
            let key = (database.0, page.0);
            if transaction.pages.len() < before + room {
                transaction.pages.insert(key);
            } else if !transaction.pages.contains(&key) {
                transaction.more_pages = true;
            }
        });
        self.pages += transaction.pages.len() - before;
        if let (Some(database), Some(object)) = (record.database(), record.object())
            && transaction.objects.len() < PAGES_OF_ONE
        {
            transaction.objects.insert((database.0, object.0));
        }
    }

    /// The session's transaction; one of unknown beginning when none is open.
    fn of(&mut self, session: SessionId) -> &mut Transaction {
        self.open.entry(session.0).or_insert_with(|| Transaction::new(session, 0))
    }

    fn close(&mut self, session: SessionId) -> Option<Transaction> {
        let closed = self.open.remove(&session.0)?;
        self.known.insert(session.0);
        self.pages -= closed.pages.len().min(self.pages);
        Some(closed)
    }

    /// Takes all open transactions: nothing of them follows.
    pub(super) fn take_all(&mut self) -> Vec<Transaction> {
        self.pages = 0;
        self.known.clear();
        std::mem::take(&mut self.open).into_values().collect()
    }
}

impl Transaction {
    fn new(session: SessionId, level: u8) -> Self {
        Self {
            session,
            begin: None,
            stamp: None,
            changes: 0,
            undone: 0,
            pages: BTreeSet::new(),
            more_pages: false,
            objects: BTreeSet::new(),
            wanted: false,
            level,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ese_format::{DbTime, PageNumber};
    use ese_log::record::{
        Begin, BeginLevels, BeginOutermost, Commit, CommitOutermost, DatabaseSlot, Delete, NodePrefix,
        PagePrefix, Rollback,
    };

    const SESSION: SessionId = SessionId(5);

    fn begin(from: u8, count: u8) -> Record<'static> {
        let levels = BeginLevels::new(from, count);
        if from == 0 {
            let transaction = TransactionTime(8);
            Record::Begin0(BeginOutermost { session: SESSION, levels, transaction })
        } else {
            Record::Begin(Begin { session: SESSION, levels })
        }
    }

    fn delete(page: u32, level: u8) -> Record<'static> {
        let page = PagePrefix {
            session: SESSION,
            database: DatabaseSlot(1),
            page_number: PageNumber(page),
            db_time: DbTime(9),
            level,
            ..PagePrefix::default()
        };
        Record::Delete(Delete { node: NodePrefix { page, ..NodePrefix::default() } })
    }

    fn rollback(level_count: u8) -> Record<'static> {
        Record::Rollback(Rollback { session: SESSION, level_count })
    }

    fn commit0() -> Record<'static> {
        Record::Commit0(CommitOutermost {
            session: SESSION,
            level_after: 0,
            commit_time: TransactionTime(12),
        })
    }

    fn follow_all(records: &[Record<'_>]) -> (Vec<(Transaction, Ending)>, Transactions) {
        let mut transactions = Transactions::default();
        let ended = records
            .iter()
            .filter_map(|r| transactions.follow(LogPosition::new(1, 1, 0), r, LogTime::NONE, true))
            .collect();
        (ended, transactions)
    }

    #[test]
    fn a_committed_transaction_with_an_inner_rollback() {
        let (ended, mut rest) =
            follow_all(&[begin(0, 2), delete(7, 2), rollback(1), delete(8, 1), delete(7, 1), commit0()]);
        let [(transaction, ending)] = ended.as_slice() else { panic!("{ended:?}") };
        assert_eq!(*ending, Ending::Committed(TransactionTime(12)));
        assert_eq!((transaction.changes, transaction.pages.len()), (3, 2));
        assert!(transaction.begin.is_some());
        assert!(rest.take_all().is_empty());
    }

    #[test]
    fn rolled_back_when_the_last_level_goes() {
        let (ended, _) = follow_all(&[begin(0, 1), begin(1, 2), delete(7, 3), rollback(2), rollback(1)]);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].1, Ending::RolledBack);
    }

    #[test]
    fn a_beginning_before_the_log_is_unknown() {
        let commit = Record::Commit(Commit { session: SESSION, level_after: 1 });
        let (ended, _) = follow_all(&[delete(7, 2), commit, commit0(), delete(9, 0)]);
        assert_eq!(ended.len(), 1);
        assert!(ended[0].0.begin.is_none());
        let (ended, mut rest) = follow_all(&[delete(9, 0)]);
        assert!(ended.is_empty() && rest.take_all().is_empty());
    }

    #[test]
    fn what_comes_after_the_end_begins_nothing() {
        let late = Record::UndoInfo(ese_log::record::UndoInfo {
            node: NodePrefix {
                page: PagePrefix { session: SESSION, level: 1, ..PagePrefix::default() },
                ..NodePrefix::default()
            },
            operation: ese_log::record::VersionOperation::REPLACE,
            largest_size: 0,
            size_change: 0,
            bookmark_key: b"k",
            bookmark_data: b"",
            before_image: b"old",
        });
        let (ended, mut rest) = follow_all(&[begin(0, 1), delete(7, 1), commit0(), late, delete(7, 1)]);
        assert_eq!(ended.len(), 1);
        assert!(rest.take_all().is_empty());
        let (_, mut rest) = follow_all(&[late]);
        assert!(rest.take_all().is_empty());
    }

    #[test]
    fn a_transaction_without_an_end_does_not_swallow_the_next() {
        let (ended, mut rest) = follow_all(&[begin(0, 1), delete(7, 1), begin(0, 1)]);
        assert_eq!(ended[0].1, Ending::NeverEnded);
        assert_eq!(rest.take_all().len(), 1);
    }

    #[test]
    fn remembered_pages_are_bounded() {
        let records: Vec<Record<'_>> =
            std::iter::once(begin(0, 1)).chain((1..3000).map(|page| delete(page, 1))).collect();
        let (_, mut rest) = follow_all(&records);
        let open = rest.take_all();
        assert_eq!(open[0].pages.len(), PAGES_OF_ONE);
        assert!(open[0].more_pages);
        assert_eq!(open[0].changes, 2999);
    }
}
