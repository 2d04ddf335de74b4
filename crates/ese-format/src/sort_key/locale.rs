//! Locales: names, numbers, and how each sorts.

use std::sync::LazyLock;

/// One line a locale, in the order of names: number in hexadecimal, number of the sort in hexadecimal, name. Numbers and
/// names are those of MS-LCID and Windows 10; a locale without a number of its own has 0x1000.
static FILE: &str = include_str!("locales.txt");
static LOCALES: LazyLock<Vec<Locale>> = LazyLock::new(|| FILE.lines().filter_map(parse).collect());

/// What locales without a number of their own have as number.
const UNSPECIFIED: u32 = 0x1000;

/// The part of an identifier of a sort that is the same for all: {xxxxxxxx-57EE-1E5C-00B4-D0000BB1E11E}.
const SORT_FAMILY: [u8; 12] = [0xEE, 0x57, 0x5C, 0x1E, 0, 0xB4, 0xD0, 0, 0x0B, 0xB1, 0xE1, 0x1E];

/// A locale that Windows knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locale {
    name: &'static str,
    id: u32,
    sort: u8,
}

fn parse(line: &'static str) -> Option<Locale> {
    let mut fields = line.splitn(3, ' ');
    let id = u32::from_str_radix(fields.next()?, 16).ok()?;
    let sort = u8::from_str_radix(fields.next()?, 16).ok()?;
    Some(Locale { name: fields.next()?, id, sort })
}

impl Locale {
    /// The locale of a name such as `pt-BR`, in any case; the empty name is the invariant locale.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        LOCALES.iter().find(|locale| locale.name.eq_ignore_ascii_case(name)).copied()
    }

    /// The locale of a number such as 0x0416.
    #[must_use]
    #[doc(alias = "LCID")]
    pub fn by_id(id: u32) -> Option<Self> {
        LOCALES.iter().find(|locale| locale.id == id && id != UNSPECIFIED).copied()
    }

    /// Its name as Windows writes it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its number; 0x1000 for locales without one of their own.
    #[must_use]
    #[doc(alias = "LCID")]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Identifier of its sort, a GUID as stored with an index.
    #[must_use]
    #[doc(alias = "SortID")]
    pub fn sort_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        for (byte, value) in id.iter_mut().zip([self.sort, 0, 0, 0].into_iter().chain(SORT_FAMILY)) {
            *byte = value;
        }
        id
    }

    /// The number of its sort; 1 is the default one.
    pub(super) const fn sort(&self) -> u8 {
        self.sort
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let brazil = Locale::by_name("PT-br").unwrap();
        assert_eq!((brazil.name(), brazil.id(), brazil.sort()), ("pt-BR", 0x416, 1));
        assert_eq!(Locale::by_id(0x416), Some(brazil));
        assert_eq!(Locale::by_name("").unwrap().id(), 0x7F);
        assert_eq!(Locale::by_id(0x411).unwrap().name(), "ja-JP");
        assert_eq!(Locale::by_name("es-ES_tradnl").unwrap().id(), 0x40A);
        assert_eq!(Locale::by_name("xx-XX"), None);
        assert_eq!(Locale::by_id(UNSPECIFIED), None);
        assert_eq!(Locale::by_name("sv-SE").unwrap().sort_id()[..8], [0x1A, 0, 0, 0, 0xEE, 0x57, 0x5C, 0x1E]);
    }

    #[test]
    fn the_list_is_whole() {
        assert_eq!(LOCALES.len(), FILE.lines().count());
        for (number, locale) in LOCALES.iter().enumerate() {
            assert_eq!(Locale::by_name(locale.name), Some(*locale));
            let same = |other: &&Locale| other.id == locale.id && locale.id != UNSPECIFIED;
            assert_eq!(LOCALES.iter().skip(number + 1).find(same), None);
            assert!((1..=75).contains(&locale.sort));
        }
    }
}
