//! Times: as people write them in options, and as they read them in listings.

use anyhow::{Result, anyhow};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

/// The present and the person's time zone.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    /// Now.
    pub(crate) now: Timestamp,
    /// The zone in which times are shown and read.
    pub(crate) zone: TimeZone,
}

impl Clock {
    /// The machine's clock and zone.
    pub(crate) fn system() -> Self {
        Self { now: Timestamp::now(), zone: TimeZone::system() }
    }

    /// `14:03:59`.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// `2026-11-22 14:03`.
    pub(crate) fn minute(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// The day, to tell when another begins.
    pub(crate) fn date(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// `Sunday 22 November 2026`.
    pub(crate) fn day(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%A %-d %B %Y").to_string()
    }
}

/// Reads a time: RFC 3339, a date or a date with time in the person's zone, `now`, `today`, `yesterday`, or how long
/// ago (`90s`, `15m`, `2h`, `3d`, `1w`).
pub(crate) fn parse_when(text: &str, clock: &Clock) -> Result<Timestamp> {
    let text = text.trim();
    let bad = || {
        anyhow!(
            "`{text}` is no time: give one like `2026-11-22`, `2026-11-22T14:00`, `2h`, `3d`, `today` or `yesterday`"
        )
    };
    let today = clock.date(clock.now);
    let begins = |day: Date| Ok(day.to_zoned(clock.zone.clone())?.timestamp());
    match text {
        "now" => return Ok(clock.now),
        "today" => return begins(today),
        "yesterday" => return begins(today.yesterday()?),
        _ => {}
    }
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if let (Ok(count), Some(unit)) = (number.parse::<i64>(), text.strip_prefix(number))
        && count >= 0
        && !unit.is_empty()
    {
        let seconds = match unit {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return Err(bad()),
        };
        let back = count.checked_mul(seconds).ok_or_else(bad)?;
        return clock.now.checked_sub(SignedDuration::from_secs(back)).map_err(|_| bad());
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let civil: DateTime = text.parse().map_err(|_| bad())?;
    Ok(civil.to_zoned(clock.zone.clone())?.timestamp())
}

/// How long, in words: `12 ms`, `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub(crate) fn span_words(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 if millis < 100 => format!("{millis} ms"),
        0..=9 => format!("{}.{} s", seconds, millis % 1000 / 100),
        10..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..=86_399 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// The day after, for options that name the last day.
pub(crate) fn end_of(text: &str, clock: &Clock) -> Result<Timestamp> {
    let begin = parse_when(text, clock)?;
    let whole_day = matches!(text.trim(), "today" | "yesterday")
        || text.trim().parse::<Date>().is_ok() && text.trim().len() == 10;
    if !whole_day {
        return Ok(begin);
    }
    Ok(begin.to_zoned(clock.zone.clone()).checked_add(1.day())?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock { now: "2026-11-22T14:03:59Z".parse().unwrap(), zone: TimeZone::UTC }
    }

    #[test]
    fn times_as_people_write_them() {
        let read =
            |text: &str| parse_when(text, &clock()).map(|t| t.to_string()).unwrap_or_else(|e| e.to_string());
        assert_eq!(read("2h"), "2026-11-22T12:03:59Z");
        assert_eq!(read("3d"), "2026-11-19T14:03:59Z");
        assert_eq!(read("yesterday"), "2026-11-21T00:00:00Z");
        assert_eq!(read("2026-11-20"), "2026-11-20T00:00:00Z");
        assert_eq!(read("2026-11-20T10:00"), "2026-11-20T10:00:00Z");
        assert_eq!(read("2026-11-20T10:00:00+02:00"), "2026-11-20T08:00:00Z");
        for bad in ["", "h", "5x", "soon", "-3d", "99999999999999d"] {
            assert!(read(bad).contains("is no time"), "{bad}");
        }
        let end = |text: &str| end_of(text, &clock()).unwrap().to_string();
        assert_eq!(end("2026-11-20"), "2026-11-21T00:00:00Z");
        assert_eq!(end("2h"), "2026-11-22T12:03:59Z");
    }

    #[test]
    fn spans_in_words() {
        let words = [12, 420, 12_000, 185_000, 7_800_000, 273_600_000].map(span_words);
        assert_eq!(words, ["12 ms", "0.4 s", "12 s", "3 min 5 s", "2 h 10 min", "3 d 4 h"]);
    }
}
