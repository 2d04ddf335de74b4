//! A page under random edits, against a list of nodes.

use ese_format::{DbTime, ObjectId, PageNumber, PageSize};
use proptest::prelude::*;

use super::*;

fn new_page(size: u32, flags: u32) -> PageImage<Vec<u8>> {
    let size = PageSize::new(size).unwrap();
    let mut page = PageImage::new(vec![0xAA; size.len()], size).unwrap();
    page.initialize(PageNumber(7), ObjectId(9), DbTime(100));
    page.consume(flags);
    page
}

#[test]
fn a_new_page_is_the_engines() {
    let mut page = new_page(4096, page_flags::ROOT | page_flags::LEAF);
    assert_eq!((page.free(), page.used_end(), page.tag_count()), (4096 - 40 - 4, 0, 1));
    assert_eq!(page.flags(), 0x2803);
    page.set_external_header(&[1; 16]).unwrap();
    page.insert(0, &NewNode::plain(b"key", b"data", 0)).unwrap();
    // Header, then `03 00 'key' 'data'` behind the 16 bytes; tags from the end: {16, 0}, {9, 16}.
    assert_eq!(&page.bytes()[56..65], b"\x03\0keydata");
    assert_eq!(&page.bytes()[4088..], &[9, 0, 16, 0, 16, 0, 0, 0]);
    assert_eq!(page.free(), 4096 - 40 - 8 - 16 - 9);
    page.check().unwrap();
}

#[test]
fn large_pages_keep_node_flags_in_the_body() {
    let mut page = new_page(32768, page_flags::LEAF);
    page.set_external_header(b"prefix").unwrap();
    page.insert(0, &NewNode::compressed(b"prefab", 4, b"d", node_flags::VERSIONED)).unwrap();
    assert_eq!(&page.bytes()[86..93], b"\x04\xA0\x02\0abd");
    page.change_node_flags(0, node_flags::DELETED, node_flags::VERSIONED).unwrap();
    let node = page.node(0).unwrap();
    assert_eq!((node.flags, node.key()), (node_flags::DELETED | node_flags::COMPRESSED, b"prefab".to_vec()));
    assert_eq!(page.set_external_header(b"pre"), Err(PageEditError::PrefixInUse { length: 3, in_use: 4 }));
    page.replace_data(0, b"longer data").unwrap();
    assert_eq!(page.node(0).unwrap().data, b"longer data");
    page.check().unwrap();
}

#[test]
fn a_damaged_page_is_refused_not_followed() {
    let mut page = new_page(4096, page_flags::LEAF);
    page.insert(0, &NewNode::plain(b"k", b"d", 0)).unwrap();
    let good = page.bytes().to_vec();
    for at in 28..36 {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            let mut page = PageImage::new(bytes, PageSize::DEFAULT).unwrap();
            let _ = page.check();
            let _ = page.insert(0, &NewNode::plain(b"a", b"b", 0));
            let _ = page.replace_data(0, &[0; 3000]);
            let _ = page.delete(0);
            let _ = page.empty();
        }
    }
    let mut bytes = good;
    bytes[28] ^= 1;
    assert!(PageImage::new(bytes, PageSize::DEFAULT).unwrap().check().is_err());
}

#[test]
fn images_lose_and_regain_their_free_space() {
    let mut page = new_page(8192, page_flags::LEAF);
    for i in 0..20_u8 {
        page.insert(0, &NewNode::plain(&[b'k', i], &[i; 50], 0)).unwrap();
    }
    page.delete(3).unwrap();
    let size = PageSize::new(8192).unwrap();
    let image = dehydrate(page.bytes(), size).unwrap();
    assert!(image.len() < 1300 && image.len().is_multiple_of(2));
    let mut back = Vec::new();
    rehydrate(&image, size, &mut back).unwrap();
    let back = PageImage::new(back, size).unwrap();
    back.check().unwrap();
    assert_eq!(back.free(), page.free());
    for line in 0..page.line_count() {
        assert_eq!(back.node(line), page.node(line));
    }
    let mut out = Vec::new();
    assert!(rehydrate(&image[..30], size, &mut out).is_err());
    let mut broken = image;
    broken[35] |= 0x0F;
    assert!(rehydrate(&broken, size, &mut out).is_err());
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, u8, usize),
    Delete(usize),
    Replace(usize, usize),
    Flags(usize, u8),
    Header(usize),
    Rebuild,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let one = prop_oneof![
        4 => (any::<usize>(), any::<u8>(), 1..700_usize).prop_map(|(a, b, c)| Edit::Insert(a, b, c)),
        2 => any::<usize>().prop_map(Edit::Delete),
        3 => (any::<usize>(), 1..900_usize).prop_map(|(a, b)| Edit::Replace(a, b)),
        1 => (any::<usize>(), 0..4_u8).prop_map(|(a, b)| Edit::Flags(a, b)),
        1 => (4..60_usize).prop_map(Edit::Header),
        1 => Just(Edit::Rebuild),
    ];
    prop::collection::vec(one, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]
    #[test]
    fn edits_follow_the_model(size in prop::sample::select(vec![4096_u32, 8192, 16384, 32768]), edits in edits()) {
        let mut page = new_page(size, page_flags::LEAF);
        let prefix = [b'p'; 60];
        page.set_external_header(&prefix).unwrap();
        let mut header_len = 60;
        let mut model: Vec<(Vec<u8>, Vec<u8>, u8)> = Vec::new();
        for (step, edit) in edits.iter().enumerate() {
            let fill = step as u8;
            match *edit {
                Edit::Insert(at, shape, len) => {
                    let line = at % (model.len() + 1);
                    let common = usize::from(shape) % 5;
                    let mut key = vec![b'p'; common];
                    key.extend_from_slice(&[shape, fill]);
                    let data = vec![fill; len];
                    let prefix_len = usable_prefix(page.key_prefix(), &key);
                    let flags = shape & 3;
                    let free = page.free();
                    let node = NewNode::compressed(&key, prefix_len, &data, flags);
                    let fits = node.body_len() + 4 <= free;
                    prop_assert_eq!(page.insert(line, &node).is_ok(), fits);
                    if fits {
                        model.insert(line, (key, data, flags));
                    }
                }
                Edit::Delete(at) if !model.is_empty() => {
                    let line = at % model.len();
                    page.delete(line).unwrap();
                    model.remove(line);
                }
                Edit::Replace(at, len) if !model.is_empty() => {
                    let line = at % model.len();
                    let data = vec![fill; len];
                    let fits = len <= model[line].1.len() + page.free();
                    prop_assert_eq!(page.replace_data(line, &data).is_ok(), fits);
                    if fits {
                        model[line].1 = data;
                    }
                }
                Edit::Flags(at, flags) if !model.is_empty() => {
                    let line = at % model.len();
                    page.change_node_flags(line, flags, !flags & 3).unwrap();
                    model[line].2 = flags;
                }
                Edit::Header(len) => {
                    let done = page.set_external_header(&prefix[..len]).is_ok();
                    header_len = if done { len } else { header_len };
                }
                Edit::Rebuild => {
                    let nodes: Vec<_> = model.iter().map(|(key, data, flags)| {
                        NewNode::compressed(key, usable_prefix(&prefix[..header_len], key), data, *flags)
                    }).collect();
                    page.rebuild(&prefix[..header_len], nodes).unwrap();
                }
                _ => {}
            }
            page.check().unwrap();
            prop_assert_eq!(page.line_count(), model.len());
            prop_assert_eq!(page.external_header(), &prefix[..header_len]);
            for (line, (key, data, flags)) in model.iter().enumerate() {
                let node = page.node(line).unwrap();
                prop_assert_eq!(&node.key(), key);
                prop_assert_eq!(node.data, &data[..]);
                prop_assert_eq!(node.flags & 3, *flags);
            }
        }
    }
}
