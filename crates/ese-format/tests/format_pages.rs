//! The format pages under `docs/formats` list the same fields as the code: offset, size and name.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use ese_format::{RawFlushMapHeader, RawFlushMapPageHeader};

/// Rows `| offset | size | field | …` below a heading.
fn table(page: &str, heading: &str) -> Vec<(String, usize, usize)> {
    let section = page.split("\n## ").find(|s| s.starts_with(heading)).expect("the section");
    section
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            Some((cells.get(3)?.to_string(), cells[1].parse().ok()?, cells[2].parse().ok()?))
        })
        .collect()
}

#[test]
fn flush_map() {
    let page = include_str!("../../../docs/formats/flush-map.md");
    for (heading, fields) in
        [("Header", RawFlushMapHeader::FIELDS), ("Map page", RawFlushMapPageHeader::FIELDS)]
    {
        let code: Vec<_> = fields.iter().map(|(n, offset, size)| (n.to_string(), *offset, *size)).collect();
        assert_eq!(table(page, heading), code, "{heading}");
    }
}
