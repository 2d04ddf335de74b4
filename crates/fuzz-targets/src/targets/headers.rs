//! Headers of databases, logs and checkpoints: as they are, and with their checksum made right.

use ese_format::{
    Checkpoint, CheckpointPair, DatabaseHeader, DatabaseHeaderPair, LogHeader, LogHeaderChecks, PageSize,
    write_attachments, write_header_checksum,
};

use crate::samples;

/// Both header copies of a database.
pub(crate) fn database(data: &[u8]) {
    one_database(data);
    let field = data.get(236..).and_then(|b| b.first_chunk::<4>()).map_or(0, |b| u32::from_le_bytes(*b));
    if let Ok(size) = PageSize::from_header_field(field) {
        let mut fixed = data.to_vec();
        for copy in fixed.chunks_exact_mut(size.len()).take(2) {
            write_header_checksum(copy);
        }
        one_database(&fixed);
    }
}

fn one_database(data: &[u8]) {
    if let Ok(pair) = DatabaseHeaderPair::probe(data) {
        let header = &pair.header;
        let size = header.page_size();
        assert_eq!(DatabaseHeader::parse(&header.write()).as_ref(), Ok(header));
        let _ = (header.fields().len(), header.check_attachable(Some(size)), header.check_database(None));
        let _ = (header.version(), header.is_clean(), header.is_part_of_backup(), format!("{header:?}"));
    }
    for size in PageSize::ALL {
        let _ = DatabaseHeaderPair::probe_with_page_size(data, size);
        if let Some(page) = data.get(..size.len())
            && let Ok(header) = DatabaseHeader::parse_unverified(page)
        {
            // All but the checksum comes back.
            assert_eq!(header.write().get(4..), page.get(4..));
        }
    }
}

pub(crate) fn database_samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for case in ["clean-p4k", "dirty-exit-p8k", "clean-p16k", "clean-p32k", "clean-p8k-efv8020"] {
        found.extend(samples::files(case, "files", &[".edb"], DatabaseHeaderPair::PROBE_LEN));
    }
    found
}

/// The header of a log file.
pub(crate) fn log(data: &[u8]) {
    one_log(data);
    if let Some(header) = data.get(..LogHeader::SIZE) {
        let mut fixed = header.to_vec();
        write_header_checksum(&mut fixed);
        one_log(&fixed);
    }
}

fn one_log(data: &[u8]) {
    if let Ok(header) = LogHeader::parse_unverified(data) {
        assert_eq!(header.write().get(4..), data.get(4..LogHeader::SIZE));
    }
    if let Ok(header) = LogHeader::parse(data) {
        assert_eq!(Some(&*header.write()), data.get(..LogHeader::SIZE));
        let _ = (header.version(), header.page_size(), header.file_size(), header.fields().len());
        let _ = header.check(&LogHeaderChecks::default());
        if let Ok(entries) = header.attachments() {
            for entry in &entries {
                let _ = (entry.path(), entry.fields().len());
            }
            // What was read fits again, and reads the same.
            let mut again = header.clone();
            if write_attachments(&entries).is_ok() && again.set_attachments(&entries).is_ok() {
                assert_eq!(again.attachments().as_ref(), Ok(&entries));
            }
        }
        let parameters = header.parameters();
        let _ = (parameters.system_path(), parameters.log_path());
    }
}

pub(crate) fn log_samples() -> Vec<Vec<u8>> {
    let mut found = samples::files("clean-p4k", "files", &[".log"], LogHeader::SIZE);
    found.truncate(4);
    found.extend(samples::files("dirty-exit-p8k", "files", &[".log"], LogHeader::SIZE).into_iter().take(2));
    found
        .extend(samples::files("clean-p8k-efv8020", "files", &[".log"], LogHeader::SIZE).into_iter().take(2));
    found
}

/// Both copies of a checkpoint.
pub(crate) fn checkpoint(data: &[u8]) {
    one_checkpoint(data);
    let mut fixed = data.to_vec();
    for copy in fixed.chunks_exact_mut(Checkpoint::SIZE).take(2) {
        write_header_checksum(copy);
    }
    one_checkpoint(&fixed);
}

fn one_checkpoint(data: &[u8]) {
    if let Ok(pair) = CheckpointPair::parse(data) {
        let _ = (pair.used_copy(), format!("{pair:?}"));
    }
    if let Ok(checkpoint) = Checkpoint::parse(data) {
        assert_eq!(Some(&*checkpoint.write()), data.get(..Checkpoint::SIZE));
        let _ = (checkpoint.consistency_position(), checkpoint.fields().len(), checkpoint.check(None));
        if let Ok(Some(entries)) = checkpoint.attachments() {
            for entry in &entries {
                let _ = entry.path();
            }
        }
    }
    if let Ok(checkpoint) = Checkpoint::parse_unverified(data) {
        assert_eq!(checkpoint.write().get(4..), data.get(4..Checkpoint::SIZE));
    }
}

pub(crate) fn checkpoint_samples() -> Vec<Vec<u8>> {
    let mut found = samples::files("clean-p4k", "files", &[".chk"], Checkpoint::FILE_SIZE);
    found.extend(samples::files("dirty-exit-p8k", "files", &[".chk"], Checkpoint::FILE_SIZE));
    found
}
