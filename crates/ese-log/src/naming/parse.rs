//! From a file name to its role in a stream.

use ese_format::LogGeneration;

use super::{BaseName, LogExtension};

/// How many hexadecimal digits a generation was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GenerationDigits {
    /// Five, the 8.3 form.
    Five,
    /// Eight.
    Eight,
}

/// The role of a file in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogFileKind {
    /// The log being written; its generation stands only in its header.
    Current(LogExtension),
    /// A closed generation.
    Archived {
        /// Generation by name; the header must agree.
        generation: LogGeneration,
        /// Width of the number in the name.
        digits: GenerationDigits,
        /// Extension of the name.
        extension: LogExtension,
    },
    /// The next log while it is prepared. Its content is never trusted.
    Temporary(LogExtension),
    /// Space kept for a full disk; content irrelevant.
    Reserve {
        /// Number, from 1 on.
        number: u32,
    },
    /// `res1.log`, `res2.log` of old engines; deleted on sight.
    OldReserve {
        /// 1 or 2.
        number: u32,
    },
    /// Partially filled copy of a generation that is written elsewhere.
    Shadow {
        /// Generation by name.
        generation: LogGeneration,
        /// Width of the number in the name.
        digits: GenerationDigits,
    },
    /// The checkpoint file.
    Checkpoint(LogExtension),
}

/// A parsed file name: the stream's base name and the file's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFileName {
    /// Base name as written in this name.
    pub base: BaseName,
    /// Role.
    pub kind: LogFileKind,
}

impl LogFileName {
    /// What `name` is in the stream of `base`, or `None` when it is no file of that stream. The old reserve logs
    /// carry no base name and belong to every stream of their directory.
    #[must_use]
    pub fn parse(base: &BaseName, name: &str) -> Option<Self> {
        let found = |kind| Some(Self { base: base.clone(), kind });
        if let Some(number) = old_reserve(name) {
            return found(LogFileKind::OldReserve { number });
        }
        let (middle, suffix) = base.strip(name)?.rsplit_once('.')?;
        let suffix = Suffix::parse(suffix)?;
        let kind = match (middle, suffix) {
            ("", Suffix::Log(extension)) => LogFileKind::Current(extension),
            ("", Suffix::Checkpoint(extension)) => LogFileKind::Checkpoint(extension),
            (_, Suffix::Log(extension)) if middle.eq_ignore_ascii_case("tmp") => {
                LogFileKind::Temporary(extension)
            }
            (_, Suffix::Log(extension)) => {
                let (generation, digits) = generation(middle)?;
                LogFileKind::Archived { generation, digits, extension }
            }
            (_, Suffix::Shadow) => {
                let (generation, digits) = generation(middle)?;
                LogFileKind::Shadow { generation, digits }
            }
            (_, Suffix::Reserve) => {
                let digits = middle
                    .get(..3)
                    .filter(|m| m.eq_ignore_ascii_case("res"))
                    .and_then(|_| middle.get(3..))
                    .filter(|d| d.len() == 5)?;
                LogFileKind::Reserve { number: hexadecimal(digits).filter(|&n| n != 0)? }
            }
            (_, Suffix::Checkpoint(_)) => return None,
        };
        found(kind)
    }

    /// The most likely reading of `name` when the base name is not known: base names of three characters first,
    /// as the engine demands, then eight digits before five, then any other split.
    #[must_use]
    pub fn guess(name: &str) -> Option<Self> {
        let stem_len = name.rfind('.')?;
        let splits = [3, stem_len.saturating_sub(8), stem_len.saturating_sub(5)];
        let tails = [stem_len.saturating_sub(3), stem_len];
        let numbered = |k: LogFileKind| !matches!(k, LogFileKind::Current(_) | LogFileKind::Checkpoint(_));
        // Readings that explain more of the name than "current log of a longer base name" win.
        let first = splits
            .into_iter()
            .chain(tails)
            .filter_map(|split| Self::parse(&BaseName::new(name.get(..split)?).ok()?, name))
            .find(|n| numbered(n.kind));
        first.or_else(|| Self::parse(&BaseName::new(name.get(..stem_len)?).ok()?, name))
    }
}

enum Suffix {
    Log(LogExtension),
    Checkpoint(LogExtension),
    Reserve,
    Shadow,
}

impl Suffix {
    fn parse(text: &str) -> Option<Self> {
        for extension in [LogExtension::Legacy, LogExtension::Current] {
            if text.eq_ignore_ascii_case(extension.log()) {
                return Some(Self::Log(extension));
            }
            if text.eq_ignore_ascii_case(extension.checkpoint()) {
                return Some(Self::Checkpoint(extension));
            }
        }
        if text.eq_ignore_ascii_case("jrs") {
            return Some(Self::Reserve);
        }
        text.eq_ignore_ascii_case("jsl").then_some(Self::Shadow)
    }
}

fn old_reserve(name: &str) -> Option<u32> {
    if name.eq_ignore_ascii_case("res1.log") {
        return Some(1);
    }
    name.eq_ignore_ascii_case("res2.log").then_some(2)
}

/// Generation 0 is "none", and numbers beyond the highest generation would be negative in the file.
fn generation(digits: &str) -> Option<(LogGeneration, GenerationDigits)> {
    let width = match digits.len() {
        5 => GenerationDigits::Five,
        8 => GenerationDigits::Eight,
        _ => return None,
    };
    let generation = LogGeneration(hexadecimal(digits)?);
    (generation.0 != 0 && generation <= LogGeneration::MAX).then_some((generation, width))
}

/// `from_str_radix` alone would take a sign.
fn hexadecimal(digits: &str) -> Option<u32> {
    if digits.bytes().all(|b| b.is_ascii_hexdigit()) { u32::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str) -> Option<LogFileKind> {
        LogFileName::parse(&BaseName::default(), name).map(|n| n.kind)
    }

    #[test]
    fn every_role() {
        use LogFileKind as K;
        let legacy = LogExtension::Legacy;
        let archived = |generation, digits| K::Archived {
            generation: LogGeneration(generation),
            digits,
            extension: legacy,
        };
        for (name, kind) in [
            ("edb.log", K::Current(legacy)),
            ("EDB.LOG", K::Current(legacy)),
            ("edb.jtx", K::Current(LogExtension::Current)),
            ("edb.chk", K::Checkpoint(legacy)),
            ("edb.jcp", K::Checkpoint(LogExtension::Current)),
            ("edbtmp.log", K::Temporary(legacy)),
            ("edb0007E.log", archived(0x7E, GenerationDigits::Five)),
            ("edb0007e.LOG", archived(0x7E, GenerationDigits::Five)),
            ("edb0000007E.log", archived(0x7E, GenerationDigits::Eight)),
            ("edb7FFFFA00.log", archived(0x7FFF_FA00, GenerationDigits::Eight)),
            ("edbres00001.jrs", K::Reserve { number: 1 }),
            ("edbres0000A.jrs", K::Reserve { number: 10 }),
            ("res1.log", K::OldReserve { number: 1 }),
            ("RES2.LOG", K::OldReserve { number: 2 }),
        ] {
            assert_eq!(parse(name), Some(kind), "{name}");
        }
    }

    #[test]
    fn no_file_of_the_stream() {
        for name in [
            "edb",
            "edb.edb",
            "edbx.log",
            "edb00000.log",
            "edb+007E.log",
            "edb0007G.log",
            "edb007E.log",
            "edb000007E.log",
            "edb7FFFFA01.log",
            "edbFFFFFFFF.log",
            "edbres1.jrs",
            "edbres00000.jrs",
            "edbres00001.log",
            "edbtmp.chk",
            "E000007E.log",
            "res3.log",
            ".log",
            "",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn base_names_are_guessed() {
        for (name, base) in [
            ("edb.log", "edb"),
            ("edb0001A.log", "edb"),
            ("edb0000001A.log", "edb"),
            ("V01000A1.log", "V01"),
            ("V01000000A1.jtx", "V01"),
            ("E00tmp.log", "E00"),
            ("edbres00001.jrs", "edb"),
            ("a00000001.log", "a"),
            ("longer00001.log", "longer"),
            ("RVN.chk", "RVN"),
            ("log00001.log", "log"),
        ] {
            assert_eq!(LogFileName::guess(name).map(|n| n.base.as_str().to_owned()).as_deref(), Some(base));
        }
        assert_eq!(LogFileName::guess("WindowsMail.pat"), None);
        assert_eq!(LogFileName::guess("verylongname.log"), None);
    }
}
