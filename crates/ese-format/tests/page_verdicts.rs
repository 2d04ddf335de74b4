//! The verdicts on whole files: databases of real systems, whose page counts are known, and databases that were damaged
//! on purpose, for which the original engine's own verdict was recorded.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::fs;

use ese_format::{PageNumber, PageSize, PageVerdict, header_checksum_matches, verify_page};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    good: u32,
    corrected: u32,
    uninitialized: u32,
    bad: u32,
}

fn count(file: &[u8], size: PageSize) -> Counts {
    let mut counts = Counts::default();
    for (number, page) in (1..).zip(file.chunks_exact(size.len()).skip(2)) {
        match verify_page(page, PageNumber(number)).verdict().unwrap() {
            PageVerdict::Good => counts.good += 1,
            PageVerdict::Corrected { .. } => counts.corrected += 1,
            PageVerdict::Uninitialized => counts.uninitialized += 1,
            PageVerdict::WrongPageNumber { .. } | PageVerdict::Bad { .. } => counts.bad += 1,
        }
    }
    counts
}

#[test]
fn counts_of_real_databases() {
    let files = testdata::real_files();
    let mut seen = 0;
    for file in files.iter().filter(|f| f.kind == "database") {
        let size = PageSize::new(file.page_size.unwrap()).unwrap();
        let counts = count(&testdata::real_bytes(file).unwrap(), size);
        let number = |word| u32::try_from(testdata::number_before(&file.counts, word).unwrap()).unwrap();
        let expected = Counts {
            good: number(" good"),
            corrected: 0,
            uninitialized: number(" zero"),
            bad: number(" bad"),
        };
        assert_eq!(counts, expected, "{}/{}", file.set, file.file);
        seen += 1;
    }
    assert!(files.is_empty() || seen >= 30, "only {seen} databases in the manifest");
}

#[test]
fn verdicts_on_damaged_databases() {
    for (bitflips, base) in
        [("bitflips-p4k", "clean-p4k"), ("bitflips-p8k", "clean-p8k"), ("bitflips-p32k", "clean-p32k")]
    {
        let (Some(bitflips), Some(base)) = (testdata::reference(bitflips), testdata::reference(base)) else {
            continue;
        };
        let list = fs::read_to_string(bitflips.join("verdicts.json")).unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        let manifest = fs::read_to_string(bitflips.join("MANIFEST.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        let size = PageSize::new(u32::try_from(manifest["page"].as_u64().unwrap()).unwrap()).unwrap();
        let sound = fs::read(base.join("files/db.edb")).unwrap();
        assert_eq!(list.len(), 110);
        let mut compared = 0;
        for mutation in &list {
            let mut file = sound.clone();
            testdata::damage(&mut file, size.len(), mutation).unwrap();
            // The tool gave no counts where it could not open the file or died.
            let Some(bad) = mutation["bad_checksums"].as_u64() else { continue };
            let counts = count(&file, size);
            let bad_headers =
                file.chunks_exact(size.len()).take(2).filter(|h| !header_checksum_matches(h)).count();
            assert_eq!(u64::from(counts.bad) + bad_headers as u64, bad, "{mutation}");
            assert_eq!(
                Some(u64::from(counts.corrected)),
                mutation["correctable_checksums"].as_u64(),
                "{mutation}"
            );
            // The tool's threads add to this counter without a lock and lose a few: never more, seldom less.
            let uninitialized = mutation["uninitialized_pages"].as_u64().unwrap();
            let ours = u64::from(counts.uninitialized);
            assert!((ours.saturating_sub(5)..=ours).contains(&uninitialized), "{ours} for {mutation}");
            compared += 1;
        }
        assert!(compared >= 108, "only {compared} compared");
    }
}
