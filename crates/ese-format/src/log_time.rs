//! Wall-clock times as the engine stores them.

use std::fmt;

/// A wall-clock time, 8 bytes. All zero means "not set". Kept as stored: comparing two times for identity compares
/// the bytes, as the engine does.
///
/// | byte | meaning |
/// |-----:|---------|
/// | 0 | seconds 0–60 |
/// | 1 | minutes |
/// | 2 | hours |
/// | 3 | day 1–31 |
/// | 4 | month 1–12 |
/// | 5 | year − 1900 |
/// | 6 | bit 0: time is UTC; bits 1–7: low 7 bits of the milliseconds |
/// | 7 | bit 0: formerly "OS snapshot"; bits 1–3: high 3 bits of the milliseconds |
#[doc(alias = "LOGTIME")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogTime(pub [u8; 8]);

impl LogTime {
    /// Stored size in bytes.
    pub const SIZE: usize = 8;
    /// "Not set".
    pub const NONE: Self = Self([0; 8]);

    /// Whether this is the all-zero "not set".
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Calendar year.
    #[must_use]
    pub fn year(self) -> u32 {
        1900 + u32::from(self.0[5])
    }

    /// Month, 1–12 in every file seen.
    #[must_use]
    pub fn month(self) -> u32 {
        u32::from(self.0[4])
    }

    /// Day of the month.
    #[must_use]
    pub fn day(self) -> u32 {
        u32::from(self.0[3])
    }

    /// Hour of the day.
    #[must_use]
    pub fn hour(self) -> u32 {
        u32::from(self.0[2])
    }

    /// Minute.
    #[must_use]
    pub fn minute(self) -> u32 {
        u32::from(self.0[1])
    }

    /// Second.
    #[must_use]
    pub fn second(self) -> u32 {
        u32::from(self.0[0])
    }

    /// Milliseconds, 0–1023 by construction.
    #[must_use]
    pub fn millisecond(self) -> u32 {
        u32::from(self.0[6] >> 1) | u32::from((self.0[7] >> 1) & 7) << 7
    }

    /// Whether the time is UTC; older engines wrote local time.
    #[must_use]
    #[doc(alias = "fTimeIsUTC")]
    pub fn is_utc(self) -> bool {
        self.0[6] & 1 != 0
    }

    /// A UTC time from milliseconds since 1970-01-01. Times outside 1900–2155 become "not set".
    #[must_use]
    pub fn from_unix_ms(ms: i64) -> Self {
        let days = ms.div_euclid(86_400_000);
        let in_day = ms.rem_euclid(86_400_000);
        let (year, month, day) = civil_from_days(days);
        let Ok(year) = u8::try_from(year - 1900) else { return Self::NONE };
        let milli = in_day % 1000;
        let second = in_day / 1000;
        let byte = |v: i64| u8::try_from(v).unwrap_or(0);
        Self([
            byte(second % 60),
            byte(second / 60 % 60),
            byte(second / 3600),
            byte(day),
            byte(month),
            year,
            byte((milli & 0x7F) << 1) | 1,
            byte(milli >> 7 << 1),
        ])
    }

    /// Milliseconds since 1970-01-01, the fields taken as UTC; `None` when not set or no valid calendar date.
    #[must_use]
    pub fn to_unix_ms(self) -> Option<i64> {
        if self.is_none() || !(1..=12).contains(&self.month()) || !(1..=31).contains(&self.day()) {
            return None;
        }
        let days = days_from_civil(i64::from(self.year()), i64::from(self.month()), i64::from(self.day()));
        let seconds = days * 86_400
            + i64::from(self.hour()) * 3600
            + i64::from(self.minute()) * 60
            + i64::from(self.second());
        Some(seconds * 1000 + i64::from(self.millisecond()))
    }
}

/// ISO 8601 with milliseconds; `Z` only when the time is marked UTC; `-` when not set.
impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("-");
        }
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{}",
            self.year(),
            self.month(),
            self.day(),
            self.hour(),
            self.minute(),
            self.second(),
            self.millisecond(),
            if self.is_utc() { "Z" } else { "" }
        )
    }
}

/// Proleptic Gregorian date of a day count since 1970-01-01, counting years from March so that the leap day is last.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_display() {
        // 2026-11-22 13:18:42.574 UTC: 574 = 0b100_0111_1110.
        let time = LogTime([42, 18, 13, 22, 11, 126, (574_u32 as u8 & 0x7F) << 1 | 1, 4 << 1]);
        assert_eq!(time.to_string(), "2026-11-22T13:18:42.574Z");
        assert_eq!(LogTime::from_unix_ms(time.to_unix_ms().unwrap()), time);
        assert_eq!(LogTime::NONE.to_string(), "-");
    }

    #[test]
    fn calendar_round_trip() {
        for day in (-25_000_i64..60_000).step_by(13) {
            let (y, m, d) = civil_from_days(day);
            assert_eq!(days_from_civil(y, m, d), day);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(11_016), (2000, 2, 29));
    }
}
