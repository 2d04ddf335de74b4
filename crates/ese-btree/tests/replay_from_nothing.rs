//! Whole databases rebuilt from their logs alone, and compared page by page with the files that the original engine
//! left: same counter, links, flags, object, external header and nodes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_btree::{Handled, PageImage, Redo, RedoDatabase, node_flags, page_flags};
use ese_format::{LogPosition, PageSize};
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};
use ese_log::record::{Record, RecordSize, record_size};

/// The records of one generation of a sound log in segments, in order.
fn records(log: &[u8], mut each: impl FnMut(&[u8], LogPosition)) {
    let generation = u32::from_le_bytes(log[4..8].try_into().unwrap());
    let mut assembled: Vec<u8> = Vec::new();
    let mut left = 0;
    let mut begun = LogPosition::NONE;
    for (index, segment) in log.chunks_exact(4096).enumerate().skip(1) {
        let position = LogPosition::from_bytes(segment[8..16].try_into().unwrap());
        if position != LogPosition::new(generation, index as u16, 0) {
            break;
        }
        let mut at = 40;
        while at < 4096 {
            let here = LogPosition::new(generation, index as u16, if at == 40 { 0 } else { at as u16 });
            let rest = &segment[at..];
            match rest[0] {
                0 => {
                    at += 1;
                    continue;
                }
                76 => {
                    let total = u32::from_le_bytes(rest[1..5].try_into().unwrap()) as usize;
                    let len = u16::from_le_bytes(rest[5..7].try_into().unwrap()) as usize;
                    assembled.clear();
                    assembled.extend_from_slice(&rest[7..7 + len]);
                    left = total - len;
                    begun = here;
                    at += 7 + len;
                }
                77 => {
                    let len = u16::from_le_bytes(rest[1..3].try_into().unwrap()) as usize;
                    assembled.extend_from_slice(&rest[3..3 + len]);
                    left -= len;
                    at += 3 + len;
                    if left == 0 {
                        each(&assembled, begun);
                    }
                }
                _ => {
                    let Ok(RecordSize::Size(len)) = record_size(rest) else { panic!("at {here}") };
                    each(&rest[..len], here);
                    at += len;
                }
            }
        }
    }
}

fn logs(folder: &Path) -> Vec<Vec<u8>> {
    let mut logs: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "log" || e == "jtx"))
        .map(|p| std::fs::read(p).unwrap())
        .collect();
    logs.sort_by_key(|log| u32::from_le_bytes(log[4..8].try_into().unwrap()));
    logs
}

fn compare(case: &str, ours: &[u8], theirs: &[u8], size: PageSize) -> (usize, Vec<String>) {
    let mut differences = Vec::new();
    let mut compared = 0;
    for (index, expected) in theirs.chunks_exact(size.len()).enumerate().skip(2) {
        let Some(found) = ours.get(index * size.len()..(index + 1) * size.len()) else {
            if expected.iter().any(|&b| b != 0) {
                differences.push(format!("{case}: page {} is missing", index - 1));
            }
            continue;
        };
        let (a, b) = (PageImage::new(found, size).unwrap(), PageImage::new(expected, size).unwrap());
        if a.is_zero() && b.is_zero() {
            continue;
        }
        compared += 1;
        let flags = |p: &PageImage<&[u8]>| p.flags() & !page_flags::FLUSH_TYPE;
        let head = |p: &PageImage<&[u8]>| (p.db_time(), p.previous(), p.next(), p.object(), flags(p));
        let nodes = |p: &PageImage<&[u8]>| -> Vec<_> {
            (0..p.line_count())
                .map(|l| {
                    let n = p.node(l).unwrap();
                    (n.flags & !node_flags::VERSIONED, n.prefix.len(), n.key(), n.data.to_vec())
                })
                .collect()
        };
        if head(&a) != head(&b) {
            differences.push(format!("page {}: {:?} {:?}", index - 1, head(&a), head(&b)));
        } else if a.external_header() != b.external_header() {
            let (x, y) = (a.external_header(), b.external_header());
            differences.push(format!("page {}: header {x:?} {y:?}", index - 1));
        } else if nodes(&a) != nodes(&b) {
            let (x, y) = (nodes(&a), nodes(&b));
            let line = x.iter().zip(&y).position(|(x, y)| x != y);
            differences.push(format!(
                "page {}: nodes differ, {} and {} lines, first at {line:?} {:?} {:?}",
                index - 1,
                x.len(),
                y.len(),
                line.map(|l| &x[l]),
                line.map(|l| &y[l])
            ));
        }
    }
    (compared, differences)
}

fn rebuild(case: &str, base: &str) {
    let Some(folder) = testdata::reference(case) else { return };
    let storage = MemoryStorage::new();
    let path = Path::new("db");
    let logs = logs(&folder.join("files"));
    let size = u16::from_le_bytes(logs[0][14..16].try_into().unwrap());
    let size = PageSize::from_header_field(size.into()).unwrap();
    let file = storage.open(path, OpenOptions::new(OpenMode::CreateNew)).unwrap();
    file.set_len(2 * u64::from(size.bytes())).unwrap();
    let mut redo = Redo::new(size, 64 << 20);
    for log in &logs {
        records(log, |bytes, position| {
            match redo.apply(bytes, position).unwrap_or_else(|e| panic!("{case}: {e}")) {
                Handled::Done => {}
                Handled::Caller => match Record::decode(bytes).unwrap() {
                    Record::CreateDatabase(r) => {
                        let database = RedoDatabase { attach_position: position, ..RedoDatabase::default() };
                        redo.attach(r.database, database, Some(Arc::clone(&file))).unwrap();
                    }
                    Record::DetachDatabase(r) => {
                        redo.detach(r.database).unwrap().unwrap();
                    }
                    Record::Term2(_) => {
                        let slots: Vec<_> = redo.databases().map(|(slot, _)| slot).collect();
                        for slot in slots {
                            redo.detach(slot).unwrap().unwrap();
                        }
                    }
                    _ => {}
                },
            }
        });
    }
    let ours = storage.get(path).unwrap();
    let theirs = std::fs::read(folder.join("files").join(base)).unwrap();
    let (compared, differences) = compare(case, &ours, &theirs, size);
    println!("{case}: {compared} pages, {} differ, {:?}", differences.len(), redo.statistics());
    for difference in differences.iter().take(8) {
        println!("  {difference:.400}");
    }
    assert!(differences.is_empty(), "{case}");
    assert!(compared > 50);
}

#[test]
fn clean_databases() {
    for case in ["clean-p4k", "clean-p8k", "clean-p16k", "clean-p32k"] {
        rebuild(case, "db.edb");
    }
}
