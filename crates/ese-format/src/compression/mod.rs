//! Compressed values: intrinsic ones that a record flags as compressed, and long-value chunks that are shorter than
//! what they stand for.
//!
//! The first byte is `scheme << 3 | x`; the meaning of `x` and of the rest depends on the scheme.

mod lz4;
mod seven_bit;
mod value;
mod xpress;

pub use seven_bit::{decode_seven_bit, encode_seven_bit};
pub use value::{
    CompressionError, CompressionScheme, MAX_COMPRESSED_VALUE_LEN, compress_value, decompress_value,
};
pub use xpress::{decode_xpress, encode_xpress};
