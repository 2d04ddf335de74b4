//! Database pages: checksums, structure, and what nodes hold. The length of the input chooses the page size.

use ese_format::{
    Extent, LongValueKey, LongValueRoot, PageCheck, PageFlags, PageNumber, PageSize, PageVerdict, PageView,
    RootFields, SearchKey, SpaceHeader, SplitBuffer, correct_page, first_differing_block, verify_page,
    write_page_checksum,
};

use crate::samples;
use crate::targets::rows;

/// The largest page that `data` fills.
pub(super) fn page(data: &[u8]) -> Option<(&[u8], PageSize)> {
    PageSize::ALL.into_iter().rev().find_map(|size| Some((data.get(..size.len())?, size)))
}

/// Verdicts and corrections.
pub(crate) fn checksum(data: &[u8]) {
    let Some((page, _)) = page(data) else {
        let _ = verify_page(data, PageNumber(1));
        return;
    };
    for number in [PageNumber(1), PageNumber(0), PageNumber(u32::MAX), PageNumber(77)] {
        one_checksum(page, number);
        // A good page, and the same with one bit flipped, chosen by the input.
        let mut fixed = page.to_vec();
        if write_page_checksum(&mut fixed, number).is_err() {
            continue;
        }
        one_checksum(&fixed, number);
        let bit = data.iter().fold(7_usize, |h, b| h.wrapping_mul(31).wrapping_add(usize::from(*b)));
        let bit = bit % (8 * fixed.len());
        if let Some(byte) = fixed.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        one_checksum(&fixed, number);
    }
}

fn one_checksum(page: &[u8], number: PageNumber) {
    let before = verify_page(page, number);
    let mut corrected = page.to_vec();
    assert_eq!(correct_page(&mut corrected, number), before, "the verdict does not depend on correcting");
    match before {
        PageCheck::Verified(PageVerdict::Corrected { .. }) => {
            let after = verify_page(&corrected, number);
            assert_eq!(after, PageCheck::Verified(PageVerdict::Good), "a corrected page is good");
        }
        _ => assert!(corrected == page, "only a correctable page is changed"),
    }
    let _ = (before.jet_error(), first_differing_block(page, number));
}

/// Structure, nodes, and everything a node may be.
pub(crate) fn view(data: &[u8]) {
    let Some((bytes, size)) = page(data) else { return };
    let Ok(view) = PageView::parse(bytes, size) else { return };
    let findings = view.check();
    for finding in &findings {
        let _ = (finding.jet_error(), finding.to_string());
    }
    let external = view.external_header();
    let _ = (SplitBuffer::decode(external), RootFields::decode(external), view.is_zero());
    if let Some(header) = external.first_chunk::<16>() {
        let header = SpaceHeader::from_bytes(header);
        assert_eq!(&header.to_bytes()[..], external.get(..16).unwrap_or_default());
        let _ = header.space_trees();
    }
    let (mut bytes_seen, mut wanted) = (0_usize, Vec::new());
    for node in view.nodes() {
        let Ok(node) = node else { continue };
        bytes_seen += node.suffix.len() + node.data.len();
        let key = node.key().to_vec();
        assert_eq!(key.len(), node.prefix.len() + node.suffix.len());
        let _ = (node.child(), Extent::decode(node.key(), node.data), LongValueKey::decode(node.key()));
        let _ = LongValueRoot::decode(node.data);
        rows::one(node.data, size);
        wanted = key;
    }
    // A page flagged empty holds nothing meaningful, and its nodes were not checked.
    let checked = findings.is_empty() && !view.flags().contains(PageFlags::EMPTY);
    assert!(!checked || bytes_seen <= bytes.len(), "a page in order holds no more than its size");
    for key in [&wanted[..], &[], &[0xFF; 8]] {
        let _ = (view.find(SearchKey::key(key)), view.find_child(SearchKey::key(key)));
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut found = samples::pages("clean-p4k", 4096, 13);
    found.extend(samples::pages("dirty-exit-p8k", 8192, 29));
    found.extend(samples::pages("clean-p16k", 16384, 37));
    found.extend(samples::pages("clean-p32k", 32768, 41));
    found
}
