//! Pages of the original engine, edited: every used page of the reference databases is checked, taken apart and put
//! together again, and must show the same nodes with the same free space.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use ese_btree::{NewNode, PageImage, dehydrate, node_flags, rehydrate, usable_prefix};
use ese_format::PageSize;

#[test]
fn pages_taken_apart_and_put_together() {
    for (case, size) in
        [("clean-p4k", 4096), ("clean-p8k", 8192), ("clean-p16k", 16384), ("clean-p32k", 32768)]
    {
        let Some(folder) = testdata::reference(case) else { continue };
        let size = PageSize::new(size).unwrap();
        let bytes = std::fs::read(folder.join("files/db.edb")).unwrap();
        let mut nodes_seen = 0;
        for (index, bytes) in bytes.chunks_exact(size.len()).enumerate().skip(2) {
            let page = PageImage::new(bytes, size).unwrap();
            if page.is_zero() {
                continue;
            }
            page.check().unwrap_or_else(|e| panic!("{case} page {}: {e}", index - 1));
            let nodes: Vec<_> = (0..page.line_count()).map(|line| page.node(line).unwrap()).collect();
            let keys: Vec<_> = nodes.iter().map(|n| n.key()).collect();
            let mut edited = PageImage::new(bytes.to_vec(), size).unwrap();
            let rebuilt = nodes
                .iter()
                .zip(&keys)
                .map(|(n, key)| NewNode::compressed(key, n.prefix.len(), n.data, n.flags));
            edited.rebuild(page.external_header(), rebuilt).unwrap();
            edited.check().unwrap();
            assert_eq!((edited.free(), edited.flags()), (page.free(), page.flags()));
            for (line, node) in nodes.iter().enumerate() {
                assert_eq!(&edited.node(line).unwrap(), node);
                if node.flags & node_flags::COMPRESSED != 0 {
                    assert!(node.prefix.len() > 2);
                    assert!(usable_prefix(page.key_prefix(), &keys[line]) >= node.prefix.len());
                }
                // Seeking finds each node of a leaf by its own bookmark.
                if page.has(ese_btree::page_flags::LEAF) {
                    assert_eq!(page.seek(&keys[line], node.data).unwrap(), (line, true));
                }
            }
            nodes_seen += nodes.len();
            if page.tag_count() > 0 {
                let image = dehydrate(bytes, size).unwrap();
                let mut whole = Vec::new();
                rehydrate(&image, size, &mut whole).unwrap();
                let whole = PageImage::new(whole, size).unwrap();
                whole.check().unwrap();
                assert!((0..page.line_count()).all(|line| whole.node(line) == page.node(line)));
            }
        }
        assert!(nodes_seen > 1000, "{case}: {nodes_seen} nodes");
    }
}
