//! Flags of a database header.

use zerocopy::little_endian::U32;

use crate::field::FieldValue;
use crate::stored::Stored;

bitflags::bitflags! {
    /// Flags of a database header, 4 bytes at offset 208. Unknown bits are kept.
    #[doc(alias = "m_ulDbFlags")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct DatabaseFlags: u32 {
        /// The catalog has no shadow.
        #[doc(alias = "fDbShadowingDisabled")]
        const SHADOWING_DISABLED = 0x01;
        /// Obsolete.
        #[doc(alias = "fDbUpgradeDb")]
        const UPGRADE = 0x02;
        /// Has a streaming file; obsolete.
        #[doc(alias = "fDbSLVExists")]
        const STREAMING_FILE_EXISTS = 0x04;
        /// Was attached by the Windows build of the engine.
        const ATTACHED_BY_WINDOWS_BUILD = 0x0100_0000;
        /// Was attached by the Exchange build of the engine.
        const ATTACHED_BY_EXCHANGE_BUILD = 0x0200_0000;
        /// Was attached by a private build of the engine.
        const ATTACHED_BY_PRIVATE_BUILD = 0x0400_0000;
        /// Was attached by a build with the extent cache.
        const ATTACHED_BY_EXTENT_CACHE_BUILD = 0x0800_0000;
        const _ = !0;
    }
}

impl Stored for DatabaseFlags {
    type Raw = U32;
    fn load(raw: U32) -> Self {
        Self::from_bits_retain(raw.get())
    }
    fn store(self) -> U32 {
        self.bits().into()
    }
    fn field(self) -> FieldValue {
        FieldValue::flags(self)
    }
}
