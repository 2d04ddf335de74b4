//! What is known of the instances of the process.

use std::path::PathBuf;

use ese_format::{LogGeneration, LogTime, Signature};

use crate::engine::Engine;
use crate::error::InstanceError;
use crate::instance::Instance;
use crate::state::InstanceState;

/// An instance, and the databases that backups of it would hold.
#[doc(alias = "JET_INSTANCE_INFO")]
#[derive(Clone, Debug)]
pub struct InstanceInfo {
    /// The instance.
    pub instance: Instance,
    /// Its name; empty for none.
    pub name: String,
    /// Its name for people; empty for none.
    pub display_name: String,
    /// Paths of its attached databases that are logged, by slot.
    pub databases: Vec<PathBuf>,
}

/// Where the log of an instance is.
#[doc(alias = "JET_CHECKPOINTINFO")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckpointInfo {
    /// Generation of the checkpoint; 0 without a log.
    #[doc(alias = "genMin")]
    pub checkpoint: LogGeneration,
    /// Generation that is being written; 0 without a log.
    #[doc(alias = "genMax")]
    pub current: LogGeneration,
    /// When it was created.
    #[doc(alias = "logtimeGenMaxCreate")]
    pub created: LogTime,
}

impl CheckpointInfo {
    /// The engine's structure, 16 bytes, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 16] {
        let fields = self.checkpoint.0.to_le_bytes().into_iter().chain(self.current.0.to_le_bytes());
        let mut bytes = [0; 16];
        for (place, byte) in bytes.iter_mut().zip(fields.chain(self.created.0)) {
            *place = byte;
        }
        bytes
    }
}

impl Engine {
    /// The instances of the process, in the order of their creation, with their databases.
    #[must_use]
    #[doc(alias = "JetGetInstanceInfo")]
    #[doc(alias = "JetFreeBuffer")]
    pub fn instance_infos(&self) -> Vec<InstanceInfo> {
        self.instances().iter().map(Instance::info).collect()
    }
}

impl Instance {
    /// Name and databases.
    #[must_use]
    pub fn info(&self) -> InstanceInfo {
        InstanceInfo {
            instance: self.clone(),
            name: self.name().to_owned(),
            display_name: self.display_name().to_owned(),
            databases: self.attach_info(),
        }
    }

    /// Paths of the attached databases that are logged, by slot: those that a backup holds.
    #[must_use]
    #[doc(alias = "JetGetAttachInfo")]
    pub fn attach_info(&self) -> Vec<PathBuf> {
        let logged = self.databases().into_iter().filter(|database| database.is_logged());
        logged.map(|database| database.path().to_path_buf()).collect()
    }

    /// Signature of the log stream; zeros when the instance runs without.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JetGetInstanceMiscInfo")]
    #[doc(alias = "JET_InstanceMiscInfoLogSignature")]
    pub fn log_signature(&self) -> Result<Signature, InstanceError> {
        let _call = self.enter(InstanceState::check_call)?;
        Ok(self.log().map(|log| log.signature()).unwrap_or_default())
    }

    /// Where the log and its checkpoint are; zeros when the instance runs without.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JetGetInstanceMiscInfo")]
    #[doc(alias = "JET_InstanceMiscInfoCheckpoint")]
    pub fn checkpoint_info(&self) -> Result<CheckpointInfo, InstanceError> {
        let _call = self.enter(InstanceState::check_call)?;
        let Some(log) = self.log() else { return Ok(CheckpointInfo::default()) };
        Ok(CheckpointInfo {
            checkpoint: LogGeneration(log.checkpoint().generation),
            current: log.generation(),
            created: log.generation_created(),
        })
    }
}
