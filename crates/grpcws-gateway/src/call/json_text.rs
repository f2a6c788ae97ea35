//! JSON for a line, or for a terminal. The text is taken as it is: no number is read and written again.

use crate::terminal::commands_terminal;

/// How JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// Over several lines, with indentation.
    pub(super) pretty: bool,
    pub(super) colour: bool,
}

const KEY: &str = "\x1b[36m";
const STRING: &str = "\x1b[32m";
const WORD: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// Writes a JSON value without the blanks between its tokens, or with those of the style.
pub(super) fn format(json: &str, style: Style) -> String {
    let mut writer = Writer { out: String::with_capacity(json.len()), style, depth: 0 };
    let mut rest = json;
    while let Some((token, after)) = next_token(rest) {
        let is_key = token.starts_with('"') && after.trim_start().starts_with(':');
        let closes = after.trim_start().starts_with(['}', ']']);
        writer.token(token, is_key, closes);
        rest = after;
    }
    writer.out
}

/// The first token and what follows it: a string, one of `{}[]:,`, or a number or word.
fn next_token(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let first = text.chars().next()?;
    let length = match first {
        '"' => string_length(text),
        '{' | '}' | '[' | ']' | ':' | ',' => 1,
        _ => text
            .find(|char: char| char.is_ascii_whitespace() || "{}[]:,\"".contains(char))
            .unwrap_or(text.len()),
    };
    text.split_at_checked(length)
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

struct Writer {
    out: String,
    style: Style,
    depth: usize,
}

impl Writer {
    fn token(&mut self, token: &str, is_key: bool, closes: bool) {
        match token {
            "{" | "[" => {
                self.out.push_str(token);
                self.depth += 1;
                if !closes {
                    self.new_line();
                }
            }
            "}" | "]" => {
                self.depth = self.depth.saturating_sub(1);
                if !self.out.ends_with(['{', '[']) {
                    self.new_line();
                }
                self.out.push_str(token);
            }
            "," => {
                self.out.push(',');
                self.new_line();
            }
            ":" => self.out.push_str(if self.style.pretty { ": " } else { ":" }),
            _ if is_key => self.coloured(KEY, token),
            _ if token.starts_with('"') => self.coloured(STRING, token),
            _ => self.coloured(WORD, token),
        }
    }

    fn new_line(&mut self) {
        if self.style.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }

    fn coloured(&mut self, colour: &str, token: &str) {
        if self.style.colour {
            self.out.push_str(colour);
            self.shown(token);
            self.out.push_str(PLAIN);
        } else {
            self.shown(token);
        }
    }

    /// What a terminal would obey is escaped, which is the same JSON. JSON itself asks for that below U+0020 alone.
    fn shown(&mut self, token: &str) {
        if !token.chars().any(commands_terminal) {
            return self.out.push_str(token);
        }
        for char in token.chars() {
            if commands_terminal(char) {
                // None of them is beyond the plane that four digits can name.
                self.out.push_str(&format!("\\u{:04x}", u32::from(char)));
            } else {
                self.out.push(char);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = "{ \"a\" : [1, -2.50e+3,{}, [ ] ],\n\"b{\": \"x , \\\" y\", \"c\":null}";

    #[test]
    fn a_line_has_no_blanks_but_those_in_strings() {
        let line = format(JSON, Style { pretty: false, colour: false });
        assert_eq!(line, r#"{"a":[1,-2.50e+3,{},[]],"b{":"x , \" y","c":null}"#);
        assert_eq!(format("5", Style { pretty: true, colour: false }), "5");
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let text = format("{\"a\":\"\u{9b}31m\u{202e}x\u{7f}é\"}", Style { pretty: false, colour: false });
        assert_eq!(text, r#"{"a":"\u009b31m\u202ex\u007fé"}"#);
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["a"], "\u{9b}31m\u{202e}x\u{7f}é");
    }

    #[test]
    fn a_terminal_gets_lines_and_colours() {
        let pretty = format(JSON, Style { pretty: true, colour: false });
        let expected = "{\n  \"a\": [\n    1,\n    -2.50e+3,\n    {},\n    []\n  ],\n  \"b{\": \"x , \\\" y\",\n  \"c\": null\n}";
        assert_eq!(pretty, expected);
        let colours = format(r#"{"a":"b"}"#, Style { pretty: false, colour: true });
        assert_eq!(colours, "{\x1b[36m\"a\"\x1b[0m:\x1b[32m\"b\"\x1b[0m}");
    }
}
