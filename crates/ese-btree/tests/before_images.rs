//! The page images in the split and merge records of every log at hand: each gives a page that holds together and
//! belongs where the record says, is there exactly when nodes move, and is stored as we would store it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use ese_btree::{BeforeImageError, PageImage, dehydrate, make_before_image, restore_before_image};
use ese_format::{LogHeaderChecks, LogPosition, PageSize};
use ese_io::OsStorage;
use ese_log::record::{
    BeforeImage, BeforeImageFlags, Merge, MergeKind, PagePrefix, Record, Split, SplitKind, SplitOperation,
};
use ese_log::{OpenLog, ScanOptions};

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    raw: usize,
    dehydrated: usize,
    compressed: usize,
    both: usize,
    none: usize,
}

fn split_moves_nodes(split: &Split<'_>) -> bool {
    let f = &split.fields;
    let only_the_new_one = f.operation == SplitOperation::INSERT
        && f.split_line == f.operation_line
        && f.operation_line + 1 == f.line_count;
    !f.new_page.is_none()
        && (f.kind == SplitKind::VERTICAL || f.kind == SplitKind::RIGHT && !only_the_new_one)
}

fn merge_moves_nodes(merge: &Merge<'_>) -> bool {
    [MergeKind::FULL_RIGHT, MergeKind::PARTIAL_RIGHT, MergeKind::FULL_LEFT, MergeKind::PARTIAL_LEFT]
        .contains(&merge.fields.kind)
}

fn check_log(name: &str, log: &OpenLog, seen: &mut Seen) {
    let size = log.header().page_size().unwrap();
    // Windows 7 stored images as they are.
    let compresses = log.header().version().has_segments();
    let mut reader = log.records(LogPosition::NONE, ScanOptions::default());
    while let Some(raw) = reader.next().unwrap() {
        let name = format!("{name} {}", raw.position);
        let record = Record::decode(raw.bytes).unwrap();
        let (image, needed, page, object, before_lines) = match &record {
            // Nodes are counted with the one to be inserted.
            Record::Split(r) => {
                let inserted = u16::from(r.fields.operation == SplitOperation::INSERT);
                let lines = r.fields.line_count.checked_sub(inserted);
                (r.image, split_moves_nodes(r), &r.page, r.fields.object, lines)
            }
            Record::Merge(r) => (r.image, merge_moves_nodes(r), &r.page, r.fields.object, None),
            _ => continue,
        };
        let Some(image) = image else { continue };
        assert_eq!(!image.bytes.is_empty(), needed, "{name}: {record:?}");
        if !needed {
            seen.none += 1;
            continue;
        }
        let whole = check_image(&name, &image, size, page, seen);
        assert_eq!(whole.object(), object, "{name}");
        if let Some(lines) = before_lines {
            assert_eq!(whole.line_count(), usize::from(lines), "{name}");
        }
        check_form(&name, &image, size, &whole, compresses);
    }
}

/// The page of an image: whole, and of the record's page.
fn check_image(
    name: &str,
    image: &BeforeImage<'_>,
    size: PageSize,
    record: &PagePrefix,
    seen: &mut Seen,
) -> PageImage<Vec<u8>> {
    let mut bytes = Vec::new();
    restore_before_image(image, size, &mut bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
    let page = PageImage::new(bytes, size).unwrap();
    page.check().unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(page.db_time(), record.db_time, "{name}");
    let whole = image.bytes.len() == size.len();
    match (whole, image.flags.bits()) {
        (true, _) => seen.raw += 1,
        (false, 1) => seen.dehydrated += 1,
        (false, 2) => seen.compressed += 1,
        (false, 3) => seen.both += 1,
        (false, flags) => panic!("{name}: flags {flags}"),
    }
    page
}

/// The original cut out the free space exactly when we do, and what we store gives the same page.
fn check_form(
    name: &str,
    image: &BeforeImage<'_>,
    size: PageSize,
    page: &PageImage<Vec<u8>>,
    compresses: bool,
) {
    let ours = make_before_image(page.bytes(), size, compresses).unwrap();
    let dehydrated = image.flags.contains(BeforeImageFlags::DEHYDRATED);
    assert_eq!(
        ours.flags.contains(BeforeImageFlags::DEHYDRATED),
        dehydrated,
        "{name}: {size} {:?}, ours {:?} {}",
        image.flags,
        ours.flags,
        dehydrate(page.bytes(), size).unwrap().len(),
    );
    let mut again = Vec::new();
    restore_before_image(&ours.as_part(), size, &mut again).unwrap();
    let again = PageImage::new(again, size).unwrap();
    assert_eq!((again.db_time(), again.flags(), again.free()), (page.db_time(), page.flags(), page.free()));
    assert_eq!(again.external_header(), page.external_header(), "{name}");
    for line in 0..page.line_count() {
        assert_eq!(again.node(line).unwrap(), page.node(line).unwrap(), "{name}");
    }
}

fn collect_logs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_logs(&path, found);
        } else if path.extension().is_some_and(|e| e == "log" || e == "jtx") {
            found.push(path);
        }
    }
}

#[test]
fn images_of_the_reference_logs() {
    let mut seen = Seen::default();
    for case in testdata::reference_cases() {
        // Damaged on purpose; large and all alike.
        if case.starts_with("logtails") || case.starts_with("logdamage") || case.starts_with("big") {
            continue;
        }
        let Some(folder) = testdata::reference(&case) else { continue };
        let mut logs = Vec::new();
        collect_logs(&folder, &mut logs);
        for path in logs {
            // Prepared files have no header yet.
            let Ok(log) = OpenLog::open(&OsStorage, &path, &LogHeaderChecks::default()) else { continue };
            check_log(&path.display().to_string(), &log, &mut seen);
        }
    }
    eprintln!("{seen:?}");
    if !testdata::reference_cases().is_empty() {
        assert!(seen.raw > 0 && seen.dehydrated > 0 && seen.compressed > 0 && seen.both > 0, "{seen:?}");
    }
}

#[test]
fn images_of_the_real_logs() {
    let mut seen = Seen::default();
    let folder = tempfile::tempdir().unwrap();
    for file in testdata::real_files().iter().filter(|file| file.kind == "log") {
        let path = folder.path().join("edb.log");
        std::fs::write(&path, testdata::real_bytes(file).unwrap()).unwrap();
        let Ok(log) = OpenLog::open(&OsStorage, &path, &LogHeaderChecks::default()) else { continue };
        check_log(&format!("{} {}", file.set, file.file), &log, &mut seen);
    }
    eprintln!("{seen:?}");
}

#[test]
fn what_is_no_image_is_refused() {
    let size = PageSize::DEFAULT;
    let mut page = Vec::new();
    let mut restore = |flags, bytes: &[u8]| {
        restore_before_image(
            &BeforeImage { flags: BeforeImageFlags::from_bits_retain(flags), bytes },
            size,
            &mut page,
        )
    };
    assert_eq!(restore(0, &[0; 100]), Err(BeforeImageError::Length { expected: 4096, found: 100 }));
    assert!(matches!(restore(2, &[0x18]), Err(BeforeImageError::Compression(_))));
    assert!(matches!(restore(2, &[0x30; 40]), Err(BeforeImageError::Compression(_))));
    assert!(matches!(restore(1, &[0xFF; 50]), Err(BeforeImageError::Page(_))));
    // The length of a page is a page, whatever the flags.
    assert_eq!(restore(3, &[7; 4096]), Ok(()));
    assert_eq!(page, [7; 4096]);
    assert_eq!(
        make_before_image(&[0; 100], size, true),
        Err(BeforeImageError::Length { expected: 4096, found: 100 })
    );
}
