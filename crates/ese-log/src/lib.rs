//! Transaction logs of the Extensible Storage Engine.
