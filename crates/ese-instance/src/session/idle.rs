//! What there is to do while nothing else is.

use bitflags::bitflags;
use ese_format::JetError;

use super::Session;
use crate::call_error::CallError;
use crate::error::InstanceError;
use crate::parameter::ParameterId;
use crate::state::SessionCall;

bitflags! {
    /// What to do, or to ask for. None: clean versions. Unknown bits are ignored.
    #[doc(alias = "JET_bitIdle")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct IdleFlags: u32 {
        /// Write pages. Refused, as in the original.
        #[doc(alias = "JET_bitIdleFlushBuffers")]
        const FLUSH_BUFFERS = 0x1;
        /// Clean versions.
        #[doc(alias = "JET_bitIdleCompact")]
        const COMPACT = 0x2;
        /// Only say whether there is much to clean.
        #[doc(alias = "JET_bitIdleStatus")]
        const STATUS = 0x4;
        /// A test of old; ignored.
        #[doc(alias = "JET_bitIdleVersionStoreTest")]
        const VERSION_STORE_TEST = 0x8;
        /// With `COMPACT`: not now. There is no other time here: it is done at once.
        #[doc(alias = "JET_bitIdleCompactAsync")]
        const COMPACT_LATER = 0x10;
        /// Say whether buffers are short; they never are here.
        #[doc(alias = "JET_bitIdleAvailBuffersStatus")]
        const BUFFERS_STATUS = 0x20;
        /// Wait for work on other threads, and say whether versions are left.
        #[doc(alias = "JET_bitIdleWaitForAsyncActivity")]
        const WAIT = 0x40;
        const _ = !0;
    }
}

/// What an idle call says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdleStatus {
    /// Nothing.
    Nothing,
    /// There is nothing more to do.
    #[doc(alias = "JET_wrnNoIdleActivity")]
    NoActivity,
    /// The store of versions is more than 60 percent full.
    #[doc(alias = "JET_wrnIdleFull")]
    Full,
    /// Versions are left that somebody may still see.
    #[doc(alias = "JET_wrnRemainingVersions")]
    RemainingVersions,
}

impl IdleStatus {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(self) -> JetError {
        match self {
            Self::Nothing => JetError::SUCCESS,
            Self::NoActivity => JetError::WRN_NO_IDLE_ACTIVITY,
            Self::Full => JetError::WRN_IDLE_FULL,
            Self::RemainingVersions => JetError::WRN_REMAINING_VERSIONS,
        }
    }
}

impl Session {
    /// Does what can wait, or says how much there is of it.
    ///
    /// # Errors
    /// Refused at the door; `Call` (`JET_errInvalidGrbit`) for writing pages, and for `COMPACT_LATER` alone.
    #[doc(alias = "JetIdle")]
    pub fn idle(&self, flags: IdleFlags) -> Result<IdleStatus, InstanceError> {
        let call = self.shared.enter(SessionCall::Ordinary)?;
        let invalid = || CallError::InvalidFlags { bits: flags.bits() };
        let counters = || call.trees().counters();
        let status = if flags.contains(IdleFlags::STATUS) {
            let parameters = self.instance().parameters();
            let pages = parameters
                .number(ParameterId::MAX_VER_PAGES)
                .min(parameters.number(ParameterId::PREFERRED_VER_PAGES));
            let most = pages.saturating_mul(parameters.number(ParameterId::VER_PAGE_SIZE)) / 10 * 6;
            if counters().version_bytes > most { IdleStatus::Full } else { IdleStatus::Nothing }
        } else if flags.is_empty() || flags.contains(IdleFlags::COMPACT) {
            // What fails now is done another time.
            if let Err(error) = call.trees().clean_versions(usize::MAX) {
                tracing::debug!(%error, "clean-up put off");
            }
            IdleStatus::NoActivity
        } else if flags.contains(IdleFlags::COMPACT_LATER) {
            return Err(invalid().into());
        } else if flags.contains(IdleFlags::WAIT) && counters().versions != 0 {
            IdleStatus::RemainingVersions
        } else {
            IdleStatus::Nothing
        };
        if flags.contains(IdleFlags::FLUSH_BUFFERS) {
            return Err(invalid().into());
        }
        Ok(status)
    }
}
