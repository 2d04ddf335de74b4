//! Parameters of sessions.

use super::Session;
use crate::call_error::CallError;
use crate::error::InstanceError;
use crate::state::SessionCall;

/// Number of a session's parameter. Unknown numbers are kept; using one is refused.
#[doc(alias = "JET_sesparam")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionParameterId(pub u32);

impl SessionParameterId {
    /// Commit options that count beside those of each commit; 4 bytes.
    #[doc(alias = "JET_sesparamCommitDefault")]
    pub const COMMIT_DEFAULT: Self = Self(4097);
    /// Bytes of the application that go with each commit; at most 30,000. Kept, and not logged.
    #[doc(alias = "JET_sesparamCommitGenericContext")]
    pub const COMMIT_CONTEXT: Self = Self(4098);
    /// Levels of transactions; 4 bytes, cannot be set.
    #[doc(alias = "JET_sesparamTransactionLevel")]
    pub const TRANSACTION_LEVEL: Self = Self(4099);
    /// Who works for whom, in five numbers for traces; 8 bytes.
    #[doc(alias = "JET_sesparamOperationContext")]
    #[doc(alias = "JET_OPERATIONCONTEXT")]
    pub const OPERATION_CONTEXT: Self = Self(4100);
    /// A number for traces; 4 bytes.
    #[doc(alias = "JET_sesparamCorrelationID")]
    pub const CORRELATION_ID: Self = Self(4101);
    /// How long pages that the session uses stay in memory, 0 to 1000; 4 bytes, without effect.
    #[doc(alias = "JET_sesparamCachePriority")]
    pub const CACHE_PRIORITY: Self = Self(4102);
    /// Which part of the application, for traces; text with a zero behind.
    #[doc(alias = "JET_sesparamClientComponentDesc")]
    pub const CLIENT_COMPONENT: Self = Self(4103);
    /// What the application does; text.
    #[doc(alias = "JET_sesparamClientActionDesc")]
    pub const CLIENT_ACTION: Self = Self(4104);
    /// For what; text.
    #[doc(alias = "JET_sesparamClientActionContextDesc")]
    pub const CLIENT_ACTION_CONTEXT: Self = Self(4105);
    /// An id of the activity; 16 bytes.
    #[doc(alias = "JET_sesparamClientActivityId")]
    pub const CLIENT_ACTIVITY_ID: Self = Self(4106);
    /// Flags for traces; 4 bytes.
    #[doc(alias = "JET_sesparamIOSessTraceFlags")]
    pub const TRACE_FLAGS: Self = Self(4107);
    /// Priority of reads; 4 bytes, without effect.
    #[doc(alias = "JET_sesparamIOPriority")]
    pub const IO_PRIORITY: Self = Self(4108);
    /// Whether the commit context holds what must not be shown; 4 bytes, 0 or 1.
    #[doc(alias = "JET_sesparamCommitContextContainsCustomerData")]
    pub const COMMIT_CONTEXT_IS_PRIVATE: Self = Self(4109);
    /// Whether the commit context is handed to a callback first; 4 bytes, 0 or 1.
    #[doc(alias = "JET_sesparamCommitContextNeedPreCommitCallback")]
    pub const COMMIT_CONTEXT_NEEDS_CALLBACK: Self = Self(4110);
}

/// Most bytes of a commit context.
#[doc(alias = "cbMaxCommitCtx")]
const LARGEST_COMMIT_CONTEXT: usize = 30_000;
/// Largest cache priority.
const HIGHEST_CACHE_PRIORITY: u32 = 1000;
/// The bits that an I/O priority may have: low, the application's classes, maintenance, in the background.
const IO_PRIORITIES: u32 = 0x1 | 0x0F00_0000 | 0x4000_0000 | 0x8000_0000;

/// The values of one session.
#[derive(Debug)]
pub(crate) struct SessionParameters {
    pub(crate) commit_default: u32,
    commit_context: Vec<u8>,
    operation_context: [u8; 8],
    correlation_id: u32,
    cache_priority: u32,
    /// Component, action, context of the action.
    descriptions: [Vec<u8>; 3],
    activity: [u8; 16],
    trace_flags: u32,
    io_priority: u32,
    private_context: u32,
    callback_context: u32,
}

impl SessionParameters {
    pub(crate) fn new(commit_default: u32, cache_priority: u32) -> Self {
        Self {
            commit_default,
            commit_context: Vec::new(),
            // No user: the lowest number that there is.
            operation_context: [0, 0, 0, 0x80, 0, 0, 0, 0],
            correlation_id: 0,
            cache_priority,
            descriptions: Default::default(),
            activity: [0; 16],
            trace_flags: 0,
            io_priority: 0,
            private_context: 1,
            callback_context: 0,
        }
    }

    fn get(&self, id: SessionParameterId, level: u8) -> Result<Vec<u8>, CallError> {
        type Id = SessionParameterId;
        let number = |value: u32| Ok(value.to_le_bytes().to_vec());
        match id {
            Id::COMMIT_DEFAULT => number(self.commit_default),
            Id::COMMIT_CONTEXT => Ok(self.commit_context.clone()),
            Id::TRANSACTION_LEVEL => number(level.into()),
            Id::OPERATION_CONTEXT => Ok(self.operation_context.to_vec()),
            Id::CORRELATION_ID => number(self.correlation_id),
            Id::CACHE_PRIORITY => number(self.cache_priority),
            Id::CLIENT_ACTIVITY_ID => Ok(self.activity.to_vec()),
            Id::TRACE_FLAGS => number(self.trace_flags),
            Id::IO_PRIORITY => number(self.io_priority),
            Id::COMMIT_CONTEXT_IS_PRIVATE => number(self.private_context),
            Id::COMMIT_CONTEXT_NEEDS_CALLBACK => number(self.callback_context),
            _ => {
                let text = description(id).and_then(|place| self.descriptions.get(place));
                let text = text.ok_or(CallError::UnknownSessionParameter { id: id.0 })?;
                Ok(text.iter().copied().chain([0]).collect())
            }
        }
    }

    fn set(&mut self, id: SessionParameterId, value: &[u8]) -> Result<(), CallError> {
        type Id = SessionParameterId;
        let wrong_size = CallError::InvalidBufferSize { found: value.len() };
        let number = || {
            let bytes: [u8; 4] = value.try_into().map_err(|_| wrong_size.clone())?;
            Ok::<u32, CallError>(u32::from_le_bytes(bytes))
        };
        match id {
            Id::COMMIT_DEFAULT => self.commit_default = number()?,
            Id::COMMIT_CONTEXT => {
                // One that is too long leaves none.
                self.commit_context.clear();
                if value.len() > LARGEST_COMMIT_CONTEXT {
                    return Err(wrong_size);
                }
                self.commit_context.extend_from_slice(value);
                if value.is_empty() {
                    self.callback_context = 0;
                }
            }
            Id::TRANSACTION_LEVEL => {
                return Err(CallError::NotAvailable { what: "setting the level of transactions" });
            }
            Id::OPERATION_CONTEXT => self.operation_context = value.try_into().map_err(|_| wrong_size)?,
            Id::CORRELATION_ID => self.correlation_id = number()?,
            Id::CACHE_PRIORITY => match number()? {
                priority @ 0..=HIGHEST_CACHE_PRIORITY => self.cache_priority = priority,
                _ => return Err(CallError::InvalidParameter { what: "cache priorities end at 1000" }),
            },
            Id::CLIENT_ACTIVITY_ID => self.activity = value.try_into().map_err(|_| wrong_size)?,
            Id::TRACE_FLAGS => self.trace_flags = number()?,
            Id::IO_PRIORITY => match number()? {
                bits if bits & !IO_PRIORITIES != 0 => return Err(CallError::InvalidFlags { bits }),
                bits => self.io_priority = bits,
            },
            Id::COMMIT_CONTEXT_IS_PRIVATE => self.private_context = u32::from(number()? != 0),
            Id::COMMIT_CONTEXT_NEEDS_CALLBACK => self.callback_context = u32::from(number()? != 0),
            _ => {
                let text = description(id).and_then(|place| self.descriptions.get_mut(place));
                let text = text.ok_or(CallError::UnknownSessionParameter { id: id.0 })?;
                text.clear();
                text.extend(value.iter().take_while(|byte| **byte != 0));
            }
        }
        Ok(())
    }
}

fn description(id: SessionParameterId) -> Option<usize> {
    match id {
        SessionParameterId::CLIENT_COMPONENT => Some(0),
        SessionParameterId::CLIENT_ACTION => Some(1),
        SessionParameterId::CLIENT_ACTION_CONTEXT => Some(2),
        _ => None,
    }
}

impl Session {
    /// Sets a parameter of the session. Numbers are little-endian.
    ///
    /// # Errors
    /// Refused at the door; `Call`: an unknown number, a value of another size, a value that cannot be, the level of
    /// transactions.
    #[doc(alias = "JetSetSessionParameter")]
    pub fn set_parameter(&self, id: SessionParameterId, value: &[u8]) -> Result<(), InstanceError> {
        Ok(self.shared.enter(SessionCall::Ordinary)?.inner.parameters.set(id, value)?)
    }

    /// The value of a parameter of the session. Numbers are little-endian; texts end with a zero.
    ///
    /// # Errors
    /// Refused at the door; `Call` for an unknown number.
    #[doc(alias = "JetGetSessionParameter")]
    pub fn parameter(&self, id: SessionParameterId) -> Result<Vec<u8>, InstanceError> {
        let call = self.shared.enter(SessionCall::Ordinary)?;
        Ok(call.inner.parameters.get(id, call.level())?)
    }

    /// As [`parameter`](Self::parameter), into a buffer, whose size is judged as the engine does. Returns the value's size.
    ///
    /// # Errors
    /// As [`parameter`](Self::parameter); `Call` for a buffer that is too small: too small for texts and the commit context, of
    /// an invalid size for numbers. Commit options and level want exactly four bytes.
    pub fn read_parameter(&self, id: SessionParameterId, out: &mut [u8]) -> Result<usize, InstanceError> {
        let value = self.parameter(id)?;
        let exact = matches!(id, SessionParameterId::COMMIT_DEFAULT | SessionParameterId::TRANSACTION_LEVEL);
        let variable = id == SessionParameterId::COMMIT_CONTEXT || description(id).is_some();
        if (exact && out.len() != value.len()) || (!variable && out.len() < value.len()) {
            return Err(CallError::InvalidBufferSize { found: out.len() }.into());
        }
        let found = out.len();
        let Some(place) = out.get_mut(..value.len()) else {
            return Err(CallError::BufferTooSmall { needed: value.len(), found }.into());
        };
        place.copy_from_slice(&value);
        Ok(value.len())
    }
}
