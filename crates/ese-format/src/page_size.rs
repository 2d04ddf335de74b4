//! Database page sizes.

use std::fmt;

/// Size of a database page in bytes: 2048, 4096, 8192, 16384 or 32768.
///
/// 2048 existed up to Windows 8.1; newer engines only probe for it.
#[doc(alias = "cbPage")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageSize(u32);

/// A number that is no page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a page size (2048, 4096, 8192, 16384 or 32768)")]
pub struct UnsupportedPageSize(pub u32);

impl PageSize {
    /// Every page size, ascending: the order in which a header is probed.
    pub const ALL: [Self; 5] = [Self(2048), Self(4096), Self(8192), Self(16384), Self(32768)];
    /// 4096, the engine's default, and the meaning of 0 in file headers.
    pub const DEFAULT: Self = Self(4096);

    /// Checks `bytes`.
    ///
    /// # Errors
    /// [`UnsupportedPageSize`] for anything but the five sizes.
    pub fn new(bytes: u32) -> Result<Self, UnsupportedPageSize> {
        match bytes {
            2048 | 4096 | 8192 | 16384 | 32768 => Ok(Self(bytes)),
            _ => Err(UnsupportedPageSize(bytes)),
        }
    }

    /// As [`new`](Self::new), with 0 read as 4096, the rule of file headers.
    ///
    /// # Errors
    /// [`UnsupportedPageSize`] for anything but 0 and the five sizes.
    pub fn from_header_field(bytes: u32) -> Result<Self, UnsupportedPageSize> {
        if bytes == 0 { Ok(Self::DEFAULT) } else { Self::new(bytes) }
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }

    /// The size in bytes, as a slice length.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0 as usize
    }

    /// Never true; present because `len` is.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }

    /// Whether this is a "large page" (16 or 32 KiB): page header of 80 bytes, four checksum blocks, node flags in the
    /// node body.
    #[must_use]
    pub const fn is_large(self) -> bool {
        self.0 >= 16384
    }

    /// Bytes of the page header: 40 on small pages, 80 on large ones.
    #[must_use]
    pub const fn page_header_len(self) -> usize {
        if self.is_large() { 80 } else { 40 }
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
