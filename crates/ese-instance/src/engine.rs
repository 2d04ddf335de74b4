//! The process's part of the engine: its mode, its instances, the defaults for new ones.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::call_error::CallError;
use crate::environment::Environment;
use crate::error::InstanceError;
use crate::instance::{InitOptions, Instance};
use crate::parameter::{
    FixedAfter, PARAMETERS, ParameterDescriptor, ParameterError, ParameterId, ParameterSet, ParameterStage,
    ParameterValue, Scope,
};
use crate::state::{ModeError, ProcessMode};

/// The engine of a process: makes instances and keeps them apart. A program needs one; tests may have many.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<EngineShared>,
}

#[derive(Debug)]
pub(crate) struct EngineShared {
    environment: Environment,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    mode: ProcessMode,
    defaults: ParameterSet,
    instances: Vec<Instance>,
}

impl Inner {
    /// How parameters for several instances agree with those that are in force.
    fn compare(&self, parameters: &[(ParameterId, ParameterValue)]) -> CallError {
        let fixed = |p: &ParameterDescriptor| p.scope == Scope::Process && p.fixed_after != FixedAfter::Never;
        for (id, value) in parameters {
            let Some(descriptor) = id.descriptor() else {
                return CallError::InvalidParameter { what: "a parameter that there is not" };
            };
            if fixed(descriptor) && !self.defaults.is_set(*id) || self.defaults.get(*id).as_ref() != Ok(value)
            {
                return CallError::ParameterConflict;
            }
        }
        let named = |id: ParameterId| parameters.iter().any(|(named, _)| *named == id);
        let mut in_force = PARAMETERS.iter().filter(|p| fixed(p) && self.defaults.is_set(p.id));
        match in_force.all(|p| named(p.id)) {
            true => CallError::ParametersAlreadySet,
            false => CallError::ParameterConflict,
        }
    }
}

impl Engine {
    /// An engine without instances.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self { shared: Arc::new(EngineShared { environment, inner: Mutex::default() }) }
    }

    /// The mode now.
    #[must_use]
    pub fn mode(&self) -> ProcessMode {
        self.shared.inner.lock().mode
    }

    /// Sets a default for later instances.
    ///
    /// # Errors
    /// `Parameter`.
    #[doc(alias = "JetSetSystemParameter")]
    pub fn set_default(
        &self,
        id: ParameterId,
        value: impl Into<ParameterValue>,
    ) -> Result<(), InstanceError> {
        let mut inner = self.shared.inner.lock();
        let stage = ParameterStage {
            process_initialized: inner.mode != ProcessMode::NotSet,
            instance_initialized: false,
        };
        inner.defaults.set(id, value, stage).map_err(|e: ParameterError| e.into())
    }

    /// What later instances start with.
    #[must_use]
    pub fn defaults(&self) -> ParameterSet {
        self.shared.inner.lock().defaults.clone()
    }

    pub(crate) fn put_defaults(&self, values: ParameterSet) {
        self.shared.inner.lock().defaults = values;
    }

    /// Keeps a value for later instances that was checked elsewhere.
    pub(crate) fn put_default(&self, id: ParameterId, value: ParameterValue) {
        self.shared.inner.lock().defaults.put(id, value);
    }

    /// Chooses to have several instances, and sets defaults for them. Returns how many could be set before one failed, and
    /// why it did.
    ///
    /// # Errors
    /// `Mode` for a process with one instance; `Call` when the process has several already: the parameters are compared with
    /// those in force, and are to be all of those that are fixed by now.
    #[doc(alias = "JetEnableMultiInstance")]
    #[doc(alias = "JET_SETSYSPARAM")]
    pub fn enable_multiple_instances(
        &self,
        parameters: &[(ParameterId, ParameterValue)],
    ) -> Result<(usize, Option<ParameterError>), InstanceError> {
        let inner = &mut *self.shared.inner.lock();
        let mode = inner.mode.create_instance()?;
        if inner.mode != ProcessMode::NotSet {
            return Err(inner.compare(parameters).into());
        }
        for (done, (id, value)) in parameters.iter().enumerate() {
            if let Err(error) = inner.defaults.set(*id, value.clone(), ParameterStage::default()) {
                return Ok((done, Some(error)));
            }
        }
        inner.mode = mode;
        Ok((parameters.len(), None))
    }

    /// Creates an instance by name. Names differ (in any letter case), and one instance may be nameless.
    ///
    /// # Errors
    /// `Mode`, `TooManyInstances`, `InstanceNameInUse`.
    #[doc(alias = "JetCreateInstance")]
    pub fn create_instance(&self, name: &str) -> Result<Instance, InstanceError> {
        self.create_instance_for(name, "")
    }

    /// As [`create_instance`](Self::create_instance), with a name for people.
    ///
    /// # Errors
    /// As [`create_instance`](Self::create_instance).
    #[doc(alias = "JetCreateInstance2")]
    pub fn create_instance_for(&self, name: &str, display_name: &str) -> Result<Instance, InstanceError> {
        let mut inner = self.shared.inner.lock();
        let mode = inner.mode.create_instance()?;
        let limit = inner.defaults.number(ParameterId::MAX_INSTANCES);
        if inner.instances.len() as u64 >= limit {
            return Err(InstanceError::TooManyInstances { limit });
        }
        if inner.instances.iter().any(|i| i.name() == name) {
            return Err(InstanceError::InstanceNameInUse { name: name.to_owned() });
        }
        Ok(self.add(&mut inner, mode, name, display_name))
    }

    /// Initialises the one instance of a process that has no other.
    ///
    /// # Errors
    /// `Mode`, or what [`Instance::initialize`] says.
    #[doc(alias = "JetInit")]
    pub fn initialize_single(&self, options: InitOptions) -> Result<Instance, InstanceError> {
        let instance = {
            let mut inner = self.shared.inner.lock();
            let mode = inner.mode.init_implicit()?;
            self.add(&mut inner, mode, "", "")
        };
        instance.initialize(options)?;
        Ok(instance)
    }

    /// The one instance of a process in one-instance mode.
    ///
    /// # Errors
    /// `Mode`.
    pub fn single_instance(&self) -> Result<Instance, InstanceError> {
        let inner = self.shared.inner.lock();
        inner.mode.check_implicit()?;
        inner.instances.first().cloned().ok_or_else(|| ModeError::InvalidParameter.into())
    }

    /// What the engine was given to work with.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.shared.environment
    }

    /// The instances of the process, in the order of their creation.
    #[must_use]
    pub fn instances(&self) -> Vec<Instance> {
        self.shared.inner.lock().instances.clone()
    }

    fn add(&self, inner: &mut Inner, mode: ProcessMode, name: &str, display_name: &str) -> Instance {
        let weak: Weak<EngineShared> = Arc::downgrade(&self.shared);
        let instance = Instance::new(
            name.to_owned(),
            display_name.to_owned(),
            self.shared.environment.clone(),
            weak,
            inner.defaults.clone(),
        );
        inner.mode = mode;
        inner.instances.push(instance.clone());
        instance
    }
}

impl EngineShared {
    /// Forgets an instance that is gone; without instances the process is free to choose again.
    pub(crate) fn free(&self, instance: &Instance) {
        let mut inner = self.inner.lock();
        inner.instances.retain(|i| !i.is_same(instance));
        if inner.instances.is_empty() {
            inner.mode = ProcessMode::NotSet;
        }
    }

    /// The other instances.
    pub(crate) fn others(&self, instance: &Instance) -> Vec<Instance> {
        self.inner.lock().instances.iter().filter(|i| !i.is_same(instance)).cloned().collect()
    }
}
