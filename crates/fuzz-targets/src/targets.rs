//! The targets, one file an area.

mod btree_pages;
mod compression;
mod database;
mod difference;
mod file_starts;
mod headers;
mod legacy_log;
mod log_file;
mod log_records;
mod names;
mod pages;
mod recovery;
mod redo;
mod rows;
mod sort_keys;
mod stored_image;
mod values;

use crate::Target;

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "values", run: values::run, samples: values::samples },
    Target { name: "database_header", run: headers::database, samples: headers::database_samples },
    Target { name: "log_header", run: headers::log, samples: headers::log_samples },
    Target { name: "checkpoint", run: headers::checkpoint, samples: headers::checkpoint_samples },
    Target { name: "page_checksum", run: pages::checksum, samples: pages::samples },
    Target { name: "page_view", run: pages::view, samples: pages::samples },
    Target { name: "page_edit", run: btree_pages::edit, samples: btree_pages::samples },
    Target { name: "before_image", run: btree_pages::before_image, samples: pages::samples },
    Target { name: "row", run: rows::run, samples: rows::samples },
    Target { name: "sort_key", run: sort_keys::run, samples: sort_keys::samples },
    Target { name: "compressed_value", run: compression::run, samples: compression::samples },
    Target { name: "log_record", run: log_records::run, samples: log_records::samples },
    Target { name: "stored_image", run: stored_image::run, samples: stored_image::samples },
    Target { name: "file_kind", run: file_starts::kind, samples: file_starts::kind_samples },
    Target { name: "trailer_page", run: file_starts::trailer, samples: file_starts::trailer_samples },
    Target { name: "flush_map", run: file_starts::flush_map, samples: file_starts::flush_map_samples },
    Target { name: "log_file", run: log_file::run, samples: log_file::samples },
    Target { name: "legacy_log", run: legacy_log::run, samples: legacy_log::samples },
    Target { name: "database", run: database::run, samples: database::samples },
    Target { name: "deep_verify", run: database::deep, samples: database::samples },
    Target { name: "redo", run: redo::run, samples: redo::samples },
    Target { name: "recovery", run: recovery::run, samples: recovery::samples },
    Target { name: "difference", run: difference::run, samples: difference::samples },
    Target { name: "log_names", run: names::run, samples: names::samples },
];

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|t| t.name == name).copied()
}

/// Runs a target by name; an unknown name is a mistake of the wrapper.
pub fn run(name: &str, data: &[u8]) {
    match target(name) {
        Some(target) => (target.run)(data),
        None => std::process::abort(),
    }
}
