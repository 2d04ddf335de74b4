//! The order of a deep verification.

use ese_btree::PageSource;
use ese_format::{DbTime, ObjectId, PageFlags, PageNumber};

use super::finding::{DeepFinding, DeepProblem, FindingSeverity};
use super::page_map::PageMap;
use super::tree_check::TreeSpec;
use crate::reader::{DatabaseReader, ReaderError};

/// What a deep verification went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeepSummary {
    /// Tables, system tables included.
    pub tables: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Entries of secondary indexes.
    pub index_entries: u64,
    /// Long values.
    pub long_values: u64,
    /// Pages of trees.
    pub tree_pages: u64,
    /// Indexes whose keys could not be computed (Unicode text whose sort keys are not known): only their bookmarks were
    /// compared.
    pub indexes_by_bookmark: u64,
    /// Findings of severity error.
    pub errors: u64,
    /// Findings of severity warning.
    pub warnings: u64,
    /// Findings of severity information.
    pub informations: u64,
}

/// Findings of one kind about one tree that are reported; more are counted only.
const MAX_ALIKE: u32 = 20;

/// Verifies everything that ties a database together, and reports each finding to `sink`. `interrupted` is asked now and
/// then; when it says yes the verification ends early.
///
/// # Errors
/// When nothing can be verified at all: the root's space or the catalog cannot be read. What was found before was
/// reported.
pub fn deep_verify(
    reader: &DatabaseReader,
    interrupted: &dyn Fn() -> bool,
    sink: &mut dyn FnMut(DeepFinding),
) -> Result<DeepSummary, ReaderError> {
    let header = reader.header();
    let mut checker = Checker {
        reader,
        interrupted,
        sink,
        map: PageMap::new(reader.source().last_page()),
        summary: DeepSummary::default(),
        db_time_limit: header.db_time(),
        db_time_severity: if header.log_signature().is_none() {
            FindingSeverity::Warning
        } else {
            FindingSeverity::Error
        },
        highest_object: ObjectId(0),
        alike: (None, "", 0),
    };
    if !header.is_clean() {
        // The header of a database in use lags behind its pages.
        checker.db_time_limit = DbTime(u64::MAX);
        checker.find(FindingSeverity::Warning, Place::NONE, DeepProblem::NotClean);
    }
    checker.run()?;
    Ok(checker.summary)
}

/// Where a finding is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) object: Option<ObjectId>,
    pub(super) page: Option<PageNumber>,
    pub(super) line: Option<usize>,
}

impl Place {
    pub(super) const NONE: Self = Self { object: None, page: None, line: None };

    pub(super) const fn object(object: ObjectId) -> Self {
        Self { object: Some(object), page: None, line: None }
    }

    pub(super) const fn page(object: ObjectId, page: PageNumber) -> Self {
        Self { object: Some(object), page: Some(page), line: None }
    }

    pub(super) const fn line(object: ObjectId, page: PageNumber, line: usize) -> Self {
        Self { object: Some(object), page: Some(page), line: Some(line) }
    }
}

/// State of a verification.
pub(super) struct Checker<'d> {
    pub(super) reader: &'d DatabaseReader,
    interrupted: &'d dyn Fn() -> bool,
    sink: &'d mut dyn FnMut(DeepFinding),
    pub(super) map: PageMap,
    pub(super) summary: DeepSummary,
    pub(super) db_time_limit: DbTime,
    pub(super) db_time_severity: FindingSeverity,
    pub(super) highest_object: ObjectId,
    /// The last findings of one kind about one tree.
    alike: (Option<ObjectId>, &'static str, u32),
}

impl Checker<'_> {
    /// Reports a finding.
    pub(super) fn find(&mut self, severity: FindingSeverity, place: Place, problem: impl Into<DeepProblem>) {
        let problem = problem.into();
        match severity {
            FindingSeverity::Error => self.summary.errors += 1,
            FindingSeverity::Warning => self.summary.warnings += 1,
            FindingSeverity::Information => self.summary.informations += 1,
        }
        let kind = problem.name();
        if (self.alike.0, self.alike.1) == (place.object, kind) {
            self.alike.2 += 1;
        } else {
            self.alike = (place.object, kind, 1);
        }
        if self.alike.2 <= MAX_ALIKE {
            let Place { object: object_id, page, line } = place;
            (self.sink)(DeepFinding { severity, page, line, object_id, problem });
        }
    }

    /// Reports an error.
    pub(super) fn error(&mut self, place: Place, problem: impl Into<DeepProblem>) {
        self.find(FindingSeverity::Error, place, problem);
    }

    /// Whether the user wants to stop.
    pub(super) fn is_interrupted(&self) -> bool {
        (self.interrupted)()
    }

    fn run(&mut self) -> Result<(), ReaderError> {
        let owned_last = self.reader.source().last_page();
        // The database root: its space is the whole file's.
        let root = ObjectId(1);
        let spec = TreeSpec { root: PageNumber(1), object: root, kind: PageFlags::empty(), owned: None };
        let space = self.check_space(&spec, None, PageNumber::NONE);
        let last_owned = space.as_ref().map_or(owned_last, super::space_check::OwnedRanges::last);
        if last_owned > self.reader.file_pages() {
            let problem = DeepProblem::FileTooShort { owned: last_owned, file: self.reader.file_pages() };
            self.error(Place::NONE, problem);
        }
        self.walk_tree(&spec, &mut |_, _, _| {});
        self.check_catalog(space.as_ref())?;
        if let Some(space) = &space
            && !self.is_interrupted()
        {
            for (first, count) in self.map.unused_runs() {
                if space.contains(first) {
                    let place = Place { page: Some(first), ..Place::NONE };
                    self.find(FindingSeverity::Information, place, DeepProblem::Leaked { count });
                }
            }
        }
        let limit = self.reader.header().last_object_id();
        if self.reader.header().is_clean() && self.highest_object > limit {
            let problem = DeepProblem::ObjectIdBeyondLast { found: self.highest_object, limit };
            self.error(Place::NONE, problem);
        }
        let corrected = self.reader.source().corrected_pages();
        if corrected > 0 {
            self.find(FindingSeverity::Warning, Place::NONE, DeepProblem::Corrected { count: corrected });
        }
        Ok(())
    }
}
