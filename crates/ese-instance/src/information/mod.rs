//! What the engine tells about itself: instances, databases, files, logs.

mod database;
mod database_misc;
mod file;
mod instances;
mod log_file;
mod page_info;

pub(crate) use database::file_pages;
pub use database::{DatabaseInfo, DatabaseInfoLevel};
pub use database_misc::DatabaseMisc;
pub use file::{FileInfo, UpgradeInfo};
pub use instances::{CheckpointInfo, InstanceInfo};
pub use log_file::{LogMisc, LogMiscForm};
pub use page_info::{PageInfo, page_infos};
