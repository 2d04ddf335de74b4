//! Editing pages, and the before-images of log records.

use ese_btree::{NewNode, PageEditError, PageImage, dehydrate, rehydrate, usable_prefix};
use ese_format::{PageSize, PageView};

use crate::targets::pages;

/// A page, and behind it the edits, eight bytes each.
pub(crate) fn edit(data: &[u8]) {
    let Some((bytes, size)) = pages::page(data) else { return };
    let Ok(mut page) = PageImage::new(bytes.to_vec(), size) else { return };
    // The quick check of an edit lets a page pass that was never used, or whose bodies overlap.
    let whole = PageView::parse(bytes, size).is_ok_and(|view| view.check().is_empty());
    let sound = whole && page.tag_count() > 0 && page.check().is_ok();
    for operation in data.get(size.len()..).unwrap_or_default().as_chunks::<8>().0.iter().take(64) {
        let before = page.bytes().to_vec();
        let result = apply(&mut page, *operation);
        if sound {
            let check = page.check();
            assert!(check.is_ok(), "{operation:?} left {check:?}, and returned {result:?}");
            if result.is_err() {
                // An edit that is refused may have slid bodies together, but no line is lost.
                let lines = PageImage::new(before, size).map(|p| p.line_count());
                assert_eq!(lines.ok(), Some(page.line_count()), "{operation:?} {result:?}");
            }
        }
    }
}

fn apply(page: &mut PageImage<Vec<u8>>, operation: [u8; 8]) -> Result<(), PageEditError> {
    let [kind, a, b, c, d, e, f, g] = operation;
    let lines = page.line_count();
    let line = usize::from(u16::from_le_bytes([a, b])) % (lines + 2);
    let count = usize::from(u16::from_le_bytes([c, d])) % 9000;
    let data = vec![e; count];
    let key: Vec<u8> = page.key_prefix().iter().copied().take(usize::from(f)).chain([g, e, f]).collect();
    match kind % 9 {
        0 | 1 => page.insert(line, &NewNode::plain(&key, &data, 0)),
        2 => {
            let common = usable_prefix(page.key_prefix(), &key);
            page.insert(line, &NewNode::compressed(&key, common, &data, g & 3))
        }
        3 => page.delete(line),
        4 => page.delete_range(line, line + usize::from(g) % 8),
        5 => page.replace_data(line, &data),
        6 => page.overwrite_data(line, usize::from(g), &key),
        7 => page.change_node_flags(line, f & 3, g & 3),
        _ => page.fill_free_space(g),
    }
}

/// Any bytes as a before-image in every page size.
pub(crate) fn before_image(data: &[u8]) {
    let mut page = Vec::new();
    for size in PageSize::ALL {
        if rehydrate(data, size, &mut page).is_ok() {
            assert_eq!(page.len(), size.len());
        }
        let Some(bytes) = data.get(..size.len()) else { continue };
        let Ok(image) = dehydrate(bytes, size) else { continue };
        assert!(image.len() <= size.len());
        if rehydrate(&image, size, &mut page).is_ok() {
            let (Ok(before), Ok(after)) =
                (PageImage::new(bytes.to_vec(), size), PageImage::new(page.clone(), size))
            else {
                continue;
            };
            assert_eq!(before.line_count(), after.line_count());
            for line in 0..before.line_count() {
                let (Ok(b), Ok(a)) = (before.node(line), after.node(line)) else { continue };
                assert_eq!((b.key(), b.data, b.flags), (a.key(), a.data, a.flags), "line {line}");
            }
        }
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut found = pages::samples();
    for (index, page) in found.iter_mut().enumerate() {
        // Some of every kind, at different lines.
        for step in 0..24_u8 {
            let seed = step.wrapping_mul(37).wrapping_add(index as u8);
            page.extend_from_slice(&[
                step,
                seed,
                seed & 1,
                seed.wrapping_mul(3),
                step & 1,
                7,
                seed & 31,
                seed,
            ]);
        }
    }
    found
}
