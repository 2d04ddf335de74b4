//! Page images as split and merge records store them: raw, without free space, compressed.

use ese_format::{CompressionError, CompressionScheme, JetError, PageSize, decompress_value, encode_xpress};
use ese_log::record::{BeforeImage, BeforeImageFlags};

use crate::page_edit::{PageEditError, dehydrate, rehydrate};

/// Cutting out free space has to save more than this many bytes.
const DEHYDRATION_UNIT: usize = 4096;

/// A stored image that gives no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BeforeImageError {
    /// It cannot be decompressed.
    #[error("before-image: {0}")]
    Compression(#[from] CompressionError),
    /// Its free space cannot be put back.
    #[error(transparent)]
    Page(#[from] PageEditError),
    /// It has not the length of a page.
    #[error("before-image of {found} bytes, expected {expected}")]
    Length {
        /// The page size.
        expected: usize,
        /// Bytes that came out.
        found: usize,
    },
}

impl BeforeImageError {
    /// The engine's number: `JET_errLogCorrupted`.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        JetError::LOG_CORRUPTED
    }
}

/// Writes into `page`, which is emptied first, the page that a stored image holds. Its database time is the one that the
/// change gave to it; its checksum means nothing. What is between its nodes is arbitrary.
///
/// An image of the length of a page is that page, whatever its flags say.
///
/// # Errors
/// [`BeforeImageError`]: a stream that cannot be decompressed, tags that cannot be, another length than a page.
pub fn restore_before_image(
    image: &BeforeImage<'_>,
    size: PageSize,
    page: &mut Vec<u8>,
) -> Result<(), BeforeImageError> {
    page.clear();
    if image.bytes.len() == size.len() {
        page.extend_from_slice(image.bytes);
        return Ok(());
    }
    let mut plain = Vec::new();
    let bytes = if image.flags.contains(BeforeImageFlags::COMPRESSED) {
        plain.reserve(size.len());
        decompress_value(image.bytes, size.len(), &mut plain)?;
        plain.as_slice()
    } else {
        image.bytes
    };
    if image.flags.contains(BeforeImageFlags::DEHYDRATED) {
        rehydrate(bytes, size, page)?;
    } else {
        page.extend_from_slice(bytes);
    }
    if page.len() == size.len() {
        Ok(())
    } else {
        Err(BeforeImageError::Length { expected: size.len(), found: page.len() })
    }
}

/// A page image ready to be put into a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// How it is stored.
    pub flags: BeforeImageFlags,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl StoredImage {
    /// The part of the record.
    #[must_use]
    pub fn as_part(&self) -> BeforeImage<'_> {
        BeforeImage { flags: self.flags, bytes: &self.bytes }
    }
}

/// Makes the image of a page as the engine stores it: without its free space where that saves more than 4096 bytes, and
/// then compressed where that saves anything. Without `reduce` it is the page as it is, which is what engines up to
/// Windows Server 2012 R2 wrote; the published engine reduces in logs of every version 8.
///
/// # Errors
/// [`BeforeImageError::Page`] when the page does not hold together, [`BeforeImageError::Length`] when it is none.
#[doc(alias = "LGICompressPreImage")]
pub fn make_before_image(page: &[u8], size: PageSize, reduce: bool) -> Result<StoredImage, BeforeImageError> {
    if page.len() != size.len() {
        return Err(BeforeImageError::Length { expected: size.len(), found: page.len() });
    }
    let mut image = StoredImage { flags: BeforeImageFlags::empty(), bytes: page.to_vec() };
    if !reduce {
        return Ok(image);
    }
    if size.len() > DEHYDRATION_UNIT {
        let dehydrated = dehydrate(page, size)?;
        if dehydrated.len() + DEHYDRATION_UNIT < size.len() {
            image = StoredImage { flags: BeforeImageFlags::DEHYDRATED, bytes: dehydrated };
        }
    }
    let mut compressed = vec![CompressionScheme::XPRESS.0 << 3];
    // A page has at most 32768 bytes.
    compressed.extend_from_slice(&u16::try_from(image.bytes.len()).unwrap_or(u16::MAX).to_le_bytes());
    encode_xpress(&image.bytes, &mut compressed);
    if compressed.len() < image.bytes.len() {
        image = StoredImage { flags: image.flags | BeforeImageFlags::COMPRESSED, bytes: compressed };
    }
    Ok(image)
}
