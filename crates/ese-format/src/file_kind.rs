//! What a file is, told by its content.

use std::fmt;

use zerocopy::FromBytes;

use crate::{
    Checkpoint, CheckpointPair, DatabaseHeader, DatabaseHeaderPair, FileType, FlushMapHeader,
    LOG_SEGMENT_SIZE, LogHeader, PageCheck, PageNumber, PageSize, PageVerdict, PatchFileHeader,
    RawDatabaseHeader, RawLogSegmentHeader, verify_page,
};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// Database, the copy in a backup set included.
    Database,
    /// Temporary database of a running engine.
    TemporaryDatabase,
    /// Transaction log.
    Log,
    /// Checkpoint.
    Checkpoint,
    /// Flush map.
    FlushMap,
    /// Patch file of a backup set of Windows 7 or earlier.
    PatchFile,
    /// All zero as far as was looked: a prepared log, a reserved log, or anything else that was never written.
    Blank,
    /// The pattern with which logs were filled before 2011: a prepared or reserved log.
    BlankLogPattern,
    /// No bytes at all; today's patch files are.
    Empty,
    /// Another file of the engine, by its type number.
    Other(FileType),
    /// Not recognised.
    Unknown,
}

/// How well the kind is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKindEvidence {
    /// Nothing tells.
    None,
    /// The header is gone; pages or segments behind it verify.
    Content,
    /// The header has the right fields, but no right checksum or not all of its bytes.
    HeaderFields,
    /// A header with the right checksum.
    Verified,
}

impl FileKind {
    /// How much of the start of a file [`detect`](Self::detect) should see.
    pub const DETECT_LEN: usize = 3 * 32768;

    /// Tells the kind of a file from its first bytes. `start` holds the first [`DETECT_LEN`](Self::DETECT_LEN) bytes, or
    /// the whole file when it is shorter. Damaged and cut files are recognised as far as anything is left.
    #[must_use]
    pub fn detect(start: &[u8]) -> (Self, FileKindEvidence) {
        if start.is_empty() {
            return (Self::Empty, FileKindEvidence::Verified);
        }
        if start.iter().all(|&b| b == 0) {
            return (Self::Blank, FileKindEvidence::Content);
        }
        if let Some(kind) = by_verified_header(start) {
            return (kind, FileKindEvidence::Verified);
        }
        if is_fill_pattern(start) {
            return (Self::BlankLogPattern, FileKindEvidence::Content);
        }
        if let Some(kind) = by_header_fields(start) {
            return (kind, FileKindEvidence::HeaderFields);
        }
        if let Some(kind) = by_content(start) {
            return (kind, FileKindEvidence::Content);
        }
        (Self::Unknown, FileKindEvidence::None)
    }

    /// The name in lower case with underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::TemporaryDatabase => "temporary_database",
            Self::Log => "log",
            Self::Checkpoint => "checkpoint",
            Self::FlushMap => "flush_map",
            Self::PatchFile => "patch",
            Self::Blank => "blank",
            Self::BlankLogPattern => "blank_log",
            Self::Empty => "empty",
            Self::Other(_) => "other",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// By a header whose checksum is right. The same XOR sum guards all of them and zeros do not change it, so that a
/// checkpoint passes as a 4 KiB database header too: magic number, version and type decide.
fn by_verified_header(start: &[u8]) -> Option<FileKind> {
    let head = start.get(..start.len().min(DatabaseHeaderPair::PROBE_LEN))?;
    if let Ok(pair) = DatabaseHeaderPair::probe(head)
        && pair.header.magic() == DatabaseHeader::MAGIC
    {
        return Some(database_kind(pair.header.file_type()));
    }
    if let Ok(header) = FlushMapHeader::parse(start)
        && header.file_type() == FileType::FLUSH_MAP
    {
        return Some(FileKind::FlushMap);
    }
    if let Ok(header) = LogHeader::parse(start)
        && is_log_version(header.major(), header.minor())
    {
        return Some(FileKind::Log);
    }
    if let Ok(pair) = CheckpointPair::parse(start)
        && is_checkpoint(&pair.checkpoint, start.len())
    {
        return Some(FileKind::Checkpoint);
    }
    // A patch file has no type number; its backup and the two signatures must make sense, the rest be zero.
    if let Ok(patch) = PatchFileHeader::probe(head)
        && patch.header.reserved_4() == [0; 36]
        && patch.header.unknown_tail().is_empty()
        && patch.header.backup().low_generation <= patch.header.backup().high_generation
        && !patch.header.database_signature().is_none()
        && !patch.header.log_signature().is_none()
    {
        return Some(FileKind::PatchFile);
    }
    None
}

fn database_kind(file_type: FileType) -> FileKind {
    match file_type {
        FileType::TEMPORARY_DATABASE => FileKind::TemporaryDatabase,
        FileType::UNKNOWN | FileType::DATABASE => FileKind::Database,
        other => FileKind::Other(other),
    }
}

fn is_log_version(major: u32, minor: u32) -> bool {
    matches!((major, minor), (5..=9, 900..=9999))
}

/// Old checkpoints have no type number: then the length of the file and a log position that can be must do.
fn is_checkpoint(checkpoint: &Checkpoint, file_len: usize) -> bool {
    match checkpoint.file_type() {
        FileType::CHECKPOINT => true,
        FileType::UNKNOWN => {
            file_len == Checkpoint::FILE_SIZE
                && checkpoint.position().generation != 0
                && !checkpoint.signature().is_none()
        }
        _ => false,
    }
}

/// By what stands at fixed places of a header that is damaged or cut.
fn by_header_fields(start: &[u8]) -> Option<FileKind> {
    // Either copy of a database header, the second one at any page size.
    let copies = std::iter::once(0).chain(PageSize::ALL.iter().map(|s| s.len()));
    for offset in copies {
        let magic = word(start, offset + 4) == Some(DatabaseHeader::MAGIC);
        let version = word(start, offset + 8).is_some_and(|v| (0x400..0x1000).contains(&v));
        if magic && version {
            let file_type = RawDatabaseHeader::read_from_prefix(start.get(offset..)?)
                .map_or(FileType::UNKNOWN, |(raw, _)| raw.file_type());
            // A damaged type number does not make it another file.
            return Some(match database_kind(file_type) {
                FileKind::Other(_) => FileKind::Database,
                kind => kind,
            });
        }
    }
    let log_version =
        word(start, 32).zip(word(start, 36)).is_some_and(|(a, b)| matches!((a, b), (7, 3704) | (8, 4000)));
    if log_version {
        return Some(FileKind::Log);
    }
    for offset in [0, Checkpoint::SIZE] {
        match word(start, offset + FileType::OFFSET).map(FileType) {
            Some(FileType::CHECKPOINT) if start.len() <= Checkpoint::FILE_SIZE => {
                return Some(FileKind::Checkpoint);
            }
            Some(FileType::LOG) if offset == 0 => return Some(FileKind::Log),
            Some(FileType::FLUSH_MAP) if offset == 0 && word(start, 4) == Some(3) => {
                return Some(FileKind::FlushMap);
            }
            _ => {}
        }
    }
    None
}

/// By pages or segments that verify where the header is gone.
fn by_content(start: &[u8]) -> Option<FileKind> {
    let good = |bytes: &[u8], number: u32| {
        matches!(verify_page(bytes, PageNumber(number)), PageCheck::Verified(PageVerdict::Good))
    };
    // Segments first: they name their own place, pages do not.
    for number in 1..8_u16 {
        let at = usize::from(number) * LOG_SEGMENT_SIZE;
        let Some(segment) = start.get(at..at + LOG_SEGMENT_SIZE) else { break };
        let named = RawLogSegmentHeader::ref_from_prefix(segment)
            .is_ok_and(|(header, _)| header.position().sector == number && header.position().byte == 0);
        if named && good(segment, number.into()) {
            return Some(FileKind::Log);
        }
    }
    for size in PageSize::ALL {
        // Page 1 stands behind the two header pages.
        if start.get(2 * size.len()..3 * size.len()).is_some_and(|page| good(page, 1)) {
            return Some(FileKind::Database);
        }
    }
    None
}

/// The pattern that fills unused sectors of logs of major version 7: 0xDA, every sixteenth byte counting up.
#[doc(alias = "logextend pattern")]
fn is_fill_pattern(start: &[u8]) -> bool {
    start.len() >= 512
        && start.iter().enumerate().all(|(i, &byte)| {
            let step = if i % 16 == 0 { (i % 512) as u8 } else { 0 };
            byte == 0xDA_u8.wrapping_add(step)
        })
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk::<4>().map(|b| u32::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogVersion, write_page_checksum};

    #[test]
    fn headers_that_verify() {
        for size in PageSize::ALL {
            let page = DatabaseHeader::new(size).write();
            let detected = FileKind::detect(&[page.clone(), page].concat());
            assert_eq!(detected, (FileKind::Database, FileKindEvidence::Verified));
        }
        let log = LogHeader::new(LogVersion::segments(130, 280)).write();
        assert_eq!(FileKind::detect(&log).0, FileKind::Log);
        let copy = Checkpoint::default().write();
        assert_eq!(FileKind::detect(&[copy.clone(), copy].concat()).0, FileKind::Checkpoint);
        assert_eq!(FileKind::detect(&FlushMapHeader::default().write()).0, FileKind::FlushMap);
        assert_eq!(FileKind::detect(&[]).0, FileKind::Empty);
        assert_eq!(FileKind::detect(&[0; 5000]).0, FileKind::Blank);
        assert_eq!(FileKind::detect(&[7; 5000]), (FileKind::Unknown, FileKindEvidence::None));
    }

    #[test]
    fn the_fill_pattern() {
        let mut sector = [0xDA; 512];
        for k in 0..32 {
            sector[16 * k] = 0xDA_u8.wrapping_add((16 * k) as u8);
        }
        assert_eq!(FileKind::detect(&sector.repeat(8)).0, FileKind::BlankLogPattern);
        sector[5] = 0;
        assert_eq!(FileKind::detect(&sector.repeat(8)).0, FileKind::Unknown);
    }

    #[test]
    fn a_header_that_lost_its_checksum() {
        let size = PageSize::new(8192).unwrap();
        let page = DatabaseHeader::new(size).write();
        let mut file = [page.clone(), page].concat();
        file[100] ^= 1;
        file[8192 + 100] ^= 1;
        assert_eq!(FileKind::detect(&file), (FileKind::Database, FileKindEvidence::HeaderFields));
        file[..8192].fill(0x55);
        assert_eq!(FileKind::detect(&file), (FileKind::Database, FileKindEvidence::HeaderFields));
        assert_eq!(FileKind::detect(&DatabaseHeader::new(size).write()[..100]).0, FileKind::Database);
    }

    #[test]
    fn a_header_that_is_gone() {
        let mut database = vec![0x55; 3 * 4096];
        write_page_checksum(&mut database[8192..], PageNumber(1)).unwrap();
        assert_eq!(FileKind::detect(&database), (FileKind::Database, FileKindEvidence::Content));
        let mut log = vec![0x55; 3 * 4096];
        log[4096 + 8..4096 + 16].copy_from_slice(&crate::LogPosition::new(9, 1, 0).to_bytes());
        write_page_checksum(&mut log[4096..8192], PageNumber(1)).unwrap();
        assert_eq!(FileKind::detect(&log), (FileKind::Log, FileKindEvidence::Content));
    }
}
