//! Texts and times as the pages show them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Whether a character would be drawn as nothing, or turn the direction of what follows.
pub(crate) fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with hidden characters written out, on one line.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else if c.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.push(c);
        }
    }
    out.trim().to_owned()
}

/// At most `width` characters; the middle goes, because both ends of a command say what it does.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let tail = kept / 3;
    let head: String = text.chars().take(kept - tail).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{head}…{end}")
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

/// `1 call`, `2 calls`.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {one}s", thousands(number)) }
}

/// `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A person's present and time zone.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    /// Now.
    pub(crate) now: Timestamp,
    /// The zone in which times are shown and read.
    pub(crate) zone: TimeZone,
}

impl Clock {
    fn show(&self, at: Timestamp, format: &str) -> String {
        at.to_zoned(self.zone.clone()).strftime(format).to_string()
    }

    /// `14:03:59`.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        self.show(at, "%H:%M:%S")
    }

    /// `2026-11-22 14:03:59`.
    pub(crate) fn full(&self, at: Timestamp) -> String {
        self.show(at, "%Y-%m-%d %H:%M:%S")
    }

    /// `Sunday 22 November 2026`.
    pub(crate) fn day(&self, at: Timestamp) -> String {
        self.show(at, "%A %-d %B %Y")
    }

    /// How long ago: `now`, `40 s ago`, `3 min ago`, then the date without a year, which it gets after half a year.
    pub(crate) fn ago(&self, at: Timestamp) -> String {
        let seconds = self.now.duration_since(at).as_secs();
        match seconds {
            ..5 => "now".to_owned(),
            5..60 => format!("{seconds} s ago"),
            60..3600 => format!("{} min ago", seconds / 60),
            3600..86_400 => format!("{} h ago", seconds / 3600),
            86_400..15_552_000 => self.show(at, "%-d %b, %H:%M"),
            _ => self.show(at, "%Y-%m-%d"),
        }
    }

    /// How long until then: `9 min 30 s`; `over` once it has passed.
    pub(crate) fn until(&self, at: Timestamp) -> String {
        match u64::try_from(at.duration_since(self.now).as_millis()) {
            Ok(millis) if millis > 0 => span_words(millis),
            _ => "over".to_owned(),
        }
    }

    /// Reads a time as people write them: RFC 3339, a date, a date with time, `today`, `yesterday`, or how long ago
    /// (`90s`, `15m`, `2h`, `3d`, `1w`). `None` if it is none.
    pub(crate) fn parse(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        let today = self.now.to_zoned(self.zone.clone()).date();
        let begins = |day: jiff::civil::Date| Some(day.to_zoned(self.zone.clone()).ok()?.timestamp());
        match text {
            "now" => return Some(self.now),
            "today" => return begins(today),
            "yesterday" => return begins(today.yesterday().ok()?),
            _ => {}
        }
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        if let (Ok(back), Some(unit)) = (number.parse::<u32>(), text.strip_prefix(number))
            && !unit.is_empty()
        {
            let seconds = match unit {
                "s" => 1,
                "m" | "min" => 60,
                "h" => 3600,
                "d" => 86_400,
                "w" => 604_800,
                _ => return None,
            };
            return self.now.checked_sub(jiff::SignedDuration::from_secs(i64::from(back) * seconds)).ok();
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some(at);
        }
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        Some(civil.to_zoned(self.zone.clone()).ok()?.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock { now: "2026-11-22T14:03:59Z".parse().unwrap(), zone: TimeZone::UTC }
    }

    #[test]
    fn texts() {
        assert_eq!(one_line("rm\u{202e}fr\n  -\u{200b}x"), "rm\\u{202e}fr -\\u{200b}x");
        let cut = fit("echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; rm -rf /", 20);
        assert!(cut.starts_with("echo ") && cut.ends_with("rf /") && cut.chars().count() == 20, "{cut}");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(count(1, "call"), "1 call");
        assert_eq!(count(1200, "call"), "1,200 calls");
    }

    #[test]
    fn times() {
        let clock = clock();
        let at = |text: &str| clock.parse(text).map(|t| t.to_string());
        assert_eq!(at("2h").as_deref(), Some("2026-11-22T12:03:59Z"));
        assert_eq!(at("yesterday").as_deref(), Some("2026-11-21T00:00:00Z"));
        assert_eq!(at("2026-11-20T10:00").as_deref(), Some("2026-11-20T10:00:00Z"));
        for bad in ["", "soon", "-3d", "5x"] {
            assert_eq!(at(bad), None, "{bad}");
        }
        assert_eq!(clock.ago("2026-11-22T14:03:00Z".parse().unwrap()), "59 s ago");
        assert_eq!(clock.until("2026-11-22T14:05:04Z".parse().unwrap()), "1 min 5 s");
        assert_eq!(clock.until("2026-11-22T14:03:00Z".parse().unwrap()), "over");
    }
}
