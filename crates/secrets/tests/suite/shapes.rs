//! Shapes in which agents meet secrets, and generated values to put into them. Used by the tests and by
//! `examples/measure.rs`.

use secrets::{Detector, Finding, sample};
use std::ops::Range;

/// A shape: its name, and what it makes of a name, a value and a number.
pub(crate) struct Shape {
    /// Its name.
    pub(crate) name: &'static str,
    make: fn(&str, &str, u64) -> String,
    /// How the value is changed in it.
    change: fn(&str) -> String,
}

fn same(value: &str) -> String {
    value.to_owned()
}

fn json(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Broken after its first part, as a terminal does at its right edge.
fn broken(value: &str) -> String {
    let at = 1 + value.len() * 7 % (value.len() - 1);
    format!("{}\n{}", &value[..at], &value[at..])
}

fn continued(value: &str) -> String {
    let at = value.len() * 2 / 3;
    format!("{}\\\n{}", &value[..at], &value[at..])
}

fn coloured(value: &str) -> String {
    let at = value.len().min(6);
    format!("\u{1b}[01;31m\u{1b}[K{}\u{1b}[m\u{1b}[K{}", &value[..at], &value[at..])
}

const LOG: &str = "2026-03-14T09:26:53.589Z";

/// The shapes.
pub(crate) const SHAPES: &[Shape] = &[
    Shape {
        name: "env",
        make: |n, v, _| format!("PATH=/usr/bin:/bin\n{n}={v}\nLANG=C.UTF-8\n"),
        change: same,
    },
    Shape { name: "export", make: |n, v, _| format!("#!/bin/sh\nexport {n}=\"{v}\"\n"), change: same },
    Shape { name: "diff", make: |n, v, _| format!("@@ -1,3 +1,4 @@\n A=1\n+{n}={v}\n B=2\n"), change: same },
    Shape {
        name: "cat -n",
        make: |n, v, k| format!("     1\tA=1\n{:>6}\t{n}={v}\n     3\tB=2\n", k + 2),
        change: same,
    },
    Shape {
        name: "ansi",
        make: |n, v, _| format!("\u{1b}[32m{n}\u{1b}[0m=\u{1b}[33m{v}\u{1b}[0m done\n"),
        change: same,
    },
    Shape {
        name: "grep colour",
        make: |n, v, _| format!("\u{1b}[35mapp.conf\u{1b}[m\u{1b}[36m:\u{1b}[m{n}: {v}\n"),
        change: coloured,
    },
    Shape {
        name: "csv",
        make: |n, v, k| format!("id,name,value,date\n{k},{n},{v},2026-01-02\n"),
        change: same,
    },
    Shape {
        name: "url query",
        make: |n, v, _| {
            format!("GET https://api.acme.test/v1/items?page=2&{}={v}&sort=asc HTTP/1.1\n", n.to_lowercase())
        },
        change: same,
    },
    Shape {
        name: "url userinfo",
        make: |_, v, _| format!("git clone https://deploy:{v}@git.acme.test/team/app.git\n"),
        change: |v| v.replace('/', "%2F").replace('@', "%40"),
    },
    Shape {
        name: "curl -v",
        make: |_, v, _| {
            format!(
                "> GET /v1/me HTTP/2\n> Host: api.acme.test\n> authorization: Bearer {v}\n> accept: */*\n"
            )
        },
        change: same,
    },
    Shape {
        name: "header",
        make: |_, v, _| format!("curl -H 'X-Api-Key: {v}' https://api.acme.test/\n"),
        change: same,
    },
    Shape {
        name: "json",
        make: |n, v, _| format!("{{\"id\": 7, \"{n}\": \"{v}\", \"ok\": true}}\n"),
        change: json,
    },
    Shape {
        name: "json escaped",
        make: |n, v, _| format!("{{\"body\":\"{{\\\"{n}\\\":\\\"{v}\\\"}}\\n\"}}\n"),
        change: same,
    },
    Shape {
        name: "wrapped",
        make: |n, v, _| format!("the deployment wrote its settings with {n} = {v}\nand went on\n"),
        change: broken,
    },
    Shape {
        name: "continued",
        make: |n, v, _| format!("docker run -e {n}={v} \\\n  image:latest\n"),
        change: continued,
    },
    Shape {
        name: "log",
        make: |n, v, _| format!("{LOG} INFO  worker[42]: loaded config {n}={v}, retries=3\n"),
        change: same,
    },
    Shape {
        name: "yaml",
        make: |n, v, _| format!("spec:\n  env:\n    - name: {n}\n      value: {v}\n"),
        change: same,
    },
    Shape {
        name: "yaml map",
        make: |n, v, _| format!("service:\n  {}: {v}\n  port: 80\n", n.to_lowercase()),
        change: same,
    },
    Shape {
        name: "xml",
        make: |n, v, _| format!("<config><{n}>{v}</{n}><port>80</port></config>\n"),
        change: same,
    },
    Shape {
        name: "hcl",
        make: |n, v, _| format!("provider \"acme\" {{\n  {} = \"{v}\"\n}}\n", n.to_lowercase()),
        change: same,
    },
    Shape {
        name: "python",
        make: |n, v, _| format!("client = Client(timeout=3)\n{} = '{v}'  # production\n", n.to_lowercase()),
        change: same,
    },
    Shape {
        name: "javascript",
        make: |_, v, _| format!("const config = {{ retries: 3, apiKey: '{v}', accessToken: null }};\n"),
        change: same,
    },
    Shape {
        name: "option",
        make: |n, v, _| format!("$ acme login --{} {v} --region eu\n", n.to_lowercase().replace('_', "-")),
        change: same,
    },
    Shape { name: "argument", make: |n, v, _| format!("setenv(\"{n}\", \"{v}\")\n"), change: same },
    Shape {
        name: "table",
        make: |n, v, _| format!("| name | value |\n| --- | --- |\n| {n} | {v} |\n"),
        change: same,
    },
    Shape {
        name: "error",
        make: |n, v, _| {
            format!("Error: request failed with {n}={v}: 401 Unauthorized\n    at fetch (app.js:3:1)\n")
        },
        change: same,
    },
];

/// The text of a shape with a token in it, and where the token is.
pub(crate) fn placed(shape: &Shape, secret: &str, number: u64) -> (String, Range<usize>) {
    named(shape, "APP_SETTING", secret, number)
}

/// The text of a shape with a token of this kind in it, under a name that its kind needs.
pub(crate) fn announced(
    shape: &Shape,
    detector: &Detector,
    secret: &str,
    number: u64,
) -> (String, Range<usize>) {
    let Some(name) = detector.names().first() else { return placed(shape, secret, number) };
    let (text, span) = named(shape, &name.to_uppercase(), secret, number);
    // Shapes without a name say it before the token, on its line.
    let line = text[..span.start].rfind('\n').map_or(0, |p| p + 1);
    let head = format!("{name} ");
    if text[line..span.start].to_lowercase().contains(name) {
        return (text, span);
    }
    let whole = format!("{}{head}{}", &text[..line], &text[line..]);
    (whole, span.start + head.len()..span.end + head.len())
}

/// The text of a shape with a value of this name in it, and where the value is.
pub(crate) fn named(shape: &Shape, name: &str, secret: &str, number: u64) -> (String, Range<usize>) {
    let value = (shape.change)(secret);
    let text = (shape.make)(name, &value, number);
    let from = text.find(&value).unwrap_or(0);
    (text, from..from + value.len())
}

/// Whether findings cover three fifths of a span.
pub(crate) fn covered(found: &[Finding], span: &Range<usize>) -> bool {
    let hit: usize =
        found.iter().map(|f| f.span.end.min(span.end).saturating_sub(f.span.start.max(span.start))).sum();
    hit * 5 >= span.len() * 3
}

/// Names of secrets.
const NAMES: &[&str] = &[
    "DB_PASSWORD",
    "API_KEY",
    "CLIENT_SECRET",
    "AUTH_TOKEN",
    "JWT_SECRET",
    "ENCRYPTION_KEY",
    "SMTP_PASSWORD",
    "SERVICE_ACCESS_KEY",
];

/// A name and a random value, as machines make them.
pub(crate) fn generic(number: u64) -> (&'static str, String) {
    let alphabet: &[u8] = match number % 3 {
        0 => b"0123456789abcdef",
        1 => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        _ => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    };
    let length = 20 + number % 4 * 8;
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF0;
    let mut value: String = (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(alphabet[(state >> 33) as usize % alphabet.len()])
        })
        .collect();
    // Neither a sign at its beginning, which no vendor makes, nor at its end.
    value.replace_range(0..1, "7");
    let last = value.len() - 1;
    value.replace_range(last.., "k");
    let names = NAMES[usize::try_from(number / 3).unwrap_or(0) % NAMES.len()];
    (names, if number.is_multiple_of(3) { value.replace('k', "e") } else { value })
}

/// A value inside other text in the encodings that an index knows: what it is called, the text, where the value is.
pub(crate) fn encoded(secret: &str) -> Vec<(&'static str, Vec<u8>, Range<usize>)> {
    let mut out = Vec::new();
    for head in ["", "x", "xy"] {
        let plain = format!("{head}{secret} and more");
        for encoding in [data_encoding::BASE64, data_encoding::BASE64URL] {
            let text = encoding.encode(plain.as_bytes());
            let from = head.len() * 4 / 3 + 1;
            let to = (head.len() + secret.len()) * 4 / 3 - 1;
            out.push(("base64", format!("data: {text}\n").into_bytes(), 6 + from..6 + to));
        }
    }
    let wrapped = |text: &str| {
        text.as_bytes()
            .chunks(24)
            .map(|c| String::from_utf8_lossy(c).into_owned())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let base64 = wrapped(&data_encoding::BASE64.encode(secret.as_bytes()));
    out.push(("base64 wrapped", base64.clone().into_bytes(), 0..base64.len() - 4));
    for hex in
        [data_encoding::HEXLOWER.encode(secret.as_bytes()), data_encoding::HEXUPPER.encode(secret.as_bytes())]
    {
        let span = 4..4 + hex.len();
        out.push(("hex", format!("hex {hex}.").into_bytes(), span));
    }
    let percent: String = secret
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    let span = 2..2 + percent.len();
    out.push(("percent", format!("v={percent}&x=1").into_bytes(), span));
    let escaped = serde_like(secret);
    let span = 1..1 + escaped.len();
    out.push(("json", format!("\"{escaped}\"").into_bytes(), span));
    out
}

fn serde_like(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Texts that look like a token of this kind and are none: a word it is part of, one byte too few, a stand-in.
pub(crate) fn near_misses(detector: &Detector) -> Vec<String> {
    let token = sample(detector, 5);
    let mut out = vec![format!("word{token}"), format!("\"{}\"", stand_in(&token)), "prefix ".to_owned()];
    if detector.has_fixed_length() {
        out.push(format!("= {} ", &token[..token.len() - 2]));
        if token.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            out.push(format!("= {token}{token} "));
        }
    }
    if let Some(prefix) = detector.prefixes().first() {
        out.push(format!("tokens begin with `{prefix}` and are secret"));
        out.push(format!("{prefix}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
        out.push(format!("{prefix}<your-token-here>"));
    }
    out
}

/// The same token with one sign in the place of its random part.
fn stand_in(token: &str) -> String {
    let at = token.len().min(token.find(['_', '-', '.']).map_or(4, |p| p + 1));
    token.char_indices().map(|(i, c)| if i >= at && c.is_ascii_alphanumeric() { 'x' } else { c }).collect()
}
