//! The engine instance.
