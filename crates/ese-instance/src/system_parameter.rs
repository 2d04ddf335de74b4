//! System parameters as the original's interface takes them: with or without an instance, a number and a text at once.

use std::path::{MAIN_SEPARATOR, Path};

use ese_btree::live::LiveCounters;

use crate::engine::Engine;
use crate::error::InstanceError;
use crate::instance::computed::computed;
use crate::instance::{Instance, InstancePaths, absolute_path};
use crate::parameter::{
    FixedAfter, ParameterDescriptor, ParameterError, ParameterId, ParameterKind, ParameterRemarks,
    ParameterSet, ParameterStage, ParameterValue, Scope, check_range, normalized,
};
use crate::state::{InstanceState, ProcessMode};

/// What a configuration is made of.
#[doc(alias = "JET_configMask")]
const CONFIGURATION_BITS: u64 = 0x7FF;

impl Engine {
    /// Sets a parameter by the rules of the original's call.
    ///
    /// [`Instance::set_parameter`] takes parameters of the process for one instance; here they are the process's, and so
    /// fixed for all once there is an instance. Of `number` and `text` the one counts that the parameter is. Without
    /// `instance` the value is for later instances, or for the one of a process in one-instance mode. Folders become
    /// absolute and end in a separator, and so do temporary paths that are more than a file name. A change of an
    /// advanced parameter is ignored while `EnableAdvanced` is 0.
    ///
    /// # Errors
    /// Refused at the door, or `Parameter`.
    #[doc(alias = "JetSetSystemParameter")]
    pub fn set_system_parameter(
        &self,
        instance: Option<&Instance>,
        id: ParameterId,
        number: u64,
        text: Option<&str>,
    ) -> Result<(), InstanceError> {
        let mode = self.mode();
        let descriptor = id.descriptor().ok_or(ParameterError::Unknown { id })?;
        let addressed = self.addressed(mode, instance, Some(descriptor));
        let _call = match &addressed {
            Some(instance) => Some(instance.enter(InstanceState::check_without_init)?),
            None => None,
        };
        let initialized = addressed.as_ref().is_some_and(|i| i.state().initialized);
        let stage = ParameterStage {
            process_initialized: mode != ProcessMode::NotSet,
            instance_initialized: initialized,
        };
        let of_instance = addressed.filter(|_| descriptor.scope == Scope::Instance);
        let values = match &of_instance {
            Some(instance) => instance.parameters(),
            None => self.defaults(),
        };
        if id == ParameterId::CONFIGURATION {
            let fixed = stage.process_initialized && of_instance.is_none();
            let stage = ParameterStage { instance_initialized: fixed || initialized, ..stage };
            return self.configure(of_instance.as_ref(), descriptor, stage, number);
        }
        let value = match accept(descriptor, &values, stage, number, text)? {
            Some(value) => value,
            None => return Ok(()),
        };
        if id == ParameterId::ENGINE_FORMAT_VERSION
            && of_instance.as_ref().is_some_and(|i| !i.databases().is_empty())
        {
            let fixed_after = FixedAfter::InstanceInit;
            return Err(ParameterError::AlreadyInitialized { id, fixed_after }.into());
        }
        match &of_instance {
            Some(instance) => instance.put_parameter(id, value),
            None => {
                self.put_default(id, value.clone());
                if descriptor.scope == Scope::Process {
                    for instance in self.instances() {
                        instance.put_parameter(id, value.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// Values that go together: 0 for little memory and disk, 1 for the defaults; more bits are only kept.
    fn configure(
        &self,
        instance: Option<&Instance>,
        descriptor: &ParameterDescriptor,
        stage: ParameterStage,
        number: u64,
    ) -> Result<(), InstanceError> {
        let id = descriptor.id;
        stage.check(descriptor)?;
        if number > CONFIGURATION_BITS {
            return Err(ParameterError::OutOfRange {
                id,
                minimum: 0,
                maximum: CONFIGURATION_BITS,
                found: number,
            }
            .into());
        }
        let mut values = instance.map_or_else(|| self.defaults(), Instance::parameters);
        let kept = match number & 1 == 0 && number != 0 {
            true => values.number(id) | number,
            false => {
                let scopes: &[Scope] = match instance {
                    Some(_) => &[Scope::Instance],
                    None => &[Scope::Instance, Scope::Process],
                };
                values.reset(scopes, number == 0);
                number
            }
        };
        values.put(id, ParameterValue::Number(kept));
        match instance {
            Some(instance) => instance.put_parameters(values),
            None => self.put_defaults(values),
        }
        Ok(())
    }

    /// A parameter by the rules of the original's call: of `instance`, of the only one of a process in one-instance mode,
    /// or of later instances.
    ///
    /// # Errors
    /// Refused at the door, or `Parameter`.
    #[doc(alias = "JetGetSystemParameter")]
    pub fn system_parameter(
        &self,
        instance: Option<&Instance>,
        id: ParameterId,
    ) -> Result<ParameterValue, InstanceError> {
        let found = self.plain_parameter(instance, id)?;
        Ok(match (found, id.descriptor().map(|known| known.kind)) {
            (ParameterValue::Text(text), Some(ParameterKind::Folder)) if !text.is_empty() => {
                ParameterValue::Text(with_separator(Path::new(&text)))
            }
            (other, _) => other,
        })
    }

    fn plain_parameter(
        &self,
        instance: Option<&Instance>,
        id: ParameterId,
    ) -> Result<ParameterValue, InstanceError> {
        let Some(instance) = self.addressed(self.mode(), instance, id.descriptor()) else {
            return computed(&self.defaults(), id, LiveCounters::default);
        };
        if instance.state().initialized {
            let paths = InstancePaths::complete(&instance.parameters())?;
            let path = match id {
                ParameterId::SYSTEM_PATH => Some(paths.system),
                ParameterId::LOG_FILE_PATH => Some(paths.log),
                ParameterId::TEMP_PATH => Some(paths.temporary),
                _ => None,
            };
            if let Some(path) = path {
                return Ok(ParameterValue::Text(path.to_string_lossy().into_owned()));
            }
        }
        instance.parameter(id)
    }

    fn addressed(
        &self,
        mode: ProcessMode,
        instance: Option<&Instance>,
        descriptor: Option<&ParameterDescriptor>,
    ) -> Option<Instance> {
        match mode {
            ProcessMode::NotSet => None,
            ProcessMode::SingleInstance => {
                let own = descriptor.is_none_or(|known| known.scope == Scope::Instance);
                self.instances().into_iter().next().filter(|_| own)
            }
            ProcessMode::MultiInstance => instance.cloned(),
        }
    }
}

/// The value to keep; `None` for one that is ignored.
fn accept(
    descriptor: &ParameterDescriptor,
    values: &ParameterSet,
    stage: ParameterStage,
    number: u64,
    text: Option<&str>,
) -> Result<Option<ParameterValue>, InstanceError> {
    let id = descriptor.id;
    let computed = descriptor.kind == ParameterKind::Computed;
    if computed && descriptor.remarks.contains(ParameterRemarks::IGNORED) {
        return Ok(None);
    }
    // The default of text columns' locales can only be put back to the engine's.
    if id == ParameterId::UNICODE_INDEX_DEFAULT && number == 0 {
        return Ok(None);
    }
    if computed || descriptor.remarks.contains(ParameterRemarks::READ_ONLY) {
        return Err(ParameterError::ReadOnly { id }.into());
    }
    if descriptor.remarks.contains(ParameterRemarks::ADVANCED) && !values.on(ParameterId::ENABLE_ADVANCED) {
        return Ok(None);
    }
    if descriptor.kind.is_text() {
        stage.check(descriptor)?;
        return Ok(Some(ParameterValue::Text(full(descriptor, text.unwrap_or_default())?)));
    }
    let number = match id {
        ParameterId::COMMIT_DEFAULT => number & u64::from(u32::MAX),
        // The number is looked at before its range.
        ParameterId::ENGINE_FORMAT_VERSION => number.min(u64::from(u32::MAX)),
        _ => number,
    };
    let value = ParameterValue::Number(number);
    if values.get(id).as_ref() != Ok(&value) {
        stage.check(descriptor)?;
        check_range(descriptor, &value)?;
    }
    Ok(Some(normalized(descriptor, value)))
}

/// A text as it is kept: paths in full. Its length is checked here, before and after.
fn full(descriptor: &ParameterDescriptor, text: &str) -> Result<String, InstanceError> {
    let (minimum, maximum) = (descriptor.minimum, descriptor.maximum);
    let checked = |text: String| {
        let found = text.chars().count() as u64;
        match found < minimum || found > maximum {
            true => Err(ParameterError::OutOfRange { id: descriptor.id, minimum, maximum, found }),
            false => Ok(text),
        }
    };
    let text = checked(text.to_owned())?;
    let whole = |path: &Path| {
        let too_long = text.chars().count() as u64 + 1;
        absolute_path(path).map_err(|_| ParameterError::OutOfRange {
            id: descriptor.id,
            minimum,
            maximum,
            found: too_long.max(maximum + 1),
        })
    };
    let here = match text.is_empty() {
        true => Path::new("."),
        false => Path::new(&text),
    };
    Ok(match descriptor.kind {
        ParameterKind::Folder => checked(with_separator(&whole(here)?))?,
        ParameterKind::Path => {
            let path = checked(whole(here)?.to_string_lossy().into_owned())?;
            let name_only = !text.ends_with(is_separator) && !text.contains(is_separator);
            match (name_only, text.ends_with(is_separator)) {
                (true, _) => text,
                (false, true) => with_separator(Path::new(&path)),
                (false, false) => path,
            }
        }
        _ => text,
    })
}

fn is_separator(character: char) -> bool {
    character == '/' || character == MAIN_SEPARATOR
}

fn with_separator(path: &Path) -> String {
    let mut text = path.to_string_lossy().into_owned();
    if !text.ends_with(is_separator) {
        text.push(MAIN_SEPARATOR);
    }
    text
}
