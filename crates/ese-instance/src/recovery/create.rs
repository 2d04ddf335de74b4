//! Making a database file that the log creates.

use std::path::PathBuf;
use std::sync::Arc;

use ese_btree::RedoDatabase;
use ese_format::{DatabaseHeader, DatabaseState, LogTime};
use ese_io::{OpenMode, OpenOptions};
use ese_log::record::{CreateDatabase, CreateDatabaseVersion};

use super::database::{Expected, HeaderFile, Slot, SlotState};
use super::error::RecoveryError;
use super::replay::Replay;
use crate::builder::{IMPLICIT_DB_TIME, IMPLICIT_LAST_OBJECT, IMPLICIT_UPDATE, create_implicitly};

/// The way of creation in which the log holds everything.
const LOGGED_CREATION: u16 = 2;
/// The way of creation in which the first pages are in no record.
const IMPLICIT_CREATION: u16 = 1;
/// Value of the header field that says that sort versions are kept in a table.
const SORT_VERSIONS_IN_TABLE: u64 = u64::MAX;

impl Replay<'_> {
    pub(super) fn create_file(
        &mut self,
        record: &CreateDatabase<'_>,
        logged: String,
        expected: Expected,
        path: PathBuf,
        version: CreateDatabaseVersion,
    ) -> Result<(), RecoveryError> {
        let implicit = version.version == IMPLICIT_CREATION && self.implicit_creation;
        if version.update_major != 0 || version.version != LOGGED_CREATION && !implicit {
            return Err(RecoveryError::CreateVersion {
                logged,
                version: version.version,
                update: version.update_major,
            });
        }
        let storage = &*self.environment.storage;
        let file = storage.open(&path, OpenOptions::new(OpenMode::CreateOrTruncate).direct_writes())?;
        file.set_len(2 * u64::from(self.page_size.bytes()))?;
        self.made.insert(path.clone());
        let mut header = DatabaseHeader::new(self.page_size);
        header.set_signature(record.signature);
        header.set_log_signature(self.log_signature);
        header.set_database_id(record.database.0.into());
        header.set_state(DatabaseState::JUST_CREATED);
        header.set_attach_position(expected.attach_position);
        header.set_attach_time(LogTime::from_unix_ms(self.environment.clock.unix_ms()));
        header.set_sort_version(SORT_VERSIONS_IN_TABLE);
        for set in [
            ese_format::RawDatabaseHeader::set_min_required,
            ese_format::RawDatabaseHeader::set_min_consistent,
            ese_format::RawDatabaseHeader::set_max_required,
            ese_format::RawDatabaseHeader::set_max_committed,
            ese_format::RawDatabaseHeader::set_recovering_generation,
        ] {
            set(&mut header, self.generation);
        }
        header.set_max_committed_create_time(self.generation_created);
        if implicit {
            header.set_update_major(IMPLICIT_UPDATE);
            header.set_create_update(IMPLICIT_UPDATE);
            // Which sorting tables that system had is in no record.
            header.set_sort_version(0);
        }
        let header_file =
            Arc::new(HeaderFile::new(path.clone(), Arc::clone(&file), header, self.environment));
        header_file.write()?;
        if let Some(parent) = path.parent() {
            storage.sync_directory(parent)?;
        }
        let mut database =
            RedoDatabase { attach_position: expected.attach_position, ..RedoDatabase::default() };
        if implicit {
            // No record says that it is complete.
            create_implicitly(Arc::clone(&file), self.page_size)
                .map_err(|error| RecoveryError::Create { database: path, error: Box::new(error) })?;
            header_file.state.lock().header.set_state(DatabaseState::DIRTY_SHUTDOWN);
            header_file.write()?;
            database.db_time = IMPLICIT_DB_TIME;
            database.last_object = IMPLICIT_LAST_OBJECT;
        }
        self.redo.attach(record.database, database, Some(file))?;
        self.gate.add(record.database, Arc::clone(&header_file));
        self.put_slot(Slot {
            slot: record.database,
            logged,
            expected,
            state: SlotState::Attached(header_file),
        });
        Ok(())
    }
}
