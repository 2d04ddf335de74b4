//! The page images of split and merge records.

use ese_btree::{make_before_image, restore_before_image};
use ese_format::PageSize;
use ese_log::record::{BeforeImage, BeforeImageFlags, Record};

use crate::samples;

/// First byte: flags and page size; the stored image.
pub(crate) fn run(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else { return };
    let Some(&size) = PageSize::ALL.get(usize::from(first >> 4) % PageSize::ALL.len()) else { return };
    let image = BeforeImage { flags: BeforeImageFlags::from_bits_retain(u32::from(first & 7)), bytes };
    let mut page = Vec::new();
    if restore_before_image(&image, size, &mut page).is_err() {
        return;
    }
    assert_eq!(page.len(), size.len());
    if let Ok(stored) = make_before_image(&page, size, true) {
        let mut again = Vec::new();
        assert!(restore_before_image(&stored.as_part(), size, &mut again).is_ok());
        assert_eq!(again.len(), size.len());
    }
}

/// Every record of some logs whose segments are walked without their fragments.
fn records(visit: &mut dyn FnMut(&Record<'_>, PageSize)) {
    for (case, size) in [("clean-p4k", 4096), ("clean-p8k", 8192), ("clean-p32k", 32768)] {
        let Ok(size) = PageSize::new(size) else { continue };
        for log in samples::files(case, "files", &[".log"], 1 << 20) {
            for segment in log.chunks_exact(4096).skip(1) {
                let mut rest = segment.get(40..).unwrap_or_default();
                while let Ok((record, size_in_bytes)) = Record::decode_first(rest) {
                    visit(&record, size);
                    rest = rest.get(size_in_bytes..).unwrap_or_default();
                }
            }
        }
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    records(&mut |record, size| {
        let image = match record {
            Record::Split(split) => split.image,
            Record::Merge(merge) => merge.image,
            _ => None,
        };
        let index = PageSize::ALL.iter().position(|&s| s == size).unwrap_or(0);
        if let Some(image) = image.filter(|image| !image.bytes.is_empty() && image.bytes.len() < 5000)
            && found.len() < 60
        {
            let flags = u8::try_from(image.flags.bits() & 7).unwrap_or(0);
            let first = u8::try_from(index << 4).unwrap_or(0) | flags;
            found.push([&[first], image.bytes].concat());
        }
    });
    found
}
