//! Which sort keys an index has.

use super::locale::Locale;
use super::table::{SortTable, Weights};
use super::tailoring::{SortFlags, Tailoring};
use crate::JetError;

bitflags::bitflags! {
    /// Flags of Windows' string mapping, as stored with an index. Unknown bits are kept.
    #[doc(alias = "LCMapFlags")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CollationFlags: u32 {
        /// Upper and lower case are equal.
        #[doc(alias = "NORM_IGNORECASE")]
        const IGNORE_CASE = 0x1;
        /// Diacritic weights do not count.
        #[doc(alias = "NORM_IGNORENONSPACE")]
        const IGNORE_NONSPACE = 0x2;
        /// Symbols and punctuation do not count.
        #[doc(alias = "NORM_IGNORESYMBOLS")]
        const IGNORE_SYMBOLS = 0x4;
        /// Digits sort by the number they form.
        #[doc(alias = "SORT_DIGITSASNUMBERS")]
        const DIGITS_AS_NUMBERS = 0x8;
        /// Upper and lower case are equal, by the rules of the language.
        #[doc(alias = "LINGUISTIC_IGNORECASE")]
        const LINGUISTIC_IGNORE_CASE = 0x10;
        /// Diacritics do not count, by the rules of the language.
        #[doc(alias = "LINGUISTIC_IGNOREDIACRITIC")]
        const LINGUISTIC_IGNORE_DIACRITIC = 0x20;
        /// Not a sort key but the text in upper case.
        #[doc(alias = "LCMAP_UPPERCASE")]
        const UPPER_CASE = 0x200;
        /// A sort key.
        #[doc(alias = "LCMAP_SORTKEY")]
        const SORT_KEY = 0x400;
        /// Punctuation counts as symbols do.
        #[doc(alias = "SORT_STRINGSORT")]
        const STRING_SORT = 0x1000;
        /// Hiragana and katakana are equal.
        #[doc(alias = "NORM_IGNOREKANATYPE")]
        const IGNORE_KANA_TYPE = 0x1_0000;
        /// Half width and full width are equal.
        #[doc(alias = "NORM_IGNOREWIDTH")]
        const IGNORE_WIDTH = 0x2_0000;
        /// Case by the rules of the language.
        #[doc(alias = "NORM_LINGUISTIC_CASING")]
        const LINGUISTIC_CASING = 0x0800_0000;
    }
}

impl CollationFlags {
    /// What an index has that says nothing else.
    pub const DEFAULT: Self =
        Self::SORT_KEY.union(Self::IGNORE_CASE).union(Self::IGNORE_KANA_TYPE).union(Self::IGNORE_WIDTH);

    /// Those that can be followed.
    const KNOWN: Self =
        Self::DEFAULT.union(Self::IGNORE_NONSPACE).union(Self::IGNORE_SYMBOLS).union(Self::STRING_SORT);
}

/// Why text cannot be normalised as an index wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollationError {
    /// Nothing is known of the collation.
    #[error("no collation is given")]
    Missing,
    /// The locale is none whose sort is known.
    #[error("the sort of the locale is not known")]
    Locale,
    /// The locale number is none whose sort is known.
    #[error("the sort of locale {id:#06x} is not known")]
    LocaleId {
        /// The number.
        id: u32,
    },
    /// The identifier of the sort is not that of the locale's sort.
    #[error("the identifier of the sort is not that of the locale")]
    SortId,
    /// The sorting tables have another version than those that are here.
    #[error("sort version {found:#010x} is not known")]
    Version {
        /// The version.
        found: u32,
    },
    /// Flags that cannot be followed, or the flag for sort keys is not there.
    #[error("normalisation flags {found:#010x} are not supported")]
    Flags {
        /// All flags.
        found: u32,
    },
}

impl CollationError {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        match self {
            Self::Locale | Self::LocaleId { .. } => JetError::INVALID_LANGUAGE_ID,
            Self::Flags { .. } => JetError::INVALID_LC_MAP_STRING_FLAGS,
            _ => JetError::UNICODE_NORMALIZATION_NOT_SUPPORTED,
        }
    }
}

/// What an index says of its collation, as the catalog stores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredCollation<'a> {
    /// Name of the locale.
    pub locale_name: Option<&'a str>,
    /// Number of the locale, counted when there is no name; 0 when there is none.
    #[doc(alias = "LCID")]
    pub locale_id: u32,
    /// Identifier of the sort: a GUID as stored.
    pub sort_id: Option<&'a [u8]>,
    /// Version: 4 bytes of the characters' definition, 4 bytes of the tables, little-endian.
    pub version: Option<&'a [u8]>,
    /// Flags.
    pub flags: u32,
}

/// Numbers of the locales with the default sort in all versions: none, invariant, English (United States).
const LASTING_LOCALES: [u32; 3] = [0, 0x7F, 0x409];

/// The number of the default sort.
const DEFAULT_SORT: u8 = 1;

/// Generations of the sorting tables. Windows itself, and the engine with it, takes the versions of each of the older two
/// for equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generation {
    /// Windows 7 and Server 2008 R2: 6.1.1 and 6.1.2.
    Windows7,
    /// Windows 8 to early Windows 10, Server 2012 to 2019: 6.2.13 to 6.2.15.
    Windows8,
    /// Windows 10: 6.3.5, the one of the table.
    Windows10,
}

impl Generation {
    const fn of_version(version: u32) -> Option<Self> {
        match version {
            0x0006_0101..=0x0006_0102 => Some(Self::Windows7),
            0x0006_020D..=0x0006_020F => Some(Self::Windows8),
            0x0006_0305 => Some(Self::Windows10),
            _ => None,
        }
    }
}

/// A way of sorting text whose sort keys are known.
///
/// The tables are those of sort version 6.3.5, with every locale's sort but Latvian's, whose casing is not known. Of older
/// versions only the default sort of the invariant locale and of en-US is known, and in it those characters whose
/// weights did not change between Windows Server 2008 and 6.3.5, and others that are proven on databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collation {
    flags: CollationFlags,
    generation: Generation,
    sort: u8,
}

impl Collation {
    /// The collation of an index.
    ///
    /// # Errors
    /// [`CollationError`] for whatever is not known here.
    pub fn new(stored: &StoredCollation<'_>) -> Result<Self, CollationError> {
        let locale = match (stored.locale_name, stored.locale_id) {
            (Some(name), _) => Locale::by_name(name).ok_or(CollationError::Locale)?,
            (None, 0) => Locale::by_name("").ok_or(CollationError::Locale)?,
            (None, id) => Locale::by_id(id).ok_or(CollationError::LocaleId { id })?,
        };
        if stored.sort_id.is_some_and(|id| id != locale.sort_id() && id != [0; 16]) {
            return Err(CollationError::SortId);
        }
        let sort = locale.sort();
        if Tailoring::of_sort(sort).is_none_or(|sort| sort.flags.contains(SortFlags::INVERSE_CASING)) {
            return Err(CollationError::Locale);
        }
        let flags = CollationFlags::from_bits_retain(stored.flags);
        if !flags.contains(CollationFlags::SORT_KEY) || !CollationFlags::KNOWN.contains(flags) {
            return Err(CollationError::Flags { found: stored.flags });
        }
        let (defined, version) = match stored.version.unwrap_or_default().as_chunks() {
            ([defined, version], []) => (u32::from_le_bytes(*defined), u32::from_le_bytes(*version)),
            _ => return Err(CollationError::Missing),
        };
        // The two are equal in every file seen.
        let generation = Generation::of_version(version).filter(|_| defined == version);
        let generation = generation.ok_or(CollationError::Version { found: version })?;
        let lasting = generation == Generation::Windows10 || LASTING_LOCALES.contains(&locale.id());
        if lasting {
            Ok(Self { flags, generation, sort })
        } else {
            Err(CollationError::Version { found: version })
        }
    }

    /// What the sort has beside the default one; `None` for the default one.
    pub(super) fn tailoring(&self) -> Option<Tailoring> {
        Tailoring::of_sort(self.sort).filter(|_| self.sort != DEFAULT_SORT)
    }

    /// Its flags.
    #[must_use]
    pub const fn flags(&self) -> CollationFlags {
        self.flags
    }

    /// The weights of a code unit in this version of the sorting tables; `None` when they are not known.
    pub(super) fn weights(&self, table: &SortTable, unit: u16) -> Option<Weights> {
        let weights = table.weights(unit);
        if self.generation == Generation::Windows10 || table.is_lasting(unit) {
            return Some(weights);
        }
        let digit = u8::try_from(unit).ok().filter(u8::is_ascii_digit).map(|digit| digit - b'0');
        match (self.generation, digit) {
            (Generation::Windows7, Some(digit @ 1..)) => Some(Weights { primary: 0x18 + digit, ..weights }),
            (_, Some(_)) => Some(weights),
            // Characters of plane 1: the same in both, too, but not in the list.
            _ => matches!(unit, 0xD800..=0xD83F | 0xDC00..=0xDFFF).then_some(weights),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT_SORT_ID: [u8; 16] =
        [1, 0, 0, 0, 0xEE, 0x57, 0x5C, 0x1E, 0, 0xB4, 0xD0, 0, 0x0B, 0xB1, 0xE1, 0x1E];

    const WINDOWS_10: StoredCollation<'_> = StoredCollation {
        locale_name: Some("en-US"),
        locale_id: 0,
        sort_id: Some(&DEFAULT_SORT_ID),
        version: Some(&[5, 3, 6, 0, 5, 3, 6, 0]),
        flags: 0x0003_0401,
    };

    fn refused(stored: StoredCollation<'_>) -> CollationError {
        Collation::new(&stored).unwrap_err()
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let collation = Collation::new(&WINDOWS_10).unwrap();
        assert_eq!(collation.flags(), CollationFlags::DEFAULT);
        for locale in ["xx-XX", "lv-LV"] {
            let error = refused(StoredCollation { locale_name: Some(locale), sort_id: None, ..WINDOWS_10 });
            assert_eq!(error, CollationError::Locale, "{locale}");
            assert_eq!(error.jet_error(), JetError::INVALID_LANGUAGE_ID);
        }
        let unknown = StoredCollation { locale_name: None, locale_id: 0x3FF, ..WINDOWS_10 };
        assert_eq!(refused(unknown), CollationError::LocaleId { id: 0x3FF });
        // What other locales sorted like before Windows 10 is not known.
        let older = StoredCollation { version: Some(&[0x0F, 2, 6, 0, 0x0F, 2, 6, 0]), ..WINDOWS_10 };
        assert!(Collation::new(&older).is_ok());
        let german = StoredCollation { locale_name: Some("de-DE"), ..older };
        assert_eq!(refused(german), CollationError::Version { found: 0x0006_020F });
        assert_eq!(
            refused(StoredCollation { sort_id: Some(&[2; 16]), ..WINDOWS_10 }),
            CollationError::SortId
        );
        assert_eq!(refused(StoredCollation { version: None, ..WINDOWS_10 }), CollationError::Missing);
        for version in [0, 0x100, 0x6_0100, 0x6_0103, 0x6_0210, 0x6_0304, 0x6_0306, 0x6_0408] {
            let bytes = [u32::to_le_bytes(version); 2].concat();
            let error = refused(StoredCollation { version: Some(&bytes), ..WINDOWS_10 });
            assert_eq!(error, CollationError::Version { found: version });
            assert_eq!(error.jet_error(), JetError::UNICODE_NORMALIZATION_NOT_SUPPORTED);
        }
        let differing = [0x0F, 2, 6, 0, 5, 3, 6, 0];
        assert!(Collation::new(&StoredCollation { version: Some(&differing), ..WINDOWS_10 }).is_err());
        for flags in [0, 0x201, 0x3_0001, 0x409, 0x410, 0x420, 0x0800_0400, 0x8000_0400] {
            let error = refused(StoredCollation { flags, ..WINDOWS_10 });
            assert_eq!(error, CollationError::Flags { found: flags });
        }
    }

    #[test]
    fn locales_with_the_default_sort() {
        for (locale_name, locale_id) in [(Some(""), 7), (Some("EN-us"), 0), (None, 0x409), (None, 0)] {
            assert!(Collation::new(&StoredCollation { locale_name, locale_id, ..WINDOWS_10 }).is_ok());
        }
        assert!(Collation::new(&StoredCollation { sort_id: None, ..WINDOWS_10 }).is_ok());
        let key = |locale_name| {
            let collation =
                Collation::new(&StoredCollation { locale_name, sort_id: None, ..WINDOWS_10 }).unwrap();
            let text: Vec<u8> = "cañón, llama".encode_utf16().flat_map(u16::to_le_bytes).collect();
            let mut key = Vec::new();
            collation.append_sort_key(&text, &mut key).unwrap();
            (key, collation.tailoring().is_some())
        };
        assert_eq!(key(Some("de-DE")), key(Some("en-US")));
        assert_eq!(key(Some("pt-BR")), key(Some("")));
        assert!(key(Some("es-ES")).0 > key(Some("")).0, "ñ behind n");
        assert!(key(Some("fr-FR")).1);
    }
}
