//! Verifying whole database files: real ones, whose page counts are known; damaged ones, for which the original engine's
//! verdict was recorded; cut ones; and a device that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, iter};

use ese_backup::{
    DatabaseFinding, DatabaseVerification, FindingPlace, NoProgress, Progress, VerifyError, VerifyOptions,
    verify_database,
};
use ese_format::{DatabaseHeader, HeaderPairStatus, JetError, PageNumber, PageSize, write_page_checksum};
use ese_io::{File, IoError, IoErrorKind, MemoryStorage, OpenOptions, Operation, Storage};

fn verify(bytes: Vec<u8>) -> Result<DatabaseVerification, VerifyError> {
    let storage = MemoryStorage::new();
    storage.put("db.edb", bytes);
    let file = storage.open(Path::new("db.edb"), OpenOptions::READ).unwrap();
    verify_database(file.as_ref(), VerifyOptions::default(), &NoProgress)
}

/// A clean database of `count` sound pages.
fn database(size: PageSize, count: u32) -> Vec<u8> {
    let header = DatabaseHeader::new(size).write();
    let mut file = [header.clone(), header].concat();
    for number in 1..=count {
        let mut page: Vec<u8> = (0..size.len()).map(|i| (i as u32 ^ number).to_le_bytes()[0]).collect();
        write_page_checksum(&mut page, PageNumber(number)).unwrap();
        file.extend(page);
    }
    file
}

fn size(bytes: u32) -> PageSize {
    PageSize::new(bytes).unwrap()
}

#[test]
fn real_databases_have_their_known_counts() {
    let mut trailers = 0;
    for file in testdata::real_files().iter().filter(|f| f.kind == "database") {
        let name = format!("{}/{}", file.set, file.file);
        let report = verify(testdata::real_bytes(file).unwrap()).unwrap();
        let pages = report.pages;
        let number = |word| testdata::number_before(&file.counts, word).unwrap();
        let trailer = u64::from(file.counts.contains("trailer"));
        trailers += trailer;
        assert_eq!(report.page_size.bytes(), file.page_size.unwrap(), "{name}");
        assert_eq!(pages.total, number(" pages"), "{name}");
        assert_eq!(pages.good, number(" good"), "{name}");
        assert_eq!(pages.uninitialized, number(" zero"), "{name}");
        assert_eq!(pages.backup_trailer, trailer, "{name}");
        assert_eq!(pages.bad, number(" bad") - trailer, "{name}");
        assert_eq!((pages.corrected, pages.not_verified), (0, 0), "{name}");
        assert_eq!(report.is_clean(), pages.bad == 0, "{name}: {:?}", report.findings);
        assert_eq!(report.findings.len() as u64, pages.bad, "{name}");
        if trailer == 1 {
            assert_eq!(report.backup_trailer, Some(PageNumber(u32::try_from(pages.total).unwrap())));
        }
    }
    assert!(testdata::real_files().is_empty() || trailers >= 1);
}

#[test]
fn damaged_databases_have_the_engines_verdict() {
    for (bitflips, base) in
        [("bitflips-p4k", "clean-p4k"), ("bitflips-p8k", "clean-p8k"), ("bitflips-p32k", "clean-p32k")]
    {
        let (Some(bitflips), Some(base)) = (testdata::reference(bitflips), testdata::reference(base)) else {
            continue;
        };
        let list = fs::read_to_string(bitflips.join("verdicts.json")).unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        let sound = fs::read(base.join("files/db.edb")).unwrap();
        let report = verify(sound.clone()).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
        assert_eq!(report.header.status, Some(HeaderPairStatus::BothGood));
        for mutation in &list {
            let mut file = sound.clone();
            testdata::damage(&mut file, report.page_size.len(), mutation).unwrap();
            let report = verify(file).unwrap();
            // Return code 74 is "corrupted", 0 is success; 1 is a tool that died.
            let corrupted = match mutation["k_rc"].as_u64() {
                Some(74) => true,
                Some(0) => false,
                _ => continue,
            };
            let failing = report.findings.iter().filter(|f| f.jet_error().is_some()).count();
            assert_eq!(failing > 0, corrupted, "{mutation}: {:?}", report.findings);
            let corrected = mutation["correctable_checksums"].as_u64();
            if corrected.is_some() {
                assert_eq!(Some(report.pages.corrected), corrected, "{mutation}");
            }
            if let Some(bad) = mutation["bad_checksums"].as_u64() {
                assert_eq!(failing as u64, bad, "{mutation}: {:?}", report.findings);
            }
            // Every damaged place is found, and no other.
            if let Some(bits) = mutation["where"].as_array().filter(|a| a[0].is_object()) {
                for bit in bits {
                    let number = bit["pgno"].as_i64().unwrap();
                    assert!(report.findings.iter().any(|f| f.place().number() == number), "{mutation}");
                }
                for finding in &report.findings {
                    let number = finding.place().number();
                    assert!(bits.iter().any(|b| b["pgno"].as_i64() == Some(number)), "{finding:?}");
                }
            }
        }
    }
}

#[test]
fn both_headers_damaged_still_tells_of_the_pages() {
    let Some(base) = testdata::reference("clean-p4k") else { return };
    let mut file = fs::read(base.join("files/db.edb")).unwrap();
    file[100] ^= 2;
    file[4196] ^= 2;
    file[4096 * 9 + 700] ^= 0x13;
    let report = verify(file).unwrap();
    assert_eq!(report.header.status, None);
    let found: Vec<_> =
        report.findings.iter().map(|f| (f.place().number(), f.name(), f.jet_error())).collect();
    let [first, second, page] = found.try_into().unwrap();
    assert_eq!(first, (-1, "bad_header", Some(JetError::DATABASE_CORRUPTED)));
    assert_eq!(second, (0, "bad_header", Some(JetError::DATABASE_CORRUPTED)));
    assert_eq!(page, (8, "bad_checksum", Some(JetError::READ_VERIFY_FAILURE)));
}

#[test]
fn no_header_at_all_is_an_error() {
    for bytes in [vec![], vec![0; 100], vec![0; 200_000], vec![0xA5; 200_000]] {
        let error = verify(bytes).unwrap_err();
        assert!(matches!(error, VerifyError::Header(_)));
        assert_eq!(error.jet_error(), JetError::DATABASE_CORRUPTED);
    }
}

#[test]
fn a_cut_file_is_named_as_cut() {
    let whole = database(size(4096), 5);
    for len in (8192..whole.len()).step_by(611).chain([8192, 12288, 20480]) {
        let report = verify(whole[..len].to_vec()).unwrap();
        assert_eq!(report.pages.total, (len / 4096 - 2) as u64);
        assert_eq!(report.pages.good, report.pages.total);
        let rest = u32::try_from(len % 4096).unwrap();
        match report.findings.as_slice() {
            [] => assert_eq!(rest, 0),
            [DatabaseFinding::PartialPage { page, expected: 4096, found }] => {
                assert_eq!((*found, page.0 as usize), (rest, len / 4096 - 1));
            }
            other => panic!("{other:?}"),
        }
    }
    // Inside the second header.
    let report = verify(whole[..5000].to_vec()).unwrap();
    assert_eq!(report.pages.total, 0);
    assert!(report.findings.iter().any(|f| f.place() == FindingPlace::SecondaryHeader));
    // A file that ends at a page boundary, but before the end of what the database owns.
    let Some(base) = testdata::reference("clean-p4k") else { return };
    let file = fs::read(base.join("files/db.edb")).unwrap();
    let report = verify(file[..4096 * 202].to_vec()).unwrap();
    let [DatabaseFinding::Truncated { expected, found: PageNumber(200) }] = report.findings.as_slice() else {
        panic!("{:?}", report.findings);
    };
    assert!(expected.0 > 200 && u64::from(expected.0) <= file.len() as u64 / 4096 - 2);
}

#[test]
fn an_unknown_format_is_not_verified() {
    for (format, update) in [(0x621, 0), (0x700, 400), (0x61F, 20), (0, 0)] {
        let mut header = DatabaseHeader::new(size(4096));
        header.set_format_version(format);
        header.set_update_major(update);
        let page = header.write();
        let report = verify([page.clone(), page, vec![7; 4096]].concat()).unwrap();
        assert!(report.unsupported.is_some());
        assert!(!report.is_clean());
        assert_eq!(report.pages.total, 0);
    }
}

/// A device with a bad spot: reads that touch these bytes fail.
struct BadSpot {
    inner: std::sync::Arc<dyn File>,
    bad: std::ops::Range<u64>,
}

impl File for BadSpot {
    fn path(&self) -> &Path {
        self.inner.path()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, IoError> {
        if offset < self.bad.end && offset + buffer.len() as u64 > self.bad.start {
            return Err(IoError::new(Operation::Read, IoErrorKind::Device, self.path()).at(offset));
        }
        self.inner.read_at(offset, buffer)
    }
    fn write_at(&self, _: u64, _: &[u8]) -> Result<(), IoError> {
        unreachable!("verification only reads")
    }
    fn len(&self) -> Result<u64, IoError> {
        self.inner.len()
    }
    fn set_len(&self, _: u64) -> Result<(), IoError> {
        unreachable!("verification only reads")
    }
    fn sync(&self) -> Result<(), IoError> {
        unreachable!("verification only reads")
    }
}

#[test]
fn a_bad_spot_costs_only_its_own_pages() {
    let storage = MemoryStorage::new();
    storage.put("db.edb", database(size(8192), 400));
    let inner = storage.open(Path::new("db.edb"), OpenOptions::READ).unwrap();
    let file = BadSpot { inner, bad: 2_000_000..2_010_000 };
    let report = verify_database(&file, VerifyOptions::default(), &NoProgress).unwrap();
    assert_eq!(report.pages.total, 400);
    assert_eq!(report.pages.not_verified, 2);
    assert_eq!(report.pages.good, 398);
    assert!(!report.is_clean());
    let errors: Vec<_> = report.findings.iter().map(|f| (f.place().number(), f.jet_error())).collect();
    assert_eq!(errors, [(243, Some(JetError::DISK_IO)), (244, Some(JetError::DISK_IO))]);
}

/// Asks to stop after so many bytes.
struct StopAfter {
    limit: u64,
    done: AtomicU64,
}

impl Progress for StopAfter {
    fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::SeqCst);
    }
    fn stop_requested(&self) -> bool {
        self.done.load(Ordering::SeqCst) >= self.limit
    }
}

#[test]
fn progress_counts_every_byte_and_stops_when_asked() {
    let bytes = database(size(32768), 300);
    let len = bytes.len() as u64;
    let storage = MemoryStorage::new();
    storage.put("db.edb", bytes);
    let file = storage.open(Path::new("db.edb"), OpenOptions::READ).unwrap();
    let never = StopAfter { limit: u64::MAX, done: AtomicU64::new(0) };
    verify_database(file.as_ref(), VerifyOptions::default(), &never).unwrap();
    assert_eq!(never.done.into_inner(), len);
    let soon = StopAfter { limit: 2 << 20, done: AtomicU64::new(0) };
    let error = verify_database(file.as_ref(), VerifyOptions::default(), &soon).unwrap_err();
    assert!(matches!(error, VerifyError::Interrupted));
    assert!(soon.done.into_inner() < len);
}

#[test]
fn findings_are_bounded_and_the_same_on_any_number_of_threads() {
    let mut bytes = database(size(4096), 2000);
    for page in bytes.chunks_exact_mut(4096).skip(2) {
        page[1000] ^= 0x11;
    }
    let storage = MemoryStorage::new();
    storage.put("db.edb", bytes);
    let file = storage.open(Path::new("db.edb"), OpenOptions::READ).unwrap();
    let lists: Vec<Vec<i64>> = [1, 2, 7]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let options = VerifyOptions { max_findings: 50 };
            let report = pool.install(|| verify_database(file.as_ref(), options, &NoProgress)).unwrap();
            assert_eq!((report.pages.bad, report.findings_omitted), (2000, 1950));
            report.findings.iter().map(|f| f.place().number()).collect()
        })
        .collect();
    assert_eq!(lists[0], (1..=50).collect::<Vec<i64>>());
    assert!(lists.iter().all(|list| list == &lists[0]));
}

#[test]
fn pages_of_the_last_piece_are_not_forgotten() {
    for count in iter::once(0).chain(250..262) {
        let report = verify(database(size(4096), count)).unwrap();
        assert_eq!((report.pages.total, report.pages.good), (u64::from(count), u64::from(count)));
        assert!(report.is_clean());
    }
}
