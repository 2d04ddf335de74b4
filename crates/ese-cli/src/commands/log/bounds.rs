//! `--from` and `--to`: a position, a generation or a time.

use std::str::FromStr;

use ese_format::{LogPosition, LogTime};

/// A place in a log, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// A position.
    Position(LogPosition),
    /// Milliseconds since 1970.
    Time(i64),
}

/// The beginning of what is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct From(pub(super) Bound);

/// The end of what is wanted, included.
#[derive(Clone, Copy, Debug)]
pub(super) struct To(pub(super) Bound);

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map(|(first, _)| Self(first))
    }
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map(|(_, last)| Self(last))
    }
}

/// The first and the last thing that the text can mean: a whole generation, a whole day, one position.
fn parse(text: &str) -> Result<(Bound, Bound), String> {
    let expected = || {
        "expected a position (`15,1,0`: generation, sector, byte in hexadecimal), a generation (`21` or `0x15`) or a time \
         (`2026-11-22`, `2026-11-22T13:18:42.538`)"
            .to_owned()
    };
    if text.contains([',', ':']) && !text.contains(['-', 'T']) {
        return parse_position(text)
            .map(|at| (Bound::Position(at), Bound::Position(at)))
            .ok_or_else(expected);
    }
    if let Some(generation) = parse_generation(text) {
        let first = LogPosition::new(generation, 0, 0);
        let last = LogPosition::new(generation, u16::MAX, u16::MAX);
        return Ok((Bound::Position(first), Bound::Position(last)));
    }
    parse_time(text).map(|(first, last)| (Bound::Time(first), Bound::Time(last))).ok_or_else(expected)
}

fn parse_generation(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn parse_position(text: &str) -> Option<LogPosition> {
    let mut parts = text.split([',', ':']).map(|part| {
        let part = part.trim();
        u32::from_str_radix(part.strip_prefix("0x").unwrap_or(part), 16).ok()
    });
    let generation = parts.next()??;
    let sector = u16::try_from(parts.next()??).ok()?;
    let byte = u16::try_from(parts.next().unwrap_or(Some(0))?).ok()?;
    parts.next().is_none().then(|| LogPosition::new(generation, sector, byte))
}

/// First and last millisecond of a time given to the day, the minute, the second or the millisecond.
fn parse_time(text: &str) -> Option<(i64, i64)> {
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let (date, clock) = match text.split_once(['T', 't', ' ']) {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    let mut parts = date.split('-').map(str::parse::<u32>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (mut clock_ms, mut precision) = (0, 86_400_000);
    if let Some(clock) = clock {
        let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(c, f)| (c, Some(f)));
        let parts: Vec<u32> = clock.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let (hour, minute, second) = match *parts.as_slice() {
            [hour, minute] => (hour, minute, None),
            [hour, minute, second] => (hour, minute, Some(second)),
            _ => return None,
        };
        if hour > 23 || minute > 59 || second.is_some_and(|second| second > 60) {
            return None;
        }
        clock_ms = i64::from(hour * 3_600 + minute * 60 + second.unwrap_or(0)) * 1000;
        precision = if second.is_some() { 1000 } else { 60_000 };
        if let Some(fraction) = fraction {
            let digits = fraction.get(..3).unwrap_or(fraction);
            let scale = 10i64.pow(3 - u32::try_from(digits.len()).ok()?);
            clock_ms += i64::from(digits.parse::<u32>().ok()?) * scale;
            precision = scale;
        }
    }
    let byte = |value: u32| u8::try_from(value).ok();
    let midnight = LogTime([0, 0, 0, byte(day)?, byte(month)?, byte(year.checked_sub(1900)?)?, 0, 0]);
    let first = midnight.to_unix_ms()? + clock_ms;
    Some((first, first + precision - 1))
}

impl Bound {
    /// Whether something at this position and time is in front of the bound.
    pub(super) fn is_after(self, position: LogPosition, time: LogTime) -> bool {
        match self {
            Self::Position(bound) => position < bound,
            Self::Time(bound) => time.to_unix_ms().is_some_and(|time| time < bound),
        }
    }

    /// Whether something at this position and time is behind the bound.
    pub(super) fn is_before(self, position: LogPosition, time: LogTime) -> bool {
        match self {
            Self::Position(bound) => position > bound,
            Self::Time(bound) => time.to_unix_ms().is_some_and(|time| time > bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_generations_and_times() {
        let at = |text: &str| parse(text);
        let position = Bound::Position(LogPosition::new(0x15, 1, 0x305));
        assert_eq!(at("00000015,0001,0305"), Ok((position, position)));
        assert_eq!(at("15:1:305"), Ok((position, position)));
        let first = Bound::Position(LogPosition::new(21, 0, 0));
        let last = Bound::Position(LogPosition::new(21, u16::MAX, u16::MAX));
        assert_eq!(at("21"), Ok((first, last)));
        assert_eq!(at("0x15"), Ok((first, last)));
        let second = 1_795_353_522_000;
        assert_eq!(at("2026-11-22T13:18:42"), Ok((Bound::Time(second), Bound::Time(second + 999))));
        assert_eq!(
            at("2026-11-22 13:18:42.538Z"),
            Ok((Bound::Time(second + 538), Bound::Time(second + 538)))
        );
        let day = second - (13 * 3600 + 18 * 60 + 42) * 1000;
        assert_eq!(at("2026-11-22"), Ok((Bound::Time(day), Bound::Time(day + 86_399_999))));
        for wrong in [
            "",
            "x",
            "1,2,3,4",
            "15,1FFFF,0",
            "2026-13-01",
            "2026-11-22T25:00",
            "-5",
            "1,,2",
            "2026-11-22T1.5",
        ] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
