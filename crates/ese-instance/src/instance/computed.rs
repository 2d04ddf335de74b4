//! Parameters whose values the engine computes.

use ese_btree::live::LiveCounters;
use ese_format::{ColumnKind, EngineFormatSetting, EngineFormatVersion, default_chunk_size};

use super::Instance;
use crate::ddl::key_limit;
use crate::error::InstanceError;
use crate::parameter::{ParameterError, ParameterId, ParameterSet, ParameterValue};
use crate::state::InstanceState;

impl Instance {
    /// A parameter's value in force. Values that the engine computes follow from the page size.
    ///
    /// # Errors
    /// Refused at the door, or `Parameter`.
    #[doc(alias = "JetGetSystemParameter")]
    pub fn parameter(&self, id: ParameterId) -> Result<ParameterValue, InstanceError> {
        let _call = self.enter(InstanceState::check_without_init)?;
        computed(&self.parameters(), id, || self.counters())
    }
}

/// The value that `id` has when the others are `parameters`.
pub(crate) fn computed(
    parameters: &ParameterSet,
    id: ParameterId,
    counters: impl Fn() -> LiveCounters,
) -> Result<ParameterValue, InstanceError> {
    let size = parameters.page_size();
    let number = match id {
        ParameterId::KEY_MOST => u64::from(key_limit(size)),
        ParameterId::LV_CHUNK_SIZE_MOST => u64::from(default_chunk_size(size)),
        // A page without its header and one tag.
        ParameterId::RECORD_SIZE_MOST => (size.len() - size.page_header_len() - 4) as u64,
        ParameterId::ENGINE_FORMAT_VERSION => {
            let number = parameters.number(id);
            match EngineFormatSetting::from_parameter(number as u32) {
                EngineFormatSetting::EngineDefault => u64::from(EngineFormatVersion::NEWEST.0),
                _ => number,
            }
        }
        // Functions that have no address here, and a name that nobody asks for any more.
        ParameterId::DBA_PAGE_AVAIL_THRESHOLD | ParameterId::DBAK1 | ParameterId::DBAK2 => 0,
        // One beyond the last kind.
        ParameterId::MAX_COLTYP => u64::from(ColumnKind::UNSIGNED_LONG_LONG.0) + 1,
        ParameterId::CACHE_SIZE => counters().pages_cached,
        ParameterId::CACHE_HITS => counters().cache_hits,
        ParameterId::CACHE_REQUESTS => counters().cache_hits + counters().pages_read,
        // Only a session has one, and only a recovery is somewhere.
        ParameterId::RECOVERY_CURRENT_LOGFILE => return Err(ParameterError::NoValue { id }.into()),
        _ => return Ok(parameters.get(id)?),
    };
    Ok(ParameterValue::Number(number))
}
