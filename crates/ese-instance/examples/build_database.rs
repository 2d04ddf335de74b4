//! Writes a sample database: `build_database FILE [PAGE_SIZE [ENGINE_FORMAT [ROWS]]]`.

use std::path::PathBuf;

use ese_format::{EngineFormatVersion, PageSize};
use ese_instance::DatabaseOptions;
use ese_io::OsStorage;

#[path = "../tests/sample_database/mod.rs"]
mod sample_database;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = PathBuf::from(arguments.next().ok_or("which file?")?);
    let number = |text: Option<String>, usual: u32| text.map_or(Ok(usual), |t| t.parse());
    let page_size = PageSize::new(number(arguments.next(), 8192)?).map_err(|_| "no such page size")?;
    let format = EngineFormatVersion(number(arguments.next(), 8920)?);
    let rows = number(arguments.next(), 5000)?;
    let options = DatabaseOptions { page_size, format, ..DatabaseOptions::default() };
    sample_database::build(&OsStorage, &file, options, rows)?;
    Ok(())
}
