//! Names of the files of one log stream.
//!
//! | role | legacy names | current names |
//! |------|--------------|---------------|
//! | log being written | `edb.log` | `edb.jtx` |
//! | archived generation | `edbXXXXX.log`, `edbXXXXXXXX.log` | the same with `.jtx` |
//! | next log, being prepared | `edbtmp.log` | `edbtmp.jtx` |
//! | reserve log | `edbresXXXXX.jrs` | the same |
//! | reserve log of old engines | `res1.log`, `res2.log` | – |
//! | partial copy of a generation | `edbXXXXX.jsl` | the same |
//! | checkpoint | `edb.chk` | `edb.jcp` |
//!
//! Digits are hexadecimal, written in upper case, read in either; names compare without case. A name that does not
//! parse is no file of the stream.
//!
//! Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/ese/_log/logstream.cxx`, `LGFileHelper`.

mod base;
mod parse;

pub use base::{BaseName, InvalidBaseName};
pub use parse::{GenerationDigits, LogFileKind, LogFileName};

use ese_format::LogGeneration;

/// Which pair of extensions a stream uses.
#[doc(alias = "JET_bitESE98FileNames")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogExtension {
    /// `.log` and `.chk`, the default of Windows' engine.
    #[default]
    Legacy,
    /// `.jtx` and `.jcp`.
    Current,
}

impl LogExtension {
    /// Extension of log files, without the dot.
    #[must_use]
    pub const fn log(self) -> &'static str {
        match self {
            Self::Legacy => "log",
            Self::Current => "jtx",
        }
    }

    /// Extension of the checkpoint file, without the dot.
    #[must_use]
    pub const fn checkpoint(self) -> &'static str {
        match self {
            Self::Legacy => "chk",
            Self::Current => "jcp",
        }
    }

    /// The other pair.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Current,
            Self::Current => Self::Legacy,
        }
    }
}

/// How the files of one stream are named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogNames {
    /// First part of every name.
    pub base: BaseName,
    /// Extensions.
    pub extension: LogExtension,
    /// Whether generations up to 0xFFFFF are written, and accepted, with five digits. Without it names always have
    /// eight digits and a five-digit name in a scanned directory is an error.
    #[doc(alias = "JET_bitEightDotThreeSoftCompat")]
    pub short_generations: bool,
}

impl LogNames {
    /// The names of a stream under Windows' default parameters: `.log`, `.chk`, five digits where they suffice.
    #[must_use]
    pub fn legacy(base: BaseName) -> Self {
        Self { base, extension: LogExtension::Legacy, short_generations: true }
    }

    /// The log being written, for example `edb.log`.
    #[must_use]
    pub fn current(&self) -> String {
        format!("{}.{}", self.base, self.extension.log())
    }

    /// The next log while it is prepared, for example `edbtmp.log`.
    #[must_use]
    pub fn temporary(&self) -> String {
        format!("{}tmp.{}", self.base, self.extension.log())
    }

    /// An archived generation, for example `edb0001A.log`.
    #[must_use]
    pub fn archived(&self, generation: LogGeneration) -> String {
        format!("{}{}.{}", self.base, self.digits(generation), self.extension.log())
    }

    /// A partially filled copy of a generation that is written elsewhere, for example `edb0001A.jsl`.
    #[must_use]
    pub fn shadow(&self, generation: LogGeneration) -> String {
        format!("{}{}.jsl", self.base, self.digits(generation))
    }

    /// The reserve log with a number from 1 on, for example `edbres00001.jrs`.
    #[must_use]
    pub fn reserve(&self, number: u32) -> String {
        format!("{}res{number:05X}.jrs", self.base)
    }

    /// The checkpoint file, for example `edb.chk`.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        format!("{}.{}", self.base, self.extension.checkpoint())
    }

    /// What `name` is in this stream, or `None` when it is no file of it.
    #[must_use]
    pub fn parse(&self, name: &str) -> Option<LogFileName> {
        LogFileName::parse(&self.base, name)
    }

    fn digits(&self, generation: LogGeneration) -> String {
        if self.short_generations && generation <= LogGeneration::MAX_SHORT_NAME {
            format!("{:05X}", generation.0)
        } else {
            format!("{:08X}", generation.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(extension: LogExtension, short_generations: bool) -> LogNames {
        LogNames { base: BaseName::new("edb").unwrap(), extension, short_generations }
    }

    #[test]
    fn names_as_the_engine_writes_them() {
        let legacy = names(LogExtension::Legacy, true);
        assert_eq!(legacy.current(), "edb.log");
        assert_eq!(legacy.temporary(), "edbtmp.log");
        assert_eq!(legacy.checkpoint(), "edb.chk");
        assert_eq!(legacy.reserve(2), "edbres00002.jrs");
        assert_eq!(legacy.archived(LogGeneration(0x1A)), "edb0001A.log");
        assert_eq!(legacy.archived(LogGeneration(0xF_FFFF)), "edbFFFFF.log");
        assert_eq!(legacy.archived(LogGeneration(0x10_0000)), "edb00100000.log");
        assert_eq!(legacy.shadow(LogGeneration(0x1A)), "edb0001A.jsl");
        let current = names(LogExtension::Current, false);
        assert_eq!(current.archived(LogGeneration(0x1A)), "edb0000001A.jtx");
        assert_eq!(current.current(), "edb.jtx");
        assert_eq!(current.checkpoint(), "edb.jcp");
    }

    proptest! {
        #[test]
        fn every_name_parses_back(
            base in "[A-Za-z][A-Za-z0-9]{0,7}",
            generation in 1..=LogGeneration::MAX.0,
            number in 1..0xF_FFFF_u32,
            current in any::<bool>(),
            short_generations in any::<bool>(),
            lower in any::<bool>(),
        ) {
            let extension = if current { LogExtension::Current } else { LogExtension::Legacy };
            let names = LogNames { base: BaseName::new(&base).unwrap(), extension, short_generations };
            let generation = LogGeneration(generation);
            let kind = |name: String| {
                let name = if lower { name.to_lowercase() } else { name };
                names.parse(&name).map(|n| n.kind)
            };
            prop_assert_eq!(kind(names.current()), Some(LogFileKind::Current(extension)));
            prop_assert_eq!(kind(names.temporary()), Some(LogFileKind::Temporary(extension)));
            prop_assert_eq!(kind(names.checkpoint()), Some(LogFileKind::Checkpoint(extension)));
            prop_assert_eq!(kind(names.reserve(number)), Some(LogFileKind::Reserve { number }));
            let digits = if short_generations && generation <= LogGeneration::MAX_SHORT_NAME {
                GenerationDigits::Five
            } else {
                GenerationDigits::Eight
            };
            prop_assert_eq!(
                kind(names.archived(generation)),
                Some(LogFileKind::Archived { generation, digits, extension })
            );
            prop_assert_eq!(kind(names.shadow(generation)), Some(LogFileKind::Shadow { generation, digits }));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = names(LogExtension::Legacy, true).parse(&text);
            let _ = LogFileName::guess(&text);
        }
    }
}
