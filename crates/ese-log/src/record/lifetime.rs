//! Records of the life of the instance and of its databases.

use bitflags::bitflags;
use ese_format::{DbTime, LogPosition, LogTime, PageNumber, Signature};

use super::body::{self, Body};
use super::error::{EncodeError, RecordError};
use super::field::{Field, FieldValue, FieldVisitor, flags_field, get_at, put_at};
use super::kind::RecordKind;
use super::layout::layout;
use super::path::LoggedPath;
use super::prefix::{DatabaseSlot, SessionId};

/// Size of the parameter block in bytes.
const PARAMETERS: usize = 567;

/// The instance starts (types 1 Init and 49 Init2, which has a time).
///
/// | offset | size | field |
/// |-------:|-----:|-------|
/// | 1   | 567 | `parameters` |
/// | 568 | 8 | Init2: `time` |
#[doc(alias = "LRINIT")]
#[doc(alias = "LRINIT2")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init<'a> {
    /// The instance's parameters as in log headers. Recovery may ignore them.
    #[doc(alias = "DBMS_PARAM")]
    pub parameters: &'a [u8; PARAMETERS],
    /// When the instance started. `None` makes the record an Init.
    pub time: Option<LogTime>,
}

impl<'a> Body<'a> for Init<'a> {
    const FIXED: usize = 1 + PARAMETERS;

    fn read(kind: RecordKind, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let wanted = if kind == RecordKind::INIT2 { 1 + PARAMETERS + 8 } else { 1 + PARAMETERS };
        let parameters = bytes.get(1..).and_then(|rest| rest.first_chunk::<PARAMETERS>());
        match parameters {
            Some(parameters) if bytes.len() == wanted => {
                let time = (kind == RecordKind::INIT2).then(|| get_at(bytes, 1 + PARAMETERS));
                Ok(Self { parameters, time })
            }
            _ => Err(RecordError::size(kind, wanted, bytes.len())),
        }
    }

    fn write(&self, kind: RecordKind, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(kind.0);
        out.extend_from_slice(self.parameters);
        if let Some(time) = self.time {
            out.extend_from_slice(&time.0);
        }
        Ok(())
    }

    fn list_body(&self, visit: &mut FieldVisitor<'_>) {
        if let Some(time) = self.time {
            visit("time", FieldValue::Time(time));
        }
        visit("parameters", FieldValue::Bytes(self.parameters));
    }
}

layout! {
    /// The end of a run, or of a recovery, as it was before times were logged (types 2 Term and 18 RecoveryQuit).
    /// 18 bytes.
    #[doc(alias = "LRTERMREC")]
    #[derive(Default)]
    pub struct Quit [18] {
        /// For the end of a run: its Init2 record. For the end of a recovery: its RecoveryUndo2 record.
        #[doc(alias = "lgpos")]
        1 => start: LogPosition,
        /// Where redo began; zero at the end of a run (garbage in old files).
        #[doc(alias = "lgposRedoFrom")]
        9 => redo_from: LogPosition,
        /// Not zero after hard recovery (restore).
        #[doc(alias = "fHard")]
        17 => hard: u8,
    }
}

layout! {
    /// The end of a run, or of a recovery (types 50 Term2, 52 RecoveryQuit2, 80 RecoveryQuitKeepAttachments). 26 bytes.
    #[doc(alias = "LRTERMREC2")]
    #[doc(alias = "LRRECOVERYQUIT2")]
    pub struct TimedQuit [26] {
        /// The fields of the untimed form, 18 bytes.
        0 => quit: Quit,
        /// When.
        18 => time: LogTime,
    }
}

layout! {
    /// Recovery begins to undo (type 51). 9 bytes.
    #[doc(alias = "LRRECOVERYUNDO2")]
    pub struct RecoveryUndo [9] {
        /// When.
        1 => time: LogTime,
    }
}

bitflags! {
    /// Flags of a CreateDB, AttachDB or DetachDB record.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct DatabaseRecordFlags: u8 {
        /// CreateDB: four bytes of version stand in front of the path.
        #[doc(alias = "fCreateDbVersion")]
        const VERSION = 0x04;
        /// CreateDB and AttachDB: the path is UTF-16LE.
        #[doc(alias = "fLRCreateDbUnicodePath")]
        const WIDE_PATH = 0x08;
        /// CreateDB and AttachDB: the file is sparse. DetachDB: the path is UTF-16LE.
        #[doc(alias = "fLRCreateDbSparse")]
        const SPARSE_OR_WIDE_DETACH = 0x10;
    }
}

flags_field! { DatabaseRecordFlags, u8; }

layout! {
    /// How the first pages of a created database come about. 4 bytes.
    #[derive(Default)]
    pub struct CreateDatabaseVersion [4] {
        /// 2: the records that follow build them. 1: the engine does, as Windows 7 did.
        #[doc(alias = "usVersion")]
        0 => version: u16,
        /// Highest update that an engine must know.
        #[doc(alias = "usUpdateMajor")]
        2 => update_major: u16,
    }
}

/// A database is created (type 14).
///
/// | offset | size | field |
/// |-------:|-----:|-------|
/// | 1  | 2 | `session` |
/// | 3  | 1 | `database` |
/// | 4  | 4 | `options` |
/// | 8  | 4 | `largest_page_count` |
/// | 12 | 28 | `signature` |
/// | 40 | 2 | length of `path`, without `version` |
/// | 42 | 1 | `flags` |
/// | 43 | 4 | `version`, when the flags say so |
/// | 43 or 47 | | `path` |
#[doc(alias = "LRCREATEDB")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateDatabase<'a> {
    /// Session.
    pub session: SessionId,
    /// Slot that the database gets.
    pub database: DatabaseSlot,
    /// Options of the call.
    #[doc(alias = "grbit")]
    pub options: u32,
    /// Limit of the database's size in pages; 0 for none.
    #[doc(alias = "cpgDatabaseSizeMax")]
    pub largest_page_count: u32,
    /// The new database's signature.
    #[doc(alias = "signDb")]
    pub signature: Signature,
    /// Flags as stored; the bit for the version follows `version`.
    pub flags: DatabaseRecordFlags,
    /// How the first pages come about; `None` in logs before 7.3704.8.
    pub version: Option<CreateDatabaseVersion>,
    /// Path of the file, terminator included, as stored.
    pub path: &'a [u8],
}

impl<'a> CreateDatabase<'a> {
    /// The path as text.
    #[must_use]
    pub fn logged_path(&self) -> LoggedPath<'a> {
        LoggedPath { bytes: self.path, wide: self.flags.contains(DatabaseRecordFlags::WIDE_PATH) }
    }
}

impl<'a> Body<'a> for CreateDatabase<'a> {
    const FIXED: usize = 43;

    fn read(kind: RecordKind, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (fixed, rest) = body::split_fixed::<43>(kind, bytes)?;
        let flags: DatabaseRecordFlags = get_at(fixed, 42);
        let (version, rest) = if flags.contains(DatabaseRecordFlags::VERSION) {
            let (version, rest) = body::take(kind, bytes, rest, 4)?;
            (Some(get_at(version, 0)), rest)
        } else {
            (None, rest)
        };
        let (path, rest) = body::take(kind, bytes, rest, body::length(get_at::<u16>(fixed, 40)))?;
        body::nothing_left(kind, bytes, rest)?;
        Ok(Self {
            session: get_at(fixed, 1),
            database: get_at(fixed, 3),
            options: get_at(fixed, 4),
            largest_page_count: get_at(fixed, 8),
            signature: get_at(fixed, 12),
            flags,
            version,
            path,
        })
    }

    fn write(&self, kind: RecordKind, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let length: u16 = body::count(kind, "path", self.path.len())?;
        let mut flags = self.flags;
        flags.set(DatabaseRecordFlags::VERSION, self.version.is_some());
        let fixed = body::begin_fixed::<43>(kind, out);
        put_at(fixed, 1, &self.session);
        put_at(fixed, 3, &self.database);
        put_at(fixed, 4, &self.options);
        put_at(fixed, 8, &self.largest_page_count);
        put_at(fixed, 12, &self.signature);
        put_at(fixed, 40, &length);
        put_at(fixed, 42, &flags);
        if let Some(version) = self.version {
            out.extend_from_slice(&version.version.to_le_bytes());
            out.extend_from_slice(&version.update_major.to_le_bytes());
        }
        out.extend_from_slice(self.path);
        Ok(())
    }

    fn list_body(&self, visit: &mut FieldVisitor<'_>) {
        self.session.list("session", visit);
        self.database.list("database", visit);
        self.options.list("options", visit);
        self.largest_page_count.list("largest_page_count", visit);
        self.signature.list("signature", visit);
        self.flags.list("flags", visit);
        if let Some(version) = self.version {
            Field::list(&version, "version", visit);
        }
        self.logged_path().list("path", visit);
    }
}

layout! {
    /// A database is attached (type 15).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1  | 2 | `session` |
    /// | 3  | 1 | `database` |
    /// | 4  | 4 | `largest_page_count` |
    /// | 8  | 8 | `consistent` |
    /// | 16 | 28 | `signature` |
    /// | 44 | 28 | `log_signature` |
    /// | 72 | 2 | length of `path` |
    /// | 74 | 1 | `flags` |
    /// | 75 |   | `path` |
    #[doc(alias = "LRATTACHDB")]
    pub struct AttachDatabase<'a> [75] {
        /// Session.
        1 => session: SessionId,
        /// Slot that the database gets.
        3 => database: DatabaseSlot,
        /// Limit of the database's size in pages; 0 for none.
        #[doc(alias = "cpgDatabaseSizeMax")]
        4 => largest_page_count: u32,
        /// Position of the last clean detach that the header had before.
        #[doc(alias = "lgposConsistent")]
        8 => consistent: LogPosition,
        /// The database's signature.
        #[doc(alias = "signDb")]
        16 => signature: Signature,
        /// Signature of the log stream that the header had before.
        #[doc(alias = "signLog")]
        44 => log_signature: Signature,
        /// Flags.
        74 => flags: DatabaseRecordFlags,
    }
    payload {
        /// Path of the file, terminator included, as stored.
        72, u16 => path,
    }
}

impl<'a> AttachDatabase<'a> {
    /// The path as text.
    #[must_use]
    pub fn logged_path(&self) -> LoggedPath<'a> {
        LoggedPath { bytes: self.path, wide: self.flags.contains(DatabaseRecordFlags::WIDE_PATH) }
    }
}

layout! {
    /// A database is detached (type 16).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 2 | `session` |
    /// | 3 | 1 | `database` |
    /// | 4 | 2 | length of `path` |
    /// | 6 | 1 | `flags` |
    /// | 7 |   | `path` |
    #[doc(alias = "LRDETACHDB")]
    pub struct DetachDatabase<'a> [7] {
        /// Session.
        1 => session: SessionId,
        /// Slot of the database.
        3 => database: DatabaseSlot,
        /// Flags.
        6 => flags: DatabaseRecordFlags,
    }
    payload {
        /// Path of the file, terminator included, as stored.
        4, u16 => path,
    }
}

impl<'a> DetachDatabase<'a> {
    /// The path as text.
    #[must_use]
    pub fn logged_path(&self) -> LoggedPath<'a> {
        let wide = self.flags.contains(DatabaseRecordFlags::SPARSE_OR_WIDE_DETACH);
        LoggedPath { bytes: self.path, wide }
    }
}

layout! {
    /// A database is completely created (type 79). 4 bytes.
    #[doc(alias = "LRCREATEDBFINISH")]
    pub struct CreateDatabaseFinish [4] {
        /// Session.
        1 => session: SessionId,
        /// Slot of the database.
        3 => database: DatabaseSlot,
    }
}

layout! {
    /// A database that recovery left attached goes on (type 72), skippable.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1  | 4 | length of what follows offset 5 |
    /// | 5  | 1 | `database` |
    /// | 6  | 8 | `attach` |
    /// | 14 | 8 | `consistent` |
    /// | 22 | 28 | `signature` |
    #[doc(alias = "LRREATTACHDB")]
    pub struct ReAttach<'a> [50] {
        /// Slot of the database.
        5 => database: DatabaseSlot,
        /// Position of its attach.
        #[doc(alias = "lgposAttach")]
        6 => attach: LogPosition,
        /// Position of its last clean detach; zero if it never had one.
        #[doc(alias = "lgposConsistent")]
        14 => consistent: LogPosition,
        /// The database's signature.
        #[doc(alias = "signDb")]
        22 => signature: Signature,
    }
    rest
    /// Bytes beyond the known fields.
    more
}

layout! {
    /// A database's format version is raised (type 92). 14 bytes. Since log version 8.4000.6.20.
    #[doc(alias = "LRSETDBVERSION")]
    pub struct SetDatabaseVersion [14] {
        /// Slot of the database.
        1 => database: DatabaseSlot,
        /// Major version.
        #[doc(alias = "dbMajor")]
        2 => major: u32,
        /// Update of the major version.
        #[doc(alias = "dbUpdateMajor")]
        6 => update_major: u32,
        /// Minor update.
        #[doc(alias = "dbUpdateMinor")]
        10 => update_minor: u32,
    }
}

layout! {
    /// Work after an attach may begin (type 97). 2 bytes.
    #[doc(alias = "LRSIGNALATTACHDB")]
    pub struct SignalAttach [2] {
        /// Slot of the database.
        1 => database: DatabaseSlot,
    }
}

layout! {
    /// A damaged page asks for its content from elsewhere (type 66). 46 bytes. No effect on pages.
    #[doc(alias = "LRPAGEPATCHREQUEST")]
    pub struct PagePatchRequest [46] {
        /// Slot of the database.
        1 => database: DatabaseSlot,
        /// The page.
        2 => page_number: PageNumber,
        /// Database time of the request.
        6 => db_time: DbTime,
        /// Reserved.
        14 => reserved: [u8; 32],
    }
}
