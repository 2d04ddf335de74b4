//! Writing of logs in the current format.

mod pack;
