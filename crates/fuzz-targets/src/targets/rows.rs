//! Records of tables: the data of a leaf node. The first byte of the input chooses between small and large pages.

use ese_format::{ColumnId, ColumnState, PageSize, PageView, RecordView, TaggedValue, decompress_value};

use crate::samples;

/// Decodes every column that could be there.
pub(crate) fn run(data: &[u8]) {
    let Some((first, record)) = data.split_first() else { return };
    let sizes = PageSize::ALL;
    let size = sizes.get(usize::from(*first) % sizes.len()).copied().unwrap_or(PageSize::DEFAULT);
    one(record, size);
}

pub(super) fn one(record: &[u8], size: PageSize) {
    let Ok(view) = RecordView::parse(record, size) else { return };
    for id in 0..=view.last_fixed() {
        let _ = view.fixed(ColumnId(u16::from(id)), usize::from(id) * 3, 1 + usize::from(id) % 9);
    }
    let (mut total, mut broken) = (0, false);
    for id in 127..=view.last_variable() {
        match view.variable(ColumnId(u16::from(id))) {
            Ok(ColumnState::Value(value)) => total += value.len(),
            Ok(_) => {}
            Err(_) => broken = true,
        }
    }
    assert!(broken || total <= record.len(), "variable columns overlap");
    let mut out = Vec::new();
    let (mut columns, mut values) = (0, 0);
    for column in view.tagged_columns() {
        columns += 1;
        let Ok(column) = column else { continue };
        let _ = view.tagged(column.id, column.from_template);
        for value in column.values() {
            values += 1;
            out.clear();
            if let Ok(TaggedValue::Compressed(value)) = value {
                let _ = decompress_value(value, 1 << 16, &mut out);
                assert!(out.len() <= 1 << 16);
            }
        }
    }
    assert!(columns <= record.len() && values <= record.len(), "{columns} columns, {values} values");
    let _ = view.tagged(ColumnId(300), false);
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for (selector, case, bytes) in
        [(1, "clean-p4k", 4096), (2, "dirty-exit-p8k", 8192), (4, "clean-p32k", 32768)]
    {
        let Ok(size) = PageSize::new(bytes) else { continue };
        for page in samples::pages(case, size.len(), 11) {
            let Ok(view) = PageView::parse(&page, size) else { continue };
            if !view.is_leaf() {
                continue;
            }
            let record = view.nodes().flatten().map(|n| n.data).max_by_key(|d| d.len()).unwrap_or_default();
            found.push([&[selector], record].concat());
        }
    }
    found
}
