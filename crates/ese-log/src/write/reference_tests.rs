//! The packer against the engine's: the records of every reference log, packed again, give the same segments.

use std::path::{Path, PathBuf};

use std::sync::Arc;

use ese_format::{
    AttachmentEntry, LogFlags, LogGeneration, LogHeader, LogHeaderChecks, LogPosition, LogTime,
};
use ese_io::{FixedClock, OsStorage};

use super::buffer::LogBuffer;
use super::pack::fill_segment;
use super::roll::{NextGeneration, Previous, header};
use super::{LogEnvironment, LogSettings, LogWriterParts};
use crate::segment::{SEGMENT_HEADER_SIZE, SEGMENT_SIZE};
use crate::{BaseName, LogNames, LogSet, OpenLog, RecordBatch, ScanOptions};

fn logs_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            logs_below(&path, found);
        } else if path.extension().is_some_and(|e| e == "log" || e == "jtx") {
            found.push(path);
        }
    }
}

/// Packs the records of one log again and compares; the number of segments compared.
fn repack(path: &Path) -> usize {
    let Ok(log) = OpenLog::open(&OsStorage, path, &LogHeaderChecks::default()) else { return 0 };
    let options = ScanOptions::default();
    let end = log.scan(options).unwrap();
    let file = std::fs::read(path).unwrap();
    let body = &file[SEGMENT_SIZE..(usize::from(end.end.sector)) * SEGMENT_SIZE];
    let mut packed = LogBuffer::new(log.generation().0, 1, u16::MAX);
    let mut reader = log.records(LogPosition::NONE, options);
    let mut batch = RecordBatch::new();
    while let Some(record) = reader.next().unwrap() {
        let len = packed.len();
        let target = usize::from(record.position.sector - 1) * SEGMENT_SIZE;
        let cut = record.position != packed.tip() && record.position.byte == 0 && body[len] == 76;
        // Behind a crash the engine goes on in a new segment: the rest of the old one is zeros, though there was room.
        let skipped =
            !len.is_multiple_of(SEGMENT_SIZE) && body[len] == 0 && SEGMENT_SIZE - len % SEGMENT_SIZE >= 32;
        if cut {
            packed.segments_mut().extend_from_slice(&body[len..target]);
        } else if skipped {
            fill_segment(packed.segments_mut());
        }
        batch.clear();
        batch.push_bytes(record.bytes);
        packed.append(
            &batch,
            || LogTime::NONE,
            |position| assert!(skipped || position == record.position, "{} at {position}", path.display()),
        );
    }
    let packed = packed.segments_mut();
    let len = packed.len();
    assert!(len <= body.len(), "{}", path.display());
    // A crash may have cut a record; else only fill follows, a whole segment of it after a forced roll.
    if body.get(len) == Some(&76) {
        packed.extend_from_slice(&body[len..]);
    }
    packed.resize(body.len(), 0);
    for (i, (ours, theirs)) in packed.chunks(SEGMENT_SIZE).zip(body.chunks(SEGMENT_SIZE)).enumerate() {
        let payloads = (&ours[SEGMENT_HEADER_SIZE..], &theirs[SEGMENT_HEADER_SIZE..]);
        assert!(payloads.0 == payloads.1, "{} segment {}", path.display(), i + 1);
    }
    body.len() / SEGMENT_SIZE
}

#[test]
fn records_of_the_engine_pack_to_its_segments() {
    let mut logs = Vec::new();
    for case in testdata::reference_cases() {
        if let Some(folder) = testdata::reference(&case) {
            logs_below(&folder, &mut logs);
        }
    }
    let segments: usize = logs.iter().map(|path| repack(path)).sum();
    println!("{} logs, {segments} segments", logs.len());
    assert!(segments > 1000);
}

/// An engine that knows what the engine knew when it wrote a header.
struct Known(LogHeader);

impl LogEnvironment for Known {
    fn attachments(&self, _: LogGeneration) -> Vec<AttachmentEntry> {
        self.0.attachments().unwrap()
    }
    fn checkpoint(&self) -> LogPosition {
        self.0.checkpoint()
    }
}

/// The header that the writer makes for the generation of `theirs`, knowing what its writer knew.
fn our_header(previous: &OpenLog, theirs: &LogHeader) -> LogHeader {
    let mut settings =
        LogSettings::new(theirs.page_size().unwrap(), theirs.version(), theirs.engine_format());
    settings.file_segments = theirs.file_sectors();
    settings.parameters = theirs.parameters();
    settings.circular = theirs.flags().contains(LogFlags::CIRCULAR_LOGGING_CURRENT);
    let parts = LogWriterParts {
        storage: Arc::new(OsStorage),
        directory: PathBuf::new(),
        names: LogNames::legacy(BaseName::default()),
        clock: Arc::new(FixedClock::new(theirs.create_time().to_unix_ms().unwrap())),
        environment: Arc::new(Known(theirs.clone())),
        settings,
    };
    let end = previous.scan(ScanOptions::default()).unwrap();
    let previous =
        Previous { header: previous.header().clone(), accumulated_checksum: end.accumulated_checksum };
    let reserve = theirs.flags().contains(LogFlags::RESERVED_LOG);
    let attachments = &parts.environment.attachments(theirs.generation());
    let next = NextGeneration {
        previous: Some(previous),
        generation: theirs.generation(),
        signature: theirs.signature(),
        attachments,
        filled_soon: false,
    };
    header(&parts, &next, reserve).unwrap()
}

#[test]
fn headers_are_those_of_the_engine() {
    let mut compared = 0;
    for case in testdata::reference_cases() {
        let Some(folder) = testdata::reference(&case) else { continue };
        for base in ["edb", "E00"] {
            let names = LogNames::legacy(BaseName::new(base).unwrap());
            let Ok(set) = LogSet::discover(&OsStorage, &folder.join("files"), &names) else { continue };
            let open = |path: &Path| OpenLog::open(&OsStorage, path, &LogHeaderChecks::default()).unwrap();
            let logs: Vec<OpenLog> =
                set.archived.values().chain(&set.current).map(|file| open(&file.path)).collect();
            for pair in logs.windows(2) {
                if pair[0].generation().next() != pair[1].generation() {
                    continue;
                }
                let mut ours = our_header(&pair[0], pair[1].header());
                // Behind the end of the list the engine leaves what was there before.
                assert_eq!(ours.attachments(), pair[1].header().attachments());
                ours.set_attachment_bytes(pair[1].header().attachment_bytes());
                let mut theirs = vec![0; LogHeader::SIZE];
                pair[1].file().read_exact_at(0, &mut theirs).unwrap();
                assert!(ours.write() == theirs, "{}", pair[1].path().display());
                compared += 1;
            }
        }
    }
    println!("{compared} headers");
    assert!(compared > 20);
}
