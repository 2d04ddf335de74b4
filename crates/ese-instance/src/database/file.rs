//! Reading and writing the header pair of a database file.

use ese_format::{DatabaseHeader, DatabaseHeaderPair, EngineFormatVersion, FORMAT_VERSIONS};
use ese_io::{File, IoError};

use crate::error::InstanceError;

/// Reads the header pair of a database.
///
/// # Errors
/// A storage error, or `Header` when neither copy is valid.
pub fn read_database_header(file: &dyn File) -> Result<DatabaseHeaderPair, InstanceError> {
    let mut start = vec![0; DatabaseHeaderPair::PROBE_LEN];
    let len = file.read_at(0, &mut start)?;
    DatabaseHeaderPair::probe(start.get(..len).unwrap_or_default())
        .map_err(|error| InstanceError::Header { path: file.path().to_path_buf(), error })
}

/// Writes both copies of a header, each made durable before the next step: whenever the power fails, one copy is whole
/// and holds the old or the new header.
///
/// # Errors
/// A storage error.
pub fn write_database_header(file: &dyn File, header: &DatabaseHeader) -> Result<(), IoError> {
    let page = header.write();
    file.write_at(0, &page)?;
    file.sync()?;
    file.write_at(page.len() as u64, &page)?;
    file.sync()
}

/// The engine format whose logs go with a database: the newest one that writes such databases.
#[must_use]
pub fn engine_format_for(header: &DatabaseHeader) -> EngineFormatVersion {
    let version = header.version();
    let known = FORMAT_VERSIONS.iter().filter(|row| row.database <= version);
    known.map(|row| row.engine).max().unwrap_or(EngineFormatVersion::EXCHANGE_2016_CU1)
}
