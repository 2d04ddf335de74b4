//! Indexes of text in several languages: the order of rows is that of the language, and the indexes pass the check.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod table_bed;

use ese_format::ColumnKind;
use ese_instance::{ColumnSpec, CommitMode, IndexSpec, PrepareKind, SetFlags, TableSpec};
use table_bed::Bed;

const WORDS: [&str; 9] = ["zebra", "ähnlich", "Ähre", "azur", "chico", "cumbre", "öl", "örn", "Ocean"];

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn rows_in_the_order_of_a_language() {
    let bed = Bed::new(8192);
    let mut spec =
        TableSpec::new("Words").column(ColumnSpec::variable("Word", ColumnKind::TEXT, 100).unicode());
    let locales = ["en-US", "pt-br", "de-DE", "sv-SE", "es-ES_tradnl", "ja-JP", "fr-FR"];
    for locale in locales {
        spec = spec.index(IndexSpec::new(locale).ascending("Word").locale(locale));
    }
    bed.database.create_table(&spec).unwrap();
    let mut table = bed.open("Words");
    let word = table.column_id("Word").unwrap();
    bed.session.begin().unwrap();
    for text in WORDS {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(word, &utf16(text), SetFlags::empty()).unwrap();
        table.update().unwrap();
    }
    bed.session.commit(CommitMode::Durable).unwrap();
    let mut sorted = |index: &str| {
        table.set_current_index(Some(index)).unwrap();
        let (mut found, mut there) = (Vec::new(), table.move_first());
        while there.is_ok() {
            let units = table.get(word).unwrap().unwrap();
            let units: Vec<u16> = units.as_chunks::<2>().0.iter().map(|u| u16::from_le_bytes(*u)).collect();
            found.push(String::from_utf16(&units).unwrap());
            there = table.move_next();
        }
        found.join(" ")
    };
    let default = "ähnlich Ähre azur chico cumbre Ocean öl örn zebra";
    for locale in ["en-US", "pt-br", "de-DE", "ja-JP", "fr-FR"] {
        assert_eq!(sorted(locale), default, "{locale}");
    }
    assert_eq!(sorted("sv-SE"), "azur chico cumbre Ocean zebra ähnlich Ähre öl örn");
    assert_eq!(sorted("es-ES_tradnl"), "ähnlich Ähre azur cumbre chico Ocean öl örn zebra");
    drop(table);
    bed.crash().finish();
}
