//! What a file is: by its content, and where the content does not tell, by its name too.

use std::path::Path;

use ese_format::FileKind;
use ese_io::File;

use crate::failure::Failure;

/// The first bytes of a file, as many as it takes to tell what it is.
pub(crate) fn read_start(file: &dyn File) -> Result<Vec<u8>, Failure> {
    let mut start = vec![0; FileKind::DETECT_LEN];
    let read = file.read_at(0, &mut start)?;
    start.truncate(read);
    Ok(start)
}

/// The name of a kind for programs. A file without content of its own is told apart by its name: a prepared log
/// (`edbtmp.log`), a reserved one (`*.jrs`, `res1.log`), an empty patch file (`*.pat`).
pub(crate) fn kind_name(kind: FileKind, path: &Path) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let has_extension =
        |wanted: &str| name.rsplit_once('.').is_some_and(|(_, extension)| extension == wanted);
    match kind {
        FileKind::Blank | FileKind::BlankLogPattern
            if has_extension("jrs") || name == "res1.log" || name == "res2.log" =>
        {
            "reserved_log"
        }
        FileKind::Blank if has_extension("log") || has_extension("jtx") => "blank_log",
        FileKind::Empty if has_extension("pat") => "patch",
        _ => kind.name(),
    }
}

/// The name of a kind for people.
pub(crate) fn kind_description(name: &str) -> &str {
    match name {
        "backup_set" => "backup set",
        "temporary_database" => "temporary database",
        "flush_map" => "flush map",
        "patch" => "patch file",
        "reserved_log" => "reserved log",
        "blank_log" => "prepared log, not used yet",
        "blank" => "file of zeros",
        "empty" => "empty file",
        "other" => "another file of the engine",
        "unknown" => "no file of the engine",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_refine_what_content_does_not_tell() {
        let name = |kind, path: &str| kind_name(kind, Path::new(path));
        assert_eq!(name(FileKind::Blank, "/x/edbres00001.jrs"), "reserved_log");
        assert_eq!(name(FileKind::BlankLogPattern, "RES1.LOG"), "reserved_log");
        assert_eq!(name(FileKind::Blank, "edbtmp.log"), "blank_log");
        assert_eq!(name(FileKind::BlankLogPattern, "x"), "blank_log");
        assert_eq!(name(FileKind::Blank, "x.edb"), "blank");
        assert_eq!(name(FileKind::Empty, "db.pat"), "patch");
        // A name alone makes no database.
        assert_eq!(name(FileKind::Unknown, "x.edb"), "unknown");
        assert_eq!(name(FileKind::Log, "x.jrs"), "log");
    }
}
