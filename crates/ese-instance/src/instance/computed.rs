//! Parameters whose values the engine computes.

use ese_format::{ColumnKind, default_chunk_size, largest_record};

use super::Instance;
use crate::ddl::key_limit;
use crate::error::InstanceError;
use crate::parameter::{ParameterId, ParameterValue};
use crate::state::InstanceState;

/// Bytes of a key of an index that does not ask for longer ones.
#[doc(alias = "JET_cbKeyMost")]
const USUAL_KEY: usize = 255;

impl Instance {
    /// A parameter's value in force. Values that the engine computes follow from the page size.
    ///
    /// # Errors
    /// Refused at the door, or `Parameter`.
    #[doc(alias = "JetGetSystemParameter")]
    pub fn parameter(&self, id: ParameterId) -> Result<ParameterValue, InstanceError> {
        let _call = self.enter(InstanceState::check_without_init)?;
        let parameters = self.parameters();
        let size = parameters.page_size();
        let number = match id {
            ParameterId::KEY_MOST => u64::from(key_limit(size)),
            ParameterId::LV_CHUNK_SIZE_MOST => u64::from(default_chunk_size(size)),
            ParameterId::RECORD_SIZE_MOST => largest_record(size, USUAL_KEY) as u64,
            // One beyond the last kind.
            ParameterId::MAX_COLTYP => u64::from(ColumnKind::UNSIGNED_LONG_LONG.0) + 1,
            ParameterId::CACHE_SIZE => self.counters().pages_cached,
            ParameterId::CACHE_HITS => self.counters().cache_hits,
            ParameterId::CACHE_REQUESTS => self.counters().cache_hits + self.counters().pages_read,
            _ => return Ok(parameters.get(id)?),
        };
        Ok(ParameterValue::Number(number))
    }
}
