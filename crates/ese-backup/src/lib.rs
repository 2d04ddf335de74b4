//! Online streaming backup, restore and verification.
